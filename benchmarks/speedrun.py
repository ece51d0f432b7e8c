"""The record of `genlab speedrun digits16`: what each idea gains, and what evaluator B says.

    python benchmarks/speedrun.py steps     # evaluator A, the ideas one after the other, 60 s each
    python benchmarks/speedrun.py controls  # evaluator A, what else the row of Muon changes, alone
    python benchmarks/speedrun.py laboratory  # the notebook's small trainings, ten seeds
    python benchmarks/speedrun.py record    # evaluator B, five seeds of 180 s; once per record
    python benchmarks/speedrun.py pictures  # a digit of each class by each recipe, after 140 steps

Seconds are the processor's, one thread; the controls take as many steps as Muon's runs took, so a
busy machine does not change them. Each run is written to genlab_course/data/speedrun.json
when it ends, for the notebook frontier/speedrun; runs that are there are not repeated. The pictures
go beside it, to speedrun.npz. The old recipe's score after 240 s is read from quality.json.
"""

import ast
import json
import math
import statistics
import sys
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from torch import nn

sys.path[:0] = [str(Path(__file__).parents[1])]

from benchmarks.quality import load, measured, store, trained  # noqa: E402
from genlab_course.exercises import frontier_speedrun as bank  # noqa: E402
from genlab_course.speedrun import FORMER, RECORD, SECONDS, N, draw, run, untrained  # noqa: E402
from tests.notebooks.bite import code_cells  # noqa: E402

NOTEBOOK = Path(__file__).parents[1] / "notebooks" / "frontier" / "src" / "speedrun.py"
NEEDED = (
    "def features", "data, labels", "class MyMuon", "class Small", "def train(", "def score(",
)  # fmt: skip
BEST = {"AdamW": 0.01, "Muon": 0.04}  # of the grids, by evaluator A on seed 0
GRID = {"AdamW": (0.005, 0.01, 0.02, 0.04), "Muon": (0.01, 0.02, 0.04, 0.08)}
RIVALS = {  # to Muon, each at its best rate of four
    "AdamW, two rates": (0.0025, 0.005, 0.01, 0.02),  # of the hidden matrices; 0.04 for the rest
    "Muon, no average": GRID["Muon"],
    "equal lengths": GRID["Muon"],
    "signs": GRID["Muon"],
}
LENGTHS = {"AdamW": (100, 200, 300, 400, 800), "Muon": (50, 100, 200, 400)}  # in steps
RESULTS = Path(__file__).parents[1] / "genlab_course" / "data" / "speedrun.json"
TRIAL, SEEDS, OF_STEPS = 60.0, range(5), range(2)
N_STEPS = 405  # of a control: those of Muon's runs are 398 and 408
IDEAS = (
    ("former", "the recipe that mnist16_diffusion had, channels last", ()),
    ("labels", "no guidance is used, so no label is dropped", ("p_drop",)),
    (
        "muon",
        "updates of kernels and matrices are orthogonalised: all directions get equal steps",
        ("muon", "lr", "clip", "beta2"),
    ),
    ("late", "the rate stays high, and falls to nothing in the second half", ("fall",)),
    ("levels", "more of the training is spent at noise in which digits are decided", ("p_mean",)),
    ("average", "the weights are averaged over more steps", ("average",)),
)


def recipes():
    """The recipe after each idea: the first is the old one, the last the record's."""
    recipe = FORMER
    for name, _, settings in IDEAS:
        recipe = recipe._replace(**{key: getattr(RECORD, key) for key in settings})
        yield name, recipe


def controls():
    """The recipe `labels` with all that the row `muon` changes, but for Muon."""
    yield "control", dict(recipes())["muon"]._replace(muon=False)


def in_steps(recipe):
    """Make digits by a recipe that trains for `N_STEPS` steps, whatever time they take."""

    def make(seed, seconds):
        edm = untrained(recipe, seed)
        steps = sum(1 for _ in run(edm, recipe, seed, seconds, n_steps=N_STEPS))
        return draw(edm, N, seed), steps

    return make


def goal(floor, former):
    """What a record must reach by evaluator B."""
    return floor + 0.4 * (former - floor)


def verdict(found):
    """The record's median beside the goal."""
    runs, quality = found["record"], load()
    old = {r["seed"]: r["frechet_b"] for r in quality["runs"] if r["who"] == "former"}
    former = statistics.mean(old.values())
    return {
        "median_b": statistics.median(r["frechet_b"] for r in runs),
        "floor_b": runs[0]["floor_b"],
        "former_b": round(former, 4),
        "former_b_seeds": [old[seed] for seed in sorted(old)],
        "goal_b": round(goal(runs[0]["floor_b"], former), 4),
    }


def pictures(seed=0, n_steps=140):
    """One digit of each class by each recipe and the first control, all from the same noise."""
    tried = dict(recipes()) | dict([next(controls())])
    made = {}
    for name, recipe in tried.items():
        edm = untrained(recipe, seed)
        for _ in run(edm, recipe, seed, TRIAL, n_steps=n_steps):
            pass
        made[name] = draw(edm, 10, seed).byte().numpy()
    np.savez_compressed(RESULTS.with_suffix(".npz"), n_steps=n_steps, **made)


def of_notebook():
    """What the notebook's cells define for its laboratory, with the worked solutions."""
    names = {"torch": torch, "nn": nn, "math": math, "np": np}
    names |= {"newton_schulz": bank.newton_schulz, "muon_step": bank.muon_step}
    for source in code_cells(NOTEBOOK):
        if any(f"\n{start}" in f"\n{source}" for start in NEEDED):
            for statement in ast.parse(source).body:
                if "course." not in (line := ast.unparse(statement)) or "import" in line:
                    exec(line, names)
    return names


class Scaled(torch.optim.AdamW):
    """AdamW at a part of the rate that it is given before each step."""

    def __init__(self, weights, part):
        super().__init__(weights, weight_decay=0.0)
        self.part = part

    def step(self):
        self.param_groups[0]["lr"] *= self.part
        super().step()


def two_rates(net, rate, rest=BEST["Muon"]):
    """AdamW with a rate of its own for the matrices that Muon would train."""
    hidden = [p for p in net.blocks.parameters() if p.ndim == 2]
    others = [p for p in net.parameters() if not any(p is h for h in hidden)]
    return [Scaled(hidden, rate / rest), torch.optim.AdamW(others, weight_decay=0.0)]


def blended(grad, m, mu=0.95):
    """Muon's average, looked at one step ahead, and the average itself."""
    m = mu * m + (1 - mu) * grad
    return mu * m + (1 - mu) * grad, m


def equal_lengths(grad, m):
    """The averaged gradient, at the root mean square that a step of Muon has."""
    ahead, m = blended(grad, m)
    return 0.2 * ahead / ahead.square().mean().sqrt(), m


def signs(grad, m):
    """The signs of the averaged gradient, at the root mean square that a step of Muon has."""
    ahead, m = blended(grad, m)
    return 0.2 * ahead.sign(), m


def no_average(grad, m):
    """Muon's step from the gradient of one batch."""
    return bank.muon_step(grad, torch.zeros_like(m), 0.0)


def optimizers_of(n, trial):
    """What trains the laboratory network, and the peak of the rate."""
    name, rate = trial["optimizer"], trial["rate"]
    rules = {"Muon, no average": no_average, "equal lengths": equal_lengths, "signs": signs}
    if name in rules:
        return (lambda net: n["muon"](net, rules[name])), rate
    if name == "AdamW, two rates":
        return (lambda net: two_rates(net, rate)), BEST["Muon"]
    return {"AdamW": n["adamw"], "Muon": n["muon"]}[name], rate


def best_of(name):
    """The rate of a rival with the smallest distance on seed 0."""
    runs = [r for r in load(RESULTS)["laboratory"] if r["optimizer"] == name and r["seed"] == 0]
    return min(runs, key=lambda run: run["frechet_a"])["rate"]


def trials():
    """The trainings of the laboratory: rates on seed 0, then lengths at the best rate."""
    for name, rates in GRID.items():
        for p_mean in (-1.2, 0.5):
            for rate in rates:
                yield {"optimizer": name, "p_mean": p_mean, "n_steps": 200, "rate": rate, "seed": 0}
    for seed in range(1, 11):
        for name, lengths in LENGTHS.items():
            for p_mean in (-1.2, 0.5):
                for n in lengths:
                    what = {"optimizer": name, "p_mean": p_mean, "n_steps": n}
                    yield what | {"rate": BEST[name], "seed": seed}


def rival_trials():
    """The rivals: rates on seed 0, then the best of them."""
    for name, rates in RIVALS.items():
        what = {"optimizer": name, "p_mean": -1.2, "n_steps": 200}
        for rate in rates:
            yield what | {"rate": rate, "seed": 0}
        for seed in range(1, 11):
            yield what | {"rate": best_of(name), "seed": seed}


def laboratory():
    """Train and score what the record lacks, by the notebook's own cells."""
    n = of_notebook()
    for k, trial in enumerate(chain(trials(), rival_trials())):
        found = load(RESULTS)
        there = found.setdefault("laboratory", [])
        if any(trial.items() <= run.items() for run in there):
            continue
        how = {key: trial[key] for key in ("p_mean", "n_steps")}
        optimizers, peak = optimizers_of(n, trial)
        net = n["train"](trial["seed"], optimizers, peak, **how)
        there.append(trial | {"frechet_a": round(n["score"](net), 3)})
        store(found, RESULTS)
        print(k, json.dumps(there[-1]), flush=True)


def main(parts):
    """Run what is missing, and write after each."""
    torch.set_num_threads(1)
    for part in parts:
        if part in ("pictures", "laboratory"):
            {"pictures": pictures, "laboratory": laboratory}[part]()
            continue
        seeds = SEEDS if part == "record" else OF_STEPS
        tried = {"steps": recipes, "controls": controls, "record": lambda: [("record", RECORD)]}
        for seed in seeds:
            for name, recipe in tried[part]():
                found = {"steps": [], "controls": [], "record": [], "tried": []} | load(RESULTS)
                if any(r["seed"] == seed and r.get("name", "record") == name for r in found[part]):
                    continue
                how = (seed, SECONDS, "ab") if part == "record" else (seed, TRIAL, "a")
                make = in_steps(recipe) if part == "controls" else trained(recipe)
                result = measured(make, *how)
                if part == "controls":
                    result["seconds"] = None  # it counts steps
                idea = {"name": name, "idea": {n: says for n, says, _ in IDEAS}.get(name)}
                found[part].append(result if part == "record" else idea | result)
                found["recipe"] = RECORD._asdict()
                if found["record"] and load().get("runs"):
                    found["verdict"] = verdict(found)
                store(found, RESULTS)
                print(name, result, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:] or ["steps", "record"])
