"""What a release is, by the head noun of the sentence that names it: does it draw samples?

Lesson: notebooks/15_four_paradigm_landscape.ipynb
"""

import re

from .role_table import Role
from .text import Sentence

PRESENTS = Role(
    "naming",
    "how a sentence begins that names the release",
    "((in this (paper|work|report|article)|here|today) )?we (present|introduce|release|describe|"
    "propose|publish|build|open|share|contribute|train|collect|are (releasing|opening|"
    "publishing))|(this|the) (repository|repo|package|release|project|library|page|card|model|"
    "paper|work) (is|contains|holds|provides|presents|introduces|describes|ships)|this is|"
    "introducing|meet|announcing|presenting",
    "[We present] a detector.",
)
JUDGES = Role(
    "what draws nothing",
    "a release that is called so, by its head noun, draws no samples",
    "(~ )?(embedd?ings?( models?| family)?|(?<!auto )(?<!text to )encoders?|retrievers?|"
    "rerankers?|classifiers?|detectors?|segmenters?|(optical flow|depth|pose|motion)( "
    "estimators?| models?| networks?)?|force ?fields?|(interatomic )?potentials?|metrics?|benchmarks?|data ?sets?|corpus|corpora|survey|"
    "questionnaire|(user|listening|perceptual) study|probes?|sparse auto ?encoders?|"
    "dictionaries|(reward|preference|detection|segmentation|recognition|classification|"
    "retrieval|embedding|ranking|guard|moderation) models?|(inference|serving|training) (engine|"
    "librar(y|ies)|runtime|stack|framework)|tokeni[sz](er|ation) librar(y|ies)|taxonomy|"
    "leaderboard|test (suite|set)|attack|watermark(ing)?( scheme| method)?)",
    "[a detector]",
)
PURPOSE = Role(
    "purpose",
    "a model for such a purpose draws nothing either",
    "(for|of) (representations?|embedd?ings?|retrieval|classification|detection|segmentation|"
    "(sequence |token )?labell?ing|feature extraction|reranking|moderation)",
    "A language model [for retrieval].",
)
PAINTS = Role(
    "what makes something",
    "a release that is called so makes pictures or the like",
    "(~ )?(illustration|image|picture|video|music|speech|voice|sound|audio|text to \\w+|drawing|"
    "song|film|3d) (models?|generators?|engines?|makers?)",
    "[an image model]",
)
KINDS = (PRESENTS, JUDGES, PURPOSE, PAINTS)
# "Ampere is a ..."
COPULA = re.compile(r"[\w.'+-]+(?: [\w.'+-]+)? (?:is|are) (?=(?:an?|our|the) )")
TITLE = re.compile(  # "Ampere 2: a ...", but not the key of a line
    r"(?!(?:architecture|prior|decoder|encoder|objective|model|backbone|type|task|input|output)"
    r"s?:)(?:release )?[\w.'+-]+(?: [\w.'()-]+){0,2}: (?!\w+,)"
)
APPOSED = re.compile(r" [\w.'+-]+(?: [\w.'+-]+)?, (?=(?:an?|the|our) )")  # "We open Ampere, a ..."
LISTED = re.compile(r", (?:an?|the) ")  # "An encoder, a prior and ..." is a list of parts
CUT = re.compile(
    r"[,;:.(]| (?:for|that|which|of|to|in|with|on|from|by|over|trained|built|based|whose|where|"
    r"using|and|at|via|pre-?trained|fine-?tuned)\b|$"
)
FINITE = re.compile(  # what is said about something, not what something is called
    r"\b(?:is|are|was|were|has|have|had|can|form|we|our|us|it|they|do|does|there|\w+(?<!s)(?<!u)s "
    r"(?:the|an?|its|each|every|one|from|between|to|\d+)|learn|turn|play|capture|carry|contain|"
    r"make|give|need|mean|how|what|why)\b"
)
FIRST = 3  # sentences, among which a naming one is looked for; the first may be a bare title
BARE = 6  # words: a shorter first sentence without a comma is a title


def named(sentences: list[Sentence]) -> tuple[str, bool] | None:
    """Find what the release calls itself, and whether such a thing draws samples.

    Args:
        sentences: of the text, in order.

    Returns:
        The noun phrase, and False for an encoder, a detector, a metric, data, True for a picture
        model and the like; None where the head noun leaves it open.

    Example:
        >>> from genlab.atlas.text import sentences
        >>> [named(sentences(t)) for t in ("We present a detector of GAN images.", "A GAN.")]
        [('a detector', False), None]
    """
    titled = True
    for sentence in sentences[:FIRST]:
        text = sentence.text.lstrip("-*•+ ")
        slogan = text.find(": ") + 2  # "Serve any model: Ampere is an engine"
        opens = PRESENTS.finds.match(text) or COPULA.match(text) or COPULA.match(text, slogan)
        plain = not FINITE.search(text)
        fragment = titled and plain and not opens
        titled = titled and plain and ":" not in text and len(text.split()) <= BARE
        if (opens or fragment) and (what := _what(text, opens, fragment=fragment)):
            return what
    return None


def _what(text: str, opens: re.Match[str] | None, *, fragment: bool) -> tuple[str, bool] | None:
    """Return the noun phrase with which a naming sentence goes on, if it says enough."""
    title = opens or TITLE.match(text)
    begin = title.end() if title else 0
    if opens and (name := APPOSED.match(text, begin)):
        begin = name.end()
    cut = CUT.search(text, begin + 1)
    end = cut.start() if cut else len(text)
    noun, after = text[begin:end].strip(), text[end:].lstrip()
    part = fragment and (LISTED.match(text, end) or after.startswith(("trained", ":")))
    if not part and (_judges(noun) or PURPOSE.finds.match(after)):
        return noun, False
    return (noun, True) if PAINTS.finds.fullmatch(noun) else None


def _judges(noun: str) -> bool:
    """Say whether a noun phrase ends with a thing that draws nothing."""
    words = noun.split()
    tails = (" ".join(words[-k:]) for k in (1, 2, 3) if k <= len(words))
    return "generative" not in words and any(JUDGES.finds.fullmatch(tail) for tail in tails)
