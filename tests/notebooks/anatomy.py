"""What a rebuilt notebook looks like: python tests/notebooks/anatomy.py NAME ...

Its core path has about 90 honest minutes and at most 60 cells, the first exercise comes in the
first third, few lines say `ok`, code is narrow, figures have alt texts, and the head opens with a
picture. What stands under a heading "Going further" is optional and not counted."""

import re
import sys
from dataclasses import dataclass
from pathlib import Path

import nbformat

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from tests.notebooks import build, kernels

STANDARD = (
    "02_autoregressive",
    "12_diffusion_i",
    "15_four_paradigm_landscape",
    "systems/latent_diffusion",
    "frontier/flow_matching",
    "frontier/few_step",
    "frontier/speedrun",
    "frontier/discrete_and_parallel",
    "frontier/predict_the_large_run",
)
LEVELS = ("compute", "derive", "build", "repair", "predict")
CELLS, OK_LINES, WIDTH, IMPORTS = 60, 40, 88, 12
MINUTES = (75, 100)  # of a core path: about 90
PICTURES = ("image/png", "image/gif", "image/svg+xml")
HEAD = re.compile(r"About (\d+) minutes, exercises included; the cells run in (\d+) seconds")
TURN = re.compile(r"\*\*Your turn [^*]+\*\* \*\((\w+), (\d+) minutes\)\*")
ASKED = re.compile(r"course\.exercise\(\s*\"([^\"]+)\"")
DISPLAYED = re.compile(r"\$\$.+?\$\$", re.DOTALL)


@dataclass(frozen=True)
class Notebook:
    """A notebook's cells, those of its core path, and how long the latter take."""

    cells: list
    core: list

    @classmethod
    def read(cls, path):
        read = build.without_doors(nbformat.read(path, as_version=4))
        cells, core, optional = read.cells, [], False
        for cell in cells:
            heading = re.match(r"## (.*)", cell.source) if cell.cell_type == "markdown" else None
            if heading:
                optional = heading.group(1).startswith("Going further")
            if not optional:
                core.append(cell)
        return cls(cells, core)

    @property
    def prose(self):
        return "\n\n".join(c.source for c in self.core if c.cell_type == "markdown")

    @property
    def turns(self):
        """(id, level, minutes) of each exercise, as the text announces it."""
        found, told = [], None
        for cell in self.cells:
            if cell.cell_type == "markdown":
                told = next(iter(TURN.findall(cell.source)), told)
            for id in ASKED.findall(cell.source) if cell.cell_type == "code" else ():
                found.append((id, *(told or ("", 0))))
                told = None
        return found

    def minutes(self, seconds):
        """The minutes of the core path, by the formula that the course declares."""
        words = re.findall(
            r"[A-Za-z]{2,}", re.sub(r"\$[^$]*\$", " ", DISPLAYED.sub(" ", self.prose))
        )
        visible = [c for c in self.core if c.cell_type == "code" and not folded(c)]
        lines = [line for c in visible for line in c.source.splitlines() if line.strip()]
        figures = sum(is_picture(out) for c in self.core for out in c.get("outputs", []))
        asked = {id for c in self.core for id in ASKED.findall(c.source)}
        exercises = sum(int(minutes) for id, _, minutes in self.turns if id in asked)
        formulas = len(DISPLAYED.findall(self.prose))
        reading = len(words) / 130 + 1.5 * formulas + 0.1 * len(lines)
        return reading + exercises + figures + seconds / 60


def folded(cell):
    """Whether the source of a cell is hidden until it is asked for."""
    return bool(cell.metadata.get("jupyter", {}).get("source_hidden"))


def is_picture(output):
    """Whether an output of a cell is a picture or a widget's still."""
    return any(kind in output.get("data", {}) for kind in PICTURES)


def complaints(path):
    """Return what keeps the notebook `path` from the standard, one sentence each."""
    book, bad = Notebook.read(path), []
    bad += time_complaints(book) + turn_complaints(book)
    if len(book.core) > CELLS:
        bad.append(f"its core path has {len(book.core)} cells, more than {CELLS}")
    first = next((i for i, c in enumerate(book.cells) if ASKED.search(c.source)), len(book.cells))
    if first > len(book.cells) / 3:
        bad.append(f"its first exercise is cell {first} of {len(book.cells)}")
    ok = sum(out.get("text", "").count("ok  ") for c in book.cells for out in c.get("outputs", []))
    if ok > OK_LINES:
        bad.append(f"{ok} lines say ok, more than {OK_LINES}")
    if not any(is_picture(out) for c in book.cells[:3] for out in c.get("outputs", [])):
        bad.append("no picture stands in its first three cells")
    return [f"{path.stem}: {sentence}" for sentence in bad + cell_complaints(book)]


def time_complaints(book):
    """Return what is wrong with the minutes that the head promises."""
    bad = []
    head = HEAD.search(book.prose)
    if head is None:
        bad.append(f"its head does not say {HEAD.pattern!r}")
    else:
        told, minutes = int(head.group(1)), book.minutes(int(head.group(2)))
        if not 0.9 * minutes <= told <= 1.1 * minutes:
            bad.append(f"its head says {told} minutes, the formula {minutes:.0f}")
        if not MINUTES[0] <= minutes <= MINUTES[1]:
            bad.append(f"its core path takes {minutes:.0f} minutes, not {MINUTES}")
    return bad


def turn_complaints(book):
    """Return what is wrong with the exercises: their kinds, levels and minutes."""
    levels = [level for _, level, _ in book.turns]
    bad = [f"no exercise asks to {kind}" for kind in ("repair", "predict") if kind not in levels]
    for id, level, minutes in book.turns:
        if level not in LEVELS:
            bad.append(f"{id}: its level is {level!r}, not one of {', '.join(LEVELS)}")
        if int(minutes) < (10 if level == "build" else 3):
            bad.append(f"{id}: {minutes} minutes are too few to {level}")
    return bad


def cell_complaints(book):
    """Return what is wrong in single cells: width, imports, pictures without words."""
    bad, imported = [], set()
    for index, cell in enumerate(book.cells):
        if cell.cell_type != "code":
            continue
        lines = cell.source.splitlines()
        wide = [line for line in lines if len(line) > WIDTH]
        bad += [f"cell {index} has a line of {len(line)} characters: {line[:40]}" for line in wide]
        modules = [m.group(1) for line in lines if (m := re.match(r"from (\S+) import", line))]
        bad += [f"cell {index} imports from {name} again" for name in modules if name in imported]
        imported |= set(modules)
        n_imports = sum(line.startswith(("import ", "from ")) for line in lines)
        if n_imports > IMPORTS and not folded(cell):
            bad.append(f"cell {index} has {n_imports} imports in sight, more than {IMPORTS}")
        for out in filter(is_picture, cell.outputs):
            words = out.data.get("text/plain", "")
            if not words or words.startswith("<"):
                bad.append(f"cell {index} shows a picture without an alt text")
    return bad


if __name__ == "__main__":
    found = [
        line
        for name in sys.argv[1:] or STANDARD
        for line in complaints(kernels.ROOT / "notebooks" / f"{name}.ipynb")
    ]
    print("\n".join(found) or "up to the standard")
    sys.exit(bool(found))
