r"""Styles: what a style-based generator does that an ordinary one does not, as pure functions.

$$z \;\mapsto\; w = f(z), \qquad
\text{layer}_l:\; h \;\mapsto\; \phi\Big(\mathrm{conv}_{\,\tilde W_l(w)}\,h + a_l\,n_l\Big)$$

A latent draw z is first turned into a *style* w. The style does not enter at the bottom: it scales
the input channels of every convolution, whose outputs are then brought back to unit size, and
fresh noise n is added beside it. So layers can be given different styles, and styles can be
averaged.

Lesson: notebooks/systems/stylegan.ipynb
Sources: Karras, Laine and Aila 2019 (arXiv:1812.04948), section 2 and appendix B; Karras et al.
    2020 (arXiv:1912.04958), section 2.2 (modulated weights).
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import conv2d

Styles = Float[Tensor, " b layers d"]
Images = Float[Tensor, " b c h w"]
Weight = Float[Tensor, " o i k k"]
EPS = 1e-8  # added to a mean square before its root


def pixel_norm(z: Float[Tensor, " b d"]) -> Float[Tensor, " b d"]:
    r"""Bring each vector to mean square 1: only its direction is left.

    $$z_j \Big/ \sqrt{\tfrac1d \textstyle\sum_k z_k^2}$$

    Args:
        z: vectors; a normal draw already has mean square about 1.

    Returns:
        `(b, d)`, on the sphere of radius $\sqrt d$; zero stays zero.

    Example:
        >>> pixel_norm(torch.tensor([[3.0, 4.0]])).square().mean()
        tensor(1.)

    Source: Karras et al. 2018 (arXiv:1710.10196), section 4.2.
    Lesson: notebooks/systems/stylegan.ipynb
    """
    return z * (z.square().mean(1, keepdim=True) + EPS).rsqrt()


def modulated_weight(
    weight: Weight, style: Float[Tensor, " b i"], *, demodulate: bool = True
) -> Float[Tensor, " b o i k k"]:
    r"""Weights of one convolution, made anew for each example.

    $$W'_{oik} = s_i\,W_{oik}, \qquad
    W''_{oik} = W'_{oik} \Big/ \sqrt{\textstyle\sum_{i,k} W'^2_{oik}}$$

    If the inputs are uncorrelated with unit variance, so are the outputs of W'' (unit variance,
    exactly), whatever the style: a style decides *ratios* between channels, not loudness.

    Args:
        weight: $W$, shared by all examples.
        style: $s$, one scale for each input channel of each example.
        demodulate: whether to divide.

    Returns:
        One set of weights for each example.

    Example:
        >>> style = torch.tensor([[0.5, 20.0]])
        >>> round(modulated_weight(torch.ones(1, 2, 1, 1), style).square().sum().item(), 6)
        1.0

    Source: Karras et al. 2020 (arXiv:1912.04958), eq. 1 and 3.
    Lesson: notebooks/systems/stylegan.ipynb
    """
    scaled = weight * style[:, None, :, None, None]
    if not demodulate:
        return scaled
    return scaled * (scaled.square().sum((2, 3, 4), keepdim=True) + EPS).rsqrt()


def modulated_conv(
    x: Images, weight: Weight, style: Float[Tensor, " b i"], *, demodulate: bool = True
) -> Float[Tensor, " b o h w"]:
    r"""Convolution with modulated weights, without ever making them.

    $$\sum_{i,k} W''_{oik}\,x_i = \sigma_o \sum_{i,k} W_{oik}\,(s_i\,x_i), \qquad
    \sigma_o = \Big(\textstyle\sum_i s_i^2 \sum_k W_{oik}^2\Big)^{-1/2}$$

    The style scales the input, one convolution is shared by the batch, and the output is divided:
    on a processor several times faster than a convolution for each example, and equal to it.

    Args:
        x: `(b, i, h, w)`.
        weight: odd kernels; the border is filled with zeros.
        style: one scale for each input channel of each example.
        demodulate: whether to divide.

    Returns:
        `(b, o, h, w)`.

    Example:
        >>> x, weight = torch.ones(1, 2, 1, 1), torch.ones(1, 2, 1, 1)
        >>> modulated_conv(x, weight, torch.tensor([[3.0, 4.0]])).flatten()  # 7 / 5
        tensor([1.4000])

    Source: Karras et al. 2020 (arXiv:1912.04958), section 2.2.
    Lesson: notebooks/systems/stylegan.ipynb
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
) -> Styles:
    r"""Give the first layers one style and the others another.

    $$w_l = \begin{cases} w_{\text{coarse}} & l < c \\ w_{\text{fine}} & l \ge c \end{cases}$$

    Args:
        coarse: style of the layers below the crossover, which come first.
        fine: style of the others.
        crossover: $c$ for each example: 0 gives all layers `fine`, `n_layers` all `coarse`.
        n_layers: how many layers have a style.

    Returns:
        One style for each layer of each example.

    Raises:
        ValueError: a crossover outside 0..n_layers.

    Example:
        >>> mix_styles(torch.ones(1, 1), torch.zeros(1, 1), torch.tensor([2]), 3).flatten()
        tensor([1., 1., 0.])

    Source: Karras, Laine and Aila 2019 (arXiv:1812.04948), section 3.1.
    Lesson: notebooks/systems/stylegan.ipynb
    """
    if bool((crossover < 0).any() | (crossover > n_layers).any()):
        raise ValueError(f"crossover must lie in 0..{n_layers}, got {crossover.tolist()}")
    layer = torch.arange(n_layers, device=coarse.device)
    first = (layer < crossover[:, None])[..., None]
    return torch.where(first, coarse[:, None], fine[:, None])


def truncate(
    w: Float[Tensor, " *b d"], mean: Float[Tensor, " d"], psi: float
) -> Float[Tensor, " *b d"]:
    r"""Draw styles towards their mean: fewer surprises, less variety.

    $$w' = \bar w + \psi\,(w - \bar w)$$

    Args:
        w: styles.
        mean: $\bar w = \mathbb E f(z)$.
        psi: 1 changes nothing, 0 leaves the mean alone.

    Returns:
        Like `w`; deviations from the mean, hence standard deviations, are $\psi$ times as large.

    Example:
        >>> truncate(torch.tensor([[2.0, 0.0]]), torch.tensor([1.0, 1.0]), 0.5)
        tensor([[1.5000, 0.5000]])

    Source: Karras, Laine and Aila 2019 (arXiv:1812.04948), appendix B.
    Lesson: notebooks/systems/stylegan.ipynb
    """
    return mean + psi * (w - mean)


def add_noise(h: Images, noise: Float[Tensor, " b 1 h w"], strength: Float[Tensor, ""]) -> Images:
    r"""Add one picture of noise to every channel: $h + a\,n$.

    Args:
        h: `(b, c, h, w)`.
        noise: standard normal, the same for all channels of an example.
        strength: $a$, learned, one number for a layer.

    Returns:
        Like `h`.

    Example:
        >>> add_noise(torch.zeros(1, 1, 1, 2), torch.ones(1, 1, 1, 2), torch.tensor(0.5)).flatten()
        tensor([0.5000, 0.5000])

    Source: Karras, Laine and Aila 2019 (arXiv:1812.04948), section 2 and figure 1b (there one
        strength for each channel; the later version, arXiv:1912.04958, has one for the layer).
    Lesson: notebooks/systems/stylegan.ipynb
    """
    return h + strength * noise
