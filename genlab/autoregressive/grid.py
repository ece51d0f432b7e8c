r"""The smallest autoregressive model: a point of the plane, one coordinate after the other.

$$p(x_1, x_2) = p(x_1)\,p(x_2\mid x_1) = \frac{P(i)}{h}\cdot\frac{P(j\mid i)}{h}$$

Each axis is cut into K bins of width $h$; a coordinate is a piece, a bin is its value, and one
network with a softmax over the bins speaks both times. The density is constant inside a cell, so
its likelihood is exact; what is lost is only what a histogram loses.

Lesson: notebooks/01_four_paradigm_map.ipynb
Sources: Uria et al. 2016 (arXiv:1605.02226), eq. 1; van den Oord et al. 2016 (arXiv:1601.06759),
section 3 (softmax over discretised values).
"""

import math
from typing import final

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor, nn
from torch.nn.functional import pad

from genlab.core.guards import require_alike, require_positive

Points = Float[Tensor, " b 2"]


def cell_log_density(
    log_p: Float[Tensor, " b 2 k"], cell: Int[Tensor, " b 2"], *, bin_width: float
) -> Float[Tensor, " b"]:
    r"""Log-density of a point from the log-probabilities of its two bins.

    $$\log p(x_1, x_2) = \log P(i) + \log P(j\mid i) - 2\log h$$

    Args:
        log_p: log-probabilities of the bins, first of $x_1$, then of $x_2$ given $x_1$.
        cell: the bins $(i, j)$ of the points, integers in 0..k-1.
        bin_width: $h$, positive.

    Returns:
        `(b,)` nats; positive where the density exceeds 1.

    Raises:
        ValueError: the width is not positive.

    Example:
        >>> even = torch.full((1, 2, 4), 0.25).log()
        >>> cell_log_density(even, torch.tensor([[0, 3]]), bin_width=0.25)  # uniform on a square
        tensor([0.])

    Source: Uria et al. 2016 (arXiv:1605.02226), eq. 1, with bins of width h.
    Lesson: notebooks/01_four_paradigm_map.ipynb
    """
    require_positive(bin_width=bin_width)
    require_alike(cell=cell, log_p=log_p.shape[:-1])
    chosen = log_p.gather(2, cell[:, :, None]).squeeze(2)
    return chosen.sum(1) - 2 * math.log(bin_width)


@final
class GridAutoregressive(nn.Module):
    r"""Softmax over bins for each coordinate in turn; two network passes make a point.

    Args:
        net: `(b, 1 + k) -> (b, k)` logits, from a start flag and the smoothed bin of $x_1$.
        n_bins: K, bins along each axis.
        extent: the model lives on $[-a, a]^2$; outside its density is zero.
        blur: how many bins wide the network sees the bin of $x_1$, so that neighbours look alike.

    Example:
        >>> model = GridAutoregressive(nn.Linear(9, 8), n_bins=8, extent=2.0)
        >>> model.log_prob(torch.zeros(3, 2)).shape, model.sample(5).shape
        (torch.Size([3]), torch.Size([5, 2]))
    """

    smooth: Tensor

    def __init__(self, net: nn.Module, *, n_bins: int, extent: float, blur: float = 1.5) -> None:
        super().__init__()
        if n_bins < 2 or extent <= 0:
            raise ValueError(f"expected n_bins >= 2 and extent > 0, got {n_bins} and {extent}")
        self.net, self.n_bins, self.extent = net, n_bins, extent
        self.event_shape = (2,)
        away = (torch.arange(n_bins)[:, None] - torch.arange(n_bins)) / blur
        self.register_buffer("smooth", (-0.5 * away**2).exp().to(torch.get_default_dtype()))

    @property
    def bin_width(self) -> float:
        """Side of a cell, h."""
        return 2 * self.extent / self.n_bins

    def cells(self, x: Points) -> Int[Tensor, " b 2"]:
        """Bins of the two coordinates; a point outside is given the nearest bin."""
        index = ((x + self.extent) / self.bin_width).floor().long()
        return index.clamp(0, self.n_bins - 1)

    def log_p_first(self, n: int) -> Float[Tensor, " n k"]:
        """Log-probabilities of the first coordinate's bins, the same for every example."""
        start = pad(self.smooth.new_zeros(n, self.n_bins), (1, 0), value=1.0)
        logits: Tensor = self.net(start)
        return logits.log_softmax(1)

    def log_p_second(self, first: Int[Tensor, " b"]) -> Float[Tensor, " b k"]:
        """Log-probabilities of the second coordinate's bins, given the bin of the first."""
        logits: Tensor = self.net(pad(self.smooth[first], (1, 0), value=0.0))
        return logits.log_softmax(1)

    def log_prob(self, x: Points) -> Float[Tensor, " b"]:
        """Exact log-density in nats; minus infinity outside the square."""
        cell = self.cells(x)
        first = self.log_p_first(1).expand(len(x), -1)
        log_p = torch.stack([first, self.log_p_second(cell[:, 0])], 1)
        inside = (x.abs() <= self.extent).all(1)
        density = cell_log_density(log_p, cell, bin_width=self.bin_width)
        return torch.where(inside, density, -math.inf)

    def loss(
        self, x: Points, *, cond: Tensor | None = None, generator: Generator | None = None
    ) -> Float[Tensor, ""]:
        """Negative log-likelihood, mean over the batch, nats. `cond` must be None."""
        _refuse(cond)
        return -self.log_prob(x).mean()

    @torch.no_grad()
    def sample(
        self, n: int, *, cond: Tensor | None = None, generator: Generator | None = None
    ) -> Points:
        """Draw `n` points: the bin of the first coordinate, then of the second, then a place."""
        _refuse(cond)
        first = torch.multinomial(self.log_p_first(n).exp(), 1, generator=generator)[:, 0]
        second = torch.multinomial(self.log_p_second(first).exp(), 1, generator=generator)[:, 0]
        cell = torch.stack([first, second], 1)
        inside = torch.rand(cell.shape, generator=generator, dtype=self.smooth.dtype)
        return -self.extent + self.bin_width * (cell + inside)


def _refuse(cond: Tensor | None) -> None:
    if cond is not None:
        raise ValueError("this model is unconditional: cond must be None")
