"""DDPM and DDIM against the schedulers of diffusers, step for step on the same noise."""

import pytest
import torch

from genlab.core import last
from genlab.score import (
    alphas_bar_from_betas,
    cosine_betas,
    ddim_sample,
    ddim_step,
    ddpm_step,
    linear_betas,
    posterior_variances,
)

diffusers = pytest.importorskip("diffusers")
pytestmark = pytest.mark.reference

TABLES = {"rtol": 1e-5, "atol": 1e-6}  # diffusers computes its tables in float32
STEPS = {"rtol": 1e-9, "atol": 1e-9}  # rounding, once their tables are in double precision


def eps_model(x, t):
    return torch.tanh(x) * (t[0] / 1000)


def doubled(scheduler):
    """The scheduler with its tables in double precision: same algorithm, less rounding."""
    scheduler.betas = linear_betas(1000)
    scheduler.alphas = 1 - scheduler.betas
    scheduler.alphas_cumprod = scheduler.alphas.cumprod(0)
    scheduler.one, scheduler.final_alpha_cumprod = torch.tensor(1.0), torch.tensor(1.0)
    return scheduler


def ddim_scheduler(**options):
    return diffusers.DDIMScheduler(
        num_train_timesteps=1000,
        beta_start=1e-4,
        beta_end=0.02,
        clip_sample=False,
        set_alpha_to_one=True,
        timestep_spacing="leading",
        **options,
    )


def test_linear_schedule_is_theirs():
    theirs = ddim_scheduler()
    ours = linear_betas(1000)
    torch.testing.assert_close(ours, theirs.betas.double(), **TABLES)
    torch.testing.assert_close(
        alphas_bar_from_betas(ours), theirs.alphas_cumprod.double(), **TABLES
    )


def test_cosine_schedule_is_theirs():
    theirs = diffusers.DDPMScheduler(100, beta_schedule="squaredcos_cap_v2")
    torch.testing.assert_close(cosine_betas(100), theirs.betas.double(), **TABLES)


def test_ddim_trajectory_is_theirs(generator):
    theirs = doubled(ddim_scheduler())
    theirs.set_timesteps(50)
    bar = theirs.alphas_cumprod
    x = torch.randn(3, 1, 8, 8, generator=generator)
    ours = list(ddim_sample(eps_model, x, theirs.timesteps, alphas_bar=bar))
    for t, mine in zip(theirs.timesteps, ours, strict=True):
        x = theirs.step(eps_model(x, t[None]), t, x).prev_sample
        torch.testing.assert_close(mine, x, **STEPS)


@pytest.mark.parametrize("eta", [0.3, 1.0])
def test_stochastic_ddim_step_is_theirs(eta, generator):
    theirs = doubled(ddim_scheduler())
    theirs.set_timesteps(50)
    bar = theirs.alphas_cumprod
    x, eps, z = (torch.randn(2, 1, 4, 4, generator=generator) for _ in range(3))
    t = theirs.timesteps[10]
    expected = theirs.step(eps, t, x, eta=eta, variance_noise=z).prev_sample
    torch.testing.assert_close(
        ddim_step(x, eps, z, bar[t], bar[t - 20], eta=eta), expected, **STEPS
    )


@pytest.mark.parametrize("choice", ["fixed_small", "fixed_large"])
def test_ancestral_step_is_theirs(choice, generator):
    theirs = doubled(
        diffusers.DDPMScheduler(
            1000, beta_start=1e-4, beta_end=0.02, clip_sample=False, variance_type=choice
        )
    )
    betas = theirs.betas
    variances = posterior_variances(betas) if choice == "fixed_small" else betas
    x, eps = (torch.randn(2, 1, 4, 4, generator=generator) for _ in range(2))
    for t in (999, 500, 1, 0):
        g = torch.Generator().manual_seed(t)
        expected = theirs.step(eps, t, x, generator=g).prev_sample
        z = torch.randn(x.shape, generator=torch.Generator().manual_seed(t)) if t else 0 * x
        got = ddpm_step(
            x,
            eps,
            z,
            beta=betas[t],
            alpha_bar=theirs.alphas_cumprod[t],
            variance=variances[t],
        )
        torch.testing.assert_close(got, expected, **STEPS)


def test_last_state_is_the_sample(generator):
    bar = alphas_bar_from_betas(linear_betas(10, first=0.01, last=0.2))
    x = torch.randn(2, 2, generator=generator)
    states = ddim_sample(lambda x, t: 0 * x, x, torch.tensor([9, 4]), alphas_bar=bar)
    torch.testing.assert_close(last(states), x / bar[9].sqrt())
