"""Two views of the game: a generator that you move by hand, and two players on a plane."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import ipywidgets
import matplotlib.pyplot as plt
import torch
from torch import Tensor

from ..adversarial import (
    alternating_step,
    bilinear_field,
    dirac_field,
    extragradient_step,
    jensen_shannon,
    minimax_generator_loss,
    non_saturating_generator_loss,
    optimal_logits,
    play,
    play_optimistic,
    simultaneous_step,
)
from ..core import normal_log_prob
from ..course.figures import BLACK, BLUE, GREEN, ORANGE, RED
from .explorer import Explorer, explore

EXTENT, N_CELLS = 16.0, 1601
PLACES = torch.linspace(-6, 6, 97, dtype=torch.float64)  # of the generator's mean
RADIUS = 3.0  # shown of the players' plane


class Duel(NamedTuple):
    """What the best critic knows about one generator, and which way it pushes."""

    p: Tensor  # density of the data on the cells
    q: Tensor  # density of the generator on the cells
    d: Tensor  # best critic's probability of "real" on the cells
    js: float  # nats
    saturating: float  # slope of the minimax loss in the generator's mean, critic held still
    non_saturating: float  # slope of the non-saturating loss, likewise


def cells() -> Tensor:
    """Midpoints of the cells that integrals are summed over."""
    return torch.linspace(-EXTENT, EXTENT, N_CELLS, dtype=torch.float64)


def duel(mean: float, std: float) -> Duel:
    """Let a standard normal play against the generator N(mean, std^2) and the best critic.

    Args:
        mean: of the generator.
        std: of the generator, positive.

    Returns:
        Densities, best critic, divergence and both slopes, by quadrature and autograd.
    """
    x = cells()
    log_p, log_q = (normal_log_prob(x[:, None], m, s) for m, s in ((0.0, 1.0), (mean, std)))
    weights = log_q.exp() / log_q.exp().sum()
    # x = mean + std z as a function of the mean; the critic does not move with it.
    shift = torch.zeros((), dtype=torch.float64, requires_grad=True)
    moved = (x + shift)[:, None]
    logits = optimal_logits(normal_log_prob(moved, 0.0, 1.0), normal_log_prob(moved, mean, std))
    slopes = [
        float(torch.autograd.grad(weights @ loss(logits), shift, retain_graph=True)[0])
        for loss in (minimax_generator_loss, non_saturating_generator_loss)
    ]
    js = float(jensen_shannon(log_p.exp() / log_p.exp().sum(), weights))
    d = optimal_logits(log_p, log_q).sigmoid()
    return Duel(log_p.exp(), log_q.exp(), d, js, slopes[0], slopes[1])


def gan_game() -> Explorer:
    r"""Move the generator's density: the best critic, JS and both generators' slopes follow.

    Returns:
        Controls `mean` and `std` of the generator; the data are $\mathcal N(0, 1)$.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(9.0, 3.2), layout="constrained")
    x = cells().numpy()
    (real,) = left.plot(x, x, color=BLUE, ls="-", label="data p")
    (fake,) = left.plot(x, x, color=ORANGE, ls="--", label="generator q")
    (critic,) = left.plot(x, x, color=BLACK, ls=":", label="best critic D*")
    left.set(xlabel="x", ylabel="density, or probability", xlim=(-7, 7), ylim=(0, 1.6))
    left.legend(loc="upper left", fontsize=8)
    curves = [
        right.plot([], [], color=RED, ls="-", label="minimax: log(1 - D)")[0],
        right.plot([], [], color=GREEN, ls="--", label="non-saturating: -log D")[0],
    ]
    dots = [right.plot([], [], "o", color=c.get_color())[0] for c in curves]
    right.set(xlabel="generator's mean", ylabel="slope of its loss", xlim=(-6, 6), ylim=(-7, 7))
    right.legend(loc="upper left", fontsize=8)
    known: dict[float, list[Duel]] = {}

    def update(mean: float, std: float) -> str:
        if std not in known:
            known[std] = [duel(float(m), std) for m in PLACES[::4]]
        now = duel(mean, std)
        for line, y in ((real, now.p), (fake, now.q), (critic, now.d)):
            line.set_ydata(y.numpy())
        here = (now.saturating, now.non_saturating)
        for index, (curve, dot) in enumerate(zip(curves, dots, strict=True)):
            curve.set_data(PLACES[::4].numpy(), [other[4 + index] for other in known[std]])
            dot.set_data([mean], [here[index]])
        return (
            f"JS = {now.js:.4f} nats of at most log 2 = 0.6931; slopes: minimax "
            f"{now.saturating:+.4f}, non-saturating {now.non_saturating:+.4f}"
        )

    return explore(
        figure,
        update,
        mean=ipywidgets.FloatSlider(value=2.0, min=-6, max=6, step=0.25, description="mean"),
        std=ipywidgets.FloatSlider(value=1.0, min=0.4, max=2, step=0.2, description="std"),
    )


STEPS: dict[str, Callable[..., Tensor]] = {
    "simultaneous": simultaneous_step,
    "alternating": alternating_step,
    "extragradient": extragradient_step,
}


def orbit(method: str, lr: float, gamma: float, n_steps: int) -> Tensor:
    """Play from a fixed start: the bilinear game, or the smallest GAN when gamma is positive.

    Args:
        method: "simultaneous", "alternating", "extragradient" or "optimistic".
        lr: learning rate of both players.
        gamma: 0 for the bilinear game $xy/2$, else the penalty's weight in the smallest GAN.
        n_steps: how many.

    Returns:
        `(n_steps + 1, 2)`, the start included.
    """
    start = torch.tensor([1.0, 0.5], dtype=torch.float64)
    field = partial(dirac_field, gamma=gamma) if gamma else partial(bilinear_field, strength=0.5)
    if method == "optimistic":
        states = play_optimistic(start, field=field, lr=lr, n_steps=n_steps)
    else:
        states = play(start, partial(STEPS[method], field=field, lr=lr), n_steps=n_steps)
    return torch.stack([start, *states])


def game_orbit() -> Explorer:
    """Choose a step, a learning rate and a penalty: does the game settle?

    Returns:
        Controls `method`, `lr` and `gamma`.
    """
    figure, (plane, radius) = plt.subplots(1, 2, figsize=(8.0, 3.4), layout="constrained")
    n_steps = 150
    (path,) = plane.plot([], [], color=BLUE, ls="-", lw=1)
    (end,) = plane.plot([], [], "o", color=RED)
    plane.plot([0], [0], "+", color=BLACK, ms=10)
    plane.set(xlim=(-RADIUS, RADIUS), ylim=(-RADIUS, RADIUS), aspect="equal")
    plane.set(xlabel="generator's number", ylabel="critic's number")
    (fall,) = radius.semilogy(range(n_steps + 1), [1.0] * (n_steps + 1), color=BLUE, ls="-")
    radius.set(xlabel="step", ylabel="distance from equilibrium", ylim=(1e-4, 1e2))

    def update(method: str, lr: float, gamma: float) -> str:
        states = orbit(method, lr, gamma, n_steps)
        path.set_data(states[:, 0].numpy(), states[:, 1].numpy())
        end.set_data([float(states[-1, 0])], [float(states[-1, 1])])
        fall.set_ydata(states.norm(dim=1).numpy())
        game = "smallest GAN with R1" if gamma else "bilinear game"
        return f"{game}: after {n_steps} steps at distance {float(states[-1].norm()):.3g}"

    methods = [*STEPS, "optimistic"]
    return explore(
        figure,
        update,
        method=ipywidgets.Dropdown(options=methods, value="simultaneous", description="step"),
        lr=ipywidgets.FloatSlider(value=0.2, min=0.05, max=0.8, step=0.05, description="rate"),
        gamma=ipywidgets.FloatSlider(value=0, min=0, max=2, step=0.1, description="R1 gamma"),
    )
