"""An energy of the digits (lesson 10): one perceptron, at temperature 1."""

import torch
from jaxtyping import Float
from torch import Generator, Tensor, nn

from genlab.core.tensors import Event
from genlab.data.digits import EVENT_SHAPE, from_unit
from genlab.nn.layers import MLP
from genlab.score.energy import EBM, PersistentChains, score_from_energy
from genlab.train import Run
from genlab.zoo.cards import Draw, digit_distance, samples_of
from genlab.zoo.recipe import Plan, Recipe, by_loss
from genlab.zoo.sources import DIGITS, scaled_digits


def digit_ebm(
    width: int,
    data_noise: float,
    base_std: float | None,
    start_std: float,
    step_size: float,
    chain_steps: int,
    n_chains: int,
    p_restart: float,
) -> EBM:
    r"""Energy of digits with noise $\sigma$ on them, with persistent chains that begin in noise.

    s is `base_std`: None leaves the quadratic out. The noise of the chains has `start_std`.

    $$E(x) = f_\theta(x) + \frac{\lVert x\rVert^2}{2 s^2}, \qquad x = g/8 - 1 + \sigma\epsilon$$

    Tieleman 2008, ICML, section 3; Nijkamp et al. 2020 (arXiv:1903.12370), section 4.
    """
    noise = Generator().manual_seed(torch.initial_seed())
    chains = PersistentChains(
        n_chains, EVENT_SHAPE, start_std=start_std, p_restart=p_restart, generator=noise
    )
    return EBM(
        nn.Sequential(nn.Flatten(), MLP(64, 1, width, 2)),
        event_shape=EVENT_SHAPE,
        step_size=step_size,
        n_steps=chain_steps,
        chains=chains,
        base_std=base_std,
        data_noise=data_noise,
    )


def fading(model: EBM, x: Tensor, *, plan: Plan, fall: float) -> Run:
    """Train at a rate that falls to nothing in the last part `fall` of the steps."""
    n = plan.n_steps
    return by_loss(model, x, plan=plan.scaled_by(lambda k: min(1.0, (n - k) / (fall * n))))


def denoise(ebm: EBM, x: Event, *, sigma: float) -> Event:
    r"""Mean clean image behind a noisy one, from the slope of the energy (Efron 2011, eq. 1.4).

    $$\mathbb E[x_0 \mid x] = x + \sigma^2\,\nabla\log p(x) = x - \sigma^2\,\nabla E(x)$$
    """
    return x + sigma**2 * score_from_energy(ebm.energy, x)


def fresh_samples(
    ebm: EBM, n: int, *, n_steps: int, generator: Generator | None = None
) -> Float[Tensor, " n 1 8 8"]:
    """Last states of chains from noise that training never saw: what the energy really holds."""
    like = next(ebm.parameters())
    start = torch.randn((n, *ebm.event_shape), dtype=like.dtype, generator=generator)
    return ebm.walk((ebm.base_std or 1.0) * start, n_steps, generator)


def draw_clean(ebm: EBM) -> Draw:
    """Grey levels from the stored chains, without the noise that the energy was trained with."""

    def draw(n: int, generator: Generator) -> Tensor:
        x = samples_of(ebm, n, generator).to(ebm.chains.states.dtype if ebm.chains else None)
        with torch.enable_grad():  # the slope of the energy is a gradient
            return from_unit(denoise(ebm, x, sigma=ebm.data_noise))

    return draw


RECIPES = (
    Recipe(
        "digit_ebm", "energy of the digits: persistent chains, noise on the data",
        lesson=10, seconds=20, seed=10,
        build=digit_ebm,
        sizes={"width": 256, "data_noise": 0.3, "base_std": 0.7, "start_std": 0.7,
               "step_size": 0.02, "chain_steps": 20, "n_chains": 1024, "p_restart": 0.05},
        data=lambda: scaled_digits()[:1], **DIGITS,
        plan=Plan(n_steps=450, batch_size=128, lr=7e-3),
        more={"fall": 0.6},
        loop=fading, dtype=torch.float32,
        measure=lambda ebm: {"kind": "unnormalised", **digit_distance(draw_clean(ebm))},
    ),
)  # fmt: skip
