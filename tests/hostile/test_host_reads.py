"""A sampler waits for its device a fixed number of times, however many steps it takes.

Each number that Python reads off a device stalls it. The pretended device counts them.
"""

import elsewhere
import pytest
import torch
from elsewhere import GPU, Elsewhere, There

from genlab.autoregressive.decoding import generate_cached, generate_naive, write_until
from genlab.autoregressive.images import PixelCNN, TwoStacks
from genlab.autoregressive.speculative import speculative_sample
from genlab.core import last
from genlab.score.consistency import consistency_function, consistency_sample
from genlab.score.diffusion import ddpm_sample
from genlab.score.edm import edm_denoise, edm_sample, edm_sigmas, guided_denoiser
from genlab.score.flow_matching import flow_sample
from genlab.score.masked import masked_sample
from genlab.score.matching import annealed_langevin
from genlab.score.samplers import ddim_invert, ddim_sample, dpm_solver_sample
from genlab.score.sde import (
    VP,
    predictor_corrector_sample,
    probability_flow_sample,
    reverse_sde_sample,
)
from genlab.solvers import langevin, mala

V = 7


def down(n):
    return torch.linspace(1, 0.01, n + 1, device=GPU)


def steps(n):
    return torch.arange(n - 1, -1, -1, device=GPU)


def bar(n):
    return torch.linspace(0.95, 0.05, n, device=GPU)


def betas(n):
    return torch.linspace(0.1, 0.2, n, device=GPU)


def pull(x, *_):
    return -0.5 * x


def density(x):
    return -0.25 * (x**2).sum(1)


def logits_of(x, *_):
    x = x.to(torch.float64)
    return torch.stack([(k + 1.3 * x).sin() for k in range(V)], -1)


def extend(x, cache):
    return logits_of(x), cache


def raw(x, c_noise):
    return 0.1 * x


def denoiser(x, sigma):
    return edm_denoise(raw, x, sigma, sigma_data=0.5)


def few(x, sigma):
    return consistency_function(raw, x, sigma, sigma_data=0.5, sigma_min=0.1)


def ones(*shape):
    return torch.ones(shape, device=GPU)


def words(*shape):
    return torch.zeros(shape, dtype=torch.int64, device=GPU)


def stops(h):
    return h - 1e4 * (torch.arange(V, device=GPU) == V - 1)  # never draws the last token


SAMPLERS = {
    "ddpm_sample": lambda n: ddpm_sample(pull, ones(4, 2), betas=betas(n), variances=betas(n)),
    "ddim_sample": lambda n: ddim_sample(pull, ones(4, 2), steps(n), alphas_bar=bar(n), eta=0.5),
    "ddim_invert": lambda n: ddim_invert(pull, ones(4, 2), steps(n), alphas_bar=bar(n)),
    "dpm_solver_sample": lambda n: dpm_solver_sample(
        pull, ones(4, 2), steps(n), alphas_bar=bar(n)
    ),
    "edm_sample": lambda n: edm_sample(denoiser, ones(4, 2), edm_sigmas(n)),
    "edm_sample, guided": lambda n: edm_sample(
        guided_denoiser(denoiser, denoiser, guidance_scale=2.0), ones(4, 2), edm_sigmas(n)
    ),
    "consistency_sample": lambda n: consistency_sample(
        few, ones(4, 2), [10.0 - k / n for k in range(n)], sigma_min=0.1
    ),
    "flow_sample": lambda n: flow_sample(pull, ones(4, 2), down(n)),
    "reverse_sde_sample": lambda n: reverse_sde_sample(VP(), pull, ones(4, 2), down(n)),
    "probability_flow_sample": lambda n: probability_flow_sample(VP(), pull, ones(4, 2), down(n)),
    "annealed_langevin": lambda n: annealed_langevin(
        pull, ones(4, 2), down(n), rate=0.1, n_steps=2
    ),
    "langevin": lambda n: langevin(pull, ones(4, 2), step_size=0.1, n_steps=n),
    "masked_sample": lambda n: masked_sample(logits_of, V + words(4, 9), n, mask=V),
    "generate_naive": lambda n: generate_naive(logits_of, words(4, 1), n),
    "generate_cached": lambda n: generate_cached(extend, words(4, 1), n),
    "PixelCNN.steps": lambda n: PixelCNN(
        TwoStacks(1, 4, 1), 4, n_levels=3, event_shape=(1, 1, n)
    ).to(GPU).steps(words(2, 1, 1, n)),
}  # fmt: skip
EACH_STEP = {  # these must read in each step, with the reason
    "mala": (
        "a NaN would be refused for ever, and look like a chain at rest",
        lambda n: mala(density, pull, ones(4, 2), step_size=0.1, n_steps=n),
    ),
    "predictor_corrector_sample": (
        "the length of the step is measured on the score",
        lambda n: predictor_corrector_sample(VP(), pull, ones(4, 2), down(n)),
    ),
    "write_until": (
        "it ends when all texts have ended",
        lambda n: write_until(extend, stops, words(4, 1), n, stop=V - 1),
    ),
    "speculative_sample": (
        "how far each text has come decides the next round",
        lambda n: speculative_sample(
            logits_of, lambda x, length: logits_of(length).softmax(-1), words(4, 1), n, k=1
        ),
    ),
}


@pytest.fixture
def reads(monkeypatch):
    """The operations that waited for the device, in order."""
    seen, run = [], elsewhere.run

    def counted(func, args, kwargs):
        name = func._schema.name.split("::")[-1]
        there = any(isinstance(a, There) for a in args)
        home = str(kwargs.get("device")) == "cpu" and name == "_to_copy"
        if there and (home or name in ("_local_scalar_dense", "nonzero", "masked_select")):
            seen.append(name)
        return run(func, args, kwargs)

    monkeypatch.setattr(elsewhere, "run", counted)
    monkeypatch.setattr(There, "tolist", lambda x: seen.append("tolist") or x.here.tolist())
    return seen


def count(sampler, n, reads):
    torch.manual_seed(0)
    reads.clear()
    with Elsewhere():
        last(sampler(n))
    return len(reads)


@pytest.mark.parametrize("name", SAMPLERS)
def test_twice_the_steps_wait_no_more_often(name, reads):
    few, many = (count(SAMPLERS[name], n, reads) for n in (4, 8))
    assert few == many


@pytest.mark.parametrize("name", EACH_STEP)
def test_these_read_in_each_step(name, reads):
    few, many = (count(EACH_STEP[name][1], n, reads) for n in (4, 8))
    assert few < many
