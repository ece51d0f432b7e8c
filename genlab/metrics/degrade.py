r"""Spoil a set of real images in a known way, to learn what each metric sees.

$$x' = \mathrm{clip}_{0}^{16}\big(\mathrm{round}(G_s * x + \sigma\,\epsilon)\big)$$

Blur and noise spoil every image; dropping classes and repeating images leave each of them
perfect and spoil the *set*. A metric is understood when you can say which of the four moves it.

Lesson: notebooks/09_evaluation.ipynb
Source: Heusel et al. 2017 (arXiv:1706.08500), appendix A1, does this with Frechet distance alone.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

Images = Float[Tensor, " n 1 h w"]


def blur(images: Images, std: float) -> Images:
    r"""Gaussian blur with a 5 x 5 kernel; the border is continued by its last pixels.

    $$(G_s * x)_{ij} = \sum_{|a|,|b|\le 2} g_a g_b\, x_{i+a,j+b}, \qquad
    g_a \propto e^{-a^2/2s^2}$$

    Args:
        images: `(n, 1, h, w)`.
        std: width $s$ in pixels; 0 leaves the images alone.

    Returns:
        Like `images`; a constant image stays as it is.

    Raises:
        ValueError: a negative width.

    Example:
        >>> round(float(blur(torch.ones(1, 1, 4, 4), 1.0).sum()), 4)
        16.0

    Lesson: notebooks/09_evaluation.ipynb
    """
    if not std >= 0:
        raise ValueError(f"std is {std}, expected >= 0")
    if std == 0:
        return images
    offsets = torch.arange(-2, 3, dtype=images.dtype)
    weights = torch.exp(-(offsets**2) / (2 * std**2))
    kernel = torch.outer(weights, weights) / weights.sum() ** 2
    padded = nn.functional.pad(images, (2, 2, 2, 2), mode="replicate")
    return nn.functional.conv2d(padded, kernel[None, None])


def degrade(
    images: Images, eps: Images, *, blur_std: float = 0.0, noise_std: float = 0.0
) -> Images:
    r"""Blur, add noise, and return to grey levels 0..16.

    Args:
        images: grey levels 0..16.
        eps: standard normal noise, like `images`.
        blur_std: width of the blur in pixels.
        noise_std: standard deviation of the noise in grey levels.

    Returns:
        Like `images`, integers 0..16 as floats.

    Raises:
        ValueError: a negative width.

    Example:
        >>> degrade(torch.full((1, 1, 1, 1), 16.0), torch.ones(1, 1, 1, 1), noise_std=3.0).item()
        16.0

    Lesson: notebooks/09_evaluation.ipynb
    """
    if not noise_std >= 0:
        raise ValueError(f"noise_std is {noise_std}, expected >= 0")
    return (blur(images, blur_std) + noise_std * eps).round().clamp(0, 16)


def only_classes(labels: Int[Tensor, " n"], n_kept: int) -> Int[Tensor, " n"]:
    """Rows that show only the first few classes: the others are replaced, the number stays.

    Args:
        labels: 0, 1, 2, ...
        n_kept: classes 0..n_kept-1 stay, at least 1.

    Returns:
        `(n,)` row numbers: i where its class is kept, else the next kept row in turn.

    Raises:
        ValueError: no row has a kept class.

    Example:
        >>> only_classes(torch.tensor([0, 1, 2, 0]), n_kept=2)
        tensor([0, 1, 0, 3])

    Lesson: notebooks/09_evaluation.ipynb
    """
    kept = labels < n_kept
    rows = kept.nonzero()[:, 0]
    if len(rows) == 0:
        raise ValueError(f"no row has one of the classes below {n_kept}")
    out = torch.arange(len(labels))
    missing = len(labels) - len(rows)
    out[~kept] = rows[torch.arange(missing) % len(rows)]
    return out


def repeat_few(n: int, n_distinct: int) -> Int[Tensor, " n"]:
    """Rows that repeat the first few images in turn: a generator with that many outputs.

    Args:
        n: rows to return.
        n_distinct: different rows among them, 1..n.

    Returns:
        `(n,)` row numbers 0, 1, ..., n_distinct - 1, 0, 1, ...

    Raises:
        ValueError: `n_distinct` outside 1..n.

    Example:
        >>> repeat_few(5, n_distinct=2)
        tensor([0, 1, 0, 1, 0])

    Lesson: notebooks/09_evaluation.ipynb
    """
    if not 1 <= n_distinct <= n:
        raise ValueError(f"n_distinct must be in 1..{n}, got {n_distinct}")
    return torch.arange(n) % n_distinct
