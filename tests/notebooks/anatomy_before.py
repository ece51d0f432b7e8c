"""The older form, for the notebooks of anatomy.STANDARD that are not yet in anatomy.REBUILT.

To be deleted, with its test, once all of them are.
"""

import re
from dataclasses import dataclass

import nbformat

from tests.notebooks import anatomy, build

CELLS, OK_LINES = 60, 40
MINUTES = (75, 100)  # of a core path, inline formulas and quiz not counted
HEAD = re.compile(r"About (\d+) minutes, exercises included; the cells run in (\d+) seconds")


@dataclass(frozen=True)
class Notebook:
    """A notebook's cells, and those that stand under no heading "Going further"."""

    cells: list
    core: list

    @classmethod
    def read(cls, path):
        read = build.without_doors(nbformat.read(path, as_version=4))
        core, optional = [], False
        for cell in read.cells:
            heading = re.match(r"## (.*)", cell.source) if cell.cell_type == "markdown" else None
            if heading:
                optional = heading.group(1).startswith("Going further")
            if not optional:
                core.append(cell)
        return cls(read.cells, core)

    @property
    def prose(self):
        return "\n\n".join(c.source for c in self.core if c.cell_type == "markdown")

    def minutes(self, turns, seconds):
        """The minutes of the core path, by the formula of the older form."""
        displayed = anatomy.DISPLAYED.findall(self.prose)
        rest = re.sub(r"\$[^$]*\$", " ", anatomy.DISPLAYED.sub(" ", self.prose))
        core = anatomy.pieces([c for c in self.core if c.cell_type == "code"])
        asked = {id for piece in core for id in anatomy.ASKED.findall(piece.code)}
        reading = len(anatomy.WORD.findall(rest)) / 130 + 1.5 * len(displayed)
        reading += 0.1 * sum(piece.lines for piece in core if not piece.folded)
        exercises = sum(turn.minutes for turn in turns if turn.id in asked)
        return reading + exercises + sum(piece.pictures for piece in core) + seconds / 60


def complaints(path):
    """Return what keeps the notebook `path` from the older form, one sentence each."""
    book = Notebook.read(path)
    turns = anatomy.turns(anatomy.pieces(book.cells))
    bad = time_complaints(book, turns)
    levels = [turn.level for turn in turns]
    bad += [f"no exercise asks to {kind}" for kind in ("repair", "predict") if kind not in levels]
    bad += anatomy.level_complaints(turns)
    if len(book.core) > CELLS:
        bad.append(f"its core path has {len(book.core)} cells, more than {CELLS}")
    first = next((i for i, c in enumerate(book.cells) if anatomy.ASKED.search(c.source)), 999)
    if first > len(book.cells) / 3:
        bad.append(f"its first exercise is cell {first} of {len(book.cells)}")
    ok = sum(out.get("text", "").count("ok  ") for c in book.cells for out in c.get("outputs", []))
    if ok > OK_LINES:
        bad.append(f"{ok} lines say ok, more than {OK_LINES}")
    if not any(map(anatomy.is_picture, [o for c in book.cells[:3] for o in c.get("outputs", [])])):
        bad.append("no picture stands in its first three cells")
    return [f"{path.stem}: {line}" for line in bad + anatomy.cell_complaints(book.cells)]


def time_complaints(book, turns):
    """Return what is wrong with the minutes that the head promises."""
    head = HEAD.search(book.prose)
    if head is None:
        return [f"its head does not say {HEAD.pattern!r}"]
    bad = []
    told, minutes = int(head.group(1)), book.minutes(turns, int(head.group(2)))
    if not 0.9 * minutes <= told <= 1.1 * minutes:
        bad.append(f"its head says {told} minutes, the formula {minutes:.0f}")
    if not MINUTES[0] <= minutes <= MINUTES[1]:
        bad.append(f"its core path takes {minutes:.0f} minutes, not {MINUTES}")
    return bad
