r"""The two networks of a style-based GAN, for pictures of 16 x 16.

$$f: z \mapsto w, \qquad g: (w_1, \dots, w_L;\, n) \mapsto x, \qquad l: x \mapsto \text{logit}$$

The generator begins with a learned constant: everything about a picture is decided by its styles
and by the noise. All weights are stored with unit variance and scaled when they are used, so that
Adam moves every layer at the same relative speed.

Lesson: notebooks/systems/stylegan.ipynb
Sources: Karras, Laine and Aila 2019 (arXiv:1812.04948), figure 1b; Karras et al. 2020
    (arXiv:1912.04958), figure 2c; Karras et al. 2018 (arXiv:1710.10196), section 4.1 (scales).
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import final

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Generator, Tensor, nn

from genlab.core.rng import randn

from .remedies import append_spread
from .stylegan import Styles, add_noise, modulated_conv, pixel_norm

GAIN = math.sqrt(2)  # of a layer with a leaky ReLU: keeps unit variance
SPREAD = 3.0  # of styles at the start; with the paper's 1 a short training keeps fewer kinds
Noise = Sequence[Tensor]


def bend(h: Tensor) -> Tensor:
    r"""Leaky ReLU of slope 0.2 times $\sqrt2$.

    Example:
        >>> bend(torch.tensor([-1.0, 1.0]))
        tensor([-0.2828,  1.4142])
    """
    return F.leaky_relu(h, 0.2) * GAIN


@final
class Dense(nn.Module):
    r"""A linear layer with weights stored at unit variance: $y = \tfrac{r}{\sqrt d} W x + r b$.

    Args:
        d_in: numbers in.
        d_out: numbers out.
        rate: $r$: a layer learns r times as fast, and starts the same.
        bias: value of b at the start.
    """

    def __init__(self, d_in: int, d_out: int, *, rate: float = 1.0, bias: float = 0.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(d_out, d_in) / rate)
        self.bias = nn.Parameter(torch.full((d_out,), bias / rate))
        self.scale, self.rate = rate / math.sqrt(d_in), rate

    def forward(self, x: Float[Tensor, " b i"]) -> Float[Tensor, " b o"]:
        """`(b, d_in)` to `(b, d_out)`."""
        return F.linear(x, self.weight * self.scale, self.bias * self.rate)


@final
class Conv(nn.Module):
    """A convolution whose weights are stored at unit variance, with a leaky ReLU behind it.

    Args:
        c_in: channels in.
        c_out: channels out.
        stride: 2 halves the picture.
    """

    def __init__(self, c_in: int, c_out: int, *, stride: int = 1) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(c_out, c_in, 3, 3))
        self.bias = nn.Parameter(torch.zeros(c_out))
        self.scale, self.stride = 1 / math.sqrt(9 * c_in), stride

    def forward(self, x: Tensor) -> Tensor:
        """`(b, c_in, h, w)` to `(b, c_out, h / stride, w / stride)`."""
        return bend(F.conv2d(x, self.weight * self.scale, self.bias, self.stride, padding=1))


@final
class StyledLayer(nn.Module):
    """Modulated convolution, noise, bias, leaky ReLU; the last layer has the convolution alone.

    Args:
        c_in: channels in.
        c_out: channels out.
        d_style: numbers in a style.
        kernel: 3, or 1 in the layer that paints.
        up: whether the picture is doubled first.
        last: paints: no demodulation, no noise, no bend.
    """

    def __init__(
        self, c_in: int, c_out: int, d_style: int, *, kernel: int = 3, up: bool = False,
        last: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        self.affine = Dense(d_style, c_in, bias=1.0)
        nn.init.normal_(self.affine.weight, std=SPREAD)
        self.weight = nn.Parameter(torch.randn(c_out, c_in, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(c_out))
        self.strength = nn.Parameter(torch.zeros(()), requires_grad=not last)
        self.scale = 1 / math.sqrt(c_in * kernel**2)
        self.up, self.last = up, last

    def forward(self, h: Tensor, w: Float[Tensor, " b d"], noise: Tensor) -> Tensor:
        """`(b, c_in, h, w)` to `(b, c_out, ...)`, twice as large with `up`."""
        if self.up:
            h = F.interpolate(h, scale_factor=2, mode="bilinear", align_corners=False)
        style = self.affine(w)
        bias = self.bias[:, None, None]
        if self.last:
            return modulated_conv(h, self.weight * self.scale, style, demodulate=False) + bias
        h = modulated_conv(h, self.weight, style)
        return bend(add_noise(h, noise, self.strength) + bias)


@final
class StyleGenerator(nn.Module):
    r"""Mapping network and synthesis network.

    Args:
        d_latent: numbers in a latent draw.
        d_style: numbers in a style.
        n_mapping: layers of the mapping network.
        channels: at 4 x 4, 8 x 8 and 16 x 16.
        mapping_rate: how much slower the mapping network learns.

    Example:
        >>> net = StyleGenerator(8, 8, 2, (4, 4, 4))
        >>> w = net.mapping(torch.randn(2, 8))
        >>> net.synthesis(net.every_layer(w), net.no_noise(2)).shape, net.n_layers
        (torch.Size([2, 1, 16, 16]), 6)
    """

    def __init__(
        self,
        d_latent: int,
        d_style: int,
        n_mapping: int,
        channels: tuple[int, int, int],
        *,
        mapping_rate: float = 0.01,
    ) -> None:
        super().__init__()
        sizes = [d_latent] + [d_style] * n_mapping
        self.map = nn.ModuleList(Dense(i, o, rate=mapping_rate) for i, o in pairwise(sizes))
        c4, c8, c16 = channels
        self.constant = nn.Parameter(torch.randn(1, c4, 4, 4))
        self.layers = nn.ModuleList(
            [
                StyledLayer(c4, c4, d_style),
                StyledLayer(c4, c8, d_style, up=True),
                StyledLayer(c8, c8, d_style),
                StyledLayer(c8, c16, d_style, up=True),
                StyledLayer(c16, c16, d_style),
                StyledLayer(c16, 1, d_style, kernel=1, last=True),
            ]
        )
        self.sides = (4, 8, 8, 16, 16, 16)  # of each layer's output
        self.n_layers, self.d_latent = len(self.sides), d_latent
        self.mean_style: Tensor
        self.register_buffer("mean_style", torch.zeros(d_style))

    def mapping(self, z: Float[Tensor, " b d"]) -> Float[Tensor, " b d_w"]:
        """Style of each latent draw."""
        h = pixel_norm(z)
        for layer in self.map:
            h = bend(layer(h))
        return h

    def every_layer(self, w: Float[Tensor, " b d"]) -> Styles:
        """Give all layers the same style."""
        return w[:, None].expand(-1, self.n_layers, -1)

    def draw_noise(self, n: int, generator: Generator | None = None) -> list[Tensor]:
        """Draw a picture of noise for each example and layer."""
        shapes = [(n, 1, side, side) for side in self.sides]
        return [randn(shape, like=self.constant, generator=generator) for shape in shapes]

    def no_noise(self, n: int) -> list[Tensor]:
        """Return pictures of zeros in place of noise."""
        return [self.constant.new_zeros(n, 1, side, side) for side in self.sides]

    def synthesis(self, styles: Styles, noise: Noise) -> Float[Tensor, " b 1 16 16"]:
        """Paint: a style and a picture of noise for each layer."""
        h = self.constant.expand(len(styles), -1, -1, -1)
        for layer, w, n in zip(self.layers, styles.unbind(1), noise, strict=True):
            h = layer(h, w, n)
        return h


@final
class StyleCritic(nn.Module):
    """Strided convolutions, the batch's spread at 4 x 4, two dense layers.

    Args:
        channels: at 16 x 16, 8 x 8 and 4 x 4.
        width: units of the hidden dense layer.

    Example:
        >>> StyleCritic((4, 4, 4), 8)(torch.zeros(2, 1, 16, 16)).shape
        torch.Size([2, 1])
    """

    def __init__(self, channels: tuple[int, int, int], width: int) -> None:
        super().__init__()
        c16, c8, c4 = channels
        self.body = nn.Sequential(
            Conv(1, c16), Conv(c16, c8, stride=2), Conv(c8, c4, stride=2)
        )  # fmt: skip
        self.join = Conv(c4 + 1, c4)
        self.hidden, self.head = Dense(16 * c4, width), Dense(width, 1)

    def forward(
        self, x: Float[Tensor, " b 1 16 16"], *, hold: bool = False
    ) -> Float[Tensor, " b 1"]:
        """Logits of a batch that is all real or all fake; `hold` stops gradients at the spread."""
        h = self.join(append_spread(self.body(x), hold=hold))
        out: Tensor = self.head(bend(self.hidden(h.flatten(1))))
        return out
