"""Whether the release's own name holds the word of a paradigm that its method has not.

Lesson: notebooks/15_four_paradigm_landscape.ipynb
"""

import re

from .draft import ADV, FLOW, LATENT, SCORE, Draft, Reason
from .findings import Finding
from .phrases import compiled
from .scope import scopes, strongest
from .text import Sentence, sentences

WORDS = {"gan": ADV, "flow": FLOW, "diffu": SCORE, "vae": LATENT, "score": SCORE, "energy": SCORE}
METHODS = compiled(
    "(style|w|vq|dc|big|cycle|info|pro|hi ?fi|c|ls|r|giga|ct|time|real ?esr|esr|medi|wave|mel|"
    "bigv|tab|patch|sketch|stack|attn|sa|gau|eg3d|seq|mol|info|sin|unit|auto|td|epi)? ?gans?(\\d)?|"
    "(vq|beta|nv|c|t|cd|iw|hv|dv|rq|tc|sc|mm|timet)? ?vaes?(\\d)?|diffusions?|"
    "flows?|(nf|real|normali[sz]ing)flows?|scores?|scored|scoring|energy|diffus(e|es|ed|ing)|"
    "workflows?|reflow(s|ed|ing)?|meanflows?|rectflows?|tensorflow|overflow|inflow|outflow|"
    "scoreless|began|organ*|elegan*|slogan*|"
    "propaganda|"
    "arrogan*|vegan*|gangs?|gigant*|michigan|hooligan*|extravagan*|brigan*|flower*|flowing|"
    "flowed|flown|pagan*|\\w*organ\\w*|stylegan\\w*|vqgan\\w*"
)
PART = re.compile(r"[a-z0-9]*(?:gan|flow|diffu|vae|score|energy)[a-z0-9]*(?:-[a-z0-9]+)*")
LISTED = re.compile(  # of several rivals
    r",? (?:and |or )?[\w+-]*(?:gan|vae|flow|diff\w*|score|energy)\b(?!-)"
)
OPENS = re.compile(
    r"(?:^(?:[-*•+] )?|(?:name|model|product|release|system|project|package|title): |"
    r"\b(?:introduc\w+|present\w*|propose\w*|call it|called|named|releas\w+|launch\w*|"
    r"meet|announc\w+|welcome|of|is) |"
    r"^(?:the|our|this|these) (?:[\w-]+ ){0,3}[\w-]+, )"
    r"(?:the |our |to )?$"
)
LED, WE = re.compile(r"(?:with|in|by|through) "), re.compile(r" (?:we|one|it)\b")
TITLED = re.compile(r" v?\d+\.\d|: an? | is an? ")  # "workflow 3.1", in small letters, is a name
TAILS = re.compile(
    r"(?:based|matching|network|model|function|driven|guided|free|style|like|type|predict|train|"
    r"inspired|augmented|to|lm|transformer|loss|distill|saving|in|conditioned|generated|refined|"
    r"decoder|prior|policy|steps?)"
)


def name_spans(text: str) -> list[tuple[int, int]]:
    """Return the places of own names such as VAE-Tab, which say nothing of the method.

    Args:
        text: that is read.

    Returns:
        Start and end of each.

    Example:
        >>> name_spans("VAE-Tab is a flow. It beats VAE-based models.")
        [(0, 7)]
    """
    return [
        sentence.span(*m.span())
        for sentence in sentences(text)
        for m in PART.finditer(sentence.text)
        if "-" in m.group() and not m.group().endswith(("-gan", "-vae", "-flow"))
        if _is_name(sentence, m, speaks=False)
    ]


def misleading(draft: Draft, text: str) -> list[Reason]:
    """Return why the name misleads; empty where it does not.

    Args:
        draft: with its components.
        text: that was read.

    Returns:
        The phrases that hold the name, or that speak of it.
    """
    known = bool(draft.paradigms or draft.flags & {"not-generative", "outside-map"})
    speaks = draft.said("flag", "misleading-name") + [
        f for f in draft.findings if f.rule.says == "flag: misleading-name"
    ]
    reasons: list[Reason] = []
    for n, sentence in enumerate(sentences(text)):
        around = scopes(sentence.text)
        for m in PART.finditer(sentence.text):
            own = (n < 2 or m.start() > 0) and strongest(around, m.start(), m.end()) in (
                "asserted",
                "aside",
                "mention",
            )
            start, end = sentence.span(m.start(), m.end())
            common = text[start:end].isalpha() and text[start:end].islower()
            if common and not (n == 0 and m.start() == 0 and TITLED.match(sentence.text, m.end())):
                continue  # a common word, such as "ligand"
            if own and _is_name(sentence, m, bool(speaks)) and known and _wrong(draft, m.group()):
                reasons.append(f"the name {text[start:end]}")
    if not reasons and speaks and known:
        reasons = [*_words(draft, text, speaks)]
    return reasons


def _is_name(sentence: Sentence, m: re.Match[str], speaks: bool) -> bool:
    """Say whether a word is a name of the release, rather than of a method."""
    head, _, tail = m.group().partition("-")
    known = METHODS.fullmatch(head) and (not tail or TAILS.match(tail))
    if METHODS.fullmatch(m.group()) or known:
        return False
    if LISTED.match(sentence.text, m.end()):
        return False
    before = sentence.text[max(0, m.start() - 30) : m.start()]
    led = LED.fullmatch(before) and WE.match(sentence.text, m.end())
    return bool(OPENS.search(before) or led) or speaks


def _wrong(draft: Draft, name: str) -> bool:
    """Say whether the method has not what the name says."""
    for word, paradigm in WORDS.items():
        fits = paradigm in draft.paradigms and (word != "energy" or "energy" in draft.objective)
        if word not in name or fits:
            continue
        if word == "flow" and "flow-matching" in draft.objective:
            continue
        return True
    return False


def _words(draft: Draft, text: str, speaks: list[Finding]) -> list[Reason]:
    """Return the remarks on the name, where it is of several words, such as Energy Garden."""
    low = text.lower()
    for word, paradigm in WORDS.items():
        fits = paradigm in draft.paradigms or (
            word == "flow" and "flow-matching" in draft.objective
        )
        if re.search(rf"\b\w*{word}", low) and not fits:
            return [*speaks]
    return []
