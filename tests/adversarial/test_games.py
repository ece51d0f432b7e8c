"""Small games: the exact factor of each step, what is conserved, and what converges."""

import math
from functools import partial

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from genlab.adversarial import (
    alternating_step,
    dirac_field,
    discriminator_loss,
    extragradient_step,
    jensen_shannon,
    minimax_generator_loss,
    non_saturating_divergence,
    optimal_logits,
    play,
    play_optimistic,
    simultaneous_step,
)
from genlab.core import last, normal_log_prob

RATES = [0.05, 0.3, 0.8]
START = [1.0, 0.5]


def matrix(step):
    """The linear map of one step, from its effect on the two unit vectors."""
    return step(torch.eye(2)).T


def bilinear_field(z, strength=1.0):
    """Both players' directions in the game with value a x y: (-a y, a x)."""
    return strength * torch.stack([-z[..., 1], z[..., 0]], -1)


def test_dirac_field_is_the_gradient_of_the_losses_of_the_package(generator):
    theta, psi = torch.randn(2, 20, generator=generator).requires_grad_()
    generating = minimax_generator_loss(psi * theta).sum()
    (d_theta,) = torch.autograd.grad(generating, theta, retain_graph=True)
    discriminator = (discriminator_loss(psi * 0, psi * theta) + 0.5 * 0.3 * psi**2).sum()
    (d_psi,) = torch.autograd.grad(discriminator, psi)
    z = torch.stack([theta, psi], 1).detach()
    torch.testing.assert_close(dirac_field(z, gamma=0.3), torch.stack([-d_theta, -d_psi], 1))


@pytest.mark.parametrize("lr", RATES)
def test_simultaneous_steps_leave_by_their_exact_factor(lr):
    step = partial(simultaneous_step, field=partial(bilinear_field, strength=2.0), lr=lr)
    z = last(play(torch.tensor(START), step, n_steps=30))
    factor = (1 + 4 * lr**2) ** 15
    torch.testing.assert_close(z.norm(), torch.tensor(START).norm() * factor)


@pytest.mark.parametrize("lr", RATES)
def test_alternating_steps_stay_on_their_ellipse(lr):
    step = partial(alternating_step, field=bilinear_field, lr=lr)
    z = torch.stack([torch.tensor(START), *play(torch.tensor(START), step, n_steps=200)])
    x, y = z.unbind(1)
    kept = x**2 + y**2 - lr * x * y
    torch.testing.assert_close(kept, kept[:1].expand_as(kept))
    assert abs(torch.linalg.det(matrix(step)).item() - 1) < 1e-12


@pytest.mark.parametrize("lr", RATES)
def test_looking_ahead_shrinks_by_its_exact_factor(lr):
    step = partial(extragradient_step, field=bilinear_field, lr=lr)
    radii = torch.linalg.eigvals(matrix(step)).abs()
    torch.testing.assert_close(radii, torch.full((2,), math.sqrt(1 - lr**2 + lr**4)))


@pytest.mark.parametrize("lr", RATES[:2])
def test_optimistic_steps_shrink_by_the_largest_root(lr):
    # z_{k+1} = (1 + 2 i lr) z_k - i lr z_{k-1} in the complex plane.
    companion = torch.tensor([[1 + 2j * lr, -1j * lr], [1, 0]], dtype=torch.complex128)
    root = torch.linalg.eigvals(companion).abs().max().item()
    radii = [z.norm().item() for z in play_optimistic(
        torch.tensor(START), field=bilinear_field, lr=lr, n_steps=400)]  # fmt: skip
    assert root < 1
    assert abs((radii[-1] / radii[-101]) ** 0.01 - root) < 1e-6  # the other root has died out


def test_average_of_a_bounded_game_goes_to_the_equilibrium():
    step = partial(alternating_step, field=bilinear_field, lr=0.2)
    states = torch.stack(list(play(torch.tensor(START), step, n_steps=10_000)))
    means = states.cumsum(0) / torch.arange(1, 10_001)[:, None]
    # a sum over a closed orbit is bounded, so the mean falls like 1 / n
    assert means[-1].norm() < min(2e-3, means[99].norm())


def test_penalty_pulls_the_smallest_gan_in_at_half_its_weight():
    lr, gamma = 0.001, 0.4
    step = partial(simultaneous_step, field=partial(dirac_field, gamma=gamma), lr=lr)
    near = 1e-4 * torch.tensor(START)
    period = round(2 * math.pi / (0.5 * math.sqrt(1 - gamma**2)) / lr)
    z = last(play(near, step, n_steps=period))
    rate = math.log(z.norm() / near.norm()) / (lr * period)
    assert abs(rate + gamma / 2) < 1e-3  # Euler's own drift outwards is of order lr


PAIRS = [([0.5, 0.5], [0.7, 0.3]), ([0.5, 0.3, 0.2], [0.2, 0.5, 0.3])]
each_pair = pytest.mark.parametrize(("p", "q"), PAIRS)


logits = st.lists(st.floats(-3, 3), min_size=3, max_size=3)


@given(logits, logits)
def test_value_at_the_best_discriminator_is_twice_the_divergence_above_minus_log_4(a, b):
    p, q = torch.tensor(a).softmax(0), torch.tensor(b).softmax(0)
    js = jensen_shannon(p, q)
    assert 0 <= js + 1e-15 < math.log(2)
    torch.testing.assert_close(js, jensen_shannon(q, p))
    best = p / (p + q)  # the discriminator
    value = (p * best.log() + q * (1 - best).log()).sum()
    torch.testing.assert_close(value, 2 * js - math.log(4), rtol=0, atol=1e-12)


@each_pair
def test_non_saturating_slope_at_the_best_discriminator_is_that_of_its_divergence(p, q):
    p = torch.tensor(p)
    theta = torch.tensor(q).log().requires_grad_()
    q = theta.softmax(0)
    discriminator = (p / (p + q)).detach()  # held still, as in training
    (played,) = torch.autograd.grad((q * -discriminator.log()).sum(), theta, retain_graph=True)
    (claimed,) = torch.autograd.grad(non_saturating_divergence(p, q), theta)
    torch.testing.assert_close(played, claimed)


@each_pair
def test_discriminator_loss_is_least_at_the_log_ratio_and_there_log_4_minus_twice_the_divergence(
    p, q, generator
):
    p, q = torch.tensor(p), torch.tensor(q)
    best = optimal_logits(p.log(), q.log())
    torch.testing.assert_close(best.sigmoid(), p / (p + q))
    never = torch.full_like(best, -1e9)  # a logit that costs nothing on fakes, nor its opposite

    def expected(v):
        return (p * discriminator_loss(v, never) + q * discriminator_loss(-never, v)).sum()

    torch.testing.assert_close(expected(best), math.log(4) - 2 * jensen_shannon(p, q))
    for _ in range(20):
        other = best + 0.3 * torch.randn(best.shape, generator=generator)
        assert expected(other) > expected(best)


def cells(mean, std):
    """A normal on the line as probabilities of 4,001 cells: sums become integrals."""
    x = torch.linspace(-12, 12, 4001)
    p = normal_log_prob(x[:, None], mean, std).exp()
    return p / p.sum()


def test_non_saturating_divergence_of_gaussians_by_quadrature():
    p, q = cells(0.0, 1.0), cells(1.5, 1.0)
    expected = 1.5**2 / 2 - 2 * jensen_shannon(p, q)
    torch.testing.assert_close(non_saturating_divergence(p, q), expected, rtol=0, atol=1e-9)


def test_fields_without_a_penalty_turn_and_never_point_inwards(generator):
    z = torch.randn(20, 2, generator=generator)
    torch.testing.assert_close((dirac_field(z) * z).sum(1), torch.zeros(20))
