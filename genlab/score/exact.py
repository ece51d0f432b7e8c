r"""The perfect network: what training would reach for a law whose denoiser is known.

$$\epsilon^*(x_t, t) = \frac{x_t - \sqrt{\bar\alpha_t}\,\mathbb E[x_0\mid x_t]}
{\sqrt{1-\bar\alpha_t}}$$

Give it to a sampler, and whatever is then wrong is the sampler's fault.

Lesson: notebooks/13_diffusion_ii.ipynb
Source: Ho, Jain and Abbeel 2020 (arXiv:2006.11239), eq. 14, at its minimum.
"""

from typing import Protocol, runtime_checkable

from jaxtyping import Int
from torch import Tensor

from genlab.core.shapes import Event

from .paths import eps_from_x0
from .schedules import Table
from .vlb import EpsModel


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
        >>> import torch
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
