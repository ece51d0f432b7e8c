"""DPM-Solver++, EDM and inversion against the schedulers of diffusers, on the same noise."""

import pytest
import torch

from genlab.core import last
from genlab.score import (
    ddim_invert,
    dpm_solver_sample,
    edm_precondition,
    edm_sample,
    edm_sigmas,
    linear_betas,
)

diffusers = pytest.importorskip("diffusers")
pytestmark = [
    pytest.mark.reference,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]

T = 1000
BETAS = linear_betas(T).double()
SINGLE = {"rtol": 1e-5, "atol": 1e-5}  # their tables and steps are in single precision


def eps_model(x, t):
    """A noise predictor that depends on the state and on the level."""
    return torch.tanh(x) * (0.2 + 0.8 * t[0] / T)


def doubled(kind, **options):
    """A scheduler with its tables in double precision: same algorithm, less rounding."""
    made = kind(num_train_timesteps=T, beta_start=1e-4, beta_end=0.02, **options)
    made.betas = BETAS
    made.alphas = 1 - BETAS
    made.alphas_cumprod = bar = made.alphas.cumprod(0)
    if hasattr(made, "alpha_t"):
        made.alpha_t, made.sigma_t = bar.sqrt(), (1 - bar).sqrt()
        made.lambda_t = made.alpha_t.log() - made.sigma_t.log()
    return made


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("n_steps", [8, 20])
def test_dpm_solver_trajectory_is_theirs(order, n_steps, generator):
    kinds = {"algorithm_type": "dpmsolver++", "solver_type": "midpoint"}
    ends = {"final_sigmas_type": "zero", "timestep_spacing": "linspace"}
    theirs = doubled(diffusers.DPMSolverMultistepScheduler, solver_order=order, **kinds, **ends)
    theirs.set_timesteps(n_steps)
    x = torch.randn(3, 1, 8, 8, generator=generator)
    ours = list(
        dpm_solver_sample(
            eps_model, x, theirs.timesteps, alphas_bar=theirs.alphas_cumprod, order=order
        )
    )
    for t, mine in zip(theirs.timesteps, ours, strict=True):
        x = theirs.step(eps_model(x, t[None].double()), t, x).prev_sample
        torch.testing.assert_close(mine, x, **SINGLE)


def test_inversion_is_theirs(generator):
    options = {"clip_sample": False, "set_alpha_to_one": True, "timestep_spacing": "leading"}
    theirs = doubled(diffusers.DDIMInverseScheduler, **options)
    theirs.initial_alpha_cumprod = torch.tensor(1.0)
    theirs.set_timesteps(50)
    x0 = torch.randn(3, 1, 8, 8, generator=generator)
    steps = theirs.timesteps.flip(0)
    ours = list(ddim_invert(eps_model, x0, steps, alphas_bar=theirs.alphas_cumprod))
    # theirs names a step by the level that it reaches, ours too: the same states one by one
    x = x0
    for t, mine in zip(theirs.timesteps, ours, strict=True):
        x = theirs.step(eps_model(x, t[None].double()), t, x).prev_sample
        torch.testing.assert_close(mine, x, **SINGLE)


def test_noise_levels_are_theirs():
    theirs = diffusers.EDMEulerScheduler(sigma_min=0.002, sigma_max=80.0, rho=7.0)
    theirs.set_timesteps(18)
    torch.testing.assert_close(edm_sigmas(18), theirs.sigmas.double(), **SINGLE)


@pytest.mark.parametrize("sigma", [0.01, 0.5, 3.0, 70.0])
def test_preconditioning_is_theirs(sigma, generator):
    theirs = diffusers.EDMEulerScheduler(sigma_data=0.5)
    c = edm_precondition(torch.tensor(sigma), sigma_data=0.5)
    x, raw = torch.randn(2, 4, 3, generator=generator)
    torch.testing.assert_close(c.c_in * x, theirs.precondition_inputs(x, torch.tensor(sigma)))
    torch.testing.assert_close(
        c.c_skip * x + c.c_out * raw, theirs.precondition_outputs(x, raw, torch.tensor(sigma))
    )
    torch.testing.assert_close(
        c.c_noise, theirs.precondition_noise(sigma).double().squeeze(), **SINGLE
    )


def denoiser(x, sigma):
    return x / (1 + sigma.reshape(-1, 1) ** 2) + 0.1 * torch.sin(x)


def test_euler_trajectory_is_theirs(generator):
    theirs = diffusers.EDMEulerScheduler(sigma_data=0.5)
    theirs.set_timesteps(12)
    x = 80 * torch.randn(4, 3, generator=generator)
    ours = list(edm_sample(denoiser, x, theirs.sigmas.double(), order=1))
    for i, t in enumerate(theirs.timesteps):
        theirs.scale_model_input(x, t)
        guess = denoiser(x, theirs.sigmas[i].double())
        x = theirs.step(x, t, x, pred_original_sample=guess).prev_sample
        torch.testing.assert_close(ours[i], x, **SINGLE)


def test_heun_trajectory_is_theirs(generator):
    theirs = diffusers.HeunDiscreteScheduler(
        num_train_timesteps=T, beta_start=1e-4, beta_end=0.02, prediction_type="epsilon"
    )
    theirs.set_timesteps(10)
    # theirs lists every inner level twice: once for each of Heun's two slopes
    sigmas = torch.cat([theirs.sigmas[:1], theirs.sigmas[1:-1:2], theirs.sigmas[-1:]]).double()
    x = sigmas[0] * torch.randn(4, 3, generator=generator)
    ours = last(edm_sample(denoiser, x, sigmas))
    for i, t in enumerate(theirs.timesteps):
        sigma = theirs.sigmas[i].double()
        x = theirs.step((x - denoiser(x, sigma)) / sigma, t, x).prev_sample
    torch.testing.assert_close(ours, x.double(), **SINGLE)
