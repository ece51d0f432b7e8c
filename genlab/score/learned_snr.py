r"""A learned noise schedule: with infinitely many steps the bound is an integral over noise levels.

$$\mathcal L_\infty = \tfrac12 \int_{\gamma_0}^{\gamma_1}
\mathbb E\lVert\epsilon - \hat\epsilon(x_\gamma, \gamma)\rVert^2\,d\gamma
= \tfrac12\,\mathbb E_{t\sim\mathcal U}\;\gamma'(t)\,\lVert\epsilon-\hat\epsilon\rVert^2,
\qquad \gamma = -\log\mathrm{SNR}$$

Every schedule with the same two ends has the same bound; what differs is the variance of its
estimate from a random t (VDM = Kingma et al. 2021, arXiv:2107.00630, eq. 17 to 20, appendix I.2).
"""

import torch
from jaxtyping import Int
from torch import Tensor, nn

from genlab.core.tensors import Event, PerExample, require_alike, sum_event
from genlab.score.diffusion import EpsModel, Level, add_noise


def scales_from_gamma(gamma: Level) -> tuple[Tensor, Tensor]:
    r"""Signal, noise scale: $\alpha^2 = 1/(1+e^\gamma)$, $\sigma^2 = 1-\alpha^2$ (VDM, eq. 4)."""
    return (-gamma).sigmoid().sqrt(), gamma.sigmoid().sqrt()


def vdm_term(
    eps_model: EpsModel, x0: Event, eps: Event, gamma: PerExample, slope: PerExample
) -> PerExample:
    r"""Estimate of the bound's diffusion part from one noise level, in nats (VDM, eq. 17).

    $$\tfrac12\,\gamma'(t)\,
      \lVert\epsilon - \hat\epsilon(\alpha x_0 + \sigma\epsilon,\,\gamma)\rVert^2$$

    Its mean over t and `eps` is $\mathcal L_\infty$; `slope` is $\gamma'$ at the time of the level.
    """
    require_alike(gamma=gamma, slope=slope)
    eps_hat = eps_model(add_noise(x0, *scales_from_gamma(gamma), eps), gamma)
    return 0.5 * slope * sum_event((eps - eps_hat) ** 2)


def second_moment(term: PerExample, slope_then: PerExample, slope_now: PerExample) -> PerExample:
    r"""Estimate of $\mathbb E\,L^2$ under another schedule, in nats squared (VDM, appendix I.2).

    $$\mathbb E_{\text{now}}L^2
      = \mathbb E_{\text{then}}\Big[L^2\,\frac{\gamma'_{\text{now}}}{\gamma'_{\text{then}}}\Big]$$
    """
    require_alike(term=term, slope_then=slope_then, slope_now=slope_now)
    return term**2 * slope_now / slope_then


class LevelHistogram(nn.Module):
    r"""A learnable schedule $\gamma(t)$ with fixed ends: bin k is visited with probability $p_k$.

    $$\gamma(t) = F^{-1}(t), \qquad F' = \frac{p_k}{w} \text{ in bin } k, \qquad
      p = \mathrm{softmax}(\text{logits}), \quad w = \frac{\gamma_1-\gamma_0}{K}$$
    """

    def __init__(self, gamma_0: float, gamma_1: float, n_bins: int) -> None:
        super().__init__()
        if not gamma_0 < gamma_1 or n_bins < 1:
            raise ValueError(f"expected rising ends, got {gamma_0} and {gamma_1}, {n_bins=}")
        self.ends, self.width = (gamma_0, gamma_1), (gamma_1 - gamma_0) / n_bins
        self.logits = nn.Parameter(torch.zeros(n_bins))

    def forward(self, t: PerExample) -> PerExample:
        """Level of time t in [0, 1]; uniform t gives levels with the histogram's density."""
        p = self.logits.softmax(0)
        upto = p.cumsum(0)
        k = torch.searchsorted(upto.detach(), t.detach().contiguous()).clamp(max=len(p) - 1)
        inside = ((t - (upto - p)[k]) / p[k]).clamp(0, 1)
        return self.ends[0] + self.width * (k + inside)

    def slope(self, gamma: PerExample) -> PerExample:
        r"""Speed $\gamma'$ with which the schedule passes a level: bin width over probability."""
        return self.width / self.logits.softmax(0)[self.bin(gamma)]

    def bin(self, gamma: PerExample) -> Int[Tensor, " b"]:
        k = ((gamma.detach() - self.ends[0]) / self.width).long()
        return k.clamp(0, len(self.logits) - 1)
