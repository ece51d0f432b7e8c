"""The pictures of the speed-run's notebook, and the exercises that a table cannot hold."""

import json
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

import genlab_course
from genlab.train.muon import Muon
from genlab_course.exercises import frontier_speedrun as bank
from genlab_course.figures import STYLE, speedrun
from genlab_course.grading import assess

DATA = Path(genlab_course.__file__).with_name("data")


@pytest.fixture
def record():
    return json.loads((DATA / "speedrun.json").read_text(encoding="utf-8"))


@pytest.fixture
def shown(monkeypatch):
    """The figures that are shown, as (figure, alt)."""
    found = []
    monkeypatch.setattr(speedrun, "show", lambda figure, alt: found.append((figure, alt)))
    yield found
    plt.close("all")


def test_rows_of_digits_have_their_names(shown):
    pictures = np.load(DATA / "speedrun.npz")
    speedrun.rows({"a": pictures["former"], "b": pictures["muon"]}, title="t", alt="a")
    assert {text.get_text() for text in shown[0][0].axes[0].texts} == {"a", "b"}


def test_at_an_equal_number_of_steps_the_placebo_draws_the_same_digits():
    pictures = np.load(DATA / "speedrun.npz")
    assert set(speedrun.ROWS) | {"control", "n_steps"} == set(pictures.files)
    np.testing.assert_array_equal(pictures["average"], pictures["levels"])
    assert (pictures["late"] != pictures["levels"]).any()


def test_the_best_of_many_is_marked_where_it_lies(shown):
    scores = torch.rand(20, 2, generator=torch.Generator().manual_seed(0))
    best = int(scores[:, 0].argmin())
    speedrun.luck(scores, best)
    (star,) = shown[0][0].axes[0].collections[1].get_offsets()
    np.testing.assert_allclose(star, scores[best])


def test_noise_stands_above_real_digits_each_with_both_scores(shown):
    noise, real = torch.zeros(10, 1, 16, 16), torch.full((10, 1, 16, 16), 255.0)
    speedrun.tricks(noise, real, (0.05, 0.13), (7.2, 0.08))
    ax = shown[0][0].axes[0]
    said = {text.get_position()[1]: text.get_text() for text in ax.texts}
    assert [said[y] for y in sorted(said)] == ["A 0.05,  B 7.20", "A 0.13,  B 0.08"]
    picture = np.asarray(ax.images[0].get_array(), dtype=float)
    half = len(picture) // 2
    assert picture[:half].mean() != picture[half:].mean()


def test_directions_are_drawn_over_the_largest(shown):
    line, sizes = torch.logspace(-3, 0, 20), torch.linspace(4.0, 1.0, 48)
    after = dict.fromkeys(("classical", 1, 3, 5), line)
    speedrun.orthogonal(line, after, dict.fromkeys(("gradient", "signs", "Muon"), sizes))
    drawn = shown[0][0].axes[1].lines[0].get_ydata()
    assert (drawn[0], drawn[-1]) == (1.0, 0.25)
    assert "signs of the gradient" in {text.get_text() for text in shown[0][0].axes[1].texts}


def test_each_schedule_has_a_dot_at_its_best_peak(shown):
    peaks = torch.tensor([0.1, 0.2, 0.5])
    losses = {name: torch.tensor([0.3, 0.2, 0.25]) for name in speedrun.SCHEDULES}
    speedrun.schedules(dict.fromkeys(losses, torch.ones(4)), peaks, losses)
    dots = [line for line in shown[0][0].axes[1].lines if len(line.get_xdata()) == 1]
    assert [float(dot.get_xdata()[0]) for dot in dots] == pytest.approx([0.2] * 4)


def test_levels_are_drawn_with_the_three_means_of_training(shown):
    levels = torch.linspace(-1, 3, 5)
    speedrun.decided(levels, levels, levels, levels)
    words = [text.get_text() for text in shown[0][0].axes[1].get_legend().get_texts()]
    assert words[-3:] == [f"training, P = {mean}" for mean in ("-1.2", "-0.8", "0.5")]


def test_curves_over_the_steps_are_medians_of_the_ten_seeds(record, shown):
    speedrun.crossing(record["laboratory"])
    wanted = [
        r["frechet_a"]
        for r in record["laboratory"]
        if (r["optimizer"], r["p_mean"], r["n_steps"]) == ("Muon", 0.5, 400) and r["seed"] > 0
    ]
    assert len(wanted) == 10
    assert shown[0][0].axes[1].lines[1].get_ydata()[-1] == pytest.approx(np.median(wanted))


def test_the_crossing_says_both_halves_of_its_message(record, shown):
    speedrun.crossing(record["laboratory"])
    figure = shown[0][0]
    assert figure.get_suptitle() == "The same idea hurts short runs and helps long ones"
    assert [ax.get_title() for ax in figure.axes] == ["AdamW", "Muon"]


def test_the_means_of_the_ladder_are_one_line_in_two_parts(shown):
    with plt.style.context(STYLE):
        speedrun.ladder({name: [0.5, 0.4] for name in speedrun.ROWS}, [0.6, 0.5], 0.13, 0.02)
    lines = [line for line in shown[0][0].axes[0].lines if len(line.get_xdata()) > 1]
    styles = {line.get_linestyle() for line in lines if line.get_color() == speedrun.BLUE}
    assert styles == {"-"}


def test_the_control_stands_before_the_row_that_it_is_a_control_of(shown):
    table = {name: [0.5, 0.4] for name in speedrun.ROWS}
    speedrun.ladder(table, [0.6, 0.5], 0.13, 0.02)
    ticks = [text.get_text() for text in shown[0][0].axes[0].get_xticklabels()]
    assert ticks[-1] == "control"
    assert shown[0][0].axes[0].get_xticks()[-1] == 2


def test_two_steps_of_the_solution_are_two_steps_of_muon():
    g = torch.Generator().manual_seed(1)
    w, *gradients = torch.randn(3, 4, 2, 3, 3, generator=g)
    theirs = torch.nn.Parameter(w.clone())
    optimizer, m = Muon([theirs], []), torch.zeros_like(w)
    optimizer.param_groups[0]["lr"] = 0.01
    for grad in gradients:
        theirs.grad = grad
        optimizer.step()
        step, m = bank.muon_step(grad, m)
        w = w - 0.01 * step
    torch.testing.assert_close(w, theirs.detach(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ({"optimizer": "AdamW"}, "a recipe has the settings"),
        (bank.MUON_ROW | {"optimizer": "AdamW", "clip": 1.0}, bank.ONE_LEFT),
        (bank.MUON_ROW | {"rate": 0.003}, bank.THE_OTHER),
        (bank.MUON_ROW | {"optimizer": "SGD"}, "`optimizer` is 'SGD'; in the two rows it is"),
        ("AdamW", "could not be read"),
    ],
)
def test_a_control_that_leaves_the_question_open_is_told_what_it_leaves_open(answer, says):
    assert says in assess(bank.CONTROL, answer)
