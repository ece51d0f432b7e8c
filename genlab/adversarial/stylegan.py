r"""Styles: what a style-based generator does that an ordinary one does not, as pure functions.

$$z \;\mapsto\; w = f(z), \qquad
\text{layer}_l:\; h \;\mapsto\; \phi\Big(\mathrm{conv}_{\,\tilde W_l(w)}\,h + a_l\,n_l\Big)$$
"""

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import conv2d

from genlab.adversarial.gan import append_spread
from genlab.core import PerExample, Rng, randn
from genlab.core.checked import check_public
from genlab.core.tensors import require_between, require_finite, require_rows

EPS = 1e-8  # added to a mean square before its root


def pixel_norm(z: Float[Tensor, " *b d"]) -> Float[Tensor, " *b d"]:
    r"""Bring each vector to mean square 1 (Karras et al. 2018, arXiv:1710.10196, section 4.2).

    $$z_j \Big/ \sqrt{\tfrac1d \textstyle\sum_k z_k^2}$$
    """
    return z * (z.square().mean(-1, keepdim=True) + EPS).rsqrt()


def modulated_weight(
    weight: Float[Tensor, " o i k k"], style: Float[Tensor, " b i"], *, demodulate: bool = True
) -> Float[Tensor, " b o i k k"]:
    r"""Weights of one convolution, made anew for each example.

    $$W'_{oik} = s_i\,W_{oik}, \qquad
    W''_{oik} = W'_{oik} \Big/ \sqrt{\textstyle\sum_{i,k} W'^2_{oik}}$$

    W'' keeps unit variance of uncorrelated inputs. Karras et al. 2020 (arXiv:1912.04958), eq. 1 and
    3.
    """
    require_rows(weight=weight)
    scaled = weight * style[:, None, :, None, None]
    if not demodulate:
        return scaled
    return scaled * (scaled.square().sum((2, 3, 4), keepdim=True) + EPS).rsqrt()


def modulated_conv(
    x: Float[Tensor, " b c h w"],
    weight: Float[Tensor, " o i k k"],
    style: Float[Tensor, " b i"],
    *,
    demodulate: bool = True,
) -> Float[Tensor, " b o h w"]:
    r"""Convolution with modulated weights, without ever making them.

    $$\sum_{i,k} W''_{oik}\,x_i = \sigma_o \sum_{i,k} W_{oik}\,(s_i\,x_i), \qquad
    \sigma_o = \Big(\textstyle\sum_i s_i^2 \sum_k W_{oik}^2\Big)^{-1/2}$$

    One convolution is shared by the batch. Karras et al. 2020 (arXiv:1912.04958), section 2.2.
    """
    out = conv2d(x * style[:, :, None, None], weight, padding=weight.shape[-1] // 2)
    if not demodulate:
        return out
    energy = style.square() @ weight.square().sum((2, 3)).T
    return out * (energy + EPS).rsqrt()[:, :, None, None]


def mix_styles(
    coarse: Float[Tensor, " b d"],
    fine: Float[Tensor, " b d"],
    crossover: Int[Tensor, " b"],
    n_layers: int,
) -> Float[Tensor, " b layers d"]:
    r"""Give the first layers one style and the others another (Karras et al. 2019, section 3.1).

    $$w_l = \begin{cases} w_{\text{coarse}} & l < c \\ w_{\text{fine}} & l \ge c \end{cases}$$
    """
    require_between(0, n_layers, crossover=crossover)
    layer = torch.arange(n_layers, device=coarse.device)
    first = (layer < crossover[:, None])[..., None]
    return torch.where(first, coarse[:, None], fine[:, None])


def truncate(
    w: Float[Tensor, " *b d"], mean: Float[Tensor, " d"], psi: float
) -> Float[Tensor, " *b d"]:
    r"""Draw styles towards their mean (Karras et al. 2019, appendix B).

    $$w' = \bar w + \psi\,(w - \bar w)$$
    """
    return mean + psi * (w - mean)


def inject_noise(
    h: Float[Tensor, " b c h w"], noise: Float[Tensor, " b 1 h w"], strength: Float[Tensor, ""]
) -> Float[Tensor, " b c h w"]:
    r"""Add one picture of noise to every channel, $h + a\,n$ (arXiv:1812.04948, figure 1b)."""
    return h + strength * noise


GAIN = math.sqrt(2)  # of a layer with a leaky ReLU: keeps unit variance
SPREAD = 3.0  # of styles at the start; with the paper's 1 a short training keeps fewer kinds
Noise = Sequence[Tensor]


def bend(h: Tensor) -> Tensor:
    r"""Leaky ReLU of slope 0.2 times $\sqrt2$."""
    return F.leaky_relu(h, 0.2) * GAIN


class Dense(nn.Module):
    r"""A linear layer with weights stored at unit variance: $y = \tfrac{r}{\sqrt d} W x + r b$."""

    def __init__(self, d_in: int, d_out: int, *, rate: float = 1.0, bias: float = 0.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(d_out, d_in) / rate)
        self.bias = nn.Parameter(torch.full((d_out,), bias / rate))
        self.scale, self.rate = rate / math.sqrt(d_in), rate

    def forward(self, x: Float[Tensor, " b i"]) -> Float[Tensor, " b o"]:
        return F.linear(x, self.weight * self.scale, self.bias * self.rate)


class Conv(nn.Module):
    """A convolution whose weights are stored at unit variance, with a leaky ReLU behind it."""

    def __init__(self, c_in: int, c_out: int, *, stride: int = 1) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(c_out, c_in, 3, 3))
        self.bias = nn.Parameter(torch.zeros(c_out))
        self.scale, self.stride = 1 / math.sqrt(9 * c_in), stride

    def forward(self, x: Tensor) -> Tensor:
        return bend(F.conv2d(x, self.weight * self.scale, self.bias, self.stride, padding=1))


class StyledLayer(nn.Module):
    """Modulated convolution, noise, bias, leaky ReLU; the last layer has the convolution alone."""

    def __init__(
        self,
        c_in: int,
        c_out: int,
        d_style: int,
        *,
        kernel: int = 3,
        up: bool = False,
        last: bool = False,
    ) -> None:
        super().__init__()
        self.affine = Dense(d_style, c_in, bias=1.0)
        nn.init.normal_(self.affine.weight, std=SPREAD)
        self.weight = nn.Parameter(torch.randn(c_out, c_in, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(c_out))
        self.strength = nn.Parameter(torch.zeros(()), requires_grad=not last)
        self.scale = 1 / math.sqrt(c_in * kernel**2)
        self.up, self.last = up, last

    def forward(self, h: Tensor, w: Float[Tensor, " b d"], noise: Tensor) -> Tensor:
        if self.up:
            h = F.interpolate(h, scale_factor=2, mode="bilinear", align_corners=False)
        style = self.affine(w)
        bias = self.bias[:, None, None]
        if self.last:
            return modulated_conv(h, self.weight * self.scale, style, demodulate=False) + bias
        h = modulated_conv(h, self.weight, style)
        return bend(inject_noise(h, noise, self.strength) + bias)


class StyleGenerator(nn.Module):
    """Mapping network and synthesis network."""

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
        h = pixel_norm(z)
        for layer in self.map:
            h = bend(layer(h))
        return h

    def every_layer(self, w: Float[Tensor, " b d"]) -> Float[Tensor, " b layers d"]:
        return w[:, None].expand(-1, self.n_layers, -1)

    def draw_noise(self, n: int, generator: Rng = None) -> list[Tensor]:
        shapes = [(n, 1, side, side) for side in self.sides]
        return [randn(shape, like=self.constant, generator=generator) for shape in shapes]

    def no_noise(self, n: int) -> list[Tensor]:
        return [self.constant.new_zeros(n, 1, side, side) for side in self.sides]

    def synthesis(
        self, styles: Float[Tensor, " b layers d"], noise: Noise
    ) -> Float[Tensor, " b 1 16 16"]:
        """Image from a style and a picture of noise for each layer."""
        h = self.constant.expand(len(styles), -1, -1, -1)
        for layer, w, n in zip(self.layers, styles.unbind(1), noise, strict=True):
            h = layer(h, w, n)
        return h


class StyleDiscriminator(nn.Module):
    """Strided convolutions, the batch's spread at 4 x 4, two dense layers."""

    def __init__(self, channels: tuple[int, int, int], width: int) -> None:
        super().__init__()
        c16, c8, c4 = channels
        self.body = nn.Sequential(Conv(1, c16), Conv(c16, c8, stride=2), Conv(c8, c4, stride=2))
        self.join = Conv(c4 + 1, c4)
        self.hidden = Dense(16 * c4, width)
        self.head = Dense(width, 1)

    def forward(
        self, x: Float[Tensor, " b 1 16 16"], *, hold: bool = False
    ) -> Float[Tensor, " b 1"]:
        """Logits of a batch that is all real or all fake; `hold` stops gradients at the spread."""
        h = self.join(append_spread(self.body(x), hold=hold))
        return self.head(bend(self.hidden(h.flatten(1))))


def attribute_direction(w: Float[Tensor, " b d"], a: PerExample) -> Float[Tensor, " d"]:
    r"""How the mean style moves when an attribute rises by one standard deviation.

    $$d = \frac{\mathrm{Cov}(w, a)}{\mathrm{std}(a)}$$

    For jointly normal w and a it is $\mathbb E[w \mid \bar a + \mathrm{std}(a)] - \bar w$. After
    Shen et al. 2020 (arXiv:1907.10786), section 2.2.
    """
    centred = a - a.mean()
    std = centred.square().mean().sqrt()
    if not bool(std > 0):
        raise ValueError(f"the attribute is {a.mean():g} everywhere: no direction changes it")
    return w.T @ centred / (len(a) * std)  # centring one of the two is enough


def followed(mixed: PerExample, coarse: PerExample, fine: PerExample) -> Float[Tensor, " 2"]:
    r"""Whose attribute a mixture has: both weights of a regression, our own measure.

    $$\min_{\alpha, \beta, c}\ \sum_i
    \big(a_i^{\text{mixed}} - \alpha\,a_i^{\text{coarse}} - \beta\,a_i^{\text{fine}} - c\big)^2$$
    """
    require_finite(mixed=mixed, coarse=coarse, fine=fine)
    sources = torch.stack([coarse - coarse.mean(), fine - fine.mean()], 1)
    weights: Tensor = torch.linalg.lstsq(sources, (mixed - mixed.mean())[:, None]).solution
    return weights[:, 0]


check_public(__name__)
