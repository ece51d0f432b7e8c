r"""EDM's sampler: noise measured in the data's own unit, and Heun's method of second order.

$$x = x_0 + \sigma\epsilon, \qquad \frac{dx}{d\sigma} = \frac{x - D(x, \sigma)}{\sigma}$$

The signal is never scaled down, so the noise level $\sigma$ itself is the time, and D is the best
guess of $x_0$. Fresh noise may be added between the steps ("churn"): it corrects errors and changes
no law.

Lesson: notebooks/13_diffusion_ii.ipynb
Source: Karras, Aittala, Aila and Laine 2022 (arXiv:2206.00364), eq. 5,
algorithms 1 and 2.
"""

import math
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import NamedTuple, TypeAlias, final

import torch
from jaxtyping import Float, Int, Shaped
from torch import Generator, Tensor, nn

from genlab.core.tensors import (
    Event,
    PerExample,
    expand,
    last,
    mean_event,
    randn,
    require_alike,
    require_between,
    require_positive,
)
from genlab.score.diffusion import EpsModel, Table, add_noise
from genlab.score.guidance import cfg_eps, drop_condition

Denoiser: TypeAlias = Callable[[Tensor, Tensor], Tensor]
Scalar = Float[Tensor, ""]


def edm_sigmas(
    n_steps: int, *, sigma_min: float = 0.002, sigma_max: float = 80.0, rho: float = 7.0
) -> Float[Tensor, " s"]:
    r"""Noise levels of the sampler: dense where the noise is small.

    $$\sigma_i = \Big(\sigma_{\max}^{1/\rho} + \tfrac{i}{n-1}
      (\sigma_{\min}^{1/\rho} - \sigma_{\max}^{1/\rho})\Big)^{\rho}, \qquad \sigma_n = 0$$

    Args:
        n_steps: n, at least 2.
        sigma_min: smallest level above 0.
        sigma_max: largest level.
        rho: 1 spaces evenly in sigma; larger crowds the small levels.

    Returns:
        `(n + 1,)`, decreasing, the last one 0.

    Raises:
        ValueError: fewer than two steps, or levels out of order.

    Example:
        >>> edm_sigmas(3, sigma_min=1.0, sigma_max=9.0, rho=2.0)
        tensor([9., 4., 1., 0.])

    Source: Karras et al. 2022 (arXiv:2206.00364), eq. 5.
    Lesson: notebooks/13_diffusion_ii.ipynb
    """
    if n_steps < 2:
        raise ValueError(f"n_steps must be at least 2, got {n_steps}")
    if not 0 < sigma_min < sigma_max < math.inf:
        raise ValueError(f"expected 0 < sigma_min < sigma_max, got {sigma_min}, {sigma_max}")
    if not 0 < rho <= 1000:  # beyond, rounding eats the steps; the limit is `noise_ladder`
        raise ValueError(f"rho must lie in (0, 1000], got {rho}")
    ends = sigma_max ** (1 / rho), sigma_min ** (1 / rho)
    return torch.cat([torch.linspace(*ends, n_steps) ** rho, torch.zeros(1)])


def edm_step(
    denoiser: Denoiser, x: Event, sigma: Scalar, sigma_next: Scalar, *, order: int = 2
) -> Event:
    r"""Heun's step down: average the slopes at both ends; a plain Euler step to 0.

    $$d = \frac{x - D(x,\sigma)}{\sigma},\quad x' = x + (\sigma'-\sigma)\,d,\quad
      d' = \frac{x' - D(x',\sigma')}{\sigma'},\quad
      x + (\sigma'-\sigma)\,\tfrac12(d + d')$$

    Order 1 stops at $x'$: in variance-preserving coordinates that is DDIM.

    Args:
        denoiser: $(x, \sigma) \mapsto \hat x_0$ with `sigma` of shape `(b,)`.
        x: state $x_0 + \sigma\epsilon$, `(b, *event)`.
        sigma: its level, positive.
        sigma_next: $\sigma'$, lower, at least 0.
        order: 2 (two passes) or 1 (one pass).

    Returns:
        Like `x`.

    Raises:
        ValueError: a level that does not fall, or another order.

    Example:
        >>> edm_step(lambda x, s: 0 * x, torch.ones(1, 1), torch.tensor(2.0), torch.tensor(1.0))
        tensor([[0.5000]])

    Source: Karras et al. 2022 (arXiv:2206.00364), algorithm 1, lines 4 to 8.
    Lesson: notebooks/13_diffusion_ii.ipynb
    """
    if order not in (1, 2):
        raise ValueError(f"order must be 1 or 2, got {order}")
    if not 0 <= sigma_next < sigma:
        raise ValueError(f"a step must lower the noise: from {sigma} to {sigma_next}")
    slope = (x - denoiser(x, sigma.expand(len(x)))) / sigma
    ahead = x + (sigma_next - sigma) * slope
    if order == 1 or sigma_next == 0:
        return ahead
    slope_ahead = (ahead - denoiser(ahead, sigma_next.expand(len(x)))) / sigma_next
    return x + (sigma_next - sigma) * (slope + slope_ahead) / 2


def edm_churn(
    x: Event, z: Event, sigma: Scalar, *, gamma: float, s_noise: float = 1.0
) -> tuple[Event, Scalar]:
    r"""Add fresh noise before a step, and say at which level the state then is.

    $$\hat\sigma = (1+\gamma)\,\sigma, \qquad \hat x = x + \sqrt{\hat\sigma^2-\sigma^2}\; z$$

    Args:
        x: state at level `sigma`, `(b, *event)`.
        z: standard normal noise, like `x`.
        sigma: its level.
        gamma: relative rise, at least 0.
        s_noise: scale of the fresh noise; 1 keeps the law exactly.

    Returns:
        The noisier state and its level.

    Raises:
        ValueError: a negative rise.

    Example:
        >>> edm_churn(torch.zeros(1, 1), torch.ones(1, 1), torch.tensor(3.0), gamma=2 / 3)
        (tensor([[4.]]), tensor(5.))

    Source: Karras et al. 2022 (arXiv:2206.00364), algorithm 2, lines 5 and 6.
    Lesson: notebooks/13_diffusion_ii.ipynb
    """
    if not gamma >= 0:
        raise ValueError(f"gamma must not be negative, got {gamma}")
    level = (1 + gamma) * sigma
    return x + s_noise * (level**2 - sigma**2).sqrt() * z, level


def edm_sample(
    denoiser: Denoiser,
    x_T: Event,
    sigmas: Float[Tensor, " s"],
    *,
    order: int = 2,
    s_churn: float = 0.0,
    s_range: tuple[float, float] = (0.0, math.inf),
    s_noise: float = 1.0,
    generator: Generator | None = None,
) -> Iterator[Event]:
    r"""Sampler: yield the state after each step; n steps of order 2 to zero cost 2n - 1 passes.

    Args:
        denoiser: $(x, \sigma) \mapsto \hat x_0$ with `sigma` of shape `(b,)`.
        x_T: noise of standard deviation `sigmas[0]` (not 1), `(b, *event)`.
        sigmas: levels, decreasing, such as `edm_sigmas(...)`.
        order: 2 for Heun, 1 for Euler.
        s_churn: fresh noise in all, shared out as $\gamma = \min(S/n, \sqrt2-1)$; 0 for none.
        s_range: levels between which fresh noise is added.
        s_noise: its scale.
        generator: its source, used only with churn.

    Yields:
        States like `x_T`; the last one is the sample.

    Example:
        >>> len(list(edm_sample(lambda x, s: 0 * x, torch.ones(2, 3), edm_sigmas(4))))
        4

    Source: Karras et al. 2022 (arXiv:2206.00364), algorithms 1 and 2.
    Lesson: notebooks/13_diffusion_ii.ipynb
    """
    require_between(0, math.inf, s_churn=s_churn)
    x, share = x_T, min(s_churn / (len(sigmas) - 1), math.sqrt(2) - 1)
    for sigma, sigma_next in pairwise(sigmas.to(x_T)):
        with torch.no_grad():
            if share > 0 and s_range[0] <= sigma <= s_range[1]:
                z = randn(x.shape, like=x, generator=generator)
                x, sigma = edm_churn(x, z, sigma, gamma=share, s_noise=s_noise)
            x = edm_step(denoiser, x, sigma, sigma_next, order=order)
        yield x


class Preconditioning(NamedTuple):
    """How the raw network is scaled at each level; all like `sigma`."""

    c_skip: Tensor  # of the noisy input in the guess
    c_out: Tensor  # of the network's output
    c_in: Tensor  # of the network's input
    c_noise: Tensor  # what the network is told about the level


def edm_precondition(sigma: Float[Tensor, " *b"], *, sigma_data: float) -> Preconditioning:
    r"""Scales that keep the raw network's input and target at unit variance for every level.

    $$c_{\text{skip}} = \frac{\sigma_d^2}{\sigma^2+\sigma_d^2},\quad
      c_{\text{out}} = \frac{\sigma\,\sigma_d}{\sqrt{\sigma^2+\sigma_d^2}},\quad
      c_{\text{in}} = \frac1{\sqrt{\sigma^2+\sigma_d^2}},\quad
      c_{\text{noise}} = \tfrac14\log\sigma$$

    Of all skips this one amplifies the network's errors least.

    Args:
        sigma: noise levels, positive.
        sigma_data: $\sigma_d$, standard deviation of the data.

    Returns:
        The four scales.

    Example:
        >>> [round(float(c), 4) for c in edm_precondition(torch.tensor(0.5), sigma_data=0.5)]
        [0.5, 0.3536, 1.4142, -0.1733]

    Source: Karras et al. 2022 (arXiv:2206.00364), table 1, derived in appendix B.6.
    Lesson: notebooks/13_diffusion_ii.ipynb
    """
    require_positive(sigma=sigma, sigma_data=sigma_data)
    total = sigma**2 + sigma_data**2
    c_skip, c_out = sigma_data**2 / total, sigma * sigma_data / total.sqrt()
    return Preconditioning(c_skip, c_out, 1 / total.sqrt(), sigma.log() / 4)


def edm_denoise(net: Denoiser, x: Event, sigma: PerExample, *, sigma_data: float) -> Event:
    r"""The denoiser around a raw network.

    $$D(x,\sigma) = c_{\text{skip}}\,x + c_{\text{out}}\,F(c_{\text{in}}\,x,\ c_{\text{noise}})$$

    With F = 0 it is the best denoiser of normal data of that width.

    Args:
        net: F, $(c_{\text{in}} x, c_{\text{noise}}) \mapsto$ like x.
        x: noisy data $x_0 + \sigma\epsilon$, `(b, *event)`.
        sigma: noise level of each, `(b,)`.
        sigma_data: $\sigma_d$.

    Returns:
        Guess of $x_0$, like `x`.

    Example:
        >>> edm_denoise(lambda x, c: 0 * x, torch.ones(1, 1), torch.tensor([0.5]), sigma_data=0.5)
        tensor([[0.5000]])

    Source: Karras et al. 2022 (arXiv:2206.00364), eq. 7.
    Lesson: notebooks/13_diffusion_ii.ipynb
    """
    c = edm_precondition(sigma, sigma_data=sigma_data)
    raw = net(expand(c.c_in, x) * x, c.c_noise)
    return expand(c.c_skip, x) * x + expand(c.c_out, x) * raw


def edm_loss(
    net: Denoiser, x0: Event, sigma: PerExample, eps: Event, *, sigma_data: float
) -> PerExample:
    r"""Denoising loss, weighted so that the raw network's squared error counts alike everywhere.

    $$\ell = \frac1D\,\frac{\sigma^2+\sigma_d^2}{(\sigma\,\sigma_d)^2}\,
      \lVert D(x_0+\sigma\epsilon, \sigma) - x_0\rVert^2$$

    A network that answers 0 has loss 1 on data of width $\sigma_d$, at every level.

    Args:
        net: the raw network F.
        x0: data, `(b, *event)`.
        sigma: noise level of each, `(b,)`, positive.
        eps: standard normal noise, like `x0`.
        sigma_data: $\sigma_d$.

    Returns:
        `(b,)`, mean over the D event dimensions; not nats.

    Example:
        >>> x0, sigma = torch.ones(1, 1), torch.ones(1)
        >>> edm_loss(lambda x, c: 0 * x, x0, sigma, torch.zeros(1, 1), sigma_data=1.0)
        tensor([0.5000])

    Source: Karras et al. 2022 (arXiv:2206.00364), eq. 8 and table 1, divided by D.
    Lesson: notebooks/13_diffusion_ii.ipynb
    """
    x = add_noise(x0, torch.ones_like(sigma), sigma, eps)
    guess = edm_denoise(net, x, sigma, sigma_data=sigma_data)
    require_alike(x0=x0, guess=guess)
    return (1 / sigma**2 + 1 / sigma_data**2) * mean_event((guess - x0) ** 2)


def denoiser_from_eps(eps_model: EpsModel, alphas_bar: Table) -> Denoiser:
    r"""Read a variance-preserving noise predictor as a denoiser at any level between.

    $$D(x, \sigma) = x - \sigma\,\epsilon_\theta\Big(\frac{x}{\sqrt{1+\sigma^2}},\ t(\sigma)\Big),
      \qquad \sigma\big(t\big)^2 = \frac{1-\bar\alpha_t}{\bar\alpha_t}$$

    The step index $t(\sigma)$ is a real number: linear in $\log\sigma$ between the entries of the
    table, the nearest end outside it.

    Args:
        eps_model: $(x_t, t) \mapsto \hat\epsilon$ that takes real `t`, such as a U-Net.
        alphas_bar: $\bar\alpha$, `(T,)`, decreasing.

    Returns:
        $(x, \sigma) \mapsto \hat x_0$ with `sigma` of shape `(b,)`.

    Example:
        >>> D = denoiser_from_eps(lambda x, t: x, torch.tensor([0.9, 0.5, 0.1]))
        >>> D(torch.ones(1, 1), torch.tensor([1.0]))
        tensor([[0.2929]])

    Source: Karras et al. 2022 (arXiv:2206.00364), table 1, column "VP".
    Lesson: notebooks/13_diffusion_ii.ipynb
    """
    known = 0.5 * ((-alphas_bar).log1p() - alphas_bar.log())

    def denoiser(x: Event, sigma: Shaped[Tensor, " b"]) -> Event:
        wanted = sigma.to(known).log().clamp(known[0], known[-1])
        low = (torch.searchsorted(known, wanted.contiguous()) - 1).clamp(0, len(known) - 2)
        t = low + (wanted - known[low]) / (known[low + 1] - known[low])
        scaled = x / expand((1 + sigma**2).sqrt(), x)
        return x - expand(sigma, x) * eps_model(scaled, t)

    return denoiser


@final
class EDM(nn.Module):
    r"""A diffusion model in EDM's terms: trains on log-normal levels, samples by Heun's method.

    Args:
        net: F, $(c_{\text{in}} x, c_{\text{noise}}) \mapsto$ like x; with `null`, also told labels.
        event_shape: shape of one example.
        sigma_data: standard deviation of the data.
        null: the label that stands for "no class"; None for a network that is told no class.
        p_drop: share of labels withheld in training.
        n_steps: of the sampler.

    Example:
        >>> from genlab.nn.unet import UNet, UNetConfig
        >>> net = UNet(UNetConfig(width=8, n_classes=10))
        >>> edm = EDM(net, event_shape=(1, 8, 8), sigma_data=0.5, null=10, n_steps=2)
        >>> edm.sample(2, cond=torch.tensor([3, 7]), guidance_scale=2.0).shape
        torch.Size([2, 1, 8, 8])
    """

    P_MEAN, P_STD = -1.2, 1.2  # of log sigma in training

    def __init__(
        self,
        net: nn.Module,
        *,
        event_shape: tuple[int, ...],
        sigma_data: float,
        null: int | None = None,
        p_drop: float = 0.1,
        n_steps: int = 18,
    ) -> None:
        super().__init__()
        self.net, self.event_shape, self.sigma_data = net, event_shape, sigma_data
        self.null, self.p_drop, self.n_steps = null, p_drop, n_steps

    def raw(self, cond: Int[Tensor, " b"] | None) -> Denoiser:
        """The network F for given labels; all "no class" when None."""
        if self.null is None:
            if cond is not None:
                raise ValueError("this EDM is told no class: cond must be None")
            return self.net
        null = self.null

        def told(x: Tensor, c_noise: Tensor) -> Tensor:
            label = torch.full((len(x),), null, device=x.device) if cond is None else cond
            out: Tensor = self.net(x, c_noise, label)
            return out

        return told

    def denoiser(
        self, cond: Int[Tensor, " b"] | None = None, *, guidance_scale: float = 1.0
    ) -> Denoiser:
        r"""Guess of the clean data at any level: what `edm_sample` drives.

        Args:
            cond: the label of each row, or None.
            guidance_scale: w; anything but 1 needs labels and costs two passes.

        Returns:
            $(x, \sigma) \mapsto \hat x_0$.

        Raises:
            ValueError: guidance without labels.
        """
        if guidance_scale != 1 and cond is None:
            raise ValueError(f"guidance_scale is {guidance_scale}, but there is no cond")

        def told(x: Event, sigma: PerExample) -> Event:
            guess = edm_denoise(self.raw(cond), x, sigma, sigma_data=self.sigma_data)
            if guidance_scale == 1:
                return guess
            free = edm_denoise(self.raw(None), x, sigma, sigma_data=self.sigma_data)
            return cfg_eps(free, guess, guidance_scale=guidance_scale)

        return told

    def score(self, x: Event, t: PerExample) -> Event:
        """Slope of the log-density of data with noise of standard deviation `t` added."""
        return (self.denoiser()(x, t) - x) / expand(t, x) ** 2

    def loss(
        self, x: Event, *, cond: Tensor | None = None, generator: Generator | None = None
    ) -> Float[Tensor, ""]:
        """Weighted denoising loss, mean over the batch; not nats."""
        sigma = (self.P_MEAN + self.P_STD * randn((len(x),), like=x, generator=generator)).exp()
        eps = randn(x.shape, like=x, generator=generator)
        if cond is not None and self.null is not None and self.training:
            u = torch.rand(len(x), generator=generator)
            cond = drop_condition(cond, u.to(x.device), p_drop=self.p_drop, null=self.null)
        return edm_loss(self.raw(cond), x, sigma, eps, sigma_data=self.sigma_data).mean()

    @torch.no_grad()
    def sample(
        self,
        n: int,
        *,
        cond: Int[Tensor, " n"] | None = None,
        generator: Generator | None = None,
        guidance_scale: float = 1.0,
    ) -> Event:
        """Draw `n` examples by Heun's method: 2 n_steps - 1 passes, twice that with guidance."""
        sigmas = edm_sigmas(self.n_steps)
        like = next(self.net.parameters())
        x_T = sigmas[0] * randn((n, *self.event_shape), like=like, generator=generator)
        return last(edm_sample(self.denoiser(cond, guidance_scale=guidance_scale), x_T, sigmas))
