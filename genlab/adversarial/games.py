r"""Games small enough to see: two numbers, two players, and what becomes of gradient steps.

$$\min_x \max_y\; a\,xy \qquad\Rightarrow\qquad \dot x = -a\,y, \quad \dot y = +a\,x$$
"""

import math
from collections.abc import Callable, Iterator
from typing import TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor

from genlab.core.checked import check_public
from genlab.core.stats import kl_categorical
from genlab.core.tensors import require_between

Field: TypeAlias = Callable[
    [Float[Tensor, " *b 2"]], Float[Tensor, " *b 2"]
]  # where each player would go, at unit learning rate


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


def non_saturating_divergence(
    p: Float[Tensor, " *b k"], q: Float[Tensor, " *b k"]
) -> Float[Tensor, " *b"]:
    r"""What the non-saturating generator descends when the discriminator is at its best, nats.

    $$\mathrm{KL}(q\,\|\,p) - 2\,\mathrm{JS}(p\,\|\,q)$$

    Infinite where `q > 0` and `p = 0`. Arjovsky and Bottou 2017 (arXiv:1701.04862), theorem 2.5.
    """
    return kl_categorical(q, p) - 2 * jensen_shannon(p, q)


check_public(__name__)
