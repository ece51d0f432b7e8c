"""What lesson 11 says of several trainings: shares on the islands, the weight's top, the project.

python benchmarks/scores_11.py plane     fraction on the left, one level and the ladder, five seeds
python benchmarks/scores_11.py top       error of the guess at sigma = 10, with and without a factor
python benchmarks/scores_11.py project   Fréchet distance against evaluations, three training seeds
python benchmarks/scores_11.py copies    distance to the nearest digit of the training, many steps
"""

import argparse
import math

import torch
from torch import Tensor, nn

from genlab import score, solvers
from genlab.core import last
from genlab.data.digits import from_unit, load_digits, to_unit
from genlab.metrics.distances import frechet_distance
from genlab.metrics.features import load_classifier
from genlab.nn.layers import MLP
from genlab.oracles import Gaussian, GaussianMixture
from genlab_course.exercises.lesson_11 import annealed, dsm_loss, level_loss

SEEDS = range(5)
ISLANDS = GaussianMixture(
    torch.tensor([0.8, 0.2]), torch.tensor([[-2.0, 0.0], [2.0, 0.0]]), torch.tensor([0.5, 0.5])
)


def train(model, loss_of, draw, n_steps, rate):
    """The lesson's loop."""
    adam = torch.optim.Adam(model.parameters(), lr=rate)
    for step in range(n_steps):
        adam.param_groups[0]["lr"] = rate * min(1, 2 - 2 * step / n_steps)
        loss = loss_of(draw()).mean()
        adam.zero_grad()
        loss.backward()
        adam.step()


def at_level(net: nn.Module, sigma: float, rng: torch.Generator):
    """The lesson's loss at one level."""

    def loss_of(x0: Tensor) -> Tensor:
        return sigma**2 * dsm_loss(net, x0, torch.randn(x0.shape, generator=rng), sigma)

    return loss_of


def over_levels(model: score.NCSN, s: float, rng: torch.Generator):
    """The lesson's loss at random levels; s = inf leaves the second factor out."""

    def loss_of(x0: Tensor) -> Tensor:
        sigma = model.sigmas[torch.randint(len(model.sigmas), (len(x0),), generator=rng)]
        weight = sigma**2 * (1 + sigma**2 / s**2)
        return level_loss(model.score, x0, torch.randn(x0.shape, generator=rng), sigma, weight)

    return loss_of


@torch.no_grad()
def draw_with(model, sigmas, shape, rate, n_steps, rng):
    """The lesson's sampler."""
    x = sigmas[0] * torch.randn(shape, generator=rng)
    return annealed(model.score, x, sigmas, rate, n_steps, rng)


def plane() -> None:
    """Fraction of 2,000 samples on the left (data 0.8)."""

    def left(x: Tensor) -> float:
        return (x[:, 0] < 0).float().mean().item()

    for sigma in (0.1, 0.3, 1.0, 2.0):
        found = []
        for seed in SEEDS:
            torch.manual_seed(seed)
            rng = torch.Generator().manual_seed(seed)
            net = MLP(2, 2, 64, 2)
            train(
                net,
                at_level(net, sigma, rng),
                lambda rng=rng: ISLANDS.sample(256, generator=rng),
                400,
                5e-3,
            )
            start = 5 * torch.randn(2000, 2, generator=rng)
            step = {"step_size": 0.02 if sigma < 1 else 0.05, "n_steps": 600, "generator": rng}
            with torch.no_grad():
                x = last(solvers.langevin(net, start, **step))
            found.append((left(x), x[:, 1].std().item()))
        print(f"level {sigma}: left, width", *[f"{a:.2f} {b:.2f};" for a, b in found], flush=True)
    found = []
    for seed in SEEDS:
        torch.manual_seed(seed)
        rng = torch.Generator().manual_seed(seed)
        sigmas = score.noise_ladder(6.0, 0.1, 16)
        body = score.LevelMLP(2, width=64, depth=2)
        model = score.NCSN(body, sigmas, event_shape=(2,), data_std=1.5)
        train(model, over_levels(model, 1.5, rng),
              lambda rng=rng: ISLANDS.sample(256, generator=rng), 1200, 5e-3)  # fmt: skip
        x = draw_with(model, sigmas, (2000, 2), 0.3, 20, rng)
        found.append((left(x), x[:, 1].std().item()))
    print("ladder: left, width", *[f"{a:.2f} {b:.2f};" for a, b in found], flush=True)


DIGITS = to_unit(load_digits("train").images)


def ncsn(sigmas: Tensor, width: int, depth: int) -> score.NCSN:
    """The lesson's network of digits, untrained."""
    body = score.LevelMLP(64, width=width, depth=depth)
    return score.NCSN(body, sigmas, event_shape=(1, 8, 8), data_std=0.75)


def fit_digits(
    model: nn.Module, s: float, n_steps: int, rate: float, seed: int, digits: Tensor = DIGITS
) -> None:
    """Train on batches of 128."""
    rng = torch.Generator().manual_seed(seed)

    def batch() -> Tensor:
        return digits[torch.randint(len(digits), (128,), generator=rng)]

    train(model, over_levels(model, s, rng), batch, n_steps, rate)


def top() -> None:
    """Error of the clean guess behind noise of 10, over that of the best linear guess."""
    held_out = to_unit(load_digits("test").images)
    flat = DIGITS.flatten(1)
    normal = Gaussian(flat.mean(0), torch.cov(flat.T) + 1e-4 * torch.eye(64))
    x = held_out + 10 * torch.randn(held_out.shape, generator=torch.Generator().manual_seed(4))
    best = normal.denoiser(x.flatten(1), 1.0, 10.0).reshape(x.shape)
    for name, s in (("with the factor", 0.75), ("without", math.inf)):
        ratios = []
        for seed in range(3):
            torch.manual_seed(seed)
            model = ncsn(score.noise_ladder(10.0, 0.2, 14), 128, 2)
            fit_digits(model, s, 400, 4e-3, seed)
            with torch.no_grad():
                guess = x + 100 * model.score(x, torch.full((len(x),), 10.0))
            error = (guess - held_out).square().mean() / (best - held_out).square().mean()
            ratios.append(error.item())
        print(name, *[f"{r:.2f}" for r in ratios], flush=True)


def near(x: Tensor, digits: Tensor = DIGITS) -> float:
    """Median distance to the nearest of the digits."""
    return torch.cdist(x.flatten(1), digits.flatten(1)).amin(1).median().item()


def copies() -> None:
    """Median distance of 200 samples to the nearest digit of their training."""
    for n_digits in (50, 200, len(DIGITS)):
        few = DIGITS[:n_digits]
        print(f"{n_digits} digits; new digits {near(to_unit(load_digits('test').images), few):.2f}")
        for n_steps in (400, 1600, 6400):
            found = []
            for seed in (11, 12, 13):
                torch.manual_seed(seed)
                model = ncsn(score.noise_ladder(10.0, 0.2, 14), 256, 3)
                fit_digits(model, 0.75, n_steps, 2e-3, seed, few)
                rng = torch.Generator().manual_seed(1)
                found.append(
                    near(draw_with(model, model.sigmas, (200, 1, 8, 8), 0.1, 10, rng), few)
                )
            print(f"{n_steps} steps:", *[f"{d:.2f}" for d in found], flush=True)


def project() -> None:
    """Fréchet distance of 600 samples, and the median distance to the nearest training digit."""
    classifier = load_classifier()

    def features(x: Tensor) -> Tensor:
        return classifier.features(from_unit(x, whole=False))

    real = features(DIGITS)
    print(f"new digits: nearest {near(to_unit(load_digits('test').images)):.2f}")
    for seed in (11, 12, 13):
        torch.manual_seed(seed)
        model = ncsn(score.noise_ladder(10.0, 0.2, 14), 256, 3)
        fit_digits(model, 0.75, 1500, 2e-3, seed)
        for n_steps, rate in ((10, 0.1), (4, 0.1), (4, 0.2), (4, 0.3)):
            rng = torch.Generator().manual_seed(1)
            x = draw_with(model, model.sigmas, (600, 1, 8, 8), rate, n_steps, rng)
            distance = frechet_distance(real, features(x)).item()
            print(f"seed {seed}, {14 * n_steps + 1} evaluations, rate {rate}: {distance:.3f}, "
                  f"nearest {near(x):.2f}", flush=True)  # fmt: skip


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("part", choices=("plane", "top", "project", "copies"))
    torch.set_num_threads(1)
    {"plane": plane, "top": top, "project": project, "copies": copies}[parser.parse_args().part]()
