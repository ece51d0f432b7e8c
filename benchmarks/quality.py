"""Ours beside diffusers: how good are 16 x 16 digits after 240 processor-seconds of training?

    make bench-quality                           # what quality.json lacks, at most an hour
    python benchmarks/quality.py --fresh         # forget it, and run everything
    python benchmarks/quality.py --only ours:0   # one run

The clock is the processor's, which other programs do not lengthen: 240 s are 120 s of two cores.
Each run is written when it ends, so that the command can be stopped and goes on from there.
"""

import argparse
import json
import math
import statistics
import sys
import time
from importlib.metadata import version
from pathlib import Path

import torch

HERE = Path(__file__).parent
RESULTS = HERE / "quality.json"
sys.path[:0] = [str(HERE.parent)]

from benchmarks.bench import between_marks  # noqa: E402
from genlab.data.digits import from_unit, load_mnist, to_unit  # noqa: E402
from genlab.train.fit import keep_freed_memory  # noqa: E402
from genlab_course import speedrun  # noqa: E402

SECONDS, SEEDS, N = 240.0, (0, 1, 2), 1000
RATES, TRIAL = ((1e-3, 2e-3, 4e-3, 8e-3, 1.6e-2), 60.0)  # the peer's grid, by judge A, seed 0
AIM = 1 / 3  # of the peer's Fréchet distance
WHO = {
    "ours": "the speed-run's recipe",
    "peer": "diffusers: UNet2DModel, cosine noise, v-prediction, AdamW",
    "former": "the former recipe of mnist16_diffusion, from before the speed-run",
}
BATCH, WARMUP = 64, 100
LABELS = torch.arange(N) % 10


def network():
    """The peer's U-Net of as many parameters, told the class."""
    import diffusers

    return diffusers.UNet2DModel(
        sample_size=16, in_channels=1, out_channels=1, block_out_channels=(24, 32, 40),
        layers_per_block=1, norm_num_groups=8, attention_head_dim=10, num_class_embeds=10,
        down_block_types=("DownBlock2D",) * 3, up_block_types=("UpBlock2D",) * 3,
    )  # fmt: skip


def peer(seed, seconds, rate):
    """diffusers: cosine noise, v-prediction, AdamW, averaged weights, DDIM in 50 passes."""
    import diffusers
    from diffusers.training_utils import EMAModel

    torch.manual_seed(seed)
    kind = {"beta_schedule": "squaredcos_cap_v2", "prediction_type": "v_prediction"}
    net, noise = network(), diffusers.DDPMScheduler(**kind)
    adam = torch.optim.AdamW(net.parameters(), lr=rate)
    average = EMAModel(net.parameters(), use_ema_warmup=True, power=0.75, foreach=True)
    (images, labels), step = load_mnist("train", 16), 0
    x, start = to_unit(images, 255), time.process_time()
    while (part := (time.process_time() - start) / seconds) < 1:
        rows, t = torch.randint(len(x), (BATCH,)), torch.randint(1000, (BATCH,))
        eps = torch.randn(BATCH, 1, 16, 16)
        said = net(noise.add_noise(x[rows], eps, t), t, class_labels=labels[rows]).sample
        loss = (said - noise.get_velocity(x[rows], eps, t)).square().mean()
        adam.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        rise, fall = min(1, (step + 1) / WARMUP), 0.5 * (1 + math.cos(math.pi * part))
        adam.param_groups[0]["lr"] = rate * rise * fall
        adam.step()
        average.step(net.parameters())
        step += 1
    average.copy_to(net.parameters())
    ddim = diffusers.DDIMScheduler(**kind)
    ddim.set_timesteps(50)
    made, generator = [], torch.Generator().manual_seed(1000 + seed)
    for c in LABELS.split(100):
        x = torch.randn(len(c), 1, 16, 16, generator=generator)
        for t in ddim.timesteps:
            with torch.no_grad():
                said = net.eval()(x, t.expand(len(c)), class_labels=c).sample
            x = ddim.step(said, t, x).prev_sample
        made.append(x)
    return from_unit(torch.cat(made), 255), step


def trained(recipe):
    """Make digits by one of our recipes."""

    def make(seed, seconds):
        edm = speedrun.untrained(recipe, seed)
        steps = sum(1 for _ in speedrun.run(edm, recipe, seed, seconds))
        return speedrun.draw(edm, N, seed), steps

    return make


MAKE = {"ours": trained(speedrun.RECORD), "peer": peer, "former": trained(speedrun.FORMER)}


def load(path=RESULTS):
    """What was measured so far."""
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def store(found, path=RESULTS):
    """Write it, a run a line."""
    rows = {
        key: "[\n  " + ",\n  ".join(map(json.dumps, value)) + "\n ]"
        for key, value in found.items()
        if isinstance(value, list) and value
    }
    lines = [f'"{key}": {rows.get(key) or json.dumps(value)}' for key, value in found.items()]
    text = "{\n " + ",\n ".join(lines) + "\n}\n"
    path.write_text(text, encoding="utf-8")


def best_rate(found):
    """The rate of the grid with the least distance by judge A."""
    return min(found["grid"], key=lambda trial: trial["frechet_a"])["rate"]


def measured(make, seed, seconds, letters, **options):
    """One run, and what the judges say."""
    images, steps = make(seed, seconds, **options)
    found = {"seed": seed, "seconds": seconds, "steps": steps}
    for letter in letters:
        says = speedrun.judged(images, letter)
        found |= {f"{name}_{letter}": round(value, 4) for name, value in says.items()}
    return found


def mean_and_error(values):
    """Mean, and its standard error where there are several."""
    error = statistics.stdev(values) / len(values) ** 0.5 if len(values) > 1 else math.nan
    return statistics.mean(values), error


def table(found):
    """The table of README.md."""
    lines = [
        "| what | parameters | runs | steps | Fréchet by B | precision | recall |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for who, says in WHO.items():
        if not (runs := [r for r in found["runs"] if r["who"] == who]):
            continue
        cells = []
        for name in ("frechet_b", "precision_b", "recall_b"):
            mean, error = mean_and_error([r[name] for r in runs])
            cells.append(f"{mean:.3f}" + ("" if math.isnan(error) else f" ± {error:.3f}"))
        steps = statistics.median(r["steps"] for r in runs)
        size = found["parameters"][who]
        lines.append(f"| {says} | {size:,} | {len(runs)} | {steps:g} | {' | '.join(cells)} |")
    floor = found["runs"][0]["floor_b"]
    lines.append(f"| real digits against real digits | | | | {floor:.3f} | | |")
    return "\n".join(lines)


def verdict(found):
    """The sentence under the table."""
    mean = {
        who: statistics.mean([r["frechet_b"] for r in found["runs"] if r["who"] == who])
        for who in ("ours", "peer")
    }
    ratio = mean["ours"] / mean["peer"]
    reached = "reached" if ratio <= AIM else "missed"
    rates = ", ".join(f"{trial['rate']:g}" for trial in found["grid"])
    return (
        f"Ours over the peer's: **{ratio:.2f}**; the aim, a third, is {reached}. "
        f"{found['seconds']:g} processor-seconds a run, one thread, {N:,} digits, "
        f"every class alike; the peer's rate {best_rate(found):g}, the best of {rates}. "
        + ", ".join(f"{name} {v}" for name, v in found["versions"].items())
        + "."
    )


def summary(found):
    """What stands between the marks of README.md: nothing before both sides have run."""
    if not {r["who"] for r in found["runs"]} >= {"ours", "peer"}:
        return "Not measured yet."
    return f"{table(found)}\n\n{verdict(found)}"


def parameters():
    """How many numbers each of them trains."""
    ours, peer = speedrun.untrained(speedrun.RECORD, 0), network()
    sizes = [sum(p.numel() for p in net.parameters()) for net in (ours, peer)]
    return dict(zip(WHO, (*sizes, sizes[0]), strict=True))


def main():
    """Run what is missing, and write after each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fresh", action="store_true", help="forget what was measured")
    parser.add_argument("--only", nargs="*", default=[], help="runs, as in ours:0 grid:0.002")
    options = parser.parse_args()
    torch.set_num_threads(1)
    keep_freed_memory()
    empty = {"seconds": SECONDS, "grid": [], "runs": []}
    found = empty if options.fresh else empty | load()
    found |= {"versions": {name: version(name) for name in ("torch", "diffusers")}}
    found |= {"parameters": parameters()}
    tasks = [("grid", rate) for rate in RATES]
    tasks += [(who, seed) for seed in SEEDS for who in WHO]
    done = {("grid", r["rate"]) for r in found["grid"]}
    done |= {(r["who"], r["seed"]) for r in found["runs"]}
    for what, number in tasks:
        if (what, number) in done or (options.only and f"{what}:{number}" not in options.only):
            continue
        if what == "grid":
            run = {"rate": number} | measured(peer, 0, TRIAL, "a", rate=number)
        else:
            how = {"rate": best_rate(found)} if what == "peer" else {}
            run = {"who": what} | how | measured(MAKE[what], number, SECONDS, "ab", **how)
        print(run, flush=True)
        fresh = load() if not options.fresh else found  # others may have written since
        found = found | {key: fresh.get(key, found[key]) for key in ("grid", "runs")}
        found["grid" if what == "grid" else "runs"].append(run)
        store(found)
    page = (HERE / "README.md").read_text(encoding="utf-8")
    filled = between_marks(page, summary(found), "quality")
    (HERE / "README.md").write_text(filled, encoding="utf-8")


if __name__ == "__main__":
    main()
