"""Which sentences speak of results, of the field or of use, rather than of how the release works.

What is named there is only a *mention*: it counts where the rest of the text names no component.
What such a sentence says of the release itself ("our flow", "it is a GAN") is left out of it.

Lesson: notebooks/15_four_paradigm_landscape.ipynb
"""

import re
from dataclasses import dataclass
from functools import lru_cache

from .phrases import compiled

MENTION = "mention"


@dataclass(frozen=True)
class Role:
    """A kind of sentence that does not describe the method, and how it is recognised."""

    name: str
    pattern: str
    example: str  # the phrase in [ ] is only mentioned


ROLES = (
    Role(
        "result",
        "(far |much |slightly |clearly |about |roughly )?(better|worse|faster|slower|sharper|"
        "smoother|crisper|cheaper|closer|larger|shorter|longer|stronger|weaker|richer|broader|"
        "higher|lower|smaller|fewer|blurrier|nearer|finer|more \\w+) (~ )?(than|that of|those of)|"
        "prefer(s|red)?|wins?|won|loses? (to|against)|ties? with|on par|trail(s|ed|ing)?|lag(s|"
        "ged|"
        "ging)?|agree(s|d)? (better |well |closely )?with|leads?|led|lead over|"
        "better|worse|superior|inferior|nicer|similar|rated|ranked|readily|sharper|"
        "slower|faster|for comparison|alike|leaves? ~ behind|"
        "(drops?|dropped|falls?|fell|rises?|rose|improves?|improved|halves|halved) (~ )?from|"
        "twice (as|the|that)|thrice|times (the|as|that|those)|(reach|attain|achiev|obtain|get|"
        "score)(e?s|e?d)? "
        "(~ )?(fid|"
        "fvd|fad|mos|bleu|auc|auroc|elo|\\d+)",
        "A [GAN] of equal size reaches an FID of 9.",
    ),
    Role(
        "field",
        "^(most|many|much|existing|current|recent|prior|previous|earlier|today's|modern|"
        "popular|typical|usual|conventional|traditional|classical|standard) (~ )?(models|"
        "networks|methods|"
        "gans|vaes|flows|systems|approaches|work|generators|samplers|policies|autoencoders|"
        "techniques)|"
        "^(?!(our|we|these|this|its|the|both|two|three|four|five|several|each|every|one|all|"
        "samples|an?|in|for|with|here)\\b)([\\w']+ ){0,6}?(models|networks|"
        "policies|methods|approaches|systems|gans|vaes|flows|lms|llms|autoencoders|diffusions|"
        "samplers|generators|decoders|vocoders|simulators) (over [\\w ]+ )?(?!(for|of|in|with|on|"
        "from|by|and|or|at|to)\\b|are \\w+ed\\b)\\w+|"
        "^((\\w+ )?diffusion|(\\w+ )?flow matching|adversarial (training|learning)|maximum "
        "likelihood|"
        "(autoregressive|speculative) (decoding|modell?ing|generation)|score matching|rectified "
        "flow) "
        "(\\w{2,}s|has|cannot|must|can) ",
        "Popular [GANs] miss modes.",
    ),
)  # fmt: skip
METHOD = compiled(  # words with which a sentence says how something is made
    "train*|fine ?tun*|learn*|work(s|ing) (on|in)|operat*|consist*|compos*|compress*|"
    "condition(ed|s)|"
    "adds?|added|uses?|using|built|build|based on|architecture|loss|objective|regress*|predict*|"
    "decod(es?|er|ed)|encod(es?|er|ed)|denoises?|combin*|distill*|propos*|introduc*|present*|"
    "integrat*"
)
FAMILY = (  # nouns that in the plural, without an article or a number, mean everybody's
    "models|networks|nets|systems|methods|approaches|policies|gans|vaes|flows|lms|llms|vocoders|"
    "samplers|"
    "autoencoders|generators|baselines|diffusions|techniques|families|engines|(?<=adversarial "
    ")ones|(?<=autoregressive )ones|(?<=based )ones|rnns|"
    "processes|priors|planners|agents|pipelines|simulators|synthesi[sz]ers|upscalers|solvers|"
    "assistants|translators|predictors|restorers|avatars|codecs|"
    "based \\w+s"
)
PLURAL = re.compile(
    rf"(?:[\w+']*(?:[ -](?:and |or )?[\w'+]+){{0,4}}?[ -](?:{FAMILY})|"
    rf"(?:{FAMILY}))\b"
    r"(?! (?:the|an?|its|each|every|this|these|our|which tokens)\b)"
)
THEIRS = re.compile(
    r"(?:\w+(?:gan|vae|rnn|nvp)s?[-+\d]*|pixel ?cnn[+]*|wavenet|glow|maskgit|"
    r"muse|llada|sedd|mdlm|imagen|parti|sdxl|flux|d3pm)(?!\w)"
)
COUNTED = re.compile(
    r"(?:\b(?:we|our|ours|its|it|these|both|two|three|four|the|this|here|is|are|propose\w*|"
    r"release\w*|introduc\w+|"
    r"present\w*|stack\w*|suite of|family of|small|open)[ -](?:(?!(?:of|to|than|from|over|by|"
    r"with|for|as|on|though|while|but|and)[ ])[\w'/.]+[ -]){0,4}?|(?:: |^[-*•+] )(?:[\w.-]+ )?|"
    r"\b(?:improv\w*|accelerat\w*|extend\w*|scal\w*|fine-?tun\w*|distil(?:s|l|led|ling)?|train\w*|"
    r"revisit\w*|stud(?:y|ies)|remov\w*|speed\w* up)[ -](?:(?!(?:to|than|from|over|by|with|for|"
    r"as|on)[ ])[\w'/.]+[ -]){0,6}?|\b(?:augmented|enriched|built|modelled|generated|written|"
    r"drawn|trained|combined|"
    r"using|via|made) (?:by |with |from )?)$"
)
SEVERAL = re.compile(
    r"\b(?:several|many|most|all|other|various|earlier|existing|\d{2,}(?= ))[ -](?:[\w']+[ "
    r"-]){0,3}$"
)
ARTICLE = re.compile(
    r"(?:\b(?:an?|our|the|this|its|own|conditional|based on|from|with|of|on)[ "
    r"-](?:[\w'/.]+[ -]){0,2}?|^|: |"
    r"(?:lora|adapter|controlnet|checkpoint|fine-?tune|tuned|weight|merge|derivative|version|"
    r"distilled)s?\b[^.;,]{0,30} (?:for|of|from|on|upon|with) |"
    r"(?:\b(?:is|are|was|uses?|using|runs?|takes?|apply|adopts?|trains?|trained|fine-tuned?)|"
    r"[+=&/(]) ?|"
    r"\b(?:tokeni[sz]|encod|compress|quanti[sz]|decod|draw|generat|model|sampl|render|predict|"
    r"synthesi[sz])\w* (?:by|with|through) (?:vit-)?)$"
)
SECTIONS = compiled(  # headings and keys under which the method is not described
    "results?|evaluations?|quality|performance|benchmarks?|metrics?|measured|numbers|scores?|"
    "limits|limitations?|"
    "known (problems|issues|limits|limitations|weaknesses)|safety|licen[cs]e|ethics|bias*|risks?|"
    "intended use*|uses?|out of scope|not for|related( work)?|comparison*|citation|acknowledg*|"
    "data|"
    "training data|dataset|speed|reception|caveats?|compared"
)
BARE = compiled(  # names of families
    "((conditional|latent|variational|deep|masked|text|image|pixel|small|plain) )?(gans?|"
    "\\w*gans?|\\w*vaes?|"
    "(variational )?auto ?encoders?|diffusions?|flows?|normali[sz]ing flows?|autoregressi\\w*|"
    "adversarial|"
    "(\\w+ )?language models?|llms?|lms?|potts|gibbs( sampling)?|energy (based|models?)|score "
    "(based|matching)|"
    "pixel ?cnns?|wave ?nets?|gpts?( \\d)?|stylegans?\\d?|boltzmann machines?|"
    "latent diffusion|masked (token |diffusion |language )?models?|flow matching|consistency "
    "models?)"
)
OWN = re.compile(
    r"(?<![\w-])(?:(?:we|our|ours|this|its|it|i|here|ourselves)(?![\w-])|"
    r"(?:is|are|was|were|as) (?:an? |the )(?!\w+ baseline)|^(?:the|this) |(?<=, )the )"
)
STOP = re.compile(
    r"[;:()]|, | (?:than|against|over|versus|vs|to (?:those|that)|with (?:those|that|an?)|by "
    r"(?:an?|the)|"
    r"but|while|whereas|and (?:an?|the)) "
)


def _predicate(sentence: str, end: int) -> bool:
    """Say whether an adjective ends the clause, as in "all autoregressive"."""
    return sentence[:end].endswith("autoregressive") and not re.match(r"[ -]\w", sentence[end:])


def generic(sentence: str, start: int, end: int) -> bool:
    """Say whether a phrase names a whole family, or somebody's well-known model, in passing.

    Args:
        sentence: in lower case.
        start: of the phrase.
        end: one past its last character.

    Returns:
        True for a bare plural ("GANs", "diffusion models") and a bare name ("CTGAN").

    Example:
        >>> [generic(t, t.index("gan"), len(t)) for t in ("rows from gans", "we train gans")]
        [True, False]
    """
    before = sentence[max(0, start - 60) : start]
    bare = BARE.fullmatch(sentence[start:end].replace("-", " "))
    if bare and SEVERAL.search(before) and not _predicate(sentence, end):
        return True
    if (m := PLURAL.match(sentence, start)) and m.end() <= end + 40:
        return not COUNTED.search(before)
    theirs = THEIRS.match(sentence, start)
    kind = theirs and re.match(
        r"[ -](?:type|style|like|based|inspired|trained)\b", sentence[theirs.end() :]
    )
    return bool(theirs) and not kind and not ARTICLE.search(before)


@lru_cache(maxsize=64)
def mentions(sentence: str, *, bare: bool = False) -> list[tuple[int, int]]:
    """Find the stretches of a sentence in which components are only mentioned.

    Args:
        sentence: in lower case.
        bare: for phrases that name a family and say nothing of how it works; these are mentions
            even beside words of the method.

    Returns:
        Start and end of each; empty where the sentence describes the method.

    Example:
        >>> mentions("a gan wins.")
        [(0, 11)]
    """
    method = not bare and METHOD.search(sentence)
    if method or not any(compiled(role.pattern).search(sentence) for role in ROLES):
        return []
    found, last = [], 0
    for m in OWN.finditer(sentence):
        if m.start() < last:
            continue
        found.append((last, m.start()))
        stop = STOP.search(sentence, m.end())
        last = stop.start() if stop else len(sentence)
    return [*found, (last, len(sentence))]


BUILDS = compiled(  # verbs and links by which a sentence gives a part its place in the release
    "(is|are) (~ )?(trained|used|fitted|applied|followed|added|conditioned|learned|optimi[sz]ed)|"
    "these|our|ours|we|"
    "its|resulting|then|turns?|maps?|decodes?|denoises?|generates?|predicts?|writes?|draws?|"
    "models the|"
    "models their|(tokens|codes|latents|vectors|pieces) come|over (the )?(codes|tokens|latents)|"
    "from an?|paints?|runs|follows|produces|converts?|completes?|compress*|samples? (~ )?(codes?|"
    "latents?|tokens?)"
)
LINE = re.compile(r"(?:[-*•+] |[\w /()-]{1,40}: )")
LONER = re.compile(r"(?:[-*•+] )?(?:an?|another|one) (?:[\w'/.]+[ -]){0,4}?$")


@lru_cache(maxsize=64)
def _builds(sentence: str) -> bool:
    """Say whether a sentence builds something, or is the line of a list."""
    return bool(BUILDS.search(sentence) or LINE.match(sentence))


def loner(sentence: str, start: int, end: int) -> bool:
    """Say whether a family is the indefinite subject of a sentence that builds nothing with it.

    Args:
        sentence: in lower case.
        start: of the phrase.
        end: one past its last character.

    Returns:
        True for "A GAN was unstable", where the rest of the text speaks of another family.

    Example:
        >>> loner("a gan was unstable.", 2, 5), loner("a gan draws its codes.", 2, 5)
        (True, False)
    """
    named = LONER.match(sentence[:start]) or BARE.fullmatch(sentence[start:end].replace("-", " "))
    return bool(named) and not _builds(sentence)


def passing(sentence: str, start: int, end: int) -> bool:
    """Say whether a phrase names a family only in passing.

    Args:
        sentence: in lower case.
        start: of the phrase.
        end: one past its last character.

    Returns:
        True for a bare plural, a bare name, and the bare name of a family beside a result.

    Example:
        >>> text = "the codes are better than a gan makes them, and are trained once."
        >>> passing(text, text.index("gan"), text.index("gan") + 3)
        True
    """
    if generic(sentence, start, end):
        return True
    named = BARE.fullmatch(sentence[start:end].replace("-", " "))
    return bool(named) and any(a <= start < b for a, b in mentions(sentence, bare=True))
