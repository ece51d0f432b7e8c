"""Follow a sampler's few steps along the exact flow, and see where it ends."""

import ipywidgets
import matplotlib.pyplot as plt
import torch
from torch import Tensor

from ..course.figures import BLACK, BLUE, ORANGE, SKY
from ..metrics.wasserstein import wasserstein_1d
from ..oracles import GaussianMixture
from ..score import (
    alphas_bar_from_betas,
    ddim_sample,
    ddim_timesteps,
    dpm_solver_sample,
    edm_sample,
    edm_sigmas,
    exact_eps_model,
    exact_flow_1d,
    half_log_snr,
    linear_betas,
    log_snr_timesteps,
)
from .explorer import Explorer, explore

SAMPLERS = ("DDIM", "DPM-Solver++ (2M)", "DDPM (eta = 1)", "Heun (EDM)")
SHOWN, N, END = 15, 600, 5.2  # trajectories drawn, samples, and where "clean" is drawn
LAW = GaussianMixture(
    torch.tensor([0.25, 0.35, 0.4], dtype=torch.float64),
    torch.tensor([[-2.0], [0.2], [1.6]], dtype=torch.float64),
    torch.tensor([0.25, 0.2, 0.35], dtype=torch.float64),
)
BAR = alphas_bar_from_betas(linear_betas(1000).double())


def trajectories(sampler: str, n_passes: int) -> tuple[Tensor, Tensor, int]:
    """Run one sampler with the perfect network from even quantiles of noise.

    Args:
        sampler: one of `SAMPLERS`.
        n_passes: network passes to spend, at least 3; Heun spends an odd number.

    Returns:
        Half log-SNR of each state `(k,)`, the states `(k, n)`, and the passes really spent.
    """
    u = (torch.arange(N, dtype=torch.float64) + 0.5) / N
    start = torch.special.ndtri(u)[:, None]
    if sampler == "Heun (EDM)":
        sigmas = edm_sigmas((n_passes + 1) // 2, sigma_min=0.01, sigma_max=80.0).double()
        states = edm_sample(lambda x, s: LAW.denoiser(x, 1.0, s), sigmas[0] * start, sigmas)
        lam, scales = -sigmas[:-1].log(), (1 + sigmas**2).sqrt()
        path = torch.stack([sigmas[0] * start, *states]).squeeze(2) / scales[:, None]
        return _with_end(lam), path, 2 * (len(sigmas) - 1) - 1
    model = exact_eps_model(LAW, BAR)
    steps = ddim_timesteps(1000, n_passes)
    if sampler == "DPM-Solver++ (2M)":
        steps = log_snr_timesteps(BAR, n_passes)
        states = dpm_solver_sample(model, start, steps, alphas_bar=BAR)
    else:
        eta = 1.0 if sampler.startswith("DDPM") else 0.0
        noise = torch.Generator().manual_seed(0)
        states = ddim_sample(model, start, steps, alphas_bar=BAR, eta=eta, generator=noise)
    path = torch.stack([start, *states]).squeeze(2)
    return _with_end(half_log_snr(BAR[steps])), path, n_passes


def _with_end(lam: Tensor) -> Tensor:
    return torch.cat([lam, torch.tensor([END], dtype=lam.dtype)])


def sampler_steps() -> Explorer:
    """Choose a sampler and its network passes: its paths over the exact flow, and its samples.

    Returns:
        Controls `sampler` and `passes`.
    """
    figure, (left, right) = plt.subplots(
        1, 2, figsize=(9.2, 3.6), width_ratios=[1.7, 1], layout="constrained"
    )
    u = (torch.arange(N, dtype=torch.float64) + 0.5) / N
    some = slice(N // SHOWN // 2, None, N // SHOWN)
    lams = torch.linspace(-5.2, END, 60, dtype=torch.float64)
    a = torch.sigmoid(2 * lams)
    exact = torch.stack(
        [exact_flow_1d(LAW, u[some], float(k) ** 0.5, (1 - float(k)) ** 0.5)[:, 0] for k in a]
    )
    left.plot(lams, exact, color=SKY, lw=1, ls="-")
    paths = left.plot(
        torch.zeros(2), torch.zeros(2, SHOWN), color=ORANGE, lw=1.2, ls="-", marker="o", ms=3
    )
    left.set(xlim=(-5.4, 5.4), ylim=(-3.4, 3.4), ylabel="state")
    left.set_xlabel("half log-SNR: noise on the left, data on the right")
    left.set_title("exact flow (blue) and the sampler (orange)")
    grid = torch.linspace(-3.4, 3.4, 300, dtype=torch.float64)
    right.plot(LAW.log_prob(grid[:, None]).exp(), grid, color=BLACK, ls="-")
    edges = torch.linspace(-3.4, 3.4, 52, dtype=torch.float64)
    bars = right.stairs(torch.zeros(51).numpy(), edges.numpy(), orientation="horizontal",
                        fill=True, color=BLUE, alpha=0.5)  # fmt: skip
    right.set(xlabel="density", ylim=(-3.4, 3.4), xlim=(0, 0.9), title="samples and data")
    target = exact_flow_1d(LAW, u, 1.0, 0.0).squeeze(1)

    def update(sampler: str, passes: int) -> str:
        lam, path, spent = trajectories(sampler, passes)
        for line, y in zip(paths, path[:, some].T, strict=True):
            line.set_data(lam.numpy(), y.numpy())
        counts = torch.histc(path[-1], 51, -3.4, 3.4) / N / float(edges[1] - edges[0])
        bars.set_data(counts.numpy())
        distance = float(wasserstein_1d(path[-1], target))
        return (
            f"{sampler}: {len(lam) - 1} steps, {spent} network passes, "
            f"W1 to the data {distance:.3f}"
        )

    return explore(
        figure,
        update,
        sampler=ipywidgets.Dropdown(options=SAMPLERS, value="DDIM", description="sampler"),
        passes=ipywidgets.IntSlider(value=8, min=3, max=40, description="passes"),
    )
