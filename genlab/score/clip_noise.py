r"""Noise for the frames of a film: one's own, everybody's, or a blend of both.

$$\epsilon_f = \sqrt a\,\epsilon_{\text{common}} + \sqrt{1-a}\,\epsilon_f^{\text{own}},
\qquad \mathrm{Cov}(\epsilon_f, \epsilon_g) = a \quad (f \ne g)$$

Each frame's noise is standard normal whatever the share $a$; only what neighbours have in common
changes. And for films that are Gaussian, with correlation $\rho$ between any two frames, everything
that the course asks of a film has a closed form.

Lesson: notebooks/systems/text_to_video.ipynb
Source: Ge et al. 2023 (arXiv:2305.10474), the mixed noise model (their $\alpha^2/(1+\alpha^2)$
    is our $a$).
"""

import math

from jaxtyping import Float
from torch import Tensor

Films = Float[Tensor, " n c f *hw"]


def mixed_noise(common: Float[Tensor, " n c 1 *hw"], own: Films, *, share: float) -> Films:
    r"""Blend one noise for all frames with one noise for each.

    $$\epsilon_f = \sqrt a\,\epsilon_{\text{common}} + \sqrt{1-a}\,\epsilon_f^{\text{own}}$$

    Args:
        common: standard normal, one frame.
        own: standard normal, all frames.
        share: a, in [0, 1]: 0 independent frames, 1 equal frames.

    Returns:
        Like `own`; unit variance, correlation `share` between frames.

    Raises:
        ValueError: `share` outside [0, 1].

    Example:
        >>> import torch
        >>> mixed_noise(torch.ones(1, 1, 1), torch.zeros(1, 1, 3), share=0.25)
        tensor([[[0.5000, 0.5000, 0.5000]]])

    Source: Ge et al. 2023 (arXiv:2305.10474), the mixed noise model.
    Lesson: notebooks/systems/text_to_video.ipynb
    """
    if not 0 <= share <= 1:
        raise ValueError(f"share must lie in [0, 1], got {share}")
    return math.sqrt(share) * common + math.sqrt(1 - share) * own


def total_correlation(rho: float, n_frames: int) -> float:
    r"""What is lost when normal frames with equal correlations are drawn independently, in nats.

    $$\mathrm{KL}\Big(p(x_{1:F})\,\Big\|\,\prod_f p(x_f)\Big) =
    -\tfrac12\big[(F-1)\log(1-\rho) + \log(1 + (F-1)\rho)\big]$$

    For two frames it is their mutual information, $-\tfrac12\log(1-\rho^2)$; no choice of
    independent frames loses less.

    Args:
        rho: correlation of any two frames, in (-1/(F-1), 1).
        n_frames: F, at least 1.

    Returns:
        Nats per pixel; 0 for uncorrelated frames, infinite in the limit of equal ones.

    Raises:
        ValueError: no such frames exist.

    Example:
        >>> round(total_correlation(0.9, 2), 4), total_correlation(0.0, 8)
        (0.8304, 0.0)

    Source: Watanabe 1960, "Information theoretical analysis of multivariate correlation".
    Lesson: notebooks/systems/text_to_video.ipynb
    """
    if n_frames < 1 or not rho < 1 or (n_frames - 1) * rho <= -1:
        raise ValueError(f"no {n_frames} frames have the correlation {rho}")
    own, joint = math.log1p(-rho), math.log1p((n_frames - 1) * rho)
    return -0.5 * ((n_frames - 1) * own + joint) + 0.0


def frame_error(rho: float, sigma: float, n_frames: int) -> float:
    r"""Mean square error of the best denoiser of normal frames that sees all of them.

    $$\frac1F\Big[\frac{\sigma^2\lambda_1}{\lambda_1+\sigma^2} +
    (F-1)\frac{\sigma^2\lambda_2}{\lambda_2+\sigma^2}\Big], \qquad
    \lambda_1 = 1 + (F-1)\rho,\quad \lambda_2 = 1-\rho$$

    With one frame, or $\rho = 0$, it is the error of frames denoised alone,
    $\sigma^2/(1+\sigma^2)$. Equal frames, $\rho = 1$, at noise $\sigma\sqrt F$ are as clear as one
    frame at $\sigma$: films need more noise, in training and sampling, by the factor $\sqrt F$ at
    most.

    Args:
        rho: correlation of any two frames, in [0, 1].
        sigma: noise level, positive.
        n_frames: F.

    Returns:
        Error per pixel, below $\sigma^2$ and below 1.

    Raises:
        ValueError: a correlation outside [0, 1], no frame, or no noise.

    Example:
        >>> frame_error(1.0, 2.0, 4), frame_error(1.0, 1.0, 1)
        (0.5, 0.5)

    Source: the eigenvalues of a matrix of equal correlations; compare the shift of Hoogeboom et al.
        2023 (arXiv:2301.11093) for the pixels of larger images.
    Lesson: notebooks/systems/text_to_video.ipynb
    """
    if not 0 <= rho <= 1 or n_frames < 1 or not sigma > 0:
        raise ValueError(f"no {n_frames} frames with correlation {rho} and noise {sigma}")
    variances = [1 + (n_frames - 1) * rho] + (n_frames - 1) * [1 - rho]
    return sum(sigma**2 * v / (v + sigma**2) for v in variances) / n_frames
