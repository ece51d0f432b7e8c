r"""How far off a chain settles, and how long it takes: the two errors of a sampler.

On a line a chain can be written down whole. Cut the line into n places; a step is then an
n x n matrix of probabilities, its left eigenvector is where the chain settles, and its second
eigenvalue is how fast it forgets its start:

$$\pi P = \pi, \qquad \lVert \mu P^k - \pi\rVert \sim |\lambda_2|^k, \qquad
\tau = -1/\log|\lambda_2| .$$

No random number is drawn, so a bias of the step can be told from bad luck.

Lesson: notebooks/10_energy_based_models.ipynb
Sources: Roberts and Tweedie 1996, Bernoulli 2, section 1.4; Levin and Peres, Markov Chains and
Mixing Times, 2nd ed., section 12.1; Sokal 1997, "Monte Carlo methods in statistical mechanics".
"""

import torch
from jaxtyping import Float
from torch import Tensor

from genlab.core.guards import require_alike, require_positive, require_rows


def langevin_variance(
    step_size: float, *, curvature: float = 1.0, temperature: float = 1.0
) -> float:
    r"""Where the variance of unadjusted Langevin settles on a quadratic energy.

    $$E(x) = \tfrac12 c x^2: \qquad v = (1-\eta c)^2 v + 2\eta T
    \;\Rightarrow\; v = \frac{T}{c\,(1 - \eta c/2)}$$

    The right answer is T / c; the excess is $\eta c / 2$ of it, to first order.

    Args:
        step_size: $\eta$, with $0 < \eta c < 2$.
        curvature: c, positive.
        temperature: T, not negative.

    Returns:
        The stationary variance, in squared units of x.

    Raises:
        ValueError: $\eta c$ is outside (0, 2), where the chain settles nowhere; or T < 0.

    Example:
        >>> round(langevin_variance(0.5), 7)
        1.3333333

    Source: Roberts and Tweedie 1996, section 1.4, with step $h = 2\eta$.
    Lesson: notebooks/10_energy_based_models.ipynb
    """
    if not 0 < step_size * curvature < 2 or not temperature >= 0:
        raise ValueError(
            f"langevin_variance: step_size * curvature is {step_size * curvature} and temperature "
            f"{temperature}, expected in (0, 2) and >= 0"
        )
    return temperature / (curvature * (1 - step_size * curvature / 2))


def langevin_matrix(
    score: Float[Tensor, " n"], x: Float[Tensor, " n"], *, step_size: float
) -> Float[Tensor, " n n"]:
    r"""Unadjusted Langevin on a line, as a matrix of probabilities.

    $$P_{ij} \propto \exp\Big(-\frac{(x_j - x_i - \eta\,\nabla\log p(x_i))^2}{4\eta}\Big)$$

    Args:
        score: $\nabla\log p$ at the places, `(n,)`.
        x: the places, `(n,)`, evenly spaced, rising, at most $\sqrt{2\eta}/2$ apart.
        step_size: $\eta$, positive.

    Returns:
        Row i holds the law of the next state from $x_i$; rows sum to 1.

    Raises:
        ValueError: the step is not positive, or too short for this grid.

    Example:
        >>> x = torch.linspace(-6, 6, 241)
        >>> pi = stationary(langevin_matrix(-x, x, step_size=0.5))
        >>> round(float(pi @ x**2), 3)
        1.333

    Source: Roberts and Tweedie 1996, eq. 3 with step $h = 2\eta$.
    Lesson: notebooks/10_energy_based_models.ipynb
    """
    require_alike(x=x, score=score)
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
    r"""The same chain with Metropolis' test: refused moves stay where they are.

    $$P_{ij} = K_{ij}\min\Big(1, \frac{\pi_j K_{ji}}{\pi_i K_{ij}}\Big) \ (i\ne j), \qquad
    P_{ii} = 1 - \sum_{j\ne i} P_{ij}$$

    $\pi_i \propto p(x_i)$ is stationary without error: $\pi_i P_{ij}$ is symmetric.

    Args:
        log_prob: $\log p$ at the places up to a constant, `(n,)`.
        score: $\nabla\log p$ at the places, `(n,)`.
        x: the places, `(n,)`, as for `langevin_matrix`.
        step_size: $\eta$, positive.

    Returns:
        `(n, n)`, rows sum to 1.

    Raises:
        ValueError: as for `langevin_matrix`.

    Example:
        >>> x = torch.linspace(-6, 6, 241)
        >>> pi = stationary(mala_matrix(-x**2 / 2, -x, x, step_size=0.5))
        >>> round(float(pi @ x**2), 3)
        1.0

    Source: Roberts and Tweedie 1996, eq. 4.
    Lesson: notebooks/10_energy_based_models.ipynb
    """
    require_alike(x=x, log_prob=log_prob)
    proposal = langevin_matrix(score, x, step_size=step_size)
    forward = log_prob[:, None] + proposal.log()
    ratio = (forward.T - forward).clamp(max=0).exp()
    accepted = proposal * ratio
    accepted.fill_diagonal_(0.0)
    return accepted + torch.diag(1 - accepted.sum(1))


def stationary(matrix: Float[Tensor, " n n"]) -> Float[Tensor, " n"]:
    r"""Where a chain settles: the row vector that the matrix leaves alone.

    $$\pi P = \pi, \qquad \sum_i \pi_i = 1$$

    Args:
        matrix: P, rows sum to 1.

    Returns:
        `(n,)`, probabilities.

    Raises:
        ValueError: the matrix is empty, or a row does not sum to 1.

    Example:
        >>> stationary(torch.tensor([[0.9, 0.1], [0.3, 0.7]]))
        tensor([0.7500, 0.2500])

    Source: Levin and Peres, section 1.5.
    Lesson: notebooks/10_energy_based_models.ipynb
    """
    n = len(matrix)
    _require_chain(matrix)
    # pi (P - I) = 0 has one equation too many: replace it by the sum
    system = (matrix - torch.eye(n).to(matrix)).T.clone()
    system[-1] = 1.0
    right = torch.zeros(n).to(matrix)
    right[-1] = 1.0
    solution: Tensor = torch.linalg.solve(system, right)
    return solution


def relaxation_time(matrix: Float[Tensor, " n n"]) -> float:
    r"""Steps until a chain's memory of its start has fallen by a factor e.

    $$\tau = -\frac{1}{\log|\lambda_2|}$$

    On $\mathcal N(0,1)$ unadjusted Langevin has $\lambda_2 = 1-\eta$.

    Args:
        matrix: P, rows sum to 1.

    Returns:
        A number of steps; infinite when the chain never forgets.

    Raises:
        ValueError: there are fewer than two states, or a row does not sum to 1.

    Example:
        >>> round(relaxation_time(torch.tensor([[0.9, 0.1], [0.3, 0.7]])), 4)
        1.9576

    Source: Levin and Peres, eq. 12.7 (there 1 / (1 - |lambda_2|), its limit near 1).
    Lesson: notebooks/10_energy_based_models.ipynb
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
    gap, noise = float(x[1] - x[0]), (2 * step_size) ** 0.5
    if gap > noise / 2:
        raise ValueError(
            f"places are {gap:.3g} apart, expected at most half the noise of a step, "
            f"{noise / 2:.3g}"
        )
