"""Turn up the step of a Langevin chain, and see what Metropolis' test can and cannot mend."""

import ipywidgets
import matplotlib.pyplot as plt
import numpy as np
import torch

from ..core.rng import make_generator, randn
from ..course.figures import BLACK, GREEN, RED
from ..solvers.mcmc import langevin_step, mala_step
from .explorer import Explorer, explore

N_CHAINS, N_STEPS = 1500, 80
EDGES = np.linspace(-4.0, 4.0, 65)
PLACES = np.linspace(-4.0, 4.0, 401)


def _normal(x: torch.Tensor) -> torch.Tensor:
    return (x**2 / 2).sum(1)


def _normal_score(x: torch.Tensor) -> torch.Tensor:
    return -x


def _valleys(x: torch.Tensor) -> torch.Tensor:
    return (2 * (x**2 - 1) ** 2 + 0.5 * x).sum(1)


def _valleys_score(x: torch.Tensor) -> torch.Tensor:
    return -(8 * x * (x**2 - 1) + 0.5)


TARGETS = {"one hill, N(0, 1)": (_normal, _normal_score), "two valleys": (_valleys, _valleys_score)}


def _run(
    target: str, step_size: float, adjusted: bool, noise: torch.Tensor, uniform: torch.Tensor
) -> tuple[np.ndarray, np.ndarray, float]:
    """Chains started at 0: all states of the last step, one chain's path, share accepted."""
    energy, score = TARGETS[target]
    x = torch.zeros_like(noise[0])
    path, kept = [0.0], 0.0
    for z, u in zip(noise, uniform, strict=True):
        if adjusted:
            x, yes = mala_step(lambda v: -energy(v), score, x, z, u, step_size=step_size)
            kept += float(yes.float().mean()) / N_STEPS
        else:
            x = langevin_step(x, score(x), z, step_size=step_size).clamp(-1e6, 1e6)
        path.append(float(x[0]))
    return x[:, 0].numpy(), np.array(path), kept if adjusted else 1.0


def langevin_bias() -> Explorer:
    """Slide the step size, choose the target, switch Metropolis' test on and off.

    Returns:
        The widget; controls `step_size` (0.01 to 2.2), `target` and `metropolis`.
    """
    generator = make_generator(10)
    noise = randn(
        (N_STEPS, N_CHAINS, 1), like=torch.zeros(1, dtype=torch.float32), generator=generator
    )
    uniform = torch.rand(N_STEPS, N_CHAINS, dtype=torch.float32, generator=generator)
    figure, (left, right) = plt.subplots(
        1, 2, figsize=(9.0, 3.0), width_ratios=[1.2, 1], layout="constrained"
    )
    (truth,) = left.plot(PLACES, PLACES, color=BLACK, linestyle="-", label="the law we want")
    bars = left.stairs(np.zeros(len(EDGES) - 1), EDGES, fill=True, color=RED, alpha=0.5,
                       label=f"{N_CHAINS} chains after {N_STEPS} steps")  # fmt: skip
    left.set(xlim=(-4, 4), ylim=(0, 1.2), xlabel="x", ylabel="density")
    left.legend(loc="upper right", fontsize=8)
    (line,) = right.plot(np.arange(N_STEPS + 1), np.zeros(N_STEPS + 1), linewidth=1)
    right.set(ylim=(-4, 4), xlabel="step", ylabel="x", title="one of the chains")

    def update(step_size: float, target: str, metropolis: bool) -> str:
        energy, _ = TARGETS[target]
        density = np.exp(-energy(torch.from_numpy(PLACES)[:, None]).numpy())
        density /= density.sum() * (PLACES[1] - PLACES[0])
        truth.set_ydata(density)
        x, path, kept = _run(target, step_size, metropolis, noise, uniform)
        colour = GREEN if metropolis else RED
        counts = np.histogram(x, EDGES)[0] / (len(x) * (EDGES[1] - EDGES[0]))
        bars.set_data(counts, EDGES)
        bars.set_color(colour)
        line.set_ydata(path.clip(-20, 20))
        line.set_color(colour)
        share = "" if not metropolis else f"; {100 * kept:.0f} % of the moves accepted"
        want = float((density * PLACES**2).sum() / density.sum())
        outside = float((np.abs(x) > 4).mean())
        lost = f"; {100 * outside:.0f} % have left the picture" if outside > 0.005 else ""
        found = float((x.astype(float) ** 2).mean())
        return (
            f"mean square of x: wanted {want:.3f}, found {found:.3g}; "
            f"right of 0: {100 * float((x > 0).mean()):.0f} %{share}{lost}"
        )

    return explore(
        figure,
        update,
        step_size=ipywidgets.FloatLogSlider(
            value=0.1, base=10, min=-2, max=0.35, step=0.05, description="step η"
        ),
        target=ipywidgets.Dropdown(options=list(TARGETS), description="target"),
        metropolis=ipywidgets.Checkbox(value=False, description="Metropolis' test"),
    )
