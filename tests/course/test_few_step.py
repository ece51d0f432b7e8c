"""The few-step notebook's record and pictures."""

import json
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

import genlab_course
from benchmarks import few_step as maker
from genlab_course.figures import few_step
from genlab_course.grading import assess, find_exercise

DATA = Path(genlab_course.__file__).with_name("data")
MODELS = ("flow matching", "consistency distillation", "consistency training", "shortcut")
MODELS += ("MeanFlow",)


@pytest.fixture
def record():
    return json.loads((DATA / "few_step.json").read_text(encoding="utf-8"))


@pytest.fixture
def shown(monkeypatch):
    """The figures that are shown, as (figure, alt)."""
    found = []
    monkeypatch.setattr(few_step, "show", lambda figure, alt: found.append((figure, alt)))
    yield found
    plt.close("all")


def test_the_record_holds_every_model_of_at_least_three_seeds(record):
    assert len(record["seeds"]) == 6, "a sign needs six"
    for seed in record["seeds"]:
        for kind in ("guess", "velocity"):
            assert tuple(seed[kind]) == MODELS
            assert all(len(values) == 4 for values in seed[kind].values())


def test_the_record_holds_every_training_with_one_thing_changed(record):
    names = maker.of_notebook()
    for seed in record["seeds"]:
        assert set(maker.changed(names, teacher=None)) <= set(seed["one"])


def test_with_all_r_zero_only_samples_near_the_boundary_hold_the_training(record):
    for seed in record["seeds"]:
        teacher, one = seed["guess"]["flow matching"][0], seed["one"]
        for held in ("four near the data", "t uniform"):
            assert one[f"MeanFlow, r = 0, {held}"] < teacher / 2
        for lost in ("r = 0", "r = 0, four in the middle", "r = 0, four near the noise"):
            assert one[f"MeanFlow, {lost}"] > 3 * teacher


def test_the_opening_picture_has_three_rows_of_ten_digits():
    assert np.load(DATA / "few_step.npz")["opening"].shape == (3, 10, 144)


def test_the_record_is_made_by_the_functions_of_the_notebook():
    names = maker.of_notebook()
    losses = maker.losses(names, teacher=None)
    assert set(losses) == set(names["SAMPLERS"]) - {"flow matching"}
    assert not {"teacher", "broken"} & set(names), "nothing was trained"


@pytest.mark.parametrize(
    ("flags", "stated"), [({}, 3.2), ({"spread": False, "quarter": False}, 16.9)]
)
def test_mean_flow_trains_the_jump_that_is_measured_in_as_many_rows_as_the_text_says(flags, stated):
    counts, g = [], torch.Generator().manual_seed(0)

    def counted(u, x0, eps, r, t):
        counts.append(((t > 15 / 16) & (r < 1 / 16)).sum().item())

    mean_flow = maker.of_notebook()["mean_flow"]
    for _ in range(4000):
        mean_flow(None, None, None, None, None, g, loss=counted, **flags)
    assert np.mean(counts) == pytest.approx(stated, abs=0.2)


def test_the_race_is_drawn_at_the_means_of_the_record(record, shown):
    few_step.race(record, floor=1.25, title="a race", alt="curves")
    ((figure, _),) = shown
    at_one = np.mean([seed["guess"]["MeanFlow"][0] for seed in record["seeds"]])
    drawn = [line.get_ydata()[0] for line in figure.axes[0].lines]
    assert np.isclose(drawn, at_one).any()
    assert 1.25 in drawn, "real digits mark the floor"


def test_chords_end_on_the_path_and_tangents_need_not():
    path = torch.tensor([[1.0], [0.5], [0.25]])
    jump = (1.0, 0.0, path[0], path[2], torch.zeros(1))
    figure = few_step.chords([1.0, 0.5, 0.0], [path, path], [jump, jump])
    ends = [tuple(line.get_ydata()) for line in figure.axes[1].lines if len(line.get_xdata()) == 2]
    plt.close(figure)
    assert (1.0, 0.25) in ends
    assert (1.0, 0.0) in ends
    assert "r = 0.00" in figure.axes[0].get_title()


def test_rows_show_every_name_and_the_ten_labels(shown):
    few_step.rows({"one": torch.zeros(10, 144), "two": torch.ones(10, 144)}, title="t", alt="a")
    words = {text.get_text() for text in shown[0][0].axes[0].texts}
    assert {"one", "two", "asked for", *map(str, range(10))} <= words


def test_a_loss_that_explodes_is_drawn_on_a_logarithmic_axis(shown):
    few_step.losses({"lost": [1.0, 1e6] * 20, "sound": [1.0] * 40}, title="t", alt="a")
    assert shown[0][0].axes[0].get_yscale() == "log"


def test_the_first_picture_draws_every_number_of_steps(shown):
    noise = torch.linspace(-2, 2, 5)[:, None]
    ends = dict.fromkeys((1, 2, 4, "exact"), noise)
    tracks = torch.stack([noise[:, 0], noise[:, 0]])
    few_step.why_few_steps_fail([1.0, 0.0], tracks, 0 * noise, noise, ends)
    words = {text.get_text() for text in shown[0][0].axes[1].texts}
    assert words == {"1 step", "2 steps", "4 steps", "exact"}


@pytest.mark.reference
def test_the_jumps_of_the_notebook_are_the_steps_of_diffusers_scheduler():
    schedulers = pytest.importorskip("diffusers.schedulers.scheduling_flow_map_euler_discrete")
    jumps = maker.of_notebook()["jumps"]

    def net(x, r, t, label):
        return torch.sin(3 * x) + t * x - r

    x = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
    scheduler = schedulers.FlowMapEulerDiscreteScheduler()
    scheduler.set_timesteps(4)
    theirs = x
    for t in scheduler.timesteps:
        now = torch.full((5, 1), float(t) / 1000)
        theirs = scheduler.step(net(theirs, now - 0.25, now, None), t, theirs).prev_sample
    torch.testing.assert_close(jumps(net, x, 4, None), theirs, rtol=1e-6, atol=1e-6)
    assert not torch.allclose(jumps(net, x, 4, None, euler=True), theirs, atol=1e-3)


def _along(**how):
    def along(u, x, r, t, v):
        rates = v, torch.zeros_like(r), torch.ones_like(t)
        return torch.autograd.functional.jvp(u, (x, r, t), rates, **how)

    return along


@pytest.mark.parametrize(
    ("how", "says"), [({}, "create_graph=True"), ({"create_graph": True}, "right")]
)
def test_a_jvp_that_training_cannot_follow_is_refused_where_it_is_written(how, says):
    assert says in assess(find_exercise("few.along"), _along(**how))


def _broken(u, slow, x, s, t, v):
    def f(x, t):
        return x - u(x, 0 * t, t)

    return (f(x, t) - f(x - (t - s) * v, s)).square().mean()


def _target_from_the_noisier_point(u, slow, x, s, t, v):
    lower = x - (t - s) * v
    target = x - t * slow(x, 0 * t, t)
    return (lower - s * u(lower, 0 * s, s) - target.detach()).square().mean()


def _consistency_summed(u, slow, x, s, t, v):
    lower = x - (t - s) * v
    target = lower - s * slow(lower, 0 * s, s)
    return (x - t * u(x, 0 * t, t) - target.detach()).square().sum(1).mean()


def _place_at_r(x, r, t, std):
    def spread(a):
        return torch.hypot((1 - a) * std, a)

    return x * spread(r) / spread(t)


def _against_v(u, x, r, t, v):
    return torch.func.jvp(u, (x, r, t), (-v, torch.zeros_like(r), torch.ones_like(t)))


def _mean_flow(*, down=-1.0, bridged=lambda r, t: t - r, at=lambda r, t: t):
    def loss(u, x0, eps, r, t):
        x, v = (1 - at(r, t)) * x0 + at(r, t) * eps, down * (x0 - eps)
        average, change = torch.func.jvp(u, (x, r, t), (v, 0 * r, 1 + 0 * t))
        return (average - (v - bridged(r, t) * change).detach()).square().mean()

    return loss


@pytest.mark.parametrize(
    ("id", "answer", "says"),
    [
        ("few.consistency", _target_from_the_noisier_point, "its answer is the target"),
        ("few.consistency", _consistency_summed, "summed over the pixels"),
        ("few.normal-average", _place_at_r, "That is y_r"),
        ("few.along", _against_v, "x moves with +v"),
        ("few.mean-flow", _mean_flow(at=lambda r, t: r), "where the jump begins"),
        ("few.four-samples", "noise", "ask only for agreement"),
        ("few.four-samples", "data", "right"),
        ("few.mean-flow", _mean_flow(), "right"),
        ("few.mean-flow", _mean_flow(down=1.0), "velocity of the line points to the noise"),
        ("few.mean-flow", _mean_flow(bridged=lambda r, t: t), "t - r, not t"),
    ],
)
def test_the_slips_of_the_two_losses_are_named(id, answer, says):
    assert says in assess(find_exercise(id), answer)


def test_the_loss_with_faults_handed_back_gives_away_none_of_them():
    reply = assess(find_exercise("few.consistency"), _broken)
    assert "as it stood" in reply
    assert not any(word in reply for word in ("slow", "factor", "detach", "gradient"))


def test_each_dotted_line_of_the_race_is_named_left_of_the_curves(record, shown):
    few_step.race(record, floor=1.25, title="a race", alt="curves")
    axes = shown[0][0].axes[0]
    places = {text.get_text(): text.get_position() for text in axes.texts}
    long = np.mean([seed["long"] for seed in record["seeds"]])
    assert places["flow matching, 32 steps"] == pytest.approx((0.95, long))
    assert places["other real digits"] == pytest.approx((0.95, 1.25))
