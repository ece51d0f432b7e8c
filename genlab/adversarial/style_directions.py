r"""Which style does what: a direction that changes an attribute, and whose style a mixture follows.

$$\mathbb E[w \mid a] \approx \bar w + \frac{\mathrm{Cov}(w, a)}{\mathrm{Var}(a)}\,(a - \bar a)$$

A generator without labels knows nothing of slant. But an attribute can be *measured* on what it
paints, and pairs of style and measurement can be had in any number.

Lesson: notebooks/systems/stylegan.ipynb
Sources: Shen et al. 2020 (arXiv:1907.10786), section 2.2 (directions); Karras, Laine and Aila 2019
    (arXiv:1812.04948), section 3.1 (mixing).
"""

import torch
from jaxtyping import Float
from torch import Tensor

from genlab.core.shapes import PerExample


def attribute_direction(w: Float[Tensor, " b d"], a: PerExample) -> Float[Tensor, " d"]:
    r"""How the mean style moves when an attribute rises by one standard deviation.

    $$d = \frac{\mathrm{Cov}(w, a)}{\mathrm{std}(a)}$$

    For jointly normal w and a it is $\mathbb E[w \mid \bar a + \mathrm{std}(a)] - \bar w$, exactly.
    It is not the normal $\mathrm{Cov}(w)^{-1}\mathrm{Cov}(w, a)$ of a regression of a on w, which
    may leave the region where styles are: a predictor's weights are no likely change.

    Args:
        w: styles.
        a: the attribute, measured on the picture of each.

    Returns:
        `(d,)`, in the unit of w.

    Raises:
        ValueError: the attribute is the same everywhere.

    Example:
        >>> w = torch.tensor([[-1.0, 5.0], [1.0, 5.0]])
        >>> attribute_direction(w, torch.tensor([10.0, 30.0]))
        tensor([1., 0.])

    Source: Shen et al. 2020 (arXiv:1907.10786), section 2.2, with a mean in place of a normal.
    Lesson: notebooks/systems/stylegan.ipynb
    """
    centred = a - a.mean()
    std = centred.square().mean().sqrt()
    if not bool(std > 0):
        raise ValueError(f"the attribute is {float(a[0]):g} everywhere: no direction changes it")
    return (w - w.mean(0)).T @ centred / (len(a) * std)


def followed(mixed: PerExample, coarse: PerExample, fine: PerExample) -> Float[Tensor, " 2"]:
    r"""Whose attribute a mixture has: both weights of a regression.

    $$\min_{\alpha, \beta, c}\ \sum_i
    \big(a_i^{\text{mixed}} - \alpha\,a_i^{\text{coarse}} - \beta\,a_i^{\text{fine}} - c\big)^2$$

    Args:
        mixed: the attribute of each mixture.
        coarse: that of the picture with the coarse style in all layers.
        fine: that of the picture with the fine style in all layers.

    Returns:
        $(\alpha, \beta)$: (1, 0) for an attribute that the coarse layers decide alone.

    Example:
        >>> a, b = torch.tensor([1.0, 2.0, 4.0]), torch.tensor([3.0, 0.0, 1.0])
        >>> followed(0.75 * a + 0.25 * b + 7, a, b)
        tensor([0.7500, 0.2500])

    Source: our own measure of Karras, Laine and Aila 2019 (arXiv:1812.04948), figure 3.
    Lesson: notebooks/systems/stylegan.ipynb
    """
    sources = torch.stack([coarse - coarse.mean(), fine - fine.mean()], 1)
    weights: Tensor = torch.linalg.lstsq(sources, (mixed - mixed.mean())[:, None]).solution
    return weights[:, 0]
