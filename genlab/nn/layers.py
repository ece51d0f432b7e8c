"""Layers that every paradigm shares: the MLP, masked layers, and waves that embed a position."""

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor, nn

from genlab.core.checked import check_public
from genlab.core.tensors import require_between


class MLP(nn.Module):
    r"""The multi-layer perceptron: `depth` hidden layers of `width` units, linear output.

    $$h_0 = x, \qquad h_k = \phi(W_k h_{k-1} + b_k), \qquad y = W_{K+1} h_K + b_{K+1}$$
    """

    def __init__(
        self,
        d_in: int,
        d_out: int,
        width: int = 64,
        depth: int = 2,
        activation: Callable[[], nn.Module] = nn.SiLU,
    ) -> None:
        super().__init__()
        if min(d_in, d_out, width) < 1 or depth < 0:
            raise ValueError(f"sizes must be at least 1, got {d_in=}, {d_out=}, {width=}, {depth=}")
        sizes = [d_in] + [width] * depth
        layers: list[nn.Module] = []
        for a, b in pairwise(sizes):
            layers += [nn.Linear(a, b), activation()]
        self.net = nn.Sequential(*layers, nn.Linear(sizes[-1], d_out))

    def forward(self, x: Float[Tensor, " *b d_in"]) -> Float[Tensor, " *b d_out"]:
        return self.net(x)


def raster_mask(n_rows: int, n_cols: int, *, sees_itself: bool) -> Bool[Tensor, " r c"]:
    """Taps that look back in raster order: mask A (arXiv:1601.06759), or B with `sees_itself`."""
    require_between(1, math.inf, n_rows=n_rows, n_cols=n_cols)
    taps = torch.arange(n_rows * n_cols).reshape(n_rows, n_cols)
    centre = (n_rows * n_cols) // 2
    return taps <= centre if sees_itself else taps < centre


def rows_mask(n_rows: int, n_cols: int, *, sees_its_row: bool) -> Bool[Tensor, " r c"]:
    """Taps in the rows above, and in this row if wanted (arXiv:1606.05328, section 2.2)."""
    require_between(1, math.inf, n_rows=n_rows, n_cols=n_cols)
    row = torch.arange(n_rows)[:, None].expand(n_rows, n_cols)
    return row <= n_rows // 2 if sees_its_row else row < n_rows // 2


class MaskedConv2d(nn.Module):
    """A convolution that keeps the size of the image and sees only the taps its mask allows."""

    mask: Tensor

    def __init__(self, c_in: int, c_out: int, mask: Bool[Tensor, " r c"]) -> None:
        super().__init__()
        n_rows, n_cols = mask.shape
        padding = (n_rows // 2, n_cols // 2)
        self.conv = nn.Conv2d(c_in, c_out, (n_rows, n_cols), padding=padding)
        self.register_buffer("mask", mask)
        with torch.no_grad():  # as many inputs as taps are kept: start at their proper scale
            self.conv.weight.mul_((mask.numel() / max(int(mask.sum()), 1)) ** 0.5)

    def forward(self, x: Float[Tensor, " b i h w"]) -> Float[Tensor, " b o h w"]:
        weight = self.conv.weight * self.mask
        return F.conv2d(x, weight, self.conv.bias, padding=self.conv.padding)


class MaskedLinear(nn.Module):
    r"""$y = (M \odot W) x + b$ with a fixed mask $M$ of shape `(d_out, d_in)`."""

    mask: Tensor

    def __init__(self, mask: Bool[Tensor, " o i"]) -> None:
        super().__init__()
        d_out, d_in = mask.shape
        self.linear = nn.Linear(d_in, d_out)
        self.register_buffer("mask", mask)

    def forward(self, x: Float[Tensor, " *b i"]) -> Float[Tensor, " *b o"]:
        return F.linear(x, self.linear.weight * self.mask, self.linear.bias)


class MaskedMLP(nn.Module):
    r"""MADE: `d` inputs, `n_out` numbers for each; those of $i$ depend on what precedes $i$ only.

    $$M_{oi} = [\,d_o \ge d_i\,] \ \text{(into hidden units)}, \qquad
    M_{oi} = [\,d_o > d_i\,] \ \text{(into outputs)}$$

    A variable's degree $d$ is its place in the order. Germain et al. 2015 (arXiv:1502.03509), eqs.
    8, 9.
    """

    def __init__(
        self,
        d: int,
        n_out: int,
        *,
        order: Sequence[int] | None = None,
        width: int = 64,
        depth: int = 2,
        d_context: int = 0,
    ) -> None:
        super().__init__()
        order = list(range(d)) if order is None else list(order)
        if sorted(order) != list(range(d)):
            raise ValueError(f"order must be a permutation of 0..{d - 1}, got {order}")
        self.n_out = n_out
        variables = torch.tensor(order) + 1  # degrees 1..d
        lowest = 0 if d_context or d == 1 else 1
        hidden = lowest + torch.arange(width) % max(d - lowest, 1)
        degrees = torch.cat([torch.zeros(d_context, dtype=torch.int64), variables])
        layers: list[nn.Module] = []
        for _ in range(depth):
            layers += [MaskedLinear(hidden[:, None] >= degrees), nn.SiLU()]
            degrees = hidden
        layers.append(MaskedLinear(variables.repeat_interleave(n_out)[:, None] > degrees))
        self.net = nn.Sequential(*layers)

    def forward(
        self, x: Float[Tensor, " *b d"], context: Float[Tensor, " *b e"] | None = None
    ) -> Float[Tensor, " *b d n_out"]:
        """The numbers of every variable, in one pass; `context` is read by all of them."""
        x = x if context is None else torch.cat([context, x], dim=-1)
        return self.net(x).unflatten(-1, (-1, self.n_out))


def frequencies(n: int, max_period: float, like: Tensor) -> Float[Tensor, " n"]:
    r"""The geometric ladder $\omega_k = \text{max\_period}^{-k/n}$ for $k = 0..n-1$."""
    require_between(1, math.inf, n=n)
    k = torch.arange(n, dtype=like.dtype, device=like.device)
    return torch.exp(-math.log(max_period) * k / n)


def time_embedding(
    t: Shaped[Tensor, " *b"], dim: int, *, max_period: float = 10_000.0, scale: float = 1.0
) -> Float[Tensor, " *b dim"]:
    r"""Sinusoidal embedding of a time (Vaswani et al. 2017, section 3.5, all cosines first).

    $$e(t) = \big(\cos(\omega_k s t)\big)_k \,\Vert\, \big(\sin(\omega_k s t)\big)_k,
    \qquad k = 0, \dots, \tfrac{\text{dim}}{2} - 1$$
    """
    if dim < 2 or dim % 2:
        raise ValueError(f"dim must be an even number of at least 2, got {dim}")
    t = t if t.is_floating_point() else t.to(torch.get_default_dtype())
    angles = (scale * t)[..., None] * frequencies(dim // 2, max_period, t)
    return torch.cat([angles.cos(), angles.sin()], dim=-1)


def rope_angles(
    positions: Int[Tensor, " t"], head_dim: int, like: Tensor, *, base: float = 10_000.0
) -> Float[Tensor, " t half"]:
    r"""Angle $m\,\omega_k$ of every position $m$ and frequency $k = 0..\text{head\_dim}/2 - 1$."""
    return positions.to(like.dtype)[:, None] * frequencies(head_dim // 2, base, like)


def rotate(
    x: Float[Tensor, " *b t d"], angles: Float[Tensor, " t half"]
) -> Float[Tensor, " *b t d"]:
    r"""Turn the pairs $(x_k, x_{k + d/2})$ of every vector through its position's angles.

    $$\begin{pmatrix} x_k' \\ x_{k+d/2}' \end{pmatrix} =
    \begin{pmatrix} \cos\theta_k & -\sin\theta_k \\ \sin\theta_k & \cos\theta_k \end{pmatrix}
    \begin{pmatrix} x_k \\ x_{k+d/2} \end{pmatrix}$$

    Inner products depend on differences of positions only. Su et al. 2021 (arXiv:2104.09864), eq.
    34.
    """
    if x.shape[-1] != 2 * angles.shape[-1]:
        raise ValueError(f"{angles.shape[-1]} angles turn as many pairs, but x has {x.shape[-1]}")
    return turn(x, angles.cos(), angles.sin())


def turn(
    x: Float[Tensor, " *b t d"], cos: Float[Tensor, " t half"], sin: Float[Tensor, " t half"]
) -> Float[Tensor, " *b t d"]:
    """`rotate` by angles whose cosines and sines are known."""
    first, second = x.chunk(2, dim=-1)
    return torch.cat([first * cos - second * sin, first * sin + second * cos], dim=-1)


check_public(__name__)
