"""The record of notebooks/frontier/few_step: six seeds, where a class trains one.

    python benchmarks/few_step.py            # what few_step.json lacks, 90 CPU seconds a seed
    python benchmarks/few_step.py opening    # the picture at the top, few_step.npz, two minutes

Networks, losses, training, samplers and the distance are the notebook's own cells, with the worked
solutions for what its reader writes; only some losses with one thing changed stand here. Each seed
is written when it ends; what is there is not repeated. All numbers are Fréchet distances in wavelet
features of 500 drawn digits to 1,000 training digits:

    guess      models by name, with 1, 2, 4, 8 evaluations; the network points away from a guess
    velocity   the same, with a network that writes its velocity itself
    one        trainings with one thing changed, one evaluation
    second     consistency models with two evaluations, the second at the named time
    long       the teacher in 32 Euler steps
"""

import ast
import copy
import json
import math
import sys
from functools import partial
from pathlib import Path

import numpy as np
import torch

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT)]

from genlab.train import EMA  # noqa: E402
from genlab_course.exercises import frontier_few_step as bank  # noqa: E402
from tests.notebooks.bite import code_cells  # noqa: E402

DATA = ROOT / "genlab_course" / "data"
NOTEBOOK = ROOT / "notebooks" / "frontier" / "src" / "few_step.py"
NEEDED = (
    "images, labels",
    "class Jump", "def fit", "def match", "def two_halves", "def mean_flow(", "def jumps",
    "def distance", "def four_at", "def forgetful",
)  # fmt: skip
SEEDS, COUNTS, TIMES = range(6), (1, 2, 4, 8), (0.3, 0.4, 0.5, 0.6, 0.7, 0.8)


def of_notebook():
    """What the notebook's cells define, without the lines that train."""
    names = {"torch": torch, "math": math, "copy": copy, "partial": partial}
    names |= {"jvp": torch.func.jvp, "consistency": bank.consistency_loss}
    names |= {"OneCycleLR": torch.optim.lr_scheduler.OneCycleLR, "EMA": EMA}
    names |= {"mean_flow_loss": bank.mean_flow_loss}
    for source in code_cells(NOTEBOOK):
        if any(f"\n{start}" in f"\n{source}" for start in NEEDED):
            for statement in ast.parse(source).body:
                if isinstance(statement, ast.FunctionDef) or "fit(" not in ast.unparse(statement):
                    exec(ast.unparse(statement), names)
    return names


class Direct:
    """Mixed into the notebook's network: what it writes is the velocity, not a guess."""

    def forward(self, x, r, t, label):
        return self.guess(x, r, t, label)


def losses(n, teacher):
    """The losses of the race, by name, for one teacher."""
    return {
        "consistency distillation": n["distil"](teacher),
        "consistency training": n["train_alone"],
        "shortcut": n["shortcut"],
        "MeanFlow": n["mean_flow"],
    }


def parts_of_mean_flow(n):
    """All r = 0: which times hold it? And r spread, but never near t."""
    loss, mean_flow = n["mean_flow_loss"], n["mean_flow"]

    def uniform(u, x0, eps, r, t):
        """The times 1 - 0.9 U^2 become 1 - U, uniform on [0, 1]."""
        return loss(u, x0, eps, r, 1 - ((1 - t) / 0.9).sqrt())

    def far(u, x0, eps, r, t):
        """No r above t / 2."""
        return loss(u, x0, eps, r / 2, t)

    at_zero = partial(mean_flow, spread=False, quarter=False)
    return {
        "MeanFlow, r = 0, four near the data": partial(at_zero, loss=n["four_at"](0.0)),
        "MeanFlow, r = 0, four in the middle": partial(at_zero, loss=n["four_at"](0.5)),
        "MeanFlow, r = 0, four near the noise": partial(at_zero, loss=n["four_at"](0.95)),
        "MeanFlow, r = 0, t uniform": partial(at_zero, loss=uniform),
        "MeanFlow, r up to t / 2, no quarter": partial(mean_flow, quarter=False, loss=far),
    }


def above_the_lowest_level(n):
    """Consistency training without the level whose target is the data point itself."""

    def loss(u, slow, x0, eps, label, g):
        i = torch.randint(2, 17, (64, 1), generator=g)
        s, t = (i - 1) / 16, i / 16
        return n["consistency"](u, slow, (1 - t) * x0 + t * eps, s, t, eps - x0)

    return loss


def parts_of_shortcut(n):
    """All jumps to r = 0 and no flow matching, one at a time and both."""

    def to_the_end(u, slow, x0, eps, label, g):
        """The 48 samples of flow matching stay; the 16 jumps all end at r = 0."""
        flow = n["match"](partial(u, label=label[:48]), slow, x0[:48], eps[:48], label, g)
        gap = 0.5 ** torch.randint(0, 4, (16, 1), generator=g)
        far = n["two_halves"](u, slow, x0[48:], eps[48:], label[48:], gap, gap)
        return 0.75 * flow + 0.25 * far

    def no_flow(u, slow, x0, eps, label, g):
        """64 samples of the sound jumps, none of flow matching."""
        gap = 0.5 ** torch.randint(0, 4, (64, 1), generator=g)
        t = gap * torch.ceil(torch.rand(64, 1, generator=g) / gap)
        return n["two_halves"](u, slow, x0, eps, label, gap, t)

    def both(u, slow, x0, eps, label, g):
        """64 samples of jumps that all end at r = 0."""
        gap = 0.5 ** torch.randint(0, 4, (64, 1), generator=g)
        return n["two_halves"](u, slow, x0, eps, label, gap, gap)

    return {
        "shortcut, jumps to r = 0": (to_the_end, "shortcut"),
        "shortcut, no flow rows": (no_flow, "shortcut"),
        "shortcut, r = 0": (both, "shortcut"),
    }


def changed(n, teacher):
    """Losses with one thing changed, by name, and how each model draws."""
    mean_flow = n["mean_flow"]

    def from_itself(loss):
        """The target comes from the student, not from its slow copy; it still gets no gradient."""
        return lambda u, slow, *batch: loss(u, lambda *x: u(*x).detach(), *batch)

    found = {
        "flow matching, +300 steps": (n["match"], "flow matching"),
        "MeanFlow, no quarter": (partial(mean_flow, quarter=False), "MeanFlow"),
        "MeanFlow, r = 0 and quarter": (partial(mean_flow, spread=False), "MeanFlow"),
        "MeanFlow, r = 0": (partial(mean_flow, spread=False, quarter=False), "MeanFlow"),
        "MeanFlow, x held fixed": (partial(mean_flow, loss=n["forgetful"]), "MeanFlow"),
        "distillation from itself": (from_itself(n["distil"](teacher)), "consistency training"),
        "training from itself": (from_itself(n["train_alone"]), "consistency training"),
        "training above the lowest level": (above_the_lowest_level(n), "consistency training"),
    }
    found |= {name: (loss, "MeanFlow") for name, loss in parts_of_mean_flow(n).items()}
    return found | parts_of_shortcut(n)


def measure(n, seed, found):
    """What `found`, one seed of the record, lacks."""
    noise = torch.randn(500, 144, generator=torch.Generator().manual_seed(9))
    asked = torch.arange(10).repeat(50)

    def drawn(name, net, count, **how):
        return round(n["distance"](n["SAMPLERS"][name](net, noise, count, asked, **how)), 4)

    def taught(network):
        torch.manual_seed(seed)
        return n["fit"](network(), n["match"], seed=seed, n_steps=1200, lr=4e-3)

    def race(teacher):
        named = losses(n, teacher).items()
        nets = {name: n["fit"](teacher, loss, seed=seed + 1) for name, loss in named}
        return {"flow matching": teacher} | nets

    def counted(nets):
        return {name: [drawn(name, net, k) for k in COUNTS] for name, net in nets.items()}

    found.setdefault("one", {})
    teacher = taught(n["Jump"])
    if "guess" not in found:
        nets = race(teacher)
        found |= {"guess": counted(nets), "long": drawn("flow matching", teacher, 32)}
        found["second"] = {
            name: {str(t): drawn(name, nets[name], 2, times=[1.0, t]) for t in TIMES}
            for name in ("consistency distillation", "consistency training")
        }
    for name, (loss, sampler) in changed(n, teacher).items():
        if name not in found["one"]:
            found["one"][name] = drawn(sampler, n["fit"](teacher, loss, seed=seed + 1), 1)
    if "velocity" not in found:
        teacher = taught(type("DirectJump", (Direct, n["Jump"]), {}))
        found["velocity"] = counted(race(teacher))
        loss = partial(n["mean_flow"], spread=False, quarter=False)
        net = n["fit"](teacher, loss, seed=seed + 1)
        found["one"]["MeanFlow, r = 0, writes its velocity"] = drawn("MeanFlow", net, 1)
    return found


def opening(n):
    """Noise, a teacher, its student: one evaluation each, after longer training."""
    torch.manual_seed(0)
    teacher = n["fit"](n["Jump"](512), n["match"], 0, n_steps=6000, lr=3e-3, decay=0.995)
    student = n["fit"](teacher, n["distil"](teacher), 1, n_steps=2000, decay=0.995)
    noise = torch.randn(500, 144, generator=torch.Generator().manual_seed(9))[:10]
    label = torch.arange(10)
    rows = [noise / 2.5, n["flow_steps"](teacher, noise, 1, label)]
    rows.append(n["renoise"](student, noise, 1, label))
    pixels = (torch.stack(rows).clamp(-1, 1) + 1) * 127.5
    np.savez_compressed(DATA / "few_step.npz", opening=pixels.round().byte().numpy())


def main():
    """Train what is missing."""
    torch.set_num_threads(1)
    n = of_notebook()
    if "opening" in sys.argv:
        opening(n)
        return
    path = DATA / "few_step.json"
    record = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"seeds": []}
    there = {found["seed"]: found for found in record["seeds"]}
    names = changed(n, teacher=None)
    for seed in sorted(SEEDS, key=lambda seed: seed not in there):
        found = there.get(seed, {"seed": seed})
        if "velocity" in found and set(names) <= set(found["one"]):
            continue
        there[seed] = measure(n, seed, found)
        record["seeds"] = [there[seed] for seed in sorted(there)]
        path.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
        print(f"seed {seed}", flush=True)


if __name__ == "__main__":
    main()
