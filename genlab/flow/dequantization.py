r"""Dequantisation: how a density may speak about data that are whole numbers.

A pixel takes L levels. A density fitted to the levels themselves can put ever narrower spikes on
them, and its log-likelihood has no upper limit. Spread each level over its own bin first, $y = (x +
u)/L$ with $u \in [0, 1)^D$. The probability that a density gives to a *whole bin* is then a proper
probability of the image, and Jensen's inequality bounds it for any law $q(u \mid x)$ of the noise:

$$\log P(x) = \log \int_{[0,1)^D} p\Big(\frac{x+u}{L}\Big)\,L^{-D}\,du \;\ge\;
\mathbb E_{q(u \mid x)}\Big[\log p\Big(\frac{x+u}{L}\Big) - D\log L - \log q(u \mid x)\Big].$$

Uniform dequantisation takes q = 1; variational dequantisation learns q, as a flow conditioned on x.

Theis, van den Oord and Bethge 2015 (arXiv:1511.01844), section 3.1; Ho, Chen, Srinivas, Duan and
Abbeel 2019 (Flow++, arXiv:1902.00275), eq. 4 to 6 and 11 to 12.
"""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from genlab.core.tensors import PerExample, randn, require_between, require_index
from genlab.flow.coupling import Coupling, alternating_mask, coupling_flow
from genlab.flow.model import Flow, StandardNormal
from genlab.flow.spline import RationalQuadratic
from genlab.flow.transforms import Elementwise, HistogramMarginals, Linear, Transform

Pixels = Int[Tensor, " b d"]
Noise = Float[Tensor, " b d"]


def dequantised_bound(
    log_p_y: PerExample, log_q_u: PerExample | float, *, n_dims: int, levels: int
) -> PerExample:
    r"""Bound on the log-probability of an image, from one draw of the dequantising noise, nats.

    $$\log p(y) - D \log L - \log q(u \mid x), \qquad \mathbb E_q[\,\cdot\,] \le \log P(x)$$

    Equal to $\log P(x)$ for every u exactly when q is proportional to p over the bin.

    Ho et al. 2019, eq. 11 and 12. ValueError: fewer than one level or dimension.
    """
    if levels < 1 or n_dims < 1:
        raise ValueError(
            f"dequantised_bound: levels is {levels} and n_dims {n_dims}, expected at least 1 each"
        )
    return log_p_y - n_dims * math.log(levels) - log_q_u


def tightened_bound(bounds: Float[Tensor, " k b"]) -> PerExample:
    r"""Many draws of the noise, a tighter bound: average probabilities, then take the logarithm.

    $$\log \frac1K \sum_{k=1}^K \frac{p(y_k)\,L^{-D}}{q(u_k \mid x)} \;\nearrow\; \log P(x)$$

    Nats; a lower bound in expectation that rises with K to $\log P(x)$. Burda, Grosse and
    Salakhutdinov 2015 (arXiv:1509.00519), eq. 8.
    """
    return torch.logsumexp(bounds, 0) - math.log(len(bounds))


class UniformNoise(nn.Module):
    """Uniform dequantisation: u is uniform on [0, 1)^d, log q = 0, whatever the image."""

    def forward(
        self, x: Pixels, *, generator: torch.Generator | None = None
    ) -> tuple[Noise, PerExample]:
        """Return u and log q(u | x) = 0."""
        u = torch.rand(x.shape, generator=generator, dtype=torch.get_default_dtype())
        return u, u.new_zeros(len(x))


class VariationalNoise(nn.Module):
    """Variational dequantisation: u = Phi(f(eps; x)), a flow conditioned on the image.

    Untrained, f is the identity and u is uniform: learning starts from uniform dequantisation.
    """

    def __init__(
        self, d: int, levels: int, element: Elementwise, *, n_layers: int = 2, width: int = 64
    ) -> None:
        super().__init__()
        layers = coupling_flow(d, element, n_layers=n_layers, width=width, d_cond=d).transforms
        to_unit = HistogramMarginals(torch.ones(d, 1))  # one bin: u = Phi(v)
        self.flow = Flow(StandardNormal((d,)), [*layers, to_unit])
        self.levels = levels

    def forward(
        self, x: Pixels, *, generator: torch.Generator | None = None
    ) -> tuple[Noise, PerExample]:
        """Return u in (0, 1)^d and log q(u | x); differentiable in the flow's parameters."""
        eps = randn(x.shape, like=next(self.parameters()), generator=generator)
        return self.flow.sample_with_log_prob(eps, cond=2 * x.to(eps) / (self.levels - 1) - 1)


class DequantisedFlow(nn.Module):
    """A discrete model of pixels made of a density on [0, 1]^d and a law for the noise in a bin.

    It has an `elbo` and no `log_prob`: the integral over a bin is what it cannot do exactly.
    """

    def __init__(self, flow: Flow, noise: nn.Module, *, levels: int) -> None:
        super().__init__()
        self.flow = flow
        self.noise = noise
        self.levels = levels

    @property
    def event_shape(self) -> tuple[int, ...]:
        """Shape of one example."""
        return self.flow.event_shape

    def elbo(self, x: Pixels, *, generator: torch.Generator | None = None) -> PerExample:
        """Bound on log P(x) in nats, `(b,)`, from one draw of the noise."""
        u, log_q_u = self.noise(x, generator=generator)
        log_p_y = self.flow.log_prob((x + u) / self.levels)
        return dequantised_bound(log_p_y, log_q_u, n_dims=x.shape[1], levels=self.levels)

    def loss(
        self, x: Pixels, *, cond: Tensor | None = None, generator: torch.Generator | None = None
    ) -> Float[Tensor, ""]:
        """Minus the bound, mean over the batch, in nats."""
        return -self.elbo(x, generator=generator).mean()

    @torch.no_grad()
    def sample(
        self, n: int, *, cond: Tensor | None = None, generator: torch.Generator | None = None
    ) -> Pixels:
        """Draw `(n, d)` pixels: sample the density, and name the bin that it fell into."""
        y = self.flow.sample(n, cond=cond, generator=generator)
        return (y * self.levels).floor().long().clamp(0, self.levels - 1)


def pixel_histograms(
    x: Int[Tensor, " n d"], levels: int, *, extra: float = 0.3
) -> Float[Tensor, " d k"]:
    r"""How often each pixel takes each level, with a little added so that none is impossible.

    $$p_{jk} = \frac{n_{jk} + a}{n + a L}$$

    ValueError: a level outside 0..L-1.
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
