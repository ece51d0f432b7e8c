"""The importance-weighted bound against enumeration, and its gradients against closed forms."""

import itertools
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.distributions import Normal

from genlab.latent import (
    doubly_reparameterized,
    effective_sample_size,
    log_mean_weight,
    log_weight,
    signal_to_noise,
)

Q = (0.3, 0.7)  # a guess for two values of z
W = (0.1 / 0.3, 0.4 / 0.7)  # its weights p(x, z) / q(z); their mean is p(x) = 0.5


def expected_bound(k: int) -> float:
    """Enumerate all 2^k sequences of draws."""
    total = 0.0
    for zs in itertools.product((0, 1), repeat=k):
        log_w = torch.tensor([[math.log(W[z])] for z in zs])
        total += math.prod(Q[z] for z in zs) * log_mean_weight(log_w).item()
    return total


def test_one_draw_gives_the_elbo():
    assert abs(expected_bound(1) + 0.721315) < 5e-7  # the printed digits


def test_expected_bound_never_falls_with_the_number_of_draws():
    values = [expected_bound(k) for k in range(1, 11)]
    assert all(a < b for a, b in itertools.pairwise(values))
    assert values[-1] < math.log(0.5)


def test_gap_times_draws_tends_to_half_the_relative_variance_of_the_weight():
    variance = Q[0] * Q[1] * (W[1] - W[0]) ** 2
    limit = variance / (2 * 0.5**2)
    # delta method: the next term is of relative order 1/k
    assert abs(12 * (math.log(0.5) - expected_bound(12)) / limit - 1) < 0.1


@given(st.lists(st.floats(-50, 50), min_size=1, max_size=9), st.floats(-300, 300))
def test_a_constant_factor_moves_the_bound_by_its_logarithm(log_w, shift):
    column = torch.tensor(log_w)[:, None]
    moved, still = log_mean_weight(column + shift), log_mean_weight(column)
    torch.testing.assert_close(moved, still + shift, atol=1e-10, rtol=1e-10)  # rounding


@given(st.lists(st.floats(-20, 20), min_size=1, max_size=9))
def test_bound_lies_between_the_mean_logarithm_and_the_largest(log_w):
    column = torch.tensor(log_w)[:, None]
    value = log_mean_weight(column).item()
    assert column.mean().item() - 1e-9 <= value <= column.max().item() + 1e-9  # rounding


@given(st.lists(st.floats(-20, 20), min_size=1, max_size=9))
def test_effective_sample_size_lies_between_one_and_all(log_w):
    ess = effective_sample_size(torch.tensor(log_w)[:, None]).item()
    assert 1 - 1e-9 <= ess <= len(log_w) + 1e-9  # rounding


def test_equal_weights_all_count():
    torch.testing.assert_close(
        effective_sample_size(torch.full((5, 2), 3.0)), torch.full((2,), 5.0)
    )


def test_effective_sample_size_of_two_unequal_draws():
    # (1 + 3)^2 / (1 + 9)
    value = effective_sample_size(torch.tensor([[1.0], [3.0]]).log()).item()
    assert abs(value - 1.6) < 1e-12


def _log_weights(mu, log_var, eps, *, through_z_only):
    """Weights of x = 1 under z ~ N(0, 1), x | z ~ N(z, 1): the marginal is N(0, 2)."""
    k, n = eps.shape[:2]
    flat = (mu.expand(k, n, 1), log_var.expand(k, n, 1), eps)
    rows = [t.reshape(k * n, 1) for t in flat]
    log_w = log_weight(
        torch.ones(k * n, 1),
        *rows,
        decoder_log_prob=lambda x, z: Normal(z, 1.0).log_prob(x).sum(1),
        through_z_only=through_z_only,
    )
    return log_w.reshape(k, n)


def _gradients(k, n, generator, *, doubly, mu=0.2, log_var=-0.3):
    """n independent estimates of the gradient of the bound in (mu, log_var)."""
    m = torch.full((n, 1), mu, requires_grad=True)
    v = torch.full((n, 1), log_var, requires_grad=True)
    eps = torch.randn(k, n, 1, generator=generator)
    log_w = _log_weights(m, v, eps, through_z_only=doubly)
    value = doubly_reparameterized(log_w) if doubly else log_mean_weight(log_w)
    return torch.cat(torch.autograd.grad(value.sum(), (m, v)), 1)


def test_holding_q_fixed_leaves_the_value_of_the_weight_alone(generator):
    eps = torch.randn(3, 4, 1, generator=generator)
    mu, log_var = torch.full((4, 1), 0.2), torch.full((4, 1), -0.3)
    torch.testing.assert_close(
        _log_weights(mu, log_var, eps, through_z_only=True),
        _log_weights(mu, log_var, eps, through_z_only=False),
    )


@pytest.mark.parametrize("k", [1, 2, 8])
def test_both_gradients_estimate_the_same_quantity(generator, k):
    n = 60_000
    plain = _gradients(k, n, generator, doubly=False)
    doubly = _gradients(k, n, generator, doubly=True)
    error = ((plain.var(0) + doubly.var(0)) / n).sqrt()
    assert ((plain.mean(0) - doubly.mean(0)).abs() < 5 * error).all()  # Monte Carlo


def test_with_one_draw_the_gradient_is_that_of_the_closed_form_elbo(generator):
    mu, log_var = torch.tensor(0.2, requires_grad=True), torch.tensor(-0.3, requires_grad=True)
    variance = log_var.exp()
    closed = -0.5 * ((1 - mu) ** 2 + variance) - 0.5 * (mu**2 + variance - 1 - log_var)
    truth = torch.stack(torch.autograd.grad(closed, (mu, log_var)))
    draws = _gradients(1, 60_000, generator, doubly=True)
    error = draws.std(0) / math.sqrt(len(draws))
    assert ((draws.mean(0) - truth).abs() < 5 * error).all()  # Monte Carlo


def test_at_the_posterior_the_doubly_reparameterised_gradient_has_no_noise(generator):
    # Posterior of x = 1: N(1/2, 1/2). The weight is constant there.
    exact = _gradients(4, 50, generator, doubly=True, mu=0.5, log_var=math.log(0.5))
    assert exact.abs().max().item() < 1e-12  # rounding
    plain = _gradients(4, 50, generator, doubly=False, mu=0.5, log_var=math.log(0.5))
    assert plain.std(0).min().item() > 0.1


def test_signal_to_noise_falls_with_draws_for_the_plain_gradient_and_rises_for_the_other(generator):
    plain = [signal_to_noise(_gradients(k, 20_000, generator, doubly=False)) for k in (4, 64)]
    doubly = [signal_to_noise(_gradients(k, 20_000, generator, doubly=True)) for k in (4, 64)]
    assert (plain[1] < 0.5 * plain[0]).all()  # theory: a quarter
    assert (doubly[1] > 2 * doubly[0]).all()  # theory: four times


def test_signal_to_noise_by_hand():
    rows = torch.tensor([[1.0, -1.0], [3.0, -5.0]])
    expected = torch.tensor([2 / math.sqrt(2), 3 / math.sqrt(8)])
    torch.testing.assert_close(signal_to_noise(rows), expected)


@pytest.mark.parametrize(
    "function", [log_mean_weight, effective_sample_size, doubly_reparameterized]
)
def test_no_draws_are_refused(function):
    with pytest.raises(ValueError, match="no draws"):
        function(torch.zeros(0, 3))


def test_a_single_gradient_has_no_noise_to_compare_with():
    with pytest.raises(ValueError, match="at least two"):
        signal_to_noise(torch.zeros(1, 2))
