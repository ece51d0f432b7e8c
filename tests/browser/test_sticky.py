"""A figure that obeys its derivation: which stage it shows where, and that it covers nothing."""

import re

import pytest

from genlab_course.widgets import living
from tests.browser import lab

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.xdist_group("site")]
SIZES = {400: 800, 1000: 800, 1400: 900, 1920: 1080}
STAGES = re.compile(r'\{ name: "([^"]+)", at: \[([^\]]+)\]')


@pytest.fixture(scope="module")
def reader(browser):
    """A window of a browser without a network, and what went wrong in it."""
    context = browser.new_context(offline=True, reduced_motion="reduce")
    page = context.new_page()
    page.errors = []
    page.on("pageerror", lambda error: page.errors.append(f"{page.url}: {error}"))
    yield page
    context.close()


def opened(reader, folder, name, width=1400):
    """Open the page of a figure."""
    reader.set_viewport_size({"width": width, "height": SIZES[width]})
    reader.goto((folder / f"{living.STICKY[name]}.html").as_uri())
    reader.wait_for_function("() => document.querySelector('main').dataset.stage")


# Scroll until the paragraph that begins so has just crossed the middle; what stands where then?
READ = """async (words) => {
    const p = [...document.querySelectorAll("main p")]
        .find((e) => e.textContent.trim().startsWith(words));
    if (!p) return null;
    scrollTo(0, p.getBoundingClientRect().top + scrollY - innerHeight / 2 + 12);
    for (let k = 0; k < 4; k++) await new Promise(requestAnimationFrame);
    const header = document.querySelector("header").getBoundingClientRect().bottom + 1;
    const on = (box) => box.height && box.bottom > header && box.top < innerHeight;
    const stuck = [...document.querySelectorAll(".stick")]
        .filter((e) => on(e.getBoundingClientRect()));
    const figures = stuck.map((e) => e.getBoundingClientRect());
    const meets = (a, b) => a.left < b.right - 1 && b.left < a.right - 1
        && a.top < b.bottom - 1 && b.top < a.bottom - 1;
    const covered = [], range = document.createRange(), main = document.querySelector("main");
    // Only the words of three screens are asked for: a note hangs by its paragraph.
    const near = ({ top, bottom }) => bottom > -innerHeight && top < 2 * innerHeight;
    const texts = document.createTreeWalker(main, NodeFilter.SHOW_ELEMENT | NodeFilter.SHOW_TEXT,
        (node) => node.nodeType === Node.TEXT_NODE ? NodeFilter.FILTER_ACCEPT
            : node.matches(".rail, script") || !near(node.getBoundingClientRect())
            ? NodeFilter.FILTER_REJECT : NodeFilter.FILTER_SKIP);
    for (let node = texts.nextNode(); node; node = texts.nextNode()) {
        const around = node.parentElement;
        if (!node.textContent.trim()) continue;
        if (!on(around.getBoundingClientRect()) || !around.checkVisibility()) continue;
        range.selectNodeContents(node);
        const cut = around.closest("pre")?.getBoundingClientRect(); // what it hides is not there
        for (const box of range.getClientRects()) {
            const { left, top, bottom } = box, right = Math.min(box.right, cut?.right ?? box.right);
            const over = figures.find((f) => meets(f, { left, top, bottom, right }));
            const x = (left + right) / 2;
            if (right - left < 1 || !over || x < 0 || x > innerWidth) continue;
            // Behind a strip it is hidden as behind the header: nothing shines through.
            const y = Math.max(over.top, box.top) + 1;
            const above = innerWidth < 1200 && document.elementFromPoint(x, y)?.closest(".stick");
            if (!above) covered.push(node.textContent.trim().slice(0, 40));
        }
    }
    const strip = innerWidth < 1200 ? Math.max(0, ...figures.map((f) => f.bottom)) : 0;
    if (p.getBoundingClientRect().top < strip) covered.push("the step itself");
    return { stage: document.querySelector("main").dataset.stage, covered,
        says: stuck[0]?.querySelector("canvas").ariaLabel,
        shown: stuck.length, high: Math.max(0, ...figures.map((f) => f.height)) };
}"""


ROOM = """() => [...document.querySelectorAll(".spacer:not([hidden])")].map((spacer, k) => [
    spacer.offsetHeight,
    [...document.querySelectorAll(".rail:not([hidden]) .stick")][k].offsetHeight,
])"""
WIDE = """() => [...document.querySelectorAll(".formula.folded")].filter((f) =>
    f.scrollWidth > f.clientWidth + 1 || f.getBoundingClientRect().width > 640)
    .map((f) => f.textContent)"""
CONTRAST = """() => {
    const light = (colour) => {
        const [r, g, b] = colour.match(/[\\d.]+/g).slice(0, 3).map((v) => v / 255)
            .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const paper = light(getComputedStyle(document.body).backgroundColor), found = {};
    for (const term of document.querySelectorAll(".term")) {
        const ink = light(getComputedStyle(term).color), name = [...term.classList].at(-1);
        const [dark, bright] = [Math.min(ink, paper), Math.max(ink, paper)];
        found[name] = [(found[name]?.[0] ?? 0) + 1, (bright + 0.05) / (dark + 0.05)];
    }
    return found;
}"""


def reads_each_stage(reader, stages, width):
    """Every stage where its step is read (of the two wide sizes between, a third), uncovered."""
    some = stages if width in (400, 1400) else stages[1::3]
    beside, said = set(), set()
    for stage, beginnings in some:
        for words in beginnings:
            found = reader.evaluate(READ, words)
            assert found, f"no paragraph begins {words!r}"
            assert found["stage"] == stage, (width, words)
            assert found["covered"] == [], (width, words)
            if width < 1200:
                assert found["high"] <= SIZES[width] / 3 + 1, (width, words)
            if found["shown"]:
                beside.add(stage)
                said.add(found["says"])
    assert beside == {stage for stage, _ in some}, width
    assert len(said) == len(some), width
    assert reader.evaluate("document.documentElement.scrollWidth") == width


def has_legible_terms(reader, name):
    """Terms in the colours of their marks, by day and by night."""
    wanted = set(re.findall(r'"(\w+)"', living.source(name).split("terms = {")[1].split("}")[0]))
    wanted &= {"blue", "orange", "green", "pink"}
    for scheme in ("light", "dark"):
        reader.emulate_media(color_scheme=scheme)
        found = reader.evaluate(CONTRAST)
        assert found.keys() == {f"term-{colour}" for colour in wanted}
        for term, (count, contrast) in found.items():
            assert count > 2, term
            assert contrast > 4.5, (scheme, term)
    reader.emulate_media(color_scheme="light")


@pytest.mark.parametrize("name", living.STICKY)
def test_each_stage_is_shown_where_its_step_is_read_and_covers_no_text(name, folder, reader):
    stages = [
        (stage, re.findall(r'"([^"]+)"', words))
        for stage, words in STAGES.findall(living.source(name))
    ]
    assert len(stages) > 7
    opened(reader, folder, name, 400)
    for width, height in SIZES.items():
        reader.set_viewport_size({"width": width, "height": height})
        reader.evaluate(lab.TWO_FRAMES)
        if width < 1200:  # a strip has its whole height kept free for it in the text
            reader.wait_for_timeout(100)
            kept = reader.evaluate(ROOM)
            assert kept
            assert all(room == high for room, high in kept), kept
        reads_each_stage(reader, stages, width)
        if width == 1400:
            assert reader.evaluate(WIDE) == []
    has_legible_terms(reader, name)
    assert reader.errors == []


def test_stages_are_pressed_by_key_and_stay_off_paper(folder, reader):
    opened(reader, folder, "noise_and_back")
    reader.evaluate(READ, "Step 3.")
    dot = reader.get_by_role("button", name="one step back, not knowing x₀").locator("visible=true")
    dot.nth(1).focus()
    reader.keyboard.press("Enter")
    assert reader.evaluate("document.querySelector('main').dataset.stage").endswith(
        "not knowing x₀"
    )
    assert dot.nth(1).get_attribute("aria-pressed") == "true"
    assert reader.locator(".formula.folded").count() > 8
    assert reader.evaluate("document.querySelectorAll('.formula .lines').length") > 5
    reader.emulate_media(media="print")
    assert reader.locator(".rail").locator("visible=true").count() == 0
    reader.emulate_media(media="screen")


MOVES = """async () => {
    const seen = ({ top }) => top > 0 && top < innerHeight, all = new Set();
    const stuck = [...document.querySelectorAll(".stick")]
        .find((e) => seen(e.getBoundingClientRect()));
    stuck.querySelectorAll("button")[8].click();
    for (let begun = performance.now(); performance.now() < begun + 900;) {
        await new Promise(requestAnimationFrame);
        all.add(stuck.querySelector("canvas").toDataURL());
    }
    return all.size;
}"""


def test_it_moves_from_stage_to_stage_unless_motion_is_unwanted(folder, browser):
    page = browser.new_page(viewport={"width": 1400, "height": 900})
    opened(page, folder, "noise_and_back")
    page.evaluate(READ, "Step 3.")
    assert page.evaluate(MOVES) > 3
    page.close()
