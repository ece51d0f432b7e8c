r"""The small language in which the reader's rules are written, and the rule itself.

A pattern is a list of phrases, separated by `|`, in lower case. In it

    a space   is a space or a hyphen            *      is the rest of a word
    ~, (~ )?  are up to four words between      {name} is a list of words of `LISTS`
    [sz] ?    are those of regular expressions  (a|b)  is a choice
    a && b    wants both in one sentence, however far apart; the phrase is a

so that `predict* ~ next {piece}` finds "predicts each time the next token". Every quantifier is
bounded but the rest of a word, so no text takes more than linear time.

Lesson: notebooks/15_four_paradigm_landscape.ipynb
"""

import re
from dataclasses import dataclass, field
from functools import cache

PIECE = (
    "tokens?|words?|characters?|letters?|pixels?|frames?|notes?|events?|residues?|bases?|bytes?|"
    "symbols?|samples?|patch(?:es)?|codes?|chunks?|blocks?|pieces?|elements?|coordinates?|bars?|"
    "nucleotides?|actions?|syllables?|lines?|strokes?|atoms?|nodes?|indices|index|scales?|items?|"
    "amino acids?|phonemes?|segments?|columns?|cells?|dimensions?|variables?|vertices|moves?|"
    "steps?|values?"
)
SMALL = (
    "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
    "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
NUMBERS = {word: n for n, word in enumerate(SMALL, 1)} | {
    "a single": 1, "single": 1, "twenty": 20, "twenty-four": 24, "twenty-five": 25, "thirty": 30,
    "forty": 40, "fifty": 50, "sixty": 60, "eighty": 80, "hundred": 100, "a hundred": 100,
    "hundreds": 200, "two hundred": 200, "a thousand": 1000, "thousand": 1000, "thousands": 2000,
    **{f"{w} hundred": 100 * k for k, w in enumerate(SMALL[:9], 1)},
    "tens": 30, "a few hundred": 300, "dozens": 36, "a dozen": 12, "twenty-eight": 28,
}  # fmt: skip
LISTS = {
    "piece": PIECE,
    "n": r"\d[\d,]*|" + "|".join(sorted(NUMBERS, key=len, reverse=True)),
    "several": "two|three|four|five|six|eight|sixteen|several|multiple|many|a few|a handful of|all",
    "step": "steps?|passes|iterations?|evaluations?|calls|updates|rounds|sweeps|jumps",
}
TURNS = (
    r"(?!(?:no|not|nor|neither|never|without|than|unlike|those|instead|rather|but|nothing|such|"
    r"which|who|while|whereas|because)\b)"
)
GAP = (
    rf"(?:[ -]{TURNS}[\w,'%/()]+){{0,4}}?[ -]"  # no phrase reaches over a word that turns the sense
)
WITHIN = rf"(?:{TURNS}[\w,'%/()]+[ -]){{0,4}}?"


@cache
def compiled(pattern: str, *, commas: bool = False) -> re.Pattern[str]:
    """Translate a pattern of the rules into a regular expression.

    Args:
        pattern: as the module's docstring says.
        commas: whether a space may also be a comma and a space, as it may in the rules.

    Returns:
        The expression; it looks for whole words in a text in lower case.

    Raises:
        ValueError: a list that does not exist.

    Example:
        >>> compiled("predict* ~ next {piece}").search("it predicts the very next token").group()
        'predicts the very next token'
    """
    text = " ".join(pattern.split()).replace("(~ )?", "\0")
    text = re.sub(r"\((?!\?)", "(?:", text).replace(" ~ ", GAP)
    text = re.sub(r"(?<![\])])\*", r"\\w*", text.replace("[sz]*", "[sz]\\w*"))
    text = re.sub(r"(?<!\[)(?<!\[ -)(?<!-) (?!-\])", ",?[ -]" if commas else "[ -]", text)
    for name in re.findall(r"\{([a-z]+)\}", text):
        if name not in LISTS:
            raise ValueError(f"no list is named {name!r}; there are: {', '.join(LISTS)}")
    text = re.sub(r"\{([a-z]+)\}", lambda m: f"(?:{LISTS[m[1]]})", text)
    text = text.replace("\0", WITHIN)
    text = re.sub(r"\(\?<!.*?\)", lambda m: m.group().replace(",?", ""), text)
    return re.compile(rf"(?<!\w)(?:{text})(?!\w)")


def number(text: str) -> int:
    """Read a number, in digits or in words.

    Args:
        text: such as "1,000", "four" or "a single".

    Returns:
        The number.

    Example:
        >>> number("1,000"), number("a single")
        (1000, 1)
    """
    digits = text.replace(",", "")
    return int(digits) if digits.isdigit() else NUMBERS[text]


@dataclass(frozen=True)
class Rule:
    """One row of the table: a pattern, and what it says where it is found."""

    says: str  # paradigm: ..., objective: ..., flag: ..., sign: ..., likelihood: ...
    pattern: str
    lesson: int  # that derives it
    example: str  # a sentence in which the rule fires; also a test
    unless: str = field(default="", kw_only=True)  # words near by that take its sense away
    hint: bool = field(default=False, kw_only=True)  # counts only where nothing plainer is said
