r"""Where the negative phase gets its samples: chains that start at the data, or that never stop.

$$x^{(k)} = \underbrace{T_\theta\circ\dots\circ T_\theta}_{k}(x)\ \text{(CD-k)}, \qquad
x'_{m+1} = T_{\theta_m}^k(x'_m)\ \text{(persistent)}$$

Contrastive divergence lets each chain run k steps from an example; it is cheap and biased, because
k steps do not forget where they began. Persistent chains are never restarted: the model moves a
little between updates, so they stay near its law, as long as it moves slowly.

Lesson: notebooks/10_energy_based_models.ipynb
Sources: Hinton 2002, Neural Computation 14, eq. 5; Tieleman 2008, ICML, section 3; Du and Mordatch
2019 (arXiv:1903.08689), section 3 (restarts, penalty).
"""

from collections.abc import Callable
from typing import TypeAlias, final

import torch
from jaxtyping import Int
from torch import Generator, Tensor, nn

from genlab.core.guards import require_alike
from genlab.core.iterate import last
from genlab.core.rng import randn
from genlab.core.shapes import Event, PerExample, expand
from genlab.solvers.mcmc import langevin

Slope: TypeAlias = Callable[[Tensor], Tensor]


def contrastive_negatives(
    score: Slope,
    x: Event,
    *,
    step_size: float,
    n_steps: int,
    generator: Generator | None = None,
) -> Event:
    r"""Negative samples of CD-k: k Langevin steps, started at the data.

    $$x^{(0)} = x, \qquad
    x^{(j+1)} = x^{(j)} + \eta\,\nabla\log p_\theta(x^{(j)}) + \sqrt{2\eta}\,z$$

    For $E = \tfrac12(x-\mu)^2$ and data of mean m the k-step mean is $\mu + (1-\eta)^k(m-\mu)$, so
    that CD-k sees the fraction $1-(1-\eta)^k$ of the true gradient in $\mu$.

    Args:
        score: $\nabla\log p_\theta = -\nabla E_\theta$, maps `(b, *event)` to the same shape.
        x: data, `(b, *event)`.
        step_size: $\eta$, positive.
        n_steps: k, at least 1.
        generator: source of the noise.

    Returns:
        Like `x`, detached.

    Raises:
        ValueError: k is less than 1.

    Example:
        >>> contrastive_negatives(lambda x: -x, torch.ones(3, 2), step_size=0.1, n_steps=1).shape
        torch.Size([3, 2])

    Source: Hinton 2002, eq. 5, with Langevin steps for Gibbs sweeps.
    Lesson: notebooks/10_energy_based_models.ipynb
    """
    if n_steps < 1:
        raise ValueError(f"contrastive_negatives: n_steps is {n_steps}, expected at least 1")
    chain = langevin(score, x, step_size=step_size, n_steps=n_steps, generator=generator)
    return last(chain).detach()


def energy_penalty(energy_data: PerExample, energy_model: PerExample) -> PerExample:
    r"""Squared energies: keeps their size in check, which the contrastive loss does not.

    $$E_\theta(x)^2 + E_\theta(x')^2$$

    The contrastive loss is blind to a constant added to E; this picks one. It also bounds the gap
    that a run-away model would open between the phases.

    Args:
        energy_data: $E_\theta(x)$, `(b,)`.
        energy_model: $E_\theta(x')$, `(b,)`.

    Returns:
        `(b,)`, no unit.

    Example:
        >>> energy_penalty(torch.tensor([1.0]), torch.tensor([-2.0]))
        tensor([5.])

    Source: Du and Mordatch 2019 (arXiv:1903.08689), algorithm 1 (there with weight alpha).
    Lesson: notebooks/10_energy_based_models.ipynb
    """
    require_alike(energy_data=energy_data, energy_model=energy_model)
    return energy_data**2 + energy_model**2


@final
class PersistentChains(nn.Module):
    r"""A pool of chain states that outlives the updates of the model.

    Each `take` draws rows without replacement and begins a share of them afresh at
    $\mathcal N(0, s^2 I)$, which lets chains reach regions that none of them is in.

    Args:
        n_chains: states in the pool.
        event_shape: shape of one state.
        start_std: s, of a fresh start.
        p_restart: share of fresh starts, in [0, 1].
        generator: decides the first states.

    Raises:
        ValueError: no chains, or a share outside [0, 1].

    Example:
        >>> pool = PersistentChains(10, (2,), generator=torch.Generator().manual_seed(0))
        >>> rows, states = pool.take(4, generator=torch.Generator().manual_seed(0))
        >>> pool.put(rows, states + 1)
        >>> states.shape
        torch.Size([4, 2])
    """

    states: Tensor

    def __init__(
        self,
        n_chains: int,
        event_shape: tuple[int, ...],
        *,
        start_std: float = 1.0,
        p_restart: float = 0.0,
        generator: Generator | None = None,
    ) -> None:
        super().__init__()
        if n_chains < 1 or not 0 <= p_restart <= 1:
            raise ValueError(
                f"PersistentChains: n_chains is {n_chains} and p_restart {p_restart}, expected at "
                f"least 1 and in [0, 1]"
            )
        self.start_std, self.p_restart = start_std, p_restart
        states = start_std * randn((n_chains, *event_shape), generator=generator)
        self.register_buffer("states", states)

    def take(
        self, n: int, *, generator: Generator | None = None
    ) -> tuple[Int[Tensor, " n"], Event]:
        """Draw `n` different rows: their numbers, and their states after any restarts."""
        if n > len(self.states):
            raise ValueError(f"take: n is {n}, expected at most the pool's {len(self.states)}")
        rows = torch.randperm(len(self.states), generator=generator)[:n]
        states = self.states[rows]
        fresh = self.start_std * randn(states.shape, like=states, generator=generator)
        restart = torch.rand(n, generator=generator) < self.p_restart
        return rows, torch.where(expand(restart, states), fresh, states)

    def put(self, rows: Int[Tensor, " n"], states: Event) -> None:
        """Store where the chains of these rows have arrived."""
        self.states[rows] = states.detach()
