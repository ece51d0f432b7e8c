r"""The perfect network in continuous time: score and velocity of data whose law is known.

$$\nabla\log p_t(x), \qquad v(x, t) = \mathbb E[\epsilon - x_0\mid x_t = x]$$

Put one of them where a trained network would stand, and whatever is then wrong is the sampler's
fault. (`exact.py` has the noise predictor at the integer steps of a schedule.)

Lesson: notebooks/14_score_sdes.ipynb
Sources: Efron 2011, eq. 2.8 (Tweedie's formula); Lipman et al. 2023 (arXiv:2210.02747), eq. 8.
"""

from typing import Protocol, runtime_checkable

from torch import Tensor

from .sde import ScoreModel
from .sde_paths import SDE


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
        >>> from genlab.score.sde_paths import VP
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
