r"""What the decoder's output means: three likelihoods $\log p(x\mid z)$, in nats.

$$\text{two levels: Bernoulli},\qquad \text{L levels: categorical},\qquad
\text{real numbers: Gaussian}.$$

The first two are probabilities of discrete data, and their nats become bits per dimension by a
division. The third is a density. For grey levels it needs dequantised data, a bin width
($\log L$ nats a pixel, `bits_per_dim(..., levels=L)`), and is then a bound once more.

Lesson: notebooks/06_vae_in_practice.ipynb
Sources: Kingma and Welling 2013 (arXiv:1312.6114), appendix C; Theis, van den Oord and Bethge
2015 (arXiv:1511.01844), section 3.1.
"""

import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from genlab.core.guards import require_alike, require_index
from genlab.core.shapes import Event, PerExample, sum_event
from genlab.core.stats import normal_log_prob


def bernoulli_log_prob(x: Event, logits: Event) -> PerExample:
    r"""Log-probability of black-and-white pixels.

    $$\log p(x) = \sum_j x_j \log \pi_j + (1 - x_j)\log(1 - \pi_j),
      \qquad \pi = \frac{1}{1 + e^{-l}}$$

    Its exponential sums to 1 over all $2^D$ images. Values between 0 and 1 are refused: with
    them the formula still has a value, but it is the logarithm of no distribution.

    Args:
        x: 0 or 1, `(b, *event)`.
        logits: $l$, like `x`, any real number.

    Returns:
        `(b,)`, summed over the event, nats, never positive.

    Raises:
        ValueError: a pixel is neither 0 nor 1.

    Example:
        >>> import torch
        >>> bernoulli_log_prob(torch.tensor([[1.0, 0.0]]), torch.zeros(1, 2)).exp()
        tensor([0.2500])

    Source: Kingma and Welling 2013 (arXiv:1312.6114), eq. 11.
    Lesson: notebooks/06_vae_in_practice.ipynb
    """
    if not bool(((x == 0) | (x == 1)).all()):
        odd = x[(x != 0) & (x != 1)][0].item()
        raise ValueError(f"bernoulli_log_prob: a pixel is {odd:g}, expected 0 or 1")
    return sum_event(F.logsigmoid((2 * x - 1) * logits))


def categorical_log_prob(
    x: Int[Tensor, " b *event"], logits: Float[Tensor, " b *event levels"]
) -> PerExample:
    r"""Log-probability of pixels with L levels, one table of logits for each pixel.

    $$\log p(x) = \sum_j \Big(l_{j, x_j} - \log\sum_{\ell} e^{l_{j\ell}}\Big)$$

    Its exponential sums to 1 over all $L^D$ images.

    Args:
        x: integers in 0..L-1, `(b, *event)`.
        logits: `(b, *event, L)`.

    Returns:
        `(b,)`, summed over the event, nats, never positive.

    Raises:
        ValueError: a level is outside 0..L-1.

    Example:
        >>> import torch
        >>> categorical_log_prob(torch.tensor([[3, 0]]), torch.zeros(1, 2, 17)).exp()
        tensor([0.0035])

    Source: Salimans et al. 2017 (arXiv:1701.05517), section 2.1, on the softmax over levels.
    Lesson: notebooks/06_vae_in_practice.ipynb
    """
    levels = logits.shape[-1]
    require_index(levels, x=x)
    require_alike(x=x, logits=logits.shape[:-1])
    chosen = logits.gather(-1, x.unsqueeze(-1)).squeeze(-1)
    return sum_event(chosen - logits.logsumexp(-1))


def gaussian_log_prob(x: Event, mean: Event, log_scale: Tensor) -> PerExample:
    r"""Log-density of real pixels around the decoder's output, with a scale $s$.

    $$\log p(x) = -\frac{\lVert x - m\rVert^2}{2 s^2} - D\log s - \tfrac D2\log 2\pi$$

    The best $s^2$ is the mean square error. With $s = 1$ held fixed only half the squared error
    is left, and the reconstruction weighs far too little against the divergence.

    Args:
        x: `(b, *event)`.
        mean: $m$, like `x`.
        log_scale: $\log s$, a number, or broadcastable to `x`.

    Returns:
        `(b,)`, summed over the event, nats; positive where the density exceeds 1.

    Example:
        >>> import torch
        >>> gaussian_log_prob(torch.tensor([[1.2]]), torch.tensor([[0.2]]), torch.tensor(0.0))
        tensor([-1.4189])

    Source: Kingma and Welling 2013 (arXiv:1312.6114), eq. 12; Rybkin, Daniilidis and Levine 2021
    (arXiv:2006.13202), section 3, on the learned scale.
    Lesson: notebooks/06_vae_in_practice.ipynb
    """
    return normal_log_prob(x, mean, log_scale.exp())
