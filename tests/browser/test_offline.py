"""The site, read from the disk with no server: formulas are right and the search finds.

`GENLAB_DRAW_FORMULAS=1` writes the reference picture of the formulas again: look at it before you
commit it.
"""

import io
import os

import ipywidgets
import numpy as np
import pytest
from matplotlib import pyplot as plt
from nbformat.v4 import new_markdown_cell, new_notebook
from PIL import Image
from scipy.ndimage import gaussian_filter
from scripts import script

from genlab_course.widgets import explore, living
from tests.browser import lab
from tests.browser.test_lessons import save_picture

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.xdist_group("site")]
DOCS = lab.ROOT / "docs"
WEIGHTS = "**/*.data.js"  # with them the first page's network draws ten digits, for seconds
NOTHING = lambda route: route.fulfill(body="")


@pytest.fixture(scope="module")
def site():
    """docs/site.py, as a module."""
    return script("site")


@pytest.fixture
def offline(browser):
    """A page of a browser that has no network, and what it asked for; nothing moves in it.

    On the first page five machines would learn in every test.
    """
    context = browser.new_context(
        viewport={"width": 1280, "height": 720}, offline=True, reduced_motion="reduce"
    )
    page = context.new_page()
    asked, errors = [], []
    page.on(
        "request", lambda r: r.url.startswith(("file:", "data:", "blob:")) or asked.append(r.url)
    )
    page.on("console", lambda m: m.type == "error" and errors.append(m.text))
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    context.close()
    assert (asked, errors) == ([], [])


def test_the_site_finds_a_word_and_shows_formulas(site, offline, folder):
    offline.route(WEIGHTS, NOTHING)
    offline.goto((folder / "index.html").as_uri())
    offline.locator("#search").fill("guesser")
    links = offline.locator("#found a")
    links.first.wait_for()
    save_picture(offline, "site_search")
    assert links.first.inner_text().startswith("05")
    offline.locator("#search").fill("amortisation guesser perfect")  # all in one section
    offline.wait_for_function("() => document.querySelector('#found a')?.hash")
    assert " › " in links.first.inner_text()
    section = links.first.get_attribute("href").partition("#")[2]
    links.first.click()
    offline.wait_for_selector("math")
    assert offline.locator("h1").first.inner_text().startswith("05")
    above = "id => document.getElementById(decodeURIComponent(id)) ?? document.getElementById(id)"
    assert offline.evaluate(f"id => ({above})(id).getBoundingClientRect().top", section) < 200
    widths = offline.evaluate(
        "() => [...document.querySelectorAll('math')].map(m => m.getBoundingClientRect().width)"
    )
    assert len(widths) > 50
    assert min(widths) > 0
    offline.go_back()
    offline.locator("#search").fill("nosuchwordanywhere")
    offline.wait_for_function("() => !document.querySelector('#found a')")
    assert "No page" in offline.locator("#found").inner_text()


def test_the_first_page_leads_on_and_code_can_be_copied(site, offline, folder):
    offline.context.grant_permissions(["clipboard-read", "clipboard-write"])
    offline.route(WEIGHTS, NOTHING)
    offline.goto((folder / "index.html").as_uri())
    offline.set_viewport_size({"width": 1920, "height": 1080})
    small = offline.locator("h1").bounding_box()["height"]
    offline.keyboard.press("p")  # larger, for a projector
    assert offline.locator("h1").bounding_box()["height"] == pytest.approx(1.4 * small, rel=0.05)
    assert offline.evaluate("document.documentElement.scrollWidth") == 1920
    offline.keyboard.press("p")
    offline.set_viewport_size({"width": 1280, "height": 720})
    stations = offline.locator(".river > li > a")
    one, other = (stations.nth(k).get_attribute("href")[:2] for k in (0, 1))
    stations.first.click()
    offline.wait_for_selector("h1")
    assert offline.locator("h1").inner_text().startswith(one)
    offline.locator(".contents a").nth(2).click()
    assert offline.evaluate("scrollY") > 500
    for k in (4, 2):  # the list marks the section that one reads, and no other
        link = offline.locator(".contents a").nth(k)
        link.click()
        offline.wait_for_function("a => a.getAttribute('aria-current') === 'location'",
                                  arg=link.element_handle())  # fmt: skip
        assert offline.locator(".contents a[aria-current]").count() == 1
        assert int(link.evaluate("a => getComputedStyle(a).fontWeight")) == 600
    block = offline.locator(".highlight:visible").first
    block.hover()
    block.locator(".copy").click()
    block.get_by_text("copied").wait_for()
    copied = offline.evaluate("navigator.clipboard.readText()")
    assert copied.strip() == block.locator("pre").inner_text().strip()
    offline.locator(".ways .next").click()
    begins = "number => document.querySelector('h1').innerText.startsWith(number)"
    offline.wait_for_function(begins, arg=other)


MARKED = """() => document.querySelector(".contents [aria-current]")?.getAttribute("href")"""

AT_THE_END = "() => scrollY + innerHeight > document.documentElement.scrollHeight - 2"


LETTERS = ("Plain words", "Fréchet distance", "Guidance · a weight", "Für α and β", "The end")


def test_the_section_being_read_is_marked_whatever_letters_its_heading_has(site, offline, folder):
    cells = [new_markdown_cell(f"## {heading}\n" + "\n\nA line." * 40) for heading in LETTERS]
    body = site.Exporter(template_name="basic").body(new_notebook(cells=cells))
    (folder / "letters.html").write_text(site.page("Letters", body), encoding="utf-8")
    offline.goto((folder / "letters.html").as_uri())
    links = [a.get_attribute("href") for a in offline.locator(".contents a").all()]
    assert sum("%" in link for link in links) == 3
    reached = 0
    for link in links:
        offline.evaluate("id => document.getElementById(id).scrollIntoView()", link[1:])
        if offline.evaluate(AT_THE_END):  # what stands there cannot come to the top
            continue
        offline.wait_for_function(f"link => ({MARKED})() === link", arg=link)
        reached += 1
    assert reached >= len(LETTERS) - 1


def test_a_page_of_the_map_has_its_colour_and_no_picture_of_the_map(offline, folder):
    offline.goto((folder / "09_evaluation.html").as_uri())
    assert offline.locator("img[alt^='The map of the course; ']").count() == 0
    assert offline.locator("html").get_attribute("data-family") == "map"


def test_a_film_rests_for_who_wants_no_motion_and_is_stopped_by_its_button(site, offline, folder):
    text = site.page("A film", site.film(site.HERO.name, site.HERO_STILL, "five families"))
    (folder / "film.html").write_text(text, encoding="utf-8")
    film, moving, still = (offline.locator(part) for part in (".film", ".moving", ".resting"))
    for scripts in (True, False):
        offline.emulate_media(reduced_motion="reduce")
        if not scripts:
            offline.route("**/page.js", lambda route: route.fulfill(body=""))
        offline.goto((folder / "film.html").as_uri())
        assert still.is_visible()
        assert not moving.is_visible()
        offline.emulate_media(reduced_motion="no-preference")
        offline.reload()
        assert moving.is_visible()
        assert not still.is_visible()
    offline.unroute("**/page.js")
    offline.reload()
    film.get_by_role("button", name="stop the film").click()
    assert still.is_visible()
    assert not moving.is_visible()
    assert still.evaluate("image => image.naturalWidth") > 0
    film.get_by_role("button", name="play the film").click()
    assert moving.is_visible()
    assert not still.is_visible()


CUT_ON_PAPER = """() => [...document.querySelectorAll(".formula, main :is(img, canvas, pre)")]
    .filter(e => e.getClientRects().length && (e.scrollWidth > e.clientWidth + 1
        || e.getBoundingClientRect().right > innerWidth + 1)).map(e => e.outerHTML.slice(0, 80))"""
PRESSED = "header, .ways, .contents, .copy, .film button, .genlab-living .controls"


def test_on_paper_no_formula_is_cut_answers_are_open_and_films_rest(site, offline, folder):
    offline.set_viewport_size({"width": 1280, "height": 900})
    offline.emulate_media(reduced_motion="no-preference")
    for name in ("12_diffusion_i", "cheatsheet"):
        offline.goto((folder / f"{name}.html").as_uri())
        offline.evaluate("() => document.fonts.ready")
        offline.emulate_media(media="print")
        offline.set_viewport_size({"width": 642, "height": 900})  # of A4, between margins of 2 cm
        offline.evaluate("dispatchEvent(new Event('beforeprint'))")
        assert offline.evaluate(CUT_ON_PAPER) == [], name
        assert offline.evaluate("document.documentElement.scrollWidth") <= 642
        assert offline.locator(PRESSED).filter(visible=True).count() == 0
        assert offline.locator("main details:not(.code, .hint, [open])").count() == 0
        opened = offline.locator("main details[open]").count()
        if name != "cheatsheet":
            assert offline.locator(".film .resting").first.is_visible()
            assert not offline.locator(".film .moving").first.is_visible()
            assert opened > 10
        offline.evaluate("dispatchEvent(new Event('afterprint'))")
        offline.emulate_media(media="screen")
        assert offline.locator("main details[open]").count() < max(opened, 1)
        offline.set_viewport_size({"width": 1280, "height": 900})


def test_a_widget_that_needs_a_kernel_is_a_flip_book(site, offline, folder, monkeypatch):
    flipbooks = script("flipbooks")
    figure, axes = plt.subplots(figsize=(4, 2))
    (line,) = axes.plot([0, 1], [0, 1])

    def update(slope, kind, layers):
        line.set_data([0, 1], [0, slope * (1 if kind == "a" else -1)])
        return f"slope {slope:.1f}, $k$ = {kind}"

    slope = ipywidgets.FloatSlider(description="slope", value=1, min=0, max=2, step=0.1)
    kind = ipywidgets.Dropdown(description="kind", options=["a", "b"])
    layers = ipywidgets.FloatSlider(description="layers", value=4, min=0, max=4, step=0.1)
    assert [value for _, value in flipbooks.stops(layers)] == [0, 1, 2, 3, 4]  # no half layers
    widget = explore(figure, update, slope=slope, kind=kind, layers=layers)
    monkeypatch.setitem(flipbooks.EACH, ("line", "slope"), "kind")
    monkeypatch.setitem(flipbooks.ALSO, ("line", "slope"), [0.3])
    book = flipbooks.flipbook("line", widget, folder, site.rendered)
    (folder / "flip.html").write_text(site.page("book", book), encoding="utf-8")
    offline.goto((folder / "flip.html").as_uri())
    names = offline.locator(".flip label span").all_inner_texts()
    assert names == ["slope, a", "slope, b", "layers"]  # a slider for each kind
    slider, image = offline.get_by_role("slider", name="slope, b"), offline.locator(".flip img")
    assert float(slider.evaluate("s => s.nextElementSibling.textContent")) == 1
    slider.press("End")
    offline.wait_for_function("() => document.querySelector('.flip img').naturalWidth > 0")
    assert image.get_attribute("src") == "flip_line_slope_b_9.webp"
    words = offline.locator(".flip figcaption").inner_text()
    assert "".join(words.split()) == "slope2.0,𝑘=b"
    assert offline.locator(".flip math").count() == 1
    other = offline.get_by_role("slider", name="slope, a")
    other.press("Home")
    other.press("ArrowRight")
    assert slider.evaluate("s => s.nextElementSibling.textContent") == "1"
    assert other.evaluate("s => s.nextElementSibling.textContent") == "0.2"
    other.press("ArrowRight")
    assert other.evaluate("s => s.nextElementSibling.textContent") == "0.3"  # what the text asks
    assert (slope.value, kind.value) == (1, "a")  # as it was


def test_numbers_are_right_aligned_code_says_where_it_goes_on_and_options_stand_apart(
    site, offline, folder
):
    row = "<tr><td>RealNVP</td><td>-1,234.5</td><td>~0.5 %</td><td>1 of 2</td><td>1</td></tr>"
    row += "<tr><td>RealNVP</td><td>12</td><td>-</td><td>3</td><td>about 2</td></tr>"
    code = f'<div class="highlight"><pre>{"x = 1; " * 20}</pre></div>'
    options = '<div class="output_html"><details class="option"><summary>a</summary></details>'
    options += '<details class="option"><summary>b</summary></details></div>'
    page = site.page("page", f"<table>{row}</table>{code}{options}")
    (folder / "page.html").write_text(page, encoding="utf-8")
    offline.set_viewport_size({"width": 400, "height": 800})
    offline.goto((folder / "page.html").as_uri())
    sides = [
        td.evaluate("e => getComputedStyle(e).textAlign") for td in offline.locator("td").all()
    ]
    assert sides == 2 * ["left", "right", "right", "left", "left"]  # of whole columns
    offline.locator("pre.over").wait_for()
    said = offline.locator("pre.over").evaluate("e => getComputedStyle(e, '::before').content")
    assert said == '"swipe →"'
    a, b = (d.bounding_box() for d in offline.locator("details").all())
    assert b["y"] - a["y"] - a["height"] >= 7
    assert a["height"] > 30


TOO_WIDE = """() => [
    ...(document.documentElement.scrollWidth > innerWidth ? ['the page'] : []),
    ...[...document.querySelectorAll('.formula')].filter(f => f.scrollWidth > f.clientWidth
        && getComputedStyle(f).overflowX !== 'auto').map(f => f.innerText),
    ...[...document.querySelectorAll(innerWidth > 1000 ? '.formula:has(.boxed)' : '.none')]
        .filter(f => f.scrollWidth > f.clientWidth).map(f => f.innerText)]"""


def test_no_page_is_wider_than_its_window_and_a_wide_formula_can_be_scrolled(site, offline, folder):
    for name in ("12_diffusion_i", "solution_03_maximum_likelihood_and_kl", "cheatsheet"):
        offline.goto((folder / f"{name}.html").as_uri())
        for width in (400, 1400):
            offline.set_viewport_size({"width": width, "height": 800})
            offline.evaluate(lab.TWO_FRAMES)
            assert offline.evaluate(TOO_WIDE) == [], (name, width)


CUT = """() => [...document.querySelectorAll('.formula, table')].filter(wide =>
    (wide.scrollWidth > wide.clientWidth)
    !== getComputedStyle(wide, '::before').content.includes('→')).map(wide => wide.innerText)"""


def test_what_is_too_wide_says_so_and_a_formula_a_little_too_wide_becomes_smaller(
    site, offline, folder
):
    row = "|" + " widest |" * 30
    table = site.rendered("\n".join((row, "|" + "---|" * 30, row)))
    bodies = [site.formula("a" * n, display=True) for n in (10, 44, 120)]
    (folder / "wide.html").write_text(site.page("wide", table + "".join(bodies)))
    sizes = {}
    for width in (400, 800, 1400):
        offline.set_viewport_size({"width": width, "height": 800})
        offline.goto((folder / "wide.html").as_uri())
        offline.wait_for_function("() => document.querySelectorAll('table.over').length == 1")
        assert offline.evaluate(CUT) == []
        sizes[width] = offline.evaluate(
            "() => [...document.querySelectorAll('.formula')].map(f => f.style.fontSize)"
        )
    assert sizes[1400] == ["", "", "0.8em"]
    assert sizes[400][0] == ""
    assert 0.8 <= float(sizes[400][1].removesuffix("em")) < 1


def test_a_long_brace_is_drawn_from_end_to_end(site, offline, folder):
    brace = site.formula(rf"\underbrace{{{'a' * 60}}}_b", display=True)
    (folder / "brace.html").write_text(site.page("brace", brace))
    offline.goto((folder / "brace.html").as_uri())
    offline.evaluate("() => document.fonts.ready")
    box = offline.locator("munder mrow").first.bounding_box()
    clip = {"x": box["x"], "y": box["y"] + box["height"], "width": box["width"], "height": 6}
    shown = plt.imread(io.BytesIO(offline.screenshot(clip=clip)), format="png")[..., 0]
    assert (shown.min(0) < 0.6).mean() > 0.95


def test_until_the_network_has_drawn_its_digits_their_still_picture_stands_there(
    site, offline, folder
):
    offline.goto((folder / "index.html").as_uri())
    figure = offline.locator("#digits_live .genlab-living")
    cover = offline.locator("#digits_live .cover")
    cover.wait_for()
    place = cover.evaluate("e => parseFloat(getComputedStyle(e).objectPosition.split(' ')[1])")
    part = cover.evaluate("e => e.clientHeight / e.clientWidth")
    with Image.open(living.FOLDER / "stills/digits_live.png") as still:
        grey, (width, height) = np.asarray(still.convert("L")), still.size
    ink = (grey < 200).any(1)
    title = 200 + int(ink[200:].argmax())  # its first row, beneath the controls
    assert not ink[title - 8 : title].any()
    assert place / 100 * (height - part * width) <= title  # no word of it is cut
    assert figure.locator("canvas").evaluate("c => getComputedStyle(c).opacity") == "0"
    offline.wait_for_selector("#digits_live .genlab-living:not([data-working])", timeout=120_000)
    offline.wait_for_selector("#digits_live .cover", state="detached")
    assert figure.locator("canvas").evaluate("c => getComputedStyle(c).opacity") == "1"


FORMULAS = {
    "indices": r"x_0 + x_{t-1} + q_1 + p_\theta(x_i)",
    "a bar with an index": r"\bar\alpha_t = \prod_{s \le t} \alpha_s",
    "limits of a sum": r"\sum_{i=1}^N \log p_\theta(x_i)",
    "the square of an index": r"\beta_t^2 + \sigma_{ij}^2",
    "a blackboard letter": r"\mathbb E_{x\sim p}[f(x)] \in \mathbb R^n",
    "a script letter": r"x \sim \mathcal N(\mu, \sigma^2 I)",
    "a box": r"\boxed{x_t = \sqrt{\bar\alpha_t}\,x_0 + \sqrt{1-\bar\alpha_t}\,\epsilon}",
    "a brace below": r"\underbrace{\mathrm{KL}(q\,\|\,p)}_{\text{prior}} \ge 0",
    "cases": r"f(x) = \begin{cases} x & x > 0 \\ 0 & \text{otherwise} \end{cases}",
    "hats": r"\hat\theta, \quad \widehat{\mathrm{KL}}, \quad \tilde\mu_t. \tag{1}",
}
ROW, WIDTH = 90, 520  # pixels of a formula
REFERENCE = DOCS.parent / "tests/browser/formulas.png"
TOLERANCE = 0.15  # of the ink of a formula; E for a blackboard E makes 0.4, a missing box 0.7


def drawn(site, page, folder):
    """Return the formulas as the browser draws them with the site's style, one to a row."""
    cells = (site.rendered(f"$${latex}$$") for latex in FORMULAS.values())
    box = f"height:{ROW}px;width:{WIDTH}px;overflow:hidden"
    body = "".join(f'<div style="{box}">{cell}</div>' for cell in cells)
    (folder / "formulas.html").write_text(site.page("formulas", body), encoding="utf-8")
    page.goto((folder / "formulas.html").as_uri())
    page.evaluate("() => document.fonts.ready")
    return page.locator("main").screenshot()


def difference(picture, reference):
    """Return for each formula by how much its ink differs; a shift of a pixel hardly counts."""

    def ink(png):
        shown = 1 - plt.imread(io.BytesIO(png), format="png")[: ROW * len(FORMULAS), :WIDTH, :3]
        rows = shown.mean(-1).reshape(len(FORMULAS), ROW, WIDTH)
        return gaussian_filter(rows, (0, 1.5, 1.5))

    a, b = ink(picture), ink(reference)
    change = np.abs(a - b).sum((1, 2)) / b.sum((1, 2))
    return dict(zip(FORMULAS, change.round(3).tolist(), strict=True))


def test_ten_formulas_look_as_they_should(site, offline, folder):
    picture = drawn(site, offline, folder)
    if os.environ.get("GENLAB_DRAW_FORMULAS"):
        REFERENCE.write_bytes(picture)
    found = difference(picture, REFERENCE.read_bytes())
    assert {name: d for name, d in found.items() if d > TOLERANCE} == {}
