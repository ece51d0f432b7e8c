"""DDPM and DDIM against the schedulers of diffusers, step for step on the same noise."""

import pytest
import torch

from genlab.score import (
    add_noise,
    alphas_bar_from_betas,
    cosine_betas,
    ddim_sample,
    ddim_step,
    ddpm_sample,
    ddpm_step,
    eps_from_v,
    eps_from_x0,
    linear_betas,
    posterior_variances,
    v_from_eps,
)
from genlab.train.fit import EMA

diffusers = pytest.importorskip("diffusers")
pytestmark = pytest.mark.reference

TABLES = {"rtol": 1e-5, "atol": 1e-6}  # diffusers computes its tables in float32
STEPS = {"rtol": 1e-9, "atol": 1e-9}  # rounding, once their tables are in double precision


def eps_model(x, t):
    return torch.tanh(x) * (t[0] / 1000)


def scheduler(kind, **options):
    """A scheduler with its tables in double precision: same algorithm, less rounding."""
    made = kind(1000, beta_start=1e-4, beta_end=0.02, clip_sample=False, **options)
    made.betas = linear_betas(1000)
    made.alphas = 1 - made.betas
    made.alphas_cumprod = made.alphas.cumprod(0)
    made.one, made.final_alpha_cumprod = torch.tensor(1.0), torch.tensor(1.0)
    return made


def ddim_scheduler():
    options = {"set_alpha_to_one": True, "timestep_spacing": "leading"}
    theirs = scheduler(diffusers.DDIMScheduler, **options)
    theirs.set_timesteps(50)
    return theirs


def ddpm_scheduler(variance="fixed_large", **options):
    return scheduler(diffusers.DDPMScheduler, variance_type=variance, **options)


def test_linear_schedule_is_theirs():
    theirs = diffusers.DDPMScheduler(1000, beta_start=1e-4, beta_end=0.02)
    ours = alphas_bar_from_betas(linear_betas(1000))
    torch.testing.assert_close(ours, theirs.alphas_cumprod.double(), **TABLES)


def test_cosine_schedule_is_theirs():
    theirs = diffusers.DDPMScheduler(100, beta_schedule="squaredcos_cap_v2")
    torch.testing.assert_close(cosine_betas(100), theirs.betas.double(), **TABLES)


def test_ddim_trajectory_is_theirs(generator):
    theirs = ddim_scheduler()
    bar = theirs.alphas_cumprod
    x = torch.randn(3, 1, 8, 8, generator=generator)
    ours = list(ddim_sample(eps_model, x, theirs.timesteps, alphas_bar=bar))
    for t, mine in zip(theirs.timesteps, ours, strict=True):
        x = theirs.step(eps_model(x, t[None]), t, x).prev_sample
        torch.testing.assert_close(mine, x, **STEPS)


@pytest.mark.parametrize("eta", [0.3, 1.0])
def test_stochastic_ddim_step_is_theirs(eta, generator):
    theirs = ddim_scheduler()
    bar = theirs.alphas_cumprod
    x, eps, z = (torch.randn(2, 1, 4, 4, generator=generator) for _ in range(3))
    t = theirs.timesteps[10]
    expected = theirs.step(eps, t, x, eta=eta, variance_noise=z).prev_sample
    torch.testing.assert_close(
        ddim_step(x, eps, z, bar[t], bar[t - 20], eta=eta), expected, **STEPS
    )


def test_noising_and_the_rotated_target_are_theirs(generator):
    theirs = ddpm_scheduler()
    bar = theirs.alphas_cumprod
    x0, eps = (torch.randn(4, 1, 8, 8, generator=generator) for _ in range(2))
    t = torch.tensor([0, 10, 500, 999])
    alpha, sigma = bar[t].sqrt(), (1 - bar[t]).sqrt()
    x_t = add_noise(x0, alpha, sigma, eps)
    torch.testing.assert_close(x_t, theirs.add_noise(x0, eps, t), **STEPS)
    torch.testing.assert_close(
        v_from_eps(x_t, eps, alpha, sigma), theirs.get_velocity(x0, eps, t), rtol=1e-7, atol=1e-7
    )  # ours divides by alpha, which is 0.006 at the end


@pytest.mark.parametrize("target", ["epsilon", "sample", "v_prediction"])
@pytest.mark.parametrize("variance", ["fixed_small", "fixed_large"])
def test_every_target_leads_to_their_ancestral_step(target, variance, generator):
    theirs = ddpm_scheduler(variance, prediction_type=target)
    bar, betas = theirs.alphas_cumprod, theirs.betas
    variances = posterior_variances(betas) if variance == "fixed_small" else betas
    x, said = (torch.randn(2, 1, 4, 4, generator=generator) for _ in range(2))
    for t in (999, 500, 1, 0):
        alpha, sigma = bar[t].sqrt(), (1 - bar[t]).sqrt()
        eps_hat = {
            "epsilon": said,
            "sample": eps_from_x0(x, said, alpha, sigma),
            "v_prediction": eps_from_v(x, said, alpha, sigma),
        }[target]
        expected = theirs.step(said, t, x, generator=torch.Generator().manual_seed(t)).prev_sample
        z = torch.randn(x.shape, generator=torch.Generator().manual_seed(t)) if t else 0 * x
        got = ddpm_step(x, eps_hat, z, beta=betas[t], alpha_bar=bar[t], variance=variances[t])
        close = STEPS if target == "epsilon" else {"rtol": 1e-7, "atol": 1e-7}
        torch.testing.assert_close(got, expected, **close)


def test_a_whole_ancestral_walk_is_theirs(generator):
    theirs = ddpm_scheduler()
    theirs.set_timesteps(1000)
    x_T = torch.randn(3, 1, 4, 4, generator=generator)
    ours = ddpm_sample(
        eps_model, x_T, betas=theirs.betas, variances=theirs.betas,
        generator=torch.Generator().manual_seed(7),
    )  # fmt: skip
    x, same_noise = x_T, torch.Generator().manual_seed(7)
    for t, mine in zip(theirs.timesteps, ours, strict=True):
        x = theirs.step(eps_model(x, t[None]), t, x, generator=same_noise).prev_sample
        torch.testing.assert_close(mine, x, rtol=1e-7, atol=1e-7)  # rounding of 1000 steps


def test_averaged_weights_are_theirs():
    training_utils = pytest.importorskip("diffusers.training_utils")
    net = torch.nn.Linear(3, 2)
    ours, theirs = EMA(net, 0.9), training_utils.EMAModel(net.parameters(), decay=0.9)
    ours.n_updates = theirs.optimization_step = 1  # their very first update copies; ours keeps 1/10
    for k in range(30):
        with torch.no_grad():
            for p in net.parameters():
                p.add_(torch.randn(p.shape, generator=torch.Generator().manual_seed(k)))
        ours.update(net)
        theirs.step(net.parameters())
    for mine, other in zip(ours.average.parameters(), theirs.shadow_params, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-6, atol=1e-6)
