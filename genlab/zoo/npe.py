"""Neural posterior estimation (its lab): 2,000 simulations set the scales before the training."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Generator, Tensor
from torch.distributions import MultivariateNormal

from genlab.data.simulators import Epidemic, LinearGaussian, TwoMoons
from genlab.metrics.calibration import c2st, chi_square_test
from genlab.systems.npe import (
    Box,
    NeuralPosterior,
    Rescale,
    Simulator,
    calibration_ranks,
    conditional_flow,
    onto_box,
    simulated,
)
from genlab.train import Run, fit, minibatches
from genlab.zoo.cards import SEED, Figures, digest
from genlab.zoo.recipe import Plan, Recipe, ending


def posterior(
    simulator: Simulator,
    *,
    box: Box | None,
    counts: bool,
    autoregressive: bool,
    n_splines: int,
    n_affine: int,
    n_bins: int,
    width: int,
) -> NeuralPosterior:
    """An estimator that still is the prior."""
    theta, x = simulated(simulator, 2000, Generator().manual_seed(torch.initial_seed()))
    p = theta.shape[1]
    support = onto_box(p, box) if box else [Rescale(theta.mean(0), theta.std(0))]
    flow = conditional_flow(
        p, x.shape[1], support, autoregressive=autoregressive, n_splines=n_splines,
        n_affine=n_affine, n_bins=n_bins, width=width,
    )  # fmt: skip
    x = x.sqrt() if counts else x
    return NeuralPosterior(flow, x.mean(0), x.std(0), counts=counts, box=box)


def by_simulation(
    simulator: Simulator, model: NeuralPosterior, *, plan: Plan, n_simulations: int
) -> Run:
    """Simulate, then train on the simulations."""
    generator = Generator().manual_seed(plan.seed + 1)
    theta, x = simulated(simulator, n_simulations, generator)
    batches = minibatches(theta, plan.batch_size, cond=x, generator=generator)
    return fit(
        model, batches, n_steps=plan.n_steps, lr=plan.cosine(), clip=plan.clip,
        weight_decay=plan.weight_decay, average=plan.average, bfloat16=plan.bfloat16,
        hooks=ending(model, plan.hooks),
    )  # fmt: skip


def _measure_linear_gaussian(simulator: LinearGaussian, model: Any) -> Figures:
    """Mean over pairs of log p - log q is the KL divergence averaged over data."""
    theta, x = simulated(simulator, 20_000, Generator().manual_seed(SEED))
    mean, cov = simulator.posterior(x)
    exact: Tensor = MultivariateNormal(mean, cov).log_prob(theta)  # type: ignore[no-untyped-call]
    gap = exact - model.log_prob(theta, cond=x)
    error = (gap.std() / len(gap) ** 0.5).item()
    return {"kind": "exact", "kl_nats": gap.mean().item(), "kl_error": error}


def _nll(model: Any, theta: Tensor, x: Tensor) -> float:
    return -model.log_prob(theta, cond=x).mean().item()


def _measure_two_moons(simulator: TwoMoons, model: Any) -> Figures:
    """Five observations, 1,000 exact draws and 1,000 of the estimate's for each."""
    generator = Generator().manual_seed(SEED)
    theta, x = simulated(simulator, 20_000, generator)
    scores = []
    for row in x[:5]:
        exact = simulator.posterior_sample(row, 1000, generator=generator)
        draws = model.sample(1000, cond=row[None], generator=generator)
        scores.append(c2st(exact, draws, generator=generator).value)
    found = {"c2st": sum(scores) / 5, "c2st_worst": max(scores)}
    return {"kind": "exact", **found, "nll_nats": _nll(model, theta, x)}


def _measure_epidemic(simulator: Epidemic, model: Any) -> Figures:
    """Ranks of 2,000 epidemics among 99 draws: p-value of chi-square for each parameter."""
    generator = Generator().manual_seed(SEED)
    ranks = calibration_ranks(model, simulator, 2000, 99, generator)
    theta, x = simulated(simulator, 10_000, generator)
    tests = zip(("p_beta", "p_gamma"), ranks.unbind(1), strict=True)
    found = {name: chi_square_test(column, 99).p_value for name, column in tests}
    return {"kind": "exact", **found, "nll_nats": _nll(model, theta, x)}


def _simulations_digest(simulator: Simulator, seed: int) -> str:
    """Name the simulations by the first of them, to three decimals."""
    pairs = simulated(simulator, 100, Generator().manual_seed(seed + 1))
    return digest(*((1000 * part).round() for part in pairs))


def _npe(
    name: str,
    what: str,
    simulator: Any,
    measure: Callable[..., Figures],
    seconds: float,
    n_steps: int,
    sizes: dict[str, Any],
    n_simulations: int = 200_000,
) -> Recipe:
    support: dict[str, Any] = {"box": None, "counts": False, "autoregressive": False}
    flow = {"n_splines": 4, "n_affine": 2, "n_bins": 8, "width": 64}
    source = f"genlab.data.simulators, {type(simulator).__name__}: {n_simulations:,} simulations"
    return Recipe(
        name, f"posterior of {what}", lesson=4, seconds=seconds, seed=7,
        build=partial(posterior, simulator), sizes=support | flow | sizes,
        data=lambda: (), source=source, digest=partial(_simulations_digest, simulator, 7),
        plan=Plan(n_steps=n_steps, batch_size=512, lr=4e-3, warmup=100, clip=5.0),
        more={"n_simulations": n_simulations},
        loop=partial(by_simulation, simulator), measure=partial(measure, simulator),
        dtype=torch.float32,
    )  # fmt: skip


MOONS = {"box": (-1.0, 1.0), "n_splines": 6, "n_affine": 0}
RECIPES = (
    _npe("npe_linear_gaussian", "the linear Gaussian simulator: spline couplings",
         LinearGaussian(), _measure_linear_gaussian, 60, n_steps=3000,
         sizes={"n_splines": 2, "width": 32}),
    _npe("npe_two_moons", "the two moons: spline couplings, one pass to sample",
         TwoMoons(), _measure_two_moons, 180, n_steps=7000, n_simulations=1_000_000, sizes=MOONS),
    _npe("npe_two_moons_masked", "the two moons: autoregressive, two passes to sample",
         TwoMoons(), _measure_two_moons, 180, n_steps=7000, n_simulations=1_000_000,
         sizes=MOONS | {"autoregressive": True}),
    _npe("npe_epidemic", "an epidemic's rates: spline couplings",
         Epidemic(), _measure_epidemic, 120, n_steps=4000, sizes={"counts": True}),
)  # fmt: skip
