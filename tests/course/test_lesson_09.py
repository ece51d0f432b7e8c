"""Lesson 09: what its exercises accept and name, and its pictures."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
import scipy.linalg
import torch

from genlab.metrics.coverage import precision_recall
from genlab_course.exercises import lesson_09 as bank
from genlab_course.figures import lesson_09
from genlab_course.grading import assess, find_exercise


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def said(name, answer):
    return assess(find_exercise(f"09.{name}"), answer)


def frechet_by_singular_values(x, y):
    a = (x - x.mean(0)) / (len(x) - 1) ** 0.5
    b = (y - y.mean(0)) / (len(y) - 1) ** 0.5
    cross = torch.linalg.svdvals(a @ b.T).sum()
    return ((x.mean(0) - y.mean(0)) ** 2).sum() + (a**2).sum() + (b**2).sum() - 2 * cross


def frechet_by_symmetric_roots(x, y):
    first, second = torch.cov(x.T), torch.cov(y.T)
    values, axes = torch.linalg.eigh(first)
    root = axes * values.sqrt() @ axes.T
    inner = torch.linalg.eigvalsh(root @ second @ root)
    gap = x.mean(0) - y.mean(0)
    return gap @ gap + torch.trace(first + second) - 2 * inner.clamp(min=0).sqrt().sum()


def frechet_by_scipy(x, y):
    x, y = x.detach().numpy(), y.detach().numpy()
    first, second = np.cov(x, rowvar=False), np.cov(y, rowvar=False)
    root = scipy.linalg.sqrtm(first @ second).real
    return ((x.mean(0) - y.mean(0)) ** 2).sum() + np.trace(first + second - 2 * root)


def attack_with_data(images, loss, n_steps):
    x = torch.nn.Parameter(images.detach().clone())
    adam = torch.optim.Adam(params=[x], lr=1)
    for _ in range(n_steps):
        adam.zero_grad(set_to_none=False)
        loss(x).backward()
        adam.step()
        x.data = x.data.clamp(0, 16)
    return torch.round(x.data)


def precision_in_numpy(real, fake, k):
    def inside(query, centres):
        own = np.linalg.norm(centres[:, None] - centres[None], axis=-1)
        radius = np.sort(own, axis=1)[:, k]
        return (np.linalg.norm(query[:, None] - centres[None], axis=-1) <= radius).any(1).mean()

    real, fake = np.asarray(real), np.asarray(fake)
    return [inside(fake, real), inside(real, fake)]


def probe_that_shifts_the_sets(box, train, held_out):
    def nearest(others):
        moved = torch.cat([bank.shifted(box, *move) for move in bank.MOVES]).flatten(1)
        return torch.cdist(moved, others.flatten(1)).amin(1).reshape(9, -1).amin(0)

    return float((nearest(train) < nearest(held_out)).float().mean())


def strengths_by_newton(wins, n_steps):
    s = torch.zeros(len(wins), dtype=wins.dtype)
    for _ in range(n_steps):
        p = torch.sigmoid(s[:, None] - s)
        votes = wins + wins.T
        curve = votes * p * (1 - p)
        hessian = torch.diag(curve.sum(1)) - curve
        s = s + torch.linalg.pinv(hessian) @ (wins - votes * p).sum(1)
    return s - s.mean()


RIGHT = [
    ("three-boxes", [10, 1, 3.16]),
    ("three-boxes", np.array([10.0, 1.0, 3.162])),
    ("cheapest", lambda mu1, sigma1, mu2, sigma2: abs(mu1 - mu2) ** 2 + abs(sigma2 - sigma1) ** 2),
    ("frechet", frechet_by_singular_values),
    ("frechet", frechet_by_symmetric_roots),
    ("attack", attack_with_data),
    ("infinite-samples", lambda sizes, values: np.polyfit(1 / np.array(sizes), values, 1)[1]),
    ("precision-recall", lambda real, fake, k: tuple(precision_recall(real, fake, k))),
    ("precision-recall", precision_in_numpy),
    ("shifts", probe_that_shifts_the_sets),
    ("votes", strengths_by_newton),
]


@pytest.mark.parametrize(("name", "answer"), RIGHT)
def test_a_right_answer_is_accepted_in_several_idioms(name, answer):
    assert said(name, answer) == "right"


def test_a_distance_that_carries_no_gradient_is_told_so():
    assert "training cannot follow" in said("frechet", frechet_by_scipy)


def attack_in_place(images, loss, n_steps):
    images.requires_grad_()
    adam = torch.optim.Adam([images], lr=1.0)
    for _ in range(n_steps):
        adam.zero_grad()
        loss(images).backward()
        adam.step()
        with torch.no_grad():
            images.clamp_(0, 16)
    return images.detach().round()


WRONG = [
    ("attack", attack_in_place, "work on a .clone()"),
    ("attack", lambda images, loss, n: bank.attack(images, loss, n).flatten(1), "like those"),
    ("attack", lambda images, loss, n: bank.attack(images, loss, n + 1), "41 steps"),
    ("attack", lambda images, loss, n: images.clone(), "brings a test loss"),
    ("frechet", lambda x, y: bank.frechet(x, y) * 2, "factor"),
    ("three-boxes", (10, 1, 5), "halved the score"),
    ("shifts", lambda box, train, held_out: 1.0, "course.hint"),
]


@pytest.mark.parametrize(("name", "answer", "word"), WRONG)
def test_a_wrong_answer_is_told_what_is_wrong_with_it(name, answer, word):
    assert word in said(name, answer)


def test_the_distance_of_the_bank_is_that_of_scipy_s_matrix_root():
    g = torch.Generator().manual_seed(5)
    x, y = torch.randn(2, 40, 4, generator=g, dtype=torch.float64)
    assert float(bank.frechet(x, 2 * y + 1)) == pytest.approx(frechet_by_scipy(x, 2 * y + 1))


def test_a_picture_moved_and_moved_back_is_the_same_but_for_its_border():
    x = torch.rand(3, 1, 8, 8)
    back = bank.shifted(bank.shifted(x, 1, -1), -1, 1)
    torch.testing.assert_close(back[..., 1:, :-1], x[..., 1:, :-1])


def test_stars_go_to_the_three_best_of_a_column():
    boxes = {letter: torch.rand(8, 1, 8, 8) for letter in "ABCDE"}
    figure = lesson_09.stars(boxes, {"score": [1.0, 5.0, 3.0, 2.0, 4.0]})
    drawn = [ax.lines[0] for ax in figure.axes[1::2]]
    stars = [len(line.get_xdata()) if line.get_marker() == "*" else 0 for line in drawn]
    assert stars == [0, 3, 1, 0, 2]


def test_a_ruler_puts_the_nearest_box_first():
    figure = lesson_09.ruler({"far": 3.0, "near": 0.2}, [0.1, 0.2], "title")
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["near", "far"]


def test_the_pictures_have_the_panels_that_their_words_name():
    pictures = {"a": torch.rand(4, 1, 8, 8), "b": torch.rand(4, 1, 8, 8)}
    assert len(lesson_09.rows(pictures, "title").axes) == 2
    found = {50: torch.rand(10), 400: torch.rand(10)}
    assert len(lesson_09.by_size(found, 0.0, 40.0, [0.1, 0.12]).axes) == 1
    assert len(lesson_09.halves({"a": (0.1, 0.9), "your static": (0.9, 0.5)}, {}).axes) == 1
    bits = torch.rand(2, 3) + 1
    figure = lesson_09.memory(
        [25, 50, 100], bits, [3, 2, 1], [0, 0.1, 0.5], uniform=4.0, floor=0.2, honest=0.05
    )
    assert len(figure.axes) == 3
    values = torch.tensor([0.1, 0.4])
    figure = lesson_09.league(values, values - 0.2, values + 0.2, ["weak", "strong"])
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["strong", "weak"]
