"""Lesson 11: what its exercises accept and name, and its pictures."""

import math

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from genlab import score
from genlab.oracles import GaussianMixture
from genlab_course.exercises import lesson_11 as bank
from genlab_course.figures import lesson_11
from genlab_course.grading import assess, find_exercise

TWO = GaussianMixture(
    torch.tensor([0.8, 0.2]), torch.tensor([[-2.0, 0.0], [2.0, 0.0]]), torch.tensor([0.5, 0.5])
)


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def said(name, answer):
    return assess(find_exercise(f"11.{name}"), answer)


def loss_by_target(score, x0, eps, sigma):
    noisy = x0 + sigma * eps
    target = (x0 - noisy) / sigma**2
    return ((score(noisy) - target) ** 2).sum(dim=-1) / 2


def loss_by_norm(score, x0, eps, sigma):
    return (score(x0 + sigma * eps) + eps / sigma).norm(dim=1) ** 2 / 2


def level_loss_by_cases(score, x0, eps, sigma, weight):
    s = sigma[:, None] if x0.ndim == 2 else sigma[:, None, None, None]
    error = (score(x0 + s * eps, sigma) * s + eps) / s
    return weight / 2 * error.pow(2).sum(dim=tuple(range(1, x0.ndim)))


def annealed_by_index(score, x, sigmas, rate, n_steps, rng):
    x = x.clone()
    for k in range(len(sigmas)):
        eta = rate * float(sigmas[k]) ** 2
        level = torch.full((len(x),), float(sigmas[k]))
        for _ in range(n_steps):
            z = torch.empty_like(x).normal_(generator=rng)
            x = x.add(score(x, level), alpha=eta).add(z, alpha=math.sqrt(2 * eta))
    return x + float(sigmas[-1]) ** 2 * score(x, level)


def slope_by_division(predict, x, level):
    return (predict(x, level).transpose(0, -1) / -level).transpose(0, -1)


def sliced_by_rows(score, x, v):
    x = x.clone().requires_grad_(True)
    s = score(x)
    rows = torch.autograd.grad(s, x, grad_outputs=v, create_graph=True)[0]
    return torch.einsum("nd,nd->n", rows, v) + torch.linalg.vector_norm(s, dim=1) ** 2 / 2


RIGHT = [
    ("dsm-loss", loss_by_target),
    ("dsm-loss", loss_by_norm),
    ("floor", lambda s, sigma: 0.5 * (1 / sigma**2 - 1 / (s**2 + sigma**2))),
    ("floor", lambda s, sigma: np.divide(s**2, 2 * sigma**2 * (s**2 + sigma**2))),
    ("tweedie", lambda x, slope, alpha, sigma: x / alpha + slope * sigma**2 / alpha),
    ("level-loss", level_loss_by_cases),
    ("annealed", annealed_by_index),
    ("noise-for-slope", slope_by_division),
    ("sliced", sliced_by_rows),
]


@pytest.mark.parametrize(("name", "answer"), RIGHT)
def test_a_right_answer_is_accepted_in_several_idioms(name, answer):
    assert said(name, answer) == "right"


WRONG = [
    ("dsm-loss", bank.asked_for_the_noise, "noise"),
    ("dsm-loss", bank.pointed_along_the_noise, "sign"),
    ("dsm-loss", bank.showed_the_clean_example, "clean"),
    ("dsm-loss", bank.averaged_over_an_example, "sums"),
    ("level-loss", bank.one_level_for_all_rows, "each"),
    ("annealed", bank.steps_in_proportion_to_sigma, "sigma^2"),
    ("annealed", bank.noise_of_variance_eta, "2 eta"),
    ("annealed", bank.moved_the_given_points, "in place"),
    ("noise-for-slope", bank.turned_the_sign_alone, "long"),
    ("sliced", bank.slope_of_the_plain_sum, "v is missing"),
]


@pytest.mark.parametrize(("name", "answer", "word"), WRONG)
def test_the_likely_slip_is_named(name, answer, word):
    verdict = said(name, answer)
    assert verdict != "right"
    assert word in verdict


def test_a_sampler_that_gives_no_points_is_told_what_was_expected():
    assert "list" in said("annealed", lambda score, x, *_: [x])
    assert "(1, 2)" in said("annealed", lambda score, x, *_: x[:1])


def test_the_worked_losses_and_sampler_are_those_of_the_library():
    g = torch.Generator().manual_seed(0)
    x0, eps = torch.randn(2, 6, 2, generator=g)
    slope = TWO.noised(1.0, 0.7).score
    mine = bank.dsm_loss(slope, x0, eps, 0.7)
    assert torch.allclose(mine, score.dsm_loss(slope, x0, eps, sigma=0.7), atol=1e-5)
    sigmas = score.noise_ladder(4.0, 0.2, 5)
    field = lambda x, level: TWO.noised(1.0, float(level[0])).score(x)
    rng = torch.Generator().manual_seed(1)
    ends = bank.annealed(field, x0, sigmas, 0.2, 3, rng)
    rng = torch.Generator().manual_seed(1)
    options = {"rate": 0.2, "n_steps": 3, "denoise": True, "generator": rng}
    assert torch.allclose(
        ends, [*score.annealed_langevin(field, x0, sigmas, **options)][-1], atol=1e-4
    )


def test_the_denoising_loss_of_a_perfect_network_is_the_floor():
    g = torch.Generator().manual_seed(2)
    x0, eps = torch.randn(2, 400_000, 1, generator=g, dtype=torch.float64)
    s, sigma = 1.5, 0.6
    best = bank.dsm_loss(lambda x: -x / (s**2 + sigma**2), s * x0, eps, sigma).mean().item()
    assert best == pytest.approx(bank.FLOOR.right(s, sigma), rel=0.01)


def test_a_frame_says_which_fraction_is_on_the_left_and_draws_whom_it_can():
    x = torch.tensor([[-1.0, 0.0], [-2.0, 1.0], [-50.0, 0.0], [2.0, 0.0]])
    (frame,) = lesson_11.pour({"one": [(0.5, x)]}, lambda sigma: TWO.noised(1.0, sigma).score)
    (ax,) = frame.axes
    assert ax.get_xlabel() == "left: 75 %"
    assert "0.50" in ax.get_title()
    assert [len(line.get_xdata()) for line in ax.lines] == [2, 1]  # one is out of the frame


def test_long_arrows_are_cut_and_short_ones_keep_their_length():
    (frame,) = lesson_11.pour({"one": [(1.0, torch.zeros(1, 2))]}, lambda _: lambda x: -0.1 * x)
    arrows = frame.axes[0].collections[0]
    lengths = np.hypot(arrows.U, arrows.V)
    places = np.hypot(*arrows.XY.T)
    assert np.allclose(lengths, np.minimum(0.1 * places, 1), atol=1e-6)


def test_curves_are_named_in_the_order_of_their_ends():
    shares = {"exact scores": [0.5, 0.78], "your network": [0.5, 0.79], "the data": [0.8, 0.8]}
    stills = {"σ = 1": torch.zeros(2, 2), "σ = 2": torch.ones(3, 2)}
    figure = lesson_11.found(shares, stills, "title")
    names = sorted(figure.axes[-1].texts, key=lambda text: -text.get_position()[1])
    assert [text.get_text() for text in names] == ["the data", "your network", "exact scores"]
    assert [ax.get_title() for ax in figure.axes[:2]] == ["σ = 1", "σ = 2"]


def test_each_picture_shows_what_it_is_given():
    line = torch.linspace(-4, 4, 9)
    cloud = lesson_11.targets(line, -line, line, -line / 2).axes[0]
    assert np.allclose(cloud.lines[1].get_ydata(), -line / 2)
    curves = dict.fromkeys(("yours", "noised data", "clean data"), line)
    assert len(lesson_11.slopes(line, curves).axes[0].lines) == 4
    two = lesson_11.parabolas(line, line**2, line**2 + 1).axes[0]
    assert np.allclose(two.lines[1].get_ydata(), line**2 + 1)
    heights = {s: -(line**2) - s for s in (0.1, 0.7, 1.2, 2.0, 4.0)}
    names = [text.get_text() for text in lesson_11.hills(line, heights).axes[0].texts]
    assert names == ["σ = 0.1", "σ = 0.7", "σ = 1.2", "σ = 2", "σ = 4"]
    grown = lesson_11.area(line, line**2, 0.125).axes[0]
    assert np.allclose(grown.lines[0].get_data(), (line.exp(), line**2))
    assert "0.125" in grown.texts[0].get_text()
    pair = lesson_11.without_noise(lambda x: 2 * TWO.score(x), TWO)
    exact, yours = (np.hypot(ax.collections[-1].U, ax.collections[-1].V) for ax in pair.axes)
    assert np.allclose(yours[exact < 0.99], np.minimum(2 * exact, 1)[exact < 0.99], atol=1e-5)
    wrong = torch.zeros(91**2)
    wrong[0] = 2.0  # at (-4.5, -4.5), drawn at the lower left
    level = lesson_11.one_level(TWO.score, wrong, TWO, torch.zeros(5, 2), 0.53)
    shown = level.axes[1].images[0].get_array()
    assert shown.argmax() == 0
    assert "53 % left" in level.axes[2].get_title()


def test_rows_of_digits_are_named_and_their_columns_titled():
    rows = {"a": torch.zeros(3, 1, 8, 8), "b": torch.ones(3, 1, 8, 8)}
    figure = lesson_11.digit_rows(rows, ["one", "two", "three"])
    texts = [text.get_text() for ax in figure.axes for text in ax.texts]
    assert {"a", "b", "one", "two", "three"} == set(texts)
    frames = list(lesson_11.descent([("σ = 10", torch.zeros(12, 1, 8, 8))] * 2))
    assert len(frames) == 2
    assert frames[0].axes[0].get_title() == "σ = 10"


def sliced_forwards(score, x, v):
    s, along = torch.func.jvp(score, (x,), (v,))
    return (along * v).sum(1) + 0.5 * s.square().sum(1)


def test_a_slice_taken_forwards_is_right():
    assert said("sliced", sliced_forwards) == "right"


def test_a_slice_that_training_cannot_follow_is_refused():
    assert "create_graph" in said("sliced", bank.lost_the_graph)


def test_levels_with_axes_of_their_own_are_refused():
    told = said("level-loss", bank.passed_the_reshaped_levels)
    assert "pass sigma as it came" in told
