r"""What the game measures: the value at the best critic, and the divergences a critic can bound.

$$V(D^*, G) = -\log 4 + 2\,\mathrm{JS}(p\,\|\,q), \qquad
D_f(p\,\|\,q) = \mathbb E_q\, f\!\Big(\frac{p}{q}\Big)
\ge \mathbb E_p\, T(x) - \mathbb E_q\, f^*(T(x))$$

The second line is the game with another convex $f$: any critic $T$ gives a lower bound, and the
critic $T^* = f'(p/q)$ closes it. The game of 2014 is the row `GAME`.

Lesson: notebooks/07_gans_minimax.ipynb
Sources: Goodfellow et al. 2014 (arXiv:1406.2661), theorem 1; Nowozin, Cseke and Tomioka 2016
(arXiv:1606.00709), eqs. 2 to 6 and tables 1, 2, 6; Arjovsky and Bottou 2017 (arXiv:1701.04862),
theorem 2.5.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias, final

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import softplus

from genlab.core.shapes import PerExample
from genlab.core.stats import kl_categorical

from .objectives import jensen_shannon

Probs: TypeAlias = Float[Tensor, " *b k"]
Curve: TypeAlias = Callable[[Tensor], Tensor]


def best_value(p: Probs, q: Probs) -> Float[Tensor, " *b"]:
    r"""Value of the game against the best critic, over k outcomes.

    $$V(D^*, G) = \sum_i p_i \log\frac{p_i}{p_i+q_i} + q_i \log\frac{q_i}{p_i+q_i}
      = -\log 4 + 2\,\mathrm{JS}(p\,\|\,q)$$

    Args:
        p: probabilities of the data, `(*b, k)`, each row sums to 1.
        q: probabilities of the generator, like `p`.

    Returns:
        `(*b,)` nats, from $-\log 4$ (equal) to 0 (no shared outcome).

    Example:
        >>> best_value(torch.tensor([0.5, 0.5]), torch.tensor([0.7, 0.3]))
        tensor(-1.3443)

    Source: Goodfellow et al. 2014 (arXiv:1406.2661), eqs. 4 to 6.
    Lesson: notebooks/07_gans_minimax.ipynb
    """
    total = p + q
    entropies = torch.xlogy(p, p) + torch.xlogy(q, q)
    return (entropies - torch.xlogy(total, total)).sum(-1)


def non_saturating_divergence(p: Probs, q: Probs) -> Float[Tensor, " *b"]:
    r"""What the non-saturating generator descends when the critic is at its best.

    $$\mathrm{KL}(q\,\|\,p) - 2\,\mathrm{JS}(p\,\|\,q)$$

    Its slope equals the slope of $\mathbb E_q[-\log D]$ with $D = D^*$ held still; the values
    differ. The reverse KL makes it mode-seeking, and the sign before JS pushes apart.

    Args:
        p: probabilities of the data, `(*b, k)`, each row sums to 1.
        q: probabilities of the generator, like `p`.

    Returns:
        `(*b,)` nats, never negative; infinite where `q > 0` and `p = 0`.

    Raises:
        ValueError: a probability is negative or a row does not sum to 1.

    Example:
        >>> non_saturating_divergence(torch.tensor([0.5, 0.5]), torch.tensor([0.7, 0.3]))
        tensor(0.0403)

    Source: Arjovsky and Bottou 2017 (arXiv:1701.04862), theorem 2.5.
    Lesson: notebooks/07_gans_minimax.ipynb
    """
    return kl_categorical(q, p) - 2 * jensen_shannon(p, q)


@final
@dataclass(frozen=True)
class FDivergence:
    """One row of the f-GAN table; all four members act elementwise."""

    f: Curve  # convex on u > 0, with f(1) = 0 for a divergence
    slope: Curve  # f'(u): the best critic, as a function of u = p / q
    conjugate: Curve  # f*(t) = sup over u of (u t - f(u))
    activation: Curve  # maps any real number into the domain of f*


KL = FDivergence(
    f=lambda u: torch.xlogy(u, u),
    slope=lambda u: 1 + u.log(),
    conjugate=lambda t: (t - 1).exp(),
    activation=lambda v: v,
)
REVERSE_KL = FDivergence(
    f=lambda u: -u.log(),
    slope=lambda u: -1 / u,
    conjugate=lambda t: -1 - (-t).log(),
    activation=lambda v: -(-v).exp(),
)
PEARSON = FDivergence(
    f=lambda u: (u - 1) ** 2,
    slope=lambda u: 2 * (u - 1),
    conjugate=lambda t: t**2 / 4 + t,
    activation=lambda v: v,
)
# Half of the paper's row, so that the divergence is JS itself, at most log 2, and not twice JS.
JENSEN_SHANNON = FDivergence(
    f=lambda u: (torch.xlogy(u, u) - (u + 1) * ((u + 1) / 2).log()) / 2,
    slope=lambda u: (2 * u / (u + 1)).log() / 2,
    conjugate=lambda t: -(2 - (2 * t).exp()).log() / 2,
    activation=lambda v: (math.log(2) - softplus(-v)) / 2,
)
# T = log D. Here f(1) = -log 4: the "divergence" of two equal laws is the game's equilibrium value.
GAME = FDivergence(
    f=lambda u: torch.xlogy(u, u) - (u + 1) * (u + 1).log(),
    slope=lambda u: (u / (u + 1)).log(),
    conjugate=lambda t: -(-torch.expm1(t)).log(),
    activation=lambda v: -softplus(-v),
)


def f_divergence(row: FDivergence, p: Probs, q: Probs) -> Float[Tensor, " *b"]:
    r"""Divergence of two distributions over k outcomes, by its definition.

    $$D_f(p\,\|\,q) = \sum_i q_i\, f(p_i / q_i)$$

    Args:
        row: which divergence.
        p: probabilities, `(*b, k)`.
        q: probabilities, all positive, like `p`.

    Returns:
        `(*b,)`: nats for the divergences made of logarithms, no unit for Pearson's.

    Raises:
        ValueError: `q` has an outcome without mass, where $f(p/q)$ is not defined.

    Example:
        >>> f_divergence(PEARSON, torch.tensor([0.5, 0.5]), torch.tensor([0.7, 0.3]))
        tensor(0.1905)

    Source: Nowozin, Cseke and Tomioka 2016 (arXiv:1606.00709), eq. 2.
    Lesson: notebooks/07_gans_minimax.ipynb
    """
    if not bool((q > 0).all()):
        raise ValueError(f"q contains {q.min().item()}, expected every outcome to have mass")
    return (q * row.f(p / q)).sum(-1)


def f_gan_bound(row: FDivergence, v_real: PerExample, v_fake: PerExample) -> PerExample:
    r"""One pair's contribution to the lower bound that a critic $T = a(v)$ gives.

    $$a(v_x) - f^*\big(a(v_{G(z)})\big), \qquad
      \mathbb E_p\, T - \mathbb E_q\, f^*(T) \le D_f(p\,\|\,q)$$

    Equal to the divergence, in expectation, exactly at $T^* = f'(p/q)$. The critic maximises it,
    the generator minimises it.

    Args:
        row: which divergence.
        v_real: raw outputs of the critic on real examples, `(b,)`, any real numbers.
        v_fake: raw outputs on as many generated ones, `(b,)`.

    Returns:
        `(b,)`, in the unit of the divergence.

    Example:
        >>> f_gan_bound(GAME, torch.zeros(1), torch.zeros(1))  # -log 4: a critic that only guesses
        tensor([-1.3863])

    Source: Nowozin, Cseke and Tomioka 2016 (arXiv:1606.00709), eqs. 4 to 6.
    Lesson: notebooks/07_gans_minimax.ipynb
    """
    return row.activation(v_real) - row.conjugate(row.activation(v_fake))
