"""Which paradigms a release is made of: the plain findings, after what only looks like one is gone.

Lesson: notebooks/15_four_paradigm_landscape.ipynb
"""

from .draft import ADV, AR, FLOW, LATENT, ORDER, SCORE, Draft, Reason
from .findings import CODES, Finding
from .phrases import compiled

Found = dict[str, list[Finding]]
WHOLLY = compiled(  # how a text says that a whole paradigm is absent, not only one part
    "anywhere|at any point|in any sense|at all|whatsoever|inside|whatever|of any kind|in it|"
    "(is|are|was) not an? (~ )?(gan|adversarial|diffusion|flow|score)|at training or|"
    "(no|nothing) ~ ever|"
    "nothing is (denoised|diffused)|there is no (~ )?(diffusion|denois*|score|noise schedule)"
)
LAYER = compiled("act ?norm|convolutions?|couplings?|layers?|blocks?|splines?")  # a part of a flow
CONTINUOUS = compiled("continuous|divergence|trace|vector field")
BARE = compiled("(~ )?(gans?|flows?|vaes?|energ(y|ies)|scores?)")
PART = compiled(  # whose denials are not those of the release
    "(backbone|encoder|tower|reader|judge|embedder) (~ )?(which|that|only|writes|generates)|"
    "as (an? |the )?encoder"
)
BOUND = compiled(
    "elbo|evidence (lower )?bound|variational (lower )?(bound|inference|bayes|training|objective|"
    "learning|posterior)|lower bound|lower bound on the (~ )?(evidence|likelihood|log)|latent "
    "variable models?|((and|plus|with) )?((a|the) )?kl|((and|plus) )?(the )?kl (~ )?(term|weight|"
    "warm up|annealing|penalty)|approximate posterior"
)
INFERS = compiled(
    "inference networks?|latent variable models?|gaussian latents?|(z|latents?|latent (codes?|"
    "vectors?)) (is|are) (~ )?(drawn|sampled)|(draw*|sampl*|tak*|pick*) (~ )?(z|latents?|latent "
    "(codes?|vectors?)) (~ )?(from|by)"
)
BASES = compiled("latent gaussians?|(gaussian|normal) latents?")
TAUGHT = compiled("consistency (loss|objective|training)|distill*")
PLAIN, LIKELY = 6, 4  # weights of an aim that decide: against a family that is named, or none
UNLEARNED = compiled("no|nothing|without|never")
NAMES = compiled("wavenet|pixel ?cnn|llamas?|gpt|lms?|llms?|mamba|language models?")
PICTURES = compiled("images?|pictures?|videos?|audio|music")
MAKES = compiled(
    "(voice|image|music|video|text|speech|picture|sound) (engine|generator|maker|cloning|creation)"
)
LOOSE = compiled("language models?|language modell?ing|lms?|autoregressi*")
AR_SAYS = f"paradigm: {AR}"
WRITERS = compiled(  # what a network is called that may as well only read
    "(~ )?(language models?|language modell?ing|llms?|lms?|gpts?( \\d)?|llamas?|decoder only|t5|"
    "causal \\w+|causal|qwen*|gemma|mistral*)"
)
SERVES = compiled(  # what a language model does for another generator
    "encod(e|es|ed|ing) (~ )?(text|prompts?|captions?|instructions?|descriptions?|lyrics|"
    "conditions?|quer(y|ies))|(text|prompts?|captions?|instructions?|descriptions?|conditions?|"
    "multimodal) (~ )?(encod(er|ers|ed|ing)|embedd?ings?|features|understanding|representations?)|"
    "(language|text|prompt|instruction) (understanding|comprehension)|understand(s|ing)? (the )?"
    "(text|prompts?|language|instructions?)|(as|for) (the |its |our |a )?condition(ing|s)?|"
    "(caption|captions|captioned|recaption|rewrit|expand|refin|enrich|pars)\\w* (~ )?(prompts?|"
    "images|videos|clips|data|captions)|(training|synthetic|paired|editing|instruction) (data|"
    "examples|pairs|sets?|samples|triplets)|(generat|creat|produc|synthesi[sz]|build)\\w* (~ )?"
    "(data ?sets?|training|corpus|examples|captions|prompts)|captioners?|judges?|rerank\\w*|"
    "(user's|users'|user) (~ )?(requests?|"
    "prompts?|instructions?|query|queries|input|wishes)|(llm|mllm|lm|language model) (text |"
    "prompt )?encoders?"
)
DRAWS = compiled(  # what it does where it draws a part of the sample
    "(tokens|codes|indices|units) (~ )?(predict|generat|draw|emit|decod|model|autoregress)\\w*|"
    "(predict|generat|draw|emit|model|writ|output|produc)\\w* (~ )?(tokens?|codes?|indices|units|"
    "text|answers?|responses?|scripts?|frames?|plan|latents?|words?)|next|auto ?regress\\w*|over "
    "(the )?(tokens|codes)|unif(y|ies|ied|ying)|both (~ )?(text|understanding)|(first|then),? (~ "
    ")?(writ|draw|predict|generat|produc|emit|sampl|plan|think|reason)\\w+|followed by|"
    "codec|chain of thought|hidden states|multimodal (large )?language model (which|"
    "that) (~ )?"
    "(generat|draw|writ)\\w*"
)
DENOISED = compiled(  # a text model that is itself a diffusion
    "non ?autoregressive (language|text|translation|sequence|large)|(language|text) models? (~ )?"
    "(based on|built on|by|through|using|with) (~ )?diffusions?|diffusions? (based )?(large )?"
    "(language|text|lm|llm)s?|diffusion lm"
)
LOOPS = compiled(
    "diffusions?|score*|matching|velocit*|denoising (steps|score|loop|diffusion|process)|noise "
    "prediction|probability paths?|energy "
    "based|ebms?|langevin|energ(y|ies)|"
    "noise contrastive estimation|boltzmann|rectified|interpolant*|steps?|vector fields?"
)
IN_TURN = compiled(  # a part that draws its own pieces, beside one that fills a canvas
    "(an|the|our|first|one) (~ )?(autoregressive|causal|left to right) (~ )?(model|transformer|"
    "decoder|network|part|stage|prior|lm) (~ )?(predicts|generates|writes|draws|emits|produces|"
    "models)"
)
ABILITY = compiled("cannot|cannot: \\w+|not (generate|sample|draw|write|produce|create)")
START = compiled("(start|begin)(s|ing)? (~ )?noise")
GUESSES = compiled("draft*|speculat*|verif*|ahead|accepts?")


def components(draft: Draft) -> None:
    """Conclude which paradigms the release is made of."""
    plain = {p: draft.said("paradigm", p, hint=False) for p in ORDER}
    for p in ORDER:  # "there is no critic anywhere in it" overrules a loose word elsewhere
        denied = [f for f in draft.findings if f.value == p and f.axis == "paradigm"
                  and f.polarity == "negated" and not f.rule.hint and _wholly(f)]  # fmt: skip
        if denied and p in (ADV, SCORE, FLOW) and not draft.sign("decoder game"):
            plain[p] = []
    hints = {p: draft.said("paradigm", p, hint=True) for p in ORDER}
    if draft.said("flag", "outside-map"):  # a loose word does not bring back what is denied
        hints[SCORE] = [] if _denied(draft, SCORE) else hints[SCORE]
    _tidy(draft, plain, hints)
    if _draws_nothing(draft, plain):
        return
    for p in ORDER:
        if plain[p]:
            draft.paradigms.add(p)
            draft.conclude(f"paradigm: {p}", *plain[p])


def _denied(draft: Draft, paradigm: str) -> bool:
    return any(
        f.polarity == "negated" and f.value == paradigm and not f.rule.hint
        for f in draft.findings
        if f.axis == "paradigm"
    )


def _wholly(f: Finding) -> bool:
    """Say whether the denial is of a whole paradigm: its words stand near the phrase."""
    at = f.context.find(_said(f))
    if LAYER.search(_said(f)):
        return False
    return bool(WHOLLY.search(f.context[max(0, at - 50) : at + len(f.phrase) + 60]))


def _said(f: Finding) -> str:
    return " ".join(f.phrase.lower().split())


def _onward(f: Finding) -> str:
    """Return the phrase and a few words after it."""
    at = f.context.find(_said(f))
    return f.context[at : at + len(f.phrase) + 15]


def _tidy(draft: Draft, plain: Found, hints: Found) -> None:
    """Let hints count where nothing plainer is said, and drop what only looks like a component."""
    if (plain[SCORE] or hints[SCORE]) and all(BOUND.fullmatch(_said(f)) for f in plain[LATENT]):
        plain[LATENT] = []  # a diffusion has a bound of its own
    inferred = all(INFERS.fullmatch(_said(f)) or BOUND.fullmatch(_said(f)) for f in plain[LATENT])
    own = hints[LATENT] or draft.sign("latent variables")
    if inferred and not own and (plain[ADV] or plain[FLOW]):
        plain[LATENT] = []  # noise or parameters may be inferred, a divergence be a term, too
    if plain[FLOW] and all(BASES.fullmatch(_said(f)) for f in plain[LATENT]):
        plain[LATENT] = []  # the base of a flow is called a latent
    _hinted_pieces(draft, plain, hints)
    if not plain[SCORE] and (draft.said("objective", "change-of-variables") or plain[FLOW]):
        plain[FLOW] = plain[FLOW] or hints[FLOW]
    _hinted_codes(plain, hints)
    if plain[SCORE] and draft.sign("optimisation"):
        plain[ADV] = []  # a frozen model that guides a descent is called a critic at times
        if all(START.fullmatch(_said(f)) for f in plain[SCORE]):
            plain[SCORE] = []  # a descent over pixels starts from noise, too
    _flow_or_score(draft, plain)
    _only_a_name(draft, plain)
    _ordered_flow(draft, plain)
    _language(draft, plain)


def _hinted_pieces(draft: Draft, plain: Found, hints: Found) -> None:
    alone = not any(plain[p] for p in (AR, FLOW, ADV, SCORE))
    codes = any(CODES.search(f.context) for f in plain[LATENT])
    told = hints[AR]  # the prior of a plain code has a temperature, too
    if plain[LATENT] and not codes:
        told = [f for f in told if not _said(f).endswith("temperature")]
    if alone or (plain[LATENT] and not plain[SCORE]):
        plain[AR] = plain[AR] or told
    if not any(plain.values()):
        plain[SCORE] = hints[SCORE]
    if not any(plain.values()):
        plain[AR] = [f for f in draft.sign("many pieces per pass") if GUESSES.search(f.context)]


def _hinted_codes(plain: Found, hints: Found) -> None:
    """Let a latent or an autoencoder count beside a component that draws it."""
    if plain[LATENT] or not (plain[SCORE] or plain[AR] or plain[FLOW]):
        return
    words = ("latent", "autoencoder", "embedding") if plain[SCORE] else ("autoencoder",)
    telling = [f for f in hints[LATENT] if any(w in _said(f) for w in words)]
    if plain[SCORE] or plain[AR]:
        several = len(hints[LATENT]) > 1 and plain[SCORE]
        plain[LATENT] = hints[LATENT] if telling or several else []
    else:
        plain[LATENT] = telling


def _flow_or_score(draft: Draft, plain: Found) -> None:
    if any(plain[p] for p in (AR, LATENT, ADV)) and all(_amount(f) for f in plain[SCORE]):
        plain[SCORE] = []  # "the energies" of what is generated
    if plain[FLOW]:  # an energy that is given is a target; one last denoising step is a detail
        given = all("energ" in _said(f) and "based" not in _said(f) for f in plain[SCORE])
        strict = any(STRICT.search(_said(f)) for f in plain[FLOW])
        loops = [f for f in plain[SCORE] if LOOPS.search(_said(f))
                 or (not strict and "denois" in _said(f))]  # fmt: skip
        if given or not loops:
            plain[SCORE] = []
    if plain[SCORE] and all("boltzmann" in _said(f) for f in plain[FLOW]):
        plain[FLOW] = []  # a Boltzmann generator is what has densities, here those of a diffusion
    pushed = draft.said("objective", "change-of-variables") and plain[FLOW]
    if pushed and all("velocit" in _said(f) for f in plain[SCORE]):
        plain[SCORE] = []  # the velocity of a continuous flow that is trained by likelihood
    matching = [f for f in plain[SCORE] if MATCHING.search(_said(f))]
    bare = all(BARE.fullmatch(_said(f)) or "flow" in _said(f) for f in plain[FLOW])
    looped = any("denois" in _said(f) for f in plain[SCORE]) and bare
    if (matching or looped) and not any(STRICT.search(_said(f)) for f in plain[FLOW]):
        plain[FLOW] = []  # "flow steps" and "flow decoder" are then short for flow matching
    if matching and all(
        CONTINUOUS.search(_said(f)) or CHANGE.search(_said(f)) for f in plain[FLOW]
    ):
        plain[FLOW] = []  # a continuous flow that is trained by flow matching is score-based


def _amount(f: Finding) -> bool:
    """Say whether a phrase speaks of an energy as of a quantity, not of a model that is one."""
    return bool(AMOUNT.fullmatch(_said(f)))


AMOUNT = compiled("(the|its|their|an) energ(y|ies)")
CHANGE = compiled("change of variables")  # also how the density of flow matching is found
MATCHING = compiled(
    "(~ )?matching|rectified (~ )?flows?|stochastic interpolants?|regress* (~ )?vector fields?"
)
STRICT = compiled(  # what only a flow by change of variables is called
    "(~ )?(normali[sz]ing|coupling|spline|autoregressive|determinants?|det|jacobian|invertible|"
    "change of "
    "variables|real ?nvp|glow|ffjord|maf|iaf|nvp|bijective|trace|couplings?)(~ )?"
)


def _only_a_name(draft: Draft, plain: Found) -> None:
    """Drop a component that only the name has, where the text speaks of the name."""
    if not any(f.rule.says == "flag: misleading-name" for f in draft.findings):
        return
    for p in ORDER:
        others = any(plain[q] for q in ORDER if q != p)
        if others and all(_only_named(f) for f in plain[p]):
            plain[p] = []


def _only_named(f: Finding) -> bool:
    """Say whether a bare family is named where the text explains the name."""
    named, at = f.context.find(" nam"), f.context.find(_said(f))
    bare = BARE.fullmatch(_said(f)) or _said(f) == "diffusion"
    return bool(bare) and (named < 0 or named < at)


def _ordered_flow(draft: Draft, plain: Found) -> None:
    own = draft.sign("ordered flow") + draft.sign("inverse autoregressive")
    apart = draft.sign("language") or (plain[LATENT] and not own) or draft.sign("flow per step")
    if plain[FLOW] and not apart:  # an autoregressive flow is only a flow
        draft.ordered = [f for f in plain[AR] if not NAMES.search(f.phrase.lower())]
        plain[AR] = []


def _language(draft: Draft, plain: Found) -> None:
    if plain[AR] and all(TAUGHT.search(_said(f)) for f in plain[SCORE]):
        plain[SCORE] = []  # a language model may be distilled, or consistent, as well
    if plain[SCORE] or plain[ADV] or plain[FLOW]:
        _serving(draft, plain)
    if not plain[SCORE]:
        return
    if any(DENOISED.search(f.context) for f in plain[SCORE]):
        plain[AR] = [f for f in plain[AR] if not LOOSE.fullmatch(_said(f))]
    example = all("language models" in _said(f) for f in plain[AR])
    apart = draft.sign("blockwise") or draft.sign("side by side")
    apart = apart or [f for f in plain[AR] if IN_TURN.search(f.context)]
    loose = all(LOOSE.search(_said(f)) for f in plain[AR]) and not apart
    if example or (draft.sign("canvas") and loose):
        plain[AR] = []  # "as in language models", or a diffusion language model


def _serving(draft: Draft, plain: Found) -> None:
    """Drop the language models that encode, caption or make data for another generator.

    One sentence says what they serve for; the others, which only name them, mean the same.
    """
    if any(not WRITERS.fullmatch(_said(f)) or DRAWS.search(f.context) for f in plain[AR]):
        return
    named = [f for f in draft.findings if f.rule.says == AR_SAYS and WRITERS.fullmatch(_said(f))]
    if any(SERVES.search(f.context) for f in named):
        plain[AR] = []


def _draws_nothing(draft: Draft, plain: Found) -> bool:
    """Say whether the release is not generative."""
    if draft.aim and not draft.name and draft.aim.weight >= _needed(draft):
        return _nothing(draft, *draft.aim.reasons)
    if draft.name and not draft.name[1]:
        return _nothing(draft, f"it calls itself: {draft.name[0]}")
    denial, task = _denials(draft, plain), draft.sign("discriminative")
    if _draws(draft, denial, task):
        return False
    some = any(plain.values())
    off = [f for f in draft.said("flag", "outside-map") if not UNLEARNED.match(f.phrase.lower())]
    makes = draft.sign("makes") or any(MAKES.search(f.context) for f in draft.findings)
    subject = [f for f in draft.sign("draws nothing") if f.sentence < 2]
    at = {f.sentence for f in subject}
    others = any(f.sentence not in at for found in plain.values() for f in found)
    if subject and not others and not draft.sign("makes"):
        some, off, task = False, [], task or subject
    if (denial and (task or not some)) or (task and not some and not off and not makes):
        return _nothing(draft, *denial, *task)
    return False


def _denials(draft: Draft, plain: Found) -> list[Finding]:
    """Return where the release says that it generates nothing, not only one thing of several."""
    denial = [f for f in draft.said("flag", "not-generative") if not PART.search(f.context)]
    if plain[AR]:  # an assistant that draws no pictures still writes
        denial = [f for f in denial if not PICTURES.search(_onward(f))]
    if any(plain.values()) and draft.sign("makes"):  # "text it cannot generate": a maker of sounds
        denial = [f for f in denial if not ABILITY.match(_said(f))]
    return denial


def _draws(draft: Draft, denial: list[Finding], task: list[Finding]) -> bool:
    """Say whether a release draws samples for all its words of recognition."""
    if draft.sign("optimisation") and not task:
        return True  # "no generative model is trained" is said of a descent as well
    if denial:
        return False
    if draft.name and "generative" in draft.name[0]:
        return True
    if len({f.sentence for f in task}) < 2 and (draft.name or draft.sign("makes")):
        return True  # what makes pictures may well have a filter
    return bool(draft.aim and draft.aim.weight < 0)


def _needed(draft: Draft) -> int:
    """Return the weight from which an aim decides; more, where a family is named."""
    return PLAIN if any(f.axis == "paradigm" and f.asserted for f in draft.findings) else LIKELY


def _nothing(draft: Draft, *reasons: Reason) -> bool:
    draft.flags.add("not-generative")
    draft.conclude("flag: not-generative", *reasons)
    draft.sampling = draft.likelihood = "none"
    draft.conclude("sampling: none", "what draws no samples has no sampler")
    draft.conclude("likelihood: none", "what draws no samples has no density of its own")
    return True
