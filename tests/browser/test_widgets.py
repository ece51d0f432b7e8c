"""Widgets in JupyterLab: pictures until they run, then controls that fit a narrow window."""

import statistics

import pytest

from genlab_course.figures import player
from tests.browser import lab
from tests.browser.test_lessons import save_picture
from tests.notebooks.test_build import run_build

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.xdist_group("lab")]

TEXT = """\
# %%
import ipywidgets
import matplotlib.pyplot as plt
from genlab_course import widgets
import genlab_course as course
from genlab.train import Record

# %%
figure, axes = plt.subplots(figsize=(4, 2))
(line,) = axes.plot([0, 1], [0, 1])
slope = ipywidgets.FloatSlider(description="slope", value=1, max=2)
kind = ipywidgets.Dropdown(description="kind", options=["a", "b"])
widgets.explore(figure, lambda slope, kind: line.set_ydata([0, slope]), slope=slope, kind=kind)

# %%
widgets.quiz(3)

# %%
_ = widgets.watch((Record(k, {"loss": 1.0 / k}, 0.0) for k in range(1, 41)), total=40)

# %%
course.film([[[k / 4]] for k in range(5)], alt="from black to white", width=64)
"""
RIGHT_EDGES = """() => [...document.querySelectorAll('.widget-readout, .widget-dropdown select')]
    .map(e => e.getBoundingClientRect().right)"""
# Of each option: how far its letter and its sentence are apart in height.
LETTERS = """() => [...document.querySelectorAll('.genlab-option')].map(row => {
    const centre = e => { const b = e.getBoundingClientRect(); return b.top + b.height / 2; };
    const range = document.createRange();
    range.selectNode(document.createTreeWalker(row.lastElementChild, 4).nextNode());  // words
    const line = range.getClientRects()[0];
    return Math.abs(centre(row.querySelector('button')) - (line.top + line.height / 2));
})"""
THEME = "theme => window.jupyterapp.commands.execute('apputils:change-theme', {theme})"
ARROW = (
    """() => getComputedStyle(document.querySelector('.widget-dropdown select')).backgroundImage"""
)


PLAYER = """async (text) => {
    const url = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
    const { default: { render } } = await import(url), el = document.createElement("div");
    const kept = { film: new Uint8Array(1), rest: new Uint8Array(1), width: 64, alt: "grey" };
    document.body.replaceChildren(el);
    render({ model: { get: (key) => kept[key] }, el });
    const img = el.querySelector("img"), button = el.querySelector("button"), seen = [];
    for (let k = 0; k < 3; k++) {
        seen.push([(await (await fetch(img.src)).blob()).type, button.ariaLabel]);
        button.click();
    }
    return [seen, img.alt];
}"""


@pytest.mark.parametrize("motion", ["no-preference", "reduce"])
def test_a_film_rests_where_less_motion_is_asked_for_until_its_button_is_pressed(motion, browser):
    page = browser.new_page(reduced_motion=motion)
    seen, alt = page.evaluate(PLAYER, player.Player._esm)
    page.close()
    plays, rests = ["image/gif", "stop the film"], ["image/png", "play the film"]
    assert seen == ([plays, rests, plays] if motion == "no-preference" else [rests, plays, rests])
    assert alt == "grey"


def test_widgets_are_pictures_until_they_run_and_fit_a_narrow_window(browser, server, tmp_path):
    source = tmp_path / "src/widgets.py"
    source.parent.mkdir()
    source.write_text(TEXT)
    assert run_build(source) == (0, "")
    name = (tmp_path / "widgets.ipynb").rename(server.root / "widgets.ipynb").name
    page = browser.new_context(viewport={"width": 800, "height": 1000}).new_page()
    lesson = lab.Lesson(page, server, name)
    save_picture(page, "widgets_stored")
    outputs = page.locator(".jp-OutputArea-output")
    assert outputs.count() == 4
    assert page.locator(".jp-OutputArea-output img").count() == 3
    assert "**" not in outputs.nth(1).inner_text()
    assert "Run this cell to answer." in outputs.nth(1).inner_text()

    lesson.run_all()
    save_picture(page, "widgets_run")
    assert lesson.controls() == ["slope", "kind"]
    assert page.locator(".jp-OutputArea-output img").count() == 3  # each once: no still beside it
    film = page.locator(".genlab-film")
    moving = film.locator("img").get_attribute("src")
    film.get_by_role("button", name="stop the film").click()
    assert film.locator("img").get_attribute("src") != moving
    assert film.get_by_role("button", name="play the film").is_visible()
    assert max(page.evaluate(RIGHT_EDGES)) < 800
    assert statistics.median(page.evaluate(LETTERS)) < 2  # a fraction is higher than a letter

    card = page.locator(".widget-vbox:has(> .genlab-option)").first
    row = card.locator(".genlab-option").nth(1)
    row.scroll_into_view_if_needed()
    row.click(position={"x": row.bounding_box()["width"] - 15, "y": 8})  # far from its letter
    reply = card.get_by_text("Right.").or_(card.get_by_text("Not this one."))
    reply.first.wait_for(timeout=20_000)

    page.evaluate(THEME, "JupyterLab Dark")
    page.wait_for_function("() => document.body.dataset.jpThemeLight === 'false'")
    page.wait_for_function(f"() => ({ARROW})().includes('%23ccc')")
    save_picture(page, "widgets_dark")
    page.evaluate(THEME, "JupyterLab Light")
    assert lesson.outside == []
    page.context.close()
    server.stop_kernels()
