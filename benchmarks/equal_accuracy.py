"""Latent diffusion against its rival among pixels, at equal accuracy of two-object captions.

    python benchmarks/equal_accuracy.py

The rival with its 20 steps keeps fewer words than the model among codes. So the number of steps
among codes is lowered until it keeps as few; three seeds of drawing. Then the processor seconds of
a picture, one thread, medians of interleaved repetitions.
"""

import statistics
import time

import torch

from genlab.data.language import encode_scenes
from genlab.systems.scene_evaluation import kept_facts
from genlab.zoo import load_model
from genlab.zoo.latent_diffusion import GUIDANCE, real_scenes

N, SEEDS, STEPS = 200, (0, 1, 2), (1, 2, 3, 4, 5, 6, 8, 20)
CASES = (("pixel_diffusion", 20), *(("latent_diffusion", n) for n in STEPS))


def accuracy(models, case) -> None:
    """Print the fraction of pictures with all words right."""
    evaluator, facts = load_model("scene_evaluator"), real_scenes(N, p_two=1.0)[1]
    right = []
    for seed in SEEDS:
        x = drawn(models, case, encode_scenes(facts), seed)
        right.append(kept_facts(x, facts, evaluator)["all"].mean().item())
    mean, std = statistics.mean(right), statistics.stdev(right)
    print(f"{case[0]:<17} {case[1]:>2} steps: all words right {mean:.3f} +- {std:.3f}", flush=True)


def times(models, n: int = 24, repetitions: int = 5) -> None:
    """Print milliseconds of a picture, and how many times faster than the rival it is."""
    rows, took = encode_scenes(real_scenes(n, p_two=1.0)[1]), {case: [] for case in CASES}
    for seed in range(repetitions):
        for case in CASES:
            begin = time.process_time()
            drawn(models, case, rows, seed)
            took[case].append(1000 * (time.process_time() - begin) / n)
    ms = {case: statistics.median(values) for case, values in took.items()}
    for case in CASES:
        ratio = ms[CASES[0]] / ms[case]
        print(f"{case[0]:<17} {case[1]:>2} steps: {ms[case]:.1f} ms, {ratio:.1f} times faster")


def drawn(models, case, rows, seed):
    """Pictures of captions by one model, in one number of steps."""
    name, n_steps = case
    generator = torch.Generator().manual_seed(seed)
    return models[name].draw(rows, guidance_scale=GUIDANCE, n_steps=n_steps, generator=generator)


if __name__ == "__main__":
    torch.set_num_threads(1)
    models = {name: load_model(name) for name, _ in CASES}
    for case in CASES:
        accuracy(models, case)
    times(models)
