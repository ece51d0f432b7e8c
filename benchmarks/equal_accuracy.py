"""Latent diffusion against its rival among pixels, at equal accuracy of two-object captions.

    python benchmarks/equal_accuracy.py

The rival with its 20 steps keeps fewer words than the model among codes. So the number of steps
among codes is lowered until it keeps as few, and the seconds of a picture are compared there, one
thread, interleaved; three seeds of drawing.
"""

import statistics
import time

import torch

from genlab.data.scenes import encode_scenes
from genlab.systems.scene_evaluation import kept_facts
from genlab.zoo import load_model
from genlab.zoo.scenes import GUIDANCE, real_scenes

N, SEEDS, STEPS = 200, (0, 1, 2), (2, 3, 4, 5, 6, 8, 20)


def main() -> None:
    """Print accuracy and seconds of a picture, for each number of steps."""
    torch.set_num_threads(1)
    evaluator, facts = load_model("scene_evaluator"), real_scenes(N, p_two=1.0)[1]
    cases = [("pixel_diffusion", 20), *(("latent_diffusion", n) for n in STEPS)]
    models = {name: load_model(name) for name, _ in cases}
    right = {case: [] for case in cases}
    seconds = {case: [] for case in cases}
    for seed in SEEDS:
        for name, n_steps in cases:
            generator, begin = torch.Generator().manual_seed(seed), time.perf_counter()
            x = models[name].draw(
                encode_scenes(facts), guidance_scale=GUIDANCE, n_steps=n_steps, generator=generator
            )
            seconds[name, n_steps].append((time.perf_counter() - begin) / N)
            right[name, n_steps].append(kept_facts(x, facts, evaluator)["all"].mean().item())
    rival = statistics.median(seconds[cases[0]])
    for case in cases:
        took = statistics.median(seconds[case])
        print(
            f"{case[0]:<17} {case[1]:>2} steps: all words right "
            f"{statistics.mean(right[case]):.3f} +- {statistics.stdev(right[case]):.3f}, "
            f"{1000 * took:.1f} ms a picture, {rival / took:.1f} times faster"
        )


if __name__ == "__main__":
    main()
