r"""The perfect network in continuous time: score and velocity of data whose law is known.

$$\nabla\log p_t(x), \qquad v(x, t) = \mathbb E[\epsilon - x_0\mid x_t = x]$$

Put one of them where a trained network would stand, and whatever is then wrong is the sampler's
fault. (`exact.py` has the noise predictor at the integer steps of a schedule.)

Lesson: notebooks/14_score_sdes.ipynb
Sources: Efron 2011, eq. 2.8 (Tweedie's formula); Lipman et al. 2023 (arXiv:2210.02747), eq. 8.
"""

from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from genlab.core.tensors import Event
from genlab.data.digits import N_CLASSES, load_digits
from genlab.oracles.continuous import Empirical, GaussianMixture
from genlab.score.diffusion import EpsModel, Table, add_noise, eps_from_x0
from genlab.score.sde import SDE, ScoreModel


@runtime_checkable
class HasSlope(Protocol):
    """A density of which the slope of the logarithm is known."""

    def score(self, x: Tensor) -> Tensor:
        """Gradient of log p at `x`, like `x`."""
        ...


@runtime_checkable
class Noisable(Protocol):
    """Data whose noised law is known: any mixture or normal of `genlab.oracles`."""

    def noised(self, alpha: float, sigma: float) -> HasSlope:
        """Law of alpha x0 + sigma eps."""
        ...


def exact_score(data: Noisable, sde: SDE) -> ScoreModel:
    r"""The ideal network: the score of noised data whose law is known.

    $$(x, t) \mapsto \nabla\log p_t(x), \qquad \alpha_t x_0 + \sigma_t\epsilon \sim p_t$$

    Args:
        data: a mixture or a normal of `genlab.oracles`.
        sde: gives $\alpha_t$ and $\sigma_t$.

    Returns:
        A score model; all rows of one call must share one time.

    Example:
        >>> import torch
        >>> from genlab.oracles import Gaussian
        >>> from genlab.score.sde import VP
        >>> score = exact_score(Gaussian(torch.zeros(1), torch.eye(1)), VP())
        >>> score(torch.tensor([[2.0]]), torch.tensor([0.3]))
        tensor([[-2.]])

    Lesson: notebooks/14_score_sdes.ipynb
    """

    def score(x: Tensor, t: Tensor) -> Tensor:
        if bool((t != t[0]).any()):
            raise ValueError(f"exact_score: times run from {t.min()} to {t.max()}, expected one")
        return data.noised(float(sde.alpha(t[0])), float(sde.sigma(t[0]))).score(x)

    return score


@runtime_checkable
class Denoisable(Protocol):
    """Data of which the noised law and the best denoiser are known."""

    def noised(self, alpha: float, sigma: float) -> HasSlope:
        """Law of alpha x0 + sigma eps."""
        ...

    def denoiser(self, x_t: Tensor, alpha: Tensor | float, sigma: Tensor | float) -> Tensor:
        """Expected clean example given the noisy one."""
        ...


def exact_velocity(data: Denoisable) -> ScoreModel:
    r"""The ideal network of flow matching: both means are known, at every time from 0 to 1.

    $$v(x, t) = \mathbb E[\epsilon\mid x_t] - \mathbb E[x_0\mid x_t]
    = -t\,\nabla\log p_t(x) - \mathbb E[x_0 \mid x_t = x]$$

    It is the probability-flow velocity of the `Straight` path, written so that neither end is
    singular.

    Args:
        data: a mixture or a normal of `genlab.oracles`.

    Returns:
        A velocity; all rows of one call must share one time.

    Example:
        >>> import torch
        >>> from genlab.oracles import Gaussian
        >>> v = exact_velocity(Gaussian(torch.zeros(1), torch.eye(1)))
        >>> v(torch.tensor([[2.0]]), torch.tensor([1.0]))    # pure noise: the data's mean is 0
        tensor([[2.]])

    Source: Lipman et al. 2023 (arXiv:2210.02747), eq. 8.
    Lesson: notebooks/14_score_sdes.ipynb
    """

    def velocity(x: Tensor, t: Tensor) -> Tensor:
        if bool((t != t[0]).any()):
            raise ValueError(f"exact_velocity: times run from {t.min()} to {t.max()}, expected one")
        time = float(t[0])
        eps_hat = -time * data.noised(1 - time, time).score(x)
        return eps_hat - data.denoiser(x, 1 - time, time)

    return velocity


@runtime_checkable
class HasDenoiser(Protocol):
    """A law that knows the best guess of a clean example."""

    def denoiser(self, x_t: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
        """Mean of $x_0$ given $x_t$ at levels `alpha`, `sigma` of shape `(b,)`."""


def exact_eps_model(law: HasDenoiser, alphas_bar: Table) -> EpsModel:
    r"""The minimiser of the noise-prediction loss on data from `law`.

    $$\epsilon^*(x_t, t) = -\sqrt{1-\bar\alpha_t}\,\nabla\log p_t(x_t)$$

    Args:
        law: an oracle such as `GaussianMixture`.
        alphas_bar: $\bar\alpha$, `(T,)`, of the schedule.

    Returns:
        $(x_t, t) \mapsto \hat\epsilon$ with integer `t` of shape `(b,)`.

    Example:
        >>> from genlab.oracles import Gaussian
        >>> normal = Gaussian(torch.zeros(1), torch.eye(1))
        >>> exact_eps_model(normal, torch.tensor([0.36]))(torch.ones(1, 1), torch.tensor([0]))
        tensor([[0.8000]])

    Source: Ho, Jain and Abbeel 2020 (arXiv:2006.11239), eq. 14, at its minimum.
    Lesson: notebooks/13_diffusion_ii.ipynb
    """

    def eps_model(x_t: Event, t: Int[Tensor, " b"]) -> Event:
        a = alphas_bar[t]
        alpha, sigma = a.sqrt(), (1 - a).sqrt()
        return eps_from_x0(x_t, law.denoiser(x_t, alpha, sigma), alpha, sigma)

    return eps_model


def exact_flow_1d(
    law: GaussianMixture, u: Float[Tensor, " n"], alpha: float, sigma: float
) -> Float[Tensor, " n 1"]:
    r"""Where the noiseless flow of a law on the line is at one noise level: a quantile each.

    $$x_t(u) = F_t^{-1}(u), \qquad F_t(x) = \sum_k \pi_k\,
      \Phi\Big(\frac{x - \alpha m_k}{\sqrt{\alpha^2 s_k^2+\sigma^2}}\Big)$$

    Found by bisection on the distribution function; no score and no solver is involved.

    Args:
        law: a mixture on the line.
        u: which points, as probabilities in (0, 1).
        alpha: signal scale; 1 with `sigma` 0 gives the data's quantiles.
        sigma: noise scale.

    Returns:
        Points, `(n, 1)`, rising with `u`.

    Raises:
        ValueError: the law is not on the line, or a probability is outside (0, 1).

    Example:
        >>> weights, means = torch.ones(2) / 2, torch.tensor([[-1.0], [1.0]])
        >>> law = GaussianMixture(weights, means, torch.ones(2) / 2)
        >>> abs(float(exact_flow_1d(law, torch.tensor([0.5]), 1.0, 0.0))) < 1e-5
        True

    Source: a flow on the line that keeps the law's mass keeps its distribution function.
    Lesson: notebooks/13_diffusion_ii.ipynb
    """
    if law.event_shape != (1,):
        raise ValueError(f"exact_flow_1d: the law has shape {law.event_shape}, expected (1,)")
    if not bool(((u > 0) & (u < 1)).all()):
        raise ValueError(f"u must lie in (0, 1), got {float(u.min())} to {float(u.max())}")
    noised = law.noised(alpha, sigma)
    means, stds = noised.means[:, 0], noised.stds
    low = torch.full_like(u, float((means - 40 * stds).min()))
    high = torch.full_like(u, float((means + 40 * stds).max()))
    for _ in range(60):
        middle = (low + high) / 2
        below = torch.special.ndtr((middle[:, None] - means) / stds) @ noised.weights < u
        low, high = torch.where(below, middle, low), torch.where(below, high, middle)
    return middle[:, None]


LEVELS = torch.linspace(-14.0, 8.0, 45, dtype=torch.float64)  # log SNR


class DigitObserver:
    r"""Bayes' rule over the training digits: what can be known of a noised test digit.

    $$p(i\mid x_t) \propto \mathcal N(x_t; \alpha x_i, \sigma^2 I), \qquad
    E[x_0\mid x_t] = \sum_i p(i\mid x_t)\,x_i$$
    """

    def __init__(self) -> None:
        images, self.labels = load_digits("train")
        self.data = Empirical(images.double() / 8 - 1)
        shown, labels = load_digits("test")
        candidates = shown.double() / 8 - 1
        gaps = self.data.nearest(candidates)
        rows = [int(gaps.masked_fill(labels != c, torch.inf).argmin()) for c in range(N_CLASSES)]
        self.shown = candidates[rows]  # of each digit, the one most like a training image
        generator = torch.Generator().manual_seed(12)
        self.eps = torch.randn(self.shown.shape, dtype=torch.float64, generator=generator)

    def noised(self, digits: Tensor, ratio: float) -> Tensor:
        """The images of some digits at a log SNR, each with its own fixed noise."""
        alpha, sigma = (torch.tensor(r).sigmoid().sqrt() for r in (ratio, -ratio))
        return add_noise(self.shown[digits], alpha, sigma, self.eps[digits])

    def guess(self, x_t: Tensor, ratio: float) -> tuple[Tensor, Tensor]:
        """Best guesses E[x0 | x_t], `(b, 8, 8)`, and the probability of each digit, `(b, 10)`."""
        alpha, sigma = (float(torch.tensor(r).sigmoid().sqrt()) for r in (ratio, -ratio))
        weights = self.data.noised(alpha, sigma).responsibilities(x_t.flatten(1))
        classes = torch.zeros(len(x_t), N_CLASSES, dtype=weights.dtype)
        classes.index_add_(1, self.labels, weights)
        return (weights @ self.data.points.flatten(1)).reshape(-1, 8, 8), classes

    def curve(self) -> Tensor:
        """Probability of the right digit at each of `LEVELS`, a mean over the ten digits shown."""
        digits, right = torch.arange(N_CLASSES), []
        for ratio in LEVELS.tolist():
            _, classes = self.guess(self.noised(digits, ratio), ratio)
            right.append(classes.diagonal().mean())
        return torch.stack(right)
