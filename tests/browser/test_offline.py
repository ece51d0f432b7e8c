"""Slides and site, read from the disk with no server: every slide fits, the search finds."""

import importlib.util

import pytest

from tests.browser import lab
from tests.browser.test_lessons import save_picture

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.xdist_group("small notebooks")]
DOCS = lab.ROOT / "docs"


def module(name):
    """A script of docs/, as a module."""
    spec = importlib.util.spec_from_file_location(f"{name}_of_docs", DOCS / f"{name}.py")
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


@pytest.fixture
def offline(browser):
    """A page of a browser that has no network, and what it asked for."""
    context = browser.new_context(viewport={"width": 1280, "height": 720}, offline=True)
    page = context.new_page()
    asked, errors = [], []
    page.on("request", lambda r: r.url.startswith(("file:", "data:")) or asked.append(r.url))
    page.on("console", lambda m: m.type == "error" and errors.append(m.text))
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    context.close()
    assert (asked, errors) == ([], [])


# Of the slide on show: what sticks out below, pictures that are missing, formulas without a size.
FAULTS = """() => {
    const slide = Reveal.getCurrentSlide(), at = JSON.stringify(Reveal.getIndices());
    const bottoms = [...slide.children].map(child => child.getBoundingClientRect().bottom);
    const below = Math.round(Math.max(0, ...bottoms) - window.innerHeight);
    const all = selector => [...slide.querySelectorAll(selector)];
    const folded = m => m.closest('details:not([open])') && !m.closest('summary');
    const flat = m => !folded(m) && !m.getBoundingClientRect().width;
    return [
        ...(below > 2 ? [`${at}: ${below} px too low`] : []),
        ...all('img').filter(i => !i.naturalWidth).map(_ => `${at}: no picture`),
        ...all('math').filter(flat).map(_ => `${at}: a formula without a size`),
    ];
}"""
LOADED = """() => [...Reveal.getCurrentSlide().querySelectorAll('img')].every(i => i.complete)"""


def test_every_slide_of_a_lesson_fits_with_its_pictures_and_formulas(offline, tmp_path):
    pytest.importorskip("sphinx_revealjs", reason="the extra 'site' is not installed")
    slides = module("slides")
    rows = [row for row in slides.lessons() if row[1][:2] == "05"]
    slides.write_slides(tmp_path, rows)
    offline.goto((tmp_path / f"{rows[0][1]}.html").as_uri())
    offline.wait_for_function("() => window.Reveal?.isReady()")
    n_slides, faults, seen = offline.evaluate("() => Reveal.getTotalSlides()"), [], 0
    assert n_slides > 40
    while True:
        offline.wait_for_function(LOADED, timeout=10_000)
        faults += offline.evaluate(FAULTS)
        seen += 1
        if seen in (1, 12):
            save_picture(offline, f"slide_{seen}")
        if offline.evaluate("() => Reveal.isLastSlide()"):
            break
        offline.keyboard.press("Space")
    assert faults == []
    assert seen == n_slides


def test_the_site_finds_a_word_and_shows_formulas(offline, tmp_path):
    pytest.importorskip("latex2mathml", reason="the extra 'site' is not installed")
    site = module("site")
    rows = [row for row in site.found_notebooks() if row[1][:2] in ("05", "08")]
    site.write_site(tmp_path, rows, ("glossary",))
    offline.goto((tmp_path / "index.html").as_uri())
    offline.locator("#search").fill("responsibilities")
    links = offline.locator("#found a")
    links.first.wait_for()
    save_picture(offline, "site_search")
    assert links.first.inner_text().startswith("05")
    links.first.click()
    offline.wait_for_selector("math")
    assert offline.locator("h1").first.inner_text().startswith("05")
    widths = offline.evaluate(
        "() => [...document.querySelectorAll('math')].map(m => m.getBoundingClientRect().width)"
    )
    assert len(widths) > 50
    assert min(widths) > 0
    offline.go_back()
    offline.locator("#search").fill("nosuchwordanywhere")
    offline.wait_for_function("() => !document.querySelector('#found a')")
