r"""Features of pictures that no network has learned: where the ink is, and how sharp it is there.

$$h(x) = \big(\text{means of } x \text{ over } 8\times8 \text{ cells},\
\text{means of } |W_k x| \text{ over } 4\times4 \text{ cells}\big),\qquad
\phi(x) = \Lambda^{-1/2}\,U^\top\big(h(x) - \bar h\big)$$

$W_1, W_2, W_3$ are the finest details of Haar's wavelets: across, down and diagonal differences
within blocks of 2 x 2 pixels. $U$ are the directions in which real pictures differ most and
$\Lambda$ their variances there, fitted on pictures that no generator saw. A Frechet distance,
precision or recall in $\phi$ therefore shares nothing with a generator, and sees a blur.

Lesson: notebooks/systems/glide.ipynb
Sources: Haar 1910; Mallat 1989, "A theory for multiresolution signal decomposition", section III;
    Kynkaanniemi et al. 2019 (arXiv:1904.06991), section 2, for comparing in features.
"""

from typing import final

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

Grey = Float[Tensor, " n s s"]


def haar_details(grey: Grey) -> Float[Tensor, " n 3 t t"]:
    r"""The finest details: orthonormal differences within each block of 2 x 2 pixels.

    $$\tfrac12(a + b - c - d),\quad \tfrac12(a - b + c - d),\quad \tfrac12(a - b - c + d)
    \qquad\text{of}\quad \begin{pmatrix} a & b \\ c & d\end{pmatrix}$$

    Args:
        grey: `(n, s, s)`, s even.

    Returns:
        `(n, 3, s / 2, s / 2)`: down, across, diagonal.

    Example:
        >>> haar_details(torch.tensor([[[1.0, 0.0], [1.0, 0.0]]])).flatten()
        tensor([0., 1., 0.])

    Source: Mallat 1989, section III, for Haar's filter.
    """
    a, b = grey[:, ::2, ::2], grey[:, ::2, 1::2]
    c, d = grey[:, 1::2, ::2], grey[:, 1::2, 1::2]
    return torch.stack([a + b - c - d, a - b + c - d, a - b - c + d], 1) / 2


@final
class WaveletFeatures:
    """Describe grey pictures by `n_axes` numbers, whitened on the real pictures of the fit.

    Args:
        real: pictures to fit on, `(n, s, s)` in [0, 1], s a multiple of 8.
        n_axes: main axes to keep, fewer than pictures and than the 112 numbers.

    Raises:
        ValueError: another number of axes.

    Example:
        >>> g = torch.Generator().manual_seed(0)
        >>> real = torch.rand(200, 16, 16, generator=g)
        >>> found = WaveletFeatures(real, 4)(real)
        >>> found.shape, float(found.var(0).sub(1).abs().max()) < 1e-9
        (torch.Size([200, 4]), True)
    """

    def __init__(self, real: Grey, n_axes: int = 32) -> None:
        numbers = self._numbers(real)
        if not 1 <= n_axes < min(numbers.shape):
            raise ValueError(f"n_axes must lie in 1..{min(numbers.shape) - 1}, got {n_axes}")
        self.mean = numbers.mean(0)
        _, lengths, axes = torch.linalg.svd(numbers - self.mean, full_matrices=False)
        self.axes = axes[:n_axes].T / (lengths[:n_axes] / (len(real) - 1) ** 0.5)

    @staticmethod
    def _numbers(grey: Grey) -> Float[Tensor, " n 112"]:
        """Cell means of the picture, 64, and of the size of its details, 3 x 16."""
        x = grey.double().clamp(0, 1)
        where = adaptive_avg_pool2d(x[:, None], 8).flatten(1)
        sharp = adaptive_avg_pool2d(haar_details(x).abs(), 4).flatten(1)
        return torch.cat([where, sharp], 1)

    def __call__(self, grey: Grey) -> Float[Tensor, " n d"]:
        """Describe pictures.

        Args:
            grey: of the size of the fit; values outside [0, 1] are clipped.

        Returns:
            `(n, n_axes)` in double precision; of unit variance over the pictures of the fit.
        """
        found: Tensor = (self._numbers(grey) - self.mean) @ self.axes
        return found
