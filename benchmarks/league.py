"""Measure the league table of lesson 15: every recipe trained five times, drawn and compared.

    python benchmarks/league.py FOLDER

The shipped model of a recipe is one of the five; the others are trained into FOLDER, where a
second call finds them (half an hour on one thread). Writes `genlab_course/data/league.json`.
"""

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from statistics import mean
from typing import Any

import torch
from torch import Generator, Tensor

from genlab.core.weights import read_card
from genlab.data.digits import from_unit, load_digits
from genlab.metrics.coverage import precision_recall
from genlab.metrics.distances import frechet_distance
from genlab.metrics.features import load_classifier
from genlab.zoo import find, load_model
from genlab.zoo.cards import Draw, draw_classes, samples_of
from genlab.zoo.consistency import distil, draw_student
from genlab.zoo.edm import TEACHER
from genlab.zoo.energy import draw_clean
from genlab.zoo.masked import draw_masked
from genlab.zoo.train import train
from genlab_course.fingerprint import LESSONS, ODD_CLAIMS, fingerprint
from genlab_course.league import TABLE, Row

SEEDS = (101, 102, 103, 104)  # of training, after the shipped one
N_SAMPLES = 1000


def draw_of(name: str, model: Any) -> Draw:
    """How a recipe's model draws grey levels 0..16, `(n, 1, 8, 8)`."""
    special: dict[str, Callable[[Any], Draw]] = {
        "digit_ebm": draw_clean, "digit_diffusion": draw_classes,
        "digit_consistency": partial(draw_student, n_passes=1),
        "digit_masked_diffusion": partial(draw_masked, n_passes=16),
    }  # fmt: skip

    def plain(n: int, generator: Generator) -> Tensor:
        x = samples_of(model, n, generator).reshape(n, 1, 8, 8)
        scaled = name in ("digit_gan", "digit_wgan", "digit_ncsn")
        return from_unit(x, whole=name == "digit_ncsn") if scaled else x

    return special[name](model) if name in special else plain


def quality(images: Tensor) -> dict[str, float]:
    """Compare samples in grey levels 0..16 with the held-out digits."""
    net = load_classifier()
    held_out = torch.cat([load_digits(part).images for part in ("val", "test")])
    real, fake = net.features(held_out.double()), net.features(images.double())
    found, distance = precision_recall(real, fake[: len(real)]), frechet_distance(real, fake)
    return {"frechet": distance.item(), "precision": found.precision, "recall": found.recall}


def trained(name: str, seed: int, folder: Path) -> tuple[Any, dict[str, Any]]:
    """A recipe's model from another seed, and its card; trained once, kept in `folder`."""
    row, path = find(name).but(seed=seed), folder / f"{name}_{seed}.safetensors"
    if row.loop is distil:
        row = replace(row, loop=partial(distil, teacher=trained(TEACHER.name, seed, folder)[0]))
    if not path.with_suffix(".json").exists():
        train(row, path)
    return row.load(path), read_card(path)


def measure(make: Callable[..., Any], family: str, others: list[tuple[Any, Any]]) -> Row:
    """One row: of the shipped model, and of `others` with their cards."""
    subject = make()
    models = [(load_model(subject.name), find(subject.name).card()), *others]
    metrics, begin = [card["metrics"] for _, card in models], time.perf_counter()
    images = [draw_of(subject.name, m)(N_SAMPLES, Generator().manual_seed(0)) for m, _ in models]
    seconds, seen = (time.perf_counter() - begin) / len(models), fingerprint(subject)[0]
    found = [quality(x) for x in images]
    return Row(
        name=subject.name,
        family=family,
        kind=metrics[0].get("kind", "none"),
        bits_per_dim=tuple(m["bits_per_dim"] for m in metrics if "bits_per_dim" in m),
        **{k: tuple(row[k] for row in found) for k in ("frechet", "precision", "recall")},
        samples_per_second=N_SAMPLES / seconds,
        evaluations=seen.evaluations,
        passes=seen.passes,
        train_seconds=mean(card["seconds"] for _, card in models),
        parameters=find(subject.name).size,
    )


def remake(folder: Path, watch: Callable[[Row], object]) -> list[Row]:
    """Train every recipe again from `SEEDS` into `folder`, measure all, `watch`ing each row."""
    rows = []
    for make, family in (*LESSONS, *ODD_CLAIMS):
        name = make().name
        if name.startswith("digit") and "," not in name:
            rows.append(measure(make, family, [trained(name, seed, folder) for seed in SEEDS]))
            watch(rows[-1])
    return rows


def write(rows: list[Row], path: Path = TABLE) -> None:
    """Write the table, numbers to four digits."""
    text = json.dumps([asdict(row) for row in rows])
    short = json.loads(text, parse_float=lambda v: float(f"{float(v):.4g}"))
    path.write_text(json.dumps(short, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    torch.set_num_threads(1)
    write(remake(parser.parse_args().folder, lambda row: print(row, flush=True)))
