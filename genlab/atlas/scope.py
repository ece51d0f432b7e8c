"""Whether a phrase is said of the release, or denied, compared with, replaced, planned or aside.

Every trigger is a row: the words, the polarity that they give, and how far they reach. Where
scopes overlap, the first of `POLARITIES` wins.

Lesson: notebooks/15_four_paradigm_landscape.ipynb
"""

import re
from dataclasses import dataclass

from .phrases import compiled

ASSERTED = "asserted"
POLARITIES = ("negated", "compared", "past", "planned", "aside", "teacher", ASSERTED)

OWN = "we|our|ours|it|its|the|this|these|they|a|an|one|each|there|no"
LIST_END = r"\w+(?:[ -][\w']+){0,2}(?:[,.;]|$)"  # "..., and diffusion models." goes on the list
STOP = re.compile(
    r"[;:()]| - |, (?:but|which|who|so|while|whereas|although|though|because|since|yet|instead|only"
    r"|it|its|we|our|this|that|these|they|then|with|using|where|when|if|at|in|on|as|thanks|not|just"
    r"|is|are|uses?|is|has|samples?|trained|making|giving|reaching|to|for|by|from|one|each)\b"
    rf"|, and (?:nothing|no|it|we|the|none|all|there)\b|, and (?!{LIST_END})"
    r"| (?:but|because|although|though|since|so that|yet|while|whereas|until)\b"
    r"| and (?:an?|the|is|are|has|have|uses?|can|it|its|runs?|trains?|samples?|then|so|we|gives?|"
    r"keeps?|needs?|reports?|starts?|draws?|shows?)\b"
)
TO = re.compile(r" (?:by|with|to|for|of|in favour of|-+>|→)[ ]")
CLAUSE = re.compile(r"[;:]|, (?!(?:and|or) )| (?:but|while|whereas|where|when|because) ")
STRETCH = re.compile(
    r"[;:()]|, (?:we|our|ours|this|it|now|but|while|whereas|the (?:new|current|present))\b| but "
    r"| and (?:now|the new)\b"
)
CONTRAST = re.compile(r"(?:[-*•+] )?(?:unlike|whereas|while|compared|instead|after|since|in contrast)\b")
ONWARD = re.compile(r"[;()]| but ")
FAR = re.compile(r"[;:()]|, (?:we|our|ours|this|it|but|while|whereas)\b| but ")
WORDS = 14  # no forward scope is longer


@dataclass(frozen=True)
class Trigger:
    """Words that take the sense from what stands near them."""

    polarity: str
    reach: str  # after, far, comma, until "to", until "from", before, clause, sentence, word after, word before, line
    pattern: str
    example: str  # the phrase in [ ] has the polarity


TRIGGERS = (
    Trigger(
        "asserted",
        "shield",
        "not (only|just|merely|solely|necessarily)|nothing but|no (fewer|less|more|later) "
        "than|no (matter|doubt)|nothing (else )?than|not least|no sooner",
        "Not only [diffusion] but flows.",
    ),
    Trigger(
        "negated",
        "after",
        "no|not|without|neither|nor|never|none of|cannot|can't|doesn't|don't|isn't|aren't|"
        "wasn't|didn't|won't|free (of|from)|nothing (here )?(is|was)|no longer|lack(s|ing)|"
        "in the absence of|absence of|nowhere|nobody|hardly any",
        "It works without [adversarial training].",
    ),
    Trigger(
        "negated",
        "until from",
        "drop(s|ped|ping)?|remov(e|es|ed|ing)(?! (~ )?noise)|eliminat*|strip(s|ped)?|"
        "delet(e|es|ed)",
        "We remove the [codebook] from the model.",
    ),
    Trigger(
        "negated",
        "after",
        "nothing (~ )?(to do|in common) with|not to be confused with|unrelated to|dispens* "
        "with|abandon*|avoid*|do(es|ing)? away with|obviat*|get(s|ting)? rid of|omit*|"
        "discard*|refrain* from|forgo(es|ing)?|forego*|skips|skipped|spares?|bypass*|"
        "give(s)? up|gave up|reject*|leave(s)? out|say goodbye to|part(s|ed) with|"
        "circumvent*|sidestep*",
        "This dispenses with the [discriminator].",
    ),
    Trigger(
        "negated",
        "after",
        "instead of|rather than|in place of|in lieu of|as opposed to",
        "A flow instead of a [diffusion model].",
    ),
    Trigger(
        "past",
        "until to",
        "replac(e|es|ed|ing)|swap(s|ped)?|exchang*|supersed(e|es|ing)|(mov*|switch*|"
        "migrat*|chang*|went|shift*) (~ )?from|substitut* for",
        "We replace the [GAN] by a diffusion model.",
    ),
    Trigger(
        "past",
        "before",
        "(is|are|was|were|has been|have been|be|being|gets|got) (now |all |finally |also |"
        "since )?(gone|removed|retired|dropped|abandoned|discontinued|deprecated|replaced|"
        "superseded|left out|unnecessary|switched off|omitted|discarded|deleted|thrown "
        "(out|away)|history|history now|out|swapped|moved to|phased out|scrapped|taken "
        "out)|(make|makes|made|give|gives|gave) way to|retires|disappears|(has|have) (now "
        ")?(retired|gone|left|disappeared)|(replaced|superseded) by|(is|are|was|were) no "
        "longer|(never|not) (was|were|is|been) (~ )?(part|used|in)|(exchanged|swapped) for|"
        "superseded|switched off|turned off|disabled|(removed|dropped|retired|gone|"
        "deprecated|discontinued|deleted)[.;]?$|(and )?not (included|part of|supplied|"
        "shipped|released)|(was|were) (~ )?(considered|tried|rejected|ruled out|discussed)",
        "The [critic] is gone.",
    ),
    Trigger(
        "past",
        "before in line",
        "-+>|→|=>",
        "[40 steps] -> 30",
    ),
    Trigger(
        "negated",
        "before",
        "(is|are|was|were) (not|never|neither|no longer) (used|needed|required|involved|"
        "necessary|part of|included|applied|present|released|trained|shipped|provided|"
        "supplied|covered|distributed)|(is|are) (absent|unnecessary|superfluous|not there|"
        "optional extras)|plays? no (part|role)|ha(s|ve) no (place|part|role)",
        "A [discriminator] is not used.",
    ),
    Trigger(
        "negated",
        "line",
        "removed:|out:|gone:|not included:|what it is not:|not used:|dropped:|absent:|"
        "excluded:|deprecated:|what it lacks:|not needed:|retired:|without:|missing:|not "
        "part:",
        "Removed: the [discriminator], 3 MB",
    ),
    Trigger(
        "negated",
        "key",
        "",
        "[Discriminator]: none",
    ),
    Trigger(
        "negated",
        "word after",
        "non",
        "A non-[autoregressive] network.",
    ),
    Trigger(
        "negated",
        "word before",
        "free",
        "It is [critic]-free.",
    ),
    Trigger(
        "compared",
        "after",
        "unlike|than|prefer* ~ (to|over)|approach* (~ )?(samples|quality|results|scores) "
        "of|parameters of|(evaluated|tested|measured|judged|benchmarked|held) against|"
        "compare(s|d)? (favou?rably |well |badly )?(with|to|against)|in comparison (with|"
        "to)|versus|vs|outperform*|surpass*|beat(s|ing)?|rival(s|ling|led)?|improv* (on|"
        "over|upon)|in contrast (to|with)|as with|contrary to|overtak*|exceed*|outdo*|"
        "outclass*|outrun*|within (~ )?(points?|percent|per cent|reach|decibels?|bits?|"
        "nats?|factor) of|(comparable|close|closer|equal|superior|inferior|similar|"
        "relative|competitive|on par|on a par|alternatives?|answer|akin|analogous) (to|"
        "with)|match* the (quality|speed|scores?|results?|fidelity) of|reach* the (quality|"
        "level) of|approach* (those|that) of|compet* with|(ahead|short) of|whereas|(the "
        ")?same (~ )?as|catch* up with|stand* up to|distinguish* ~ from|differ* from|"
        "against (~ )?(minutes|hours|seconds|days|weeks|\\d+)|as against|contains? every|"
        "special cases? of|on top of what|what ~ (did|do|does) with",
        "Faster than [diffusion models].",
    ),
    Trigger(
        "compared",
        "clause",
        "would (need|take|require|cost|have (needed|taken))|might need|(teacher|"
        "original),? (which|that) (needs|takes)",
        "A [WaveNet] would need minutes.",
    ),
    Trigger(
        "compared",
        "comma",
        "beyond|as (good|fast|well|sharp|accurate|strong|cheap|long|crisp|stable|simple|"
        "diverse|small|easy|quick) as|like (an?|any|every|other|most)",
        "As sharp as a [GAN], with a likelihood.",
    ),
    Trigger(
        "compared",
        "after",
        "(over|to) (strong|the best|all|earlier|previous|existing|comparable|recent)|over "
        "~ baselines?|(that|which) ~ suffers? from|known from|familiar from|borrowed from|"
        "inspired by|reminiscent of|as in|just as in|mistaken for|looks like|sounds like|"
        "taken for|in the manner of|in the spirit of|as (known|used) in|(rate|quality|"
        "speed|sharpness|diversity|fidelity|likelihoods?|bounds?|results?) of(?= (the |a |"
        "other |modern |large )?(gans?|diffusion|autoregressive|flows?|adversarial))",
        "Improvements over strong [StyleGAN] baselines.",
    ),
    Trigger(
        "compared",
        "far",
        "(most|many|existing|current|other|previous|prior|earlier|conventional|traditional|"
        "classical|competing|rival|today's|recent|typical|common|popular|public|published|"
        "older|leading) (~ )?(systems|models|methods|approaches|assistants|samplers|"
        "generators|work|works|techniques|pipelines|policies|recipes|families|engines|"
        "tools|networks|outputs)|methods that|systems that|approaches that|models that had|"
        "competitors?|everybody else|the others|people (who|often)|usually|conventionally|"
        "traditionally|so far",
        "Most image models use [diffusion].",
    ),
    Trigger(
        "compared",
        "clause",
        "(?<!the )(?<!our )(?<!this )(?<!its )(?<!that )(models?|networks?|gans?|vaes?|"
        "flows?|training|methods?|samplers?|autoencoders?|decoding|games?|diffusion) (~ "
        ")?(are|is|was|were|have been|has been) (notoriously |often |very |too |known to "
        "be |famously |still |now )?(slow|unstable|costly|expensive|obsolete|hard|"
        "difficult|limited|brittle|blurry|dead|fragile|restricted|slower|outdated|infamous|"
        "sequential|accurate but|powerful but|sharp but|good but|exact but|fast but|"
        "fickle)|(models|networks|gans|vaes|flows|autoencoders|transformers|diffusions?|"
        "policies|systems) (~ )?(need|would need|have (taken|become|won|dominated)|require|"
        "suffer|cannot|struggle|fail|lack|pay|work on|spend|accumulate|collapse|dominate|"
        "can't|write from)|(competitors|rivals|counterparts|alternatives) (~ )?(are|is|"
        "were|need|cannot|take)|(gans?|flows?|vaes?|models) of (the same|equal|that|"
        "similar|comparable) (size|quality|capacity)|(adversarial|autoregressive) "
        "(training|decoding|sampling|generation|models?) (suffers?|needs|requires|"
        "accumulates|is slow)",
        "[Adversarial training] is unstable.",
    ),
    Trigger(
        "past",
        "stretch",
        "versions? [\\d.]+ (was|were|used|relied|had)|(old|older|previous|earlier|former|"
        "outgoing) (model|one|version|versions|release|releases|generation|system|tool|"
        "network|service|method|engine|backend|back end|edition|generator|decoder|pipeline|"
        "recipe)|(its|the|our) predecessors? (~ )?(was|were|used|had|is|needed|relied)|"
        "formerly|used to|\\d\\.x|last year's|in the past|versions [\\d.]+ (to|and|or) [\\d.]+|"
        "started (out )?as|began (life )?as|up to (version|release) [\\d.]+|(its|the) "
        "ancestor|(once|originally) (was|were|used)",
        "Version 3 was a [latent diffusion] model.",
    ),
    Trigger(
        "past",
        "after",
        "we (looked at|considered|tried|tested|experimented with)|we thought of",
        "We looked at [diffusion], which fills whole sentences.",
    ),
    Trigger(
        "planned",
        "onward",
        "planned|plans? to|roadmap|future (versions?|releases?|work)|coming (soon|in)|next "
        "(release|version)|not yet|we (intend|hope|expect) to|under consideration|may (add|"
        "follow|come)|will (follow|come|add|get|gain|receive)|in preparation|later this "
        "year|being (evaluated|considered|investigated)",
        "[Speculative decoding] is planned for 5.1.",
    ),
    Trigger(
        "aside",
        "sentence",
        "(serves?|served|used|kept|trained|there|only|solely|merely|purely|exclusively|"
        "just) (only |solely |merely |purely |just |exclusively )?(for|to|in) (~ "
        ")?(evaluat*|measur*|monitor* |rerank*|judg*|watermark*|moderat*)|not part of (the|"
        "this|our) (release|package|repository)|for the listening tests|in an? (~ "
        ")?ablation|in (the|our) ablations?|(evaluated|graded|scored|filtered|reranked|"
        "ranked) by (an?|the|our)|for (the )?evaluation only|evaluation only|as an? "
        "(evaluation )?metric",
        "A [discriminator] serves only to measure the quality.",
    ),
    Trigger(
        "aside",
        "sentence",
        "(vendors|exhibitors|others|people|everybody) (~ )?(showed|shows?|talk*|talked)",
        "Vendors showed a [GAN] of sorts.",
    ),
    Trigger(
        "aside",
        "clause",
        "(serve*|act*|used|kept|included|there|is|are|was|were|a gan) as (~ )?baselines?|"
        "rerank*|for comparison|(in|as) (one|another|an earlier|the other) variant",
        "A [GAN] serves as the baseline.",
    ),
    Trigger(
        "aside",
        "two before",
        "baselines?",
        "Three [GAN] baselines were trained.",
    ),
    Trigger(
        "aside",
        "after",
        "whether|would (be|have been)|we compared|you (may|might) (expect|think)|the name "
        "(suggests|notwith*)|despite (its|the) name|in spite of (its|the) name|rumou?r*|"
        "(captions|captioned|labelled|described|rewritten|expanded|annotated|translated|"
        "(text|caption|prompt) embeddings?|(text|prompts?|captions?|conditions?|requests?|"
        "phonemes|instructions?) (is|are) (encoded|embedded)) (was |were |are |is "
        ")?(written |made |produced |generated |rewritten |encoded |all )?(by|of|from)|"
        "conditioned on (the |an? |its )?(output|features|embeddings?|states?|codes?) (of|"
        "from)|what (is|was) called|trained on (~ )?(outputs?|fakes?|samples) (of|from)|"
        "scores of",
        "Captions by a [language model].",
    ),
    Trigger(
        "aside",
        "line",
        "(text |caption |prompt |condition |speech )?encoders?:|condition*:|baselines?:|"
        "compar*:|metrics?:|evaluat*:|captions?:|training captions:|safety*:|(training "
        ")?data:|dataset:|filter*:|related*:|see also:|note on (the )?name:|(prompt "
        ")?(rewriter|expander|expansion):|reranker:|judge:|tokenizer:|licen[cs]e:",
        "Text encoder: frozen [language model], 4 GB",
    ),
    Trigger(
        "past",
        "line",
        "(replaces|previous*|predecessor|before|supersedes|was|history|old):",
        "Replaces: a [GAN] of 2019",
    ),
    Trigger(
        "planned",
        "line",
        "(planned|roadmap|next|to do|todo|future*|coming):",
        "Planned: [speculative decoding]",
    ),
    Trigger(
        "teacher",
        "line",
        "teachers?:",
        "Teacher: an [autoregressive] network",
    ),
    Trigger(
        "teacher",
        "near",
        "teachers?",
        "Distilled from an [autoregressive] teacher.",
    ),
    Trigger(
        "aside",
        "question",
        "",
        "Is this a [GAN]?",
    ),
)  # fmt: skip

NOTHING = re.compile(
    r"^(?:[-*•+] )?[^:.]{1,60}: (?:none (?:in|at|of|for)\b.*|none|no|off|n/a|false|never|not (?:used|needed|applicable|"
    r"available|required|included)|absent|removed|dropped|gone|retired|planned|"
    r"to follow|coming|0|-)(?=$|[ ]?[,;.(])"
)


def scopes(sentence: str) -> list[tuple[int, int, str]]:
    """Find the stretches of a sentence that are not said of the release.

    Args:
        sentence: in lower case.

    Returns:
        Start, end and polarity of each stretch.
    """
    shields, found = [], []
    for trigger in TRIGGERS:
        if trigger.reach == "key":
            if m := NOTHING.match(sentence):
                found.append((0, m.end(), trigger.polarity))
        elif trigger.reach == "question":
            if sentence.endswith("?"):
                found.append((0, len(sentence), trigger.polarity))
        elif trigger.reach == "shield":
            shields = [m.span() for m in compiled(trigger.pattern).finditer(sentence)]
        else:
            for m in compiled(trigger.pattern).finditer(sentence):
                if not any(a <= m.start() < b for a, b in shields):
                    found.append((*_reach(sentence, m.start(), m.end(), trigger.reach),
                                  trigger.polarity))  # fmt: skip
    return found


def polarity(sentence: str, start: int, end: int) -> str:
    """Say whether the phrase from start to end is asserted.

    Args:
        sentence: in lower case.
        start: of the phrase.
        end: one past its last character.

    Returns:
        One of `POLARITIES`.

    Example:
        >>> text = "unlike gans, our flow trains without a critic."
        >>> [polarity(text, text.index(w), text.index(w) + 3) for w in ("gans", "flow", "critic")]
        ['compared', 'asserted', 'negated']
    """
    return strongest(scopes(sentence), start, end)


def strongest(found: list[tuple[int, int, str]], start: int, end: int) -> str:
    """Return the strongest polarity of the scopes that hold the phrase.

    Args:
        found: what `scopes` returned.
        start: of the phrase.
        end: one past its last character.

    Returns:
        One of `POLARITIES`.
    """
    here = [p for a, b, p in found if a <= start < b]
    return min(here, key=POLARITIES.index, default=ASSERTED)


def _reach(text: str, start: int, end: int, reach: str) -> tuple[int, int]:
    clause = _clause(text, start, end)
    if reach == "onward":
        stop = ONWARD.search(text, end)
        return clause[0], stop.start() if stop else len(text)
    if reach == "stretch":
        stop = STRETCH.search(text, end)
        last = stop.start() if stop else len(text)
        return clause[0], min(last, _opening(text, end)) if CONTRAST.match(text) else last
    if reach == "far":
        stop = FAR.search(text, end)
        return start, stop.start() if stop else len(text)
    if reach == "after":
        return end, _forward(text, start, end)
    if reach == "comma":
        comma = text.find(", ", end)
        return end, min(_forward(text, end, end), comma if comma > 0 else len(text))
    if reach == "until from":
        source = re.compile(r" (?:from|of) ").search(text, end)
        return end, min(_forward(text, start, end), source.start() if source else len(text))
    if reach == "until to":
        to = TO.search(text, end)
        return end, min(_forward(text, start, end), to.start() if to else len(text))
    if reach == "before":
        return clause[0], start
    if reach == "before in line":
        key = re.compile(r"(?:[-*•+] )?(?:[^:]{1,40}: )?").match(text)
        return (key.end() if key and key.end() <= start else 0), start
    if reach == "word after":
        m = re.compile(r"[ -]\w+").match(text, end)
        return end, m.end() if m else end
    if reach == "word before":
        m = re.compile(r"\w+-$").search(text, max(0, start - 40), start)
        return (m.start() if m else start), start
    if reach == "two before":
        pair = re.compile(r"(?:[\w'-]+ ){1,2}$").search(text, max(0, start - 60), start)
        return (pair.start() if pair else start), start
    if reach == "near":
        before = re.compile(r"(?:(?!and |or )[\w'-]+ ){1,5}$").search(text, max(0, start - 60), start)
        return (before.start() if before else start), start
    if reach == "clause":
        return clause
    head = re.match(r"(?:[-*•+] )?", text)
    if reach == "line" and head and start > head.end():
        return start, start  # the key of a line stands at its beginning
    return (end, len(text)) if reach == "line" else (0, len(text))


def _forward(text: str, start: int, end: int) -> int:
    """Return where a scope ends that begins at `end`."""
    stop = STOP.search(text, end)
    last = stop.start() if stop else len(text)
    if start <= 2:  # an opening "Unlike GANs, our model ..." ends at a comma
        hard = re.compile(r"[;:()]").search(text, end)
        last = min(_opening(text, end), hard.start() if hard else len(text))
    words = re.compile(rf"(?:\s*\S+){{0,{WORDS}}}").match(text, end)
    return min(last, words.end() if words else last)


ITEM = re.compile(r", (?:which |who |(?:and |or )?[\w-]+(?: [\w-]+){0,2}(?:,| and | or ))")


def _opening(text: str, end: int) -> int:
    """Return where an opening phrase ends: the first comma that does not go on with a list."""
    comma = text.find(", ", end)
    own = re.compile(rf", (?:{OWN})\b")
    while comma > 0 and ITEM.match(text, comma) and not own.match(text, comma):
        after = text.find(", ", comma + 1)
        if after < 0:
            break
        comma = after
    return comma if comma > 0 else len(text)


def _clause(text: str, start: int, end: int) -> tuple[int, int]:
    before = [m.end() for m in CLAUSE.finditer(text, 0, start)]
    after = CLAUSE.search(text, end)
    return (before[-1] if before else 0), (after.start() if after else len(text))
