r"""EDM: noise in the data's own unit, a network at unit variance, Heun's sampler, guidance.

$$x = x_0 + \sigma\epsilon, \qquad \frac{dx}{d\sigma} = \frac{x - D(x, \sigma)}{\sigma}$$

Equations are those of Karras et al. 2022 (arXiv:2206.00364).
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import NamedTuple, TypeAlias

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor, nn

from genlab.core import Event, Level, PerExample, Scalar, drawn, expand, last, mean_event, randn
from genlab.core.checked import check_public
from genlab.core.tensors import Rng, require_alike, require_between, require_positive, require_rows
from genlab.score.diffusion import EpsModel, add_noise
from genlab.score.guidance import Guess, drop_condition, guided_denoiser

Denoiser: TypeAlias = Guess  # (x, sigma of each row) to a guess of x0


class Preconditioning(NamedTuple):
    """How the raw network is scaled at each level; all like `sigma`."""

    c_skip: Tensor  # of the noisy input in the guess
    c_out: Tensor  # of the network's output
    c_in: Tensor  # of the network's input
    c_noise: Tensor  # the level as the network reads it


def edm_precondition(sigma: Level, *, sigma_data: float) -> Preconditioning:
    r"""Scales that keep the raw network's input and target at unit variance (table 1, B.6).

    $$c_{\text{skip}} = \frac{\sigma_d^2}{\sigma^2+\sigma_d^2},\quad
      c_{\text{out}} = \frac{\sigma\,\sigma_d}{\sqrt{\sigma^2+\sigma_d^2}},\quad
      c_{\text{in}} = \frac1{\sqrt{\sigma^2+\sigma_d^2}},\quad
      c_{\text{noise}} = \tfrac14\log\sigma$$

    NaN for a negative sigma: a sampler checks its levels once.
    """
    require_positive(sigma_data=sigma_data)
    total = sigma**2 + sigma_data**2
    c_skip = sigma_data**2 / total
    c_out = sigma * sigma_data / total.sqrt()
    return Preconditioning(c_skip, c_out, 1 / total.sqrt(), sigma.log() / 4)


def edm_denoise(
    net: Denoiser, x: Event, sigma: PerExample, *, sigma_data: float, skip: bool = True
) -> Event:
    r"""The denoiser around a raw network F (eq. 7); without `skip`, F answers the data itself.

    $$D(x,\sigma) = c_{\text{skip}}\,x + c_{\text{out}}\,F(c_{\text{in}}\,x,\ c_{\text{noise}})$$
    """
    c = edm_precondition(sigma, sigma_data=sigma_data)
    raw = net(expand(c.c_in, x) * x, c.c_noise)
    return expand(c.c_skip, x) * x + expand(c.c_out, x) * raw if skip else raw


def edm_loss(
    net: Denoiser,
    x0: Event,
    sigma: PerExample,
    eps: Event,
    *,
    sigma_data: float,
    skip: bool = True,
    floor: float = 0.0,
) -> PerExample:
    r"""Denoising loss (eq. 8), a mean over the event, not nats; under `floor` the weight stays.

    $$\ell = \frac1D\,\frac{\sigma^2+\sigma_d^2}{(\sigma\,\sigma_d)^2}\,
      \lVert D(x_0+\sigma\epsilon, \sigma) - x_0\rVert^2$$

    A raw network that answers 0 has loss 1 on data of deviation $\sigma_d$, at every level. Single
    precision ends it below $\sigma = 10^{-5}$ of the data, where x0 + sigma eps rounds to x0.
    """
    require_positive(sigma=sigma)
    x = add_noise(x0, torch.ones_like(sigma), sigma, eps)
    guess = edm_denoise(net, x, sigma, sigma_data=sigma_data, skip=skip)
    require_alike(x0=x0, guess=guess)
    return (1 / sigma.clamp(min=floor) ** 2 + 1 / sigma_data**2) * mean_event((guess - x0) ** 2)


def edm_sigmas(
    n_steps: int, *, sigma_min: float = 0.002, sigma_max: float = 80.0, rho: float = 7.0
) -> Float[Tensor, " s"]:
    r"""Noise levels of the sampler (eq. 5), decreasing to 0: dense where the noise is small.

    $$\sigma_i = \Big(\sigma_{\max}^{1/\rho} + \tfrac{i}{n-1}
      (\sigma_{\min}^{1/\rho} - \sigma_{\max}^{1/\rho})\Big)^{\rho}, \qquad \sigma_n = 0$$
    """
    require_between(2, math.inf, n_steps=n_steps)
    if not 0 < sigma_min < sigma_max < math.inf:
        raise ValueError(f"expected 0 < sigma_min < sigma_max, got {sigma_min}, {sigma_max}")
    if not 0 < rho <= 1000:  # beyond, rounding eats the steps; the limit is `noise_ladder`
        raise ValueError(f"rho must lie in (0, 1000], got {rho}")
    ends = sigma_max ** (1 / rho), sigma_min ** (1 / rho)
    return torch.cat([torch.linspace(*ends, n_steps) ** rho, torch.zeros(1)])


def edm_step(
    denoiser: Denoiser, x: Event, sigma: Level, sigma_next: Level, *, order: int = 2
) -> Event:
    r"""Heun's step down: average the slopes at both ends; a plain Euler step to 0 (algorithm 1).

    $$d = \frac{x - D(x,\sigma)}{\sigma},\quad x' = x + (\sigma'-\sigma)\,d,\quad
      d' = \frac{x' - D(x',\sigma')}{\sigma'},\quad
      x + (\sigma'-\sigma)\,\tfrac12(d + d')$$

    Order 1 stops at $x'$: DDIM.
    """
    if order not in (1, 2):
        raise ValueError(f"order must be 1 or 2, got {order}")
    if not bool(((sigma_next >= 0) & (sigma_next < sigma)).all()):
        raise ValueError(f"a step must lower the noise: from {sigma} to {sigma_next}")
    to_data = not bool(sigma_next.any())
    sigma, sigma_next = (level.to(x.device).expand(len(x)) for level in (sigma, sigma_next))
    step = expand(sigma_next - sigma, x)
    slope = (x - denoiser(x, sigma)) / expand(sigma, x)
    ahead = x + step * slope
    if order == 1 or to_data:
        return ahead
    slope_ahead = (ahead - denoiser(ahead, sigma_next)) / expand(sigma_next, x)
    return x + step * (slope + slope_ahead) / 2


def edm_sample(
    denoiser: Denoiser, x_T: Event, sigmas: Float[Tensor, " s"], *, order: int = 2
) -> Iterator[Event]:
    """Sampler: yield the state after each step (algorithm 1), 2n - 1 evaluations; order 1: n."""
    require_rows(sigmas=sigmas)
    x = x_T
    for sigma, sigma_next in pairwise(sigmas.to("cpu", x_T.dtype)):  # no step waits for the device
        with torch.no_grad():
            x = edm_step(denoiser, x, sigma, sigma_next, order=order)
        yield x


def denoiser_from_eps(eps_model: EpsModel, alphas_bar: Float[Tensor, " T"]) -> Denoiser:
    r"""Read a variance-preserving noise predictor as a denoiser at any level (table 1, "VP").

    $$D(x, \sigma) = x - \sigma\,\epsilon_\theta\Big(\frac{x}{\sqrt{1+\sigma^2}},\ t(\sigma)\Big),
      \qquad \sigma\big(t\big)^2 = \frac{1-\bar\alpha_t}{\bar\alpha_t}$$

    The step $t(\sigma)$ is a real number: linear in $\log\sigma$ between the entries of the table.
    """
    known = 0.5 * ((-alphas_bar).log1p() - alphas_bar.log())

    def denoiser(x: Event, sigma: Shaped[Tensor, " b"]) -> Event:
        wanted = sigma.to(known).log().clamp(known[0], known[-1])
        low = (torch.searchsorted(known, wanted.contiguous()) - 1).clamp(0, len(known) - 2)
        t = low + (wanted - known[low]) / (known[low + 1] - known[low])
        scaled = x / expand((1 + sigma**2).sqrt(), x)
        return x - expand(sigma, x) * eps_model(scaled, t)

    return denoiser


@dataclass(frozen=True)
class LogNormal:
    r"""Levels of a training: $\log\sigma \sim \mathcal N(\text{mean}, \text{std}^2)$ (table 1)."""

    mean: float = -1.2
    std: float = 1.2

    def draw(self, n: int, *, like: Tensor, generator: Rng = None) -> PerExample:
        """Draw a level for each of `n` examples, with dtype and device of `like`."""
        return (self.mean + self.std * randn((n,), like=like, generator=generator)).exp()


class EDM(nn.Module):
    """A diffusion model in EDM's terms: trains on log-normal levels, samples by Heun's method.

    `p_mean` and `p_std` are of log sigma in training. With `null`, the label of "no class", `net`
    reads labels; `p_drop` of them drop in training.
    """

    def __init__(
        self,
        net: nn.Module,
        *,
        event_shape: tuple[int, ...],
        sigma_data: float,
        null: int | None = None,
        p_drop: float = 0.1,
        p_mean: float = -1.2,
        p_std: float = 1.2,
        n_steps: int = 18,
    ) -> None:
        super().__init__()
        self.net, self.event_shape, self.sigma_data = net, event_shape, sigma_data
        require_between(0, 1, p_drop=p_drop)
        self.null, self.p_drop, self.n_steps = null, p_drop, n_steps
        self.levels = LogNormal(p_mean, p_std)

    def raw(self, cond: Int[Tensor, " b"] | None) -> Denoiser:
        """The network F for given labels; all "no class" when None."""
        null = self.null or 0  # where it is None, nothing is labelled
        if cond is None and self.null is None:
            return self.net
        return lambda x, c_noise: self.net(
            x, c_noise, x.new_full((len(x),), null, dtype=torch.int64) if cond is None else cond
        )

    def denoiser(
        self, cond: Int[Tensor, " b"] | None = None, *, guidance_scale: float = 1.0
    ) -> Denoiser:
        """Guess of the clean data at any level; ValueError for guidance without labels."""
        if guidance_scale != 1 and cond is None:
            raise ValueError(f"guidance_scale is {guidance_scale}, but there is no cond")
        free, given = (
            partial(edm_denoise, self.raw(c), sigma_data=self.sigma_data) for c in (None, cond)
        )
        return guided_denoiser(free, given, guidance_scale=guidance_scale)

    def loss(self, x: Event, *, cond: Tensor | None = None, generator: Rng = None) -> Scalar:
        """Weighted denoising loss, mean over the batch; not nats. Drops labels in training."""
        sigma = self.levels.draw(len(x), like=x, generator=generator)
        eps = randn(x.shape, like=x, generator=generator)
        if cond is not None and self.null is not None and self.training:
            u = drawn(torch.rand, len(x), device=x.device, generator=generator)
            cond = drop_condition(cond, u, p_drop=self.p_drop, null=self.null)
        return edm_loss(self.raw(cond), x, sigma, eps, sigma_data=self.sigma_data).mean()

    @torch.no_grad()
    def sample(
        self,
        n: int,
        *,
        cond: Int[Tensor, " n"] | None = None,
        generator: Rng = None,
        guidance_scale: float = 1.0,
    ) -> Event:
        """Draw `n` examples by Heun's method: 2 n_steps - 1 evaluations, twice that if guided."""
        sigmas = edm_sigmas(self.n_steps)
        like = next(self.net.parameters())
        x_T = sigmas[0] * randn((n, *self.event_shape), like=like, generator=generator)
        return last(edm_sample(self.denoiser(cond, guidance_scale=guidance_scale), x_T, sigmas))


check_public(__name__)
