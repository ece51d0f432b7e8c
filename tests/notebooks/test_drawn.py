"""The figures that notebooks store as drawings: colours, ids, the size of the type."""

import re

import nbformat
import pytest

from genlab_course.figures import vector
from genlab_course.places import shipped

TEXT, WHOLE, WIDEST = 608, 952, 660  # pixels of a page's columns at 1400, and of a narrow figure
GROWN = 0.56 / 0.486  # docs/site/site.css: the letters' own height against that of Source Sans 3


def drawn():
    """Yield (name of the notebook, SVG, alt text)."""
    for path in shipped().values():
        for cell in nbformat.read(path, as_version=4).cells:
            for output in cell.get("outputs", ()):
                if svg := output.get("data", {}).get(vector.MIME):
                    yield path.stem, svg, output.data["text/plain"]


@pytest.fixture(scope="module")
def figures():
    found = list(drawn())
    assert len(found) > 20
    return found


def test_the_type_of_a_figure_is_at_least_twelve_pixels_on_the_page(figures):
    small = []
    for name, svg, alt in figures:
        width = int(re.search(r' width="(\d+)"', svg)[1])
        scale = (TEXT if width <= WIDEST else WHOLE) / (0.9 * width)  # 72 units are 80 pixels
        sizes = [float(size) for size in re.findall(r'<text [^>]*font-size="([\d.]+)"', svg)]
        if sizes and round(GROWN * scale * min(sizes)) < 12:
            small.append((name, alt[:40], GROWN * scale * min(sizes)))
    assert small == []


def test_the_ids_of_a_page_are_unique_and_each_colour_is_a_variable(figures):
    for page in {name for name, *_ in figures}:
        ids = [
            i for name, svg, _ in figures if name == page for i in re.findall(r' id="(.+?)"', svg)
        ]
        assert len(ids) == len(set(ids)), page
    for _, svg, alt in figures:
        bare = re.sub(r'base64,[^"]*|aria-label="[^"]*"|var\(--[\w-]+, #[0-9a-f]{6}\)', "", svg)
        assert not re.search(r'"[^"]*#[0-9a-f]{6}\b', bare), alt
