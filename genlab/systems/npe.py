r"""Neural posterior estimation: a conditional flow that learns to invert a simulator.

A simulator draws parameters from a prior and data from the parameters. Nobody can write down its
likelihood, yet every run of it yields a pair, and the pairs are draws from the joint law. A flow
$q(\theta\mid x)$, trained to make the pairs likely, becomes the posterior:

$$\mathbb E_{p(\theta)\,p(x\mid\theta)}\big[-\log q(\theta\mid x)\big]
= \mathbb E_{p(x)}\Big[\mathrm{KL}\big(p(\theta\mid x)\,\|\,q(\theta\mid x)\big)
+ H\big[p(\theta\mid x)\big]\Big].$$

One network serves every observation (*amortised*): after the training a posterior costs one pass.
All the mathematics stands in `genlab.flow`; here it is put together, first layer to last:

- a standard normal base,
- spline layers that bend, then affine layers that place, all of them reading the data,
- a fixed map onto the prior's support, so that the untrained flow is the prior and no draw of any
  flow lies where the prior is zero.

Lesson: notebooks/systems/flow_density_estimator.ipynb
Sources: Papamakarios and Murray 2016 (arXiv:1605.06376), proposition 1; Greenberg, Nonnenmacher
    and Macke 2019 (arXiv:1905.07488), eq. 2; Durkan et al. 2019 (arXiv:1906.04032), section 3.
"""

from collections.abc import Callable, Sequence
from typing import final

import torch
from jaxtyping import Bool, Float
from torch import Generator, Tensor, nn

from genlab.core.tensors import PerExample, sum_event
from genlab.flow import (
    MAF,
    Affine,
    Coupling,
    Flow,
    HistogramMarginals,
    Permutation,
    RationalQuadratic,
    StandardNormal,
    Transform,
    affine_forward,
    affine_inverse,
    alternating_mask,
)

Theta = Float[Tensor, " b p"]
Data = Float[Tensor, " b d"]
Box = tuple[float, float]  # the same interval for every parameter


def npe_loss(log_q: Callable[[Tensor, Tensor], Tensor], theta: Theta, x: Data) -> PerExample:
    r"""Negative log-density that the estimate gives to the parameters behind the data.

    $$\ell = -\log q(\theta\mid x), \qquad \theta \sim p(\theta),\ x \sim p(x\mid\theta)$$

    Minimised, in expectation, by the posterior; the minimum is its entropy, averaged over data,
    and the excess is $\mathbb E_x\,\mathrm{KL}(p(\theta\mid x)\,\|\,q(\theta\mid x))$.

    Args:
        log_q: $(\theta, x) \mapsto \log q(\theta\mid x)$, nats.
        theta: parameters, drawn from the *prior*.
        x: what the simulator made of them, row by row.

    Returns:
        `(b,)`, nats per pair; may be negative.

    Raises:
        ValueError: another number of parameters than of data.

    Example:
        >>> uniform = lambda theta, x: torch.full((len(theta),), -2.0)
        >>> npe_loss(uniform, torch.zeros(3, 2), torch.zeros(3, 4))
        tensor([2., 2., 2.])

    Source: Papamakarios and Murray 2016 (arXiv:1605.06376), proposition 1.
    Lesson: notebooks/systems/flow_density_estimator.ipynb
    """
    if len(theta) != len(x):
        raise ValueError(f"npe_loss: {len(theta)} parameters but {len(x)} data, expected pairs")
    return -log_q(theta, x)


@final
class Rescale(nn.Module):
    """A fixed x = shift + scale z: it puts the units on, and has nothing to learn."""

    shift: Tensor
    log_scale: Tensor

    def __init__(self, shift: Float[Tensor, " d"], scale: Float[Tensor, " d"]) -> None:
        super().__init__()
        if not bool((scale > 0).all()):
            raise ValueError(f"Rescale: scale is {scale.tolist()}, expected > 0 everywhere")
        self.register_buffer("shift", shift)
        self.register_buffer("log_scale", scale.log())

    def forward(self, z: Theta, cond: Tensor | None = None) -> tuple[Theta, PerExample]:
        """Return x and log|det dx/dz|, `(b,)`."""
        shift, log_scale = (a.expand_as(z) for a in (self.shift, self.log_scale))
        x, log_deriv = affine_forward(z, shift, log_scale)
        return x, sum_event(log_deriv)

    def inverse(self, x: Theta, cond: Tensor | None = None) -> tuple[Theta, PerExample]:
        """Return z and log|det dz/dx|, `(b,)`."""
        shift, log_scale = (a.expand_as(x) for a in (self.shift, self.log_scale))
        z, log_deriv = affine_inverse(x, shift, log_scale)
        return z, sum_event(log_deriv)


def onto_box(p: int, box: Box) -> list[Transform]:
    r"""Carry a standard normal onto the uniform law of a box: $\theta = l + (h - l)\,\Phi(z)$."""
    low, high = (torch.full((p,), float(end)) for end in box)
    return [HistogramMarginals(torch.ones(p, 1)), Rescale(low, high - low)]


def conditional_flow(
    p: int,
    d_cond: int,
    support: Sequence[Transform],
    *,
    autoregressive: bool = False,
    n_splines: int = 4,
    n_affine: int = 2,
    n_bins: int = 8,
    bound: float = 4.0,
    width: int = 64,
) -> Flow:
    """A neural spline flow that reads data: splines, then affine layers, then the support.

    Args:
        p: number of parameters, at least 2.
        d_cond: width of the data that every layer reads.
        support: fixed last layers, from the line to where the prior lives.
        autoregressive: masked layers (p passes to sample) in place of couplings (one pass).
        n_splines: layers that bend.
        n_affine: layers that shift and stretch; nearest to the parameters.
        n_bins: bins of each spline.
        bound: splines bend within [-bound, bound] and leave the rest alone.
        width: of the networks that read.

    Returns:
        An untrained flow: `support` of a standard normal, whatever the data.
    """
    layers: list[Transform] = []
    for k in range(n_splines + n_affine):
        element = RationalQuadratic(n_bins, bound) if k < n_splines else Affine()
        if autoregressive:
            layers.append(MAF(p, element, width=width, d_cond=d_cond))
            layers.append(Permutation(torch.arange(p).flip(0)))
        else:
            layers.append(Coupling(alternating_mask(p, k), element, width=width, d_cond=d_cond))
    return Flow(StandardNormal((p,)), [*layers, *support])


@final
class NeuralPosterior(nn.Module):
    """An estimate of p(theta | x) for every x: exact density, exact draws.

    Args:
        flow: over parameters, conditioned on standardised data.
        x_mean: of the data, after the root if there is one.
        x_std: of the data, positive.
        counts: the data are counts: take square roots first, which evens out their noise.
        box: where the prior lives; None: everywhere.
    """

    x_mean: Tensor
    x_std: Tensor

    def __init__(
        self,
        flow: Flow,
        x_mean: Float[Tensor, " d"],
        x_std: Float[Tensor, " d"],
        *,
        counts: bool = False,
        box: Box | None = None,
    ) -> None:
        super().__init__()
        self.flow, self.counts, self.box = flow, counts, box
        self.register_buffer("x_mean", x_mean)
        self.register_buffer("x_std", x_std)

    @property
    def event_shape(self) -> tuple[int, ...]:
        """Shape of one vector of parameters."""
        return self.flow.event_shape

    def read(self, x: Data) -> Data:
        """Bring data to the scale of one that the networks like."""
        return ((x.sqrt() if self.counts else x) - self.x_mean) / self.x_std

    def inside(self, theta: Theta) -> Bool[Tensor, " b"]:
        """Say which parameters the prior allows."""
        low, high = self.box or (-torch.inf, torch.inf)
        return ((theta >= low) & (theta <= high)).all(1)

    def log_prob(self, theta: Theta, *, cond: Data) -> PerExample:
        """Exact log q(theta | x) in nats, `(b,)`; minus infinity where the prior is zero."""
        inside = self.inside(theta)
        middle = sum(self.box) / 2 if self.box else 0.0
        log_q = self.flow.log_prob(
            torch.where(inside[:, None], theta, middle), cond=self.read(cond)
        )
        return torch.where(inside, log_q, -torch.inf)

    def loss(
        self, theta: Theta, *, cond: Data, generator: Generator | None = None
    ) -> Float[Tensor, ""]:
        """Mean of `npe_loss` over the batch, in nats; nothing random in it."""
        return npe_loss(lambda theta, x: self.log_prob(theta, cond=x), theta, cond).mean()

    @torch.no_grad()
    def sample(
        self, n: int, *, cond: Float[Tensor, " k d"], generator: Generator | None = None
    ) -> Float[Tensor, " n p"]:
        """Draw `(n, p)`: one for each of n rows of data, or n for a single row."""
        return self.flow.sample(n, cond=self.read(cond).expand(n, -1), generator=generator)
