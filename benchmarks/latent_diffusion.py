"""What the latent diffusion lab states and does not run: targets compared, and times of a picture.

    python benchmarks/latent_diffusion.py

First a small U-Net is trained twice on codes, with the velocity and with the noise as its target:
three seeds each, 260 steps of 32 scenes of one object, all else equal. Drawn with 20 and 5 steps at
guidance 3, 200 captions, marked by the shipped evaluator. Then one guided picture of 20 steps among
codes and among pixels: medians of interleaved repetitions on one thread.
"""

import statistics
import time

import torch

from genlab.data.language import encode_scenes
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
    targets()
    times()
