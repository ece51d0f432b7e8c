r"""Images, and points of the plane, one value after the other: exact discrete models.

$$-\log p(x) = -\sum_i \log \mathrm{softmax}\big(a_i(x_{<i})\big)_{x_i}$$

van den Oord, Kalchbrenner and Kavukcuoglu 2016 (arXiv:1601.06759), eq. 1 and section 3.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import pad

from genlab.autoregressive.decoding import Reshape, generate_cached, reshape_logits
from genlab.autoregressive.likelihood import sequence_log_prob
from genlab.core import last
from genlab.core.checked import check_public
from genlab.core.tensors import Rng, draw, draw_indices, drawn, require_between, require_index
from genlab.nn.attention import Cache, n_seen
from genlab.nn.layers import MaskedConv2d, raster_mask, rows_mask
from genlab.nn.transformer import TransformerBody, TransformerConfig, init_weights


class GridAutoregressive(nn.Module):
    r"""A softmax over bins of width h for each coordinate: $P(i)\,P(j\mid i)/h^2$, exact."""

    smooth: Tensor

    def __init__(self, net: nn.Module, *, n_bins: int, extent: float) -> None:
        super().__init__()
        if n_bins < 2 or extent <= 0:
            raise ValueError(f"expected n_bins >= 2 and extent > 0, got {n_bins} and {extent}")
        self.net, self.n_bins, self.extent = net, n_bins, extent
        self.event_shape = (2,)
        away = (torch.arange(n_bins)[:, None] - torch.arange(n_bins)) / 1.5
        self.register_buffer("smooth", (-0.5 * away**2).exp().to(torch.get_default_dtype()))

    @property
    def bin_width(self) -> float:
        return 2 * self.extent / self.n_bins

    def cells(self, x: Float[Tensor, " b 2"]) -> Int[Tensor, " b 2"]:
        """Bins of the two coordinates; a point outside is given the nearest bin."""
        index = ((x + self.extent) / self.bin_width).floor().long()
        return index.clamp(0, self.n_bins - 1)

    def log_p_first(self, n: int) -> Float[Tensor, " n k"]:
        """Log-probabilities of the first coordinate's bins, the same for every example."""
        start = pad(self.smooth.new_zeros(n, self.n_bins), (1, 0), value=1.0)
        return self.net(start).log_softmax(1)

    def log_p_second(self, first: Int[Tensor, " b"]) -> Float[Tensor, " b k"]:
        """Log-probabilities of the second coordinate's bins, given the bin of the first."""
        return self.net(pad(self.smooth[first], (1, 0), value=0.0)).log_softmax(1)

    def log_prob(self, x: Float[Tensor, " b 2"]) -> Float[Tensor, " b"]:
        """Exact log-density in nats; minus infinity outside the square."""
        require_between(-math.inf, math.inf, x=x)  # NaN lies nowhere
        cell = self.cells(x)
        first = self.log_p_first(1).expand(len(x), -1)
        log_p = torch.stack([first, self.log_p_second(cell[:, 0])], 1)
        chosen = log_p.gather(2, cell[:, :, None]).sum((1, 2))
        inside = (x.abs() <= self.extent).all(1)
        return torch.where(inside, chosen - 2 * math.log(self.bin_width), -math.inf)

    def loss(self, x: Float[Tensor, " b 2"], *, generator: Rng = None) -> Float[Tensor, ""]:
        return -self.log_prob(x).mean()

    @torch.no_grad()
    def sample(self, n: int, *, generator: Rng = None) -> Float[Tensor, " b 2"]:
        """Draw `n` points: the bin of the first coordinate, then of the second, then a place."""
        first = draw_indices(self.log_p_first(n).exp(), 1, generator=generator)[:, 0]
        second = draw_indices(self.log_p_second(first).exp(), 1, generator=generator)[:, 0]
        cell = torch.stack([first, second], 1)
        here: dict[str, Any] = {"device": cell.device, "generator": generator}
        inside = drawn(torch.rand, cell.shape, dtype=self.smooth.dtype, **here)
        return -self.extent + self.bin_width * (cell + inside)


class RasterStack(nn.Module):
    """Residual masked convolutions in raster order: causal, with a blind spot."""

    def __init__(self, c_in: int, width: int, n_layer: int) -> None:
        super().__init__()
        self.first = MaskedConv2d(c_in, width, raster_mask(3, 3, sees_itself=False))
        self.rest = nn.ModuleList(
            MaskedConv2d(width, width, raster_mask(3, 3, sees_itself=True))
            for _ in range(n_layer - 1)
        )

    def forward(self, x: Float[Tensor, " b c h w"]) -> Float[Tensor, " b f h w"]:
        h: Tensor = self.first(x)
        for layer in self.rest:
            h = h + layer(F.silu(h))
        return h


class TwoStacks(nn.Module):
    r"""A vertical stack (rows above) that feeds a horizontal one (left of this row).

    $$v \leftarrow v + V(\phi(v)), \qquad u \leftarrow u + U(\phi(u)) + P(\phi(v))$$

    $P$ is a 1 x 1 convolution. van den Oord et al. 2016 (arXiv:1606.05328), section 2.2, with SiLU
    for the gates.
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
        self.vertical = nn.ModuleList(vertical)
        self.horizontal = nn.ModuleList(horizontal)
        self.across = nn.ModuleList(across)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Float[Tensor, " b c h w"]) -> Float[Tensor, " b f h w"]:
        v: Tensor = self.first_v(x)
        u: Tensor = self.first_u(x) + v
        for vertical, horizontal, across in zip(
            self.vertical, self.horizontal, self.across, strict=True
        ):
            v = v + self.dropout(vertical(F.silu(v)))
            u = u + self.dropout(horizontal(F.silu(u)) + across(F.silu(v)))
        return u


class PixelCNN(nn.Module):
    """One-channel images by a stack of masked convolutions, pixel by pixel in raster order."""

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
            nn.SiLU(), nn.Conv2d(width, 2 * width, 1), nn.SiLU(), nn.Conv2d(2 * width, n_levels, 1)
        )
        self.offset = nn.Parameter(torch.zeros(n_levels, *event_shape[1:]))

    def logits(self, x: Int[Tensor, " b *event"]) -> Float[Tensor, " b n k"]:
        """Logits of every pixel in raster order; row i is computed from pixels before i only."""
        scaled = x.to(self.place.dtype) * (2 / (self.n_levels - 1)) - 1
        a: Tensor = self.head(self.stack(scaled) + self.place) + self.offset
        return a.flatten(2).mT

    def log_prob(self, x: Int[Tensor, " b *event"]) -> Float[Tensor, " b"]:
        return sequence_log_prob(self.logits(x), x.flatten(1))

    def loss(self, x: Int[Tensor, " b *event"], *, generator: Rng = None) -> Float[Tensor, ""]:
        """Mean negative log-probability per pixel, nats."""
        return -self.log_prob(x).mean() / (self.event_shape[1] * self.event_shape[2])

    @torch.no_grad()
    def steps(
        self, x: Int[Tensor, " b *event"], start: int = 0, *, generator: Rng = None
    ) -> Iterator[Tensor]:
        """Draw pixels `start`, `start + 1`, ... in place of those of `x`; yields after each one."""
        flat = x.flatten(1).clone()
        for i in range(start, flat.shape[1]):
            u = drawn(torch.rand, len(x), dtype=torch.float64, device=x.device, generator=generator)
            logits = self.logits(flat.reshape(x.shape))[:, i]
            flat[:, i] = draw(logits, u, check=i == start)
            yield flat.reshape(x.shape).clone()

    def sample(self, n: int, *, generator: Rng = None) -> Int[Tensor, " b *event"]:
        blank = torch.zeros(n, *self.event_shape, dtype=torch.int64, device=self.place.device)
        return last(self.steps(blank, generator=generator))


class ImageTransformer(nn.Module):
    """One-channel images by a causal transformer over their pixels, in any order.

    It reads the level seen last, and a learned vector for the pixel that is to be predicted.
    Chen et al. 2020 ("Generative pretraining from pixels", ICML), section 3.
    """

    order: Tensor

    def __init__(
        self,
        n_levels: int,
        event_shape: tuple[int, int, int],
        config: TransformerConfig,
        order: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        n = event_shape[1] * event_shape[2]
        order = list(range(n)) if order is None else list(order)
        if sorted(order) != list(range(n)):
            raise ValueError(f"order must be a permutation of 0..{n - 1}, got {order}")
        self.n_levels, self.event_shape = n_levels, event_shape
        self.register_buffer("order", torch.tensor(order))
        self.embedding = nn.Embedding(n_levels + 1, config.d_model)
        self.body = TransformerBody(config)
        self.head = nn.Linear(config.d_model, n_levels)
        self.apply(init_weights)
        self.brightness = nn.Parameter(0.2 * torch.randn(config.d_model))
        self.place = nn.Parameter(0.2 * torch.randn(n, config.d_model))
        self.offset = nn.Parameter(torch.zeros(n, n_levels))

    def sequence(self, x: Int[Tensor, " b *event"]) -> Int[Tensor, " b n"]:
        """The pixels in the order in which they are visited."""
        return x.flatten(1)[:, self.order]

    def image(self, tokens: Int[Tensor, " b n"]) -> Int[Tensor, " b *event"]:
        flat = torch.empty_like(tokens)
        flat[:, self.order] = tokens
        return flat.reshape(-1, *self.event_shape)

    def begin(self, n: int) -> Int[Tensor, " n 1"]:
        """`n` sequences that hold nothing but the begin token."""
        return torch.full((n, 1), self.n_levels, device=self.order.device)

    def extend(self, tokens: Int[Tensor, " b t"], cache: Cache = ()) -> tuple[Tensor, Cache]:
        """Logits after each new token (the first of all is "begin"), given the cache; new cache."""
        n_past = n_seen(cache)
        turns = self.order[n_past : n_past + tokens.shape[1]]
        level = (tokens.to(self.place.dtype) * (2 / (self.n_levels - 1)) - 1)[..., None]
        h = self.embedding(tokens) + level * self.brightness + self.place[turns]
        h, cache = self.body(h, cache)
        return self.head(h) + self.offset[turns], cache

    def logits(self, x: Int[Tensor, " b *event"]) -> Float[Tensor, " b n k"]:
        """Logits of the pixel visited at each turn; row i is computed from earlier turns only."""
        tokens = torch.cat([self.begin(len(x)), self.sequence(x)[:, :-1]], dim=1)
        return self.extend(tokens)[0]

    def log_prob(self, x: Int[Tensor, " b *event"]) -> Float[Tensor, " b"]:
        require_index(self.n_levels, x=x)
        return sequence_log_prob(self.logits(x), self.sequence(x))

    def loss(self, x: Int[Tensor, " b *event"], *, generator: Rng = None) -> Float[Tensor, ""]:
        """Mean negative log-probability per pixel, nats."""
        return -self.log_prob(x).mean() / len(self.order)

    def steps(
        self, n: int, *, reshape: Reshape = reshape_logits, generator: Rng = None
    ) -> Iterator[Tensor]:
        """Draw `n` images pixel by pixel, cached; yields the tokens so far, "begin" first."""
        begun = self.begin(n)
        n_new = len(self.order)
        return generate_cached(self.extend, begun, n_new, reshape=reshape, generator=generator)

    def sample(self, n: int, *, generator: Rng = None) -> Int[Tensor, " b *event"]:
        return self.image(last(self.steps(n, generator=generator))[:, 1:])


check_public(__name__)
