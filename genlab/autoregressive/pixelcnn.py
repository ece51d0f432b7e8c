r"""PixelCNN: an image as a sequence of pixels, the past of a pixel read by masked convolutions.

$$p(x) = \prod_{r, c} p\big(x_{rc} \mid \text{rows above } r,\ \text{and } x_{r,<c}\big)$$

Every conditional is a softmax over the grey levels, so this is an exact probability of a discrete
image. One pass gives all conditionals of a given image (training, likelihood); sampling needs
one pass per pixel, because pixel $i$ must exist before $i + 1$ can look at it.

Two ways to read the past. `RasterStack` stacks kernels that see the rows above and the left:
simple, but what stands far to the upper right falls into a *blind spot*, since each step up moves
at most one pixel to the right, and no step to the right is possible within a row. `TwoStacks` reads
whole rows above with one stack of convolutions and the current row with another: given enough
layers it sees all that came before.

Lesson: notebooks/02_autoregressive.ipynb
Sources: van den Oord, Kalchbrenner and Kavukcuoglu 2016 (arXiv:1601.06759), eq. 1 and section 3.4;
    van den Oord et al. 2016 (arXiv:1606.05328), section 2.2.
"""

from collections.abc import Iterator
from typing import final

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from genlab.autoregressive.chain_rule import sequence_log_prob
from genlab.autoregressive.decoding import draw
from genlab.core import last
from genlab.nn.masked import MaskedConv2d, raster_mask, rows_mask


@final
class RasterStack(nn.Module):
    """Residual masked convolutions in raster order: causal, with a blind spot.

    Args:
        c_in: input channels.
        width: channels of the features.
        n_layer: number of 3 x 3 layers, the first of type A, the others of type B.

    Example:
        >>> RasterStack(1, 8, n_layer=2)(torch.zeros(1, 1, 8, 8)).shape
        torch.Size([1, 8, 8, 8])
    """

    def __init__(self, c_in: int, width: int, n_layer: int) -> None:
        super().__init__()
        self.first = MaskedConv2d(c_in, width, raster_mask(3, 3, sees_itself=False))
        self.rest = nn.ModuleList(
            MaskedConv2d(width, width, raster_mask(3, 3, sees_itself=True))
            for _ in range(n_layer - 1)
        )

    def forward(self, x: Float[Tensor, " b c h w"]) -> Float[Tensor, " b f h w"]:
        """Features of every pixel, from pixels before it."""
        h: Tensor = self.first(x)
        for layer in self.rest:
            h = h + layer(F.silu(h))
        return h


@final
class TwoStacks(nn.Module):
    r"""A vertical stack (rows above) that feeds a horizontal one (left of this row).

    $$v \leftarrow v + V(\phi(v)), \qquad u \leftarrow u + U(\phi(u)) + P(\phi(v))$$

    $V$ sees rows up to its own, but $v$ was built from rows *above* from the start; $U$ sees the
    left of the row; $P$ is a 1 x 1 convolution. So $u_{rc}$ depends on all that came before.

    Args:
        c_in: input channels.
        width: channels of the features.
        n_layer: number of layers, the first included.
        dropout: on what each layer adds.

    Example:
        >>> TwoStacks(1, 8, n_layer=2)(torch.zeros(1, 1, 8, 8)).shape
        torch.Size([1, 8, 8, 8])

    Source: van den Oord et al. 2016 (arXiv:1606.05328), section 2.2, with SiLU for the gates.
    """

    def __init__(self, c_in: int, width: int, n_layer: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.first_v = MaskedConv2d(c_in, width, rows_mask(3, 3, sees_its_row=False))
        self.first_u = MaskedConv2d(c_in, width, raster_mask(1, 3, sees_itself=False))
        vertical, horizontal, across = [], [], []
        for _ in range(n_layer - 1):
            vertical.append(MaskedConv2d(width, width, rows_mask(3, 3, sees_its_row=True)))
            horizontal.append(MaskedConv2d(width, width, raster_mask(1, 3, sees_itself=True)))
            across.append(nn.Conv2d(width, width, 1))
        self.vertical, self.horizontal = nn.ModuleList(vertical), nn.ModuleList(horizontal)
        self.across = nn.ModuleList(across)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Float[Tensor, " b c h w"]) -> Float[Tensor, " b f h w"]:
        """Features of every pixel, from all pixels before it."""
        v: Tensor = self.first_v(x)
        u: Tensor = self.first_u(x) + v
        for vertical, horizontal, across in zip(
            self.vertical, self.horizontal, self.across, strict=True
        ):
            v = v + self.dropout(vertical(F.silu(v)))
            u = u + self.dropout(horizontal(F.silu(u)) + across(F.silu(v)))
        return u


@final
class PixelCNN(nn.Module):
    r"""An exact discrete image model on one-channel images.

    $$-\log p(x) = -\sum_{r,c} \log \mathrm{softmax}\big(a_{rc}\big)_{x_{rc}}$$

    Args:
        stack: a causal stack of convolutions, one scaled channel in, `width` features out.
        width: channels of the stack's features.
        n_levels: grey levels, 17 for the digits.
        event_shape: `(1, h, w)`.

    Example:
        >>> model = PixelCNN(TwoStacks(1, 8, n_layer=2), 8)
        >>> x = torch.zeros(2, 1, 8, 8, dtype=torch.int64)
        >>> model.logits(x).shape, model.log_prob(x).shape
        (torch.Size([2, 64, 17]), torch.Size([2]))

    Source: van den Oord, Kalchbrenner and Kavukcuoglu 2016 (arXiv:1601.06759), eq. 1. A learned
        offset per pixel and level is added, since digits stand in the middle of the frame.
    Lesson: notebooks/02_autoregressive.ipynb
    """

    def __init__(
        self,
        stack: nn.Module,
        width: int,
        *,
        n_levels: int = 17,
        event_shape: tuple[int, int, int] = (1, 8, 8),
    ) -> None:
        super().__init__()
        self.stack, self.n_levels, self.event_shape = stack, n_levels, event_shape
        self.place = nn.Parameter(torch.zeros(width, *event_shape[1:]))
        self.head = nn.Sequential(
            nn.SiLU(),
            nn.Conv2d(width, 2 * width, 1),
            nn.SiLU(),
            nn.Conv2d(2 * width, n_levels, 1),
        )
        self.offset = nn.Parameter(torch.zeros(n_levels, *event_shape[1:]))

    def logits(self, x: Int[Tensor, " b 1 h w"]) -> Float[Tensor, " b n k"]:
        """Logits of every pixel in raster order; row i is computed from pixels before i only."""
        scaled = x.to(self.place.dtype) * (2 / (self.n_levels - 1)) - 1
        a: Tensor = self.head(self.stack(scaled) + self.place) + self.offset
        return a.flatten(2).mT

    def log_prob(self, x: Int[Tensor, " b 1 h w"]) -> Float[Tensor, " b"]:
        """Exact log-probability of whole images, `(b,)`, in nats."""
        return sequence_log_prob(self.logits(x), x.flatten(1))

    def loss(
        self,
        x: Int[Tensor, " b 1 h w"],
        *,
        cond: Tensor | None = None,
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, ""]:
        """Mean negative log-probability per pixel, nats; nothing random, nothing conditional."""
        if cond is not None:
            raise ValueError("PixelCNN.loss: cond is given, expected None")
        return -self.log_prob(x).mean() / (self.event_shape[1] * self.event_shape[2])

    @torch.no_grad()
    def steps(
        self,
        x: Int[Tensor, " b 1 h w"],
        start: int = 0,
        *,
        generator: torch.Generator | None = None,
    ) -> Iterator[Tensor]:
        """Draw pixels `start`, `start + 1`, ... in place of those of `x`; yields after each one.

        Args:
            x: images whose first `start` pixels are kept (what follows is never looked at).
            start: first pixel to draw, in raster order.
            generator: source of one uniform number per pixel and image.

        Yields:
            Images like `x`, one network pass each.
        """
        flat = x.flatten(1).clone()
        for i in range(start, flat.shape[1]):
            u = torch.rand(len(x), dtype=torch.float64, device=x.device, generator=generator)
            flat[:, i] = draw(self.logits(flat.reshape(x.shape))[:, i], u)
            yield flat.reshape(x.shape).clone()

    def sample(
        self, n: int, *, cond: Tensor | None = None, generator: torch.Generator | None = None
    ) -> Int[Tensor, " n 1 h w"]:
        """Draw `n` images, pixel by pixel: as many passes as pixels."""
        if cond is not None:
            raise ValueError("PixelCNN.sample: cond is given, expected None")
        blank = torch.zeros(n, *self.event_shape, dtype=torch.int64, device=self.place.device)
        return last(self.steps(blank, generator=generator))
