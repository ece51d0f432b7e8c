r"""Annealed importance sampling: an impossible jump taken in many small steps.

Between a normalised density q and the energy stands a path, and at each of its levels a few
steps of a chain that leaves that level's law alone:

$$\log f_\beta(x) = (1-\beta)\log q(x) - \beta E(x), \qquad
\log w = \sum_{j} (\beta_{j+1}-\beta_j)\,\big(-E(x_j) - \log q(x_j)\big).$$

However badly the chains mix, $\mathbb E\,w = Z$. So $\log w$ is on average a *lower* bound on
$\log Z$, and the same walk backwards from exact samples gives an upper one: a sandwich.

Lesson: notebooks/10_energy_based_models.ipynb
Sources: Neal 2001, Statistics and Computing 11, eqs. 2 to 9; Grosse, Ghahramani and Adams 2015
(arXiv:1511.02543), section 3 (the sandwich).
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeAlias

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from genlab.core.guards import require_alike
from genlab.core.iterate import last
from genlab.core.shapes import Event, PerExample
from genlab.solvers.mcmc import mala

from .ebm import score_from_energy

LogDensity: TypeAlias = Callable[[Tensor], Tensor]


class Annealed(NamedTuple):
    """Particles of annealed importance sampling at one level."""

    x: Event
    log_w: PerExample
    beta: float


def annealed_log_prob(
    log_base: PerExample, energy: PerExample, *, beta: float | Tensor
) -> PerExample:
    r"""Unnormalised log-density of one level of the geometric path.

    $$\log f_\beta = (1-\beta)\log q - \beta E$$

    Args:
        log_base: $\log q(x)$, `(b,)`.
        energy: $E(x)$, `(b,)`.
        beta: 0 is q, 1 is the energy's own law.

    Returns:
        `(b,)`, in nats, up to the level's constant.

    Example:
        >>> annealed_log_prob(torch.tensor([-2.0]), torch.tensor([4.0]), beta=0.5)
        tensor([-3.])

    Source: Neal 2001, eq. 3, with $\beta_j$ counted from q.
    Lesson: notebooks/10_energy_based_models.ipynb
    """
    require_alike(log_base=log_base, energy=energy)
    return (1 - beta) * log_base - beta * energy


def ais_log_weight(
    log_w: PerExample,
    log_base: PerExample,
    energy: PerExample,
    *,
    beta: float | Tensor,
    beta_next: float | Tensor,
) -> PerExample:
    r"""Weights after one change of level, with the particles where they are.

    $$\log w \leftarrow \log w + \log f_{\beta'}(x) - \log f_{\beta}(x)
    = \log w + (\beta'-\beta)\,\big(-E(x) - \log q(x)\big)$$

    With one step from 0 to 1 this is plain importance sampling.

    Args:
        log_w: so far, `(b,)`.
        log_base: $\log q(x)$, `(b,)`.
        energy: $E(x)$, `(b,)`.
        beta: the level that x was drawn at.
        beta_next: the next one; smaller when walking back.

    Returns:
        `(b,)`, in nats.

    Example:
        >>> w, q, e = torch.zeros(1), torch.tensor([-2.0]), torch.tensor([4.0])
        >>> ais_log_weight(w, q, e, beta=0.0, beta_next=0.5)
        tensor([-1.])

    Source: Neal 2001, eq. 9.
    Lesson: notebooks/10_energy_based_models.ipynb
    """
    require_alike(log_w=log_w, log_base=log_base, energy=energy)
    return log_w + (beta_next - beta) * (-energy - log_base)


def annealed_importance(
    log_base: LogDensity,
    energy: LogDensity,
    x0: Event,
    betas: Float[Tensor, " k"],
    *,
    step_size: float | Callable[[float], float],
    n_mcmc: int = 1,
    generator: Generator | None = None,
) -> Iterator[Annealed]:
    r"""Walk particles along the path; yield them after each level.

    Between two changes of level come `n_mcmc` Metropolis-adjusted Langevin steps, which leave the
    level's law alone exactly; that is what keeps $\mathbb E\,w = Z$.

    Args:
        log_base: $\log q$, normalised, `(b, *event)` to `(b,)`.
        energy: E, `(b, *event)` to `(b,)`.
        x0: exact draws at `betas[0]`, `(b, *event)`: from q when it is 0, from p when it is 1.
        betas: levels from 0 to 1, or from 1 to 0 to walk back.
        step_size: $\eta$ of the chains, a number or a function of $\beta$.
        n_mcmc: chain steps at each new level.
        generator: source of noise and of the accept decisions.

    Yields:
        `Annealed(x, log_w, beta)` at each of the k levels, the first with weights 1. Walking up,
        $\mathbb E\,w = Z$; walking back, $\mathbb E\,w = 1/Z$.

    Raises:
        ValueError: fewer than two levels, or levels outside [0, 1].

    Example:
        >>> q = lambda x: -(x**2).sum(1) / 2 - 0.918939
        >>> x0, betas = torch.zeros(4, 1), torch.linspace(0, 1, 3)
        >>> walk = annealed_importance(q, lambda x: -q(x) - 3.0, x0, betas, step_size=0.1)
        >>> last(walk).log_w
        tensor([3., 3., 3., 3.])

    Source: Neal 2001, section 2; the reversed walk: Grosse et al. 2015 (arXiv:1511.02543), eq. 7.
    Lesson: notebooks/10_energy_based_models.ipynb
    """
    if len(betas) < 2 or float(betas.min()) < 0 or float(betas.max()) > 1:
        raise ValueError(f"betas are {betas.tolist()}, expected at least two numbers in [0, 1]")
    return _annealed_walk(log_base, energy, x0, betas, step_size, n_mcmc, generator)


def _annealed_walk(
    log_base: LogDensity,
    energy: LogDensity,
    x: Event,
    betas: Tensor,
    step_size: float | Callable[[float], float],
    n_mcmc: int,
    generator: Generator | None,
) -> Iterator[Annealed]:
    log_w = torch.zeros(len(x), dtype=x.dtype, device=x.device)
    yield Annealed(x, log_w, float(betas[0]))
    for before, after in zip(betas[:-1].tolist(), betas[1:].tolist(), strict=True):
        with torch.no_grad():
            log_w = ais_log_weight(log_w, log_base(x), energy(x), beta=before, beta_next=after)

        def level(y: Tensor, beta: float = after) -> Tensor:
            return annealed_log_prob(log_base(y), energy(y), beta=beta)

        def slope(y: Tensor) -> Tensor:
            return score_from_energy(lambda v: -level(v), y)

        if n_mcmc:
            eta = step_size(after) if callable(step_size) else step_size
            with torch.no_grad():  # the slope switches gradients on for itself
                x = last(mala(level, slope, x, step_size=eta, n_steps=n_mcmc, generator=generator))
        yield Annealed(x, log_w, after)
