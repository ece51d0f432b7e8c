"""What the latent diffusion lab states and does not run: targets compared, and times of a picture.

    python benchmarks/latent_diffusion.py            all three parts
    python benchmarks/latent_diffusion.py starts     one of them: targets, starts or times

First a small U-Net is trained twice on codes, with the velocity and with the noise as its target:
three seeds each, 260 steps of 32 scenes of one object, all else equal. Drawn with 20 and 5 steps at
guidance 3, 200 captions, marked by the shipped evaluator. The noise target divides by 1 - t, which
is 0 where drawing begins: so its network of seed 0 also starts lower, all times multiplied by 0.98
or 0.95, with 20, 6 and 5 steps. Then one guided picture of 20 steps among
codes and among pixels: medians of interleaved repetitions on one thread.
"""

import statistics
import sys
import time
from itertools import pairwise

import torch

from genlab.data.language import encode_scenes
from genlab.systems.latent_diffusion import sampling_times
from genlab.systems.scene_evaluation import kept_facts
from genlab.zoo import find, load_model
from genlab.zoo.latent_diffusion import real_scenes

SEEDS, N, W, REPETITIONS = (0, 1, 2), 200, 3.0, 7


def student(target: str, seed: int):
    """The lab's miniature, trained."""
    row = find("latent_diffusion").but(
        width=16, d_text=32, n_steps=260, p_two=0.0, muon=False, warmup=20, average=0.9, seed=seed
    )
    model = row.untrained()
    model.target = target
    for _ in row.train(model):
        pass
    return model.eval()


def targets() -> None:
    """Colours and digits kept, by target, number of steps and seed."""
    evaluator, facts = load_model("scene_evaluator"), real_scenes(N, p_two=0.0)[1]
    print(f"{'target':<10} {'seed':>4} {'steps':>5} {'digit':>7} {'colour':>7} {'all':>7}")
    for target in ("velocity", "noise"):
        for seed in SEEDS:
            model = student(target, seed)
            for n_steps in (20, 5):
                generator = torch.Generator().manual_seed(seed)
                x = model.draw(
                    encode_scenes(facts), guidance_scale=W, n_steps=n_steps, generator=generator
                )
                kept = kept_facts(x, facts, evaluator)
                values = " ".join(f"{kept[k].mean():7.3f}" for k in ("digit", "colour", "all"))
                print(f"{target:<10} {seed:>4} {n_steps:>5} {values}", flush=True)


@torch.no_grad()
def starts() -> None:
    """Digits kept by a noise target whose drawing begins at t = 1, or lower."""
    evaluator, facts = load_model("scene_evaluator"), real_scenes(N, p_two=0.0)[1]
    with torch.enable_grad():
        model = student("noise", 0)
    velocity = model.guided_velocity(encode_scenes(facts), N, guidance_scale=W)
    print(f"{'start':>5} {'steps':>5} {'digit':>7}")
    for start in (1.0, 0.98, 0.95):
        for n_steps in (20, 6, 5):
            generator = torch.Generator().manual_seed(0)
            z = torch.randn(N, *model.vae.latent_shape, generator=generator)
            for t, s in pairwise(start * sampling_times(n_steps)):
                z = z + (s - t) * velocity(z, t.expand(N))
            digit = kept_facts(model.decode(z), facts, evaluator)["digit"].mean()
            print(f"{start:>5.2f} {n_steps:>5} {digit:7.3f}", flush=True)


def times() -> None:
    """Seconds for eight guided pictures."""
    models = {
        name: load_model(name) for name in ("latent_diffusion", "latent_dit", "pixel_diffusion")
    }
    seconds: dict[str, list[float]] = {name: [] for name in models}
    for _ in range(REPETITIONS):
        for name, model in models.items():
            start = time.perf_counter()
            model.draw(["a red seven left of a blue three"] * 8, guidance_scale=2.0, n_steps=20)
            seconds[name].append(time.perf_counter() - start)
    for name, values in seconds.items():
        print(f"{name:<18} {statistics.median(values) / 8:.3f} seconds a picture")


if __name__ == "__main__":
    torch.set_num_threads(1)
    for name in sys.argv[1:] or ("targets", "starts", "times"):
        {"targets": targets, "starts": starts, "times": times}[name]()
