r"""Games small enough to see: two numbers, two players, and what becomes of gradient steps.

$$\min_x \max_y\; a\,xy \qquad\Rightarrow\qquad \dot x = -a\,y, \quad \dot y = +a\,x$$
"""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import softplus

from genlab.core.checked import check_public
from genlab.core.stats import kl_categorical
from genlab.core.tensors import PerExample, require_between, require_probabilities

Field: TypeAlias = Callable[
    [Float[Tensor, " *b 2"]], Float[Tensor, " *b 2"]
]  # where each player would go, at unit learning rate


def bilinear_field(z: Float[Tensor, " *b 2"], *, strength: float = 1.0) -> Float[Tensor, " *b 2"]:
    r"""Both players' directions in the game with value $a\,xy$ (Goodfellow 2016, section 7.2).

    $$v(x, y) = (-a\,y,\; +a\,x)$$

    A rotation: $v(z)\cdot z = 0$ everywhere.
    """
    x, y = z.unbind(-1)
    return strength * torch.stack([-y, x], -1)


def dirac_field(z: Float[Tensor, " *b 2"], *, gamma: float = 0.0) -> Float[Tensor, " *b 2"]:
    r"""Both players' directions in the smallest GAN there is, with an $R_1$ penalty.

    The data are one point at 0, the sample is $\theta$, the discriminator's logit $l(x) = \psi x$:

    $$v(\theta, \psi) = \big(\psi\,\sigma(\psi\theta),\; -\theta\,\sigma(\psi\theta)
      - \gamma\,\psi\big)$$

    Near $(0, 0)$ the distance falls like $e^{-\gamma t/2}$. Mescheder, Geiger and Nowozin 2018
    (arXiv:1801.04406), definition 2.1, eq. 9.
    """
    require_between(0, math.inf, gamma=gamma)
    theta, psi = z.unbind(-1)
    turn = (theta * psi).sigmoid()
    return torch.stack([psi * turn, -theta * turn - gamma * psi], -1)


def simultaneous_step(
    z: Float[Tensor, " *b 2"], *, field: Field, lr: float
) -> Float[Tensor, " *b 2"]:
    r"""Both players step at once, each against the other's old position.

    $$z_{k+1} = z_k + \eta\, v(z_k)$$

    In the bilinear game the distance from the equilibrium grows by $\sqrt{1+\eta^2a^2}$.
    """
    return z + lr * field(z)


def alternating_step(
    z: Float[Tensor, " *b 2"], *, field: Field, lr: float
) -> Float[Tensor, " *b 2"]:
    r"""The first player steps, then the second one answers the new position.

    $$x_{k+1} = x_k + \eta\, v_x(x_k, y_k), \qquad y_{k+1} = y_k + \eta\, v_y(x_{k+1}, y_k)$$

    In the bilinear game it keeps $x^2 + y^2 - \eta a\,xy$ (Mescheder et al. 2018, section 3.1).
    """
    first = z.new_tensor([1.0, 0.0])
    second = z.new_tensor([0.0, 1.0])
    z = z + lr * first * field(z)
    return z + lr * second * field(z)


def play(
    z: Float[Tensor, " *b 2"],
    step: Callable[[Float[Tensor, " *b 2"]], Float[Tensor, " *b 2"]],
    *,
    n_steps: int,
) -> Iterator[Float[Tensor, " *b 2"]]:
    """Yield the state after each of `n_steps` steps."""
    require_between(0, math.inf, n_steps=n_steps)
    for _ in range(n_steps):
        z = step(z)
        yield z


def running_mean(states: Iterable[Float[Tensor, " *b 2"]]) -> Iterator[Float[Tensor, " *b 2"]]:
    r"""Yield the average of the states so far: $\bar z_n = \tfrac1n \sum_{k\le n} z_k$."""
    total: Tensor | float = 0.0
    for n, z in enumerate(states, 1):
        total = total + z
        yield total / n


def extragradient_step(
    z: Float[Tensor, " *b 2"], *, field: Field, lr: float
) -> Float[Tensor, " *b 2"]:
    r"""Look one step ahead, and step with the direction found there (Korpelevich 1976).

    $$z_{k+1} = z_k + \eta\, v\big(z_k + \eta\, v(z_k)\big)$$

    In the bilinear game the distance shrinks by $\sqrt{1 - \eta^2a^2 + \eta^4a^4}$, for $\eta a <
    1$.
    """
    return z + lr * field(z + lr * field(z))


def play_optimistic(
    z: Float[Tensor, " *b 2"], *, field: Field, lr: float, n_steps: int
) -> Iterator[Float[Tensor, " *b 2"]]:
    r"""Yield the state after each optimistic step, the first a plain one (Daskalakis et al. 2018).

    $$z_{k+1} = z_k + \eta\,\big(2\,v(z_k) - v(z_{k-1})\big)$$
    """
    before = field(z)
    for _ in range(n_steps):
        v = field(z)
        z, before = z + lr * (2 * v - before), v
        yield z


def jensen_shannon(p: Float[Tensor, " *b k"], q: Float[Tensor, " *b k"]) -> Float[Tensor, " *b"]:
    r"""Jensen-Shannon divergence between distributions over k outcomes, nats, in $[0, \log 2]$.

    $$\mathrm{JS}(p\,\|\,q) = \tfrac12\mathrm{KL}(p\,\|\,m) + \tfrac12\mathrm{KL}(q\,\|\,m),
      \qquad m = \tfrac12(p + q)$$

    Goodfellow et al. 2014 (arXiv:1406.2661), eq. 6.
    """
    m = (p + q) / 2
    return (kl_categorical(p, m) + kl_categorical(q, m)) / 2


Curve: TypeAlias = Callable[[Tensor], Tensor]


def best_value(p: Float[Tensor, " *b k"], q: Float[Tensor, " *b k"]) -> Float[Tensor, " *b"]:
    r"""Value of the game against the best discriminator, nats (Goodfellow et al. 2014, eqs. 4-6).

    $$V(D^*, G) = \sum_i p_i \log\frac{p_i}{p_i+q_i} + q_i \log\frac{q_i}{p_i+q_i}
      = -\log 4 + 2\,\mathrm{JS}(p\,\|\,q)$$
    """
    require_probabilities(p=p, q=q)
    total = p + q
    entropies = torch.xlogy(p, p) + torch.xlogy(q, q)
    return (entropies - torch.xlogy(total, total)).sum(-1)


def non_saturating_divergence(
    p: Float[Tensor, " *b k"], q: Float[Tensor, " *b k"]
) -> Float[Tensor, " *b"]:
    r"""What the non-saturating generator descends when the discriminator is at its best, nats.

    $$\mathrm{KL}(q\,\|\,p) - 2\,\mathrm{JS}(p\,\|\,q)$$

    Infinite where `q > 0` and `p = 0`. Arjovsky and Bottou 2017 (arXiv:1701.04862), theorem 2.5.
    """
    return kl_categorical(q, p) - 2 * jensen_shannon(p, q)


@dataclass(frozen=True)
class FDivergence:
    """One row of the f-GAN table; all four members act elementwise."""

    f: Curve  # convex on u > 0, with f(1) = 0 for a divergence
    slope: Curve  # f'(u): the best discriminator, as a function of u = p / q
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
# T = log D. Here f(1) = -log 4: the "divergence" of equals is the game's equilibrium value.
GAME = FDivergence(
    f=lambda u: torch.xlogy(u, u) - (u + 1) * (u + 1).log(),
    slope=lambda u: (u / (u + 1)).log(),
    conjugate=lambda t: -(-torch.expm1(t)).log(),
    activation=lambda v: -softplus(-v),
)


def f_gan_bound(row: FDivergence, v_real: PerExample, v_fake: PerExample) -> PerExample:
    r"""One pair's contribution to the lower bound that a discriminator $T = a(v)$ gives.

    $$a(v_x) - f^*\big(a(v_{G(z)})\big), \qquad
      \mathbb E_p\, T - \mathbb E_q\, f^*(T) \le D_f(p\,\|\,q)$$

    Tight exactly at $T^* = f'(p/q)$. Nowozin et al. 2016 (arXiv:1606.00709), eqs. 4 to 6.
    """
    return row.activation(v_real) - row.conjugate(row.activation(v_fake))


check_public(__name__)
