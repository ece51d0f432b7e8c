r"""The shipped posterior estimators: what each needs, how long it trains, what is measured.

$$\text{simulate} \to \{(\theta_i, x_i)\} \to \text{maximise } \sum_i \log q(\theta_i\mid x_i)$$

A simulation is never used to judge: each figure is measured on new draws of the simulator.

Lesson: notebooks/systems/flow_density_estimator.ipynb
Sources: Lueckmann et al. 2021 (arXiv:2101.04653), section 3 (the judges); Talts et al. 2018
    (arXiv:1804.06788), algorithm 1 (the ranks).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, final, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor
from torch.distributions import MultivariateNormal

from genlab.data.simulators import Epidemic, LinearGaussian, TwoMoons
from genlab.metrics.calibration import c2st, chi_square_test, sbc_ranks
from genlab.systems.npe import Box, NeuralPosterior, Rescale, conditional_flow, onto_box
from genlab.train import Run, cosine, fit, minibatches
from genlab.zoo.cards import SEED, Figures, digest
from genlab.zoo.train import Training

PILOT = 2000  # simulations that set the scales before the training


@runtime_checkable
class Simulator(Protocol):
    """What inference needs: parameters from the prior, data from parameters."""

    def prior(self, n: int, *, generator: Generator | None = None) -> Tensor:
        """Draw parameters, `(n, p)`."""

    def simulate(self, theta: Tensor, *, generator: Generator | None = None) -> Tensor:
        """Draw data, `(n, d)`, one row for each row of parameters."""


@runtime_checkable
class Drawable(Protocol):
    """What calibration needs of an estimate: draws, a row of data each."""

    def sample(self, n: int, *, cond: Tensor, generator: Generator | None = None) -> Tensor:
        """Draw `(n, p)`."""


@final
@dataclass(frozen=True)
class Recipe:
    """Every number that decides what the trained model is."""

    simulator: LinearGaussian | TwoMoons | Epidemic
    box: Box | None = None  # the uniform prior's interval; None: the prior is normal
    counts: bool = False  # the data are counts
    autoregressive: bool = False  # masked layers in place of couplings
    n_splines: int = 4  # layers that bend
    n_affine: int = 2  # layers that place
    n_bins: int = 8  # of each spline
    width: int = 64  # of the networks that read
    n_simulations: int = 200_000
    n_steps: int = 4000
    batch_size: int = 512
    lr: float = 4e-3  # highest rate: 100 steps of rise, then half a cosine to zero
    clip: float = 5.0  # largest norm of a gradient
    seed: int = 7  # of weights, simulations and their order


def simulated(
    simulator: Simulator, n: int, generator: Generator
) -> tuple[Float[Tensor, " n p"], Float[Tensor, " n d"]]:
    """Draw n pairs of parameters and data.

    Args:
        simulator: prior and simulation.
        n: how many.
        generator: source of the noise.

    Returns:
        Parameters and data, row by row.
    """
    theta = simulator.prior(n, generator=generator)
    return theta, simulator.simulate(theta, generator=generator)


def posterior_estimator(recipe: Recipe) -> NeuralPosterior:
    """Make the untrained model; torch's global random state is left as it was.

    Args:
        recipe: simulator, sizes and seed.

    Returns:
        An estimator that still is the prior, scaled by a pilot of 2,000 simulations.
    """
    theta, x = simulated(recipe.simulator, PILOT, Generator().manual_seed(recipe.seed))
    p = theta.shape[1]
    support = onto_box(p, recipe.box) if recipe.box else [Rescale(theta.mean(0), theta.std(0))]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        flow = conditional_flow(
            p, x.shape[1], support,
            autoregressive=recipe.autoregressive,
            n_splines=recipe.n_splines, n_affine=recipe.n_affine,
            n_bins=recipe.n_bins, width=recipe.width,
        )  # fmt: skip
    x = x.sqrt() if recipe.counts else x
    return NeuralPosterior(flow, x.mean(0), x.std(0), counts=recipe.counts, box=recipe.box)


def train_posterior_estimator(model: NeuralPosterior, recipe: Recipe) -> Run:
    """Simulate, then train on the simulations.

    Args:
        model: from `posterior_estimator`, changed in place.
        recipe: simulator, steps, rates and seed.

    Returns:
        The run of `fit`, its loss that of `npe_loss` in nats; no step is taken until it is
        consumed, and afterwards the model is in evaluation mode.
    """
    generator = Generator().manual_seed(recipe.seed + 1)
    theta, x = simulated(recipe.simulator, recipe.n_simulations, generator)
    return fit(
        model,  # type: ignore[arg-type]  # pairs: fit calls loss(theta, cond=x)
        minibatches(theta, recipe.batch_size, cond=x, generator=generator),
        n_steps=recipe.n_steps,
        lr=cosine(recipe.lr, recipe.n_steps, warmup=min(100, recipe.n_steps)),
        clip=recipe.clip,
        finish=model.eval,
    )


@torch.no_grad()
def calibration_ranks(
    model: Drawable, simulator: Simulator, n: int, n_draws: int, generator: Generator
) -> Int[Tensor, " n p"]:
    """Simulation-based calibration: new pairs, draws for each, and the truth's place among them.

    Args:
        model: gives draws for any data.
        simulator: gives the pairs.
        n: pairs.
        n_draws: draws for each.
        generator: source of all noise.

    Returns:
        Ranks 0..n_draws for each parameter.

    Source: Talts et al. 2018 (arXiv:1804.06788), algorithm 1.
    """
    theta, x = simulated(simulator, n, generator)
    rows = x.repeat_interleave(n_draws, 0)
    draws = model.sample(len(rows), cond=rows, generator=generator)
    return sbc_ranks(theta, draws.reshape(n, n_draws, -1))


def _measure_linear_gaussian(simulator: LinearGaussian, model: Any) -> Figures:
    """Mean over pairs of log p - log q is the KL divergence averaged over data."""
    theta, x = simulated(simulator, 20_000, Generator().manual_seed(SEED))
    mean, cov = simulator.posterior(x)
    exact: Tensor = MultivariateNormal(mean, cov).log_prob(theta)  # type: ignore[no-untyped-call]
    gap = exact - model.log_prob(theta, cond=x)
    return {
        "kind": "exact",
        "kl_nats": gap.mean().item(),
        "kl_error": (gap.std() / len(gap) ** 0.5).item(),
    }


def _measure_two_moons(simulator: TwoMoons, model: Any) -> Figures:
    """Five observations, 1,000 exact draws and 1,000 of the estimate's for each."""
    generator = Generator().manual_seed(SEED)
    theta, x = simulated(simulator, 20_000, generator)
    scores = []
    for row in x[:5]:
        exact = simulator.posterior_sample(row, 1000, generator=generator)
        draws = model.sample(1000, cond=row[None], generator=generator)
        scores.append(c2st(exact, draws, generator=generator).value)
    held_out = -model.log_prob(theta, cond=x).mean().item()
    return {
        "kind": "exact",
        "c2st": sum(scores) / 5,
        "c2st_worst": max(scores),
        "nll_nats": held_out,
    }


def _measure_epidemic(simulator: Epidemic, model: Any) -> Figures:
    """Ranks of 2,000 epidemics among 99 draws: p-value of chi-square for each parameter."""
    generator = Generator().manual_seed(SEED)
    ranks = calibration_ranks(model, simulator, 2000, 99, generator)
    theta, x = simulated(simulator, 10_000, generator)
    return {
        "kind": "exact",
        "p_beta": chi_square_test(ranks[:, 0], 99).p_value,
        "p_gamma": chi_square_test(ranks[:, 1], 99).p_value,
        "nll_nats": -model.log_prob(theta, cond=x).mean().item(),
    }


def _digest(recipe: Recipe) -> str:
    """Name the simulations by the first of them, to three decimals."""
    pairs = simulated(recipe.simulator, 100, Generator().manual_seed(recipe.seed + 1))
    return digest(*((1000 * part).round() for part in pairs))


GAUSSIAN = Recipe(LinearGaussian(), n_splines=2, width=32, n_steps=3000)
MOONS = Recipe(
    TwoMoons(), box=(-1.0, 1.0), n_splines=6, n_affine=0, n_simulations=1_000_000, n_steps=7000
)
MASKED_MOONS = Recipe(
    TwoMoons(), box=(-1.0, 1.0), autoregressive=True, n_splines=6, n_affine=0,
    n_simulations=1_000_000, n_steps=7000,
)  # fmt: skip
EPIDEMIC = Recipe(Epidemic(), counts=True, n_steps=4000)


def _training(
    name: str, what: str, recipe: Recipe, measure: Callable[..., Figures], seconds: float
) -> Training:
    return Training(
        name=name,
        what=what,
        lesson=4,
        seconds=seconds,
        settings=recipe,
        build=posterior_estimator,
        start=train_posterior_estimator,
        measure=partial(measure, recipe.simulator),
        data=f"genlab.data.simulators, {type(recipe.simulator).__name__}: "
        f"{recipe.n_simulations:,} simulations",
        digest=partial(_digest, recipe),
    )


TRAININGS: tuple[Training, ...] = (
    _training(
        "npe_linear_gaussian", "posterior of the linear Gaussian simulator: spline couplings",
        GAUSSIAN, _measure_linear_gaussian, 60,
    ),
    _training(
        "npe_two_moons", "posterior of the two moons: spline couplings, one pass to sample",
        MOONS, _measure_two_moons, 180,
    ),
    _training(
        "npe_two_moons_masked", "posterior of the two moons: autoregressive, two passes to sample",
        MASKED_MOONS, _measure_two_moons, 180,
    ),
    _training(
        "npe_epidemic", "posterior of an epidemic's rates: spline couplings",
        EPIDEMIC, _measure_epidemic, 120,
    ),
)  # fmt: skip
