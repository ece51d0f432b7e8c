r"""Dequantisation: how a density may speak about data that are whole numbers.

$$\log P(x) = \log \int_{[0,1)^D} p\Big(\frac{x+u}{L}\Big)\,L^{-D}\,du \;\ge\;
\mathbb E_{q(u \mid x)}\Big[\log p\Big(\frac{x+u}{L}\Big) - D\log L - \log q(u \mid x)\Big]$$

Theis, van den Oord and Bethge 2015 (arXiv:1511.01844), section 3.1, for uniform noise; Flow++ = Ho
et al. 2019 (arXiv:1902.00275), eq. 4 to 6 and 11 to 12, for a learned q.
"""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from genlab.core import PerExample, drawn
from genlab.core.checked import check_public
from genlab.core.tensors import Rng, require_between, require_index, require_positive, require_rows
from genlab.flow.coupling import Coupling, alternating_mask
from genlab.flow.model import Flow, StandardNormal
from genlab.flow.spline import RationalQuadratic
from genlab.flow.transforms import HistogramMarginals, Linear, Transform

Noise = tuple[Float[Tensor, " b d"], PerExample]  # u, log q(u | x)


def dequantised_bound(
    log_p_y: PerExample, log_q_u: PerExample | float, *, n_dims: int, levels: int
) -> PerExample:
    r"""Bound on the log-probability of an image, from one draw of the dequantising noise, nats.

    $$\log p(y) - D \log L - \log q(u \mid x), \qquad \mathbb E_q[\,\cdot\,] \le \log P(x)$$

    Equal to $\log P(x)$ exactly when q is proportional to p over the bin (Flow++, eq. 11 and 12).
    """
    require_positive(n_dims=n_dims, levels=levels)
    return log_p_y - n_dims * math.log(levels) - log_q_u


class UniformNoise(nn.Module):
    """Uniform dequantisation: u is uniform on [0, 1)^d, log q = 0, whatever the image."""

    def forward(self, x: Int[Tensor, " b d"], *, generator: Rng = None) -> Noise:
        """Return u and log q(u | x) = 0."""
        u = drawn(torch.rand, x.shape, device=x.device, generator=generator)
        return u, u.new_zeros(len(x))


class DequantisedFlow(nn.Module):
    """A discrete model of pixels: a density on [0, 1]^d, a distribution of noise in a bin."""

    def __init__(self, flow: Flow, noise: nn.Module, *, levels: int) -> None:
        super().__init__()
        self.flow, self.noise, self.levels = flow, noise, levels
        self.event_shape = flow.event_shape

    def elbo(self, x: Int[Tensor, " b d"], *, generator: Rng = None) -> PerExample:
        """Bound on log P(x) from one draw of the noise, nats."""
        u, log_q_u = self.noise(x, generator=generator)
        log_p_y = self.flow.log_prob((x + u) / self.levels)
        return dequantised_bound(log_p_y, log_q_u, n_dims=x.shape[1], levels=self.levels)

    def loss(self, x: Int[Tensor, " b d"], *, generator: Rng = None) -> Float[Tensor, ""]:
        """Minus the bound, mean over the batch, nats."""
        return -self.elbo(x, generator=generator).mean()

    @torch.no_grad()
    def sample(self, n: int, *, generator: Rng = None) -> Int[Tensor, " b d"]:
        """Sample the density, and name the bin that it fell into."""
        y = self.flow.sample(n, generator=generator)
        return (y * self.levels).floor().long().clamp(0, self.levels - 1)


def pixel_histograms(
    x: Int[Tensor, " n d"], levels: int, *, extra: float = 0.3
) -> Float[Tensor, " d k"]:
    """How often each pixel takes each level, smoothed: $p_{jk} = (n_{jk} + a) / (n + a L)$."""
    require_index(levels, x=x)
    require_rows(x=x)
    require_between(0, math.inf, extra=extra)
    counts = nn.functional.one_hot(x, levels).sum(0).to(torch.get_default_dtype()) + extra
    return counts / counts.sum(1, keepdim=True)


def pixel_flow(
    train: Int[Tensor, " n d"], levels: int, *, n_layers: int = 4, width: int = 64, n_bins: int = 5
) -> DequantisedFlow:
    """An untrained spline flow on levels of pixels, its last layer set from the training images."""
    histograms = pixel_histograms(train, levels)
    d = train.size(1)
    layers: list[Transform] = []
    for k in range(n_layers):
        spline = RationalQuadratic(n_bins, bound=3.0)
        layers += [Coupling(alternating_mask(d, k), spline, width=width), Linear(d)]
    layers.append(HistogramMarginals(histograms))
    return DequantisedFlow(Flow(StandardNormal((d,)), layers), UniformNoise(), levels=levels)


check_public(__name__)
