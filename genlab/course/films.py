"""What a sampler has in its hands after each network pass, from first noise to finished points."""

from functools import singledispatch
from typing import Any

import torch
from torch import Tensor

from genlab.adversarial import GAN
from genlab.autoregressive.grid import GridAutoregressive
from genlab.core import make_generator, randn
from genlab.flow.model import Flow
from genlab.latent import VAE
from genlab.score import DDPM, ddpm_sample


@singledispatch
def frames(model: Any, n: int, generator: torch.Generator) -> list[Tensor]:
    """States `(n, 2)` before the first pass and after each: one more than there are passes."""
    raise ValueError(f"no film for {type(model).__name__}")


@frames.register
def _autoregressive(model: GridAutoregressive, n: int, generator: torch.Generator) -> list[Tensor]:
    state = int(generator.initial_seed())
    noise = model.extent * (2 * torch.rand(n, 2, generator=make_generator(state)) - 1)
    done = model.sample(n, generator=generator)
    return [noise, torch.stack([done[:, 0], noise[:, 1]], 1), done]


@frames.register
def _flow(model: Flow, n: int, generator: torch.Generator) -> list[Tensor]:
    z = model.base.sample(n, generator=generator)
    return [z, model(z)[0]]


@frames.register
def _vae(model: VAE, n: int, generator: torch.Generator) -> list[Tensor]:
    z = randn((n, 2), generator=generator)
    mean = model.decoder(z)
    return [z, mean + model.log_scale.exp() * randn((n, 2), generator=generator)]


@frames.register
def _gan(model: GAN, n: int, generator: torch.Generator) -> list[Tensor]:
    z = randn((n, model.latent_dim), generator=generator)
    return [z[:, :2], model.generator_net(z)]


@frames.register
def _diffusion(model: DDPM, n: int, generator: torch.Generator) -> list[Tensor]:
    x_T = randn((n, 2), generator=generator)
    steps = ddpm_sample(
        model.eps_net, x_T, betas=model.betas, variances=model.betas, generator=generator
    )
    return [x_T, *steps]


@torch.no_grad()
def film(model: Any, n: int, *, seed: int = 0) -> list[Tensor]:
    """Record a sampler at work.

    Args:
        model: one of the five of the first map, on points of the plane.
        n: how many points.
        seed: of all its noise.

    Returns:
        States `(n, 2)`: the noise, then the state after each network pass.

    Raises:
        ValueError: a model of another kind.
    """
    return frames(model, n, make_generator(seed))
