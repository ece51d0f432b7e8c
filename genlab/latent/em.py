"""Models whose bound is exact: mixtures and probabilistic PCA, and EM, which climbs it.

PRML = Bishop 2006, Pattern Recognition and Machine Learning, chapters 9 and 12.
"""

import math
from collections.abc import Callable, Iterator
from typing import Generic, Literal, NamedTuple, TypeVar

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from genlab.core import PerExample
from genlab.core.checked import check_public
from genlab.core.tensors import (
    Rng,
    draw_indices,
    require_between,
    require_finite,
    require_index,
    require_probabilities,
    require_rows,
)
from genlab.latent.elbo import log_marginal
from genlab.oracles import LinearLatent

Q = TypeVar("Q")
M = TypeVar("M")


class HalfStep(NamedTuple, Generic[Q, M]):
    """Where the climb stands after one half of a step."""

    step: int  # 1, 2, ...; each has two halves
    half: Literal["E", "M"]  # which of the two was just improved
    q: Q  # the guess
    model: M  # the model


def em(
    model: M, e_step: Callable[[M], Q], m_step: Callable[[Q], M], *, n_steps: int
) -> Iterator[HalfStep[Q, M]]:
    """Coordinate ascent on the bound, after *each half* of a step (Neal and Hinton 1998)."""
    for step in range(1, n_steps + 1):
        q = e_step(model)
        yield HalfStep(step, "E", q, model)
        model = m_step(q)
        yield HalfStep(step, "M", q, model)


_LOG_ZERO = -1e4  # stands for log 0: 0 * log 0 must be 0 in a product with one-hot rows


def one_hot_levels(x: Int[Tensor, " n *event"], n_levels: int) -> Float[Tensor, " n dl"]:
    """Write each pixel as L numbers, 1 for its level and 0 elsewhere, one row an example."""
    require_index(n_levels, x=x)
    return F.one_hot(x, n_levels).flatten(1).to(torch.get_default_dtype())


class CategoricalMixture(nn.Module):
    r"""K components, each a table of pixel probabilities; the likelihood by enumeration.

    $$z \sim \pi, \quad x_j \mid z \sim \mathrm{Categorical}(p_{zj}), \qquad
    \log p(x) = \log\sum_z \pi_z \prod_j p_{zj}(x_j)$$
    """

    def __init__(
        self, log_weights: Float[Tensor, " k"], log_probs: Float[Tensor, " k *event levels"]
    ) -> None:
        super().__init__()
        self.event_shape = tuple(log_probs.shape[1:-1])
        self.n_levels = log_probs.shape[-1]
        self.log_weights = nn.Parameter(log_weights.detach().clone())
        self.log_probs = nn.Parameter(log_probs.detach().clone())

    def log_prior(self) -> Float[Tensor, " k"]:
        return self.log_weights.log_softmax(0)

    def cond_log_prob(self, x: Int[Tensor, " n *event"]) -> Float[Tensor, " b k"]:
        r"""$\log p(x\mid z)$ for every z, summed over the pixels, nats."""
        table = self.log_probs.log_softmax(-1).clamp_min(_LOG_ZERO).flatten(1)
        return one_hot_levels(x, self.n_levels).to(table) @ table.T

    def log_joint(self, x: Int[Tensor, " n *event"]) -> Float[Tensor, " b k"]:
        r"""$\log p(x, z)$ for every z, nats."""
        return self.cond_log_prob(x) + self.log_prior()

    def log_prob(self, x: Int[Tensor, " n *event"]) -> PerExample:
        return log_marginal(self.log_joint(x))

    def loss(self, x: Int[Tensor, " n *event"], *, generator: Rng = None) -> Float[Tensor, ""]:
        """Negative log-likelihood, mean over the batch, nats."""
        return -self.log_prob(x).mean()

    @torch.no_grad()
    def sample(self, n: int, *, generator: Rng = None) -> Int[Tensor, " n *event"]:
        """Draw a component, then each pixel by itself."""
        z = draw_indices(self.log_prior().exp(), n, generator=generator)
        probs = self.log_probs.softmax(-1)[z].flatten(0, -2)
        return draw_indices(probs, 1, generator=generator).reshape(n, *self.event_shape)


def categorical_m_step(
    x: Int[Tensor, " n *event"],
    q: Float[Tensor, " n k"],
    *,
    n_levels: int,
    pseudo_count: float = 0.0,
) -> CategoricalMixture:
    r"""Best mixture of independent categorical pixels (PRML, eqs. 9.59 and 9.60, for L levels).

    $$\pi_k = \frac{N_k}{n}, \qquad
      p_{kj\ell} = \frac{a + \sum_i q_{ik}\,[x_{ij} = \ell]}{La + N_k}$$

    It maximises the bound plus $a\sum_{kj\ell}\log p_{kj\ell}$.
    """
    require_between(0, math.inf, pseudo_count=pseudo_count)
    require_probabilities(q=q)
    seen = one_hot_levels(x, n_levels).to(q)
    counts = (q.T @ seen).reshape(q.shape[1], *x.shape[1:], n_levels) + pseudo_count
    log_probs = (counts / counts.sum(-1, keepdim=True)).log()
    return CategoricalMixture((q.mean(0)).log(), log_probs)


def ppca_m_step(
    x: Float[Tensor, " n d"],
    mu: Float[Tensor, " n k"],
    cov: Float[Tensor, " k k"],
    *,
    std: float | None = None,
) -> LinearLatent:
    r"""The model that maximises the mean bound while q is held fixed (PRML, eqs. 12.56, 12.57).

    $$[W\ \mu] = \Big[\sum_i x_i\, \mathbb E\tilde z_i^\top\Big]
      \Big[\sum_i \mathbb E\tilde z_i\tilde z_i^\top\Big]^{-1}, \qquad
      \sigma^2 = \frac{1}{nd}\sum_i\mathbb E\,\lVert x_i - Wz_i - \mu\rVert^2,
      \qquad \tilde z = (z, 1)$$
    """
    require_rows(x=x, mu=mu)
    n, d = x.shape
    code = torch.cat([mu, torch.ones_like(mu[:, :1])], 1)
    second = code.T @ code
    second[:-1, :-1] += n * cov
    fit = torch.linalg.solve(second, code.T @ x)
    weight = fit[:-1].T
    mean = fit[-1]
    squares = ((x - code @ fit) ** 2).sum() + n * (weight @ cov @ weight.T).trace()
    return LinearLatent(weight, mean, float((squares / (n * d)).sqrt()) if std is None else std)


def ppca_ml(x: Float[Tensor, " n d"], n_latent: int, *, std: float | None = None) -> LinearLatent:
    r"""Maximum-likelihood model from the covariance's eigenvalues (PRML, eqs. 12.45, 12.46).

    $$W = U_k(\Lambda_k - \sigma^2 I)_+^{1/2}, \qquad
      \sigma^2 = \frac{1}{d-k}\sum_{j>k}\lambda_j \ \text{ unless given}$$
    """
    require_rows(x=x)
    require_finite(x=x)
    d = x.shape[1]
    if not 1 <= n_latent <= (d if std else d - 1):
        raise ValueError(f"ppca_ml: n_latent is {n_latent}, expected 1..{d if std else d - 1}")
    mean = x.mean(0)
    values, vectors = torch.linalg.eigh((x - mean).T @ (x - mean) / len(x))
    noise = std**2 if std else float(values[: d - n_latent].mean())
    lengths = (values[d - n_latent :] - noise).clamp_min(0).sqrt()
    return LinearLatent((vectors[:, d - n_latent :] * lengths).flip(1), mean, noise**0.5)


check_public(__name__)
