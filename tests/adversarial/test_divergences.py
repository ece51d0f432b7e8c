"""What the game measures, against the worked numbers, quadrature, brute force and closed forms."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from genlab.adversarial import (
    GAME,
    JENSEN_SHANNON,
    KL,
    PEARSON,
    REVERSE_KL,
    best_value,
    critic_loss,
    f_divergence,
    f_gan_bound,
    jensen_shannon,
    non_saturating_divergence,
)
from genlab.core import kl_categorical, normal_log_prob

PAIRS = [([0.5, 0.5], [0.7, 0.3]), ([0.5, 0.3, 0.2], [0.2, 0.5, 0.3])]
ROWS = {"kl": KL, "reverse": REVERSE_KL, "pearson": PEARSON, "js": JENSEN_SHANNON, "game": GAME}
each_row = pytest.mark.parametrize("row", ROWS.values(), ids=ROWS.keys())
logits = st.lists(st.floats(-3, 3), min_size=3, max_size=3)


def cells(mean, std):
    """A normal on the line as probabilities of 4,001 cells: sums become integrals."""
    x = torch.linspace(-12, 12, 4001)
    p = normal_log_prob(x[:, None], mean, std).exp()
    return p / p.sum()


def test_value_at_the_best_critic_of_the_worked_example():
    assert abs(best_value(*map(torch.tensor, PAIRS[0])).item() + 1.3442825) < 1e-7


@settings(deadline=None, max_examples=30)
@given(logits, logits)
def test_value_at_the_best_critic_is_twice_the_divergence_above_minus_log_4(a, b):
    p, q = torch.tensor(a).softmax(0), torch.tensor(b).softmax(0)
    js = jensen_shannon(p, q)
    torch.testing.assert_close(best_value(p, q), 2 * js - math.log(4), rtol=0, atol=1e-12)


def test_value_at_the_best_critic_ends_at_minus_log_4_and_at_zero():
    same, other = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])
    assert abs(best_value(same, same).item() + math.log(4)) < 1e-12
    assert best_value(same, other).item() == 0


@pytest.mark.parametrize(("p", "q"), PAIRS)
def test_non_saturating_slope_at_the_best_critic_is_that_of_its_divergence(p, q):
    p = torch.tensor(p)
    theta = torch.tensor(q).log().requires_grad_()
    q = theta.softmax(0)
    critic = (p / (p + q)).detach()  # held still, as in training
    (played,) = torch.autograd.grad((q * -critic.log()).sum(), theta, retain_graph=True)
    (claimed,) = torch.autograd.grad(non_saturating_divergence(p, q), theta)
    torch.testing.assert_close(played, claimed)


def test_non_saturating_divergence_of_gaussians_by_quadrature():
    p, q = cells(0.0, 1.0), cells(1.5, 1.0)
    expected = 1.5**2 / 2 - 2 * jensen_shannon(p, q)
    torch.testing.assert_close(non_saturating_divergence(p, q), expected, rtol=0, atol=1e-9)


@each_row
def test_conjugate_is_the_supremum_by_brute_force(row):
    u = torch.logspace(-5, 3, 400_001)
    for v in (-1.5, -0.3, 0.0, 0.4, 1.2):
        t = row.activation(torch.tensor(v))
        brute = (u * t - row.f(u)).max()
        torch.testing.assert_close(row.conjugate(t), brute, rtol=0, atol=1e-4)  # grid in u


@each_row
def test_slope_is_the_derivative_of_the_generator_function(row):
    u = torch.linspace(0.2, 4, 20, requires_grad=True)
    (slope,) = torch.autograd.grad(row.f(u).sum(), u)
    torch.testing.assert_close(row.slope(u), slope)


@each_row
def test_generator_function_is_convex_and_activation_increases(row):
    u = torch.linspace(0.05, 5, 200)
    assert (row.slope(u).diff() > 0).all()
    v = torch.linspace(-3, 3, 50)
    assert (row.activation(v).diff() > 0).all()


def test_divergences_of_gaussians_are_the_closed_forms():
    p, q = cells(0.5, 1.0), cells(0.0, 1.0)  # with equal widths everything depends on m = 0.5
    close = {"rtol": 0, "atol": 1e-9}  # quadrature of a smooth function that vanishes at the ends
    torch.testing.assert_close(f_divergence(KL, p, q), torch.tensor(0.125), **close)
    torch.testing.assert_close(f_divergence(REVERSE_KL, p, q), torch.tensor(0.125), **close)
    chi2 = torch.tensor(math.exp(0.25) - 1)
    torch.testing.assert_close(f_divergence(PEARSON, p, q), chi2, **close)


@pytest.mark.parametrize(("p", "q"), PAIRS)
def test_rows_agree_with_the_divergences_of_the_package(p, q):
    p, q = torch.tensor(p), torch.tensor(q)
    torch.testing.assert_close(f_divergence(KL, p, q), kl_categorical(p, q))
    torch.testing.assert_close(f_divergence(REVERSE_KL, p, q), kl_categorical(q, p))
    torch.testing.assert_close(f_divergence(JENSEN_SHANNON, p, q), jensen_shannon(p, q))
    torch.testing.assert_close(f_divergence(GAME, p, q), best_value(p, q))


def expected_bound(row, v, p, q):
    """Both expectations by enumeration, from the per-pair kernel: real and fake separate."""
    zero = torch.zeros_like(v)
    at_zero = f_gan_bound(row, zero, zero)[0]
    real, fake = f_gan_bound(row, v, zero) - at_zero, f_gan_bound(row, zero, v) - at_zero
    return (p * real).sum() + (q * fake).sum() + at_zero


@each_row
def test_bound_is_tight_at_the_best_critic_and_below_it_elsewhere(row, generator):
    p, q = torch.tensor(PAIRS[1][0]), torch.tensor(PAIRS[1][1])
    best = {
        id(KL): lambda u: 1 + u.log(),
        id(PEARSON): lambda u: 2 * (u - 1),
    }.get(id(row), torch.log)(p / q)  # for the other rows the raw output is log p/q itself
    truth = f_divergence(row, p, q)
    torch.testing.assert_close(row.activation(best), row.slope(p / q))
    torch.testing.assert_close(expected_bound(row, best, p, q), truth)
    for _ in range(20):
        other = best + 0.3 * torch.randn(3, generator=generator)
        assert expected_bound(row, other, p, q) < truth


def test_the_first_game_is_one_of_the_rows(generator):
    real, fake = torch.randn(2, 50, generator=generator)
    torch.testing.assert_close(f_gan_bound(GAME, real, fake), -critic_loss(real, fake))


def test_a_ratio_without_a_denominator_is_refused():
    with pytest.raises(ValueError, match="expected every outcome to have mass"):
        f_divergence(KL, torch.tensor([0.5, 0.5]), torch.tensor([1.0, 0.0]))
