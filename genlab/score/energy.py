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

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple, Protocol, TypeAlias, final, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor, nn
from torch.nn.functional import softplus

from genlab.core.tensors import (
    Event,
    PerExample,
    expand,
    last,
    randn,
    require_alike,
    require_positive,
    sum_event,
)
from genlab.solvers.mcmc import langevin, mala

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


def nce_logits(
    log_model: Float[Tensor, " *b"], log_noise: Float[Tensor, " *b"], *, ratio: float
) -> Float[Tensor, " *b"]:
    r"""Log-odds that an example came from the data and not from the noise.

    $$G = \log p_\theta(x) - \log q(x) - \log\nu$$

    Args:
        log_model: $-E_\theta(x) - \log Z$ with the present guess of $\log Z$, `(*b,)`.
        log_noise: $\log q(x)$, `(*b,)`.
        ratio: $\nu$, noise draws for each example, positive.

    Returns:
        `(*b,)`, in nats.

    Raises:
        ValueError: the ratio is not positive.

    Example:
        >>> nce_logits(torch.zeros(1), torch.zeros(1), ratio=1.0)
        tensor([0.])

    Source: Gutmann and Hyvarinen 2012, eq. 4 and 5.
    Lesson: notebooks/10_energy_based_models.ipynb
    """
    require_positive(ratio=ratio)
    require_alike(log_model=log_model, log_noise=log_noise)
    return log_model - log_noise - math.log(ratio)


def nce_loss(logits_data: PerExample, logits_noise: Float[Tensor, " b nu"]) -> PerExample:
    r"""Logistic loss of one example and its $\nu$ draws of noise.

    $$-\log\sigma(G(x)) - \sum_{j=1}^{\nu}\log\big(1-\sigma(G(\tilde x_j))\big)$$

    Minimised, in expectation, by the data's density *with* its constant, wherever q > 0.

    Args:
        logits_data: $G(x)$, `(b,)`.
        logits_noise: $G(\tilde x_j)$, `(b, nu)`.

    Returns:
        `(b,)`, nats of the label, not of x.

    Example:
        >>> nce_loss(torch.zeros(1), torch.zeros(1, 3))  # 4 log 2
        tensor([2.7726])

    Source: Gutmann and Hyvarinen 2012, eq. 8.
    Lesson: notebooks/10_energy_based_models.ipynb
    """
    require_alike(logits_data=logits_data, rows_of_noise=logits_noise.shape[:-1])
    return softplus(-logits_data) + softplus(logits_noise).sum(1)


@runtime_checkable
class Noise(Protocol):
    """A law that can be drawn from and evaluated."""

    def log_prob(self, x: Tensor) -> Tensor:
        """Log-density of each example."""

    def sample(self, n: int, *, generator: Generator | None = None) -> Tensor:
        """Draw `n` examples."""


@final
class NCE(nn.Module):
    r"""An energy network and a number that learns to be $\log Z$.

    `log_z` is right only at the optimum, so there is no `log_prob`: write
    `-model.energy(x) - model.log_z` where an estimate is meant.

    Args:
        energy_net: `(b, *event) -> (b, 1)`.
        noise: q, drawn from and evaluated; it must not vanish where there is data.
        ratio: $\nu$, noise draws for each example, at least 1.

    Raises:
        ValueError: the ratio is less than 1.
    """

    def __init__(self, energy_net: nn.Module, noise: Noise, *, ratio: int = 1) -> None:
        super().__init__()
        if ratio < 1:
            raise ValueError(f"ratio is {ratio}, expected at least 1")
        self.energy_net, self.noise, self.ratio = energy_net, noise, ratio
        self.log_z = nn.Parameter(torch.zeros(()))

    def energy(self, x: Event) -> PerExample:
        """Energy of each example, `(b,)`."""
        out: Tensor = self.energy_net(x)
        return out.squeeze(1)

    def logits(self, x: Event) -> PerExample:
        """Log-odds that each example is data, `(b,)`."""
        log_model = -self.energy(x) - self.log_z
        return nce_logits(log_model, self.noise.log_prob(x), ratio=self.ratio)

    def loss(
        self, x: Event, *, cond: Tensor | None = None, generator: Generator | None = None
    ) -> Float[Tensor, ""]:
        """Logistic loss against fresh noise, mean over the batch; nats of the label."""
        if cond is not None:
            raise ValueError("this model is unconditional: cond must be None")
        noise = self.noise.sample(self.ratio * len(x), generator=generator).to(x)
        return nce_loss(self.logits(x), self.logits(noise).reshape(len(x), self.ratio)).mean()


def log_partition(
    energy: Float[Tensor, " *k n"], log_weights: Float[Tensor, " *k n"] | float
) -> Float[Tensor, " *k"]:
    r"""Logarithm of the partition function from a weighted sum over n points.

    $$\log Z \approx \log\sum_{i=1}^n w_i\, e^{-E(x_i)}$$

    Enumeration has $w = 1$, a grid the volume of its cell, uniform draws from a region of volume V
    have $V/n$, draws from a density q have $1 / (n\,q(x_i))$. The last two are unbiased for Z,
    hence too low for $\log Z$ on average.

    Args:
        energy: $E(x_i)$, `(*k, n)`.
        log_weights: $\log w_i$, like `energy`, or one number for all points.

    Returns:
        `(*k,)`, in nats.

    Raises:
        ValueError: no points.

    Example:
        >>> import math
        >>> x = torch.linspace(-8, 8, 161)
        >>> log_partition(x**2 / 2, math.log(0.1)).exp()
        tensor(2.5066)

    Source: Song and Kingma 2021 (arXiv:2101.03288), eq. 2.
    Lesson: notebooks/10_energy_based_models.ipynb
    """
    if energy.shape[-1] == 0:
        raise ValueError("log_partition: no points, expected at least one")
    return torch.logsumexp(log_weights - energy, dim=-1)


def log_mean_exp(log_w: Float[Tensor, " *k n"]) -> Float[Tensor, " *k"]:
    r"""Logarithm of the average weight: the estimate of $\log Z$.

    $$\log\hat Z = \log\frac1n\sum_{i=1}^n w_i$$

    Args:
        log_w: `(*k, n)`, in nats.

    Returns:
        `(*k,)`; minus its value when the walk went back.

    Example:
        >>> log_mean_exp(torch.tensor([1.0, 3.0]).log()).exp()
        tensor(2.)

    Source: Neal 2001, eq. 10.
    Lesson: notebooks/10_energy_based_models.ipynb
    """
    return torch.logsumexp(log_w, dim=-1) - math.log(log_w.shape[-1])


def effective_sample_size(log_w: Float[Tensor, " *k n"]) -> Float[Tensor, " *k"]:
    r"""How many of n weighted draws really count.

    $$\mathrm{ESS} = \frac{(\sum_i w_i)^2}{\sum_i w_i^2}$$

    Args:
        log_w: $\log w_i$, `(*k, n)`.

    Returns:
        `(*k,)`, between 1 and n.

    Example:
        >>> effective_sample_size(torch.zeros(8))
        tensor(8.)

    Source: Kong 1992, "A note on importance sampling using standardized weights".
    Lesson: notebooks/10_energy_based_models.ipynb
    """
    return 1 / (torch.softmax(log_w, dim=-1) ** 2).sum(-1)


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
