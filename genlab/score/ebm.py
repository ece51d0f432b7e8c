r"""Energy-based models: any function can be a density, if somebody pays for the constant.

$$p_\theta(x) = \frac{e^{-E_\theta(x)}}{Z_\theta}, \qquad Z_\theta = \int e^{-E_\theta(x)}\,dx$$

In x the constant drops out, $\nabla_x\log p = -\nabla_x E$, so sampling by Langevin steps never
needs it. In $\theta$ it does not:

$$\nabla_\theta\log p_\theta(x) = -\nabla_\theta E_\theta(x)
+ \mathbb E_{x'\sim p_\theta}\nabla_\theta E_\theta(x'),$$

push the energy down at the data (positive phase), up at the model's own samples (negative phase).

Lesson: notebooks/10_energy_based_models.ipynb
Sources: Song and Kingma 2021 (arXiv:2101.03288), eqs. 1 to 7; Hinton 2002, Neural Computation 14;
Du and Mordatch 2019 (arXiv:1903.08689), section 3.
"""

from collections.abc import Callable
from typing import TypeAlias, final

import torch
from jaxtyping import Float
from torch import Generator, Tensor, nn

from genlab.core.guards import require_alike
from genlab.core.iterate import last
from genlab.core.rng import randn
from genlab.core.shapes import Event, PerExample, sum_event
from genlab.solvers.mcmc import langevin

from .contrastive import PersistentChains, energy_penalty

Energy: TypeAlias = Callable[[Tensor], Tensor]


def score_from_energy(energy: Energy, x: Event, *, create_graph: bool = False) -> Event:
    r"""Slope of the log-density: the partition function is not in it.

    $$\nabla_x\log p(x) = -\nabla_x E(x)$$

    Args:
        energy: E, maps `(b, *event)` to `(b,)`; each value depends on its own row only.
        x: where to ask, `(b, *event)`.
        create_graph: keep the result differentiable.

    Returns:
        Like `x`.

    Example:
        >>> score_from_energy(lambda x: ((x - 3) ** 2).sum(1) / 2, torch.ones(1, 2))
        tensor([[2., 2.]])

    Source: Song and Kingma 2021 (arXiv:2101.03288), eq. 5.
    Lesson: notebooks/10_energy_based_models.ipynb
    """
    with torch.enable_grad():
        x = x if create_graph and x.requires_grad else x.detach().requires_grad_(True)
        (gradient,) = torch.autograd.grad(energy(x).sum(), x, create_graph=create_graph)
    return -gradient


def contrastive_loss(energy_data: PerExample, energy_model: PerExample) -> PerExample:
    r"""Positive phase minus negative phase.

    $$E_\theta(x) - E_\theta(x'), \qquad x' \text{ held still}$$

    When x' is drawn from $p_\theta$, its gradient in $\theta$ is that of $-\log p_\theta(x)$ on
    average. Its *value* is not a likelihood: it hovers around zero once the model is right.

    Args:
        energy_data: $E_\theta(x)$, `(b,)`.
        energy_model: $E_\theta(x')$, `(b,)`, with x' detached.

    Returns:
        `(b,)`, no unit.

    Example:
        >>> contrastive_loss(torch.tensor([1.0]), torch.tensor([3.0]))
        tensor([-2.])

    Source: Song and Kingma 2021 (arXiv:2101.03288), eqs. 3 and 4.
    Lesson: notebooks/10_energy_based_models.ipynb
    """
    require_alike(energy_data=energy_data, energy_model=energy_model)
    return energy_data - energy_model


@final
class EBM(nn.Module):
    r"""A network as an energy, with the Langevin chains of its negative phase.

    $$E(x) = f_\theta(x) + \frac{\lVert x\rVert^2}{2 s^2}$$

    The quadratic makes Z finite whenever f grows at most linearly, as a perceptron with SiLU or
    ReLU does. There is an `energy` and no `log_prob`: its likelihood is of the unnormalised kind.

    Args:
        energy_net: $f_\theta$, `(b, *event) -> (b, 1)`; no batch normalisation.
        event_shape: shape of one example.
        step_size: $\eta$ of the chains.
        n_steps: Langevin steps in each negative phase.
        chains: chains that live on between updates (PCD); None starts at the data each time (CD-k).
        temperature: of the chains; 1 is the honest choice, see the lesson.
        base_std: s; None leaves the quadratic out.
        penalty: weight of the squared energies, see `energy_penalty`.
        data_noise: standard deviation of noise added to the data: the model learns the blurred law.

    Example:
        >>> ebm = EBM(nn.Linear(2, 1), event_shape=(2,), step_size=0.1, n_steps=5)
        >>> ebm.energy(torch.zeros(4, 2)).shape, hasattr(ebm, "log_prob")
        (torch.Size([4]), False)
    """

    def __init__(
        self,
        energy_net: nn.Module,
        *,
        event_shape: tuple[int, ...],
        step_size: float,
        n_steps: int,
        chains: PersistentChains | None = None,
        temperature: float = 1.0,
        base_std: float | None = None,
        penalty: float = 0.0,
        data_noise: float = 0.0,
    ) -> None:
        super().__init__()
        self.energy_net, self.event_shape, self.chains = energy_net, event_shape, chains
        self.step_size, self.n_steps, self.temperature = step_size, n_steps, temperature
        self.base_std, self.penalty, self.data_noise = base_std, penalty, data_noise

    def energy(self, x: Event) -> PerExample:
        """Minus log p(x) up to a constant that nobody knows, `(b,)`."""
        out: Tensor = self.energy_net(x).squeeze(1)
        return out if self.base_std is None else out + sum_event(x**2) / (2 * self.base_std**2)

    def walk(self, x: Event, n_steps: int, generator: Generator | None = None) -> Event:
        """Take `n_steps` Langevin steps from `x`, without gradient."""
        score = lambda x: score_from_energy(self.energy, x)  # noqa: E731
        return last(
            langevin(score, x.detach(), step_size=self.step_size, n_steps=n_steps,
                     temperature=self.temperature, generator=generator)
        )  # fmt: skip

    def loss(
        self, x: Event, *, cond: Tensor | None = None, generator: Generator | None = None
    ) -> Float[Tensor, ""]:
        """Contrastive loss plus penalty, mean over the batch; moves the chains. No unit."""
        _refuse(cond)
        x = x + self.data_noise * randn(x.shape, like=x, generator=generator)
        if self.chains is None:
            negatives = self.walk(x, self.n_steps, generator)
        else:
            rows, states = self.chains.take(len(x), generator=generator)
            negatives = self.walk(states, self.n_steps, generator)
            self.chains.put(rows, negatives)
        positive, negative = self.energy(x), self.energy(negatives)
        loss = contrastive_loss(positive, negative) + self.penalty * energy_penalty(
            positive, negative
        )
        return loss.mean()

    @torch.no_grad()
    def sample(
        self, n: int, *, cond: Tensor | None = None, generator: Generator | None = None
    ) -> Event:
        """Draw `n` approximate examples: `n_steps` more steps of stored chains, or of noise."""
        _refuse(cond)
        if self.chains is None:
            like = next(self.energy_net.parameters())
            start = (self.base_std or 1.0) * randn(
                (n, *self.event_shape), like=like, generator=generator
            )
        else:
            _, start = self.chains.take(n, generator=generator)
        return self.walk(start, self.n_steps, generator)


def _refuse(cond: Tensor | None) -> None:
    if cond is not None:
        raise ValueError("this EBM is unconditional: cond must be None")
