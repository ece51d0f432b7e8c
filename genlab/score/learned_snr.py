r"""A schedule that is learned: where to look, when only the ends of the noise matter.

$$\mathcal L_\infty = \tfrac12 \int_{\gamma_0}^{\gamma_1}
\mathbb E\lVert\epsilon - \hat\epsilon(x_\gamma, \gamma)\rVert^2\,d\gamma
= \tfrac12\,\mathbb E_{t\sim\mathcal U}\;\gamma'(t)\,\lVert\epsilon-\hat\epsilon\rVert^2,
\qquad \gamma = -\log\mathrm{SNR}$$

With infinitely many steps the bound is an integral over the noise level, and a substitution does
not change an integral: every schedule with the same two ends has the same bound. What differs is
the variance of its estimate from a random t. Here a schedule is a histogram over levels: bin k is
visited with probability $p_k$, so $\gamma'(t) = 1 / \text{density}$ there.

Lesson: notebooks/12_diffusion_i.ipynb
Source: Kingma et al. 2021 (arXiv:2107.00630), eq. 17 to 20 and appendix I.2; the histogram stands
for their monotone network.
"""

from typing import final

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from genlab.core.tensors import Event, PerExample, require_alike, sum_event
from genlab.score.diffusion import EpsModel, add_noise


def scales_from_gamma(gamma: Float[Tensor, " *b"]) -> tuple[Tensor, Tensor]:
    r"""Signal and noise scale of a variance-preserving path from its noise level.

    $$\alpha^2 = \mathrm{sigmoid}(-\gamma), \qquad \sigma^2 = \mathrm{sigmoid}(\gamma)$$

    Args:
        gamma: $-\log\mathrm{SNR}$.

    Returns:
        `alpha`, `sigma`, like `gamma`.

    Example:
        >>> scales_from_gamma(torch.tensor(0.0))
        (tensor(0.7071), tensor(0.7071))

    Source: Kingma et al. 2021 (arXiv:2107.00630), eq. 3 and 4.
    Lesson: notebooks/12_diffusion_i.ipynb
    """
    return (-gamma).sigmoid().sqrt(), gamma.sigmoid().sqrt()


def vdm_term(
    eps_model: EpsModel,
    x0: Event,
    eps: Event,
    gamma: Float[Tensor, " b"],
    slope: Float[Tensor, " b"],
) -> PerExample:
    r"""Estimate of the diffusion part of the bound from one noise level, in nats.

    $$\tfrac12\,\gamma'(t)\,
      \lVert\epsilon - \hat\epsilon(\alpha x_0 + \sigma\epsilon,\,\gamma)\rVert^2$$

    Its mean over t and `eps` is $\mathcal L_\infty$, whatever the schedule between the ends.

    Args:
        eps_model: $(x_\gamma, \gamma) \mapsto \hat\epsilon$ with `gamma` of shape `(b,)`.
        x0: data, `(b, *event)`.
        eps: standard normal noise, like `x0`.
        gamma: the level of each example.
        slope: $\gamma'$ at the time of that level, positive.

    Returns:
        `(b,)`, nats.

    Example:
        >>> vdm_term(lambda x, g: 0 * x, torch.zeros(1, 2), torch.ones(1, 2), torch.zeros(1),
        ...          torch.tensor([10.0]))
        tensor([10.])

    Source: Kingma et al. 2021 (arXiv:2107.00630), eq. 17.
    Lesson: notebooks/12_diffusion_i.ipynb
    """
    require_alike(gamma=gamma, slope=slope)
    alpha, sigma = scales_from_gamma(gamma)
    eps_hat = eps_model(add_noise(x0, alpha, sigma, eps), gamma)
    return 0.5 * slope * sum_event((eps - eps_hat) ** 2)


def second_moment(
    term: PerExample, slope_then: Float[Tensor, " b"], slope_now: Float[Tensor, " b"]
) -> PerExample:
    r"""Estimate of $\mathbb E\,L^2$ under another schedule, from draws of the present one.

    $$\mathbb E_{\text{now}}L^2 = \int \tfrac14\,\gamma'_{\text{now}}\,
      \mathbb E\lVert\cdot\rVert^4\,d\gamma
      = \mathbb E_{\text{then}}\Big[L^2\,\frac{\gamma'_{\text{now}}}{\gamma'_{\text{then}}}\Big]$$

    The mean of L does not depend on the schedule, so minimising this minimises the variance; the
    best density of levels is proportional to $\sqrt{\mathbb E\lVert\cdot\rVert^4}$.

    Args:
        term: $L$ of `vdm_term`, drawn with the schedule "then"; a constant.
        slope_then: $\gamma'$ with which each was drawn.
        slope_now: $\gamma'$ of the new schedule at the same levels; carries the gradient.

    Returns:
        `(b,)`, nats squared.

    Example:
        >>> second_moment(torch.tensor([3.0]), torch.tensor([10.0]), torch.tensor([20.0]))
        tensor([18.])

    Source: Kingma et al. 2021 (arXiv:2107.00630), appendix I.2, with fixed levels.
    Lesson: notebooks/12_diffusion_i.ipynb
    """
    require_alike(term=term, slope_then=slope_then, slope_now=slope_now)
    return term**2 * slope_now / slope_then


@final
class LevelHistogram(nn.Module):
    r"""A learnable schedule $\gamma(t)$ with fixed ends: which noise levels are visited how often.

    $$\gamma(t) = F^{-1}(t), \qquad F' = \frac{p_k}{w} \text{ in bin } k, \qquad
      p = \mathrm{softmax}(\text{logits}), \quad w = \frac{\gamma_1-\gamma_0}{K}$$

    Args:
        gamma_0: level of the least noise.
        gamma_1: level of the most, above `gamma_0`.
        n_bins: K.

    Raises:
        ValueError: ends out of order, or no bin.

    Example:
        >>> LevelHistogram(-6.0, 6.0, 4)(torch.tensor([0.0, 0.25, 1.0]))
        tensor([-6., -3.,  6.], grad_fn=<AddBackward0>)

    Lesson: notebooks/12_diffusion_i.ipynb
    """

    def __init__(self, gamma_0: float, gamma_1: float, n_bins: int) -> None:
        super().__init__()
        if not gamma_0 < gamma_1:
            raise ValueError(f"gamma_0 must be below gamma_1, got {gamma_0} and {gamma_1}")
        if n_bins < 1:
            raise ValueError(f"n_bins must be at least 1, got {n_bins}")
        self.ends, self.width = (gamma_0, gamma_1), (gamma_1 - gamma_0) / n_bins
        self.logits = nn.Parameter(torch.zeros(n_bins))

    def forward(self, t: Float[Tensor, " b"]) -> Float[Tensor, " b"]:
        """Level of time t in [0, 1]; uniform t gives levels with the histogram's density."""
        p = self.logits.softmax(0)
        upto = p.cumsum(0)
        k = torch.searchsorted(upto.detach(), t.detach().contiguous()).clamp(max=len(p) - 1)
        inside = ((t - (upto - p)[k]) / p[k]).clamp(0, 1)
        return self.ends[0] + self.width * (k + inside)

    def slope(self, gamma: Float[Tensor, " b"]) -> Float[Tensor, " b"]:
        r"""Speed $\gamma'$ with which the schedule passes a level: width over probability."""
        return self.width / self.logits.softmax(0)[self.bin(gamma)]

    def bin(self, gamma: Float[Tensor, " b"]) -> Int[Tensor, " b"]:
        """Bin of each level."""
        k = ((gamma.detach() - self.ends[0]) / self.width).long()
        return k.clamp(0, len(self.logits) - 1)
