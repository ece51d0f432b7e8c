"""From findings to conclusions: components, objective, sampling, likelihood, by the map.

Each function adds conclusions with their reasons: findings (phrases of the text), or a sentence that
names what the map says.

Lesson: notebooks/15_four_paradigm_landscape.ipynb
"""

from dataclasses import dataclass, field

from .findings import Finding, Steps
from .phrases import compiled

AR, FLOW, LATENT, ADV, SCORE = ORDER = (
    "autoregressive", "flow", "latent-variable", "adversarial", "score-based",
)  # fmt: skip
FEW = 8  # steps: fewer are the odd claim of a few-step diffusion
LINKS = ("none", "unnormalised", "bound", "indirect", "exact")  # the weakest first
Reason = Finding | Steps | str


@dataclass
class Draft:
    """What is known of a release while the conclusions are drawn."""

    findings: list[Finding]
    steps: list[Steps]
    paradigms: set[str] = field(default_factory=set)
    objective: set[str] = field(default_factory=set)
    sampling: str = "cannot tell"
    likelihood: str = "cannot tell"
    flags: set[str] = field(default_factory=set)
    ordered: list[Finding] = field(default_factory=list)  # why a flow goes piece by piece
    because: dict[str, list[Reason]] = field(default_factory=dict)

    def said(self, axis: str, value: str, *, hint: bool | None = None) -> list[Finding]:
        """Return the asserted findings of one kind."""
        return [
            f for f in self.findings
            if f.asserted and (f.axis, f.value) == (axis, value) and hint in (None, f.rule.hint)
        ]  # fmt: skip

    def sign(self, value: str) -> list[Finding]:
        """Return the asserted findings of a sign."""
        return self.said("sign", value)

    def conclude(self, what: str, *reasons: Reason) -> None:
        """Note why something was concluded."""
        self.because.setdefault(what, []).extend(reasons)


WHOLLY = compiled(  # how a text says that a whole paradigm is absent, not only one part
    "anywhere|at any point|in any sense|at all|whatsoever|inside|whatever|of any kind|in it|"
    "(is|are|was) not an? (~ )?(gan|adversarial|diffusion|flow|score)|at training or|(no|nothing) ~ ever|"
    "nothing is (denoised|diffused)|there is no (~ )?(diffusion|denois*|score|noise schedule)"
)


def components(draft: Draft) -> None:
    """Conclude which paradigms the release is made of."""
    plain = {p: draft.said("paradigm", p, hint=False) for p in ORDER}
    for p in ORDER:  # "there is no critic anywhere in it" overrules a loose word elsewhere
        denied = [f for f in draft.findings if f.value == p and f.axis == "paradigm"
                  and f.polarity == "negated" and WHOLLY.search(f.context)]  # fmt: skip
        if denied and p in (ADV, SCORE, FLOW) and not draft.sign("decoder game"):
            plain[p] = []
    hints = {p: draft.said("paradigm", p, hint=True) for p in ORDER}
    _tidy(draft, plain, hints)
    if _draws_nothing(draft, plain):
        return
    for p in ORDER:
        if plain[p]:
            draft.paradigms.add(p)
            draft.conclude(f"paradigm: {p}", *plain[p])


def _tidy(draft: Draft, plain: dict[str, list[Finding]], hints: dict[str, list[Finding]]) -> None:
    """Let hints count where nothing plainer is said, and drop what only looks like a component."""
    if not any(plain[p] for p in (AR, FLOW, ADV, SCORE)):
        plain[AR] = plain[AR] or hints[AR]
    elif plain[LATENT] and not plain[SCORE]:
        plain[AR] = plain[AR] or hints[AR]
    if not any(plain.values()):
        plain[SCORE] = hints[SCORE]
    if not any(plain.values()):
        plain[AR] = [f for f in draft.sign("many pieces per pass") if GUESSES.search(f.context)]
    if not plain[SCORE] and (draft.said("objective", "change-of-variables") or plain[FLOW]):
        plain[FLOW] = plain[FLOW] or hints[FLOW]
    if plain[FLOW] and not plain[LATENT]:
        plain[LATENT] = [f for f in hints[LATENT] if "autoencoder" in f.phrase.lower()]
    if plain[SCORE] and draft.sign("optimisation"):
        plain[ADV] = []  # a frozen model that guides a descent is called a critic at times
    if plain[SCORE] or plain[AR]:
        words = ("latent", "autoencoder", "embedding") if plain[SCORE] else ("autoencoder",)
        telling = [f for f in hints[LATENT] if any(w in f.phrase.lower() for w in words)]
        if telling or (len(hints[LATENT]) > 1 and plain[SCORE]):
            plain[LATENT] = plain[LATENT] or hints[LATENT]
    if plain[FLOW]:  # an energy that is given is a target; one last denoising step is a detail
        weak = all("energy" in f.phrase.lower() and "based" not in f.phrase.lower()
                   for f in plain[SCORE])  # fmt: skip
        named = any(LOOPS.search(f.phrase.lower()) for f in plain[SCORE])
        if weak or not named:
            plain[SCORE] = []
    matching = [f for f in plain[SCORE] if "matching" in f.phrase.lower()]
    if matching and all(CONTINUOUS.search(f.phrase.lower()) for f in plain[FLOW]):
        plain[FLOW] = []  # a continuous flow that is trained by flow matching is score-based
    if draft.said("flag", "misleading-name") or _named(draft):
        for p in ORDER:
            others = any(plain[q] for q in ORDER if q != p)
            if others and all(BARE.fullmatch(" ".join(f.phrase.lower().split())) for f in plain[p]):
                plain[p] = []  # only the name says so
    own = draft.sign("ordered flow") + draft.sign("inverse autoregressive")
    apart = draft.sign("language") or (plain[LATENT] and not own)
    if plain[FLOW] and not apart:  # an autoregressive flow is only a flow
        draft.ordered = plain[AR]
        plain[AR] = []
    if plain[AR] and all(TAUGHT.search(f.phrase.lower()) for f in plain[SCORE]):
        plain[SCORE] = []  # a language model may be distilled, or consistent, as well
    if plain[SCORE] and all("language models" in f.phrase.lower() for f in plain[AR]):
        plain[AR] = []  # in the plural they are an example, "as in language models"
    if plain[SCORE] and draft.sign("canvas"):
        loose = all(LOOSE.search(f.phrase.lower()) for f in plain[AR])
        if loose and not draft.sign("blockwise"):
            plain[AR] = []


CONTINUOUS = compiled("continuous|divergence|trace|vector field")
BARE = compiled("(~ )?(gans?|flows?|vaes?|energ(y|ies)|scores?)")


def _named(draft: Draft) -> bool:
    """Say whether the text speaks of the name of the release, however it does."""
    return any(f.rule.says == "flag: misleading-name" for f in draft.findings)


TAUGHT = compiled("consistency (loss|objective|training)|distill*")
UNLEARNED = compiled("no|nothing|without|never")
LOOSE = compiled("language models?|language modell?ing|lms?|autoregressi*")
LOOPS = compiled(
    "diffusions?|score*|matching|velocit*|denoiser|denoises|energy based|langevin|energ(y|ies)|"
    "noise contrastive estimation|boltzmann|rectified|interpolant*|steps?"
)
GUESSES = compiled("draft*|speculat*|verif*")


def _draws_nothing(draft: Draft, plain: dict[str, list[Finding]]) -> bool:
    """Say whether the release is not generative."""
    denial = draft.said("flag", "not-generative")
    task = draft.sign("discriminative")
    some = any(plain.values())
    off = [f for f in draft.said("flag", "outside-map") if not UNLEARNED.match(f.phrase.lower())]
    if (denial and (task or not some)) or (task and not some and not off):
        draft.flags.add("not-generative")
        draft.conclude("flag: not-generative", *denial, *task)
        draft.sampling = draft.likelihood = "none"
        draft.conclude("sampling: none", "what draws no samples has no sampler")
        draft.conclude("likelihood: none", "what draws no samples has no density of its own")
        return True
    return False


def claims(draft: Draft) -> None:
    """Conclude the flags that depend on the components and on signs alone."""
    here = draft.paradigms
    if SCORE in here and (canvas := draft.sign("canvas")):
        _flag(draft, "discrete-diffusion", *canvas)
    many = draft.sign("many pieces per pass")
    if AR in here and many and "discrete-diffusion" not in draft.flags:
        _flag(draft, "parallel-autoregression", *many)
    if SCORE in here and (few := _few(draft)):
        _flag(draft, "few-step-diffusion", *few)
    if {SCORE, ADV} <= here and (game := _trains_the_denoiser(draft)):
        _flag(draft, "adversarial-diffusion", *game)
    if FLOW in here and (loop := flow_loop(draft)):
        _flag(draft, "many-pass-flow", *loop)
    if descent := draft.sign("optimisation"):
        _flag(draft, "outside-map", *descent)
    for name in ("free-lunch", "outside-map"):
        if said := draft.said("flag", name):
            odd = here or "not-generative" in draft.flags
            if name != "outside-map" or not odd:
                _flag(draft, name, *said)


def _flag(draft: Draft, name: str, *reasons: Reason) -> None:
    draft.flags.add(name)
    draft.conclude(f"flag: {name}", *reasons)


def flow_loop(draft: Draft) -> list[Finding]:
    """Return why samples of the flow need many passes."""
    solver = draft.sign("solver flow") if SCORE not in draft.paradigms else []
    fixed = draft.sign("fixed-point flow")
    ordered = [] if draft.sign("inverse autoregressive") else _ordered(draft)
    return solver + fixed + ordered


def _ordered(draft: Draft) -> list[Finding]:
    return draft.sign("ordered flow") + draft.ordered


def _distilled(draft: Draft) -> list[Finding]:
    return draft.said("objective", "distillation")


def few_steps(draft: Draft) -> int | None:
    """Return the number of steps that the text says a sample takes: the default, or the least."""
    chosen = [s for s in draft.steps if s.default] or draft.steps
    return min((s.high for s in chosen), default=None)


def _few(draft: Draft) -> list[Reason]:
    told = [s for s in draft.steps if s.high <= FEW]
    if draft.sign("optimisation") or draft.sign("energy"):
        return []
    n, distilled = few_steps(draft), _distilled(draft)
    many = [s for s in draft.steps if s.default and s.low > FEW]
    if n is not None and n <= FEW and told and (distilled or not many):
        single = n == 1 and not distilled
        long = any(s.low > FEW for s in draft.steps) or FLOW in draft.paradigms
        if not single or (draft.sign("one step") and not long):
            return [*told]
    words = draft.sign("few steps")
    if words and not draft.steps:
        return [*words]
    if distilled and not draft.steps and not draft.sign("guidance distillation"):
        return [*distilled]
    return []


def _trains_the_denoiser(draft: Draft) -> list[Finding]:
    games = draft.said("paradigm", ADV)
    denoiser, decoder = draft.sign("denoiser game"), draft.sign("decoder game")
    apart = [f for f in denoiser if f.sentence not in {g.sentence for g in decoder}]
    if apart or (denoiser and not decoder):
        return apart or denoiser
    return [] if decoder else games


def objectives(draft: Draft) -> None:
    """Conclude what was minimised: what the text says, or the card of each component."""
    here = draft.paradigms
    if AR in here and not (SCORE in here and _inner_only(draft)):
        _of_pieces(draft)
    if LATENT in here and not (draft.sign("embedding code") and not draft.sign("code")):
        _objective(draft, "elbo", draft.said("objective", "elbo"), LATENT)
    if ADV in here:
        _objective(draft, "adversarial", draft.said("paradigm", ADV), ADV)
    if FLOW in here:
        exact, taught = draft.said("objective", "change-of-variables"), _distilled(draft)
        if taught and SCORE not in here:
            _objective(draft, "distillation", taught, FLOW)
        elif exact or here != {FLOW, ADV} or draft.sign("decoder game"):
            _objective(draft, "change-of-variables", exact, FLOW)
    if SCORE in here:
        _of_scores(draft)


def _inner_only(draft: Draft) -> bool:
    """Say whether the pieces are drawn by an inner loop, so that only its loss is left."""
    inner = draft.sign("inner loop") + draft.sign("blockwise")
    denied = any(f.rule.says == "sign: no softmax" for f in draft.findings)
    return denied or bool(inner and not draft.sign("language"))


FROM_TEACHER = compiled("teacher's|from (its|the|a) teacher|soft targets|logits of")


def _of_pieces(draft: Draft) -> None:
    said = draft.said("objective", "cross-entropy")
    taught = [f for f in _distilled(draft) if FROM_TEACHER.search(f.context)]
    if taught and SCORE not in draft.paradigms:
        _objective(draft, "distillation", taught, AR)
    if said or not taught or SCORE in draft.paradigms:
        _objective(draft, "cross-entropy", said, AR)


TARGET = compiled("(loss|losses|target|targets|objective|regression|term) ?")


def _of_scores(draft: Draft) -> None:
    taught, matching = _distilled(draft), draft.said("objective", "flow-matching")
    noise = draft.said("objective", "denoising")
    if draft.sign("optimisation"):
        _objective(draft, "denoising", noise, SCORE)
    elif taught:
        _objective(draft, "distillation", taught, SCORE)
        for name, said in (("flow-matching", matching), ("denoising", noise)):
            if own := [f for f in said if _is_target(f)]:
                _objective(draft, name, own, SCORE)
    elif canvas := draft.sign("canvas"):
        _objective(draft, "masked-prediction", canvas, SCORE)
    elif (energy := draft.sign("energy")) and not (noise and _loose(energy)):
        _objective(draft, "energy", energy, SCORE)
    elif matching:
        _objective(draft, "flow-matching", matching, SCORE)
    elif "adversarial-diffusion" in draft.flags and not [f for f in noise if _is_loss(f)]:
        draft.conclude("objective: adversarial", "the denoiser is trained by the game alone")
    else:
        _objective(draft, "denoising", noise, SCORE)


def _is_loss(f: Finding) -> bool:
    """Say whether the phrase names a loss, not only that a clean image is predicted."""
    return "clean" not in f.phrase.lower()


def _loose(energy: list[Finding]) -> bool:
    """Say whether the text only speaks of some energy, not of a model that is one."""
    return all(f.phrase.lower().split()[0] in ("the", "an", "its", "this") for f in energy)


def _is_target(f: Finding) -> bool:
    """Say whether the phrase names a loss that is added, as in "a flow-matching target"."""
    phrase = " ".join(f.phrase.lower().split())
    after = f.context[f.context.find(phrase) + len(phrase) :]
    return bool(TARGET.match(after.strip()) or TARGET.search(phrase))


def _objective(draft: Draft, name: str, said: list[Finding], card: str) -> None:
    draft.objective.add(name)
    card_says = f"the text does not say; it is on the card of {card}"
    draft.conclude(f"objective: {name}", *(said or [card_says]))


def sampling(draft: Draft) -> None:
    """Conclude how a sample is made."""
    here = draft.paradigms
    if "not-generative" in draft.flags:
        return
    way, *reasons = _way(draft, here)
    draft.sampling = str(way)
    draft.conclude(f"sampling: {way}", *reasons)


def _way(draft: Draft, here: set[str]) -> tuple[Reason, ...]:
    if descent := draft.sign("optimisation"):
        return "optimisation", *descent
    if not here:
        one = draft.sign("one pass")
        return ("one-pass", *one) if one else ("cannot tell", "the text names no sampler")
    if here == {AR}:
        return "sequential", "autoregressive alone: one piece after another"
    if AR in here:
        return "two-stage", "autoregressive and another component: one works after the other"
    if SCORE in here:
        return _loop(draft, here)
    if draft.sign("no sampler"):
        return "cannot tell", "the text leaves open how codes are drawn"
    if loop := draft.because.get("flag: many-pass-flow"):
        if LATENT in here:
            return "two-stage", "a loop draws the code, a decoder finishes it"
        ordered = _ordered(draft) and not draft.sign("solver flow")
        return ("sequential" if ordered else "multi-step"), *loop
    return "one-pass", "noise or a code is drawn, and each network runs once"


def _loop(draft: Draft, here: set[str]) -> tuple[Reason, ...]:
    n, one = few_steps(draft), draft.sign("one step")
    two = draft.sign("cascade")
    if FLOW in here:
        return "two-stage", "two generative parts, at least one of them a loop"
    if "few-step-diffusion" in draft.flags and (n == 1 or (n is None and _distilled(draft))):
        return "one-pass", *(one or ["a student without a number of steps takes one"])
    if LATENT in here:
        return "two-stage", "a loop draws the code, a decoder finishes it"
    if ADV in here and "adversarial-diffusion" not in draft.flags:
        return "two-stage", "a loop, then a network trained by a game"
    if two:
        return "two-stage", *two
    if "discrete-diffusion" in draft.flags:
        return "parallel-refinement", "a loop over a canvas of tokens"
    return "multi-step", "score-based: a loop over the whole object"


def likelihood(draft: Draft) -> None:
    """Conclude what can be said about p(x): the weakest link of the components."""
    here = draft.paradigms
    if "not-generative" in draft.flags:
        return
    if not here:
        _by_the_text(draft)
        return
    links = _links(draft, here)
    kind = min(links, key=LINKS.index)
    draft.likelihood = kind
    draft.conclude(f"likelihood: {kind}", f"the weakest link: {links[kind]}")


REPORTS = compiled("report*|bits|nats|perplexity|tight*|state of the art|best|measur*|print*|values?")


def _links(draft: Draft, here: set[str]) -> dict[str, str]:
    links = {}
    if here & {AR, FLOW}:
        links["exact"] = "a product of conditionals, or a change of variables"
    if here == {FLOW, ADV} and not draft.sign("decoder game"):
        return {"exact": "an invertible generator keeps its density, whatever trained it"}
    if SCORE in here:
        links["indirect"] = "score-based: through the ODE or the chain's bound, at extra cost"
        bounds = [f for f in draft.said("likelihood", "bound") if REPORTS.search(f.context)]
        if (bounds and not draft.sign("bound derived")) or "discrete-diffusion" in draft.flags:
            links["bound"] = "of this kind of diffusion a bound is reported"
        if "energy" in draft.objective:
            links["unnormalised"] = "an energy has no known normaliser"
    if LATENT in here:
        links["bound"] = "latent-variable: the integral over codes is only bounded"
    if ADV in here:
        links["none"] = "adversarial: x = G(z) without a density"
    if draft.sampling == "optimisation":
        links["none"] = "what descends anew for each sample has no density"
    if "few-step-diffusion" in draft.flags:
        links["none"] = "a few-step student no longer follows the ODE of its teacher"
    return links


def _by_the_text(draft: Draft) -> None:
    exact = draft.said("likelihood", "exact")
    denied = [f for f in draft.findings if f.rule.says == "likelihood: none"
              and f.polarity == "negated"]  # fmt: skip
    if exact:
        draft.likelihood = "exact"
        draft.conclude("likelihood: exact", *exact)
    elif denied or draft.sampling == "optimisation":
        draft.likelihood = "none"
        draft.conclude("likelihood: none", *(denied or ["a descent has no density"]))
    else:
        draft.conclude("likelihood: cannot tell", "no component is named, so the map cannot say")


def overclaims(draft: Draft) -> None:
    """Flag a likelihood that the map denies."""
    exact = draft.said("likelihood", "exact")
    if draft.likelihood == "exact" or "not-generative" in draft.flags or not draft.paradigms:
        return
    parts = [p for p in (AR, FLOW) if p in draft.paradigms]
    for f in exact:
        owners = [g for p in parts for g in draft.said("paradigm", p) if g.sentence == f.sentence]
        ode = [g for g in draft.sign("ode") if g.sentence == f.sentence]
        if not owners and not ode:
            _flag(draft, "likelihood-overclaim", f)
