"""The league table: every family on the same digits, in the same units, and what each pays.

One split (1,397 images to train on, 400 held out), one feature network, one thread. An empty cell
says something: a GAN has no bits per dimension. The kind of bits stands with them: = exact,
<= bound. No row is best in every column.
"""

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

from genlab.data.digits import from_unit, load_digits
from genlab.metrics.coverage import precision_recall
from genlab.metrics.distances import frechet_distance
from genlab.metrics.features import load_classifier
from genlab.zoo import card, load_model
from genlab.zoo.cards import Draw, drawn
from genlab.zoo.scores import draw_classes, draw_clean, draw_masked, draw_student
from genlab_course.fingerprint import LESSONS, ODD_CLAIMS, Subject, fingerprint

TABLE = Path(__file__).parent / "league.json"
COLUMNS = (
    *("model", "family", "bits/dim", "Frechet", "precision", "recall"),
    *("samples/s", "passes", "training, s", "parameters"),
)
N_SAMPLES = 1000
N_BOOTSTRAP = 50


@dataclass(frozen=True)
class Row:
    """One model in the table; None where it has no such number."""

    name: str
    family: str
    bits_per_dim: float | None  # of held-out digits
    kind: str  # of these bits: exact, bound, unnormalised or none
    frechet: float  # 1,000 samples to the 400 held-out images
    frechet_error: float  # standard deviation over resampled samples
    precision: float  # proportion of samples that look real
    recall: float  # proportion of held-out images that are reached
    samples_per_second: float  # in batches of 1,000, one thread
    passes: int  # network passes for a sample
    train_seconds: float  # processor seconds
    parameters: int


def draws() -> dict[str, Draw]:
    """How each model of the table draws grey levels 0..16, `(n, 1, 8, 8)`, by name."""

    def plain(name: str) -> Draw:
        model = load_model(name)
        return lambda n, generator: drawn(model, n, generator).reshape(n, 1, 8, 8)

    def scaled(name: str) -> Draw:
        draw, whole = plain(name), name == "digit_ncsn"
        return lambda n, generator: from_unit(draw(n, generator), whole=whole)

    names = ("digit_pixelcnn", "digit_transformer", "digit_flow", "digit_vae")
    return {
        **{name: plain(name) for name in names},
        **{name: scaled(name) for name in ("digit_gan", "digit_wgan", "digit_ncsn")},
        "digit_ebm": draw_clean(load_model("digit_ebm")),
        "digit_diffusion": draw_classes(load_model("digit_diffusion")),
        "digit_consistency": draw_student(load_model("digit_consistency"), 1),
        "digit_masked_diffusion": draw_masked(load_model("digit_masked_diffusion"), 16),
    }


def quality(
    images: Int[Tensor, " n 1 8 8"] | Float[Tensor, " n 1 8 8"], generator: Generator
) -> dict[str, float]:
    """Compare samples in grey levels 0..16 with the held-out digits; errors by resampling."""
    net = load_classifier()
    held_out = torch.cat([load_digits(part).images for part in ("val", "test")])
    real, fake = net.features(held_out.double()), net.features(images.double())
    again = [
        frechet_distance(real, fake[torch.randint(len(fake), (len(fake),), generator=generator)])
        for _ in range(N_BOOTSTRAP)
    ]
    found = precision_recall(real, fake[: len(real)])
    return {
        "frechet": frechet_distance(real, fake).item(),
        "frechet_error": torch.stack(again).std().item(),
        "precision": found.precision,
        "recall": found.recall,
    }


def measure(subject: Subject, family: str, draw: Draw) -> Row:
    """Measure one row; bits, training seconds and their kind are those of the model's card."""
    begin = time.perf_counter()
    images = draw(N_SAMPLES, Generator().manual_seed(0))
    seconds, stated = time.perf_counter() - begin, card(subject.name)
    return Row(
        name=subject.name,
        family=family,
        bits_per_dim=stated["metrics"].get("bits_per_dim"),
        kind=stated["metrics"].get("kind", "none"),
        **quality(images, Generator().manual_seed(1)),
        samples_per_second=N_SAMPLES / seconds,
        passes=fingerprint(subject)[0].passes,
        train_seconds=stated["seconds"],
        parameters=sum(p.numel() for p in load_model(subject.name).parameters()),
    )


def remake(watch: Callable[[Row], object] = lambda row: None) -> list[Row]:
    """Measure every row again, `watch`ing each; a few minutes on one thread."""
    how, rows = draws(), []
    for subject, family in ((make(), family) for make, family in (*LESSONS, *ODD_CLAIMS)):
        if subject.name in how:
            rows.append(measure(subject, family, how[subject.name]))
            watch(rows[-1])
    return rows


def cells(row: Row) -> tuple[str, ...]:
    """A row as it is printed, one text for each of `COLUMNS`.

    >>> vae = next(row for row in load_league() if row.name == "digit_vae")
    >>> cells(vae)[2][:2], cells(vae)[7]
    ('<=', '1')
    """
    sign = {"exact": "= ", "bound": "<= "}.get(row.kind, "")
    bits = "-" if row.bits_per_dim is None else f"{sign}{row.bits_per_dim:.2f}"
    distance = f"{row.frechet:.2f} +- {row.frechet_error:.2f}"
    found = row.name, row.family, bits, distance, f"{row.precision:.2f}", f"{row.recall:.2f}"
    cost = f"{row.samples_per_second:.0f}", str(row.passes), f"{row.train_seconds:.0f}"
    return *found, *cost, f"{row.parameters:,}"


def write(rows: list[Row], path: Path = TABLE) -> None:
    """Write the table, numbers to four digits."""
    short = [
        {k: float(f"{v:.4g}") if isinstance(v, float) else v for k, v in asdict(row).items()}
        for row in rows
    ]
    path.write_text(json.dumps(short, indent=1) + "\n", encoding="utf-8")


def load_league(path: Path = TABLE) -> list[Row]:
    """Read the table that was measured last."""
    if not path.exists():
        raise FileNotFoundError(f"{path} is missing: genlab league --remake measures it again")
    return [Row(**row) for row in json.loads(path.read_text(encoding="utf-8"))]
