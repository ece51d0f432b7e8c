r"""Neural posterior estimation: a conditional flow that learns to invert a simulator.

$$\mathbb E_{p(\theta)\,p(x\mid\theta)}\big[-\log q(\theta\mid x)\big]
= \mathbb E_{p(x)}\Big[\mathrm{KL}\big(p(\theta\mid x)\,\|\,q(\theta\mid x)\big)
+ H\big[p(\theta\mid x)\big]\Big].$$

Papamakarios and Murray 2016 (arXiv:1605.06376); Greenberg et al. 2019 (arXiv:1905.07488).
"""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Generator, Tensor, nn

from genlab.core.tensors import PerExample, Rng, sum_event
from genlab.data.simulators import Epidemic, LinearGaussian, TwoMoons
from genlab.flow import MAF, Affine, Coupling, Flow, HistogramMarginals, Permutation, StandardNormal
from genlab.flow.coupling import alternating_mask
from genlab.flow.spline import RationalQuadratic
from genlab.flow.transforms import Transform, affine_forward, affine_inverse
from genlab.metrics.calibration import sbc_ranks

Box = tuple[float, float]  # the same interval for every parameter
Simulator = LinearGaussian | TwoMoons | Epidemic


def simulated(
    simulator: Simulator, n: int, generator: Generator
) -> tuple[Float[Tensor, " b p"], Float[Tensor, " b d"]]:
    """Draw n parameters from the prior, and data from the parameters."""
    theta = simulator.prior(n, generator=generator)
    return theta, simulator.simulate(theta, generator=generator)


def npe_loss(
    log_q: Callable[[Tensor, Tensor], Tensor],
    theta: Float[Tensor, " b p"],
    x: Float[Tensor, " b d"],
) -> PerExample:
    r"""Negative log-density of the parameters behind the data, nats (arXiv:1605.06376, prop. 1).

    $$\ell = -\log q(\theta\mid x), \qquad \theta \sim p(\theta),\ x \sim p(x\mid\theta)$$

    Least, in expectation, for the posterior. `theta` must be of the *prior*.
    """
    if len(theta) != len(x):
        raise ValueError(f"npe_loss: {len(theta)} parameters but {len(x)} data, expected pairs")
    return -log_q(theta, x)


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

    def forward(
        self, z: Float[Tensor, " b p"], cond: Tensor | None = None
    ) -> tuple[Float[Tensor, " b p"], PerExample]:
        shift, log_scale = (a.expand_as(z) for a in (self.shift, self.log_scale))
        x, log_deriv = affine_forward(z, shift, log_scale)
        return x, sum_event(log_deriv)

    def inverse(
        self, x: Float[Tensor, " b p"], cond: Tensor | None = None
    ) -> tuple[Float[Tensor, " b p"], PerExample]:
        shift, log_scale = (a.expand_as(x) for a in (self.shift, self.log_scale))
        z, log_deriv = affine_inverse(x, shift, log_scale)
        return z, sum_event(log_deriv)


def onto_box(p: int, box: Box) -> list[Transform]:
    r"""Carry a standard normal onto the uniform distribution: $\theta = l + (h - l)\,\Phi(z)$."""
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
    """A neural spline flow of `p` parameters (2 or more) that reads data of width `d_cond`.

    Splines bend within [-bound, bound], affine layers place, `support` are fixed last layers.
    Masked layers sample in p passes, couplings in one.
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


class NeuralPosterior(nn.Module):
    """An estimate of p(theta | x) for every x: exact density, exact draws.

    The flow reads standardised data, their square roots if they are counts; `box` is the prior's.
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
        self.event_shape = flow.event_shape
        self.register_buffer("x_mean", x_mean)
        self.register_buffer("x_std", x_std)

    def standardise(self, x: Float[Tensor, " b d"]) -> Float[Tensor, " b d"]:
        """Bring data to the scale of one that the networks like."""
        return ((x.sqrt() if self.counts else x) - self.x_mean) / self.x_std

    def inside(self, theta: Float[Tensor, " b p"]) -> Bool[Tensor, " b"]:
        """Say which parameters the prior allows."""
        low, high = self.box or (-torch.inf, torch.inf)
        return ((theta >= low) & (theta <= high)).all(1)

    def log_prob(self, theta: Float[Tensor, " b p"], *, cond: Float[Tensor, " b d"]) -> PerExample:
        """Exact log q(theta | x) in nats; minus infinity where the prior is zero."""
        inside = self.inside(theta)
        middle = sum(self.box) / 2 if self.box else 0.0
        allowed = torch.where(inside[:, None], theta, middle)
        log_q = self.flow.log_prob(allowed, cond=self.standardise(cond))
        return torch.where(inside, log_q, -torch.inf)

    def loss(
        self, theta: Float[Tensor, " b p"], *, cond: Float[Tensor, " b d"], generator: Rng = None
    ) -> Float[Tensor, ""]:
        return npe_loss(lambda theta, x: self.log_prob(theta, cond=x), theta, cond).mean()

    @torch.no_grad()
    def sample(
        self, n: int, *, cond: Float[Tensor, " k d"], generator: Rng = None
    ) -> Float[Tensor, " b p"]:
        """Draw n parameters: one for each of n rows of data, or all for a single row."""
        return self.flow.sample(n, cond=self.standardise(cond).expand(n, -1), generator=generator)


@torch.no_grad()
def calibration_ranks(
    model: NeuralPosterior, simulator: Simulator, n: int, n_draws: int, generator: Generator
) -> Int[Tensor, " n p"]:
    """Ranks 0..n_draws of the truth among draws, for n new pairs (Talts et al. 2018, alg. 1)."""
    theta, x = simulated(simulator, n, generator)
    rows = x.repeat_interleave(n_draws, 0)
    draws = model.sample(len(rows), cond=rows, generator=generator)
    return sbc_ranks(theta, draws.reshape(n, n_draws, -1))
