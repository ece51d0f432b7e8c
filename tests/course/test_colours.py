"""Every figure can be read by people who confuse red and green: its colours stay apart for them."""

import itertools
import re
from pathlib import Path

import colours
import pytest

from genlab_course import figures
from genlab_course.figures import OKABE_ITO

ROOT = Path(__file__).resolve().parents[2]
NAMES = ("BLUE", "ORANGE", "GREEN", "RED", "PINK", "SKY", "BLACK")
HEX = re.compile(r"#[0-9A-Fa-f]{6}\b")
APART = 15  # CIELAB units between categories: six times what is just noticeable
FROM_GREY = 7  # a grey is the background that a coloured line lies on; the line has a dash as well


def sources():
    """Yield (place, code) of whatever draws a figure: modules, and cells of notebooks."""
    for path in sorted(
        p for top in ("genlab", "genlab_course") for p in (ROOT / top).rglob("*.py")
    ):
        yield path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")
    for path in sorted((ROOT / "notebooks").rglob("src/*.py")):
        for number, cell in enumerate(path.read_text(encoding="utf-8").split("\n# %%")):
            if not cell.lstrip().startswith("[markdown]"):
                yield f"{path.relative_to(ROOT).as_posix()}, cell {number}", cell


def used(code):
    """Return the colours that a piece of code names."""
    named = {getattr(figures, name) for name in NAMES if re.search(rf"\b{name}\b", code)}
    return {colour.upper() for colour in named | set(HEX.findall(code))}


def is_grey(colour):
    """Whether red, green and blue are (nearly) equal."""
    parts = [int(colour[k : k + 2], 16) for k in (1, 3, 5)]
    return max(parts) - min(parts) <= 8


def test_distances_in_cielab_are_those_of_the_standard():
    # L* of mid grey, and the primaries of sRGB: values printed in every table of CIELAB.
    assert colours.lab(colours.linear("#FFFFFF")) == pytest.approx([100, 0, 0], abs=0.01)
    assert colours.lab(colours.linear("#FF0000")) == pytest.approx([53.24, 80.09, 67.20], abs=0.02)
    assert colours.lab(colours.linear("#0000FF")) == pytest.approx(
        [32.30, 79.19, -107.86], abs=0.02
    )


@pytest.mark.parametrize("vision", colours.VISIONS)
def test_the_categories_of_the_palette_stay_apart(vision):
    near = {(a, b): colours.distance(a, b, vision) for a, b in itertools.combinations(OKABE_ITO, 2)}
    assert min(near.values()) > APART, min(near, key=near.get)


def test_every_figure_uses_the_palette_and_its_colours_stay_apart():
    palette = {colour.upper() for colour in OKABE_ITO}
    dark_text = {"#00664B", "#A04400"}  # green and red, dark enough to be read as letters
    places = [(place, used(code)) for place, code in sources()]
    assert sum(bool(found) for _, found in places) > 50
    faults = []
    for place, found in places:
        strange = {c for c in found if not is_grey(c)} - palette - dark_text
        faults += [(place, colour, "is not of the palette") for colour in sorted(strange)]
        for a, b in itertools.combinations(sorted(found), 2):
            if is_grey(a) and is_grey(b):
                continue  # shades of a background, the same to everybody
            wanted = FROM_GREY if is_grey(a) or is_grey(b) else APART
            for vision in ("normal", "protanopia", "deuteranopia"):
                if colours.distance(a, b, vision) <= wanted:
                    faults.append((place, a, b, vision))
    assert not faults, faults
