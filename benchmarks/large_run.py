"""The record of notebooks/frontier/predict_the_large_run: the runs that do not fit into a class.

    python benchmarks/large_run.py              # what large_run.json lacks, about six minutes

The network and its training are the notebook's own cells. Each run is written when it ends; runs
that are there are not repeated. Losses are nats per character on the whole held-out text, seconds
are the processor's, one thread. Kinds of runs:

    ladder     the five small runs of the notebook, seeds 0 to 4
    isoflop    other widths at the compute of width 32: 20 characters a weight, or more, or fewer?
    repeated   the five small runs on texts so short that each is read as often as the large run's
    one rate   the five small runs at the learning rate of the large one
    rates      the smallest and the largest of the small runs, and the large one, at other rates
    large      the run that the notebook predicts
    between    two sizes between the ladder and the large run
"""

import json
import platform
import sys
import time
from pathlib import Path

import torch

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT)]

from genlab.data.text import load_text  # noqa: E402
from genlab_course.exercises.frontier_predict_the_large_run import plan  # noqa: E402
from tests.notebooks.bite import code_cells  # noqa: E402

RECORD = ROOT / "genlab_course" / "data" / "large_run.json"
NOTEBOOK = ROOT / "notebooks" / "frontier" / "src" / "predict_the_large_run.py"
SMALL, LARGE = (16, 24, 32, 40, 48), 128
RATES = {16: (0.25, 0.5, 2, 4), 48: (0.5, 2), 128: (0.5, 2)}  # times the rule's


def of_notebook():
    """What the notebook's cells define: the text as numbers, the network, its training."""
    names = {"load_text": load_text, "torch": torch, "nn": torch.nn, "plan": plan}
    names["F"] = torch.nn.functional
    for source in code_cells(NOTEBOOK):
        if any(f"\ndef {name}(" in f"\n{source}" for name in ("encode", "network", "train")):
            exec(source, names)
    return names


def some_of(n, seed):
    """The first n characters of the training text's paragraphs in random order."""
    paragraphs = load_text("train").split("\n\n")
    order = torch.randperm(len(paragraphs), generator=torch.Generator().manual_seed(seed))
    return "\n\n".join(paragraphs[i] for i in order)[:n]


def wanted():
    """Yield (kind, width, seed, settings) of each run; the settings differ from the notebook's."""
    compute, rate = 6 * 20 * plan(32)[0] ** 2, plan(LARGE)[3]
    short = len(load_text("train")) / plan(LARGE)[1]  # new text, over text read
    for seed in range(5):
        yield from (("ladder", width, seed, {}) for width in SMALL)
    yield "large", LARGE, 0, {}
    for seed in range(3):
        for width in SMALL:
            yield "repeated", width, seed, {"unique": int(short * plan(width)[1])}
            yield "one rate", width, seed, {"rate": rate}
    yield from (("between", width, seed, {}) for seed in range(3) for width in (64, 96))
    for seed in range(3):
        for width, factors in RATES.items():
            for factor in factors:
                yield "rates", width, seed, {"rate": factor * plan(width)[3]}
    yield from (("large", LARGE, seed, {}) for seed in (1, 2))
    for seed in range(3):
        for width in (16, 24, 48, 64):
            yield "isoflop", width, seed, {"characters": compute // (6 * plan(width)[0])}


def main():
    """Run what is missing, and write after each."""
    torch.set_num_threads(1)
    names = of_notebook()
    for kind, width, seed, settings in wanted():
        found = json.loads(RECORD.read_text(encoding="utf-8")) if RECORD.is_file() else {"runs": []}
        key = {"kind": kind, "width": width, "seed": seed} | settings
        if any(key.items() <= run.items() for run in found["runs"]):
            continue
        how = {name: value for name, value in settings.items() if name != "unique"}
        if "unique" in settings:
            how["text"] = names["encode"](some_of(settings["unique"], seed))
        _, _, steps, rate = plan(width)
        if "characters" in how:
            steps = how.pop("characters") // 64
        start = time.process_time()
        _, loss, _ = names["train"](width, seed=seed, **{"rate": rate, "steps": steps} | how)
        result = {"loss": round(loss, 4), "seconds": round(time.process_time() - start, 1)}
        found["command"] = "python benchmarks/large_run.py"
        found["versions"] = {"python": platform.python_version(), "torch": torch.__version__}
        found["characters"] = {part: len(load_text(part)) for part in ("train", "val")}
        found["runs"].append(key | result)
        lines = ",\n  ".join(json.dumps(run) for run in found["runs"])
        head = json.dumps({k: v for k, v in found.items() if k != "runs"})
        RECORD.write_text(f'{head[:-1]}, "runs": [\n  {lines}\n]}}\n', encoding="utf-8")
        print(key | result, flush=True)


if __name__ == "__main__":
    main()
