r"""Score matching: learn the slope of log p without ever knowing log p's constant.

$$J_{\mathrm{ESM}} = \tfrac12\,\mathbb E_p\lVert s - \nabla\log p\rVert^2
  = \mathbb E_p\big[\operatorname{tr}\nabla s + \tfrac12\lVert s\rVert^2\big] + c, \qquad
J_{\mathrm{DSM}} = \tfrac12\,\mathbb E\,\lVert s(x_0+\sigma\epsilon) + \epsilon/\sigma\rVert^2$$

The explicit objective needs the answer. Integrating by parts removes it, at the price of a trace;
random slices make the trace cheap; added noise makes it superfluous, and then what is learned is
the score of the *noised* data.

Lesson: notebooks/11_score_matching.ipynb
Sources: Hyvarinen 2005, JMLR 6; Vincent 2011, Neural Computation 23; Song, Garg, Shi and Ermon
2019 (arXiv:1905.07088).
"""

import math
from collections.abc import Callable
from typing import TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor

from genlab.core.guards import as_real, require_alike, require_positive
from genlab.core.shapes import Event, PerExample, expand, sum_event
from genlab.solvers.divergence import exact, hutchinson

Score: TypeAlias = Callable[[Tensor], Tensor]
Sigma: TypeAlias = "Float[Tensor, ' *b'] | float"


def esm_loss(score: Score, true_score: Score, x: Event) -> PerExample:
    r"""Explicit score matching: the distance to an answer that only an oracle knows.

    $$\ell = \tfrac12\lVert s(x) - \nabla\log p(x)\rVert^2$$

    Its mean over p is half the Fisher divergence; zero exactly when the two scores agree.

    Args:
        score: the model $s$, maps `(b, *event)` to the same shape.
        true_score: $\nabla\log p$, likewise.
        x: examples from p, `(b, *event)`.

    Returns:
        `(b,)`, summed over the event; no unit.

    Example:
        >>> esm_loss(lambda x: -0.5 * x, lambda x: -x, torch.ones(1, 2))
        tensor([0.2500])

    Source: Hyvarinen 2005, eq. 2.
    Lesson: notebooks/11_score_matching.ipynb
    """
    return 0.5 * sum_event((score(x) - true_score(x)) ** 2)


def hyvarinen_loss(score: Score, x: Event) -> PerExample:
    r"""Score matching by the exact trace: the true score has been integrated away.

    $$\ell = \operatorname{tr}\nabla s(x) + \tfrac12\lVert s(x)\rVert^2$$

    In the mean over p it is `esm_loss` minus $\tfrac12\mathbb E\lVert\nabla\log p\rVert^2$, if
    $p\,s$ vanishes at the border. It may be negative; over a finite set of examples it has no
    lower bound.

    Args:
        score: the model $s$; each row of s(x) depends on the same row of x only.
        x: examples, `(b, *event)`.

    Returns:
        `(b,)`, summed over the event; costs D backward passes.

    Example:
        >>> hyvarinen_loss(lambda x: -x, torch.ones(1, 2)).detach()
        tensor([-1.])

    Source: Hyvarinen 2005, eq. 4.
    Lesson: notebooks/11_score_matching.ipynb
    """
    s, trace = exact(score, x)
    return trace + 0.5 * sum_event(s**2)


def sliced_loss(
    score: Score, x: Event, probes: Float[Tensor, " k b *event"], *, reduced: bool = True
) -> PerExample:
    r"""Score matching along random directions: one backward pass a slice instead of D.

    $$\ell = v^\top \nabla s(x)\, v + \tfrac12 \lVert s(x)\rVert^2
      \quad\text{or}\quad v^\top \nabla s(x)\, v + \tfrac12 (v^\top s(x))^2$$

    Both have the mean of `hyvarinen_loss` when $\mathbb E[vv^\top] = I$; the first, *reduced* in
    variance, does not slice what is known anyway.

    Args:
        score: the model $s$, row by row.
        x: examples, `(b, *event)`.
        probes: $v$, `(k, b, *event)`, for instance `solvers.divergence.rademacher`.
        reduced: the first form; otherwise the second.

    Returns:
        `(b,)`, mean over the k slices.

    Example:
        >>> sliced_loss(lambda x: -x, torch.ones(1, 2), torch.ones(1, 1, 2)).detach()
        tensor([-1.])

    Source: Song et al. 2019 (arXiv:1905.07088), section 3.1: SSM-VR, and SSM.
    Lesson: notebooks/11_score_matching.ipynb
    """
    s, slope = hutchinson(score, x, probes)
    if reduced:
        return slope + 0.5 * sum_event(s**2)
    projections = torch.stack([sum_event(s * v) for v in probes])
    return slope + 0.5 * (projections**2).mean(0)


def dsm_loss(score: Score, x0: Event, eps: Event, *, sigma: Sigma) -> PerExample:
    r"""Denoising score matching: regress on the slope of the noise, which is known.

    $$\ell = \tfrac12\lVert s(x_0 + \sigma\epsilon) + \epsilon/\sigma\rVert^2$$

    Minimised by $s = \nabla\log p_\sigma$, the score of the *noised* data, and positive there: its
    mean is `esm_loss` on the noised data plus the mean of `dsm_floor`.

    Args:
        score: the model $s$ at this noise level.
        x0: clean examples, `(b, *event)`.
        eps: standard normal noise, like `x0`.
        sigma: noise level, positive, one number or `(b,)`.

    Returns:
        `(b,)`, summed over the event; grows like $D/2\sigma^2$ as the noise goes to 0.

    Raises:
        ValueError: a noise level is not positive.

    Example:
        >>> dsm_loss(lambda x: 0 * x, torch.tensor([[2.0]]), torch.tensor([[0.5]]), sigma=1.0)
        tensor([0.1250])

    Source: Vincent 2011, eq. 9 and 10.
    Lesson: notebooks/11_score_matching.ipynb
    """
    level = expand(_positive(sigma, x0), x0)
    s = score(x0 + level * eps)
    require_alike(score=s, eps=eps)
    return 0.5 * sum_event((s + eps / level) ** 2)


def dsm_floor(true_score: Event, *, sigma: Sigma) -> PerExample:
    r"""The constant between the denoising and the explicit objective: what no network can remove.

    $$c = \frac{D}{2\sigma^2} - \tfrac12\lVert\nabla\log p_\sigma(x_t)\rVert^2$$

    Its mean over the noised data is $\mathbb E\operatorname{tr}\mathrm{Cov}[x_0\mid x_t]/2\sigma^4
    \ge 0$: for $\mathcal N(0,1)$ data and $\sigma = 1$ it is $\tfrac14$.

    Args:
        true_score: $\nabla\log p_\sigma(x_t)$ at noised examples, `(b, *event)`.
        sigma: noise level, positive, one number or `(b,)`.

    Returns:
        `(b,)`; single values may be negative, their mean is not.

    Raises:
        ValueError: a noise level is not positive.

    Example:
        >>> dsm_floor(torch.tensor([[0.5]]), sigma=1.0)
        tensor([0.3750])

    Source: Vincent 2011, appendix: the constants that its proof drops, for normal noise.
    Lesson: notebooks/11_score_matching.ipynb
    """
    level = _positive(sigma, true_score)
    return math.prod(true_score.shape[1:]) / (2 * level**2) - 0.5 * sum_event(true_score**2)


def _positive(sigma: Sigma, like: Tensor) -> Tensor:
    level = torch.as_tensor(sigma, dtype=as_real(like).dtype, device=like.device)
    require_positive(sigma=level)
    return level
