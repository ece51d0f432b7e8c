r"""Energy-based models: a density up to its constant, learned by contrast, estimated by annealing.

$$p(x) = \frac{e^{-E(x)}}{Z}, \qquad
\nabla_\theta \log p(x) = -\nabla_\theta E(x) + \mathbb E_{x'\sim p}\,\nabla_\theta E(x')$$
"""

import math
from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import softplus

from genlab.core import Event, PerExample, drawn, expand, last, randn, sum_event
from genlab.core.checked import check_public
from genlab.core.tensors import Rng, require_alike, require_between, require_positive, require_rows
from genlab.oracles.continuous import Gaussian, GaussianMixture
from genlab.solvers.mcmc import langevin, mala

Score = Callable[[Tensor], Tensor]  # x to grad log p(x), like x
PerRow = Callable[[Tensor], Tensor]  # x to one number a row: an energy or a log-density

# The constant, and the estimates of it


def log_partition(
    energy: Float[Tensor, " *k n"], log_weights: Float[Tensor, " *k n"] | float
) -> Float[Tensor, " *k"]:
    r"""Logarithm of the partition function, in nats, from a weighted sum over n points.

    $$\log Z \approx \log\sum_{i=1}^n w_i\, e^{-E(x_i)}$$

    $w = 1$ enumerates, a grid has its cell's volume, draws from q have $1 / (n\,q(x_i))$.
    """
    require_between(1, math.inf, n_points=energy.shape[-1])
    return torch.logsumexp(log_weights - energy, dim=-1)


def log_mean_exp(log_w: Float[Tensor, " *k n"]) -> Float[Tensor, " *k"]:
    r"""Log of the mean weight, $\log\frac1n\sum_i w_i$: estimates $\log Z$ (Neal 2001, eq. 10)."""
    return torch.logsumexp(log_w, dim=-1) - math.log(log_w.shape[-1])


# The two gradients, and the samples of the negative phase


def score_from_energy(energy: PerRow, x: Event, *, create_graph: bool = False) -> Event:
    r"""Slope of the log-density: the partition function is not in it. Rows must not mix.

    $$\nabla_x\log p(x) = -\nabla_x E(x)$$
    """
    with torch.enable_grad():
        x = x if create_graph and x.requires_grad else x.detach().requires_grad_(True)
        (gradient,) = torch.autograd.grad(energy(x).sum(), x, create_graph=create_graph)
    return -gradient


def contrastive_loss(energy_data: PerExample, energy_model: PerExample) -> PerExample:
    r"""Positive phase minus negative phase, without a unit (Song and Kingma 2021, eq. 3 and 4).

    $$E_\theta(x) - E_\theta(x'), \qquad x' \text{ held still}$$

    For x' from $p_\theta$ its gradient is that of $-\log p_\theta(x)$; its *value* is no
    likelihood.
    """
    return energy_data - energy_model


def contrastive_negatives(
    score: Score, x: Event, *, step_size: float, n_steps: int, generator: Rng = None
) -> Event:
    """Negative samples of CD-k, detached: k Langevin steps that start at the data (Hinton 2002)."""
    require_between(1, math.inf, n_steps=n_steps)
    chain = langevin(score, x, step_size=step_size, n_steps=n_steps, generator=generator)
    return last(chain).detach()


class PersistentChains(nn.Module):
    """A pool of chain states that outlives the updates of the model (Tieleman 2008, section 3).

    `take` begins a fraction `p_restart` of them afresh, at standard deviation `start_std`.
    """

    states: Tensor

    def __init__(
        self,
        n_chains: int,
        event_shape: tuple[int, ...],
        *,
        start_std: float = 1.0,
        p_restart: float = 0.0,
        generator: Rng = None,
    ) -> None:
        super().__init__()
        require_between(1, math.inf, n_chains=n_chains)
        require_between(0, 1, p_restart=p_restart)
        self.start_std, self.p_restart = start_std, p_restart
        states = start_std * randn((n_chains, *event_shape), generator=generator)
        self.register_buffer("states", states)

    def take(self, n: int, *, generator: Rng = None) -> tuple[Int[Tensor, " n"], Event]:
        """Draw `n` different rows: their numbers, and their states after any restarts."""
        require_between(0, len(self.states), n=n)
        here: dict[str, Any] = {"device": self.states.device, "generator": generator}
        rows = drawn(torch.randperm, len(self.states), **here)[:n]
        states = self.states[rows]
        fresh = self.start_std * randn(states.shape, like=states, generator=generator)
        restart = drawn(torch.rand, n, **here) < self.p_restart
        return rows, torch.where(expand(restart, states), fresh, states)

    def put(self, rows: Int[Tensor, " n"], states: Event) -> None:
        self.states[rows] = states.detach()


class EBM(nn.Module):
    r"""A network as an energy, with the persistent Langevin chains of its negative phase.

    $$E(x) = f_\theta(x) + \frac{\lVert x\rVert^2}{2 s^2}$$

    s is `base_std`; with `data_noise` the model learns the noised data.
    """

    def __init__(
        self,
        energy_net: nn.Module,
        *,
        event_shape: tuple[int, ...],
        step_size: float,
        n_steps: int,
        chains: PersistentChains,
        base_std: float | None = None,
        data_noise: float = 0.0,
    ) -> None:
        super().__init__()
        self.energy_net, self.event_shape, self.chains = energy_net, event_shape, chains
        self.step_size, self.n_steps = step_size, n_steps
        self.base_std, self.data_noise = base_std, data_noise

    def energy(self, x: Event) -> PerExample:
        """Minus log p(x) up to a constant that nobody knows."""
        out = self.energy_net(x).squeeze(1)
        return out if self.base_std is None else out + sum_event(x**2) / (2 * self.base_std**2)

    def walk(self, x: Event, n_steps: int, generator: Rng = None) -> Event:
        """Take `n_steps` Langevin steps from `x`, without gradient."""
        chain = partial(contrastive_negatives, step_size=self.step_size, n_steps=n_steps)
        return chain(partial(score_from_energy, self.energy), x.detach(), generator=generator)

    def loss(self, x: Event, *, generator: Rng = None) -> Float[Tensor, ""]:
        """Contrastive loss, mean over the batch, without a unit; moves the chains."""
        x = x + self.data_noise * randn(x.shape, like=x, generator=generator)
        rows, states = self.chains.take(len(x), generator=generator)
        negatives = self.walk(states, self.n_steps, generator)
        self.chains.put(rows, negatives)
        return contrastive_loss(self.energy(x), self.energy(negatives)).mean()

    @torch.no_grad()
    def sample(self, n: int, *, generator: Rng = None) -> Event:
        """Draw `n` approximate examples: `n_steps` more steps of stored chains."""
        _, start = self.chains.take(n, generator=generator)
        return self.walk(start, self.n_steps, generator)


# Noise-contrastive estimation: tell the data from noise, and learn the constant with it


def nce_logits(
    log_model: Float[Tensor, " *b"], log_noise: Float[Tensor, " *b"], *, ratio: float
) -> Float[Tensor, " *b"]:
    r"""Log-odds that an example came from the data and not from the noise, in nats.

    $$G = \log p_\theta(x) - \log q(x) - \log\nu$$

    `ratio` $\nu$: noise draws for each example (Gutmann and Hyvarinen 2012, eq. 4 and 5).
    """
    require_positive(ratio=ratio)
    return log_model - log_noise - math.log(ratio)


def nce_loss(logits_data: PerExample, logits_noise: Float[Tensor, " b nu"]) -> PerExample:
    r"""Logistic loss of one example and its $\nu$ draws of noise, in nats of the label (eq. 8).

    $$-\log\sigma(G(x)) - \sum_{j=1}^{\nu}\log\big(1-\sigma(G(\tilde x_j))\big)$$

    Least, on average, for the data's density *with* its constant, wherever q > 0.
    """
    return softplus(-logits_data) + softplus(logits_noise).sum(1)


class NCE(nn.Module):
    r"""An energy network and a number that learns to be $\log Z$; there is no `log_prob`."""

    def __init__(
        self, energy_net: nn.Module, noise: Gaussian | GaussianMixture, *, ratio: int = 1
    ) -> None:
        super().__init__()
        require_between(1, math.inf, ratio=ratio)
        self.energy_net, self.noise, self.ratio = energy_net, noise, ratio
        self.log_z = nn.Parameter(torch.zeros(()))

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "NCE":
        """`.to(device)` moves the noise as well, which is a distribution and no module."""
        fields = {name: fn(value) for name, value in vars(self.noise).items()}
        self.noise = type(self.noise)(**fields)
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        return self

    def energy(self, x: Event) -> PerExample:
        return self.energy_net(x).squeeze(1)

    def logits(self, x: Event) -> PerExample:
        log_model = -self.energy(x) - self.log_z
        return nce_logits(log_model, self.noise.log_prob(x), ratio=self.ratio)

    def loss(self, x: Event, *, generator: Rng = None) -> Float[Tensor, ""]:
        """Logistic loss against fresh noise, mean over the batch; nats of the label."""
        noise = self.noise.sample(self.ratio * len(x), generator=generator).to(x)
        return nce_loss(self.logits(x), self.logits(noise).reshape(len(x), self.ratio)).mean()


# Annealed importance sampling: an unbiased estimate of the constant


class Annealed(NamedTuple):
    """Particles of annealed importance sampling at one level, and their log weights in nats."""

    x: Event
    log_w: PerExample


def annealed_importance(
    log_base: PerRow,
    energy: PerRow,
    x0: Event,
    betas: Float[Tensor, " k"],
    *,
    step_size: float,
    n_mcmc: int = 1,
    generator: Rng = None,
) -> Iterator[Annealed]:
    r"""Walk particles along $\log f_\beta = (1-\beta)\log q - \beta E$; yield them at each level.

    $$\log w \leftarrow \log w + (\beta'-\beta)\,\big(-E(x) - \log q(x)\big)$$

    With `n_mcmc` Metropolis-adjusted steps a level $\mathbb E\,w = Z$ from q, and $1/Z$ from p at 1
    backwards (Neal 2001, section 2).
    """
    require_rows(2, betas=betas)
    require_between(0, 1, betas=betas)
    x, log_w = x0, x0.new_zeros(len(x0))
    yield Annealed(x, log_w)
    for before, after in pairwise(betas.tolist()):

        def log_f(y: Tensor, beta: float = after) -> Tensor:
            return (1 - beta) * log_base(y) - beta * energy(y)

        def slope(y: Tensor) -> Tensor:
            return -score_from_energy(log_f, y)

        with torch.no_grad():  # the slope switches gradients on for itself
            log_q = log_base(x)
            e = energy(x)
            require_alike(log_base=log_q, energy=e, log_w=log_w)
            log_w = log_w + (after - before) * (-e - log_q)
            moved = mala(log_f, slope, x, step_size=step_size, n_steps=n_mcmc, generator=generator)
            x = last([x, *moved])
        yield Annealed(x, log_w)


check_public(__name__)
