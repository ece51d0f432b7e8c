"""What the reader accepts as a text, and how it cuts one into sentences.

Lesson: notebooks/15_four_paradigm_landscape.ipynb
"""

import re
import unicodedata
from dataclasses import dataclass, replace

LONGEST = 100_000  # characters: twenty pages
LONGEST_SENTENCE = 1_500  # longer ones are cut, so that reading takes time linear in the text
ODD = ("Cc", "Cn", "Co", "Cs")  # Unicode categories: control, unassigned, private, surrogate
FOREIGN = {
    "German": "der die das und ist nicht mit ein eine von wird werden auf für dem den im zu",
    "French": "le la les des est une dans pour avec qui sur par pas du et au nous",
    "Spanish": "el los las una es con para por que del se su y como más un",
    "Italian": "il lo gli una è con per che della di non nel sono più e",
    "Portuguese": "o os uma é com para por que não do da em um mais as e",
    "Dutch": "de het een van is niet met voor op wordt en dat zijn ook",
    "Polish": "i w nie jest na się z do że oraz przez dla",
    "Swedish": "och att det som en på är av för med den till inte",
}
ENGLISH = (
    "the of and to in is that for with as by on from an are this it be or at not we our one each "
    "model models trained training sampling steps step no data network"
)


class UnreadableError(ValueError):
    """The input is no text that the reader can read; the message says why and what to try."""


@dataclass(frozen=True)
class Sentence:
    """A sentence, or one line of a list, in lower case and with single spaces."""

    text: str
    origin: tuple[int, ...]  # of each character: its place in the input
    section: str = ""  # the heading, or the key of the item, under which it stands

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Return the place of a phrase in the input.

        Args:
            start: of the phrase in this sentence.
            end: one past its last character.

        Returns:
            The same two ends in the text that was read.
        """
        return self.origin[start], self.origin[end - 1] + 1


def decoded(raw: bytes) -> str:
    """Turn bytes into a text.

    Args:
        raw: the content of a file.

    Returns:
        The text.

    Raises:
        UnreadableError: it is binary, or not UTF-8.
    """
    if b"\0" in raw[:100_000]:
        raise UnreadableError(
            "this is binary, not text: it holds a zero byte. Try the text of the release; out of "
            "a PDF, copy the abstract or use pdftotext"
        )
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnreadableError(
            f"this is not UTF-8: byte {error.start} is 0x{raw[error.start]:02x}. If it is text in "
            "an older encoding, try: iconv -f latin1 -t utf-8 FILE | genlab read -"
        ) from None


def checked(text: str) -> str:
    """Return the text if it can be read.

    Args:
        text: anything.

    Returns:
        The same text.

    Raises:
        UnreadableError: it is empty, too long, binary or not in English.
    """
    if not text.strip():
        raise UnreadableError("there is no text. Try a paragraph that says how the model works")
    if len(text) > LONGEST:
        raise UnreadableError(
            f"{len(text):,} characters are too many, the reader takes {LONGEST:,}. "
            "Try the abstract, or the section about the method"
        )
    odd = sum(
        unicodedata.category(c) in ("Cc", "Cn", "Co", "Cs") and c not in "\n\r\t" for c in text
    )
    if odd > 0.02 * len(text):
        raise UnreadableError("this looks binary: it is full of control characters. Try plain text")
    if language := _foreign(text):
        raise UnreadableError(
            f"this looks like {language}, and the rules are written for English. Try a translation"
        )
    return text


def _foreign(text: str) -> str | None:
    letters = [c for c in text[:20_000] if c.isalpha()]
    if not letters:
        raise UnreadableError("there are no words in it. Try a paragraph about how the model works")
    strange = [c for c in letters if not unicodedata.name(c, "?").startswith("LATIN")]
    if len(strange) > 0.3 * len(letters):
        script = unicodedata.name(strange[0], "an unknown script").split()[0].split("-")[0]
        return "Chinese or Japanese" if script == "CJK" else script.capitalize() + " script"
    words = re.findall(r"\w+", text[:20_000].lower())
    known = set(ENGLISH.split())
    english = sum(word in known for word in words)
    counts = {name: sum(w in set(some.split()) for w in words) for name, some in FOREIGN.items()}
    name = max(counts, key=lambda n: counts[n])
    many = counts[name] >= max(4, 0.12 * len(words))
    return name if many and counts[name] > 2 * english else None


RAGGED = 12  # characters by which lines that are wrapped by hand may fall short
TITLE = 8  # words: a longer line that ends early was only wrapped by hand
KEY = re.compile(r"[ \t]*\**[\w][\w /(),'-]{0,40}:\**(?:[ \t]|$)")
BOLD = re.compile(r"[ \t]*(?:\*\*|__)\w[^*_\n]{0,40}(?:[.:](?:\*\*|__)|(?:\*\*|__):)")
HEADING = re.compile(r"\s*#")
ITEM = re.compile(
    r"\s*(?:[-+•*] )?(?:[*_]{0,2}([A-Za-z][\w /(),'&-]{0,40}):|"
    r"[*_]{1,2}([A-Za-z][\w ]{0,30})\.[*_])"
)
BULLET = re.compile(r"[ \t]*(?:[-*•+|]|\d{1,2}[.)])[ \t]")
END = re.compile(r"[.!?](?=[ )]|$)")
ABBREVIATION = re.compile(r"(?:\be\.g|\bi\.e|\bvs|\bcf|\bfig|\bapprox|\betc)\.$")


def sentences(text: str) -> list[Sentence]:
    r"""Cut a text into sentences; in a list, every item is one.

    Args:
        text: that passed `checked`.

    Returns:
        The sentences in order, in lower case, white space as one space.

    Example:
        >>> [s.text for s in sentences("One\npass. No loss:\n- none")]
        ['one pass.', 'no loss:', '- none']
    """
    found, heading = [], ""
    for start, end in _blocks(text):
        whole = _plain(text, start, end)
        heading = whole.text.strip() if HEADING.match(text, start) else heading
        item = ITEM.match(text, start, end)
        whole = replace(whole, section=(item[1] or item[2]).lower() if item else heading)
        begin = 0
        for stop in END.finditer(whole.text):
            if not ABBREVIATION.search(whole.text[max(0, stop.end() - 8) : stop.end()]):
                found.append(_part(whole, begin, stop.end()))
                begin = stop.end()
        found.append(_part(whole, begin, len(whole.text)))
    return [piece for s in found if s.text for piece in _cut(s)]


def _cut(long: Sentence) -> list[Sentence]:
    cuts = range(0, len(long.text), LONGEST_SENTENCE)
    pieces = [_part(long, k, min(k + LONGEST_SENTENCE, len(long.text))) for k in cuts]
    return [piece for piece in pieces if piece.text]


def _part(whole: Sentence, start: int, end: int) -> Sentence:
    while start < end and whole.text[start] == " ":
        start += 1
    while start < end and whole.text[end - 1] == " ":
        end -= 1
    return Sentence(whole.text[start:end], whole.origin[start:end], whole.section)


def _blocks(text: str) -> list[tuple[int, int]]:
    """Return the ends of paragraphs, of headings, and of the items where the text is a list."""
    lines, position = [], 0
    for line in text.splitlines(keepends=True):
        lines.append((position, line))
        position += len(line)
    listed = sum(bool(KEY.match(line)) for _, line in lines) >= 3
    width = max((len(line.rstrip()) for _, line in lines), default=0)
    cuts = [0]
    for n, (position, line) in enumerate(lines[1:], 1):
        before = lines[n - 1][1]
        new = BULLET.match(line) or not line.strip() or not before.strip()
        if new or BOLD.match(line) or (listed and KEY.match(line)) or _broken(before, line, width):
            cuts.append(position)
    return list(zip(cuts, [*cuts[1:], len(text)], strict=True))


def _broken(before: str, line: str, width: int) -> bool:
    """Say whether a line ends on purpose: a heading, or the next word had found room on it."""
    if before.lstrip().startswith("#") or line.lstrip().startswith("#"):
        return True
    room = width - len(before.rstrip()) - 1
    title = len(before.split()) <= TITLE and not before.rstrip().endswith((",", "-", ":"))
    return title and len((line.split() or [""])[0]) + RAGGED <= room


MARKS = re.compile(
    r"\*\*|__|`|(?<=\s)\*(?=\w)|(?<=[\w.:])\*(?=[\s:,.])|(?:^|(?<=\n))[ \t]*#+[ "
    r"\t]"
)
DASHES = str.maketrans("‐‑‒–—−’‘", "------''")


def _plain(text: str, start: int, end: int) -> Sentence:
    """Return the text in lower case, every run of white space as one space."""
    characters: list[str] = []
    origin: list[int] = []
    marks = {k for m in MARKS.finditer(text, start, end) for k in range(*m.span())}
    for place in range(start, end):
        if place in marks:
            continue
        character = text[place].translate(DASHES)
        if character.isspace():
            character = " "
        small = character.lower()
        if character != " " or (characters and characters[-1] != " "):
            characters.append(small if len(small) == 1 else character)
            origin.append(place)
    return Sentence("".join(characters), tuple(origin))
