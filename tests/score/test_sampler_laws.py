"""Every sampler of the lesson, given the perfect network of a mixture, samples that mixture."""

import math

import pytest
import torch
from scipy.stats import kstest

from genlab.core import last
from genlab.metrics.calibration import mmd_permutation_test
from genlab.metrics.distances import median_bandwidth, rbf_kernel
from genlab.oracles import GaussianMixture
from genlab.score import (
    ddim_sample,
    ddim_timesteps,
    ddpm_sample,
    dpm_solver_sample,
    edm_sample,
    edm_sigmas,
    exact_eps_model,
    log_snr_timesteps,
)

LAW = GaussianMixture(
    torch.tensor([0.3, 0.7], dtype=torch.float64),
    torch.tensor([[-1.5, 0.5], [1.0, -0.5]], dtype=torch.float64),
    torch.tensor([0.4, 0.5], dtype=torch.float64),
)
T, N = 1000, 4000
BAR = torch.sigmoid(torch.linspace(10.0, -10.0, T, dtype=torch.float64))  # even in log SNR
BETAS = torch.cat([1 - BAR[:1], 1 - BAR[1:] / BAR[:-1]])
NOISE = 4000  # seed of the fresh noise


def run_ddpm(x, generator):
    model = exact_eps_model(LAW, BAR)
    return last(ddpm_sample(model, x, betas=BETAS, variances=BETAS, generator=generator))


def run_ddim(eta, n_steps):
    def run(x, generator):
        model, steps = exact_eps_model(LAW, BAR), ddim_timesteps(T, n_steps)
        return last(ddim_sample(model, x, steps, alphas_bar=BAR, eta=eta, generator=generator))

    return run


def run_dpm_solver(x, generator):
    steps = log_snr_timesteps(BAR, 30)
    return last(dpm_solver_sample(exact_eps_model(LAW, BAR), x, steps, alphas_bar=BAR))


def run_edm(s_churn):
    def run(x, generator):
        sigmas = edm_sigmas(30, sigma_min=0.005, sigma_max=80.0)
        states = edm_sample(
            lambda x, s: LAW.denoiser(x, 1.0, s), 80.0 * x, sigmas, s_churn=s_churn,
            generator=generator,
        )  # fmt: skip
        return last(states)

    return run


SAMPLERS = {
    "ddpm-1000": run_ddpm,
    "ddim-200": run_ddim(0.0, 200),
    "ddim-eta-half-500": run_ddim(0.5, 500),
    "ddim-eta-one-1000": run_ddim(1.0, 1000),
    "dpm-solver-2m-30": run_dpm_solver,
    "edm-heun-30": run_edm(0.0),
    "edm-heun-churn-30": run_edm(10.0),
}


def samples(run):
    g = torch.Generator().manual_seed(13)
    return run(torch.randn(N, 2, generator=g), torch.Generator().manual_seed(NOISE))


def marginal_cdf(axis):
    """Distribution function of one coordinate: a mixture of normal ones."""

    def cdf(x):
        z = (torch.as_tensor(x)[:, None] - LAW.means[:, axis]) / LAW.stds
        return (LAW.weights * torch.special.ndtr(z)).sum(1).numpy()

    return cdf


@pytest.mark.slow
@pytest.mark.parametrize("name", SAMPLERS)
def test_sampler_recovers_the_law(name):
    x = samples(SAMPLERS[name])
    # moments, within five standard errors of N independent draws
    exact = LAW.moment_match()
    error = (x.mean(0) - exact.mean).abs()
    assert (error < 5 * (exact.cov.diagonal() / N).sqrt()).all()
    centred = x - x.mean(0)
    products = centred[:, :, None] * centred[:, None, :]
    error = (products.mean(0) - exact.cov).abs()
    assert (error < 5 * products.flatten(1).std(0).reshape(2, 2) / math.sqrt(N)).all()
    # every coordinate against its exact distribution function
    for axis in (0, 1):
        assert kstest(x[:, axis].numpy(), marginal_cdf(axis)).pvalue > 1e-3
    # and both together against fresh draws of the law
    fresh = LAW.sample(600, generator=torch.Generator().manual_seed(77))
    kernel = lambda a, b: rbf_kernel(a, b, median_bandwidth(x[:600], fresh))
    result = mmd_permutation_test(x[:600], fresh, kernel,
                                  generator=torch.Generator().manual_seed(5))  # fmt: skip
    assert result.p_value > 0.01


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ddim-4", "ddpm-strided-10"])
def test_the_same_tests_refuse_too_few_steps(name):
    run = run_ddim(0.0, 4) if name == "ddim-4" else run_ddim(1.0, 10)
    x = samples(run)
    worst = min(kstest(x[:, axis].numpy(), marginal_cdf(axis)).pvalue for axis in (0, 1))
    assert worst < 1e-6
