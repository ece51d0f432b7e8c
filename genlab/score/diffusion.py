r"""Diffusion in discrete time: schedules, the noise loss, the ancestral sampler, the bound in nats.

Index 0 of a table is the first noising step; `alpha` is a signal scale, `sigma` a noise scale.
DDPM = Ho et al. 2020 (arXiv:2006.11239), iDDPM = Nichol and Dhariwal 2021 (arXiv:2102.09672).
"""

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import pad

from genlab.core import (
    Event,
    Level,
    PerExample,
    Scalar,
    drawn,
    expand,
    last,
    mean_event,
    randn,
    sum_event,
)
from genlab.core.checked import check_public
from genlab.core.stats import kl_diag_normal
from genlab.core.tensors import Rng, require_alike, require_between, require_index, require_positive

EpsModel = Callable[[Tensor, Tensor], Tensor]  # (x_t, t) to the noise predicted in x_t


def linear_betas(n_steps: int, *, first: float = 1e-4, last: float = 0.02) -> Float[Tensor, " T"]:
    """Noise variances that grow evenly; the defaults are for T = 1000 (DDPM, section 4)."""
    require_between(2, math.inf, n_steps=n_steps)
    if not 0 < first <= last < 1:
        raise ValueError(f"expected 0 < first <= last < 1, got first={first}, last={last}")
    return torch.linspace(first, last, n_steps)


def linear_rate_betas(
    n_steps: int, *, first: float = 0.1, last: float = 20.0
) -> Float[Tensor, " T"]:
    r"""The linear schedule cut into any number of steps (Song et al. 2021, eq. 32 and 33).

    $$\bar\alpha(u) = \exp\Big(-\int_0^u b\Big),\quad b(u) = b_0 + u\,(b_1 - b_0),\quad
      \beta_t = 1 - \bar\alpha(\tfrac{t+1}T) / \bar\alpha(\tfrac tT)$$
    """
    require_between(1, math.inf, n_steps=n_steps)
    require_positive(first=first)
    require_between(first, math.inf, last=last)
    u = torch.arange(n_steps + 1, dtype=torch.float64) / n_steps
    area = first * u + 0.5 * (last - first) * u**2
    return -torch.expm1(-area.diff()).to(torch.get_default_dtype())


def cosine_betas(
    n_steps: int, *, offset: float = 0.008, largest: float = 0.999
) -> Float[Tensor, " T"]:
    r"""Noise variances with $\bar\alpha(u) = \cos^2(\frac{u+o}{1+o}\frac\pi2)$ (iDDPM, eq. 17)."""
    require_between(2, math.inf, n_steps=n_steps)
    if not offset >= 0 or not 0 < largest < 1:
        raise ValueError(f"expected offset >= 0 and largest in (0, 1), got {offset} and {largest}")
    u = torch.arange(n_steps + 1, dtype=torch.float64) / n_steps
    level = ((u + offset) / (1 + offset) * math.pi / 2).cos() ** 2
    return (1 - level[1:] / level[:-1]).clamp(max=largest).to(torch.get_default_dtype())


def alphas_bar_from_betas(betas: Float[Tensor, " *b T"]) -> Float[Tensor, " *b T"]:
    r"""Proportion of the signal's variance left after each step, $\prod_{s\le t}(1-\beta_s)$.

    >>> alphas_bar_from_betas(torch.tensor([0.1, 0.1]))
    tensor([0.9000, 0.8100])
    """
    if not betas.is_meta and not bool(((betas > 0) & (betas < 1)).all()):
        raise ValueError(f"betas must lie in (0, 1), got {betas.min()} to {betas.max()}")
    return (1 - betas).cumprod(-1)


def log_snr(alphas_bar: Float[Tensor, " *n"]) -> Float[Tensor, " *n"]:
    r"""Log signal-to-noise ratio of variances, $\log\frac{\bar\alpha_t}{1-\bar\alpha_t}$."""
    return alphas_bar.log() - (-alphas_bar).log1p()


def posterior_variances(betas: Float[Tensor, " T"]) -> Float[Tensor, " T"]:
    r"""Variance of the reverse step when $x_0$ is known, at most $\beta_t$ (DDPM, eq. 7).

    $$\tilde\beta_t = \frac{1-\bar\alpha_{t-1}}{1-\bar\alpha_t}\,\beta_t, \qquad \tilde\beta_0 = 0$$
    """
    noise = _noise_variances(betas)
    before = pad(noise[:-1], (1, 0))
    return before / noise * betas


def _noise_variances(betas: Float[Tensor, " T"]) -> Float[Tensor, " T"]:
    r"""$1 - \bar\alpha_t$ of each step, with all its digits where that is close to 1."""
    alphas_bar_from_betas(betas)  # refuses what is no schedule
    return -(-betas).log1p().cumsum(0).expm1()


# The path from data to noise, and the names of a prediction; v needs alpha^2 + sigma^2 = 1


def add_noise(x0: Event, alpha: Level, sigma: Level, eps: Event) -> Event:
    r"""Jump from data to a noise level in one step (DDPM, eq. 4).

    $$x_t = \alpha\, x_0 + \sigma\, \epsilon$$
    """
    return expand(alpha, x0) * x0 + expand(sigma, x0) * eps


def x0_from_eps(x_t: Event, eps: Event, alpha: Level, sigma: Level) -> Event:
    r"""Data from the noise, $\hat x_0 = (x_t - \sigma\,\epsilon)/\alpha$."""
    return (x_t - expand(sigma, x_t) * eps) / expand(alpha, x_t)


def eps_from_x0(x_t: Event, x0: Event, alpha: Level, sigma: Level) -> Event:
    r"""Noise from the data, $\hat\epsilon = (x_t - \alpha\,x_0)/\sigma$."""
    return (x_t - expand(alpha, x_t) * x0) / expand(sigma, x_t)


def v_from_eps(x_t: Event, eps: Event, alpha: Level, sigma: Level) -> Event:
    r"""Target $v = \alpha\,\epsilon - \sigma\,x_0$ from the noise (Salimans and Ho 2022)."""
    return (eps - expand(sigma, x_t) * x_t) / expand(alpha, x_t)


def eps_from_v(x_t: Event, v: Event, alpha: Level, sigma: Level) -> Event:
    r"""Noise from $v$, $\epsilon = \sigma\,x_t + \alpha\,v$."""
    return expand(sigma, x_t) * x_t + expand(alpha, x_t) * v


def score_from_eps(eps: Event, sigma: Level) -> Event:
    r"""Score of the noised data, $\nabla\log p_t(x_t) = -\mathbb E[\epsilon \mid x_t]/\sigma$."""
    return -eps / expand(sigma, eps)


def eps_from_score(score: Event, sigma: Level) -> Event:
    r"""Noise prediction of a score, $\hat\epsilon = -\sigma\,\nabla\log p_t(x_t)$."""
    return -expand(sigma, score) * score


def ddpm_loss(
    eps_model: EpsModel,
    x0: Event,
    t: Int[Tensor, " b"],
    eps: Event,
    *,
    alphas_bar: Float[Tensor, " T"],
) -> PerExample:
    r"""Noise-prediction loss, a mean over the event, not nats (DDPM, eq. 14, divided by D).

    $$\ell = \tfrac1D \lVert \epsilon -
      \epsilon_\theta(\sqrt{\bar\alpha_t}\,x_0 + \sqrt{1-\bar\alpha_t}\,\epsilon,\; t)\rVert^2$$

    Least, on average, for $\epsilon_\theta = -\sqrt{1-\bar\alpha_t}\,\nabla\log p_t(x_t)$, where it
    is still positive: $\bar\alpha_t$ for standard normal data. ValueError for t outside 0..T-1.
    """
    require_index(len(alphas_bar), t=t)
    a = alphas_bar[t]
    eps_hat = eps_model(add_noise(x0, a.sqrt(), (1 - a).sqrt(), eps), t)
    require_alike(eps=eps, eps_hat=eps_hat)
    return mean_event((eps - eps_hat) ** 2)


def ddpm_step(
    x_t: Event, eps_hat: Event, z: Event, *, beta: Scalar, alpha_bar: Scalar, variance: Scalar
) -> Event:
    r"""One ancestral step, from level t to t - 1 (DDPM, algorithm 2, line 4).

    $$x_{t-1} = \frac1{\sqrt{1-\beta_t}}\Big(x_t
      - \frac{\beta_t}{\sqrt{1-\bar\alpha_t}}\,\hat\epsilon\Big) + \sqrt{v_t}\, z$$

    `variance` is $\beta_t$ or $\tilde\beta_t$; `z` is fresh noise, zero at the last step.
    """
    mean = (x_t - beta / (1 - alpha_bar).sqrt() * eps_hat) / (1 - beta).sqrt()
    return mean + variance.sqrt() * z


def ddpm_sample(
    eps_model: EpsModel,
    x_T: Event,
    *,
    betas: Float[Tensor, " T"],
    variances: Float[Tensor, " T"],
    generator: Rng = None,
) -> Iterator[Event]:
    """Ancestral sampler: yield the state after each of T steps (DDPM, algorithm 2)."""
    x, alphas_bar = x_T, alphas_bar_from_betas(betas)
    for t in range(len(betas) - 1, -1, -1):
        beta = betas[t]
        a = alphas_bar[t]
        v = variances[t]
        with torch.no_grad():
            eps_hat = eps_model(x, torch.full((len(x),), t, device=x.device))
            z = randn(x.shape, like=x, generator=generator) if t > 0 else torch.zeros_like(x)
            x = ddpm_step(x, eps_hat, z, beta=beta, alpha_bar=a, variance=v)
        yield x


# The bound in nats: the chain is a deep latent-variable model


class Bins(NamedTuple):
    """Where grey levels lie on the line."""

    width: float  # distance of two neighbouring levels
    low: float  # place of the lowest level
    high: float  # place of the highest


def bin_log_prob(x: Event, mean: Event, std: Float[Tensor, ""], bins: Bins) -> PerExample:
    r"""Log-probability, in nats, of grey levels under normals cut into bins (DDPM, eq. 13).

    $$\sum_i \log\Big[\Phi\Big(\frac{x_i + w/2 - \mu_i}{\sigma}\Big)
      - \Phi\Big(\frac{x_i - w/2 - \mu_i}{\sigma}\Big)\Big]$$

    The bins at the two ends are open, so that the levels' probabilities add up to one.
    """
    require_positive(std=std, width=bins.width)
    half = bins.width / 2
    upper = torch.where(x > bins.high - half, torch.inf, (x + half - mean) / std)
    lower = torch.where(x < bins.low + half, -torch.inf, (x - half - mean) / std)
    # Far out on the right both Phi are 1 up to rounding: use the mirrored pair on the left.
    flip = lower > 0
    top = torch.where(flip, -lower, upper)
    bottom = torch.where(flip, -upper, lower)
    log_top = torch.special.log_ndtr(top)
    log_bottom = torch.special.log_ndtr(bottom)
    return sum_event(log_top + torch.log(-torch.expm1(log_bottom - log_top)))


def ddpm_vlb_term(
    eps_model: EpsModel,
    x0: Event,
    t: Int[Tensor, " b"],
    eps: Event,
    *,
    betas: Float[Tensor, " T"],
    variances: Float[Tensor, " T"],
) -> PerExample:
    r"""The bound's term of one step, in nats (DDPM, eq. 12, with its constant written out).

    $$\frac{\beta_t^2}{2 v_t \alpha_t (1-\bar\alpha_t)}\lVert\epsilon-\epsilon_\theta\rVert^2 + c_t,
      \quad c_t = \tfrac D2\Big(\tfrac{\tilde\beta_t}{v_t} - 1
      - \log\tfrac{\tilde\beta_t}{v_t}\Big), \quad c_0 = \tfrac D2\log 2\pi v_0$$

    A divergence for t > 0, a negative log-density for t = 0. ValueError for t outside 0..T-1.
    """
    require_index(len(betas), t=t)
    noise, v = _noise_variances(betas), variances
    eps_hat = eps_model(add_noise(x0, (1 - noise[t]).sqrt(), noise[t].sqrt(), eps), t)
    require_alike(eps=eps, eps_hat=eps_hat)
    weight = betas**2 / (2 * v * (1 - betas) * noise)
    ratio = posterior_variances(betas) / v
    constant = 0.5 * (ratio - 1 - ratio.log())
    constant = torch.cat([0.5 * (2 * math.pi * v[:1]).log(), constant[1:]])
    return weight[t] * sum_event((eps - eps_hat) ** 2) + math.prod(x0.shape[1:]) * constant[t]


def ddpm_vlb_terms(
    eps_model: EpsModel,
    x0: Event,
    eps: Float[Tensor, " T b *event"],
    *,
    betas: Float[Tensor, " T"],
    variances: Float[Tensor, " T"],
    bins: Bins | None = None,
) -> Float[Tensor, " terms b"]:
    r"""Terms $L_0, \dots, L_{T-1}$ of the bound and the prior's, `(T + 1, b)`, nats (DDPM, eq. 5).

    With `bins`, $L_0$ is the negative log-probability of a grey level; without, that of a density.
    """
    require_positive(variances=variances)
    rows = []
    for k, e in enumerate(eps):
        t = torch.full((len(x0),), k, device=x0.device)
        if k == 0 and bins is not None:  # integrate the last step's density over the level's bin
            signal = (1 - betas[0]).sqrt()
            noise = betas[0].sqrt()
            x_1 = add_noise(x0, signal, noise, e)
            mean = (x_1 - noise * eps_model(x_1, t)) / signal
            rows.append(-bin_log_prob(x0, mean, variances[0].sqrt(), bins))
        else:
            rows.append(ddpm_vlb_term(eps_model, x0, t, e, betas=betas, variances=variances))
    noise = _noise_variances(betas)[-1]
    rows.append(kl_diag_normal((1 - noise).sqrt() * x0, noise.log().expand_as(x0)))
    return torch.stack(rows)


def ddpm_vlb(
    eps_model: EpsModel,
    x0: Event,
    eps: Float[Tensor, " T b *event"],
    *,
    betas: Float[Tensor, " T"],
    variances: Float[Tensor, " T"],
    bins: Bins | None = None,
) -> PerExample:
    r"""Bound on $\log p(x_0)$ of the *ancestral* chain in nats, minus the sum of `ddpm_vlb_terms`.

    Its mean over `eps` never exceeds $\log p(x_0)$; with `bins`, the log-probability of the levels.
    """
    terms = ddpm_vlb_terms(eps_model, x0, eps, betas=betas, variances=variances, bins=bins)
    return -terms.sum(0)


class DDPM(nn.Module):
    r"""A noise predictor with its schedule: samples by the ancestral chain, bounds its likelihood.

    `variances` of reverse steps are `betas` unless given; with `bins` the bound is on grey levels.
    It includes the noise of the last step, which the sampler leaves out.
    """

    betas: Tensor
    alphas_bar: Tensor
    variances: Tensor

    def __init__(
        self,
        eps_net: nn.Module,
        betas: Float[Tensor, " T"],
        *,
        event_shape: tuple[int, ...],
        conditional: bool = False,
        variances: Float[Tensor, " T"] | None = None,
        bins: Bins | None = None,
    ) -> None:
        super().__init__()
        self.eps_net, self.event_shape = eps_net, event_shape
        self.conditional, self.bins = conditional, bins
        self.register_buffer("betas", betas)
        self.register_buffer("alphas_bar", alphas_bar_from_betas(betas))
        self.register_buffer("variances", betas.clone() if variances is None else variances)

    def eps_model(self, cond: Tensor | None = None) -> EpsModel:
        """Noise predictor of two arguments, with the condition of each example built in."""
        if cond is None:
            return self.eps_net
        if not self.conditional:
            raise ValueError("this DDPM is unconditional: cond must be None")
        return lambda x_t, t: self.eps_net(x_t, t, cond)

    def loss(self, x: Event, *, cond: Tensor | None = None, generator: Rng = None) -> Scalar:
        """Noise-prediction loss at random steps, mean over the batch; not nats."""
        rows = len(self.betas), (len(x),)
        t = drawn(torch.randint, *rows, device=x.device, generator=generator)
        eps = randn(x.shape, like=x, generator=generator)
        model = self.eps_model(cond)
        return ddpm_loss(model, x, t, eps, alphas_bar=self.alphas_bar).mean()

    def elbo(self, x: Event, *, cond: Tensor | None = None, generator: Rng = None) -> PerExample:
        """Bound on log p(x), or log p(x | cond), of the ancestral chain in nats; T passes."""
        eps = randn((len(self.betas), *x.shape), like=x, generator=generator)
        return ddpm_vlb(
            self.eps_model(cond), x, eps, betas=self.betas, variances=self.variances, bins=self.bins
        )

    @torch.no_grad()
    def sample(self, n: int, *, cond: Tensor | None = None, generator: Rng = None) -> Event:
        x_T = randn((n, *self.event_shape), like=self.betas, generator=generator)
        chain = partial(ddpm_sample, betas=self.betas, variances=self.variances)
        return last(chain(self.eps_model(cond), x_T, generator=generator))


check_public(__name__)
