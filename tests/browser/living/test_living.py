"""Living figures as a reader has them: their size, a real mouse, a finger, the keyboard, a film.

What they compute, draw and say is held on a bench (test_figures.py), which is quicker."""

import hashlib
import io

import numpy as np
import pytest
from PIL import Image

from genlab_course.widgets import living
from tests.browser.living import bench, replay

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PICTURE = "() => document.querySelector('canvas').toDataURL()"
SETTINGS = "() => document.getElementById('figure').model.get('settings')"
HEAD = '<!doctype html><meta charset="utf-8"><meta name="color-scheme" content="light dark">'
LATER = "([name, than]) => document.getElementById('figure').model.get('settings')[name] > than"
CORNER = """() => [...document.querySelector('canvas').getContext('2d')
    .getImageData(1, 1, 1, 1).data].slice(0, 3)"""
DONE = "#figure .genlab-living:not([data-working])"  # a network has nothing more to compute
FRAMES = """() => new Promise(done => {
    const next = k => requestAnimationFrame(() => k ? next(k - 1) : done());
    next(4); })"""
LOCAL = ("file:", "data:", "blob:")
DAY, NIGHT = [255, 255, 255], [22, 24, 28]  # the paper


@pytest.fixture(scope="module")
def window(browser):
    """A page for all tests here, which notes errors and whatever it asks of a network.

    A new one takes half a second of a processor.
    """
    page = browser.new_page()
    page.troubles = []
    page.on("pageerror", lambda error: page.troubles.append(str(error)))
    page.on("console", lambda m: page.troubles.append(m.text) if m.type == "error" else None)
    page.on("request", lambda r: r.url.startswith(LOCAL) or page.troubles.append(r.url))
    yield page
    page.close()


@pytest.fixture
def sheet(window, tmp_path):
    """The page as it was at first, empty and opened as a file; `show` opens a figure in it."""
    window.set_viewport_size({"width": 900, "height": 900})
    window.emulate_media(color_scheme="light", reduced_motion="no-preference")
    window.mouse.move(0, 0)
    (tmp_path / "empty.html").write_text("<!doctype html>")
    window.goto((tmp_path / "empty.html").as_uri())
    window.troubles.clear()

    def show(name, **state):
        path = tmp_path / f"{name}.html"
        path.write_text(HEAD + living.page(name, "figure", **state), encoding="utf-8")
        window.goto(path.as_uri())
        window.wait_for_selector("#figure canvas")
        window.wait_for_function("() => document.querySelector('canvas').width > 0")
        settle(window)
        return window

    window.show = show
    return window


def settle(page):
    """Wait until what a hand did is on show: some frames, and nothing left to compute."""
    page.evaluate(FRAMES)
    page.wait_for_selector(DONE, timeout=120_000)


def shown(page):
    """A fingerprint of the picture on show."""
    return hashlib.sha256(page.evaluate(PICTURE).encode()).hexdigest()


def coarse(picture):
    """A picture as brightness in cells of 24 pixels, in which letters of another font are alike."""
    grey = picture.convert("L")
    size = (grey.width // 24, grey.height // 24)
    return np.asarray(grey.resize(size, Image.Resampling.BOX), dtype=float)


def as_in_its_still(page, name):
    """How far the picture on show is from the stored still: the worst cell, of 255."""
    box = page.locator(".genlab-living canvas")
    shot = Image.open(io.BytesIO(box.screenshot()))
    with Image.open(living.FOLDER / "stills" / f"{name}.png") as still:
        whole = still.convert("RGB").resize((still.width // 2, still.height // 2))
    root = page.locator(".genlab-living").bounding_box()
    left, top = (round(box.bounding_box()[k] - root[k]) for k in "xy")
    part = whole.crop((left, top, left + shot.width, top + shot.height))
    assert whole.height == pytest.approx(root["height"], abs=30), "another size"
    return np.abs(coarse(shot) - coarse(part)).max()


@pytest.mark.parametrize("name", living.NAMES)
def test_it_draws_its_still_and_fits_a_phone_in_the_dark_and_rests_when_asked_to(name, sheet):
    sheet.emulate_media(reduced_motion="reduce")
    page = sheet.show(name, autoplay=True, settings=bench.STILL.get(name, {}))
    assert as_in_its_still(page, name) < 25, f"python docs/stills.py {name}"
    page.set_viewport_size({"width": 360, "height": 740})
    page.emulate_media(color_scheme="dark")
    settle(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert page.evaluate(CORNER) == NIGHT
    before = shown(page)
    page.wait_for_timeout(400)
    assert shown(page) == before
    assert page.troubles == []


def test_size_theme_and_projector_are_followed(sheet):
    page = sheet.show("game_orbit")
    canvas = page.locator("canvas")
    assert page.evaluate(CORNER) == DAY
    page.emulate_media(color_scheme="dark")
    settle(page)
    assert page.evaluate(CORNER) == NIGHT
    page.evaluate("document.body.dataset.jpThemeLight = 'true'")  # JupyterLab's word comes first
    settle(page)
    assert page.evaluate(CORNER) == DAY
    wide = canvas.bounding_box()
    page.set_viewport_size({"width": 360, "height": 740})
    settle(page)
    tall = canvas.bounding_box()
    assert tall["height"] / tall["width"] > 1.4 > 1 > wide["height"] / wide["width"]
    found = []
    for width in (900, 1500):  # one place on the plane, at 760 pixels and on a projector
        page.set_viewport_size({"width": width, "height": 1000})
        page.evaluate("w => document.documentElement.style.setProperty('--genlab-width', w)",
                      "760px" if width == 900 else "1400px")  # fmt: skip
        settle(page)
        box = canvas.bounding_box()
        page.mouse.click(box["x"] + 0.25 * box["width"], box["y"] + 0.3 * box["height"])
        found.append(page.evaluate(SETTINGS)["start"])
    assert found[0] == pytest.approx(found[1], abs=0.35)  # margins do not grow with the width


FACES = """() => {
    window.faces = new Set();
    const draw = CanvasRenderingContext2D.prototype.fillText;
    CanvasRenderingContext2D.prototype.fillText = function (...words) {
        window.faces.add(this.font);
        return draw.apply(this, words);
    };
    const style = document.createElement("style");
    style.textContent = ".genlab-living { font-family: 'Liberation Mono', monospace !important }";
    document.head.append(style);
}"""


def test_words_in_a_figure_are_set_in_the_letters_of_its_page(sheet):
    page = sheet.show("game_orbit")
    page.evaluate(FACES)
    page.evaluate("document.getElementById('figure').model.set('settings', {})")
    settle(page)
    faces = page.evaluate("[...faces]")
    assert faces
    assert all("Liberation Mono" in face for face in faces)


PRINTED = """() => {  // how high letters are that are drawn from now on, in pixels of the page
    window.printed = [];
    const draw = CanvasRenderingContext2D.prototype.fillText;
    CanvasRenderingContext2D.prototype.fillText = function (...words) {
        const size = parseFloat(/([\\d.]+)px/.exec(this.font)[1]), {a, b} = this.getTransform();
        window.printed.push(size * Math.hypot(a, b) / devicePixelRatio);
        return draw.apply(this, words);
    };
    document.documentElement.style.cssText = '--genlab-width: 1840px; --genlab-height: 720px';
}"""


def test_on_a_projector_a_figure_fits_its_height_and_is_read_from_the_last_row(sheet):
    sheet.set_viewport_size({"width": 1900, "height": 1080})
    for name in ("forward_process", "game_orbit"):
        page = sheet.show(name)
        page.evaluate(PRINTED)
        settle(page)
        page.evaluate("document.getElementById('figure').model.set('settings', {})")
        settle(page)
        box = page.locator("canvas").bounding_box()
        room = page.locator(".genlab-living").bounding_box()
        assert box["height"] <= 720
        assert box["height"] > 700 or box["width"] == room["width"]
        assert box["x"] - room["x"] == pytest.approx((room["width"] - box["width"]) / 2, abs=1)
        sizes = sorted(page.evaluate("printed"))
        assert sizes[len(sizes) // 2] > 1080 / 60  # ticks; titles are larger
        assert sizes[-1] > 1080 / 50


def test_a_film_plays_by_itself_until_a_hand_comes_and_ends_with_its_figure(sheet):
    page = sheet.show("forward_process", autoplay=True, settings={"time": 5})
    time = page.get_by_role("slider", name="time")
    page.wait_for_function(LATER, arg=["time", 5])
    box = page.locator("canvas").bounding_box()
    page.mouse.click(box["x"] + 0.4 * box["width"], box["y"] + 0.3 * box["height"])
    settle(page)
    stopped = int(time.input_value())
    page.wait_for_timeout(1800)  # longer than the pause before a film begins again
    assert int(time.input_value()) == stopped

    page = sheet.show("forward_process", autoplay=True, settings={"time": 195})
    page.wait_for_function(
        "() => document.getElementById('figure').model.get('settings').time === 200"
    )
    page.evaluate("document.getElementById('figure').end()")
    page.wait_for_timeout(1600)
    assert page.evaluate(SETTINGS)["time"] == 200


def test_digits_come_out_of_noise_once_when_they_are_first_seen(sheet):
    page = sheet.show("digits_live", settings={"many": 1, "steps": 2})
    page.wait_for_function(LATER, arg=["time", 99])
    page.evaluate("document.body.prepend(Object.assign(document.createElement('div'),"
                  " {style: 'height: 2000px'}))")  # fmt: skip
    page.evaluate("scrollTo(0, 3000)")
    page.wait_for_timeout(300)
    assert page.evaluate(SETTINGS)["time"] == 100  # and not again

    still = sheet.show("digits_live", settings={"many": 1, "steps": 2}, autoplay=False)
    box = still.locator("canvas").bounding_box()
    still.mouse.click(box["x"] + 0.3 * box["width"], box["y"] + 0.9 * box["height"])
    settle(still)
    stopped = still.evaluate(SETTINGS)["time"]
    still.wait_for_timeout(300)
    assert still.evaluate(SETTINGS)["time"] == stopped  # a hand came first

    sheet.emulate_media(reduced_motion="reduce")
    calm = sheet.show("digits_live", settings={"many": 1, "steps": 2})
    assert calm.get_by_role("slider", name="time").input_value() == "100"


def test_a_play_button_walks_its_slider_and_stops(sheet):
    page = sheet.show("kl_fit")
    button = page.get_by_role("button", name="play gradient steps")
    steps = page.get_by_role("slider", name="gradient steps")
    button.click()
    page.wait_for_function(LATER, arg=["steps", 0])
    button.click()
    settle(page)
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
    settle(page)
    assert shown(page) != before
    assert page.get_by_role("combobox", name="target").input_value() == "drawn by you"


def test_walkers_dropped_with_the_pointer_have_walked(sheet):
    page = sheet.show("score_walk")
    box, steps = page.locator("canvas").bounding_box(), page.get_by_role("slider", name="steps")
    before = shown(page)
    page.mouse.click(box["x"] + 0.8 * box["width"], box["y"] + 0.6 * box["height"])
    settle(page)
    assert shown(page) != before
    steps.fill("0")
    page.mouse.click(box["x"] + 0.5 * box["width"], box["y"] + 0.2 * box["height"])
    settle(page)
    assert int(steps.input_value()) == 120  # nobody has walked yet: see where they end


def test_a_layer_is_set_in_its_pad_and_a_place_marked_on_the_grid(sheet):
    page = sheet.show("flow_grid", settings={"walked": 1})
    box, text = page.locator("canvas").bounding_box(), page.locator("#figure p")
    page.mouse.move(box["x"] + 0.375 * box["width"], box["y"] + 0.87 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.4 * box["width"], box["y"] + 0.84 * box["height"], steps=4)
    page.mouse.up()
    settle(page)
    assert page.get_by_role("combobox", name="shape").input_value() == "yours"
    assert page.get_by_role("slider", name="layers").input_value() == "2"  # so that it is seen
    before = text.inner_text()
    page.mouse.click(box["x"] + 0.25 * box["width"], box["y"] + 0.4 * box["height"])
    settle(page)
    assert text.inner_text() != before


SWIPES = {  # a figure with a handle, where (shares of the canvas), and what a vertical drag sets
    "sampler_steps": ((0.1, 0.294), "start"),
    "kl_fit": ((0.5, 0.2), "drawn"),
    "game_orbit": ((0.636, 0.222), "start"),
    "elbo_gap": ((0.558, 0.394), "width"),
    "flow_grid": ((0.13, 0.72), "knobs"),
    "straight_flow": ((0.2, 0.3), "start"),
    "forward_process": ((0.6, 0.228), "start"),
    "latent_walk": ((0.812, 0.128), "to"),
    "causal_mask": ((0.11, 0.11), "mask"),
}
SEEN = {"forward_process": {"time": 100}}  # where a handle shows

# Down the canvas, a place near its right edge that holds nothing.
FREE = {"sampler_steps": 0.3, "kl_fit": 0.8, "game_orbit": 0.8, "elbo_gap": 0.8, "flow_grid": 0.3}


def swipe(page, x, y, down):
    """Move a finger down from (x, y), as a touch screen tells; return how far the page scrolled."""
    touch = page.context.new_cdp_session(page)
    before = page.evaluate("scrollY")
    for k in range(13):
        kind = "touchMove" if k else "touchStart"
        points = [{"x": x, "y": y + down * k / 12}]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
        page.evaluate("() => new Promise(done => requestAnimationFrame(done))")
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    settle(page)
    return page.evaluate("scrollY") - before


@pytest.fixture(scope="module")
def phone(browser):
    """A page on a touch screen."""
    size = {"width": 360, "height": 740}
    page = browser.new_page(viewport=size, has_touch=True, is_mobile=True)
    yield page
    page.close()


@pytest.mark.parametrize("name", SWIPES)
def test_a_finger_on_a_handle_moves_the_figure_and_beside_it_the_page(name, phone, tmp_path):
    page, (share, setting) = phone, SWIPES[name]
    path = tmp_path / "figure.html"
    tall = '<meta name="viewport" content="width=device-width"><div style="height: 300px"></div>'
    after = '<div style="height: 2000px"></div>'
    figure = living.page(name, "figure", settings=SEEN.get(name, {}))
    path.write_text(HEAD + tall + figure + after, encoding="utf-8")
    page.goto(path.as_uri())
    page.wait_for_selector("#figure canvas")
    settle(page)
    page.evaluate("document.querySelector('canvas').scrollIntoView({block: 'start'})")
    page.evaluate("scrollBy(0, -150)")  # room to scroll either way
    settle(page)
    value = f"JSON.stringify(document.getElementById('figure').model.get('settings').{setting})"
    box, before = page.locator("canvas").bounding_box(), page.evaluate(value)
    x, y = (
        box[k] + part * box[n] for k, n, part in zip("xy", ("width", "height"), share, strict=True)
    )
    assert swipe(page, x, y, 96) == 0
    moved = page.evaluate(value)
    assert moved != before
    page.evaluate("scrollTo(0, 200)")
    settle(page)
    beside = page.locator("canvas").bounding_box()
    assert (
        swipe(
            page,
            beside["x"] + 0.9 * beside["width"],
            beside["y"] + FREE.get(name, 0.5) * beside["height"],
            -96,
        )
        > 40
    )
    assert page.evaluate(value) == moved


def test_what_a_pointer_does_the_keyboard_does(sheet):
    page = sheet.show("game_orbit")
    canvas, before = page.locator("canvas"), shown(page)
    start = "document.getElementById('figure').model.get('settings')?.start"
    canvas.focus()
    canvas.press("ArrowLeft")
    settle(page)
    moved = shown(page)
    assert moved != before  # a ring
    assert page.evaluate(start) is None
    for _ in range(14):
        canvas.press("ArrowLeft")
    canvas.press("Space")
    settle(page)
    first = page.evaluate(start)
    canvas.press("Shift+ArrowUp")
    settle(page)
    second = page.evaluate(start)
    assert second[0] == first[0]
    assert second[1] > first[1]
    canvas.evaluate("c => c.blur()")
    assert page.troubles == []


def test_a_mask_is_drawn_with_the_pointer(sheet):
    page = sheet.show("causal_mask")
    box, before = page.locator("canvas").bounding_box(), shown(page)
    page.mouse.click(box["x"] + 70, box["y"] + 70)  # the first output, its own token
    settle(page)
    assert shown(page) != before
    assert page.get_by_role("combobox", name="mask").input_value() == "drawn by you"
    assert "sees its own token" in page.locator("#figure p").inner_text()


def test_chains_begin_where_the_energy_is_tapped_and_take_their_step_from_the_curve(sheet):
    page = sheet.show("langevin_bias")
    box, before = page.locator("canvas").bounding_box(), shown(page)
    page.mouse.click(box["x"] + 0.8 * box["width"], box["y"] + 0.3 * box["height"])
    settle(page)
    begun = shown(page)
    assert begun != before
    page.mouse.click(box["x"] + 0.8 * box["width"], box["y"] + 0.8 * box["height"])
    settle(page)
    assert shown(page) == before  # back to the right law
    page.mouse.click(box["x"] + 0.45 * box["width"], box["y"] + 0.5 * box["height"])
    settle(page)
    assert float(page.get_by_role("slider", name="step η").input_value()) > -0.6


def test_a_noise_is_dragged_in_either_panel(sheet):
    page = sheet.show("straight_flow")
    box, seen = page.locator("canvas").bounding_box(), [shown(page)]
    for across in (0.3, 0.7):
        page.mouse.click(box["x"] + across * box["width"], box["y"] + 0.6 * box["height"])
        settle(page)
        seen.append(shown(page))
    assert len(set(seen)) == 3


DARKNESS = """([left, top, side]) => {
    const canvas = document.querySelector('canvas'), k = canvas.width / canvas.clientWidth;
    const {data} = canvas.getContext('2d').getImageData(left * k, top * k, side * k, side * k);
    return Array.from({length: data.length / 4}, (_, i) => 1 - data[4 * i] / 255);
}"""


def test_digits_move_inside_a_step_and_their_guess_is_never_the_noise(sheet):
    page = sheet.show("digits_live", settings={"time": 60, "steps": 6})
    cell = (page.locator("canvas").bounding_box()["width"] - 8) / 10 - 8
    state, guess = [12, 28, cell - 8], [12, 60 + cell, cell - 8]
    before = page.evaluate(DARKNESS, state)
    page.get_by_role("slider", name="time").press("ArrowRight")  # 61 %: the same step
    settle(page)
    after = page.evaluate(DARKNESS, state)
    assert max(abs(a - b) for a, b in zip(before, after, strict=True)) > 1e-3
    assert np.mean(page.evaluate(DARKNESS, guess)) < 0.35
    page.get_by_role("slider", name="noise number").press("ArrowRight")
    page.wait_for_function("() => /computing step [2-5]\\)/.test(document.body.innerText)")
    assert np.mean(page.evaluate(DARKNESS, guess)) < 0.35  # half of it, were it the state
    settle(page)


def test_a_picture_that_is_tapped_begins_in_other_noise(sheet):
    page = sheet.show("digits_live", settings={"steps": 2, "time": 100})
    settings = "document.getElementById('figure').model.get('settings').again"
    box, before = page.locator("canvas").bounding_box(), shown(page)
    page.mouse.click(box["x"] + 0.35 * box["width"], box["y"] + 0.25 * box["height"])
    settle(page)
    assert page.evaluate(settings) == [0, 0, 0, 1, 0, 0, 0, 0, 0, 0]
    assert shown(page) != before
    page.mouse.click(box["x"] + 0.2 * box["width"], box["y"] + 0.9 * box["height"])
    settle(page)
    assert int(page.get_by_role("slider", name="time").input_value()) < 20


def test_a_bar_that_is_tapped_is_written(sheet):
    page = sheet.show("next_token", settings={"length": 0})
    box, before = page.locator("canvas").bounding_box(), shown(page)
    page.mouse.click(box["x"] + 0.3 * box["width"], box["y"] + 112 + 25 * 1.5)  # the second bar
    settle(page)
    settings = page.evaluate("document.getElementById('figure').model.get('settings')")
    likeliest = replay.golden("next_token").expected({**settings, "length": 0})["plain"].topk(2)
    assert settings["length"] == 1
    assert settings["chosen"] == [[0, int(likeliest.indices[1]), "The function returns"]]
    assert shown(page) != before


def test_an_end_of_the_walk_is_dragged_over_the_plane(sheet):
    page = sheet.show("latent_walk")
    box, before = page.locator("canvas").bounding_box(), shown(page)
    page.mouse.move(box["x"] + 77, box["y"] + 95)  # near the 1
    page.mouse.down()
    page.mouse.move(box["x"] + 77, box["y"] + 330, steps=6)
    page.mouse.up()
    settle(page)
    settings = page.evaluate("document.getElementById('figure').model.get('settings')")
    assert settings["walk"] == 0
    assert settings["to"] == [1.6, 1.5]
    assert settings["from"] == pytest.approx([-1.6, -1.4], abs=0.3)
    assert shown(page) != before


def drag(page, *places):
    """Press at the first place and move in one step to each other: shares of the canvas."""
    box = page.locator("canvas").bounding_box()
    for k, (across, down) in enumerate(places):
        page.mouse.move(box["x"] + across * box["width"], box["y"] + down * box["height"])
        if k == 0:
            page.mouse.down()
    page.mouse.up()
    settle(page)
    return page.evaluate(SETTINGS)


def test_a_drag_stays_with_the_region_where_it_began(sheet):
    sheet.show("flow_grid")
    first = [0.1, -1.8, 1, 0.2, 0.2, 1.35, 0, -1.15]
    now = drag(sheet, (0.125, 0.87), (0.625, 0.87), (0.625, 0.3))  # out of the first layer's pad
    assert now["knobs"][2:] == first[2:]
    assert now["knobs"][:2] == [1.9, 1.9]
    assert now.get("at", [-1.3, 0.3]) == [-1.3, 0.3]

    sheet.show("forward_process")
    now = drag(sheet, (0.4, 0.3), (0.9, 0.93))  # from the plane into the strip
    assert now["time"] == 100
    assert now["start"][0] > 3

    sheet.show("straight_flow")
    now = drag(sheet, (0.3, 0.5), (0.55, 0.5))  # over the middle line
    assert now["start"][0] == 2.8

    sheet.show("langevin_bias")
    now = drag(sheet, (0.75, 0.3), (0.8, 0.8))  # from the energy into the distribution
    assert now["start"] is not None
    now = drag(sheet, (0.45, 0.5), (0.01, 0.3))  # from the curve to the left of its axis
    assert now["log_eta"] == -2


def test_a_quick_stroke_leaves_no_holes(sheet):
    page = sheet.show("kl_fit")
    drawn = drag(page, (0.12, 0.1), (0.95, 0.1))["drawn"]
    assert min(drawn[1:-1]) > 0.6
    page = sheet.show("causal_mask", settings={"preset": "nothing"})
    box = page.locator("canvas").bounding_box()
    at = [((44 + 36 * (j + 0.5)) / box["width"], 70 / box["height"]) for j in (0, 7)]
    assert drag(page, *at)["mask"][:8] == [1] * 8


def test_a_drag_by_keyboard_stays_with_its_region_too(sheet):
    page = sheet.show("straight_flow")
    canvas = page.locator("canvas")
    canvas.focus()
    canvas.press("ArrowLeft")
    for _ in range(4):
        canvas.press("Shift+ArrowRight")
    settle(page)
    assert page.evaluate(SETTINGS)["start"][0] == 2.8  # of the left panel, where it began


def test_a_bar_of_an_earlier_text_is_not_written(sheet):
    page = sheet.show("next_token", settings={"length": 0})
    tap = """() => { const canvas = document.querySelector('canvas');
        const box = canvas.getBoundingClientRect();
        const at = {clientX: box.left + 200, clientY: box.top + 112 + 38, button: 0, pointerId: 1};
        canvas.setPointerCapture = () => {};
        for (let k = 0; k < 2; k++) canvas.dispatchEvent(new PointerEvent('pointerdown', at)); }"""
    page.evaluate(tap)  # the second tap comes before a picture of the first
    assert page.evaluate(SETTINGS)["length"] == 1


def test_weights_may_stand_beside_the_page_and_without_them_the_still_stays(sheet, tmp_path):
    path = tmp_path / "beside.html"
    path.write_text(HEAD + living.page("digits_live", "figure", beside=True), encoding="utf-8")
    assert path.stat().st_size < 300_000
    sheet.goto(path.as_uri())
    sheet.wait_for_timeout(200)
    assert sheet.locator("#figure img").count() == 1
    assert sheet.locator("#figure canvas").count() == 0
    sheet.troubles.clear()  # the file that is missing
    script = tmp_path / "digits_live.data.js"
    script.write_text(living.data_script("digits_live"), encoding="utf-8")
    sheet.goto(path.as_uri())
    sheet.wait_for_selector("#figure canvas")
    assert sheet.troubles == []
