"""Living figures compute what genlab computes, and move under a hand, with no kernel."""

import hashlib
import importlib.util
import io
import math

import numpy as np
import pytest
from matplotlib import pyplot as plt
from scipy.ndimage import gaussian_filter

from genlab_course.widgets import living
from tests.browser import lab
from tests.browser.living import replay

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
        settle(page)
        return page

    page.show = show
    (tmp_path / "empty.html").write_text("<!doctype html>")
    page.goto((tmp_path / "empty.html").as_uri())
    yield page
    page.close()


def settle(page):
    """Wait until what a hand did is on show: some frames, and nothing left to compute."""
    page.evaluate(FRAMES)
    page.wait_for_selector(DONE, timeout=120_000)


def shown(page):
    """A fingerprint of the picture on show."""
    return hashlib.sha256(page.evaluate(PICTURE).encode()).hexdigest()


@pytest.mark.parametrize("name", living.NAMES)
def test_its_mathematics_is_genlabs_and_three_planted_mistakes_are_told_apart(name, sheet):
    golden, text = replay.golden(name), living.source(name)
    script = living.data_script(name)
    controls = sheet.evaluate(replay.IMPORT, [text, script])
    settings = replay.settings(golden, controls)
    expected = [golden.expected(case) for case in settings]
    rtol = getattr(golden, "RTOL", 1e-9)

    def furthest(enough=math.inf):
        """How far the numbers are apart at most, in tolerances, or any that is `enough`."""
        most = 0.0
        for case, numbers in zip(settings, expected, strict=True):
            (found,) = sheet.evaluate(replay.REPLAY, [case])
            most = max(most, replay.worst(found, numbers, rtol))
            if most > enough:
                break
        return most

    assert furthest() <= 1
    planted = replay.mistakes(name)
    assert len(planted) >= 3
    for mistake in planted:
        assert text.count(mistake["old"]) == 1, mistake
        sheet.evaluate(replay.IMPORT, [text.replace(mistake["old"], mistake["new"]), script])
        assert furthest(enough=1) > 1, f"not told apart: {mistake['mistake']}"
    assert sheet.troubles == []


@pytest.mark.parametrize("name", living.NAMES)
def test_each_control_moves_the_picture(name, sheet):
    page = sheet.show(name, settings={"many": 2} if name == "digits_live" else {})  # of ten
    controls = page.query_selector_all("#figure label")
    for control in sorted(controls, key=lambda c: c.query_selector("select") is not None):
        before = shown(page)
        slider = control.query_selector("input[type=range]")
        if slider:
            box, value = slider.bounding_box(), float(slider.input_value())
            low, high = (float(slider.get_attribute(end)) for end in ("min", "max"))
            target = 0.25 if (value - low) / (high - low) > 0.5 else 0.75
            y = box["y"] + box["height"] / 2
            left, width = box["x"] + 8, box["width"] - 16  # where the middle of the thumb goes
            page.mouse.move(left + width * (value - low) / (high - low), y)
            page.mouse.down()
            page.mouse.move(left + width * target, y, steps=4)
            page.mouse.up()
        else:
            menu = control.query_selector("select")
            options = [o.get_attribute("value") for o in menu.query_selector_all("option")]
            menu.select_option(next(o for o in options if o != menu.input_value()))
        settle(page)
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
    assert page.evaluate(CORNER) == NIGHT
    before = shown(page)
    page.wait_for_timeout(400)
    assert shown(page) == before
    assert page.troubles == []


def stills():
    """docs/stills.py, as a module."""
    spec = importlib.util.spec_from_file_location("stills", lab.ROOT / "docs/stills.py")
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def blurred_ink(png):
    """How dark each pixel of a picture is, 0 to 1, so blurred that a font hardly matters."""
    shown = plt.imread(io.BytesIO(png), format="png")[..., :3]
    return gaussian_filter(1 - shown.mean(-1), 4)


@pytest.mark.parametrize("name", living.NAMES)
def test_it_looks_like_its_still(name, browser, tmp_path):
    page = browser.new_page(viewport={"width": 760, "height": 900}, device_scale_factor=2)
    drawn, still = (
        blurred_ink(png) for png in (stills().draw(page, name, tmp_path), living.still(name))
    )
    page.close()
    rows = min(len(drawn), len(still))  # the words below may need a line more
    assert abs(len(drawn) - len(still)) < 60
    change = np.abs(drawn[:rows] - still[:rows]).sum() / still.sum()
    # Measured: the same machine 0, a serif font 0.05 to 0.12; plots upside down 0.28 to 1.0.
    assert change < 0.2


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


def test_the_start_of_a_game_is_dragged(sheet):
    page = sheet.show("game_orbit")
    box, before = page.locator("canvas").bounding_box(), shown(page)
    page.mouse.move(box["x"] + 0.3 * box["width"], box["y"] + 0.3 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.4 * box["width"], box["y"] + 0.2 * box["height"], steps=6)
    page.mouse.up()
    settle(page)
    assert shown(page) != before
    theta, psi = page.evaluate(
        "() => document.getElementById('figure').model.get('settings').start"
    )
    assert theta > 0.3
    assert psi > 0.9


def test_a_guess_is_dragged_by_its_peak(sheet):
    page = sheet.show("elbo_gap", settings={"steps": 9})
    box, before = page.locator("canvas").bounding_box(), shown(page)
    page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 0.3 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.7 * box["width"], box["y"] + 0.2 * box["height"], steps=6)
    page.mouse.up()
    settle(page)
    assert shown(page) != before
    now = page.evaluate(SETTINGS)
    assert now["mean"] > 0.5
    assert now["width"] < 0.5
    assert now["steps"] == 0


def test_a_pile_is_dragged_and_its_earth_waits(sheet):
    page = sheet.show("earth_mover")
    box, before = page.locator("canvas").bounding_box(), shown(page)
    page.mouse.move(box["x"] + 0.6 * box["width"], box["y"] + 0.3 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.4 * box["width"], box["y"] + 0.3 * box["height"], steps=6)
    page.mouse.up()
    settle(page)
    assert shown(page) != before
    now = page.evaluate(SETTINGS)
    assert 0 < now["shift"] < 3
    assert now["moved"] == 0


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
    page.mouse.click(box["x"] + 0.42 * box["width"], box["y"] + 0.3 * box["height"])
    settle(page)
    begun = shown(page)
    assert begun != before
    page.mouse.click(box["x"] + 0.42 * box["width"], box["y"] + 0.8 * box["height"])
    settle(page)
    assert shown(page) == before  # back to the right law
    page.mouse.click(box["x"] + 0.9 * box["width"], box["y"] + 0.5 * box["height"])
    settle(page)
    assert float(page.get_by_role("slider", name="step η").input_value()) > -0.6


def test_a_point_is_sent_back_from_where_the_pointer_puts_it(sheet):
    page = sheet.show("forward_process")
    box, time = page.locator("canvas").bounding_box(), page.get_by_role("slider", name="time")
    page.mouse.click(box["x"] + 0.4 * box["width"], box["y"] + 0.3 * box["height"])
    settle(page)
    assert int(time.input_value()) == 100  # pure noise
    before = shown(page)
    page.mouse.click(box["x"] + 0.6 * box["width"], box["y"] + 0.5 * box["height"])
    settle(page)
    assert shown(page) != before
    page.mouse.click(box["x"] + 0.75 * box["width"], box["y"] + 0.9 * box["height"])  # the strip
    settle(page)
    assert 145 < int(time.input_value()) < 156


def test_a_start_is_dragged_along_the_noise(sheet):
    page = sheet.show("sampler_steps")
    box, text = page.locator("canvas").bounding_box(), page.locator("#figure p")
    before = text.inner_text()
    page.mouse.move(box["x"] + 0.1 * box["width"], box["y"] + 0.5 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.1 * box["width"], box["y"] + 0.65 * box["height"], steps=6)
    page.mouse.up()
    settle(page)
    assert text.inner_text() != before  # another path, another gap to the exact flow


def test_a_click_on_a_class_guides_there(sheet):
    page = sheet.show("guidance")
    box = page.locator("canvas").bounding_box()
    page.mouse.click(box["x"] + 0.4 * box["width"], box["y"] + 0.6 * box["height"])
    settle(page)
    assert page.get_by_role("combobox", name="class").input_value() == "green"


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
    page = sheet.show("digits_live", settings={"time": 60})
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
    page = sheet.show("digits_live", settings={"steps": 2})
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
    now = drag(sheet, (0.3, 0.3), (0.42, 0.8))  # from the energy into the distribution
    assert now["start"] is not None
    now = drag(sheet, (0.9, 0.5), (0.3, 0.3))  # from the curve to the left of its axis
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


def test_the_orbit_that_is_drawn_strongly_stays_in_the_frame(sheet):
    text = living.source("game_orbit")
    first = {c["name"]: c["value"] for c in sheet.evaluate(replay.IMPORT, [text, ""])}
    (found,) = sheet.evaluate(replay.REPLAY, [first])
    reach = float(text.split("REACH = ")[1].split(",")[0])
    assert np.abs(found[first["method"]]).max() < reach


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
