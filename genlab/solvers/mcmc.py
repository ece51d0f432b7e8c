"""Langevin dynamics: sampling from a density of which only the slope is known.

Roberts and Tweedie 1996, Bernoulli 2, eqs. 1 to 4; Welling and Teh 2011, eq. 3.
"""

import math
from collections.abc import Callable, Iterator
from typing import TypeAlias

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from genlab.core import Event, PerExample, Rng, drawn, expand, randn, sum_event
from genlab.core.checked import check_public
from genlab.core.tensors import require_between, require_finite, require_positive, require_rows

Slope: TypeAlias = Callable[[Tensor], Tensor]
LogDensity: TypeAlias = Callable[[Tensor], Tensor]


def langevin_step(
    x: Event, score: Event, z: Event, *, step_size: float, temperature: float = 1.0
) -> Event:
    r"""One unadjusted step: up the slope, then noise.

    $$x' = x + \eta\,\nabla\log p(x) + \sqrt{2\eta T}\; z$$

    For $\mathcal N(0,1)$ and $T = 1$ the stationary variance is $1/(1 - \eta/2)$ (Roberts and
    Tweedie, eq. 3 with $h = 2\eta$).
    """
    require_positive(step_size=step_size)
    require_between(0, math.inf, temperature=temperature)
    return x + step_size * score + (2 * step_size * temperature) ** 0.5 * z


def langevin(
    score: Slope,
    x0: Event,
    *,
    step_size: float,
    n_steps: int,
    temperature: float = 1.0,
    generator: Rng = None,
) -> Iterator[Tensor]:
    r"""Unadjusted Langevin chains, one a row of `x0` (Welling and Teh, $\epsilon = 2\eta$)."""
    require_between(0, math.inf, n_steps=n_steps)
    x = x0
    for _ in range(n_steps):
        z = randn(x.shape, like=x, generator=generator)
        x = langevin_step(x, score(x), z, step_size=step_size, temperature=temperature)
        yield x


def mala_step(
    log_prob: LogDensity, score: Slope, x: Event, z: Event, u: PerExample, *, step_size: float
) -> tuple[Event, Bool[Tensor, " b"]]:
    r"""One Langevin step that is kept or refused, so that p is exactly stationary.

    $$a = \min\Big(1,\ \frac{p(x')\, q(x \mid x')}{p(x)\, q(x' \mid x)}\Big), \qquad
    q(x' \mid x) = \mathcal N(x';\, x + \eta\nabla\log p(x),\, 2\eta I)$$

    ValueError: $\log p$ or its slope at `x` is not a number.
    """
    slope = score(x)
    level = log_prob(x)
    require_finite(score=slope)  # every comparison with NaN is false: all moves would be refused
    require_between(-math.inf, math.inf, log_prob=level)
    proposal = langevin_step(x, slope, z, step_size=step_size)
    back = (x - proposal - step_size * score(proposal)) / (2 * step_size) ** 0.5
    log_ratio = log_prob(proposal) - level - 0.5 * sum_event(back**2 - z**2)
    accepted = u.log() < log_ratio
    return torch.where(expand(accepted, x), proposal, x), accepted


def mala(
    log_prob: LogDensity,
    score: Slope,
    x0: Event,
    *,
    step_size: float,
    n_steps: int,
    generator: Rng = None,
) -> Iterator[Tensor]:
    """Metropolis-adjusted Langevin chains, one for each row of `x0`: no bias of the step."""
    require_between(0, math.inf, n_steps=n_steps)
    x = x0
    for _ in range(n_steps):
        z = randn(x.shape, like=x, generator=generator)
        u = drawn(torch.rand, len(x), dtype=x.dtype, device=x.device, generator=generator)
        x, _ = mala_step(log_prob, score, x, z, u, step_size=step_size)
        yield x


def langevin_matrix(
    score: Float[Tensor, " n"], x: Float[Tensor, " n"], *, step_size: float
) -> Float[Tensor, " n n"]:
    r"""Unadjusted Langevin on a line, as a matrix; ValueError: the step is too short for this grid.

    $$P_{ij} \propto \exp\Big(-\frac{(x_j - x_i - \eta\,\nabla\log p(x_i))^2}{4\eta}\Big)$$
    """
    moved = x[None, :] - x[:, None] - step_size * score[:, None]
    _require_fine_grid(x, step_size)
    return torch.softmax(-(moved**2) / (4 * step_size), dim=1)


def mala_matrix(
    log_prob: Float[Tensor, " n"],
    score: Float[Tensor, " n"],
    x: Float[Tensor, " n"],
    *,
    step_size: float,
) -> Float[Tensor, " n n"]:
    r"""The same chain with Metropolis' test: $\pi_i \propto p(x_i)$ is stationary without error.

    $$P_{ij} = K_{ij}\min\Big(1, \frac{\pi_j K_{ji}}{\pi_i K_{ij}}\Big) \ (i\ne j), \qquad
    P_{ii} = 1 - \sum_{j\ne i} P_{ij}$$
    """
    proposal = langevin_matrix(score, x, step_size=step_size)
    forward = log_prob[:, None] + proposal.log()
    ratio = (forward.T - forward).clamp(max=0).exp()
    accepted = proposal * ratio
    accepted.fill_diagonal_(0.0)
    return accepted + torch.diag(1 - accepted.sum(1))


def stationary(matrix: Float[Tensor, " n n"]) -> Float[Tensor, " n"]:
    r"""Where a chain settles: the row vector with $\pi P = \pi$, sum 1 (Levin and Peres, 1.5)."""
    n = len(matrix)
    _require_chain(matrix)
    # pi (P - I) = 0 has one equation too many: replace it by the sum
    system = (matrix - torch.eye(n).to(matrix)).T.clone()
    system[-1] = 1.0
    right = torch.zeros(n).to(matrix)
    right[-1] = 1.0
    return torch.linalg.solve(system, right)


def relaxation_time(matrix: Float[Tensor, " n n"]) -> float:
    r"""Steps until a chain's memory has fallen by a factor e (Levin and Peres, near eq. 12.7).

    $$\tau = -\frac{1}{\log|\lambda_2|}$$
    """
    _require_chain(matrix, least=2)  # before eigvals, which may end the process on NaN
    values: Tensor = torch.linalg.eigvals(matrix)
    second = values.abs().sort(descending=True).values[1]
    return float(1 / second.clamp(max=1.0).log().abs())


def _require_chain(matrix: Tensor, least: int = 1) -> None:
    require_rows(least, matrix=matrix)
    total = matrix.sum(1)
    worst = float(total[(total - 1).abs().argmax()])  # argmax takes NaN for the largest
    if not abs(worst - 1) < 1e-3:
        raise ValueError(f"a row of the matrix sums to {worst:g}, expected 1")


def _require_fine_grid(x: Tensor, step_size: float) -> None:
    require_positive(step_size=step_size)
    gap = float(x[1] - x[0])
    noise = (2 * step_size) ** 0.5
    if gap > noise / 2:
        limit = f"half the noise of a step, {noise / 2:.3g}"
        raise ValueError(f"places are {gap:.3g} apart, expected at most {limit}")


check_public(__name__)
