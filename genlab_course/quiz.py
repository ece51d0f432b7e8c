"""Quiz questions: every option explains itself. They are written as Markdown, in `quizzes/`.

`## question`, then its options, `- [x]` the right one and `- [ ]` each other; under each option
`> why`, shown when it is chosen.
"""

import html
import re
from dataclasses import dataclass
from pathlib import Path

from genlab.map import FRONTIER

QUIZZES = Path(__file__).with_name("quizzes")
_QUESTION, _OPTION, _WHY = map(re.compile, (r"## +(\S.*)", r"- \[([ x])\] +(\S.*)", r" *> +(\S.*)"))
_MATHS = re.compile(r"(\$[^$]+\$)")
_EXPECTED = "expected `> why` below the option", "expected `## question` or `- [ ] option`"


@dataclass(frozen=True)
class Option:
    """One option of a question; `why` is shown when it is chosen."""

    text: str
    why: str
    right: bool = False


@dataclass(frozen=True)
class Question:
    """A question with exactly one right option; text may hold maths between dollar signs."""

    text: str
    options: tuple[Option, ...]

    def __post_init__(self) -> None:
        if sum(o.right for o in self.options) != 1:
            raise ValueError(f"exactly one option must be right in {self.text!r}")


def questions(lesson: int | str) -> tuple[Question, ...]:
    """The quiz of a lesson, 1 to 15, or another notebook, by name; ValueError without one."""
    kind = "frontier" if lesson in FRONTIER else "system"
    name = f"{kind}_{lesson}" if isinstance(lesson, str) else f"lesson_{lesson:02d}"
    file = QUIZZES / f"{name}.md"
    if not file.is_file():
        raise ValueError(f"no quiz for lesson {lesson!r}; lessons are numbered 1 to 15")
    return read_quiz(file)


def read_quiz(file: Path) -> tuple[Question, ...]:
    """The questions of a Markdown file; ValueError names the file and the line that is wrong."""
    asked: list[tuple[int, str, list[Option]]] = []
    option: re.Match[str] | None = None  # the one whose `> why` comes next
    number = 0
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip() or (line.startswith("# ") and not asked):
            continue
        form = _WHY if option else _OPTION if asked and line[0] == "-" else _QUESTION
        found = form.fullmatch(line)
        if found is None:
            raise _wrong(file, number, f"{_EXPECTED[option is None]}, got {line!r}")
        if option:
            asked[-1][2].append(Option(option[2], found[1], option[1] == "x"))
            option = None
        elif line[0] == "-":
            option = found
        else:
            asked.append((number, found[1], []))
    if option:
        raise _wrong(file, number, f"{_EXPECTED[False]}, got the end")
    return tuple(_question(file, *parts) for parts in asked)


def _question(file: Path, line: int, text: str, options: list[Option]) -> Question:
    try:
        return Question(text, tuple(options))
    except ValueError as error:
        raise _wrong(file, line, error) from None


def _wrong(file: Path, line: int, says: object) -> ValueError:
    return ValueError(f"{file.name}, line {line}: {says}")


def as_html(text: str) -> str:
    """Write the text of a question as HTML: `<` is no tag, `code` and *emphasis* are shown.

    >>> as_html("is `q` *all* of $x_{<i}$?")
    'is <code>q</code> <em>all</em> of $x_{&lt;i}$?'
    """
    parts = _MATHS.split(html.escape(text, quote=False))
    for k in range(0, len(parts), 2):  # between the maths
        parts[k] = re.sub(r"`([^`]+)`", r"<code>\1</code>", parts[k])
        parts[k] = re.sub(r"(?<!\w)\*([^*]+)\*(?!\w)", r"<em>\1</em>", parts[k])
    return "".join(parts)
