"""Every rule by which the release reader finds and weighs a phrase, as rows of one table.

Lesson: notebooks/15_four_paradigm_landscape.ipynb
"""

from collections.abc import Iterator
from dataclasses import dataclass

from .aim_table import AIMS
from .kind_table import KINDS
from .role_table import ROLES, WORDS
from .rules import RULES
from .triggers import TRIGGERS


@dataclass(frozen=True)
class Row:
    """A rule, for people."""

    kind: str  # finds a phrase, takes its sense away, says what a sentence does, or weighs it
    says: str  # what follows where the pattern is found
    pattern: str  # in the language of phrases.py; a regular expression for some of the last kind
    example: str
    lesson: int


def rule_table() -> tuple[Row, ...]:
    """Return all rules: what names something, what turns its sense, what sentences are for.

    Returns:
        The rows in the order in which the reader uses them.

    Example:
        >>> [row.says for row in rule_table() if "Three [GAN] baselines" in row.example]
        ['aside, two before: what stands there is not said of the release']
    """
    return tuple(_rows())


def _rows() -> Iterator[Row]:
    for rule in RULES:
        says = f"{rule.says} (only where nothing plainer is said)" if rule.hint else rule.says
        pattern = f"{rule.pattern} UNLESS {rule.unless}" if rule.unless else rule.pattern
        yield Row("finds", says, pattern, rule.example, rule.lesson)
    for trigger in TRIGGERS:
        says = f"{trigger.polarity}, {trigger.reach}: what stands there is not said of the release"
        yield Row("turns", says, trigger.pattern, trigger.example, 15)
    for role in (*ROLES, *WORDS, *KINDS):
        says = f"{role.name}: {role.says}"
        yield Row("sentence", says, role.pattern, role.example, role.lesson)
    for aim in AIMS:
        says = f"{aim.name}: {aim.says}; {aim.weight:+d} for a release that draws nothing"
        yield Row("weighs", says, aim.pattern, aim.example, aim.lesson)


def as_text(rows: tuple[Row, ...]) -> str:
    """Return a table as text, one rule a paragraph.

    Args:
        rows: of `rule_table`, or some of them.

    Returns:
        Kind, meaning, lesson, example and pattern of each.

    Example:
        >>> print(as_text((Row("finds", "paradigm: flow", "flows?", "A flow.", 4),)))
        finds | paradigm: flow | lesson 04
          example: A flow.
          pattern: flows?
    """
    return "\n".join(
        f"{row.kind} | {row.says} | lesson {row.lesson:02d}\n  example: {row.example}\n"
        f"  pattern: {row.pattern}"
        for row in rows
    )
