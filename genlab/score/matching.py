"""Score matching: learn the slope of log p without its constant, and sample by annealed Langevin.

NCSN = Song and Ermon 2019 (arXiv:1907.05600), improved NCSN = 2020 (arXiv:2006.09011), EDM = Karras
et al. 2022 (arXiv:2206.00364).
"""

import math
from collections.abc import Callable, Iterator
from functools import partial

import torch
from jaxtyping import Float
from torch import Generator, Tensor, nn

from genlab.core import Event, Level, PerExample, drawn, expand, last, randn, sum_event
from genlab.core.checked import check_public
from genlab.core.tensors import Rng, as_real, require_alike, require_between, require_positive
from genlab.nn.layers import time_embedding
from genlab.solvers.mcmc import langevin_step
from genlab.solvers.ode import exact_divergence, hutchinson_divergence

Score = Callable[[Tensor], Tensor]  # x to the slope, like x; each row depends on its own row only
LevelScore = Callable[[Tensor, Tensor], Tensor]  # (x, sigma) to the slope at each row's level
Sigma = Level | float


def esm_loss(score: Score, true_score: Score, x: Event) -> PerExample:
    r"""Explicit score matching, a sum over the event without a unit (Hyvarinen 2005, eq. 2).

    $$\ell = \tfrac12\lVert s(x) - \nabla\log p(x)\rVert^2$$
    """
    return 0.5 * sum_event((score(x) - true_score(x)) ** 2)


def hyvarinen_loss(score: Score, x: Event) -> PerExample:
    r"""Score matching without the true score, which is integrated away (Hyvarinen 2005, eq. 4).

    $$\ell = \operatorname{tr}\nabla s(x) + \tfrac12\lVert s(x)\rVert^2$$

    On average `esm_loss` minus $\tfrac12\mathbb E\lVert\nabla\log p\rVert^2$; D backward passes.
    """
    s, trace = exact_divergence(score, x)
    return trace + 0.5 * sum_event(s**2)


def sliced_loss(score: Score, x: Event, probes: Float[Tensor, " k b *event"]) -> PerExample:
    r"""Score matching along k random directions (Song et al. 2019, arXiv:1905.07088, 3.1: SSM-VR).

    $$\ell = v^\top \nabla s(x)\, v + \tfrac12 \lVert s(x)\rVert^2$$

    Has the mean of `hyvarinen_loss` when $\mathbb E[vv^\top] = I$.
    """
    s, slope = hutchinson_divergence(score, x, probes)
    return slope + 0.5 * sum_event(s**2)


def dsm_loss(score: Score, x0: Event, eps: Event, *, sigma: Sigma) -> PerExample:
    r"""Denoising score matching, a sum over the event without a unit (Vincent 2011, eq. 9, 10).

    $$\ell = \tfrac12\lVert s(x_0 + \sigma\epsilon) + \epsilon/\sigma\rVert^2$$

    Least for $s = \nabla\log p_\sigma$, the score of the *noised* data: there the mean of
    `dsm_floor`.
    """
    level = expand(_positive(sigma, x0), x0)
    s = score(x0 + level * eps)
    require_alike(score=s, eps=eps)
    return 0.5 * sum_event((s + eps / level) ** 2)


def dsm_floor(true_score: Event, *, sigma: Sigma) -> PerExample:
    r"""What no network can remove from the denoising objective (Vincent 2011, appendix).

    $$c = \frac{D}{2\sigma^2} - \tfrac12\lVert\nabla\log p_\sigma(x_t)\rVert^2$$

    On average $\mathbb E\operatorname{tr}\mathrm{Cov}[x_0\mid x_t]/2\sigma^4$, not negative.
    """
    level = _positive(sigma, true_score)
    return math.prod(true_score.shape[1:]) / (2 * level**2) - 0.5 * sum_event(true_score**2)


def _positive(sigma: Sigma, like: Tensor) -> Tensor:
    level = torch.as_tensor(sigma, dtype=as_real(like).dtype, device=like.device)
    require_positive(sigma=level)
    return level


# Tweedie's formula: a score is a denoiser


def x0_from_score(x_t: Event, score: Event, alpha: Level, sigma: Level) -> Event:
    r"""Clean example from the score: $\mathbb E[x_0\mid x_t]$ if it is exact (Efron 2011, eq. 2.8).

    $$\hat x_0 = (x_t + \sigma^2 s)/\alpha$$
    """
    return (x_t + expand(sigma, x_t) ** 2 * score) / expand(alpha, x_t)


def score_from_x0(x_t: Event, x0_hat: Event, alpha: Level, sigma: Level) -> Event:
    r"""Score of a denoiser, $s = (\alpha\,\hat x_0 - x_t)/\sigma^2$."""
    return (expand(alpha, x_t) * x0_hat - x_t) / expand(sigma, x_t) ** 2


def posterior_covariance(
    score: Score, x_t: Event, *, alpha: float, sigma: float
) -> Float[Tensor, " b d d"]:
    r"""Covariance of the clean example: Tweedie's formula of second order, by D backward passes.

    $$\mathrm{Cov}[x_0\mid x_t] = \frac{\sigma^2}{\alpha^2}\big(I + \sigma^2 J_s(x_t)\big)$$
    """
    require_positive(alpha=alpha, sigma=sigma)
    with torch.enable_grad():
        x = x_t.detach().requires_grad_(True)
        columns = score(x).flatten(1)
        rows = [torch.autograd.grad(c.sum(), x, retain_graph=True)[0] for c in columns.unbind(1)]
    jacobian = torch.stack([row.flatten(1) for row in rows], 1)
    eye = torch.eye(jacobian.shape[1], dtype=x_t.dtype, device=x_t.device)
    return sigma**2 / alpha**2 * (eye + sigma**2 * jacobian)


# Many noise levels: the ladder and its sampler


def noise_ladder(sigma_max: float, sigma_min: float, n_levels: int) -> Float[Tensor, " l"]:
    r"""Falling noise levels with one ratio from each to the next (NCSN 2019, section 4.1).

    $$\sigma_i = \sigma_{\max}\,(\sigma_{\min}/\sigma_{\max})^{(i-1)/(L-1)}$$
    """
    require_between(2, math.inf, n_levels=n_levels)
    require_positive(sigma_min=sigma_min, fall_of_sigma=sigma_max - sigma_min)
    return torch.logspace(math.log10(sigma_max), math.log10(sigma_min), n_levels)


def ladder_overlap(ratio: float, d: int) -> float:
    r"""Share of a level's noise that looks like the level above's (improved NCSN, technique 2).

    $$\Phi\big(\sqrt{2D}(\gamma-1) + 3\gamma\big) - \Phi\big(\sqrt{2D}(\gamma-1) - 3\gamma\big)$$
    """
    require_between(1, math.inf, ratio=ratio, d=d)
    gap = math.sqrt(2 * d) * (ratio - 1)
    width = 3 * ratio
    phi = torch.special.ndtr(torch.tensor([gap + width, gap - width], dtype=torch.float64))
    return float(phi[0] - phi[1])


def annealed_langevin(
    score: LevelScore,
    x_T: Event,
    sigmas: Float[Tensor, " l"],
    *,
    rate: float,
    n_steps: int,
    denoise: bool = False,
    generator: Generator | None = None,
) -> Iterator[Event]:
    r"""Langevin chains at each level in turn: yield every state (NCSN 2019, algorithm 1).

    $$x \leftarrow x + r\sigma_i^2\, s(x, \sigma_i) + \sigma_i\sqrt{2r}\; z$$

    `denoise` removes the noise of the lowest level by Tweedie's formula, one network pass more.
    """
    if not 0 < rate < 2:
        raise ValueError(f"rate must lie in (0, 2), got {rate:g}")
    require_between(0, math.inf, n_steps=n_steps)
    x, level = x_T, sigmas[-1].expand(len(x_T))
    for value, sigma in zip(sigmas.tolist(), sigmas, strict=True):
        step_size = rate * value**2
        level = sigma.expand(len(x))
        for _ in range(n_steps):
            with torch.no_grad():
                z = randn(x.shape, like=x, generator=generator)
                x = langevin_step(x, score(x, level), z, step_size=step_size)
            yield x
    if denoise:
        with torch.no_grad():
            x = x0_from_score(x, score(x, level), torch.ones_like(level), level)
        yield x


def ncsn_loss(
    score: LevelScore, x0: Event, eps: Event, *, sigma: PerExample, data_std: float = math.inf
) -> PerExample:
    r"""Denoising score matching at each row's own level, weighted; a sum, without a unit.

    $$\ell = \lambda(\sigma)\cdot\tfrac12\lVert s(x_0+\sigma\epsilon, \sigma)
      + \epsilon/\sigma\rVert^2, \qquad \lambda = \sigma^2\,(1 + \sigma^2/s_d^2)$$

    $s_d = \infty$ is noise prediction (NCSN 2019, eq. 5 and 6); else EDM's weight (table 1).
    """
    require_positive(data_std=data_std)
    weight = sigma**2 * (1 + sigma**2 / data_std**2)
    return weight * dsm_loss(lambda x_t: score(x_t, sigma), x0, eps, sigma=sigma)


class LevelMLP(nn.Module):
    r"""A residual perceptron on d numbers, conditioned on the noise level.

    $$h_{k+1} = h_k + W_k\,\phi\big(V_k\,\phi(h_k) + U_k\, e(\log\sigma)\big)$$
    """

    def __init__(self, d: int, *, width: int = 128, depth: int = 3, d_emb: int = 32) -> None:
        super().__init__()
        self.d, self.d_emb, self.act = d, d_emb, nn.SiLU()
        self.inp = nn.Linear(d, width)
        self.out = nn.Linear(width, d)
        self.reads = nn.ModuleList(nn.Linear(width, width) for _ in range(depth))
        self.hears = nn.ModuleList(nn.Linear(d_emb, width) for _ in range(depth))
        self.writes = nn.ModuleList(nn.Linear(width, width) for _ in range(depth))

    def forward(self, x: Event, sigma: PerExample) -> Event:
        level = time_embedding(sigma.log(), self.d_emb, max_period=100.0, scale=4.0)
        h = self.inp(x.flatten(1))
        for read, hear, write in zip(self.reads, self.hears, self.writes, strict=True):
            h = h + write(self.act(read(self.act(h)) + hear(level)))
        return self.out(h).reshape(x.shape)


class NCSN(nn.Module):
    r"""A score at every level of a ladder, sampled by annealed Langevin. No likelihood.

    $$s_\theta(x, \sigma) = -\frac{x}{v} + \frac{s_d}{\sigma\sqrt v}\,
      f_\theta\big(x/\sqrt v,\, \sigma\big), \qquad v = \sigma^2 + s_d^2$$

    The first part is the exact score of $\mathcal N(0, s_d^2 I)$ data (EDM, table 1, as a score).
    """

    sigmas: Tensor

    def __init__(
        self,
        net: nn.Module,
        sigmas: Float[Tensor, " l"],
        *,
        event_shape: tuple[int, ...],
        data_std: float = 1.0,
        rate: float = 0.1,
        n_steps: int = 10,
    ) -> None:
        super().__init__()
        self.net, self.event_shape, self.data_std = net, event_shape, data_std
        self.rate, self.n_steps = rate, n_steps
        self.register_buffer("sigmas", sigmas)

    def score(self, x: Event, t: PerExample) -> Event:
        r"""Slope of the log-density of the data noised at level `t` $= \sigma$."""
        sigma = expand(t, x)
        v = sigma**2 + self.data_std**2
        return self.data_std / (sigma * v.sqrt()) * self.net(x / v.sqrt(), t) - x / v

    def loss(self, x: Event, *, generator: Rng = None) -> Float[Tensor, ""]:
        """Weighted denoising loss at random levels, mean over the batch; not nats."""
        rows = len(self.sigmas), (len(x),)
        rung = drawn(torch.randint, *rows, device=x.device, generator=generator)
        eps = randn(x.shape, like=x, generator=generator)
        sigma = self.sigmas[rung]
        return ncsn_loss(self.score, x, eps, sigma=sigma, data_std=self.data_std).mean()

    @torch.no_grad()
    def sample(self, n: int, *, generator: Rng = None) -> Event:
        """Draw `n` examples: one network pass for each step at each level, and one to denoise."""
        noise = randn((n, *self.event_shape), like=self.sigmas, generator=generator)
        chain = partial(annealed_langevin, rate=self.rate, n_steps=self.n_steps, denoise=True)
        return last(chain(self.score, self.sigmas[0] * noise, self.sigmas, generator=generator))


check_public(__name__)
