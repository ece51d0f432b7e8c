"""Diagnosis and repair of posterior collapse."""

import math

import pytest
import torch

from genlab.core import kl_diag_normal
from genlab.latent import active_units, code_information, free_bits, kl_annealing, kl_per_unit


def test_a_unit_is_active_when_its_mean_moves_and_not_when_it_is_far_away():
    mu = torch.tensor([[0.0, 5.0, 0.05], [0.3, 5.0, -0.05], [-0.3, 5.0, 0.0]])
    assert active_units(mu).tolist() == [True, False, False]  # variances .09, 0, .0025
    assert active_units(mu, threshold=0.001).tolist() == [True, False, True]


def test_units_add_up_to_the_divergence(generator):
    mu, log_var = torch.randn(2, 5, 3, generator=generator)
    torch.testing.assert_close(kl_per_unit(mu, log_var).sum(1), kl_diag_normal(mu, log_var))


@pytest.mark.parametrize(
    ("mu", "sigma", "kl"),
    [(0, 1, 0), (1, 1, 0.5), (0, 2, 0.8068528), (2, 1, 2), (0, 0.5, 0.3181472), (1, 2, 1.3068528)],
)
def test_divergence_of_the_course_table(mu, sigma, kl):
    value = kl_per_unit(torch.tensor([[float(mu)]]), torch.tensor([[2 * math.log(sigma)]]))
    assert value.item() == pytest.approx(kl, abs=5e-8)  # seven printed digits


def test_equal_codes_carry_no_information_however_far_from_the_prior(generator):
    mu, log_var = torch.full((40, 2), 3.0), torch.full((40, 2), -4.0)
    told = code_information(mu, log_var, torch.randn(40, 2, generator=generator))
    torch.testing.assert_close(told, torch.zeros(40), atol=1e-9, rtol=0)  # rounding
    assert kl_diag_normal(mu, log_var).min() > 9


def test_codes_far_apart_carry_the_log_of_their_number(generator):
    mu, log_var = 100 * torch.arange(8.0)[:, None], torch.zeros(8, 1)
    told = code_information(mu, log_var, torch.randn(8, 1, generator=generator))
    torch.testing.assert_close(told, torch.full((8,), math.log(8)))


def test_information_of_two_codes_is_that_of_a_noisy_channel(generator):
    n, line = 4000, torch.linspace(-8, 8, 16_001)
    densities = [
        torch.exp(-0.5 * ((line - m) / 0.5) ** 2) / (0.5 * 2.5066282746) for m in (-0.6, 0.6)
    ]
    middle = (densities[0] + densities[1]) / 2
    truth = sum(torch.trapezoid(d * (d / middle).log(), line) for d in densities).item() / 2
    mu = torch.tensor([-0.6, 0.6]).repeat(n // 2)[:, None]
    told = code_information(
        mu, torch.full((n, 1), 2 * math.log(0.5)), torch.randn(n, 1, generator=generator)
    )
    # Monte Carlo: five standard errors.
    assert abs(told.mean().item() - truth) < 5 * told.std().item() / math.sqrt(n)


def test_without_a_floor_free_bits_is_the_mean_divergence(generator):
    kl = torch.rand(6, 3, generator=generator)
    torch.testing.assert_close(free_bits(kl, 0.0), kl.sum(1).mean())


def test_below_the_floor_the_price_is_flat_and_above_it_is_not():
    kl = torch.tensor([[0.1, 2.0], [0.3, 4.0]], requires_grad=True)
    price = free_bits(kl, 0.5)
    price.backward()
    torch.testing.assert_close(price, torch.tensor(0.5 + 3.0))
    torch.testing.assert_close(kl.grad, torch.tensor([[0.0, 0.5], [0.0, 0.5]]))


def test_the_floor_looks_at_the_batch_and_not_at_single_examples():
    kl = torch.tensor([[0.0], [1.2]])
    torch.testing.assert_close(free_bits(kl, 0.5), torch.tensor(0.6))


def test_annealing_rises_to_beta_and_stays():
    weight = kl_annealing(10, beta=2.0)
    assert [weight(k) for k in (0, 5, 10, 1000)] == [0.0, 1.0, 2.0, 2.0]
    assert kl_annealing(0)(0) == 1.0


def test_impossible_requests_are_refused():
    with pytest.raises(ValueError, match="floor is -1"):
        free_bits(torch.zeros(2, 2), -1.0)
    with pytest.raises(ValueError, match="n_warm is -3"):
        kl_annealing(-3)
    with pytest.raises(ValueError, match="1 examples, expected at least two"):
        active_units(torch.zeros(1, 2))
