"""DPM-Solver++: exact cases, DDIM as its first order, and its measured order."""

import math
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from genlab.core import last
from genlab.oracles import Gaussian
from genlab.score import (
    alphas_bar_from_betas,
    cosine_betas,
    ddim_sample,
    ddim_step,
    ddim_timesteps,
    dpm_solver_2m_step,
    dpm_solver_sample,
    dpm_solver_step,
    exact_eps_model,
    half_log_snr,
    linear_betas,
    log_snr_timesteps,
    x0_from_eps,
)

BAR = alphas_bar_from_betas(linear_betas(60, first=1e-3, last=0.2))


def levels(n, low=-3.0, high=3.0):
    """A table of n levels, evenly spaced in half log-SNR; index 0 is the cleanest."""
    return torch.sigmoid(2 * torch.linspace(high, low, n, dtype=torch.float64))


def test_half_log_snr_is_the_logarithm_of_signal_over_noise():
    a = torch.tensor([0.2, 0.5, 0.9])
    torch.testing.assert_close(half_log_snr(a), (a.sqrt() / (1 - a).sqrt()).log())


@given(a_t=st.floats(0.01, 0.8), share=st.floats(0.0, 1.0), seed=st.integers(0, 99))
def test_first_order_is_ddim_at_every_pair_of_levels(a_t, share, seed):
    g = torch.Generator().manual_seed(seed)
    x, eps = torch.randn(2, 3, 2, generator=g)
    a_t = torch.tensor(a_t)
    a_s = a_t + share * (1 - a_t)
    x0_hat = x0_from_eps(x, eps, a_t.sqrt(), (1 - a_t).sqrt())
    torch.testing.assert_close(
        dpm_solver_step(x, x0_hat, a_t, a_s), ddim_step(x, eps, 0 * x, a_t, a_s)
    )


def test_sampler_of_order_one_is_the_ddim_sampler(generator):
    x = torch.randn(4, 2, generator=generator)
    steps = ddim_timesteps(60, 7)
    ours = list(dpm_solver_sample(lambda x, t: x.tanh(), x, steps, alphas_bar=BAR, order=1))
    ddim = list(ddim_sample(lambda x, t: x.tanh(), x, steps, alphas_bar=BAR))
    for mine, theirs in zip(ours, ddim, strict=True):
        torch.testing.assert_close(mine, theirs)


def test_one_data_point_is_hit_exactly_whatever_the_steps(generator):
    # For a single point the guess of x0 is constant, so nothing is left to approximate.
    x = torch.randn(4, 2, generator=generator)
    point = torch.tensor([[2.0, -1.0]])

    def eps_model(x, t):
        a = BAR[t][:, None]
        return (x - a.sqrt() * point) / (1 - a).sqrt()

    steps = torch.tensor([59, 30, 11])
    final = last(dpm_solver_sample(eps_model, x, steps, alphas_bar=BAR))
    torch.testing.assert_close(final, point.expand(4, 2))


def test_second_order_is_exact_when_the_guess_is_linear_in_log_snr(generator):
    # x0_hat(lambda) = u + lambda v along the path: the integral of exp(lambda) x0_hat is known.
    u, v, x_t = torch.randn(3, 5, 2, generator=generator)
    a_r, a_t, a_s = (torch.sigmoid(2 * torch.tensor(lam)) for lam in (-1.0, -0.9, -0.8))
    guess = lambda a: u + half_log_snr(a) * v
    got = dpm_solver_2m_step(x_t, guess(a_t), guess(a_r), a_r, a_t, a_s)
    lam = torch.linspace(half_log_snr(a_t), half_log_snr(a_s), 2001)[:, None, None]
    integral = torch.trapezoid(lam.exp() * (u + lam * v), lam[:, 0, 0], dim=0)
    sigma_t, sigma_s = (1 - a_t).sqrt(), (1 - a_s).sqrt()
    exact = sigma_s / sigma_t * x_t + sigma_s * integral
    one = dpm_solver_step(x_t, guess(a_t), a_t, a_s)
    # 2M keeps the midpoint's value: off by O(h^3) where the first order is off by O(h^2)
    assert (got - exact).abs().max() < 0.1 * (one - exact).abs().max()


def test_global_error_falls_with_the_square_of_the_step_and_ddim_with_the_step():
    law = Gaussian(torch.tensor([2.0]), torch.tensor([[0.25]]))
    z = torch.tensor([[-1.5], [0.0], [2.0]])

    def error(n, order):
        bar = levels(n + 1)
        # the exact flow is affine and carries quantiles: z sd + mean stays z sd + mean
        at = lambda a, z: a.sqrt() * 2 + (0.25 * a + 1 - a).sqrt() * z
        run = dpm_solver_sample(exact_eps_model(law, bar), at(bar[-1], z),
                                torch.arange(n, -1, -1), alphas_bar=bar, order=order)  # fmt: skip
        return (list(run)[n - 1] - at(bar[0], z)).abs().max().item()  # at the lowest level > 0

    for order, tolerance in ((1, 0.1), (2, 0.15)):
        errors = [error(n, order) for n in (40, 80, 160, 320)]
        for coarse, fine in pairwise(errors[1:]):
            assert abs(math.log2(coarse / fine) - order) < tolerance
    assert error(80, 2) < 0.05 * error(80, 1)


def test_last_step_returns_the_guess_itself(generator):
    x = torch.randn(4, 2, generator=generator)
    states = list(dpm_solver_sample(lambda x, t: x.tanh(), x, torch.tensor([40, 9]),
                                    alphas_bar=BAR))  # fmt: skip
    before = states[-2]
    guess = x0_from_eps(before, before.tanh(), BAR[9].sqrt(), (1 - BAR[9]).sqrt())
    torch.testing.assert_close(states[-1], guess)


def test_one_step_costs_one_network_pass():
    calls = []

    def eps_model(x, t):
        calls.append(int(t[0]))
        return x

    last(dpm_solver_sample(eps_model, torch.ones(2, 1), torch.tensor([50, 20, 3]), alphas_bar=BAR))
    assert calls == [50, 20, 3]


@given(n_steps=st.integers(1, 60))
def test_timesteps_even_in_log_snr_start_at_the_top_and_never_repeat(n_steps):
    t = log_snr_timesteps(BAR, n_steps)
    assert len(t) == n_steps
    assert t[0] == 59
    assert (t.diff() < 0).all()
    assert t[-1] >= 0


def test_timesteps_never_repeat_where_the_table_is_coarse():
    bar = alphas_bar_from_betas(cosine_betas(50))
    for n_steps in range(1, 51):
        t = log_snr_timesteps(bar, n_steps)
        assert (len(t), t[0]) == (n_steps, 49)
        assert (t.diff() < 0).all()


def test_timesteps_are_as_even_in_log_snr_as_the_table_allows():
    bar = levels(2001)
    gaps = half_log_snr(bar[log_snr_timesteps(bar, 11)]).diff()
    torch.testing.assert_close(gaps, torch.full((10,), 0.6), atol=0.004, rtol=0)  # table's spacing


def test_levels_out_of_order_are_refused():
    x, a = torch.zeros(1, 1), [torch.tensor(v) for v in (0.1, 0.5, 0.9, 1.0)]
    with pytest.raises(ValueError, match="must lower the noise"):
        dpm_solver_step(x, x, a[1], a[0])
    with pytest.raises(ValueError, match="expected a_r < a_t < a_s < 1"):
        dpm_solver_2m_step(x, x, x, a[1], a[0], a[2])
    with pytest.raises(ValueError, match="expected a_r < a_t < a_s < 1"):
        dpm_solver_2m_step(x, x, x, a[0], a[1], a[3])
    with pytest.raises(ValueError, match="order must be 1 or 2, got 3"):
        next(dpm_solver_sample(lambda x, t: x, x, torch.tensor([1]), alphas_bar=BAR, order=3))
    with pytest.raises(ValueError, match=r"1\.\.60, got 0"):
        log_snr_timesteps(BAR, 0)
