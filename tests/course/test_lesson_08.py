"""Lesson 08: what its exercises accept and name, and its pictures."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
import scipy.stats
import torch

from genlab_course.exercises import lesson_08 as bank
from genlab_course.figures import lesson_08
from genlab_course.grading import assess, find_exercise


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def said(name, answer):
    return assess(find_exercise(f"08.{name}"), answer)


def penalty_as_often_published(critic, real, fake, u):
    u = u.view(-1, *[1] * (real.dim() - 1))
    x = (fake + u * (real - fake)).requires_grad_(True)
    value = critic(x)
    ones = torch.ones_like(value)
    slope = torch.autograd.grad(outputs=value, inputs=x, grad_outputs=ones, create_graph=True,
                                retain_graph=True, only_inputs=True)[0]  # fmt: skip
    return (slope.reshape(len(x), -1).norm(2, dim=1) - 1).pow(2)


def penalty_by_func(critic, real, fake, u):
    x = torch.stack([a * r + (1 - a) * f for a, r, f in zip(u, real, fake, strict=True)])
    slope = torch.func.vmap(torch.func.grad(lambda one: critic(one[None]).squeeze()))(x)
    return (slope.square().flatten(1).sum(1).sqrt() - 1) ** 2


RIGHT = [
    ("js-of-thirds", 0.462),
    ("w1-on-a-line", lambda x, p, q: float(np.abs(np.cumsum(p - q))[:-1] @ np.diff(x))),
    ("w1-on-a-line", lambda x, p, q: scipy.stats.wasserstein_distance(x, x, p, q)),
    ("w1-on-a-line", lambda x, p, q: sum(
        abs(float(sum(p[: i + 1]) - sum(q[: i + 1]))) * float(x[i + 1] - x[i])
        for i in range(len(x) - 1))),
    ("best-slope", lambda f_p, f_q: np.sign(f_q - f_p)),
    ("best-slope", lambda f_p, f_q: torch.where(f_p > f_q, -1.0, 1.0)),
    ("best-slope", lambda f_p, f_q: [1 if b > a else -1 for a, b in zip(f_p, f_q, strict=True)]),
    ("gradient-penalty", penalty_as_often_published),
    ("gradient-penalty", penalty_by_func),
    ("critic-loss", lambda f, x, y, u: (
        f(y) - f(x) + 10 * penalty_as_often_published(f, x, y, u)).mean()),
    ("soft-slope", lambda w, lam: (w + 2 * lam) / (2 * lam)),
    ("field", lambda t, s, lam: [s, -t - 2 * lam * (s - np.sign(s))]),
    ("field", lambda t, s, lam: torch.stack([s, -t - 2 * lam * (s.abs() - 1) * s.sign()])),
]  # fmt: skip


@pytest.mark.parametrize(("name", "answer"), RIGHT)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_right_answer_is_accepted_in_several_idioms(name, answer):
    assert said(name, answer) == "right"


def penalty_for_points_only(critic, real, fake, u):
    x = (u[:, None] * real + (1 - u[:, None]) * fake).requires_grad_()
    (slope,) = torch.autograd.grad(critic(x).sum(), x, create_graph=True)
    return (slope.norm(dim=1) - 1) ** 2


WRONG = [
    ("gradient-penalty", bank.graph_not_kept, "create_graph=True"),
    ("gradient-penalty", lambda *given: bank.gradient_penalty(*given).tolist(), "return a tensor"),
    ("gradient-penalty", penalty_for_points_only, "not for pictures"),
    ("gradient-penalty", lambda *given: bank.gradient_penalty(*given)[:, None], "shape (4, 1)"),
    ("gradient-penalty", lambda *given: 3 * bank.gradient_penalty(*given), "was expected"),
    ("critic-loss", lambda *given: bank.critic_loss(*given).item(), "no gradient reaches"),
    ("critic-loss", lambda *given: 2 * bank.critic_loss(*given), "was expected"),
    ("soft-slope", lambda w, lam: 1 + 2 * w / lam, "not yet"),
]


@pytest.mark.parametrize(("name", "answer", "says"), WRONG)
def test_a_wrong_answer_that_comes_first_to_mind_is_told_so(name, answer, says):
    assert says in said(name, answer)


def test_every_named_mistake_gets_its_own_sentence():
    for task in bank.EXERCISES:
        for mistake in task.mistakes:
            assert assess(task, mistake.wrong) == f"not yet: {mistake.says}", mistake


def test_a_critic_feels_the_learners_penalty_as_the_closed_form_says():
    weight = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    real, fake = torch.randn(2, 6, 3, dtype=torch.float64)
    u = torch.rand(6, dtype=torch.float64)

    def bowl(x):
        return weight / 2 * x.square().sum(1)  # slope weight * x

    values = bank.gradient_penalty(bowl, real, fake, u)
    (felt,) = torch.autograd.grad(values.sum(), weight)
    length = (u[:, None] * real + (1 - u[:, None]) * fake).norm(dim=1)
    torch.testing.assert_close(felt, (2 * (0.7 * length - 1) * length).sum())


@pytest.mark.parametrize("weight", [1.0, 2.0, 10.0])
def test_the_smallest_game_stops_two_weights_away_from_the_data(weight):
    theta, psi = torch.tensor([1.0, -0.5], dtype=torch.float64)
    for _ in range(10_000):
        along = bank.field(theta, psi, weight)
        theta, psi = theta + 0.02 * along[0], psi + 0.02 * along[1]
    assert abs(abs(float(theta)) - 2 * weight) < 0.05


def test_five_critic_steps_a_round_do_not_bring_it_back():
    theta, psi = torch.tensor([1.0, -0.5], dtype=torch.float64)
    for _ in range(6_000):
        for _ in range(5):
            psi = psi + 0.02 * bank.field(theta, psi, 10.0)[1]
        theta = theta + 0.02 * bank.field(theta, psi, 10.0)[0]
    assert abs(float(theta)) > 19.5


def test_below_weight_one_the_smallest_game_goes_on_crossing_zero():
    theta, psi = torch.tensor([1.0, -0.5], dtype=torch.float64)
    crossings = 0
    for _ in range(10_000):
        before = psi
        along = bank.field(theta, psi, 0.3)
        theta, psi = theta + 0.02 * along[0], psi + 0.02 * along[1]
        crossings += bool(before * psi < 0)
    assert crossings > 30


def test_the_arrows_of_the_film_are_as_long_as_the_gradients():
    at, arrow = torch.zeros(3, 2), torch.tensor([[0.0, -2.0]]).expand(3, 2)
    frames = list(lesson_08.falling({"a": {1: (at, arrow), 2: (at, arrow)}}, torch.eye(2), 1))
    assert [len(frame.axes) for frame in frames] == [1, 1]
    drawn = frames[0].axes[0].lines[1].get_xydata()  # from a sample to the end of its arrow
    np.testing.assert_allclose(drawn[1] - drawn[0], [0, -2 * lesson_08.PER_UNIT], atol=1e-6)
    assert frames[0].get_supxlabel() != frames[1].get_supxlabel()


def test_the_pictures_have_the_panels_that_their_words_name():
    p = torch.tensor([0.5, 0.5, 0.0])
    x = torch.arange(3.0)
    assert len(lesson_08.lengths({"a": {1: 1.0, 2: 0.1}, "b": {1: 1.0, 2: 3.0}}).axes) == 1
    marks = lesson_08.pairs(torch.zeros(2, 2), torch.ones(2, 2), torch.tensor([0.0, 0.25])).axes[0]
    between = marks.lines[-1].get_xydata()  # u belongs to the real example, at 0
    np.testing.assert_allclose(between, [[1, 1], [0.75, 0.75]])
    assert len(lesson_08.staircases(x, p, p.flip(0), 1.0).axes) == 2
    assert len(lesson_08.strings(x, {"a": (p, p, p, 1.0), "b": (p, p, p, 1.0)}).axes) == 4
    assert len(lesson_08.along(x, {"a": p, "b": p, "c": p}).axes) == 3
    drawn = lesson_08.gaps([1.0, 2.0], [1.1, 2.2], lambda w, lam: 1 + w / (2 * lam)).axes[0]
    curve = drawn.lines[1].get_xydata()
    np.testing.assert_allclose(curve[-1, 1], curve[-1, 0] + curve[-1, 0] ** 2 / 20)
    assert len(lesson_08.progress(torch.rand(60), {1: 5.0, 60: 1.0}, 0.1).axes) == 2
    assert len(lesson_08.rows({"a": torch.rand(4, 1, 8, 8), "b": torch.rand(4, 1, 8, 8)}).axes) == 2
    assert len(lesson_08.orbits({"a": torch.rand(9, 2), "b": torch.rand(9, 2)}).axes) == 2
    assert len(lesson_08.crowds({"a": torch.rand(9, 2)}, torch.eye(2)).axes) == 1
