r"""What it costs that one network guesses the code of every image.

$$\underbrace{\log p(x) - \mathrm{ELBO}(q_\phi)}_{\text{gap}}
  = \underbrace{\log p(x) - \mathrm{ELBO}(q^*)}_{\text{family: } q^* \text{ is still a Gaussian}}
  + \underbrace{\mathrm{ELBO}(q^*) - \mathrm{ELBO}(q_\phi)}_{\text{amortisation}}$$

Here $q^*$ is the best diagonal Gaussian for this one x, found by climbing the bound.

Lesson: notebooks/06_vae_in_practice.ipynb
Source: Cremer, Li and Duvenaud 2018 (arXiv:1801.03558), eqs. 5 and 6.
"""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Generator, Tensor

from genlab.core.rng import randn
from genlab.core.shapes import PerExample

from .elbo import Data, DecoderLogProb, elbo
from .reparameterize import Latent


class Proposal(NamedTuple):
    """A Gaussian for each example, and the bound it had before the step."""

    mu: Latent
    log_var: Latent
    elbo: PerExample  # nats


def refine(
    x: Data,
    mu: Latent,
    log_var: Latent,
    *,
    decoder_log_prob: DecoderLogProb,
    n_steps: int,
    lr: float = 0.05,
    n_draws: int = 2,
    generator: Generator | None = None,
) -> Iterator[Proposal]:
    r"""Climb the bound of each example by itself, the model held fixed.

    $$(\mu, \log\sigma^2) \leftarrow \text{Adam step along }
      \nabla_{\mu,\log\sigma^2}\,\mathrm{ELBO}(x; \mu, \sigma)$$

    Args:
        x: data, `(b, *event)`.
        mu: where to start, `(b, k)`; the encoder's answer or anything else.
        log_var: like `mu`.
        decoder_log_prob: $(x, z)\mapsto\log p(x\mid z)$ in nats, `(b,)`.
        n_steps: steps; 1 or more.
        lr: Adam's rate, falling linearly to zero.
        n_draws: fresh draws for each example and step.
        generator: source of those draws.

    Yields:
        `Proposal`, detached, after each step.

    Raises:
        ValueError: `n_steps` is not positive.

    Source: Cremer, Li and Duvenaud 2018 (arXiv:1801.03558), section 5.1.
    Lesson: notebooks/06_vae_in_practice.ipynb
    """
    if n_steps < 1:
        raise ValueError(f"refine: n_steps is {n_steps}, expected at least 1")
    mu, log_var = (a.detach().clone().requires_grad_(True) for a in (mu, log_var))
    many = x.repeat(n_draws, *[1] * (x.ndim - 1))
    adam = torch.optim.Adam([mu, log_var], lr=lr)
    for step in range(n_steps):
        adam.param_groups[0]["lr"] = lr * (1 - step / n_steps)
        eps = randn((len(many), *mu.shape[1:]), like=mu, generator=generator)
        wide = mu.repeat(n_draws, 1), log_var.repeat(n_draws, 1)
        bound = elbo(many, *wide, eps, decoder_log_prob=decoder_log_prob)
        mu.grad, log_var.grad = torch.autograd.grad(-bound.sum() / n_draws, (mu, log_var))
        adam.step()
        value: Tensor = bound.detach().view(n_draws, -1).mean(0)
        yield Proposal(mu.detach().clone(), log_var.detach().clone(), value)
