"""Does fresh noise help? The digit networks of lessons 13 and 14, over seeds, steps and clipping.

    python benchmarks/samplers.py

Each network is trained with several seeds and sampled with several; every sampler runs plain, with
its guess of the clean image clipped to [-1, 1], and in 13 from a start at lower noise. Printed are
means over all runs, then the advantage of fresh noise (by pairs) with its standard error over the
trainings. 200 images a run. 13: of given classes, DDIM with eta = 0 and 1. 14: of no class, Euler
steps on the probability-flow ODE and on the reverse SDE.
"""

import argparse
import math
from collections import defaultdict

import torch
from sklearn.svm import SVC

from genlab import score
from genlab.core import last
from genlab.data.digits import from_unit, load_digits, to_unit
from genlab.metrics.distances import frechet_distance
from genlab.metrics.features import load_classifier
from genlab.zoo import find
from genlab.zoo.diffusion import NO_CLASS

PASSES = (4, 8, 16, 32, 100)
STEPS = {"plain": (250,), "clipped": (50, 250, 500)}  # of lesson 14
LOW = 20.0  # noise over signal where lesson 13's low start begins
GUIDED = find("digit_diffusion")
UNGUIDED = GUIDED.but(n_steps=450, p_drop=1.0)  # lesson 14's network


def clipped(eps_model, levels):
    """The noise that belongs to the guess of x0 cut to [-1, 1]; `levels` gives alpha and sigma."""

    def model(x, t):
        alpha, sigma = levels(t[0])
        guess = score.x0_from_eps(x, eps_model(x, t), alpha, sigma).clamp(-1, 1)
        return score.eps_from_x0(x, guess, alpha, sigma)

    return model


def trained(recipe):
    """A network of the recipe, on its averaged weights."""
    model = recipe.untrained()
    for _ in recipe.train(model):
        pass
    return model.requires_grad_(False)


def lesson_13(model, seed, judged):
    """Yield (way, passes, sampler, recognised, distance) of 200 images each."""
    bar, wanted = model.alphas_bar, torch.arange(10).repeat(20)
    plain = score.guided_eps_model(model.eps_net, wanted, null=NO_CLASS, guidance_scale=1.0)
    clip = clipped(plain, lambda k: (bar[k].sqrt(), (1 - bar[k]).sqrt()))
    low = int((((1 - bar) / bar).sqrt() - LOW).abs().argmin()) + 1
    noises = torch.randn(200, 1, 8, 8, generator=torch.Generator().manual_seed(1000 + seed))
    for way, net, top in (("plain", plain, 100), ("clipped", clip, 100), ("low start", plain, low)):
        for n in [n for n in PASSES if n <= top]:
            for name, eta in (("ODE", 0.0), ("SDE", 1.0)):
                x = last(
                    score.ddim_sample(
                        net, noises, score.ddim_timesteps(top, n), alphas_bar=bar,
                        eta=eta, generator=torch.Generator().manual_seed(seed),
                    )
                )  # fmt: skip
                yield way, n, name, *judged(x, wanted)


def lesson_14(model, seed, judged, images):
    """Yield (way, steps, sampler, nan, distance) of 200 images each."""
    vp, t_min = score.VP(UNGUIDED.first, UNGUIDED.last), 1 / UNGUIDED.T

    def plain(x, t):
        return model.eps_net(x, UNGUIDED.T * t - 1)

    clip = clipped(plain, lambda t: (vp.alpha(t), vp.sigma(t)))
    t = torch.tensor(1.0)
    prior = score.NormalPrior.of_noised(to_unit(images), vp.alpha(t), vp.sigma(t))
    noises = prior.sample(200, generator=torch.Generator().manual_seed(1000 + seed))
    for way, net in (("plain", plain), ("clipped", clip)):
        slope = score.score_from_eps_model(net, vp.sigma)
        for n in STEPS[way]:
            for name, noise in (("ODE", 0.0), ("SDE", 1.0)):
                x = last(
                    score.reverse_sde_sample(
                        vp, slope, noises, torch.linspace(1, t_min, n + 1), noise=noise,
                        generator=torch.Generator().manual_seed(seed),
                    )
                )  # fmt: skip
                yield way, n, name, *judged(x, None)


def main():
    """Print both tables, and the advantage of fresh noise with its error."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--training-seeds", type=int, nargs="+", default=[12, 21, 22])
    parser.add_argument("--sampling-seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--lessons", type=int, nargs="+", default=[13, 14])
    options = parser.parse_args()
    images, labels = load_digits("train")
    judge = SVC(C=10.0, gamma=0.001).fit(images.flatten(1).numpy(), labels.numpy())
    features = load_classifier()
    real = features.features(images)

    def judged(x, wanted):
        seen = from_unit(x)
        distance = frechet_distance(real, features.features(seen)).item()
        if wanted is None:
            return math.nan, distance
        return float((judge.predict(seen.flatten(1).numpy()) == wanted.numpy()).mean()), distance

    for lesson in options.lessons:
        found = defaultdict(dict)  # (way, n, sampler) -> by training seed, a list of pairs
        for seed in options.training_seeds:
            recipe = GUIDED if lesson == 13 else UNGUIDED
            model = trained(recipe.but(seed=seed))
            for draw in options.sampling_seeds:
                runs = (
                    lesson_13(model, draw, judged)
                    if lesson == 13
                    else lesson_14(model, draw, judged, images)
                )
                for way, n, name, seen, distance in runs:
                    found[way, n, name].setdefault(seed, []).append((seen, distance))
            print(f"lesson {lesson}: training seed {seed} done", flush=True)
        report(lesson, found)


def report(lesson, found):
    """Print means over all runs, and SDE minus ODE with a standard error over the trainings."""
    print(f"\nlesson {lesson}: recognised / Fréchet distance, ODE and SDE; SDE minus ODE")
    for way, n in dict.fromkeys((way, n) for way, n, _ in found):
        by_seed = [
            torch.stack(
                [torch.tensor(found[way, n, name][seed]).mean(0) for name in ("ODE", "SDE")]
            )
            for seed in found[way, n, "ODE"]
        ]
        table = torch.stack(by_seed)  # (trainings, samplers, measures)
        gain = table[:, 1] - table[:, 0]
        error = gain.std(0) / math.sqrt(len(gain))
        line = "   ".join(
            f"{ode:5.3f} {sde:5.3f}  {g:+.3f} +- {e:.3f}"
            for ode, sde, g, e in zip(*table.mean(0), gain.mean(0), error, strict=True)
            if not math.isnan(ode)
        )
        print(f"{way:<10} {n:>4}   {line}", flush=True)


if __name__ == "__main__":
    main()
