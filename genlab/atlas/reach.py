"""How far the sense of a trigger reaches: one small function for each kind of reach.

Lesson: notebooks/15_four_paradigm_landscape.ipynb
"""

import re
from collections.abc import Callable

OWN = "we|our|ours|it|its|the|this|these|they|a|an|one|each|there|no"
LIST_END = r"\w+(?:[ -][\w']+){0,2}(?:[,.;]|$)"  # "..., and diffusion models." goes on the list
VERBS = (
    "is|are|was|were|has|have|had|does|do|did|can|could|will|gives?|needs?|uses?|takes?|trains?|"
    "samples?|runs?|makes?|keeps?|draws?|turns?|maps?|decodes?|generates?|predicts?|produces?|"
    "denoises?|learns?|models?|adds?|enlarges?|follows?|restores?|brings?|yields?|works?|judges?"
)
STOP = re.compile(
    r"[;:()]| - |, (?!(?:in|of|for|by|with|from|at|on) which |whose )(?:but|so|while|whereas|"
    r"although|though|because|since|yet|instead|only"
    r"|it|its|we|our|this|that|these|they|then|with|using|where|when|if|at|in|on|as|thanks|not|"
    r"just|without|plus|together|along"
    r"|is|are|uses?|is|has|samples?|trained|making|giving|reaching|to|for|by|from|one|each"
    r"|makes?|gives?|allows?|enables?|lets?|permits?|provides?|offers?|yields?)\b"
    rf"|, and (?:nothing|no|it|we|the|none|all|there)\b|, and (?!{LIST_END})"
    r"| (?:but|because|although|though|since|so that|yet|while|whereas|until)\b"
    rf"| and (?:an?|the) (?=(?:[\w'-]+ ){{1,6}}?(?:{VERBS}) )"
    r"| and (?:is|are|has|have|uses?|can|it|its|runs?|trains?|samples?|then|so|we|gives?|"
    r"keeps?|needs?|reports?|starts?|draws?|shows?)\b"
)
TO = re.compile(r" (?:by|with|to|for|of|in favour of|-+>|→)[ ]")
CLAUSE = re.compile(r"[;:]|, (?!(?:and|or) )| (?:but|while|whereas|where|when|because) ")
STRETCH = re.compile(
    r"[;:()]|, (?:we|our|ours|this|it|now|but|while|whereas|the (?:new|current|present))\b| but "
    r"| and (?:now|the new|is|are)\b"
)
CONTRAST = re.compile(
    r"(?:[-*•+] )?(?:unlike|whereas|while|compared|instead|after|since|in contrast)\b"
)
PRONOUN = re.compile(r"(?:it|they|which|that|this|these|and|is|are|but|we|i)\b")
ONWARD = re.compile(r"[;()]| but ")
FAR = re.compile(r"[;:()]|, (?:we|our|ours|this|it|but|while|whereas)\b| but ")
COMMA, FROM = re.compile(", "), re.compile(r" (?:from|of|(?<!ed )by (?:\w+ing|an?|the|our)) ")
REPLACES = re.compile(r"\b(?:replac|swap|substitut|exchang|supersed)")
BY = re.compile(r" (?:by|with|for) (?:an?|our|the) ")
AND = re.compile(r",? and ")
KEY = re.compile(r"(?:[-*•+] )?(?:[^:]{1,40}: )?")
WORDS = 14  # no forward scope is longer

Span = tuple[int, int]


def reach_of(kind: str, text: str, start: int, end: int) -> Span:
    """Return the stretch of a sentence that a trigger reaches.

    Args:
        kind: a key of `REACHES`.
        text: the sentence, in lower case.
        start: of the trigger.
        end: one past its last character.

    Returns:
        Start and end of the stretch.

    Example:
        >>> reach_of("after", "without a critic, and the flow is exact", 0, 7)
        (7, 16)
    """
    return REACHES[kind](text, start, end)


def _until(stop: re.Pattern[str], text: str, end: int) -> int:
    m = stop.search(text, end)
    return m.start() if m else len(text)


def _stretch(text: str, start: int, end: int) -> Span:
    last = _until(STRETCH, text, end)
    if REPLACES.search(text):  # "it replaces the earlier model by ours"
        last = min(last, _until(BY, text, end))
    return _clause(text, start, end)[0], (
        min(last, _opening(text, end)) if CONTRAST.match(text) else last
    )


def _before(words: str) -> Callable[[str, int, int], Span]:
    pattern = re.compile(words + "$")

    def reach(text: str, start: int, end: int) -> Span:
        m = pattern.search(text, max(0, start - 60), start)
        return (m.start() if m else start), start

    return reach


RELATIVE = re.compile(r"\b(?:that|which)$")
NOUN = re.compile(r"\b(?:an?|the|our|its|with|by|plus|and|or|both|one|two) ")


def _before_all(text: str, start: int, end: int) -> Span:
    """Reach back to where the clause begins, or the noun of which a relative clause speaks."""
    begin = _clause(text, start, end)[0]
    if RELATIVE.search(text[:start].rstrip()):  # "and an extra head that is dropped"
        begin = max([begin, *(m.end() for m in NOUN.finditer(text, begin, start))])
    return begin, start


def _so_far(text: str, start: int, end: int) -> Span:
    """Reach back from a pronoun to where the sentence begins, from a relative one to its noun."""
    if re.match(r"(?:that|which)\b", text[start:]) and re.search(r"\w $", text[:start]):
        begin = _clause(text, start, end)[0]
        return max([begin, *(m.end() for m in NOUN.finditer(text, begin, start))]), start
    return (0 if PRONOUN.match(text, start) else _clause(text, start, end)[0]), start


def _in_line(text: str, start: int, end: int) -> Span:
    key = KEY.match(text)
    return (key.end() if key and key.end() <= start else 0), start


def _word_after(text: str, start: int, end: int) -> Span:
    m = re.compile(r"[ -]\w+(?: (?:wave ?net|transformer|decoder|llm|model|network)s?\b)?").match(
        text, end
    )
    return end, m.end() if m else end


def _line(text: str, start: int, end: int) -> Span:
    head = re.match(r"(?:[-*•+] )?", text)
    later = head is not None and start > head.end()  # the key of a line stands at its beginning
    return (start, start) if later else (end, len(text))


def _forward(text: str, start: int, end: int) -> int:
    """Return where a scope ends that begins at `end`; it goes on after what is in parentheses."""
    text = text[:end] + PARENTHESES.sub(lambda m: "_" * len(m.group()), text[end:])
    stop = STOP.search(text, end)
    last = stop.start() if stop else len(text)
    doing = DOING.search(text, end, last)
    if doing and not re.match(r" \w+ing\b", text[end:]):  # "without simulation, regressing a field"
        last = doing.start()
    if start <= 2 or text[start - 2 : start] in (": ", "; "):  # "Unlike GANs, our model ..."
        hard = re.compile(r"[;:()]").search(text, end)
        last = min(_opening(text, end), hard.start() if hard else len(text))
    words = re.compile(rf"(?:\s*\S+){{0,{WORDS}}}").match(text, end)
    last = min(last, words.end() if words else last)
    return _clause_on(text, last) if text[start:end].startswith("compar") else last


def _clause_on(text: str, end: int) -> int:
    """Return where a relative clause ends that goes on about what was named last."""
    clause = RELATIVE.match(text, end)
    return _until(FAR, text, clause.end()) if clause else end


RELATIVE = re.compile(r",? (?:in|of|for|by|with|to|on) which ")
DOING = re.compile(
    r", (?:\w+ing (?:the|an?|its|each|every|all|on|with|from|by|to)|(?:regress|predict|learn|match|"
    r"fitt|estimat|minimi[sz]|maximi[sz]|optimi[sz]|draw|generat|denois)ing)\b"
)
PARENTHESES = re.compile(r"\([^()]{0,80}\)")
ITEM = re.compile(r", (?:which |who |(?:and |or )?[\w-]+(?: [\w-]+){0,2}(?:,| and | or ))")


APPOSED = re.compile(  # "unlike X, an adversarial network, we ..."
    r", (?:an?|the) [^,;:]{1,70}(?=, (?!(?:which|that|whose|trained|with|and|or|but|built|based|"
    r"made|conditioned)\b)\w)"
)
MAIN = re.compile(
    r"(?<!that)(?<!which)(?<!as)(?<!what)(?<!than)(?<!where) (?:we|i) (?!have |had |did )\w+"
)


def _opening(text: str, end: int) -> int:
    """Return where an opening phrase ends: the first comma that does not go on with a list."""
    comma = text.find(", ", end)
    if main := MAIN.search(text, end, comma if comma > 0 else len(text)):
        return main.start()
    if aside := APPOSED.match(text, comma) if comma > 0 else None:
        return aside.end()
    own = re.compile(rf", (?:{OWN})\b")
    while comma > 0 and ITEM.match(text, comma) and not own.match(text, comma):
        after = text.find(", ", comma + 1)
        if after < 0:  # "No critic, flow or energy is trained."
            return len(text) if DENIES.match(text) else comma
        comma = after
    return comma if comma > 0 else len(text)


OBJECT = re.compile(r"\b(?:of|by|from|in|to|with|for) (?:the |all |many |most )?$")
NEXT = re.compile(r",? and (?:an?|the|its) (?=(?:[\w-]+ ){1,7}?(?!of |in |by |for |with )\w+s\b)")


def _far(text: str, start: int, end: int) -> int:
    """Return where a scope about others ends; what is in short parentheses does not end it.

    Where the others are only an object, "the bias of existing methods", a new subject ends it.
    """
    text = text[:end] + PARENTHESES.sub(lambda m: "_" * len(m.group()), text[end:])
    last = _until(FAR, text, end)
    return min(last, _until(NEXT, text, end)) if OBJECT.search(text[:start]) else last


DENIES = re.compile(r"(?:[-*•+] )?(?:no|neither|not|without)\b")
FRONT = re.compile(r"(?:in|unlike|while|whereas|where|compared|as|like|with|after|since|though)\b")


def _front(text: str, start: int, end: int) -> int:
    """Return where a phrase ends with which the sentence opens."""
    return _opening(text, end) if start < 40 and FRONT.match(text) else len(text)


def _clause(text: str, start: int, end: int) -> tuple[int, int]:
    before = [m.end() for m in CLAUSE.finditer(text, 0, start)]
    after = CLAUSE.search(text, end)
    return (before[-1] if before else 0), (after.start() if after else len(text))


REACHES: dict[str, Callable[[str, int, int], Span]] = {
    "after": lambda text, start, end: (end, _forward(text, start, end)),
    "comma": lambda text, start, end: (
        end, min(_forward(text, end, end), _until(COMMA, text, end))
    ),
    "until from": lambda text, start, end: (
        end, min(_forward(text, start, end), _until(FROM, text, end))
    ),
    "until and": lambda text, start, end: (end, _until(AND, text, end)),
    "until to": lambda text, start, end: (
        end, min(_forward(text, start, end), _until(TO, text, end))
    ),
    "far": lambda text, start, end: (start, min(_far(text, start, end), _front(text, start, end))),
    "so far": _so_far,
    "onward": lambda text, start, end: (_clause(text, start, end)[0], _until(ONWARD, text, end)),
    "stretch": _stretch,
    "before": _before_all,
    "before in line": _in_line,
    "word after": _word_after,
    "word before": _before(
        r"(?:(?:audio|image|video|speech|neural|text|language|latent|flow|score) )?\w+-"
    ),
    "two before": _before(r"(?:[\w'-]+ ){1,2}"),
    "near": _before(
        r"(?:(?!(?:and|or|what|that|which|while|whereas|than|but|whose|who|where|when) )[\w'-]+ )"
        r"{1,5}"
    ),
    "clause": lambda text, start, end: _clause(text, start, end),
    "line": _line,
    "sentence": lambda text, start, end: (0, len(text)),
}  # fmt: skip
