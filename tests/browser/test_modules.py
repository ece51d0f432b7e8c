"""The living figures as single files: a page that is opened as a file, and one import for each."""

import pytest
from scripts import script

pytestmark = [pytest.mark.browser, pytest.mark.slow]
INK = """() => [...document.querySelectorAll(".genlab-living canvas")].map((canvas) => {
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    return new Set(new Uint32Array(data.buffer)).size; // colours
})"""
IMPORTED = """async (text) => {
    const url = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
    const { show, default: { render } } = await import(url), el = document.createElement("div");
    document.body.replaceChildren(el);
    const end = show(el, { steps: 5 }), other = document.createElement("div");
    document.body.append(other);
    render({ el: other, model: { get: () => undefined, set() { throw Error("no such"); },
        save_changes() { throw Error("not implemented"); } } }); // MyST's
    const slider = other.querySelector("input[type=range]");
    if (slider) { slider.value = slider.max; slider.dispatchEvent(new Event("input")); }
    await new Promise((done) => setTimeout(done, 150));
    end();
    return [el, other].map((e) => e.querySelectorAll("canvas").length > 0);
}"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """All modules."""
    folder = tmp_path_factory.mktemp("modules") / "figures"
    modules = script("modules")
    assert modules.write(folder) == len(modules.NAMES)
    return folder


@pytest.fixture
def page(browser):
    """A page without a network, which notes what goes wrong and what it asks for."""
    context = browser.new_context(offline=True, viewport={"width": 900, "height": 900})
    page = context.new_page()
    page.troubles = []
    page.on("pageerror", lambda error: page.troubles.append(str(error)))
    page.on("request", lambda r: r.url.startswith(("file:", "blob:", "data:")) or
            page.troubles.append(r.url))  # fmt: skip
    yield page
    context.close()


def test_the_page_of_examples_moves_when_it_is_opened_as_a_file(folder, page):
    page.goto((folder / "example.html").as_uri())
    page.wait_for_function(f"() => ({INK})().filter(n => n > 20).length === 3")
    assert page.locator("script[src]").count() == 0  # each has become its figure
    caption = page.locator(".genlab-living p").first
    before = caption.inner_text()
    page.get_by_role("slider", name="gradient steps").fill("60")
    page.wait_for_function(
        "w => document.querySelector('.genlab-living p').innerText !== w", arg=before
    )
    assert page.troubles == []


def test_every_figure_is_one_module_that_stands_alone(folder, page):
    names = script("modules").NAMES
    page.goto((folder / "LICENSE").as_uri())
    for name in names:
        text = (folder / f"{name}.js").read_text(encoding="utf-8")
        assert "\nimport " not in text, name
        assert page.evaluate(IMPORTED, text) == [True, True], name
    page.evaluate("document.body.replaceChildren()")
    for name in ("digits_live", "draw_a_shape"):  # weights, and workers, from a file
        (folder / "one.html").write_text(
            f'<!DOCTYPE html><body><script src="{name}.here.js"></script>'
        )
        page.goto((folder / "one.html").as_uri())
        page.wait_for_selector("canvas")
    assert page.troubles == []
