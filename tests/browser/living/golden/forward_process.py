"""Lesson 12 with the exact noise predictor of genlab: the jump, DDIM and the ancestral sampler."""

import functools
import math

import torch

from genlab import score
from genlab.oracles import GaussianMixture
from genlab.score.diffusion import ddpm_step, posterior_variances
from tests.browser.living.replay import Normals

T, N = 100, 480
SHOWN = torch.arange(4, 431, 71)
BAR = torch.sigmoid(torch.linspace(7, -8, T, dtype=torch.float64))  # after steps 1 to T
BETA = 1 - BAR / torch.cat([BAR.new_ones(1), BAR[:-1]])
PIXELS = torch.cartesian_prod(
    torch.linspace(-3.4, 3.4, 39, dtype=torch.float64),
    torch.linspace(-5.9, 5.9, 71, dtype=torch.float64),
).flip(1)
HIDDEN = {"start": lambda rng: [rng.uniform(-2.5, 2.5), rng.uniform(-2.5, 2.5)]}


@functools.cache
def noise(seed, *shape):
    return Normals(seed).tensor(*shape)


@functools.cache
def law(data):
    """The mixture, and the group of each component."""
    if data == "spiral":
        u = torch.linspace(0, 1, 12, dtype=torch.float64).repeat_interleave(3) ** 0.8
        group = torch.arange(36) % 3
        angle, r = 2 * math.pi * group.double() / 3 + 3.3 * u, 0.35 + 2.4 * u
        means, stds = torch.stack([1.5 * r * angle.cos(), r * angle.sin()], 1), 0.12 + 0.09 * u
    elif data == "two moons":
        angle = torch.linspace(0, math.pi, 12, dtype=torch.float64).repeat_interleave(2)
        group = torch.arange(24) % 2
        moon = torch.stack([2.6 * angle.cos() - 1.3, 2.5 * angle.sin() - 0.6], 1)
        means, stds = moon * (1 - 2 * group[:, None]), torch.full_like(angle, 0.17)
    else:
        places = [[-3.8, -0.8, 0.3], [-1.3, 1.5, 0.4], [1.4, -1.5, 0.4], [3.8, 0.8, 0.3]]
        group, (*means, stds) = torch.arange(4), torch.tensor(places, dtype=torch.float64).T
        means = torch.stack(means, 1)
    return GaussianMixture(torch.full_like(stds, 1 / len(stds)), means, stds), group


@functools.cache
def there(data):
    """Every point after 0 to T steps, `(T + 1, N, 2)`: the noise of all steps in one sum."""
    mixture, _ = law(data)
    k = torch.arange(N) % len(mixture.stds)
    x0 = mixture.means[k] + mixture.stds[k, None] * noise(1, N, 2)
    kept = (BAR[:, None] / BAR).sqrt().tril() * BETA.sqrt()  # of the noise of step s, at step t
    eps = torch.einsum("ts,snd->tnd", kept, noise(2, T, N, 2))
    return torch.cat([x0[None], BAR.sqrt()[:, None, None] * x0 + eps])


def go_back(data, way, start, z):
    model = score.exact_eps_model(law(data)[0], BAR)
    if way == "probability-flow ODE":
        steps = torch.arange(T - 1, -1, -1)
        path = [start, *score.ddim_sample(model, start, steps, alphas_bar=BAR)]
    else:
        path, variances = [start], posterior_variances(BETA)
        for t, fresh in zip(range(T - 1, -1, -1), z, strict=True):
            eps_hat = model(path[-1], torch.full((len(start),), t))
            level = {"beta": BETA[t], "alpha_bar": BAR[t], "variance": variances[t]}
            path.append(ddpm_step(path[-1], eps_hat, fresh, **level))
    return torch.stack(path[::-1])


@functools.cache
def back(data, way):
    return go_back(data, way, there(data)[-1], noise(3, T, N, 2))


def expected(settings):
    time, data, way = settings["time"], settings["data"], settings["way"]
    (mixture, group), path = law(data), there(data)
    ends = [group[mixture.responsibilities(x[0]).argmax(1)] for x in (path, back(data, way))]
    forward, t = time <= T, T - abs(time - T)
    trail = path[: t + 1] if forward else back(data, way)[t:].flip(0)
    n_groups = int(group.max()) + 1
    met = torch.zeros(n_groups, n_groups, dtype=torch.float64)
    met.index_put_((ends[1], ends[0]), met.new_ones(()), accumulate=True)
    start = torch.tensor([settings["start"]], dtype=torch.float64)
    own = go_back(data, way, start, noise(4, T, 1, 2))[:, 0]
    kept = float(BAR[t - 1]) if t else 1.0
    alpha, sigma = kept**0.5, (1 - kept) ** 0.5
    return {
        "t": t, "signal": alpha, "noise": sigma, "cloud": trail[-1].flatten(),
        "density": mixture.noised(alpha, sigma).log_prob(PIXELS).exp(),
        "trail": trail[:, SHOWN].flatten(1), "own": own, "group": ends[0 if forward else 1],
        "guess": mixture.denoiser(own[None, t], alpha, sigma)[0],
        "from": met / met.sum(1, keepdim=True),
        "home": (ends[0] == ends[1]).double().mean(),
    }  # fmt: skip
