"""What living figures compute, draw, say and do under a hand, all on one bench (bench.js).

A mistake of `mistakes/*.toml` that has a key `seen` is none of the mathematics: it is planted too,
and the picture, the sentence, the film's clock or the hand must show it.
"""

import math
import re

import numpy as np
import pytest
from PIL import Image

from genlab_course.widgets import living
from tests.browser.living import bench as benches
from tests.browser.living import replay, said

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.xdist_group("bench")]
SPOKEN = 10  # settings at which each sentence is held


@pytest.fixture(scope="module")
def one(browser):
    """The bench of all tests here."""
    with benches.opened(browser) as bench:
        yield bench


def golden_settings(name, controls):
    """The settings at which a figure's numbers are compared with genlab's.

    What takes a network long is short in the random ones: `SHORT` of its golden module.
    """
    golden = replay.golden(name)
    cases = replay.settings(golden, controls)
    short = getattr(golden, "SHORT", {})
    first = len(cases) - getattr(golden, "N_RANDOM", replay.N_RANDOM)
    return [
        case if k < first else case | {key: min(case[key], most) for key, most in short.items()}
        for k, case in enumerate(cases)
    ]


def misstated(bench, name, settings, expected):
    """Sentences with a number that is not genlab's, over some settings."""
    found = []
    bench.open(settings[0])
    for case, numbers in zip(settings, expected, strict=True):
        bench.do("set", case)
        words, right = bench.do("says"), getattr(said, name)(case, numbers)
        printed = said.numbers(words)
        if len(printed) != len(right) or not all(map(said.is_print_of, printed, right)):
            found.append(f"{words} | {[None if v is None else float(v) for v in right]}")
    return found


@pytest.mark.parametrize("name", living.NAMES)
def test_its_mathematics_and_its_sentence_are_genlabs_and_three_planted_mistakes_are_told_apart(
    name, one
):
    golden, text = replay.golden(name), living.source(name)
    settings = golden_settings(name, one.load(name))
    expected = [golden.expected(case) for case in settings]
    some = slice(None, None, max(1, len(settings) // SPOKEN))
    assert misstated(one, name, settings[some], expected[some]) == []
    rtol = getattr(golden, "RTOL", 1e-9)

    def furthest(enough=math.inf):
        """How far the numbers are apart at most, in tolerances, or any that is `enough`."""
        most = 0.0
        for case, numbers in zip(settings, expected, strict=True):
            (found,) = one.mathematics([case])
            most = max(most, replay.worst(found, numbers, rtol))
            if most > enough:
                break
        return most

    assert furthest() <= 1
    planted = [m for m in replay.mistakes(name) if "seen" not in m]
    assert len(planted) >= 3
    for mistake in planted:
        assert text.count(mistake["old"]) == 1, mistake
        one.load(name, text.replace(mistake["old"], mistake["new"]))
        assert furthest(enough=1) > 1, f"not told apart: {mistake['mistake']}"


@pytest.mark.parametrize("name", living.NAMES)
def test_it_draws_and_says_what_a_person_has_looked_at(name, one):
    one.load(name)
    changes = list(benches.changed(benches.stored(name), benches.record(one, name)))
    assert changes == [], "look at it, then: python -m tests.browser.living.bench " + name


@pytest.mark.parametrize("name", living.NAMES)
def test_its_still_shows_the_words_that_it_draws(name):
    with Image.open(living.FOLDER / "stills" / f"{name}.png") as still:
        words = still.info.get("words", "")
    found = benches.stored(name)["pictures"][0]
    there = "\n".join([*benches.words(found["draws"]), found["says"]])
    assert words == there, f"python docs/stills.py {name}"


@pytest.mark.parametrize("name", living.NAMES)
def test_by_night_each_colour_is_one_of_the_theme(name, one):
    one.page.emulate_media(color_scheme="dark")
    one.load(name)
    one.open({"many": 1, "steps": 2} if name == "digits_live" else {})
    drawn = [line for line in one.do("drawn") if "#" in line.partition(":")[0]]
    one.page.emulate_media(color_scheme="light")
    assert drawn == []


@pytest.mark.parametrize("name", living.NAMES)
def test_each_control_moves_the_picture(name, one):
    controls = [control for control in one.load(name) if control.get("label")]
    one.open({"many": 1, "digit": "3", "steps": 3} if name == "digits_live" else {})
    for control in sorted(controls, key=lambda control: "options" in control):
        before, value = one.do("drawn"), control["value"]
        if "options" in control:
            target = next(o for o in control["options"] if o != value)
        else:
            low, high, step = (control[k] for k in ("min", "max", "step"))
            part = 0.25 if (value - low) / (high - low) > 0.5 else 0.75
            target = low + step * round(part * (high - low) / step)
        one.do("move", control["name"], target)
        assert one.do("drawn") != before, control["name"]


HALF = {"digits_live": {"many": 1, "steps": 2}}  # of what takes long


@pytest.mark.parametrize("name", living.NAMES)
def test_its_sliders_say_what_the_figure_shows_after_a_film_and_a_drag(name, one):
    golden = replay.golden(name)
    controls = one.load(name)

    def told():
        settings = one.settings()
        right = said.on_sliders(name, settings, golden.expected(settings))
        sliders = one.do("sliders")
        assert sliders == one.do("prints", {k: float(right[k]) for k in sliders})
        assert said.numbers(one.do("says")) != []

    for control in controls:
        if "play" in control:
            one.open(HALF.get(name, {}))
            one.do("play", control["name"], 0.5)
            told()
    width, height = one.do("size")
    one.do("drag", [[0.5 * width, 0.4 * height], [0.6 * width, 0.3 * height]])
    told()
    for control in controls:  # and a hand on a slider goes on from there
        if control.get("label") and "options" not in control:
            one.do("move", control["name"], control["min"])
            assert one.settings()[control["name"]] == control["min"]
            told()


@pytest.mark.parametrize("name", living.NAMES)
def test_on_a_slider_right_means_more_or_later(name, one):
    one.load(name)
    for control in one.controls:
        if not control.get("label") or "options" in control:
            continue
        ends = [control["min"] + k / 8 * (control["max"] - control["min"]) for k in range(9)]
        shown = [one.do("prints", {control["name"]: v})[control["name"]] for v in ends]
        groups = {}  # "step 3" and "back, step 3" count on their own
        for words in shown:
            (number,) = said.numbers(words)
            groups.setdefault(re.sub(r"[−\d.e]+", "", words), []).append(float(number))
        for numbers in groups.values():
            assert numbers == sorted(numbers), (control["name"], shown)


@pytest.mark.parametrize("name", living.NAMES)
def test_a_drag_that_changes_nothing_leaves_no_mark(name, one):
    one.load(name)
    one.open(HALF.get(name, {}) | {"steps": 2} if name == "digits_live" else {})
    width, height = one.do("size")
    across = [[k / 12 * width, j / 10 * height] for k in range(13) for j in range(11)]
    one.do("drag", across)
    assert one.do("stray") == 0  # where a pointer is, is asked between pictures
    settings, before = one.settings(), one.do("drawn")
    one.do("drag", [[-40, -40], [-30, -40]])  # outside
    if one.settings() == settings:
        assert one.do("drawn") == before


WIDTHS = (340, 480, 560, 656, 760)


@pytest.mark.parametrize("name", living.NAMES)
def test_no_word_and_no_picture_is_cut_at_the_edge(name, one):
    one.load(name)
    for width in WIDTHS:
        one.open(HALF.get(name, {}), width)
        high = one.do("size")[1]
        cut = [
            (m["words"], [round(v) for v in m["wide"]], round(m["points"][0][1]))
            for m in one.marks("text")
            if m["wide"][0] < -2
            or m["wide"][1] > width + 2
            or not 0 <= m["points"][0][1] <= high - m["size"] / 3
        ]
        cut += [m["points"] for m in one.marks("frame") if m["points"][1][1] > high + 1]
        assert cut == [], width


def crosses(line, words):
    """Whether a straight line from end to end runs through the box of some words."""
    (x0, y0), (x1, y1) = line["points"]
    (left, right), (_, y) = words["wide"], words["points"][0]
    at = np.linspace(0, 1, 2001)
    xs, ys = x0 + at * (x1 - x0), y0 + at * (y1 - y0)
    half = words["size"] / 3
    return bool(((xs > left) & (xs < right) & (abs(ys - y) < half)).any())


def test_the_logits_line_does_not_run_through_the_word_at_the_data(one):
    one.load("game_orbit")
    for width in (560, 760):
        for steps in range(0, 151, 10):
            one.open({"steps": steps, "method": "simultaneous"}, width)
            lines = [
                m for m in one.marks("line") if m["style"] == "red 2" and len(m["points"]) == 2
            ]
            (data,) = (m for m in one.marks("text") if m["words"] == "data")
            assert len(lines) == 1
            assert not crosses(lines[0], data), (width, steps)


# Figure, settings, where a hand takes hold and lets go (pixels at a width of 760), what it sets,
# and how the mark looks that then lies there. Places with round numbers were read off the ticks.
DRAGS = {
    "a guess by its peak": ("elbo_gap", {}, (400, 190), (516, 136),
        {"mean": 1, "width": 1 / math.sqrt(2 * math.pi), "steps": 0}, "blue r8 ring paper"),
    "the start of a game": ("game_orbit", {}, (288, 169), (386, 127),
        {"start": [2, 1]}, "paper r6 ring ink"),
    "a start along the noise": ("sampler_steps", {}, (45, 231), (45, 150),
        {"start": 1}, "orange r8 ring paper"),
    "a target": ("kl_fit", {}, (284, 203), (284, 92), {"drawn 8": 0.6}, None),
    "a layer's dot": ("flow_grid", {}, (98, 533), (159, 473),
        {"knobs 0": 1.9, "knobs 1": 0}, "orange r6 ring paper"),
    "a start of a path": ("straight_flow", {}, (154, 109), (228, 250), {}, "ink r4 ring paper"),
    "a point of one's own": ("forward_process", {"time": 100}, (400, 200), (300, 260),
        {"time": 100}, "ink r7 ring paper"),
    "the time": ("forward_process", {}, (144, 455), (564, 455), {"time": 150}, None),
    "an end of a walk": ("latent_walk", {}, (346, 88), (296, 213),
        {"to": [1, 0], "walk": 100}, "blue r8 ring paper"),
    "a pile of earth": ("earth_mover", {}, (446, 100), (479, 100), {"shift": 4, "moved": 0}, None),
    "a step on the curve": ("langevin_bias", {}, (155, 250), (207, 250), {"log_eta": -1}, None),
    "a class": ("guidance", {}, (300, 200), (152, 299), {"name": "pink"}, None),
    "a cell of a mask": ("causal_mask", {}, (62, 70), (63, 70), {"mask 0": 1}, None),
    "walkers": ("score_walk", {}, (300, 200), (301, 200), {}, "paper r4 ring ink"),
    "the ruler": ("digits_live", {"many": 1, "steps": 2, "time": 0}, (108, 214), (426, 214),
        {"time": 50}, None),
}  # fmt: skip


def misplaced(bench, grabs):
    """What a hand did not do: settings more than 5 % away, and no mark under it."""
    _, settings, begin, end, wanted, look = grabs
    bench.open(settings)
    bench.do("drag", [begin, end])
    now, found = bench.settings(), []
    for key, right in wanted.items():
        name, _, k = key.partition(" ")
        value = now[name][int(k)] if k else now[name]
        near = value == right if isinstance(right, str) else np.allclose(value, right, 0.05, 0.05)
        if not near:
            found.append(f"{key}: {value}, not {right}")
    there = [m["points"][0] for m in bench.marks("dot") if look and m["style"] == look]
    if look and not any(math.dist(place[:2], end) < 3 for place in there):
        found.append(f"no {look} at {end}: {there[:4]}")
    return found


@pytest.mark.parametrize("what", DRAGS)
def test_what_is_dragged_follows_the_hand(what, one):
    one.load(DRAGS[what][0])
    assert misplaced(one, DRAGS[what]) == []


def test_the_orbit_that_is_drawn_strongly_stays_in_the_frame(one):
    first = {c["name"]: c["value"] for c in one.load("game_orbit")}
    (found,) = one.mathematics([first])
    reach = float(living.source("game_orbit").split("REACH = ")[1].split(",")[0])
    assert np.abs(found["simultaneous"]).max() < reach  # the widest of the four


def test_a_mark_that_is_dragged_past_the_rim_is_still_seen(one):
    one.load("flow_grid")
    one.open({})
    one.do("drag", [[120, 113], [8, 172]])
    marks = [m for m in one.marks("dot") if m["style"].partition(" ring")[0].endswith("r5")]
    assert any(math.dist(m["points"][0][:2], (19, 172)) < 6 for m in marks)
    one.do("move", "walked", 2)  # where it was, seen through fewer layers
    assert any(m["points"][0][0] < 380 for m in one.marks("dot") if "r5" in m["style"])


def test_a_finger_that_scrolls_the_page_changes_nothing_and_a_tap_does(one):
    one.load("game_orbit")
    one.open({})
    before = one.settings()
    one.do("cancel", [[150, 100], [151, 180]])
    assert one.settings() == before
    one.do("drag", [[150, 100]], "touch")  # a tap
    tapped = one.settings()["start"]
    assert tapped != before["start"]
    one.do("drag", [[300, 300], [290, 300], [386, 127]], "touch")  # sideways: a drag
    assert one.settings()["start"] == pytest.approx([2, 1], abs=0.05)


def luminance(rgb):
    """Relative luminance of a colour, by WCAG 2."""
    parts = [v / 255 for v in rgb]
    linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    """Contrast ratio of two colours, by WCAG 2: 1 to 21."""
    low, high = sorted([luminance(one), luminance(other)])
    return (high + 0.05) / (low + 0.05)


def over(paper, alpha, color):
    """What is seen of a colour on paper."""
    return [alpha * c + (1 - alpha) * p for p, c in zip(paper, color, strict=True)]


def themes(text):
    """The colours of day and night, by their names."""
    for name in ("DAY", "NIGHT"):
        body = re.search(rf"const {name} = \{{([^}}]*)\}}", text)[1]
        pairs = re.findall(r'(\w+): "#(\w\w)(\w\w)(\w\w)"', body)
        yield {name: [int(v, 16) for v in rgb] for name, *rgb in pairs}


def test_a_costly_token_stands_out_and_its_letters_are_legible_by_day_and_night(one):
    one.load("next_token")
    for theme, colours in zip(("light", "dark"), themes(living.source("next_token")), strict=True):
        one.page.emulate_media(color_scheme=theme)
        one.open({"temperature": 2, "top": 1, "length": 12})
        one.page.emulate_media(color_scheme="light")
        paper, seen = colours["paper"], []
        for box in one.marks("box"):
            color, _, alpha = box["style"].partition(" α")
            if color != "orange" or box["points"][0][1] > 80:  # the text, not its key
                continue
            (x0, y0), (x1, y1) = box["points"]
            ground = over(paper, float(alpha or 1), colours["orange"])
            inside = [
                m for m in one.marks("text")
                if x0 - 1 <= m["points"][0][0] < x1 - 1 and y0 < m["points"][0][1] < y1
            ]  # fmt: skip
            seen.append(contrast(ground, paper))
            for letter in inside:
                if "α" not in letter["style"]:  # a mark for a line's end may be faint
                    ink = colours[letter["style"].split()[0]]
                    assert contrast(ink, ground) > 4.5, (theme, letter)
        assert max(seen) > 1.9, theme  # (1.57 at most before)


def test_what_a_colour_means_stands_beside_it(one):
    said = {
        "causal_mask": ["reads", "through layers", "a leak", "surprise (nats)"],
        "next_token": ["cost, bits", "8+"],
        "guidance": ["guided: mean", "sharpened: mean", "guided: spread", "sharpened: spread",
                     "lines: from where w = 1 puts them"],
        "forward_process": ["who lands here came from"],
        "kl_fit": ["Draw a target here"],
        "langevin_bias": ["drag the step", "% of the mass in the wrong place"],
    }  # fmt: skip
    for name, words in said.items():
        one.load(name)
        one.open({"time": 150} if name == "forward_process" else {})
        there = {m["words"] for m in one.marks("text")}
        assert set(words) <= there, name


def test_where_points_came_from_is_a_picture(one):
    one.load("forward_process")
    settings = {c["name"]: c["value"] for c in one.controls} | {"time": 200}
    one.open(settings)
    met = np.asarray(replay.golden("forward_process").expected(settings)["from"])
    boxes = [m for m in one.marks("box") if m["points"][0][0] < 200 and m["points"][1][1] < 100]
    wide = np.array([m["points"][1][0] - m["points"][0][0] for m in boxes]).reshape(met.shape)
    assert np.allclose(wide / wide.sum(1, keepdims=True), met, atol=1e-6)
    assert [m["style"] for m in boxes[:3]] == ["blue", "orange", "green"]


def test_walkers_are_louder_than_the_arrows_that_move_them(one):
    one.load("score_walk")
    one.open({"drops": []})
    (day, _) = themes(living.source("score_walk"))

    def loudest(kind, colours):
        found = []
        for mark in one.marks(kind):
            color, _, alpha = re.sub(r" (r|[\d.]+$)[\d.]*", "", mark["style"]).partition(" α")
            color = color.split()[0]
            if color in colours:
                found.append(
                    contrast(over(day["paper"], float(alpha or 1), day[color]), day["paper"])
                )
        return max(found)

    assert loudest("area", {"soft"}) < 0.6 * loudest("dot", {"blue", "green", "pink"})


def test_the_four_ways_to_step_are_first_shown_with_one_weight(one):
    one.load("game_orbit")
    one.open({})
    orbits = [m["style"] for m in one.marks("line") if len(m["points"]) == 151]
    plane = orbits[:4]
    assert len({style.split()[0] for style in plane}) == 4
    assert len({style.partition(" ")[2] for style in plane}) == 1


def test_the_price_of_a_long_step_has_the_largest_panel(one):
    one.load("langevin_bias")
    one.open({})
    width, height = one.do("size")
    curve = next(
        m for m in one.marks("line") if m["style"].startswith("red 2.5") and len(m["points"]) < 60
    )
    xs, ys = np.array(curve["points"]).T
    assert np.ptp(xs) > 0.45 * width
    assert np.ptp(ys) > 0.7 * height


def test_a_target_is_asked_for_until_there_is_one(one):
    one.load("kl_fit")
    one.open({})
    one.do("drag", [[284, 203], [284, 92]])
    assert "Draw a target here" not in {m["words"] for m in one.marks("text")}


FILMS = {
    "guidance": [{"weight": k / 10} for k in range(81)],
    "sampler_steps": [{"steps": n, "sampler": "DPM-Solver++ (2M)"} for n in range(3, 41)],
}


def test_nothing_is_computed_again_that_no_control_changed(one):
    for name in ("guidance", "sampler_steps", "kl_fit", "flow_grid"):
        text = living.source(name)
        old = "  compute, draw, say"
        assert text.count(old) == 1
        counted = "  compute: (s) => { globalThis.asked += 1; return compute(s); }, draw, say"
        one.load(name, text.replace(old, counted))
        one.open({})
        before = one.do("asked")
        one.do("repaint")  # as another theme or size asks
        assert one.do("asked") == before, name


@pytest.mark.parametrize("name", FILMS)
def test_a_film_can_show_twenty_pictures_a_second(name, one):
    one.load(name)
    one.open({})
    times = sorted(one.do("paints", FILMS[name], len(FILMS[name])))
    print(f"{name}: {times[len(times) // 2]:.1f} ms a picture, at most {times[-1]:.1f}")
    assert times[len(times) // 2] < 50  # a fifth of it on a quiet machine


def test_a_film_on_a_busy_page_begins_no_earlier_than_its_slider(one):
    one.load("forward_process")
    one.open({"time": 0})
    assert one.do("early", "time") == 0


SEEN = [
    (mistake, name)
    for name in (*living.NAMES, "stage")
    for mistake in replay.mistakes(name)
    if "seen" in mistake
]


@pytest.mark.parametrize(("mistake", "name"), SEEN, ids=[m["mistake"] for m, _ in SEEN])
def test_a_mistake_that_is_no_mathematics_is_seen(mistake, name, one):
    figure = mistake.get("figure", name)
    text = living.source(figure)
    assert text.count(mistake["old"]) == 1
    one.load(figure, text.replace(mistake["old"], mistake["new"]))
    if mistake["seen"] == "picture":
        changes = list(benches.changed(benches.stored(figure), benches.record(one, figure)))
        assert any(not line.startswith("seconds") for line in changes)
    elif mistake["seen"] == "clock":
        assert benches.seconds(one) != benches.stored(figure)["seconds"]
    elif mistake["seen"] == "sentence":
        settings = golden_settings(figure, one.controls)[:3]
        expected = [replay.golden(figure).expected(case) for case in settings]
        assert misstated(one, figure, settings, expected) != []
    else:
        grabs = [drag for drag in DRAGS.values() if drag[0] == figure]
        assert any(misplaced(one, drag) for drag in grabs)
