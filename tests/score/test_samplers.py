"""DDIM, its inversion, DPM-Solver: worked numbers, orders of convergence, exact samples."""

import math
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from mixtures import assert_alike, mixture
from scipy.stats import kstest
from torch.testing import assert_close

from genlab.core import last
from genlab.oracles import Gaussian
from genlab.score.diffusion import (
    add_noise,
    alphas_bar_from_betas,
    cosine_betas,
    ddpm_sample,
    ddpm_step,
    posterior_variances,
    x0_from_eps,
)
from genlab.score.edm import edm_sample, edm_sigmas
from genlab.score.exact import exact_eps_model
from genlab.score.samplers import (
    ddim_invert,
    ddim_invert_step,
    ddim_sample,
    ddim_step,
    ddim_timesteps,
    dpm_solver_2m_step,
    dpm_solver_sample,
    dpm_solver_step,
    half_log_snr,
    log_snr_timesteps,
)

BETAS = torch.linspace(1e-3, 0.2, 60, dtype=torch.float64)
BAR = alphas_bar_from_betas(BETAS)
QUANTILES = torch.tensor([[-1.5], [0.0], [2.0]], dtype=torch.float64)  # of a standard normal


def normal_data():
    return Gaussian(torch.tensor([2.0]), torch.tensor([[0.25]]))


def at(a, z=QUANTILES):
    """The exact flow of N(2, 1/4) data is affine and keeps quantiles: these, at level a."""
    return 2 * a.sqrt() + (0.25 * a + 1 - a).sqrt() * z


def levels(n, high=3.0, low=-3.0):
    """A table of n levels, evenly spaced in half log-SNR; index 0 is the cleanest."""
    return torch.sigmoid(2 * torch.linspace(high, low, n))


def tanh(x, t):
    return x.tanh()


def falls_with_order(errors, order, tolerance):
    for coarse, fine in pairwise(errors):
        assert abs(math.log2(coarse / fine) - order) < tolerance


# One step of DDIM


def test_true_noise_keeps_the_state_on_the_path_of_its_example_and_back(generator):
    x0, eps = torch.randn(2, 5, 2, generator=generator)
    x_t, x_s = (add_noise(x0, BAR[k].sqrt(), (1 - BAR[k]).sqrt(), eps) for k in (40, 7))
    assert_close(ddim_step(x_t, eps, 0 * eps, BAR[40], BAR[7]), x_s)
    assert_close(ddim_step(x_t, eps, 0 * eps, BAR[40], BAR[40]), x_t)
    assert_close(ddim_invert_step(x_s, eps, BAR[7], BAR[40]), x_t)


def test_full_noise_between_neighbours_is_the_ancestral_step(generator):
    x, eps, z = torch.randn(3, 5, 2, generator=generator)
    t, options = 33, {"beta": BETAS[33], "alpha_bar": BAR[33]}
    theirs = ddpm_step(x, eps, z, variance=posterior_variances(BETAS)[t], **options)
    assert_close(ddim_step(x, eps, z, BAR[t], BAR[t - 1], eta=1.0), theirs)


@pytest.mark.parametrize("eta", [0.0, 0.4, 1.0])
def test_noise_keeps_the_variance_of_the_path_and_is_proportional_to_eta(eta, generator):
    n, a_t, a_s = 200_000, BAR[40], BAR[10]
    eps, z = torch.randn(2, n, 1, generator=generator)
    x_t = (1 - a_t).sqrt() * eps  # all data at the origin: the prediction is exact
    down = lambda z, eta: ddim_step(x_t, eps, z, a_t, a_s, eta=eta)
    variance = (1 - a_s).item()
    # Monte Carlo
    assert abs(down(z, eta).var().item() - variance) < 5 * variance * math.sqrt(2 / n)
    assert_close(down(z, eta) - down(0 * z, eta), eta * (down(z, 1.0) - down(0 * z, 1.0)))


# Step indices


def even_in_time(bar, n_steps):
    return ddim_timesteps(len(bar), n_steps)


@pytest.mark.parametrize("pick", [even_in_time, log_snr_timesteps])
@given(n_steps=st.integers(1, 50))
def test_timesteps_start_at_the_top_and_never_repeat(pick, n_steps):
    for bar in (BAR, alphas_bar_from_betas(cosine_betas(50))):  # the second is coarse in log SNR
        t = pick(bar, n_steps)
        assert (len(t), t[0]) == (n_steps, len(bar) - 1)
        assert (t.diff() < 0).all()
        assert t[-1] >= 0


@pytest.mark.parametrize(("n_train", "n"), [(60, 7), (1000, 50), (1000, 64), (400, 399)])
def test_timesteps_are_the_whole_numbers_nearest_to_even_steps(n_train, n):
    even = torch.tensor([(n_train - 1) * (n - i) / n for i in range(n)])
    assert (ddim_timesteps(n_train, n) - even).abs().max() <= 0.5
    assert ddim_timesteps(n_train, n_train).tolist() == [*range(n_train)][::-1]


def test_timesteps_are_as_even_in_log_snr_as_the_table_allows():
    bar = levels(2001)
    gaps = half_log_snr(bar[log_snr_timesteps(bar, 11)]).diff()
    assert_close(gaps, torch.full((10,), 0.6), atol=0.004, rtol=0)  # the table's spacing


@pytest.mark.parametrize(
    ("half_log_snrs", "n_steps", "expected"),
    [
        # wanted 0, 2.5, 5, 7.5, 10: nearest are 5, 5, 4, 3, 0, and a taken one gives way downwards
        ([10.0, 9.0, 8.2, 7.0, 6.0, 0.0], 5, [5, 4, 3, 2, 0]),
        # wanted 0, 3.3, 6.7, 10: nearest are 4, 1, 0, 0, and room is left for the steps to come
        ([10.0, 1.0, 0.9, 0.8, 0.0], 4, [4, 2, 1, 0]),
        ([3.0, 2.0, 1.0, 0.0], 1, [3]),
    ],
)
def test_a_coarse_table_gives_the_next_free_steps(half_log_snrs, n_steps, expected):
    bar = torch.sigmoid(2 * torch.tensor(half_log_snrs))
    assert log_snr_timesteps(bar, n_steps).tolist() == expected


# The DDIM sampler and its inversion


def round_trip(x0, bar, n_steps, n_refine):
    model = lambda x, t: 0.9 * torch.tanh(x) + 0.1 * torch.sin(3 * x)  # neither constant nor linear
    steps = ddim_timesteps(len(bar), n_steps)
    x_T = last(ddim_invert(model, x0, steps, alphas_bar=bar, n_refine=n_refine))
    back = last(ddim_sample(model, x_T, steps, alphas_bar=bar))
    return (back - x0).abs().max().item()


def test_inversion_closes_with_first_order_and_refined_it_closes_exactly(generator):
    x0 = torch.randn(5, 2, generator=generator)
    bar = torch.sigmoid(torch.linspace(16.0, -3.0, 2048))
    falls_with_order([round_trip(x0, bar, n, 0) for n in (256, 512, 1024)], 1, 0.2)
    assert round_trip(x0, bar, 128, 60) < 1e-10  # the iteration has converged


def test_every_step_costs_its_network_passes():
    calls, x, steps = [], torch.ones(1, 1), torch.tensor([40, 20, 9])
    model = lambda x, t: calls.append(int(t[0])) or x
    assert len(list(ddim_sample(model, x, steps, alphas_bar=BAR))) == 3
    assert len(list(dpm_solver_sample(model, x, steps, alphas_bar=BAR))) == 3
    assert len(list(ddim_invert(model, x, steps, alphas_bar=BAR, n_refine=1))) == 3
    assert calls == [40, 20, 9] * 2 + [9, 9, 20, 20, 40, 40]


# DPM-Solver


@given(a_t=st.floats(0.01, 0.8), way=st.floats(0.0, 1.0), seed=st.integers(0, 99))
def test_first_order_is_ddim_at_every_pair_of_levels(a_t, way, seed):
    x, eps = torch.randn(2, 3, 2, generator=torch.Generator().manual_seed(seed))
    a_t = torch.tensor(a_t)
    a_s = a_t + way * (1 - a_t)
    x0_hat = x0_from_eps(x, eps, a_t.sqrt(), (1 - a_t).sqrt())
    assert_close(dpm_solver_step(x, x0_hat, a_t, a_s), ddim_step(x, eps, 0 * x, a_t, a_s))


def test_the_sampler_of_first_order_takes_the_steps_of_ddim(generator):
    x, steps = torch.randn(3, 2, generator=generator), torch.tensor([55, 30, 9])
    model = lambda x, t: torch.tanh(x + t[:, None] / 60)
    ours = dpm_solver_sample(model, x, steps, alphas_bar=BAR, order=1)
    for state, theirs in zip(ours, ddim_sample(model, x, steps, alphas_bar=BAR), strict=True):
        assert_close(state, theirs)


def test_error_of_ddim_falls_with_the_step_and_that_of_dpm_solver_with_its_square():
    def error(n, sampler):
        bar, steps = levels(n + 1), torch.arange(n, -1, -1)
        model = exact_eps_model(normal_data(), bar)
        states = list(sampler(model, at(bar[-1]), steps, alphas_bar=bar))
        return (states[n - 1] - at(bar[0])).abs().max().item()  # at the lowest level > 0

    for sampler, order, tolerance in ((ddim_sample, 1, 0.1), (dpm_solver_sample, 2, 0.15)):
        falls_with_order([error(n, sampler) for n in (80, 160, 320)], order, tolerance)
    assert error(80, dpm_solver_sample) < 0.05 * error(80, ddim_sample)


X, FIRST = torch.zeros(1, 1), torch.tensor([1])
LEVELS = [torch.tensor(v) for v in (0.1, 0.5, 0.9, 1.0)]


@pytest.mark.parametrize(
    ("refused", "value"),
    [
        (lambda a: ddim_step(X, X, X, a[0], a[1], eta=2.0), "eta is 2"),
        (lambda a: ddim_step(X, X, X, a[1], a[0]), "must lower the noise"),
        (lambda a: dpm_solver_step(X, X, a[1], a[0]), "must lower the noise"),
        (lambda a: ddim_invert_step(X, X, a[0], a[1]), "must raise the noise"),
        (lambda a: dpm_solver_2m_step(X, X, X, a[1], a[0], a[2]), "a_r < a_t < a_s < 1"),
        (lambda a: dpm_solver_2m_step(X, X, X, a[0], a[1], a[3]), "a_r < a_t < a_s < 1"),
        (lambda a: dpm_solver_2m_step(X, X, X, 0 * a[0], a[1], a[2]), "a_r < a_t < a_s < 1"),
        (lambda a: dpm_solver_2m_step(X, X, X, a[0], a[0], a[2]), "a_r < a_t < a_s < 1"),
        (lambda a: dpm_solver_2m_step(X, X, X, a[0], a[1], a[1]), "a_r < a_t < a_s < 1"),
        (lambda a: ddim_timesteps(60, 61), "n_steps is 61"),
        (lambda a: ddim_timesteps(60, 0), "n_steps is 0"),
        (lambda a: log_snr_timesteps(BAR, 0), "n_steps is 0"),
        (lambda a: last(ddim_invert(tanh, X, FIRST, alphas_bar=BAR, n_refine=-1)), "is -1"),
        (lambda a: last(dpm_solver_sample(tanh, X, FIRST, alphas_bar=BAR, order=3)), "got 3"),
    ],
)
def test_impossible_steps_are_refused(refused, value):
    with pytest.raises(ValueError, match=value):
        refused(LEVELS)


# Every sampler, given the perfect network of a mixture, samples that mixture

MIXTURE = mixture(((-1.5, 0.5), (1.0, -0.5)))
EVEN = torch.sigmoid(torch.linspace(10.0, -10.0, 1000, dtype=torch.float64))  # in log SNR
N = 4000


def run_ddpm(x, g):
    betas = torch.cat([1 - EVEN[:1], 1 - EVEN[1:] / EVEN[:-1]])
    options = {"betas": betas, "variances": betas, "generator": g}
    return ddpm_sample(exact_eps_model(MIXTURE, EVEN), x, **options)


def run_ddim(eta, n_steps):
    def run(x, g):
        model, steps = exact_eps_model(MIXTURE, EVEN), ddim_timesteps(1000, n_steps)
        return ddim_sample(model, x, steps, alphas_bar=EVEN, eta=eta, generator=g)

    return run


def run_dpm_solver(x, g):
    steps = log_snr_timesteps(EVEN, 30)
    return dpm_solver_sample(exact_eps_model(MIXTURE, EVEN), x, steps, alphas_bar=EVEN)


def run_edm(x, g):
    sigmas = edm_sigmas(30, sigma_min=0.005, sigma_max=80.0).double()
    return edm_sample(lambda x, s: MIXTURE.denoiser(x, 1.0, s), 80.0 * x, sigmas)


SAMPLERS = {
    "ddpm-1000": run_ddpm,
    "ddim-200": run_ddim(0.0, 200),
    "ddim-eta-half-500": run_ddim(0.5, 500),
    "ddim-eta-one-1000": run_ddim(1.0, 1000),
    "dpm-solver-2m-30": run_dpm_solver,
    "edm-heun-30": run_edm,
}


def samples(run):
    x_T = torch.randn(N, 2, generator=torch.Generator().manual_seed(13))
    return last(run(x_T, torch.Generator().manual_seed(4000)))


def p_value(x, axis):
    """Kolmogorov and Smirnov's, of one coordinate against its exact distribution function."""

    def cdf(x):
        z = (torch.as_tensor(x)[:, None] - MIXTURE.means[:, axis]) / MIXTURE.stds
        return (MIXTURE.weights * torch.special.ndtr(z)).sum(1).numpy()

    return kstest(x[:, axis].numpy(), cdf).pvalue


@pytest.mark.slow
@pytest.mark.parametrize("name", SAMPLERS)
def test_sampler_recovers_the_distribution(name):
    x = samples(SAMPLERS[name])
    # moments, within five standard errors of N independent draws
    exact = MIXTURE.moment_match()
    error = (x.mean(0) - exact.mean).abs()
    assert (error < 5 * (exact.cov.diagonal() / N).sqrt()).all()
    centred = x - x.mean(0)
    products = centred[:, :, None] * centred[:, None, :]
    error = (products.mean(0) - exact.cov).abs()
    assert (error < 5 * products.flatten(1).std(0).reshape(2, 2) / math.sqrt(N)).all()
    assert min(p_value(x, axis) for axis in (0, 1)) > 1e-3
    assert_alike(x, MIXTURE, torch.Generator().manual_seed(77))


@pytest.mark.slow
@pytest.mark.parametrize("run", [run_ddim(0.0, 4), run_ddim(1.0, 10)], ids=["ddim-4", "ddpm-10"])
def test_the_same_tests_refuse_too_few_steps(run):
    x = samples(run)
    assert min(p_value(x, axis) for axis in (0, 1)) < 1e-6
