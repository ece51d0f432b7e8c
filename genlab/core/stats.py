"""The few formulas that every lesson uses: normal densities, divergences, units.

Log-probabilities, entropies and divergences are in **nats**, summed over the event.
"""

import math

import torch
from jaxtyping import Float, Int, Real
from torch import Tensor

from genlab.core.checked import check_public
from genlab.core.tensors import (
    Event,
    PerExample,
    Rng,
    as_real,
    drawn,
    require_alike,
    require_between,
    require_index,
    require_positive,
    require_probabilities,
    sum_event,
)


def std_normal_log_prob(x: Event) -> PerExample:
    r"""Log-density of the standard normal distribution, summed over the event, in nats.

    $$\log \mathcal N(x; 0, I) = -\tfrac12 \lVert x \rVert^2 - \tfrac D2 \log 2\pi$$
    """
    return sum_event(-0.5 * x**2 - 0.5 * math.log(2 * math.pi))


def normal_log_prob(
    x: Real[Tensor, " b *event"], mean: Tensor | float, std: Tensor | float
) -> PerExample:
    r"""Log-density of a normal with independent coordinates, summed over the event, in nats.

    $$\log \mathcal N(x; \mu, \sigma^2 I) = \sum_j -\tfrac12 \Big(\frac{x_j-\mu_j}{\sigma_j}\Big)^2
    - \log \sigma_j - \tfrac12 \log 2\pi$$
    """
    x = as_real(x)
    mean = torch.as_tensor(mean, dtype=x.dtype)
    std = torch.as_tensor(std, dtype=x.dtype)
    require_positive(std=std)
    log_prob = -0.5 * ((x - mean) / std) ** 2 - torch.log(std) - 0.5 * math.log(2 * math.pi)
    require_alike(x=x, log_prob=log_prob)
    return sum_event(log_prob)


def kl_diag_normal(mu: Event, log_var: Event) -> PerExample:
    r"""KL of a normal with independent coordinates from the standard normal, a sum in nats.

    $$\mathrm{KL}\big(\mathcal N(\mu, \sigma^2) \,\|\, \mathcal N(0, I)\big)
    = \tfrac12 \sum_j \big(\mu_j^2 + \sigma_j^2 - 1 - \log \sigma_j^2\big)$$

    Kingma and Welling 2013 (arXiv:1312.6114), appendix B.
    """
    return sum_event(0.5 * (mu**2 + torch.expm1(log_var) - log_var))


def entropy(p: Float[Tensor, " *b k"]) -> Float[Tensor, " *b"]:
    r"""Entropy of a distribution over k outcomes, in nats (Cover and Thomas, 2nd ed., eq. 2.1).

    $$H(p) = -\sum_i p_i \log p_i \in [0, \log k], \qquad 0 \log 0 = 0$$
    """
    require_probabilities(p=p)
    return -torch.xlogy(p, p).sum(-1)


def cross_entropy(p: Float[Tensor, " *b k"], q: Float[Tensor, " *b k"]) -> Float[Tensor, " *b"]:
    r"""Average surprise when outcomes come from `p` and we expected `q`, in nats.

    $$H(p, q) = -\sum_i p_i \log q_i = H(p) + \mathrm{KL}(p\,\|\,q)$$
    """
    require_probabilities(p=p, q=q)
    return -torch.xlogy(p, q).sum(-1)


def kl_categorical(p: Float[Tensor, " *b k"], q: Float[Tensor, " *b k"]) -> Float[Tensor, " *b"]:
    r"""Kullback-Leibler divergence between two distributions over k outcomes, in nats.

    $$\mathrm{KL}(p\,\|\,q) = \sum_i p_i \log \frac{p_i}{q_i}$$

    Infinite where `p > 0` and `q = 0` (Cover and Thomas, eq. 2.26).
    """
    require_probabilities(p=p, q=q)
    return (torch.xlogy(p, p) - torch.xlogy(p, q)).sum(-1)


def bits_per_dim(
    nll_nats: Float[Tensor, " *b"], n_dims: int, levels: int | None = None
) -> Float[Tensor, " *b"]:
    r"""Negative log-likelihood in bits, shared out over the dimensions.

    $$\frac{\mathrm{NLL}}{D \log 2} \;+\; \log_2 L$$

    The second term, with `levels`, is for a density on data with L levels scaled to [0, 1] (Theis,
    van den Oord and Bethge 2015, arXiv:1511.01844, section 3.1).
    """
    require_between(1, math.inf, n_dims=n_dims, levels=1 if levels is None else levels)
    return nll_nats / (n_dims * math.log(2)) + (0.0 if levels is None else math.log2(levels))


def dequantize(x: Int[Tensor, " b *event"], levels: int, *, generator: Rng = None) -> Event:
    r"""Spread each grey level evenly over its bin (Theis et al. 2015, section 3.1).

    $$y = \frac{x + u}{L}, \qquad u \sim \mathcal U[0, 1), \qquad
    \mathbb E_u \log p(y) - D \log L \le \log P(x)$$
    """
    require_index(levels, x=x)
    dtype = torch.get_default_dtype()
    u = drawn(torch.rand, x.shape, dtype=dtype, device=x.device, generator=generator)
    # x + u must not be rounded up to x + 1, which is the next level: keep u a few ulps below 1.
    return (x + u.clamp(max=1 - 2 * levels * torch.finfo(dtype).eps)) / levels


def effective_sample_size(log_w: Float[Tensor, " *k n"]) -> Float[Tensor, " *k"]:
    r"""How many of n weighted draws count, $(\sum_i w_i)^2 / \sum_i w_i^2$, 1 to n (Kong 1992)."""
    require_between(1, math.inf, n_draws=log_w.shape[-1])
    return 1 / (torch.softmax(log_w, dim=-1) ** 2).sum(-1)


def integrate(values: Float[Tensor, " *b n"], x: Float[Tensor, " n"]) -> Float[Tensor, " *b"]:
    r"""Integral $\int f(x)\,dx$ of a function given on a grid, by the trapezoidal rule."""
    return torch.trapezoid(values, x)


def kl_on_grid(
    log_p: Float[Tensor, " *b n"], log_q: Float[Tensor, " *b n"], x: Float[Tensor, " n"]
) -> Float[Tensor, " *b"]:
    r"""Divergence between two densities on a line, by quadrature, in nats.

    $$\mathrm{KL}(p\,\|\,q) = \int p(x) \log\frac{p(x)}{q(x)}\,dx$$

    ValueError: p does not integrate to 1 on this grid (within 1e-3).
    """
    p = log_p.exp()
    mass = integrate(p, x)
    if not bool(((mass - 1).abs() < 1e-3).all()):
        worst = float(mass.flatten()[(mass - 1).abs().argmax()])
        raise ValueError(f"kl_on_grid: p integrates to {worst:.4g} on this grid, expected 1")
    return integrate(torch.where(p > 0, p * (log_p - log_q), 0.0), x)


def ink(images: Float[Tensor, " *b h w"]) -> Float[Tensor, " *b"]:
    r"""Fraction of the paper that is covered, $\frac1{hw}\sum_{ij} x_{ij}$."""
    return images.mean((-2, -1))


def slant(images: Float[Tensor, " b h w"]) -> PerExample:
    r"""Columns that a figure leans to the right for each row upwards.

    $$-\frac{\sum x_{ij}\,(i-\bar i)(j-\bar j)}{\sum x_{ij}\,(i-\bar i)^2}$$
    """
    require_between(0, math.inf, images=images)
    i, j = (torch.arange(n, dtype=images.dtype, device=images.device) for n in images.shape[-2:])
    mass = images.sum((-2, -1))
    safe = torch.where(mass > 0, mass, torch.ones_like(mass))
    d_i = i - (images.sum(-1) @ i / safe)[:, None]
    d_j = j - (images.sum(-2) @ j / safe)[:, None]
    across = torch.einsum("bij,bi,bj->b", images, d_i, d_j)
    height = torch.einsum("bij,bi->b", images, d_i**2)
    return torch.where(height > 0, -across / height.clamp(min=1e-12), torch.zeros_like(height))


check_public(__name__)
