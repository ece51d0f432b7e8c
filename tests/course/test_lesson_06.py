"""Exercises and pictures of lesson 06."""

import math

import matplotlib.pyplot as plt
import pytest
import torch
import torch.nn.functional as F
from torch.distributions import Bernoulli, Normal, kl_divergence

from genlab import latent
from genlab_course.exercises import lesson_06 as bank
from genlab_course.figures import lesson_06
from genlab_course.grading import assess, find_exercise


@pytest.fixture(autouse=True)
def as_a_learner():
    """A notebook works in single precision when it trains."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float32)
    yield
    torch.set_default_dtype(before)
    plt.close("all")


def slopes_by_autograd(x, mu, log_var, eps):
    m, v = (torch.tensor(float(a), requires_grad=True) for a in (mu, log_var))
    z = m + (v / 2).exp() * eps
    loss = 0.5 * (x - z) ** 2 + 0.5 * (m**2 + v.exp() - 1 - v)
    return [s.item() for s in torch.autograd.grad(loss, (m, v))]


def parts_by_distributions(x, mu, log_var, eps, decode):
    q = Normal(mu, (log_var / 2).exp())
    z = q.loc + q.scale * eps
    price = kl_divergence(q, Normal(torch.zeros_like(mu), torch.ones_like(mu))).sum(-1)
    return -Bernoulli(logits=decode(z)).log_prob(x).sum(-1), price


def parts_by_genlab(x, mu, log_var, eps, decode):
    z = latent.reparameterize(mu, log_var, eps)
    price = latent.kl_per_unit(mu, log_var).sum(1)
    return [-latent.bernoulli_log_prob(x, decode(z)), price]


def grey_by_distributions(x, mean, log_s):
    return -Normal(mean, log_s.exp()).log_prob(x).sum(dim=1)


def quantised_by_cdist(e, codebook):
    index = torch.cdist(e, codebook[None].expand(len(e), -1, -1)).min(2)[1]
    chosen = F.embedding(index, codebook)
    pull = F.mse_loss(chosen, e.detach(), reduction="none")
    pull = pull + 0.25 * F.mse_loss(e, chosen.detach(), reduction="none")
    return e - (e - chosen).detach(), index, pull.sum(-1).sum(-1)


def quantised_by_genlab(e, codebook):
    z, index = latent.vector_quantize(e, codebook)
    return z, index, latent.codebook_loss(e, codebook, index).sum(1)


def rounded_by_hand(e, n_levels):
    half = (n_levels - 1) / 2
    o = 0 if n_levels % 2 else 1 / 2
    b = half * (e + torch.atanh(torch.tensor(o / half, dtype=e.dtype))).tanh() - o
    z = b - (b - torch.round(b)).detach()
    return z / (n_levels // 2)


def rounded_by_genlab(e, n_levels):
    return latent.finite_scalar_quantize(e, (n_levels,) * e.shape[-1], eps=0.0)


RIGHT = [
    ("06.slopes", slopes_by_autograd),
    ("06.parts", parts_by_distributions),
    ("06.parts", parts_by_genlab),
    ("06.grey-nats", grey_by_distributions),
    ("06.quantise", quantised_by_cdist),
    ("06.quantise", quantised_by_genlab),
    ("06.rounding", rounded_by_hand),
    ("06.rounding", rounded_by_genlab),
    ("06.rate", 102.4),
    ("06.rate", 102),
]


@pytest.mark.parametrize(("name", "answer"), RIGHT)
def test_a_right_answer_in_another_idiom_is_right(name, answer):
    assert assess(find_exercise(name), answer) == "right"


def no_gradient_at_all(e, codebook):
    with torch.no_grad():
        return bank.quantise(e, codebook)


def rounded_with_the_slope_of_e(e, n_levels):
    return (e + (rounded_by_hand(e, n_levels) * (n_levels // 2) - e).detach()) / (n_levels // 2)


def parts_of_one_number(x, mu, log_var, eps, decode):
    return sum(bank.parts(x, mu, log_var, eps, decode))


WRONG = [
    ("06.slopes", lambda x, m, v, e: (m - x, 0.0), "differs|tiny|description|try"),
    ("06.parts", parts_of_one_number, "expected|shape"),
    ("06.quantise", no_gradient_at_all, "not where the gradients go"),
    ("06.rounding", lambda e, n: e.tanh().round(), "not|levels|every|places"),
    ("06.rounding", rounded_with_the_slope_of_e, "goes around the tanh"),
    ("06.rate", 25.6, "numbers of an entry"),
    ("06.rate", 512 * 512 * 24 / (64 * 64 * 16), "try"),
]


@pytest.mark.parametrize(("name", "answer", "said"), WRONG)
def test_another_wrong_answer_is_told_something(name, answer, said):
    reply = assess(find_exercise(name), answer)
    assert reply.startswith("not yet")
    assert any(word in reply for word in said.split("|")), reply


def test_no_answer_of_the_bank_is_given_away():
    for task in bank.EXERCISES:
        for mistake in task.mistakes:
            assert "102.4" not in mistake.says
            assert task.judge is None or callable(task.judge)


def test_the_walks_go_there_and_back():
    along = torch.rand(4, 3, 256)
    frames = list(lesson_06.walks(along, along.flip(0)))
    assert len(frames) == 2 * 3 + 2
    titles = [[ax.get_title() for ax in f.axes] for f in frames]
    assert titles[0][0].startswith("0 %")
    assert titles[2][0].startswith("100 %")
    assert titles[-1] == titles[0]


def test_the_machine_names_what_is_paid():
    figure = lesson_06.machine("draw", ("price", "description"))
    words = {text.get_text() for text in figure.axes[0].texts}
    assert {"encoder", "draw", "decoder", "price", "description"} <= words


def test_the_first_step_shows_its_two_prices():
    words = " ".join(text.get_text() for text in lesson_06.one_step().axes[0].texts)
    nats = 0.5 + 0.5 * math.log(2 * math.pi)
    assert f"description {nats:.3f}" in words
    assert f"price {0.5**2 / 2:.3f}" in words


def test_each_row_of_pictures_is_named():
    figure = lesson_06.rows({"first": torch.rand(5, 256), "second": torch.rand(5, 256)}, "two")
    assert [ax.texts[0].get_text() for ax in figure.axes] == ["first", "second"]


def test_bars_are_the_means_over_the_seeds():
    runs = {"a": torch.tensor([[40.0, 3.0, 1.0], [42.0, 5.0, 2.0]])}
    (ax,) = lesson_06.paid_and_carried(runs).axes
    assert [patch.get_width() for patch in ax.patches] == [4.0, 1.5]
    assert "40.0 to 42.0" in ax.texts[0].get_text()


def test_the_codes_in_use_are_sorted():
    used = {"few": torch.tensor([[0.1, 0.9, 0.0, 0.0]]), "all": torch.full((1, 4), 0.25)}
    (ax,) = lesson_06.usage(used).axes
    assert ax.lines[0].get_ydata()[0] == pytest.approx(0.9)
    assert [text.get_text() for text in ax.texts] == ["few", "all"]


def test_each_curve_of_energy_is_named_at_its_end():
    (ax,) = lesson_06.energy([0.1, 0.2], {"data": torch.tensor([3.0, 1.0])}).axes
    assert ax.texts[0].get_position() == pytest.approx((0.212, 1.0))


def test_a_token_becomes_a_square_in_the_colour_of_its_three_numbers():
    z = torch.full((1, 16, 3), -1.0)
    z[0, 0] = torch.tensor([0.5, -1.0, -1.0])  # the highest, the lowest, the lowest
    z[0, 6] = torch.tensor([-1.0, 0.0, 0.5])
    picture = lesson_06.tiles(z)
    assert picture.shape == (1, 3, 16, 16)
    torch.testing.assert_close(picture[0, :, 3, 3], torch.tensor([1.0, -1.0, -1.0]))  # red
    torch.testing.assert_close(picture[0, :, 4:8, 8:12].mean((1, 2)), torch.tensor([-1, 1 / 3, 1]))
    assert (picture[0, :, 12:] == -1).all()


def test_the_bowl_of_scales_marks_the_best_one_and_one():
    scales = torch.tensor([0.1, 1.0, 10.0])
    ax = lesson_06.best_scale(scales, torch.tensor([6.0, 9.0, 13.0]), 0.1, 8.0).axes[0]
    marks = [line.get_xydata()[0] for line in ax.lines if line.get_marker() == "o"]
    assert marks[0] == pytest.approx((0.1, 6.0))
    assert marks[1] == pytest.approx((1.0, 9.0))
