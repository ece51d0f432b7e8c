r"""A flow for images: from a normal to grey levels.

$$z \sim \mathcal N(0, I) \;\to\; \text{spline couplings and linear maps} \;\to\;
F^{-1}\big(\Phi(\cdot)\big) \;\to\; y \in [0, 1]^d \;\to\; \lfloor L y \rfloor$$

The last map carries each coordinate onto the histogram of its pixel, so that an untrained flow is
the per-pixel histogram model, and everything that training adds is what pixels know of each other.

Lesson: notebooks/04_normalizing_flows.ipynb
Sources: Durkan et al. 2019 (arXiv:1906.04032), section 3; Kingma and Dhariwal 2018
(arXiv:1807.03039), section 3.2.
"""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from genlab.core.guards import require_between, require_index
from genlab.flow.bounded import HistogramMarginals
from genlab.flow.change_of_variables import Transform
from genlab.flow.coupling import Coupling, alternating_mask
from genlab.flow.dequantization import DequantisedFlow, UniformNoise
from genlab.flow.linear import Linear
from genlab.flow.model import Flow, StandardNormal
from genlab.flow.spline import RationalQuadratic


def pixel_histograms(
    x: Int[Tensor, " n d"], levels: int, *, extra: float = 0.3
) -> Float[Tensor, " d k"]:
    r"""How often each pixel takes each level, with a little added so that none is impossible.

    $$p_{jk} = \frac{n_{jk} + a}{n + a L}$$

    Args:
        x: levels 0..L-1, `(n, d)`.
        levels: L.
        extra: $a > 0$, the count that is added.

    Returns:
        `(d, levels)`, each row sums to 1.

    Raises:
        ValueError: a level outside 0..L-1.

    Example:
        >>> pixel_histograms(torch.tensor([[0], [1], [1]]), levels=2, extra=1.0)
        tensor([[0.4000, 0.6000]])

    Lesson: notebooks/02_autoregressive.ipynb
    """
    require_index(levels, x=x)
    require_between(0, math.inf, extra=extra)
    counts = nn.functional.one_hot(x, levels).sum(0).to(torch.get_default_dtype()) + extra
    return counts / counts.sum(1, keepdim=True)


def pixel_flow(
    train: Int[Tensor, " n d"],
    levels: int,
    *,
    n_layers: int = 4,
    width: int = 64,
    n_bins: int = 5,
    noise: nn.Module | None = None,
) -> DequantisedFlow:
    """A spline flow on the levels of images, its last layer set from the training images.

    Args:
        train: images as rows of levels, `(n, d)`; only their histograms are used here.
        levels: grey levels.
        n_layers: couplings, each followed by a learned linear map.
        width: width of the networks in the couplings.
        n_bins: bins of their splines.
        noise: the dequantising noise; uniform by default.

    Returns:
        An untrained model with an `elbo` in nats.
    """
    d = train.shape[1]
    layers: list[Transform] = []
    for k in range(n_layers):
        element = RationalQuadratic(n_bins, bound=3.0)
        layers += [Coupling(alternating_mask(d, k), element, width=width), Linear(d)]
    layers.append(HistogramMarginals(pixel_histograms(train, levels)))
    return DequantisedFlow(
        Flow(StandardNormal((d,)), layers), noise or UniformNoise(), levels=levels
    )
