"""Lesson 10: what its exercises accept and name, and its pictures."""

import math

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from genlab.oracles import GaussianMixture
from genlab_course.exercises import lesson_10 as bank
from genlab_course.figures import lesson_10
from genlab_course.grading import assess, find_exercise

TWO = GaussianMixture(
    torch.tensor([0.2, 0.8]), torch.tensor([[0.0, 1.5], [0.0, -1.5]]), torch.tensor([0.3, 0.3])
)
LINE = torch.linspace(-1.8, 1.8, 145, dtype=torch.float64)


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def said(name, answer):
    return assess(find_exercise(f"10.{name}"), answer)


def chain_by_backward(energy, x, eta, n_steps, rng):
    x = x.detach().clone()
    for _ in range(n_steps):
        x.requires_grad_(True)
        energy(x).sum().backward()
        with torch.no_grad():
            x = x - eta * x.grad + (2 * eta) ** 0.5 * torch.randn(*x.shape, generator=rng)
    return x.detach()


def chain_by_func(energy, x, eta, n_steps, rng):
    for _ in range(n_steps):
        slope = torch.func.grad(lambda x: energy(x).sum())(x)
        x = x.add(slope, alpha=-eta).add(
            torch.empty_like(x).normal_(generator=rng) * (2 * eta) ** 0.5
        )
    return x


def update_in_two_passes(energy, optimizer, x, negatives):
    optimizer.zero_grad()
    low, high = energy(x).mean(), energy(negatives).mean()
    low.backward()
    (-high).backward()
    optimizer.step()
    return (low - high).item()


def pool_by_index_copy(pool, rows, walk):
    pool.index_copy_(0, rows, walk(pool.index_select(0, rows)))
    return pool[rows]


def descent_by_number(rungs, x, tied, walk):
    for k in range(len(rungs) - 1, -1, -1):
        energy, s = rungs[k]
        y = x.clone()
        x = walk(tied(energy, y, s), y, s)
    return x


def descent_of_a_copy(rungs, x, tied, walk):
    for energy, s in rungs.copy()[::-1]:
        x = walk(tied(energy, x, s), x, s)
    return x


RIGHT = [
    ("slope-of-log-z", lambda e: -np.exp(-np.asarray(e)) / np.exp(-np.asarray(e)).sum()),
    ("slope-of-log-z", lambda e: [-math.exp(-v) / sum(math.exp(-w) for w in e) for v in e]),
    ("langevin", chain_by_backward),
    ("langevin", chain_by_func),
    ("settled-variance", lambda eta, c: 2 * eta / (1 - (1 - eta * c) ** 2)),
    ("settled-variance", lambda eta, c: 2 / (c * (2 - eta * c))),
    ("update", update_in_two_passes),
    ("pool", pool_by_index_copy),
    ("spring", lambda b: 0.5 * b**-0.5),
    ("spring", lambda b: np.sqrt(1 / (4 * b))),
    ("descent", descent_by_number),
    ("descent", descent_of_a_copy),
    ("annealed-weights", lambda b, q, e: -((b[1:] - b[:-1]) @ (e + q))),
]  # fmt: skip


@pytest.mark.parametrize(("name", "answer"), RIGHT)
def test_a_right_answer_is_accepted_in_several_idioms(name, answer):
    assert said(name, answer) == "right"


WRONG = [
    ("langevin", bank.slope_of_the_mean, "mean"),
    ("langevin", bank.kept_the_graph, "Detach"),
    ("langevin", bank.moved_the_given_points, "in place"),
    ("langevin", bank.noise_of_two_columns, "pictures"),
    ("update", bank.cleared_after_the_step, "before"),
    ("pool", bank.forgot_the_pool, "pool"),
    ("descent", bank.forgot_the_spring, "spring"),
    ("spring", lambda b: 1 / math.sqrt(8 * b), "negative"),
    ("update", bank.exchanged_the_phases, "down"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "answer", "word"), WRONG)
def test_the_likely_slip_is_named(name, answer, word):
    verdict = said(name, answer)
    assert verdict != "right"
    assert word in verdict


def test_the_longest_spring_bends_the_top_of_the_barrier_up():
    b = 6.0
    bend = b * (12 * LINE**2 - 4)
    longest = bank.SPRING.right(b)
    assert (bend + 1 / longest**2).min() >= -1e-9
    assert (bend + 1 / (1.01 * longest) ** 2).min() < 0


def labels(figure):
    return [ax.get_xlabel() for ax in figure.axes]


def test_a_frame_says_which_fraction_of_its_marbles_lies_above():
    x = torch.tensor([[0.0, 1.0], [0.0, -1.0], [0.0, -2.0], [0.5, -1.0]])
    (frame,) = lesson_10.marbles({"one": [(TWO, x)]}, lambda x: x[:, 1] > 0)
    assert labels(frame) == ["above: 25%"]
    (dots,) = frame.axes[0].lines
    assert np.allclose(np.stack(dots.get_data(), 1), x)


def test_a_lost_crescent_is_lost_in_the_picture():
    places = torch.cartesian_prod(torch.arange(5.0), torch.arange(5.0))
    truth = torch.ones(25) / 25
    learned = (places[:, 1] < 2).float()
    figure = lesson_10.lost(truth, learned / learned.sum(), torch.zeros(3, 2), (0.2, 0.2, 0.0))
    assert labels(figure) == ["above: 20%", "above: 20%", "above: 0%"]
    shown = figure.axes[2].images[0].get_array()
    assert (shown[2:] == 0).all()
    assert (shown[:2] > 0).all()


def test_the_wait_is_drawn_against_the_barrier_and_the_spring():
    waits = {1: 122.0, 3: 360.0, 6: 3192.0}
    right = lesson_10.barriers(LINE, waits).axes[1]
    assert list(right.lines[0].get_ydata()) == list(waits.values())
    held = {0.2: 12.0, 1.0: 3000.0}
    right = lesson_10.springs(LINE, held, 0.204, 3192.0).axes[1]
    assert list(right.lines[0].get_ydata()) == [12.0, 3000.0]
    assert {line.get_xdata()[0] for line in right.lines[2:]} == {0.204}


def test_each_picture_of_the_plane_shows_what_it_is_given():
    x = {0: torch.zeros(3, 2), 50: torch.ones(4, 2)}
    stills = lesson_10.stills(x, TWO, "title")
    assert [ax.get_title() for ax in stills.axes] == ["start", "50 steps"]
    assert [len(ax.lines[0].get_xdata()) for ax in stills.axes] == [3, 4]
    relief = lesson_10.relief(lambda x: -TWO.log_prob(x), TWO)
    assert "Energy" in relief.axes[0].get_title()
    p = torch.ones(16) / 16
    found = dict.fromkeys((0.1, 0.15, 0.3), (p, p))
    ghosts = lesson_10.ghosts(found, {0.1: 0.98, 0.15: 0.5, 0.3: 0.01})
    assert labels(ghosts)[3:] == [f"mass above: {m}" for m in ("0.98", "0.50", "0.01")]
    assert labels(lesson_10.mended(p, p, (0.5, 0.0))) == ["mass above: 0.50", "mass above: 0.00"]
    weights = torch.tensor([0.1, 0.1, 0.2, 0.6])
    particles = lesson_10.weighted(torch.ones(4, 2), weights, TWO, (0.5, 0.2))
    assert labels(particles) == ["above: 50 %", "above: 20 %"]
    sizes = particles.axes[1].collections[0].get_sizes()
    assert np.allclose(sizes / sizes.sum(), weights)
    rows = lesson_10.digits({"a": torch.zeros(4, 1, 8, 8), "b": torch.ones(4, 1, 8, 8)})
    assert [ax.texts[0].get_text() for ax in rows.axes] == ["a", "b"]


def test_the_arrows_of_the_two_phases_lead_from_the_old_energy_to_the_new():
    line = torch.linspace(-4, 4, 81)
    figure = lesson_10.phases(
        line, line**2 / 4, line**2 / 4 + line, torch.tensor([-1.0]), torch.tensor([2.0])
    )
    ends = [note.xy for note in figure.axes[0].texts if note.get_text() == ""]
    assert np.allclose(ends, [(-1.0, -0.75), (2.0, 3.0)])
