"""The league table: every family on the same digits, in the same units, and what each pays.

One split (1,397 images to train on, 400 held out), one feature network, five trainings a recipe,
one thread. An empty cell says something: a GAN has no bits per dimension. The kind of bits stands
with them: = exact, <= bound. No row is best in every column.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import Any

TABLE = Path(__file__).parent / "data" / "league.json"
COLUMNS = (
    *("model", "family", "bits/dim", "Fréchet", "precision", "recall"),
    *("evaluations", "sequential", "samples/s", "training, s", "parameters"),
)


@dataclass(frozen=True)
class Row:
    """One recipe; of a tuple, each number belongs to one training, the shipped one first."""

    name: str
    family: str
    kind: str  # of the bits: exact, bound, unnormalised or none
    bits_per_dim: tuple[float, ...]  # of held-out digits; empty: none
    frechet: tuple[float, ...]  # 1,000 samples to the 400 held-out images
    precision: tuple[float, ...]  # proportion of samples that look real
    recall: tuple[float, ...]  # proportion of held-out images that are reached
    samples_per_second: float  # in batches of 1,000, one thread
    evaluations: int  # of the network, for a sample
    passes: int  # one after the other
    train_seconds: float  # processor seconds, a mean
    parameters: int


def spread(values: tuple[float, ...], digits: int = 2) -> str:
    """Mean and standard deviation over trainings.

    >>> spread((1.0, 2.0, 3.0))
    '2.00 +- 1.00'
    """
    return f"{mean(values):.{digits}f} +- {stdev(values):.{digits}f}"


def cells(row: Row) -> tuple[str, ...]:
    """A row as it is printed, one text for each of `COLUMNS`.

    >>> vae = next(row for row in load_league() if row.name == "digit_vae")
    >>> cells(vae)[2][:2], cells(vae)[7]
    ('<=', '1')
    """
    sign = {"exact": "= ", "bound": "<= "}.get(row.kind, "")
    bits = sign + spread(row.bits_per_dim, 3) if row.bits_per_dim else "-"
    found = (spread(values) for values in (row.frechet, row.precision, row.recall))
    cost = str(row.evaluations), str(row.passes), f"{row.samples_per_second:.0f}"
    paid = f"{row.train_seconds:.0f}", f"{row.parameters:,}"
    return row.name, row.family, bits, *found, *cost, *paid


def load_league(path: Path = TABLE) -> list[Row]:
    """Read the table, which `benchmarks/league.py` measures."""
    rows: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    listed = ("bits_per_dim", "frechet", "precision", "recall")
    return [Row(**row | {name: tuple(row[name]) for name in listed}) for row in rows]
