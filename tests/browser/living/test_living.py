"""Living figures compute what genlab computes, and move under a hand, with no kernel."""

import hashlib

import pytest

from genlab_course.widgets import living
from tests.browser.living import replay

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PICTURE = "() => document.querySelector('canvas').toDataURL()"
HEAD = '<!doctype html><meta charset="utf-8"><meta name="color-scheme" content="light dark">'
CORNER = """() => [...document.querySelector('canvas').getContext('2d')
    .getImageData(1, 1, 1, 1).data].slice(0, 3)"""
LOCAL = ("file:", "data:", "blob:")


@pytest.fixture
def sheet(browser, tmp_path):
    """A page opened as a file, which notes errors and whatever it asks of a network."""
    page = browser.new_page(viewport={"width": 900, "height": 900})
    page.troubles = []
    page.on("pageerror", lambda error: page.troubles.append(str(error)))
    page.on("console", lambda m: page.troubles.append(m.text) if m.type == "error" else None)
    page.on("request", lambda r: r.url.startswith(LOCAL) or page.troubles.append(r.url))

    def show(name, **state):
        path = tmp_path / f"{name}.html"
        path.write_text(HEAD + living.page(name, "figure", **state), encoding="utf-8")
        page.goto(path.as_uri())
        page.wait_for_selector("#figure canvas")
        page.wait_for_function("() => document.querySelector('canvas').width > 0")
        page.wait_for_timeout(100)
        return page

    page.show = show
    (tmp_path / "empty.html").write_text("<!doctype html>")
    page.goto((tmp_path / "empty.html").as_uri())
    yield page
    page.close()


def shown(page):
    """A fingerprint of the picture on show."""
    return hashlib.sha256(page.evaluate(PICTURE).encode()).hexdigest()


@pytest.mark.parametrize("name", living.NAMES)
def test_its_mathematics_is_genlabs_and_three_planted_mistakes_are_told_apart(name, sheet):
    golden, text = replay.golden(name), living.source(name)
    controls = sheet.evaluate(replay.IMPORT, text)
    settings = replay.cases(controls, getattr(golden, "HIDDEN", {}))
    expected = [golden.expected(case) for case in settings]
    rtol = getattr(golden, "RTOL", 1e-9)

    def furthest():
        found = sheet.evaluate(replay.REPLAY, settings)
        return max(replay.worst(f, e, rtol) for f, e in zip(found, expected, strict=True))

    assert furthest() <= 1
    planted = replay.mistakes(name)
    assert len(planted) >= 3
    for mistake in planted:
        assert text.count(mistake["old"]) == 1, mistake
        sheet.evaluate(replay.IMPORT, text.replace(mistake["old"], mistake["new"]))
        assert furthest() > 1, f"not told apart: {mistake['mistake']}"
    assert sheet.troubles == []


@pytest.mark.parametrize("name", living.NAMES)
def test_each_control_moves_the_picture(name, sheet):
    page = sheet.show(name)
    controls = page.query_selector_all("#figure label")
    for control in sorted(controls, key=lambda c: c.query_selector("select") is not None):
        before = shown(page)
        slider = control.query_selector("input[type=range]")
        if slider:
            box, value = slider.bounding_box(), float(slider.input_value())
            low, high = (float(slider.get_attribute(end)) for end in ("min", "max"))
            target = 0.25 if (value - low) / (high - low) > 0.5 else 0.75
            y = box["y"] + box["height"] / 2
            page.mouse.move(box["x"] + box["width"] * (value - low) / (high - low), y)
            page.mouse.down()
            page.mouse.move(box["x"] + box["width"] * target, y, steps=4)
            page.mouse.up()
        else:
            menu = control.query_selector("select")
            options = [o.get_attribute("value") for o in menu.query_selector_all("option")]
            menu.select_option(next(o for o in options if o != menu.input_value()))
        page.wait_for_timeout(120)
        assert shown(page) != before, control.inner_text()
    assert page.locator("#figure p").inner_text()
    assert page.locator("canvas").get_attribute("aria-label")
    assert page.troubles == []


@pytest.mark.parametrize("name", living.NAMES)
def test_it_fits_a_phone_in_the_dark_and_stays_still_when_asked_to(name, sheet):
    sheet.set_viewport_size({"width": 360, "height": 740})
    sheet.emulate_media(color_scheme="dark", reduced_motion="reduce")
    page = sheet.show(name, autoplay=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert max(page.evaluate(CORNER)) < 60  # the paper of the night
    before = shown(page)
    page.wait_for_timeout(400)
    assert shown(page) == before
    assert page.troubles == []


def test_a_play_button_walks_its_slider_and_stops(sheet):
    page = sheet.show("kl_fit")
    button = page.get_by_role("button", name="play gradient steps")
    steps = page.get_by_role("slider", name="gradient steps")
    button.click()
    page.wait_for_timeout(500)
    button.click()
    reached = int(steps.input_value())
    assert 0 < reached < 60
    page.wait_for_timeout(300)
    assert int(steps.input_value()) == reached


def test_a_target_is_drawn_with_the_pointer(sheet):
    page = sheet.show("kl_fit")
    box, before = page.locator("canvas").bounding_box(), shown(page)
    page.mouse.move(box["x"] + 0.3 * box["width"], box["y"] + 0.3 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.6 * box["width"], box["y"] + 0.1 * box["height"], steps=12)
    page.mouse.up()
    page.wait_for_timeout(100)
    assert shown(page) != before
    assert page.get_by_role("combobox", name="target").input_value() == "drawn by you"


def test_walkers_dropped_with_the_pointer_have_walked(sheet):
    page = sheet.show("score_walk")
    box, steps = page.locator("canvas").bounding_box(), page.get_by_role("slider", name="steps")
    before = shown(page)
    page.mouse.click(box["x"] + 0.8 * box["width"], box["y"] + 0.6 * box["height"])
    page.wait_for_timeout(100)
    assert shown(page) != before
    steps.fill("0")
    page.mouse.click(box["x"] + 0.5 * box["width"], box["y"] + 0.2 * box["height"])
    page.wait_for_timeout(100)
    assert int(steps.input_value()) == 120  # nobody has walked yet: see where they end


def test_a_layer_is_set_in_its_pad_and_a_place_marked_on_the_grid(sheet):
    page = sheet.show("flow_grid", settings={"walked": 1})
    box, text = page.locator("canvas").bounding_box(), page.locator("#figure p")
    page.mouse.move(box["x"] + 0.375 * box["width"], box["y"] + 0.87 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.4 * box["width"], box["y"] + 0.84 * box["height"], steps=4)
    page.mouse.up()
    page.wait_for_timeout(100)
    assert page.get_by_role("combobox", name="shape").input_value() == "yours"
    assert page.get_by_role("slider", name="layers").input_value() == "2"  # so that it is seen
    before = text.inner_text()
    page.mouse.click(box["x"] + 0.25 * box["width"], box["y"] + 0.4 * box["height"])
    page.wait_for_timeout(100)
    assert text.inner_text() != before
