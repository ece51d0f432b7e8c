"""What a release is, by the head noun of the sentence that names it: does it draw samples?

The rows are in `kind_table.py`. What a release is weighs more than the families that it names: a
detector of what a GAN makes draws nothing.
Lesson: notebooks/15_four_paradigm_landscape.ipynb
"""

import re
from dataclasses import dataclass

from .kind_table import (
    ACTS,
    ADJECTIVES,
    ALSO,
    APPOSED,
    ASIDE,
    BARE,
    BESIDE,
    COMPANION,
    COPULA,
    CREATES,
    CUT,
    DOES,
    EDITS,
    ENDS,
    FAMILIES,
    FINITE,
    FIRST,
    FORMAL,
    GENERATIVE,
    JUDGES,
    JUDGING,
    KIND_OF,
    LATE,
    LISTED,
    MAKING,
    MANY_SIGNS,
    MORE,
    NOTES,
    OPEN,
    PAINTS,
    PRESENTS,
    PUBLISHED,
    PURPOSE,
    SOFTWARE,
    STUDIES,
    SUBJECT,
    TASK,
    TITLE,
    WITH,
    WORK,
    WRITES,
)  # fmt: skip
from .kind_table import KINDS as KINDS
from .text import Sentence

# "the tokenizer is a quantised encoder": a part of the release, not what it is
A_PART = re.compile(
    r"(?:the|its|our) (?:[\w-]+ ){0,3}?(?:encoder|tokeni[sz]er|decoder|vocoder|backbone|head|"
    r"discriminator|critic|judge|reranker|filter|embedder|condition)s? (?:is|are)\b"
)
Kind = tuple[str, bool] | None


@dataclass
class _Reader:
    """What is known while the sentences are looked through in turn."""

    texts: list[str]
    seen: int = 0  # sentences, but headings and the like
    titled: bool = True  # nothing but a title so far
    name: str = ""
    said: bool = False  # something was presented, and its noun left the kind open
    family: bool = False  # ... or named how something is generated

    def read(self, at: int) -> Kind:
        """Return what one sentence says that the release is."""
        text = self.texts[at]
        line = TASK.finds.match(text)
        if line and not FAMILIES.finds.search(text.replace("-", " ")) and not WRITES.search(text):
            return line.group(), False
        if self.seen and FORMAL.match(text):
            return None
        self.seen += 1
        self.name = self.name or (_title(text) if self.seen == 1 else "")
        opens = PRESENTS.finds.match(text) or self._copula(text)
        if self.seen > FIRST:
            return self._late(at, opens)
        return self._early(at, opens)

    def _early(self, at: int, opens: re.Match[str] | None) -> Kind:
        """Read one of the first sentences, which may be a bare title as well."""
        text = self.texts[at]
        plain = not FINITE.search(text)
        fragment = self.titled and plain and not opens and not text.startswith(("the ", "our "))
        if self.titled and self.seen > 1 and (what := _tool(text)):
            return what
        key = text.startswith(("name: ", "title: ", "package: ", "model: ", "project: "))
        short = (key or ":" not in text) and len(text.split()) <= BARE
        self.titled = self.titled and plain and short
        return self._kind(at, opens, fragment=fragment)

    def _late(self, at: int, opens: re.Match[str] | None) -> Kind:
        """Read a later sentence: the first that presents something, or an act of what is named."""
        if opens and not self.said and LATE.fullmatch(opens.group()):
            what = self._kind(at, opens, fragment=False)
            own = what and what[0].startswith(("the ", "our ", "its "))
            return None if own else what
        what = None if self.said or self.family or opens else self._acts(self.texts[at])
        self.said = self.said or bool(opens and LATE.fullmatch(opens.group()))
        return what

    def _kind(self, at: int, opens: re.Match[str] | None, *, fragment: bool) -> Kind:
        """Return the kind by the head noun or the act, unless a generator is named beside it."""
        text = self.texts[at]
        what = _what(text, opens, fragment=fragment) if opens or fragment else None
        what = what or (None if self.family else self._acts(text))
        noun = noun_phrase(text, opens.end() if opens else 0)
        self.family |= bool((opens or fragment) and FAMILIES.finds.search(noun))
        if what and (what[1] or not self._beside(at, what[0], opens)):
            return what
        if opens and not what and re.fullmatch(r"[\w.+-]+", noun):
            self.name = noun  # "Introducing Ampere."
        self.said |= bool(what or (opens and "report" not in opens.group()))
        return None

    def _beside(self, at: int, noun: str, opens: re.Match[str] | None) -> bool:
        """Say whether a generator is presented beside data or a benchmark, or by a later remark."""
        text = self.texts[at]
        if opens and not COMPANION.finds.search(noun):
            return False
        more = MORE.search(text)
        later = ["we propose " + text[more.end() :]] if more else []
        for other in (*later, *self.texts[at + 1 :]):
            second = BESIDE.finds.match(other)
            thing = noun_phrase(other, second.end()) if second else ""
            if FAMILIES.finds.search(thing):
                return not judges(thing)
        return bool(not opens and WITH.search(text))

    def _copula(self, text: str) -> re.Match[str] | None:
        """Match the beginning of a sentence that says what the release is."""
        if self.seen > 1 and A_PART.match(text):
            return None
        own = self.seen <= FIRST or (self.name and text.startswith(self.name.split()[0]))
        return COPULA.match(text) if own else None

    def _acts(self, text: str) -> Kind:
        """Return what the named release does, where that draws nothing."""
        early = self.seen <= FIRST
        if early and (aside := ASIDE.match(text)):
            noun = text[aside.end() :].split(",")[0]
            if judges(noun):
                return noun.strip(), False
        act = next((m for k in self._subjects(text) if (m := ACTS.finds.match(text, k))), None)
        if act and not CREATES.search(text, act.end()):
            return text[: act.end()], False
        work = _work(text) if self.seen == 1 else None
        work = work or (STUDIES.finds.match(text) if early else None)
        return (work.group(), False) if work else None

    def _subjects(self, text: str) -> list[int]:
        """Return where the predicate may begin, if the release is the subject of a sentence."""
        if 1 < self.seen <= FIRST and (subject := SUBJECT.match(text)):
            return [subject.end()]
        names = {self.name, self.name.split()[0]} if self.name and self.seen > 1 else set()
        own = [re.compile(rf"{re.escape(name)}[\w.'-]* ") for name in names]
        return [m.end() for pattern in (*own, *JUDGING) if (m := pattern.match(text))]


def named(sentences: list[Sentence]) -> Kind:
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
    texts = [ADJECTIVES.sub(r"\g<article> ", s.text.lstrip("-*•+# ")) for s in sentences]
    texts[:1] = [NOTES.sub("", text) or text for text in texts[:1]]
    reader = _Reader(texts)
    what = next((what for at in range(len(texts)) if (what := reader.read(at))), None)
    published = next((m for text in texts if (m := PUBLISHED.search(text))), None)
    return what or ((published.group(), False) if published else _software(texts))


def _software(texts: list[str]) -> Kind:
    """Say whether notes speak of wheels, kernels and data types, and hardly of any family."""
    signs = {m.group() for text in texts for m in SOFTWARE.finditer(text)}
    families = [at for at, text in enumerate(texts) if FAMILIES.finds.search(text)]
    rare = len(families) * 5 <= len(texts) and not any(at < FIRST for at in families)
    made = any(CREATES.search(text) or MAKING.search(text) for text in texts)
    return ("software", False) if len(signs) >= MANY_SIGNS and rare and not made else None


def _title(text: str) -> str:
    """Return the first word of a text's name, and the rest of a short title."""
    card = re.match(r"(?:model card (?:for|of|-) |the )?", text)
    begin = card.end() if card else 0
    word = re.compile(r"([\w.+-]+)((?: [a-z][\w.+-]*){0,3}$)?").match(text, begin)
    return word[1] + (word[2] or "") if word else ""


def _work(text: str) -> re.Match[str] | None:
    """Match the gerund of a title that says what a release does which draws nothing."""
    head = TITLE.match(text)
    work = (WORK.finds.match(text, head.end()) if head else None) or WORK.finds.match(text)
    work = work or ENDS.search(text)
    _, colon, after = text.partition(": ")
    makes = colon and FAMILIES.finds.search(noun_phrase(after, 0)) and not WORK.finds.match(after)
    other = not work or FINITE.search(text) or ALSO.match(text, work.end()) or makes
    return None if other else work


def noun_phrase(text: str, begin: int) -> str:
    """Return the noun phrase after a naming verb, or in apposition to a name there.

    Args:
        text: a sentence, in lower case.
        begin: where the phrase begins.

    Returns:
        The words up to the next comma, preposition or participle.

    Example:
        >>> noun_phrase("it is a measure for texts.", 6)
        'a measure'
    """
    if name := APPOSED.match(text, begin):
        begin = name.end()
    cut = CUT.search(text, begin + 1)
    return text[begin : cut.start() if cut else len(text)].strip()


def _what(text: str, opens: re.Match[str] | None, *, fragment: bool) -> Kind:
    """Return the noun phrase with which a naming sentence goes on, if it says enough."""
    title = opens or TITLE.match(text)
    begin = title.end() if title else 0
    if opens and (name := APPOSED.match(text, begin)):
        begin = name.end()
    begin += len(several[0]) if (several := KIND_OF.match(text[begin:].lstrip())) else 0
    cut = CUT.search(text, begin + 1)
    end = cut.start() if cut else len(text)
    noun, after = text[begin:end].strip(), text[end:].lstrip()
    if "encoder" in noun and EDITS.match(after):
        return None
    part = fragment and (LISTED.match(text, end) or after.startswith(("trained", ":")))
    if not part and (judges(noun) or PURPOSE.finds.match(after) or _task(noun, after)):
        return noun, False
    paints = bool(PAINTS.finds.fullmatch(noun) and not WORK.finds.match(noun))
    paints = paints or bool(opens and GENERATIVE.match(noun))
    return (noun, True) if paints else None


def _tool(text: str) -> Kind:
    """Return what a title calls itself with the line below it: "A package for computing FID"."""
    noun = noun_phrase(text, 0)
    opens = text.startswith(("a ", "an ", "the "))
    return (noun, False) if opens and _task(noun, text[len(noun) :].lstrip()) else None


def _task(noun: str, after: str) -> bool:
    """Say whether an open head noun is followed by a task that draws nothing."""
    known = FAMILIES.finds.search(noun.replace("-", " "))
    does = DOES.finds.match(after)
    both = does and ALSO.match(after, does.end())
    return bool(not known and OPEN.finds.fullmatch(noun) and does and not both)


def judges(noun: str) -> bool:
    """Say whether a noun phrase ends with a thing that draws nothing.

    Args:
        noun: the phrase, in lower case.

    Returns:
        True for an encoder, a detector, a metric, data.

    Example:
        >>> judges("a detector"), judges("a generator")
        (True, False)
    """
    words = noun.split()
    tails = (" ".join(words[-k:]) for k in (1, 2, 3) if k <= len(words))
    fixed = "deterministic" in words and not FAMILIES.finds.search(noun)
    judge = any(JUDGES.finds.fullmatch(tail) for tail in tails)
    return fixed or ("generative" not in words and judge)
