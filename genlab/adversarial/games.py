r"""Games small enough to see: two numbers, two players, and what becomes of gradient steps.

$$\min_x \max_y\; a\,xy \qquad\Rightarrow\qquad
\dot x = -a\,y, \quad \dot y = +a\,x$$

The field turns around the equilibrium and never points at it. Followed in steps of finite length
it spirals outwards, by $\sqrt{1+\eta^2a^2}$ a step. Taking turns, averaging, friction (here) and
looking ahead (`lookahead.py`) are cures.

Lesson: notebooks/07_gans_minimax.ipynb
Sources: Mescheder, Geiger and Nowozin 2018 (arXiv:1801.04406), definition 2.1 and
section 3; Goodfellow 2016 (arXiv:1701.00160), section 7.2.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias, final

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import softplus

from genlab.core.stats import kl_categorical
from genlab.core.tensors import PerExample, require_alike, require_between

State: TypeAlias = Float[Tensor, " *b 2"]
Field: TypeAlias = Callable[[State], State]  # where each player would go, at unit learning rate


def bilinear_field(z: State, *, strength: float = 1.0) -> State:
    r"""Both players' directions in the game with value $a\,xy$.

    $$v(x, y) = (-a\,y,\; +a\,x)$$

    A rotation: $v(z)\cdot z = 0$ everywhere.

    Args:
        z: $(x, y)$, `(*b, 2)`; x minimises, y maximises.
        strength: $a$.

    Returns:
        Like `z`.

    Example:
        >>> bilinear_field(torch.tensor([1.0, 2.0]))
        tensor([-2.,  1.])

    Source: Goodfellow 2016 (arXiv:1701.00160), section 7.2.
    Lesson: notebooks/07_gans_minimax.ipynb
    """
    x, y = z.unbind(-1)
    return strength * torch.stack([-y, x], -1)


def dirac_field(z: State, *, gamma: float = 0.0) -> State:
    r"""Both players' directions in the smallest GAN there is, with an $R_1$ penalty.

    The data are one point at 0, the generator makes one point at $\theta$, the critic's logit is
    $l(x) = \psi x$; with the minimax loss and the penalty $\tfrac\gamma2\psi^2$

    $$v(\theta, \psi) = \big(\psi\,\sigma(\psi\theta),\; -\theta\,\sigma(\psi\theta)
      - \gamma\,\psi\big)$$

    Without the penalty it turns: $v(z)\cdot z = 0$ everywhere, as in the bilinear game. The penalty
    adds friction, and near the equilibrium $(0, 0)$ the distance falls like $e^{-\gamma t/2}$.

    Args:
        z: $(\theta, \psi)$, `(*b, 2)`.
        gamma: weight of the penalty, not negative.

    Returns:
        Like `z`.

    Raises:
        ValueError: `gamma` is negative.

    Example:
        >>> dirac_field(torch.tensor([1.0, 0.0]), gamma=1.0)
        tensor([ 0.0000, -0.5000])

    Source: Mescheder, Geiger and Nowozin 2018 (arXiv:1801.04406), definition 2.1, eq. 9.
    Lesson: notebooks/07_gans_minimax.ipynb
    """
    if not gamma >= 0:
        raise ValueError(f"gamma must not be negative, got {gamma}")
    theta, psi = z.unbind(-1)
    turn = (theta * psi).sigmoid()
    return torch.stack([psi * turn, -theta * turn - gamma * psi], -1)


def simultaneous_step(z: State, *, field: Field, lr: float) -> State:
    r"""Both players step at once, each against the other's old position.

    $$z_{k+1} = z_k + \eta\, v(z_k)$$

    In the bilinear game the distance from the equilibrium grows by $\sqrt{1+\eta^2a^2}$.

    Args:
        z: both players, `(*b, 2)`.
        field: directions of both players.
        lr: $\eta$.

    Returns:
        Like `z`.

    Example:
        >>> simultaneous_step(torch.tensor([1.0, 0.0]), field=bilinear_field, lr=0.5)
        tensor([1.0000, 0.5000])

    Source: Mescheder, Geiger and Nowozin 2018 (arXiv:1801.04406), section 3.1.
    Lesson: notebooks/07_gans_minimax.ipynb
    """
    return z + lr * field(z)


def alternating_step(z: State, *, field: Field, lr: float) -> State:
    r"""The first player steps, then the second one answers the new position.

    $$x_{k+1} = x_k + \eta\, v_x(x_k, y_k), \qquad y_{k+1} = y_k + \eta\, v_y(x_{k+1}, y_k)$$

    In the bilinear game it keeps $x^2 + y^2 - \eta a\,xy$: an ellipse, for $\eta a < 2$.

    Args:
        z: both players, `(*b, 2)`.
        field: directions of both players.
        lr: $\eta$.

    Returns:
        Like `z`.

    Example:
        >>> alternating_step(torch.tensor([0.0, 1.0]), field=bilinear_field, lr=0.5)
        tensor([-0.5000,  0.7500])

    Source: Mescheder, Geiger and Nowozin 2018 (arXiv:1801.04406), section 3.1.
    Lesson: notebooks/07_gans_minimax.ipynb
    """
    first, second = z.new_tensor([1.0, 0.0]), z.new_tensor([0.0, 1.0])
    z = z + lr * first * field(z)
    return z + lr * second * field(z)


def play(z: State, step: Callable[[State], State], *, n_steps: int) -> Iterator[State]:
    """Yield the state after each of `n_steps` steps.

    Args:
        z: where both players start, `(*b, 2)`.
        step: one of this file's steps, its field and learning rate already chosen.
        n_steps: how many.

    Yields:
        Like `z`.
    """
    require_between(0, math.inf, n_steps=n_steps)
    for _ in range(n_steps):
        z = step(z)
        yield z


def running_mean(states: Iterable[State]) -> Iterator[State]:
    r"""Yield the average of the states so far: $\bar z_n = \tfrac1n \sum_{k\le n} z_k$.

    Args:
        states: a game being played.

    Yields:
        Like one state.
    """
    total: Tensor | float = 0.0
    for n, z in enumerate(states, 1):
        total = total + z
        yield total / n


def extragradient_step(z: State, *, field: Field, lr: float) -> State:
    r"""Look one step ahead, and step with the direction found there.

    $$z_{k+1} = z_k + \eta\, v\big(z_k + \eta\, v(z_k)\big)$$

    In the bilinear game the distance shrinks by $\sqrt{1 - \eta^2a^2 + \eta^4a^4}$, for
    $\eta a < 1$.

    Args:
        z: both players, `(*b, 2)`.
        field: directions of both players.
        lr: $\eta$.

    Returns:
        Like `z`.

    Example:
        >>> import torch
        >>> from genlab.adversarial.games import bilinear_field
        >>> extragradient_step(torch.tensor([1.0, 0.0]), field=bilinear_field, lr=0.5)
        tensor([0.7500, 0.5000])

    Source: Korpelevich 1976, Matecon 12, the method of its title.
    Lesson: notebooks/07_gans_minimax.ipynb
    """
    return z + lr * field(z + lr * field(z))


def optimistic_step(z: State, v_before: State, *, field: Field, lr: float) -> tuple[State, State]:
    r"""Step along the direction extrapolated from the last one: one field value a step.

    $$z_{k+1} = z_k + \eta\,\big(2\,v(z_k) - v(z_{k-1})\big)$$

    Args:
        z: both players, `(*b, 2)`.
        v_before: $v(z_{k-1})$, like `z`; `field(z)` at the first step.
        field: directions of both players.
        lr: $\eta$.

    Returns:
        $z_{k+1}$ and $v(z_k)$.

    Example:
        >>> import torch
        >>> from genlab.adversarial.games import bilinear_field
        >>> z, v = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])
        >>> optimistic_step(z, v, field=bilinear_field, lr=0.5)
        (tensor([1.0000, 0.5000]), tensor([-0., 1.]))

    Source: Daskalakis et al. 2018 (arXiv:1711.00141), eq. 1.
    Lesson: notebooks/07_gans_minimax.ipynb
    """
    v = field(z)
    return z + lr * (2 * v - v_before), v


def play_optimistic(z: State, *, field: Field, lr: float, n_steps: int) -> Iterator[State]:
    """Yield the state after each optimistic step; the first one is a plain step.

    Args:
        z: where both players start, `(*b, 2)`.
        field: directions of both players.
        lr: learning rate.
        n_steps: how many.

    Yields:
        Like `z`.
    """
    v = field(z)
    for _ in range(n_steps):
        z, v = optimistic_step(z, v, field=field, lr=lr)
        yield z


def critic_loss(logits_real: PerExample, logits_fake: PerExample) -> PerExample:
    r"""What the critic minimises: the negative value of the game.

    $$-\log D(x) - \log\big(1 - D(G(z))\big)
      = \mathrm{softplus}(-l_x) + \mathrm{softplus}(l_{G(z)})$$

    At the best critic its expectation is $\log 4 - 2\,\mathrm{JS}(p\,\|\,q)$.

    Args:
        logits_real: $l$ on real examples, `(b,)`.
        logits_fake: $l$ on as many generated ones, `(b,)`.

    Returns:
        `(b,)` nats, positive.

    Example:
        >>> import torch
        >>> critic_loss(torch.zeros(1), torch.zeros(1))  # log 4
        tensor([1.3863])

    Source: Goodfellow et al. 2014 (arXiv:1406.2661), eq. 1.
    Lesson: notebooks/07_gans_minimax.ipynb
    """
    require_alike(logits_real=logits_real, logits_fake=logits_fake)
    return softplus(-logits_real) + softplus(logits_fake)


def minimax_generator_loss(logits_fake: PerExample) -> PerExample:
    r"""What the generator minimises in the game as first stated; saturates against a sure critic.

    $$\log\big(1 - D(G(z))\big) = -\mathrm{softplus}(l), \qquad \frac{d}{dl} = -D$$

    Args:
        logits_fake: $l$ on generated examples, `(b,)`.

    Returns:
        `(b,)` nats, negative; the slope vanishes where the critic is sure ($D\to0$).

    Example:
        >>> import torch
        >>> minimax_generator_loss(torch.zeros(1))
        tensor([-0.6931])

    Source: Goodfellow et al. 2014 (arXiv:1406.2661), eq. 1.
    Lesson: notebooks/07_gans_minimax.ipynb
    """
    return -softplus(logits_fake)


def non_saturating_generator_loss(logits_fake: PerExample) -> PerExample:
    r"""What the generator minimises in practice: it keeps its slope where it is losing.

    $$-\log D(G(z)) = \mathrm{softplus}(-l), \qquad \frac{d}{dl} = -(1 - D)$$

    Args:
        logits_fake: $l$ on generated examples, `(b,)`.

    Returns:
        `(b,)` nats, positive.

    Example:
        >>> import torch
        >>> non_saturating_generator_loss(torch.zeros(1))
        tensor([0.6931])

    Source: Goodfellow et al. 2014 (arXiv:1406.2661), section 3.
    Lesson: notebooks/07_gans_minimax.ipynb
    """
    return softplus(-logits_fake)


def optimal_logits(log_p: PerExample, log_q: PerExample) -> PerExample:
    r"""The best critic against a fixed generator is the log-ratio of the two densities.

    $$l^*(x) = \log p(x) - \log q(x), \qquad D^* = \mathrm{sigmoid}(l^*) = \frac{p}{p+q}$$

    Args:
        log_p: log-density of the data, `(b,)` nats.
        log_q: log-density of the generator's samples, `(b,)` nats.

    Returns:
        `(b,)`.

    Example:
        >>> import torch
        >>> optimal_logits(torch.tensor([0.5]).log(), torch.tensor([0.7]).log()).sigmoid()
        tensor([0.4167])

    Source: Goodfellow et al. 2014 (arXiv:1406.2661), proposition 1.
    Lesson: notebooks/07_gans_minimax.ipynb
    """
    require_alike(log_p=log_p, log_q=log_q)
    return log_p - log_q


def jensen_shannon(p: Float[Tensor, " *b k"], q: Float[Tensor, " *b k"]) -> Float[Tensor, " *b"]:
    r"""Jensen-Shannon divergence between distributions over k outcomes.

    $$\mathrm{JS}(p\,\|\,q) = \tfrac12\mathrm{KL}(p\,\|\,m) + \tfrac12\mathrm{KL}(q\,\|\,m),
      \qquad m = \tfrac12(p + q)$$

    Zero exactly when $p = q$; $\log 2$ exactly when they share no outcome.

    Args:
        p: probabilities, `(*b, k)`, each row sums to 1.
        q: probabilities, `(*b, k)`, each row sums to 1.

    Returns:
        `(*b,)` nats, in $[0, \log 2]$.

    Raises:
        ValueError: a probability is negative or a row does not sum to 1.

    Example:
        >>> import torch
        >>> jensen_shannon(torch.tensor([0.5, 0.5]), torch.tensor([0.7, 0.3]))
        tensor(0.0210)

    Source: Goodfellow et al. 2014 (arXiv:1406.2661), eq. 6.
    Lesson: notebooks/07_gans_minimax.ipynb
    """
    m = (p + q) / 2
    return (kl_categorical(p, m) + kl_categorical(q, m)) / 2


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
