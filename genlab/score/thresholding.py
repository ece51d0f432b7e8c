r"""Keep a guided guess among the pictures: cut it off, or shrink it until it fits.

$$\hat x \leftarrow \mathrm{clip}(\hat x, -1, 1) \quad\text{(static)}, \qquad
\hat x \leftarrow \frac{\mathrm{clip}(\hat x, -s, s)}{s},\quad
s = \max\big(1, \mathrm{quantile}_p |\hat x|\big) \quad\text{(dynamic)}$$

Strong guidance pushes guesses of the data out of the range that data have. The next step would
start from something that no training has shown, and the error grows. Cutting off piles pixels up at
the ends; the dynamic threshold moves the saturated ones back inside.

Lesson: notebooks/systems/glide.ipynb
Source: Saharia et al. 2022 (arXiv:2205.11487), section 2.3 and figure A.10.
"""

import torch

from genlab.core.guards import require_rows
from genlab.core.shapes import Event, expand


def dynamic_threshold(guess: Event, *, p: float = 0.995) -> Event:
    r"""Scale each guess by a high quantile of its absolute values, where that exceeds 1.

    $$\hat x \leftarrow \frac{\mathrm{clip}(\hat x, -s, s)}{s}, \qquad
      s = \max\big(1, \mathrm{quantile}_p |\hat x|\big)$$

    Args:
        guess: of the data, which lie in [-1, 1], `(b, *event)`.
        p: share of the values that must fit, in (0, 1]; 1 only rescales.

    Returns:
        Like `guess`, in [-1, 1]; a guess that fits already is returned as it is, up to the share
        of its values above the quantile, which are cut off at 1.

    Raises:
        ValueError: `p` outside (0, 1].

    Example:
        >>> dynamic_threshold(torch.tensor([[0.5, -4.0], [0.5, -0.2]]), p=1.0)
        tensor([[ 0.1250, -1.0000],
                [ 0.5000, -0.2000]])

    Source: Saharia et al. 2022 (arXiv:2205.11487), section 2.3, "dynamic thresholding".
    Lesson: notebooks/systems/glide.ipynb
    """
    if not 0 < p <= 1:
        raise ValueError(f"p must lie in (0, 1], got {p}")
    require_rows(guess=guess)
    size = guess.flatten(1).abs()
    s = expand(torch.quantile(size, p, dim=1).clamp(min=1), guess)
    return torch.maximum(torch.minimum(guess, s), -s) / s
