r"""A learned schedule of $\gamma = -\log\mathrm{SNR}$ (Kingma et al. 2021, arXiv:2107.00630)."""

import torch
from torch import nn

from genlab.core.tensors import PerExample


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
        k = ((gamma.detach() - self.ends[0]) / self.width).long()
        return self.width / self.logits.softmax(0)[k.clamp(0, len(self.logits) - 1)]
