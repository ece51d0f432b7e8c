"""DDIM: worked numbers, invariants, order of convergence, and DDPM as a special case."""

import math
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from genlab.core import last
from genlab.oracles import Gaussian
from genlab.score import (
    add_noise,
    alphas_bar_from_betas,
    cosine_betas,
    ddim_invert,
    ddim_invert_step,
    ddim_sample,
    ddim_step,
    ddim_timesteps,
    ddpm_step,
    dpm_solver_2m_step,
    dpm_solver_sample,
    dpm_solver_step,
    exact_eps_model,
    half_log_snr,
    linear_betas,
    log_snr_timesteps,
    posterior_variances,
    x0_from_eps,
)

BETAS = torch.linspace(1e-3, 0.2, 60, dtype=torch.float64)
BAR = alphas_bar_from_betas(BETAS)


def one(value: float) -> torch.Tensor:
    return torch.tensor([[value]])


def test_worked_chain_of_the_course():
    bar = [torch.tensor(v) for v in (0.01, 0.30, 0.70, 1.0)]
    x, zero = one(2.0), one(0.0)
    for (a_t, a_s), eps, expected in zip(
        pairwise(bar),
        (1.8, 1.4, 0.5),
        (2.6508521, 3.0268280, 3.2904245),
        strict=True,
    ):
        x = ddim_step(x, one(eps), zero, a_t, a_s)
        assert abs(x.item() - expected) < 2e-7  # the printed digits


def test_step_to_the_same_level_changes_nothing(generator):
    x, eps = torch.randn(5, 2, generator=generator), torch.randn(5, 2, generator=generator)
    torch.testing.assert_close(ddim_step(x, eps, 0 * x, BAR[9], BAR[9]), x)


def test_true_noise_keeps_the_state_on_the_path_of_its_example(generator):
    x0, eps = torch.randn(5, 2, generator=generator), torch.randn(5, 2, generator=generator)
    x_t = add_noise(x0, BAR[40].sqrt(), (1 - BAR[40]).sqrt(), eps)
    x_s = ddim_step(x_t, eps, 0 * eps, BAR[40], BAR[7])
    torch.testing.assert_close(x_s, add_noise(x0, BAR[7].sqrt(), (1 - BAR[7]).sqrt(), eps))


def test_two_steps_with_the_same_noise_are_one_long_step(generator):
    x, eps = torch.randn(5, 2, generator=generator), torch.randn(5, 2, generator=generator)
    middle = ddim_step(x, eps, 0 * x, BAR[50], BAR[20])
    torch.testing.assert_close(
        ddim_step(middle, eps, 0 * x, BAR[20], BAR[3]), ddim_step(x, eps, 0 * x, BAR[50], BAR[3])
    )


def test_full_noise_between_neighbours_is_the_ancestral_step(generator):
    x, eps, z = (torch.randn(5, 2, generator=generator) for _ in range(3))
    t = 33
    ours = ddim_step(x, eps, z, BAR[t], BAR[t - 1], eta=1.0)
    theirs = ddpm_step(
        x, eps, z, beta=BETAS[t], alpha_bar=BAR[t], variance=posterior_variances(BETAS)[t]
    )
    torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("eta", [0.0, 0.4, 1.0])
def test_noise_keeps_the_variance_of_the_path_for_every_eta(eta, generator):
    n, a_t, a_s = 200_000, BAR[40], BAR[10]
    eps, z = torch.randn(n, 1, generator=generator), torch.randn(n, 1, generator=generator)
    x_t = (1 - a_t).sqrt() * eps  # all data at the origin: the prediction is exact
    x_s = ddim_step(x_t, eps, z, a_t, a_s, eta=eta)
    variance = (1 - a_s).item()
    assert abs(x_s.var().item() - variance) < 5 * variance * math.sqrt(2 / n)  # Monte Carlo


@pytest.mark.parametrize("eta", [0.25, 0.5])
def test_the_fresh_noise_is_proportional_to_eta(eta, generator):
    x, guess, z = torch.randn(3, 6, 2, generator=generator)

    def noise(eta):
        quiet, loud = (ddim_step(x, guess, v, BAR[40], BAR[17], eta=eta) for v in (0 * z, z))
        return loud - quiet

    torch.testing.assert_close(noise(eta), eta * noise(1.0))


def test_gaussian_data_are_recovered_with_first_order_in_the_number_of_steps():
    n_train = 1024
    bar = alphas_bar_from_betas(linear_betas(n_train, first=0.1 / n_train, last=20 / n_train))

    def eps_model(x, t):
        a = bar[t][:, None]
        return (1 - a).sqrt() * (x - 2 * a.sqrt()) / (a * 0.25 + 1 - a)

    def final(x, n_steps):
        steps = ddim_timesteps(n_train, n_steps)
        return last(ddim_sample(eps_model, x, steps, alphas_bar=bar))

    # The exact flow is affine and carries quantiles: x_T = z sd_T + mean_T goes to 2 + 0.5 z.
    a = bar[-1]
    z = torch.tensor([[-1.5], [0.0], [2.0]])
    x_T = a.sqrt() * 2 + (a * 0.25 + 1 - a).sqrt() * z
    errors = [(final(x_T, k) - (2 + 0.5 * z)).abs().max().item() for k in (64, 128, 256)]
    assert errors[2] < 0.02
    for coarse, fine in pairwise(errors):
        assert abs(math.log2(coarse / fine) - 1) < 0.15  # the error halves with the step


def test_sampler_without_noise_depends_on_its_start_alone():
    x = torch.ones(2, 1)
    steps = ddim_timesteps(60, 7)
    runs = [
        last(ddim_sample(lambda x, t: x.tanh(), x, steps, alphas_bar=BAR,
                         generator=torch.Generator().manual_seed(seed)))
        for seed in (0, 1)
    ]  # fmt: skip
    torch.testing.assert_close(runs[0], runs[1], rtol=0, atol=0)


def test_timesteps_start_at_the_top_and_never_repeat():
    for n in (1, 2, 7, 59, 60):
        t = ddim_timesteps(60, n)
        assert t[0] == 59
        assert len(t) == n
        assert (t.diff() < 0).all()
        assert t[-1] >= 0


def test_timesteps_are_the_whole_numbers_nearest_to_even_steps():
    for n_train, n in ((60, 7), (1000, 50), (1000, 64), (400, 399)):
        even = torch.tensor([(n_train - 1) * (n - i) / n for i in range(n)])
        assert (ddim_timesteps(n_train, n) - even).abs().max() <= 0.5


def test_impossible_steps_are_refused():
    x = torch.zeros(1, 1)
    with pytest.raises(ValueError, match=r"eta must lie in \[0, 1\], got 2"):
        ddim_step(x, x, x, BAR[4], BAR[2], eta=2.0)
    with pytest.raises(ValueError, match="must lower the noise"):
        ddim_step(x, x, x, BAR[2], BAR[4])
    with pytest.raises(ValueError, match=r"1\.\.60, got 61"):
        ddim_timesteps(60, 61)


def test_step_up_undoes_the_step_down(generator):
    x_t, eps = torch.randn(5, 2, generator=generator), torch.randn(5, 2, generator=generator)
    x_s = ddim_step(x_t, eps, 0 * eps, BAR[40], BAR[7])
    torch.testing.assert_close(ddim_invert_step(x_s, eps, BAR[7], BAR[40]), x_t)


def wavy(x, t):
    """A noise predictor that is neither constant nor linear."""
    return 0.9 * torch.tanh(x) + 0.1 * torch.sin(3 * x)


def round_trip(x0, bar, n_steps, n_refine):
    steps = ddim_timesteps(len(bar), n_steps)
    x_T = last(ddim_invert(wavy, x0, steps, alphas_bar=bar, n_refine=n_refine))
    back = last(ddim_sample(wavy, x_T, steps, alphas_bar=bar))
    return (back - x0).abs().max().item()


def test_inversion_closes_with_first_order_and_refined_it_closes_exactly(generator):
    x0 = torch.randn(5, 2, generator=generator)
    bar = torch.sigmoid(torch.linspace(16.0, -3.0, 2048))
    errors = [round_trip(x0, bar, n, 0) for n in (256, 512, 1024)]
    for coarse, fine in pairwise(errors):
        assert abs(math.log2(coarse / fine) - 1) < 0.2  # the error halves with the step
    assert round_trip(x0, bar, 128, 60) < 1e-10  # the iteration has converged


def test_inversion_of_a_normal_law_arrives_at_standard_noise():
    bar = torch.sigmoid(torch.linspace(9.0, -9.0, 800))

    def eps_model(x, t):
        a = bar[t][:, None]
        return (1 - a).sqrt() * (x - 2 * a.sqrt()) / (a * 0.25 + 1 - a)

    z = torch.tensor([[-1.5], [0.0], [2.0]])
    x_T = last(ddim_invert(eps_model, 2 + 0.5 * z, torch.arange(799, -1, -1), alphas_bar=bar))
    a = bar[-1]
    exact = 2 * a.sqrt() + (0.25 * a + 1 - a).sqrt() * z  # the flow is affine: it keeps quantiles
    assert (x_T - exact).abs().max() < 0.03  # first order in 800 steps


def test_inversion_yields_one_state_a_step_and_counts_its_passes():
    calls = []

    def eps_model(x, t):
        calls.append(int(t[0]))
        return x

    states = list(ddim_invert(eps_model, torch.ones(1, 1), torch.tensor([40, 9]), alphas_bar=BAR,
                              n_refine=1))  # fmt: skip
    assert len(states) == 2
    assert calls == [9, 9, 40, 40]


def test_impossible_inversions_are_refused():
    x = torch.zeros(1, 1)
    with pytest.raises(ValueError, match="must raise the noise"):
        ddim_invert_step(x, x, BAR[4], BAR[2])
    with pytest.raises(ValueError, match="n_refine must not be negative, got -1"):
        next(ddim_invert(wavy, x, torch.tensor([4]), alphas_bar=BAR, n_refine=-1))


BAR_DPM_SOLVER = alphas_bar_from_betas(linear_betas(60, first=1e-3, last=0.2))


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
    ours = list(
        dpm_solver_sample(lambda x, t: x.tanh(), x, steps, alphas_bar=BAR_DPM_SOLVER, order=1)
    )
    ddim = list(ddim_sample(lambda x, t: x.tanh(), x, steps, alphas_bar=BAR_DPM_SOLVER))
    for mine, theirs in zip(ours, ddim, strict=True):
        torch.testing.assert_close(mine, theirs)


def test_one_data_point_is_hit_exactly_whatever_the_steps(generator):
    # For a single point the guess of x0 is constant, so nothing is left to approximate.
    x = torch.randn(4, 2, generator=generator)
    point = torch.tensor([[2.0, -1.0]])

    def eps_model(x, t):
        a = BAR_DPM_SOLVER[t][:, None]
        return (x - a.sqrt() * point) / (1 - a).sqrt()

    steps = torch.tensor([59, 30, 11])
    final = last(dpm_solver_sample(eps_model, x, steps, alphas_bar=BAR_DPM_SOLVER))
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
                                    alphas_bar=BAR_DPM_SOLVER))  # fmt: skip
    before = states[-2]
    guess = x0_from_eps(
        before, before.tanh(), BAR_DPM_SOLVER[9].sqrt(), (1 - BAR_DPM_SOLVER[9]).sqrt()
    )
    torch.testing.assert_close(states[-1], guess)


def test_one_step_costs_one_network_pass():
    calls = []

    def eps_model(x, t):
        calls.append(int(t[0]))
        return x

    last(
        dpm_solver_sample(
            eps_model, torch.ones(2, 1), torch.tensor([50, 20, 3]), alphas_bar=BAR_DPM_SOLVER
        )
    )
    assert calls == [50, 20, 3]


@given(n_steps=st.integers(1, 60))
def test_timesteps_even_in_log_snr_start_at_the_top_and_never_repeat(n_steps):
    t = log_snr_timesteps(BAR_DPM_SOLVER, n_steps)
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
        next(
            dpm_solver_sample(
                lambda x, t: x, x, torch.tensor([1]), alphas_bar=BAR_DPM_SOLVER, order=3
            )
        )
    with pytest.raises(ValueError, match=r"1\.\.60, got 0"):
        log_snr_timesteps(BAR_DPM_SOLVER, 0)
