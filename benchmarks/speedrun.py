"""The record of `genlab speedrun digits16`: what each idea gains, and what evaluator B says.

    python benchmarks/speedrun.py steps     # evaluator A, the ideas one after the other, 60 s each
    python benchmarks/speedrun.py record    # evaluator B, five seeds of 180 s; once per record
    python benchmarks/speedrun.py pictures  # a digit of each class by the first and the last recipe

Seconds are the processor's, one thread. Each run is written to genlab_course/data/speedrun.json
when it ends, for the notebook frontier/speedrun; runs that are there are not repeated. The pictures
go beside it, to speedrun.npz. The old recipe's score after 240 s is read from quality.json.
"""

import statistics
import sys
from pathlib import Path

import numpy as np
import torch

sys.path[:0] = [str(Path(__file__).parents[1])]

from benchmarks.quality import load, measured, store, trained  # noqa: E402
from genlab_course.speedrun import FORMER, RECORD, SECONDS, draw, run, untrained  # noqa: E402

RESULTS = Path(__file__).parents[1] / "genlab_course" / "data" / "speedrun.json"
TRIAL, SEEDS, OF_STEPS = 60.0, range(5), range(2)
IDEAS = (
    ("former", "the recipe that mnist16_diffusion had, channels last", ()),
    ("labels", "no guidance is used, so no label is dropped", ("p_drop",)),
    (
        "muon",
        "updates of kernels and matrices are orthogonalised: all directions get equal steps",
        ("muon", "lr", "clip"),
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


def goal(floor, former):
    """What a record must reach by evaluator B."""
    return floor + 0.4 * (former - floor)


def verdict(found):
    """The record's median beside the goal."""
    runs, quality = found["record"], load()
    former = statistics.mean(r["frechet_b"] for r in quality["runs"] if r["who"] == "former")
    return {
        "median_b": statistics.median(r["frechet_b"] for r in runs),
        "floor_b": runs[0]["floor_b"],
        "former_b": round(former, 4),
        "goal_b": round(goal(runs[0]["floor_b"], former), 4),
    }


def pictures(seed=0, seconds=20.0):
    """One digit of each class after a short training by either recipe, from the same noise."""
    made = {}
    for name, recipe in (("former", FORMER), ("record", RECORD)):
        edm = untrained(recipe, seed)
        made[f"{name}_steps"] = sum(1 for _ in run(edm, recipe, seed, seconds))
        made[name] = draw(edm, 10, seed).byte().numpy()
    np.savez_compressed(RESULTS.with_suffix(".npz"), seconds=seconds, **made)


def main(parts):
    """Run what is missing, and write after each."""
    torch.set_num_threads(1)
    for part in parts:
        if part == "pictures":
            pictures()
            continue
        seeds = SEEDS if part == "record" else OF_STEPS
        tried = [("record", RECORD)] if part == "record" else [*recipes()]
        for seed in seeds:
            for name, recipe in tried:
                found = {"steps": [], "record": [], "tried": []} | load(RESULTS)
                if any(r["seed"] == seed and r.get("name", "record") == name for r in found[part]):
                    continue
                how = (seed, SECONDS, "ab") if part == "record" else (seed, TRIAL, "a")
                result = measured(trained(recipe), *how)
                idea = {"name": name, "idea": {n: says for n, says, _ in IDEAS}.get(name)}
                found[part].append(result if part == "record" else idea | result)
                found["recipe"] = RECORD._asdict()
                if found["record"] and load().get("runs"):
                    found["verdict"] = verdict(found)
                store(found, RESULTS)
                print(name, result, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:] or ["steps", "record"])
