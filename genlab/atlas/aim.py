"""What a release is for, weighed: does more of the text speak of judging, or of making something?

`kind.py` reads the sentence that names the release. Where none does so plainly, the whole text
tells: the tasks on which it is tested, the numbers that it reports, what people do with it. The
rows are in `aim_table.py`.
Lesson: notebooks/15_four_paradigm_landscape.ipynb
"""

from collections.abc import Sequence
from dataclasses import dataclass

from .aim_table import AIMS, ALSO, CALLED, KEY, KEYED, OWNER, SUBJECT, YARDSTICK
from .kind import judges, noun_phrase
from .role_table import ROLES
from .text import Sentence

TWICE = 2  # sentences, more than which a row does not count for
LONGEST = 7  # words of a noun phrase by which something is called
NAMED = 4  # weight of a name such as "a measure", where it stands in the first half
FIELD = next(role for role in ROLES if role.name == "field")


@dataclass(frozen=True)
class Balance:
    """What speaks for a judge, less what speaks for a maker, and why."""

    weight: int
    reasons: tuple[str, ...]


def aim(cut: Sequence[Sentence]) -> Balance:
    """Weigh what a release is for.

    Args:
        cut: the sentences of its text.

    Returns:
        A positive weight where it judges, finds or describes, a negative one where it makes.

    Example:
        >>> from genlab.atlas.text import sentences
        >>> [aim(sentences(t)).weight > 0 for t in ("It reaches 0.9 AUROC.", "It paints faces.")]
        [True, False]
    """
    texts = [s.text for s in cut]
    total, why = 0, []
    if noun := calls_itself(texts):
        total, why = NAMED, [f"it calls itself: {noun}"]
    for row in AIMS:
        found = [m for t in texts if (m := row.finds.search(t)) and _own(row.weight, t)][:TWICE]
        total += row.weight * len(found)
        why += [f"{row.name}: {m.group()}" for m in found if row.weight > 0]
    return Balance(total, tuple(why))


def _own(weight: int, text: str) -> bool:
    """Say whether a sentence may speak of the release; what others make is not its making."""
    return weight > 0 or not FIELD.finds.search(text)


def calls_itself(texts: Sequence[str]) -> str:
    """Return the noun by which a text calls its release what draws nothing, in its first half.

    Args:
        texts: the sentences, in lower case.

    Returns:
        The noun phrase, or nothing.

    Example:
        >>> calls_itself(["text is hard to judge.", "lilac is a measure for it."])
        'a measure'
    """
    for n, text in enumerate(texts[: max(3, (len(texts) + 1) // 2)]):
        line = text.lstrip("-*•+# ")
        if n < TWICE and (keyed := KEYED.match(line)):
            return keyed.group()
        line = line[key.end() :] if n < TWICE and (key := KEY.match(line)) else line
        if ALSO.search(line):
            continue
        owned = OWNER.match(line)
        for m in CALLED.finditer(line):
            noun = noun_phrase(line, m.end())
            own = owned or m.start() == 0 or SUBJECT.fullmatch(line[: m.start()])
            if own and len(noun.split()) <= LONGEST and (judges(noun) or YARDSTICK.search(noun)):
                return noun
    return ""
