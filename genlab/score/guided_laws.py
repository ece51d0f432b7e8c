r"""Two exact laws of guidance: what is often claimed to come out, and what does.

$$\underbrace{p(x)^{1-w}\,p(x\mid c)^w}_{\text{tilted: claimed}} \qquad\text{against}\qquad
\underbrace{\text{end of the guided flow}}_{\text{guided: true}}$$

For a normal class inside normal data both are normal, and both are written down here. They agree at
$w = 0$ and $w = 1$ and nowhere else: guidance shrinks the class far more than sharpening does.

Lesson: notebooks/13_diffusion_ii.ipynb
Source: Bradley and Nakkiran 2024 (arXiv:2408.09000), section 3, for the disagreement.
"""

import math
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from genlab.core.guards import require_between
from genlab.core.quadrature import integrate
from genlab.oracles.gaussian import Gaussian


@runtime_checkable
class HasLogDensity(Protocol):
    """A law with a density."""

    def log_prob(self, x: Tensor) -> Tensor:
        """Log-density of `(b, d)`, `(b,)`."""


def tilted_density(
    law: HasLogDensity,
    of_class: HasLogDensity,
    x: Float[Tensor, " n"],
    *,
    guidance_scale: float,
) -> Float[Tensor, " n"]:
    r"""The sharpened law on a grid of the line, normalised by quadrature.

    $$\frac{p(x)^{1-w}\,p(x\mid c)^w}{\int p^{1-w}\,p(\cdot\mid c)^w}$$

    Args:
        law: p.
        of_class: $p(\cdot\mid c)$.
        x: a rising grid that holds all of the result's mass.
        guidance_scale: w.

    Returns:
        Density at the grid points, `(n,)`.

    Raises:
        ValueError: the density is still large at an end of the grid.

    Example:
        >>> x = torch.linspace(-5, 7, 1201)
        >>> normal = lambda m, v: Gaussian(torch.tensor([m]), torch.tensor([[v]]))
        >>> p = tilted_density(normal(0.0, 1.0), normal(1.0, 0.25), x, guidance_scale=3.0)
        >>> round(float(integrate(x * p, x)), 4)
        1.2

    Source: the definition.
    Lesson: notebooks/13_diffusion_ii.ipynb
    """
    log_p, log_c = law.log_prob(x[:, None]), of_class.log_prob(x[:, None])
    tilt = log_p + guidance_scale * (log_c - log_p)
    density = (tilt - tilt.max()).exp()
    if max(float(density[0]), float(density[-1])) > 1e-3:
        raise ValueError(f"the grid {float(x[0])} to {float(x[-1])} cuts off part of the law")
    return density / integrate(density, x)


def tilted_gaussian(mean: float, variance: float, *, guidance_scale: float) -> Gaussian:
    r"""What guidance is often said to sample: $p(x)^{1-w}\,p(x\mid c)^w$, normalised.

    $$p = \mathcal N(0, 1),\ p(\cdot\mid c) = \mathcal N(m, v)\ \Rightarrow\
      \mathcal N\Big(\frac{w m}{w + (1-w) v},\ \frac{v}{w + (1-w) v}\Big)$$

    Args:
        mean: m of the class.
        variance: v of the class, in (0, 1].
        guidance_scale: w, at least 0.

    Returns:
        A normal law on the line.

    Raises:
        ValueError: a variance outside (0, 1], or a negative scale.

    Example:
        >>> law = tilted_gaussian(1.0, 0.25, guidance_scale=3.0)
        >>> law.mean, law.cov
        (tensor([1.2000]), tensor([[0.1000]]))

    Source: the product of normal densities, completed to a square.
    Lesson: notebooks/13_diffusion_ii.ipynb
    """
    _require_class(variance, guidance_scale)
    precision = guidance_scale / variance + 1 - guidance_scale
    centre = guidance_scale * mean / variance / precision
    return Gaussian(torch.tensor([centre]), torch.tensor([[1 / precision]]))


def guided_gaussian(
    mean: float, variance: float, *, guidance_scale: float, n_nodes: int = 2001
) -> Gaussian:
    r"""What noiseless guided sampling really arrives at, in the same setting, with fine steps.

    $$p = \mathcal N(0, 1),\ p(\cdot\mid c) = \mathcal N(m, v)\ \Rightarrow\
      \mathcal N\Big(w m\int_0^1 \big(v + (1-v)u^2\big)^{(w-1)/2} du,\ v^w\Big)$$

    Args:
        mean: m of the class.
        variance: v of the class, in (0, 1].
        guidance_scale: w, at least 0.
        n_nodes: of the quadrature of the integral.

    Returns:
        A normal law on the line.

    Raises:
        ValueError: a variance outside (0, 1], or a negative scale.

    Example:
        >>> law = guided_gaussian(1.0, 0.25, guidance_scale=3.0)
        >>> law.mean, law.cov
        (tensor([1.5000]), tensor([[0.0156]]))

    Source: derived in the lesson; the case of two normals is in Bradley and Nakkiran 2024
        (arXiv:2408.09000), section 3.
    Lesson: notebooks/13_diffusion_ii.ipynb
    """
    _require_class(variance, guidance_scale)
    require_between(2, math.inf, n_nodes=n_nodes)
    w, v = guidance_scale, variance
    u = torch.linspace(0, 1, n_nodes, dtype=torch.float64)
    share = float(integrate((v + (1 - v) * u**2) ** ((w - 1) / 2), u))
    return Gaussian(torch.tensor([w * mean * share]), torch.tensor([[v**w]]))


def _require_class(variance: float, guidance_scale: float) -> None:
    if not 0 < variance <= 1:
        raise ValueError(f"variance must lie in (0, 1], got {variance}")
    if not guidance_scale >= 0:
        raise ValueError(f"guidance_scale must be at least 0, got {guidance_scale}")
