"""Small games: the exact factor of each step, what is conserved, and what converges."""

import math
from functools import partial
from itertools import pairwise

import pytest
import torch

from genlab.adversarial import (
    alternating_step,
    bilinear_field,
    critic_loss,
    dirac_field,
    extragradient_step,
    minimax_generator_loss,
    optimistic_step,
    play,
    play_optimistic,
    running_mean,
    simultaneous_step,
)
from genlab.core import last

RATES = [0.05, 0.3, 0.8]
START = [1.0, 0.5]


def matrix(step):
    """The linear map of one step, from its effect on the two unit vectors."""
    return step(torch.eye(2)).T


def test_fields_are_the_players_own_gradients(generator):
    z = torch.randn(20, 2, generator=generator)
    x, y = z.unbind(1)
    x.requires_grad_()
    y.requires_grad_()
    gx, gy = torch.autograd.grad((1.7 * x * y).sum(), (x, y))
    torch.testing.assert_close(bilinear_field(z, strength=1.7), torch.stack([-gx, gy], 1))


def test_dirac_field_is_the_gradient_of_the_losses_of_the_package(generator):
    theta, psi = torch.randn(2, 20, generator=generator).requires_grad_()
    generating = minimax_generator_loss(psi * theta).sum()
    (d_theta,) = torch.autograd.grad(generating, theta, retain_graph=True)
    critic = (critic_loss(psi * 0, psi * theta) + 0.5 * 0.3 * psi**2).sum()
    (d_psi,) = torch.autograd.grad(critic, psi)
    z = torch.stack([theta, psi], 1).detach()
    torch.testing.assert_close(dirac_field(z, gamma=0.3), torch.stack([-d_theta, -d_psi], 1))


def test_bilinear_field_turns_and_never_points_inwards(generator):
    z = torch.randn(20, 2, generator=generator)
    torch.testing.assert_close((bilinear_field(z) * z).sum(1), torch.zeros(20))


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


def test_optimistic_step_starts_as_a_plain_one():
    z = torch.tensor(START)
    v = bilinear_field(z)
    step, kept = optimistic_step(z, v, field=bilinear_field, lr=0.1)
    torch.testing.assert_close(step, simultaneous_step(z, field=bilinear_field, lr=0.1))
    torch.testing.assert_close(kept, v)


def test_average_of_a_bounded_game_goes_to_the_equilibrium():
    step = partial(alternating_step, field=bilinear_field, lr=0.2)
    far = last(running_mean(play(torch.tensor(START), step, n_steps=100))).norm()
    near = last(running_mean(play(torch.tensor(START), step, n_steps=10_000))).norm()
    assert near < 2e-3  # a sum over a closed orbit is bounded, so the mean falls like 1 / n
    assert near < far


def test_running_mean_is_the_mean():
    states = [torch.tensor([float(k), 1.0]) for k in range(5)]
    means = list(running_mean(states))
    torch.testing.assert_close(means[2], torch.tensor([1.0, 1.0]))
    torch.testing.assert_close(means[-1], torch.tensor([2.0, 1.0]))


def test_penalty_pulls_the_smallest_gan_in_at_half_its_weight():
    lr, gamma = 0.001, 0.4
    step = partial(simultaneous_step, field=partial(dirac_field, gamma=gamma), lr=lr)
    near = 1e-4 * torch.tensor(START)
    period = round(2 * math.pi / (0.5 * math.sqrt(1 - gamma**2)) / lr)
    z = last(play(near, step, n_steps=period))
    rate = math.log(z.norm() / near.norm()) / (lr * period)
    assert abs(rate + gamma / 2) < 1e-3  # Euler's own drift outwards is of order lr


def test_without_a_penalty_the_smallest_gan_turns_for_ever(generator):
    z = torch.randn(20, 2, generator=generator)
    torch.testing.assert_close((dirac_field(z) * z).sum(1), torch.zeros(20))
    step = partial(simultaneous_step, field=dirac_field, lr=0.1)
    radii = [z.norm().item() for z in play(torch.tensor(START), step, n_steps=1000)]
    assert all(after > before for before, after in pairwise(radii))


def test_a_negative_penalty_is_refused():
    with pytest.raises(ValueError, match="must not be negative, got -1"):
        dirac_field(torch.tensor(START), gamma=-1.0)
