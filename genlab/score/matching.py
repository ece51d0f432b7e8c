r"""Score matching: learn the slope of log p without ever knowing log p's constant.

$$J_{\mathrm{ESM}} = \tfrac12\,\mathbb E_p\lVert s - \nabla\log p\rVert^2
  = \mathbb E_p\big[\operatorname{tr}\nabla s + \tfrac12\lVert s\rVert^2\big] + c, \qquad
J_{\mathrm{DSM}} = \tfrac12\,\mathbb E\,\lVert s(x_0+\sigma\epsilon) + \epsilon/\sigma\rVert^2$$

The explicit objective needs the answer. Integrating by parts removes it, at the price of a trace;
random slices make the trace cheap; added noise makes it superfluous, and then what is learned is
the score of the *noised* data.

Lesson: notebooks/11_score_matching.ipynb
Sources: Hyvarinen 2005, JMLR 6; Vincent 2011, Neural Computation 23; Song, Garg, Shi and Ermon
2019 (arXiv:1905.07088).
"""

import math
from collections.abc import Callable, Iterator
from typing import TypeAlias, final

import torch
from jaxtyping import Float
from torch import Generator, Tensor, nn

from genlab.core.tensors import (
    Event,
    PerExample,
    as_real,
    expand,
    last,
    randn,
    require_alike,
    require_between,
    require_positive,
    sum_event,
)
from genlab.nn.layers import time_embedding
from genlab.score.diffusion import Level
from genlab.solvers.mcmc import langevin_step
from genlab.solvers.ode import exact_divergence, hutchinson_divergence

Score: TypeAlias = Callable[[Tensor], Tensor]
Sigma: TypeAlias = "Float[Tensor, ' *b'] | float"


def esm_loss(score: Score, true_score: Score, x: Event) -> PerExample:
    r"""Explicit score matching: the distance to an answer that only an oracle knows.

    $$\ell = \tfrac12\lVert s(x) - \nabla\log p(x)\rVert^2$$

    Its mean over p is half the Fisher divergence; zero exactly when the two scores agree.

    Args:
        score: the model $s$, maps `(b, *event)` to the same shape.
        true_score: $\nabla\log p$, likewise.
        x: examples from p, `(b, *event)`.

    Returns:
        `(b,)`, summed over the event; no unit.

    Example:
        >>> esm_loss(lambda x: -0.5 * x, lambda x: -x, torch.ones(1, 2))
        tensor([0.2500])

    Source: Hyvarinen 2005, eq. 2.
    Lesson: notebooks/11_score_matching.ipynb
    """
    return 0.5 * sum_event((score(x) - true_score(x)) ** 2)


def hyvarinen_loss(score: Score, x: Event) -> PerExample:
    r"""Score matching by the exact trace: the true score has been integrated away.

    $$\ell = \operatorname{tr}\nabla s(x) + \tfrac12\lVert s(x)\rVert^2$$

    In the mean over p it is `esm_loss` minus $\tfrac12\mathbb E\lVert\nabla\log p\rVert^2$, if
    $p\,s$ vanishes at the border. It may be negative; over a finite set of examples it has no
    lower bound.

    Args:
        score: the model $s$; each row of s(x) depends on the same row of x only.
        x: examples, `(b, *event)`.

    Returns:
        `(b,)`, summed over the event; costs D backward passes.

    Example:
        >>> hyvarinen_loss(lambda x: -x, torch.ones(1, 2)).detach()
        tensor([-1.])

    Source: Hyvarinen 2005, eq. 4.
    Lesson: notebooks/11_score_matching.ipynb
    """
    s, trace = exact_divergence(score, x)
    return trace + 0.5 * sum_event(s**2)


def sliced_loss(
    score: Score, x: Event, probes: Float[Tensor, " k b *event"], *, reduced: bool = True
) -> PerExample:
    r"""Score matching along random directions: one backward pass a slice instead of D.

    $$\ell = v^\top \nabla s(x)\, v + \tfrac12 \lVert s(x)\rVert^2
      \quad\text{or}\quad v^\top \nabla s(x)\, v + \tfrac12 (v^\top s(x))^2$$

    Both have the mean of `hyvarinen_loss` when $\mathbb E[vv^\top] = I$; the first, *reduced* in
    variance, does not slice what is known anyway.

    Args:
        score: the model $s$, row by row.
        x: examples, `(b, *event)`.
        probes: $v$, `(k, b, *event)`, for instance `solvers.divergence.rademacher`.
        reduced: the first form; otherwise the second.

    Returns:
        `(b,)`, mean over the k slices.

    Example:
        >>> sliced_loss(lambda x: -x, torch.ones(1, 2), torch.ones(1, 1, 2)).detach()
        tensor([-1.])

    Source: Song et al. 2019 (arXiv:1905.07088), section 3.1: SSM-VR, and SSM.
    Lesson: notebooks/11_score_matching.ipynb
    """
    s, slope = hutchinson_divergence(score, x, probes)
    if reduced:
        return slope + 0.5 * sum_event(s**2)
    projections = torch.stack([sum_event(s * v) for v in probes])
    return slope + 0.5 * (projections**2).mean(0)


def dsm_loss(score: Score, x0: Event, eps: Event, *, sigma: Sigma) -> PerExample:
    r"""Denoising score matching: regress on the slope of the noise, which is known.

    $$\ell = \tfrac12\lVert s(x_0 + \sigma\epsilon) + \epsilon/\sigma\rVert^2$$

    Minimised by $s = \nabla\log p_\sigma$, the score of the *noised* data, and positive there: its
    mean is `esm_loss` on the noised data plus the mean of `dsm_floor`.

    Args:
        score: the model $s$ at this noise level.
        x0: clean examples, `(b, *event)`.
        eps: standard normal noise, like `x0`.
        sigma: noise level, positive, one number or `(b,)`.

    Returns:
        `(b,)`, summed over the event; grows like $D/2\sigma^2$ as the noise goes to 0.

    Raises:
        ValueError: a noise level is not positive.

    Example:
        >>> dsm_loss(lambda x: 0 * x, torch.tensor([[2.0]]), torch.tensor([[0.5]]), sigma=1.0)
        tensor([0.1250])

    Source: Vincent 2011, eq. 9 and 10.
    Lesson: notebooks/11_score_matching.ipynb
    """
    level = expand(_positive(sigma, x0), x0)
    s = score(x0 + level * eps)
    require_alike(score=s, eps=eps)
    return 0.5 * sum_event((s + eps / level) ** 2)


def dsm_floor(true_score: Event, *, sigma: Sigma) -> PerExample:
    r"""The constant between the denoising and the explicit objective: what no network can remove.

    $$c = \frac{D}{2\sigma^2} - \tfrac12\lVert\nabla\log p_\sigma(x_t)\rVert^2$$

    Its mean over the noised data is $\mathbb E\operatorname{tr}\mathrm{Cov}[x_0\mid x_t]/2\sigma^4
    \ge 0$: for $\mathcal N(0,1)$ data and $\sigma = 1$ it is $\tfrac14$.

    Args:
        true_score: $\nabla\log p_\sigma(x_t)$ at noised examples, `(b, *event)`.
        sigma: noise level, positive, one number or `(b,)`.

    Returns:
        `(b,)`; single values may be negative, their mean is not.

    Raises:
        ValueError: a noise level is not positive.

    Example:
        >>> dsm_floor(torch.tensor([[0.5]]), sigma=1.0)
        tensor([0.3750])

    Source: Vincent 2011, appendix: the constants that its proof drops, for normal noise.
    Lesson: notebooks/11_score_matching.ipynb
    """
    level = _positive(sigma, true_score)
    return math.prod(true_score.shape[1:]) / (2 * level**2) - 0.5 * sum_event(true_score**2)


def _positive(sigma: Sigma, like: Tensor) -> Tensor:
    level = torch.as_tensor(sigma, dtype=as_real(like).dtype, device=like.device)
    require_positive(sigma=level)
    return level


def x0_from_score(x_t: Event, score: Event, alpha: Level, sigma: Level) -> Event:
    r"""Best guess of the clean example.

    $$\hat x_0 = (x_t + \sigma^2 s)/\alpha$$

    With the exact score it is $\mathbb E[x_0\mid x_t]$, which minimises the mean square error.

    Args:
        x_t: noisy examples, `(b, *event)`.
        score: $\nabla\log p_t(x_t)$, like `x_t`.
        alpha: signal scale, `(b,)` or a single number, not 0.
        sigma: noise scale, likewise.

    Returns:
        Like `x_t`.

    Example:
        >>> x, one = torch.tensor([[2.0]]), torch.tensor(1.0)
        >>> x0_from_score(x, -x / 2, one, one)    # N(0, 1) data: half of what you see is noise
        tensor([[1.]])

    Source: Efron 2011, eq. 2.8.
    Lesson: notebooks/11_score_matching.ipynb
    """
    return (x_t + expand(sigma, x_t) ** 2 * score) / expand(alpha, x_t)


def score_from_x0(x_t: Event, x0_hat: Event, alpha: Level, sigma: Level) -> Event:
    r"""Score implied by a denoiser.

    $$s = (\alpha\,\hat x_0 - x_t)/\sigma^2$$

    Args:
        x_t: noisy examples, `(b, *event)`.
        x0_hat: $\mathbb E[x_0\mid x_t]$, like `x_t`.
        alpha: signal scale, `(b,)` or a single number.
        sigma: noise scale, likewise, not 0.

    Returns:
        Like `x_t`.

    Example:
        >>> one = torch.tensor(1.0)
        >>> score_from_x0(torch.tensor([[2.0]]), torch.tensor([[1.0]]), one, one)
        tensor([[-1.]])

    Source: Efron 2011, eq. 2.8, solved for the score.
    Lesson: notebooks/11_score_matching.ipynb
    """
    return (expand(alpha, x_t) * x0_hat - x_t) / expand(sigma, x_t) ** 2


def posterior_covariance(
    score: Score, x_t: Event, *, alpha: float, sigma: float
) -> Float[Tensor, " b d d"]:
    r"""How much is still unknown about the clean example: Tweedie's formula of second order.

    $$\mathrm{Cov}[x_0\mid x_t] = \frac{\sigma^2}{\alpha^2}\big(I + \sigma^2 J_s(x_t)\big)$$

    Symmetric and not negative for an exact score; a network promises neither.

    Args:
        score: $\nabla\log p_t$, row by row.
        x_t: noisy examples, `(b, *event)`, D numbers each.
        alpha: signal scale, positive.
        sigma: noise scale, positive.

    Returns:
        `(b, D, D)`, over flattened events; costs D backward passes.

    Raises:
        ValueError: a scale is not positive.

    Example:
        >>> posterior_covariance(lambda x: -x / 2, torch.zeros(1, 1), alpha=1.0, sigma=1.0)
        tensor([[[0.5000]]])

    Source: Efron 2011, eq. 2.8, differentiated once more.
    Lesson: notebooks/11_score_matching.ipynb
    """
    if not (alpha > 0 and sigma > 0):
        raise ValueError(f"alpha and sigma must be positive, got {alpha:g} and {sigma:g}")
    with torch.enable_grad():
        x = x_t.detach().requires_grad_(True)
        columns = score(x).flatten(1)
        rows = [torch.autograd.grad(c.sum(), x, retain_graph=True)[0] for c in columns.unbind(1)]
    jacobian = torch.stack([row.flatten(1) for row in rows], 1)
    eye = torch.eye(jacobian.shape[1], dtype=x_t.dtype, device=x_t.device)
    return sigma**2 / alpha**2 * (eye + sigma**2 * jacobian)


LevelScore: TypeAlias = Callable[[Tensor, Tensor], Tensor]


def noise_ladder(sigma_max: float, sigma_min: float, n_levels: int) -> Float[Tensor, " l"]:
    r"""Noise levels with one ratio from rung to rung.

    $$\sigma_i = \sigma_{\max}\,(\sigma_{\min}/\sigma_{\max})^{(i-1)/(L-1)}$$

    Args:
        sigma_max: about the largest distance between two examples, or the top is no one hill.
        sigma_min: the noise that a sample may still carry, positive.
        n_levels: L, at least 2; see `ladder_overlap`.

    Returns:
        `(l,)`, falling, in torch's default dtype.

    Raises:
        ValueError: the ladder does not lead down, or has fewer than two rungs.

    Example:
        >>> noise_ladder(4.0, 1.0, 3).round(decimals=3)
        tensor([4., 2., 1.])

    Source: Song and Ermon 2019 (arXiv:1907.05600), section 4.1; technique 1 of arXiv:2006.09011.
    Lesson: notebooks/11_score_matching.ipynb
    """
    if not 0 < sigma_min < sigma_max:
        raise ValueError(f"need 0 < sigma_min < sigma_max, got {sigma_min:g} and {sigma_max:g}")
    if n_levels < 2:
        raise ValueError(f"n_levels must be at least 2, got {n_levels}")
    return torch.logspace(math.log10(sigma_max), math.log10(sigma_min), n_levels)


def ladder_overlap(ratio: float, d: int) -> float:
    r"""How much of a rung's noise looks like noise of the rung above: choose about a half.

    $$\Phi\big(\sqrt{2D}(\gamma-1) + 3\gamma\big) - \Phi\big(\sqrt{2D}(\gamma-1) - 3\gamma\big)$$

    The length of D-dimensional noise is nearly normal, with mean $\sigma\sqrt D$ and deviation
    $\sigma/\sqrt2$: a thin shell. This is the share within three deviations of the shell above.
    Where shells do not touch, a chain steps onto inputs that the next level was never trained on.

    Args:
        ratio: $\gamma = \sigma_{i}/\sigma_{i+1} \ge 1$.
        d: D, numbers in an example.

    Returns:
        A probability.

    Raises:
        ValueError: `ratio` or `d` is below 1.

    Example:
        >>> round(ladder_overlap(1.36, 64), 2), round(ladder_overlap(1.36, 3072), 2)
        (0.5, 0.0)

    Source: Song and Ermon 2020 (arXiv:2006.09011), technique 2.
    Lesson: notebooks/11_score_matching.ipynb
    """
    require_between(1, math.inf, ratio=ratio, d=d)
    gap, width = math.sqrt(2 * d) * (ratio - 1), 3 * ratio
    phi = torch.special.ndtr(torch.tensor([gap + width, gap - width], dtype=torch.float64))
    return float(phi[0] - phi[1])


def rung_variance(ratio: float, rate: float, n_steps: int) -> float:
    r"""Spread after some steps at one rung, in units of its noise: choose the rate that gives 1.

    $$\frac{v}{\sigma_i^2} = (1-r)^{2n}\Big(\gamma^2 - \frac{1}{1 - r/2}\Big) + \frac{1}{1-r/2}$$

    For data that are a single point, and chains that arrive with the spread of the rung above.

    Args:
        ratio: $\gamma$, the rung above over this one.
        rate: r, step size over $\sigma_i^2$.
        n_steps: n, steps at this rung.

    Returns:
        The variance over $\sigma_i^2$.

    Raises:
        ValueError: `rate` outside (0, 2), where chains diverge, or a negative number.

    Example:
        >>> rung_variance(2.0, 0.5, 0), round(rung_variance(2.0, 0.5, 50), 4)
        (4.0, 1.3333)

    Source: Song and Ermon 2020 (arXiv:2006.09011), proposition 3 and technique 4.
    Lesson: notebooks/11_score_matching.ipynb
    """
    if not 0 < rate < 2:
        raise ValueError(f"rate must lie in (0, 2), got {rate:g}")
    require_between(0, math.inf, ratio=ratio, n_steps=n_steps)
    settled = 1 / (1 - rate / 2)
    return (1 - rate) ** (2 * n_steps) * (ratio**2 - settled) + settled


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
    r"""Langevin chains at each level in turn; the end of one is the start of the next.

    $$x \leftarrow x + r\sigma_i^2\, s(x, \sigma_i) + \sigma_i\sqrt{2r}\; z$$

    The step goes with $\sigma_i^2$, so the drift and the noise of a step keep one proportion on
    the whole ladder. Without `denoise` a sample carries the noise of the lowest rung.

    Args:
        score: $(x, \sigma) \mapsto \nabla\log p_\sigma(x)$ with `sigma` of shape `(b,)`.
        x_T: noise of the highest level, `(b, *event)`.
        sigmas: the ladder, `(l,)`, falling.
        rate: r in (0, 2); the papers' $\epsilon$ is $2r\sigma_L^2$ (2019) or $r\sigma_L^2$ (2020).
        n_steps: steps at each level.
        denoise: end with Tweedie's formula at the last level, one network pass more.
        generator: source of the noise.

    Yields:
        States like `x_T`, one network pass each.

    Raises:
        ValueError: `rate` or `n_steps` is out of range.

    Example:
        >>> run = annealed_langevin(lambda x, s: -x, torch.zeros(3, 2), torch.tensor([2.0, 1.0]),
        ...                         rate=0.1, n_steps=5)
        >>> len(list(run))
        10

    Source: Song and Ermon 2019 (arXiv:1907.05600), algorithm 1; the denoising step is that of
        Song and Ermon 2020 (arXiv:2006.09011), section 6.
    Lesson: notebooks/11_score_matching.ipynb
    """
    if not 0 < rate < 2:
        raise ValueError(f"rate must lie in (0, 2), got {rate:g}")
    require_between(0, math.inf, n_steps=n_steps)
    x, level = x_T, sigmas[-1].expand(len(x_T))
    for sigma in sigmas:
        step_size, level = rate * float(sigma) ** 2, sigma.expand(len(x))
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
    score: LevelScore,
    x0: Event,
    eps: Event,
    *,
    sigma: Float[Tensor, " b"],
    data_std: float = math.inf,
) -> PerExample:
    r"""Denoising score matching at the row's own level, weighted.

    $$\ell = \lambda(\sigma)\cdot\tfrac12\lVert s(x_0+\sigma\epsilon, \sigma)
      + \epsilon/\sigma\rVert^2, \qquad \lambda = \sigma^2\,(1 + \sigma^2/s_d^2)$$

    With $s_d = \infty$ it is noise prediction, $\tfrac12\lVert\sigma s + \epsilon\rVert^2$, and the
    floor for $\mathcal N(0, s^2 I)$ data is $D s^2/2(s^2+\sigma^2)$: nothing at the top. With
    $s_d = s$ the floor is D/2 at every level.

    Args:
        score: $(x, \sigma) \mapsto s$, `sigma` of shape `(b,)`.
        x0: clean examples, `(b, *event)`.
        eps: standard normal noise, like `x0`.
        sigma: noise levels, `(b,)`, positive.
        data_std: $s_d$, root mean square of a number of the data; infinity for the classic weight.

    Returns:
        `(b,)`, summed over the event; no unit.

    Raises:
        ValueError: a noise level is not positive.

    Example:
        >>> x, sigma = torch.zeros(2, 1), torch.tensor([0.1, 10.0])
        >>> ncsn_loss(lambda x, s: 0 * x, x, torch.ones(2, 1), sigma=sigma)
        tensor([0.5000, 0.5000])

    Source: Song and Ermon 2019 (arXiv:1907.05600), eq. 5 and 6, with lambda = sigma^2; the other
        weight is that of Karras et al. 2022 (arXiv:2206.00364), table 1, for a score.
    Lesson: notebooks/11_score_matching.ipynb
    """
    require_positive(data_std=data_std)
    weight = sigma**2 * (1 + sigma**2 / data_std**2)
    return weight * dsm_loss(lambda x_t: score(x_t, sigma), x0, eps, sigma=sigma)


@final
class LevelMLP(nn.Module):
    r"""A residual perceptron that is told the noise level.

    $$h_{k+1} = h_k + W_k\,\phi\big(V_k\,\phi(h_k) + U_k\, e(\log\sigma)\big)$$

    Args:
        d: numbers in an example.
        width: units of each block.
        depth: residual blocks.
        d_emb: features of the level.

    Raises:
        ValueError: an event that does not hold d numbers.

    Example:
        >>> LevelMLP(4, width=8, depth=1)(torch.zeros(3, 1, 2, 2), torch.ones(3)).shape
        torch.Size([3, 1, 2, 2])
    """

    def __init__(self, d: int, *, width: int = 128, depth: int = 3, d_emb: int = 32) -> None:
        super().__init__()
        self.d, self.d_emb, self.act = d, d_emb, nn.SiLU()
        self.inp, self.out = nn.Linear(d, width), nn.Linear(width, d)
        self.reads = nn.ModuleList(nn.Linear(width, width) for _ in range(depth))
        self.hears = nn.ModuleList(nn.Linear(d_emb, width) for _ in range(depth))
        self.writes = nn.ModuleList(nn.Linear(width, width) for _ in range(depth))

    def forward(self, x: Event, sigma: Float[Tensor, " b"]) -> Event:
        """Map scaled noisy examples at their levels to events of the same shape."""
        flat = x.flatten(1)
        if flat.shape[1] != self.d:
            raise ValueError(f"an event holds {flat.shape[1]} numbers, expected {self.d}")
        level = time_embedding(sigma.log(), self.d_emb, max_period=100.0, scale=4.0)
        h = self.inp(flat)
        for read, hear, write in zip(self.reads, self.hears, self.writes, strict=True):
            h = h + write(self.act(read(self.act(h)) + hear(level)))
        out: Tensor = self.out(h)
        return out.reshape(x.shape)


@final
class NCSN(nn.Module):
    r"""A score at every level of a ladder, sampled by annealed Langevin. No likelihood.

    $$s_\theta(x, \sigma) = -\frac{x}{v} + \frac{s_d}{\sigma\sqrt v}\,
      f_\theta\big(x/\sqrt v,\, \sigma\big), \qquad v = \sigma^2 + s_d^2$$

    The first part is the exact score if the data were $\mathcal N(0, s_d^2 I)$; the network learns
    only the rest, with inputs and outputs of size 1 at every level. Left to itself, it would have
    to copy its input to one part in $\sigma$ at the top of the ladder.

    Args:
        net: $f_\theta$, $(x, \sigma) \mapsto$ like $x$.
        sigmas: the ladder, `(l,)`, falling.
        event_shape: shape of one example.
        data_std: $s_d$, root mean square of a number of the data.
        rate: r of the sampler, step size over $\sigma_i^2$.
        n_steps: Langevin steps at each level.

    Source: Song and Ermon 2019 (arXiv:1907.05600), algorithm 1; instead of their $f_\theta/\sigma$
        the parts of Karras et al. 2022 (arXiv:2206.00364), table 1, written as a score.
    Lesson: notebooks/11_score_matching.ipynb
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
        self.net, self.event_shape, self.rate, self.n_steps = net, event_shape, rate, n_steps
        self.data_std = data_std
        self.register_buffer("sigmas", sigmas)

    def score(self, x: Event, t: Float[Tensor, " b"]) -> Event:
        r"""Slope of the log-density of the data noised at level `t` $= \sigma$, like `x`."""
        sigma = expand(t, x)
        v = sigma**2 + self.data_std**2
        rest: Tensor = self.net(x / v.sqrt(), t)
        return self.data_std / (sigma * v.sqrt()) * rest - x / v

    def loss(
        self, x: Event, *, cond: Tensor | None = None, generator: Generator | None = None
    ) -> Float[Tensor, ""]:
        """Weighted denoising loss at random rungs, mean over the batch; not nats."""
        _refuse(cond)
        device = generator.device if generator else x.device
        rung = torch.randint(len(self.sigmas), (len(x),), generator=generator, device=device)
        eps = randn(x.shape, like=x, generator=generator)
        sigma = self.sigmas[rung.to(x.device)]
        return ncsn_loss(self.score, x, eps, sigma=sigma, data_std=self.data_std).mean()

    @torch.no_grad()
    def sample(
        self, n: int, *, cond: Tensor | None = None, generator: Generator | None = None
    ) -> Event:
        """Draw `n` examples: one network pass for each step at each level, and one to denoise."""
        _refuse(cond)
        noise = randn((n, *self.event_shape), like=self.sigmas, generator=generator)
        run = annealed_langevin(
            self.score, self.sigmas[0] * noise, self.sigmas, rate=self.rate,
            n_steps=self.n_steps, denoise=True, generator=generator,
        )  # fmt: skip
        return last(run)


def _refuse(cond: Tensor | None) -> None:
    if cond is not None:
        raise ValueError("this network is unconditional: cond must be None")
