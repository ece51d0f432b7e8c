"""A figure on a page: its letters, its colours by day and by night, the size of its type."""

import matplotlib.pyplot as plt
import nbformat
import pytest
from scripts import script

import genlab_course as course
from genlab_course import figures

pytestmark = [pytest.mark.browser, pytest.mark.slow]

NAME = "03_maximum_likelihood_and_kl"  # of a page that the map knows
SEEN = """() => {
    const style = getComputedStyle, figure = document.querySelector(".figure");
    const [ground] = figure.querySelectorAll("path"), body = style(document.body);
    const words = [...figure.querySelectorAll("text")];
    const title = words.find((word) => word.textContent.startsWith("A sentence"));
    const uses = [...figure.querySelectorAll("use")];
    const dot = style(uses.find((use) => use.style.fill.includes("--red")));
    const scale = figure.getBoundingClientRect().width / figure.viewBox.baseVal.width;
    return { ground: style(ground).fill, ink: style(title).fill, dot: dot.fill,
        paper: body.backgroundColor, letters: body.color, filter: style(figure).filter,
        face: style(title).fontFamily, grown: style(title).fontSizeAdjust,
        small: scale * Math.min(...words.map((word) => parseFloat(style(word).fontSize))),
        wide: figure.getBoundingClientRect().width };
}"""


@pytest.fixture(scope="module")
def page(browser, tmp_path_factory):
    """A page of one figure."""
    folder = tmp_path_factory.mktemp("figure")
    shown = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(figures, "display", lambda data, **_: shown.append(data))
        course.begin(3)
        figure, ax = plt.subplots()
        ax.plot([0, 1, 2], [0, 1, 0], "o-", color=figures.RED)
        ax.set(title="A sentence to leave with", xlabel="$x_t$")
        course.show(figure, "a line with a corner")
    output = nbformat.v4.new_output("display_data", shown[0])
    cell = nbformat.v4.new_code_cell("course.show(figure, alt)", outputs=[output])
    title = nbformat.v4.new_markdown_cell("# One figure")
    nbformat.write(nbformat.v4.new_notebook(cells=[title, cell]), folder / "one.ipynb")
    script("site").write_site(folder, [("One figure", NAME, folder / "one.ipynb")], ())
    page = browser.new_page(viewport={"width": 1400, "height": 900})
    page.goto((folder / f"{NAME}.html").as_uri())
    yield page
    page.close()


@pytest.mark.parametrize("light", ["light", "dark"])
def test_a_figure_has_the_ground_the_ink_and_the_letters_of_its_page(page, light):
    page.emulate_media(color_scheme=light)
    found = page.evaluate(SEEN)
    assert found["ground"] == found["paper"]
    assert found["ink"] == found["letters"]
    assert found["filter"] == "none"
    assert found["face"].startswith('"Genlab Sans"')
    assert found["dot"] == {"light": "rgb(213, 94, 0)", "dark": "rgb(232, 115, 42)"}[light]
    page.emulate_media(color_scheme="light")


def test_the_type_of_a_figure_is_as_large_as_the_rule_says(page):
    found = page.evaluate(SEEN)
    grown = float(found["grown"]) / 0.486  # of the letters' own height: Source Sans 3
    assert found["wide"] == 608
    assert found["small"] * grown >= 12
    page.set_viewport_size({"width": 400, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") == 400
    assert page.evaluate(SEEN)["small"] * grown > 9  # and it can be moved sideways
    page.set_viewport_size({"width": 1400, "height": 900})
