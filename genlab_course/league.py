r"""The league table: every family on the same digits, in the same units, and what each pays.

One split (1,397 images to train on, 400 held out), one feature network, one thread. A column may be
empty, and an empty cell says something: a GAN has no bits per dimension. Where there are bits,
their kind stands beside them,
$$= b \ \text{(exact)} \qquad \le b \ \text{(bound)} \qquad \text{--} \ \text{(none)} .$$

No row is best in every column. `genlab league` measures the table again.

Lesson: notebooks/15_four_paradigm_landscape.ipynb
"""

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

from genlab.data.digits import load_digits
from genlab.metrics.coverage import precision_recall
from genlab.metrics.distances import frechet_distance
from genlab.metrics.features import load_classifier
from genlab.zoo.cards import drawn
from genlab.zoo.digit_diffusion import to_levels
from genlab.zoo.digit_gan import to_grey
from genlab.zoo.odd_claims_models import draw_masked, draw_student
from genlab.zoo.registry import card, load_model
from genlab.zoo.score_models import draw_clean, draw_told
from genlab_course.fingerprint import LESSONS, ODD_CLAIMS, Subject, fingerprint

TABLE = Path(__file__).parent / "league.json"
COLUMNS = (
    *("model", "family", "bits/dim", "Frechet", "precision", "recall"),
    *("samples/s", "passes", "training, s", "parameters"),
)
N_SAMPLES = 1000
N_BOOTSTRAP = 50

Draw = Callable[[int, Generator], Tensor]


@dataclass(frozen=True)
class Row:
    """One model in the table; None where it has no such number."""

    name: str
    family: str
    bits_per_dim: float | None  # of held-out digits
    kind: str  # of these bits: exact, bound, unnormalised or none
    frechet: float  # 1,000 samples to the 400 held-out images
    frechet_error: float  # standard deviation over resampled samples
    precision: float  # share of samples that look real
    recall: float  # share of held-out images that are reached
    samples_per_second: float  # in batches of 1,000, one thread
    passes: int  # network passes for a sample
    train_seconds: float  # processor seconds
    parameters: int


def draws() -> dict[str, Draw]:
    """How each model of the table draws grey levels 0..16.

    Returns:
        `(n, generator) -> (n, 1, 8, 8)` by name.
    """

    def model(name: str) -> Any:
        return load_model(name)

    def levels(name: str) -> Draw:
        return lambda n, generator: drawn(model(name), n, generator).reshape(n, 1, 8, 8)

    def scaled(name: str, undo: Callable[[Tensor], Tensor]) -> Draw:
        return lambda n, generator: undo(drawn(model(name), n, generator))

    names = ("digit_pixelcnn", "digit_transformer", "digit_flow", "digit_vae")
    return {
        **{name: levels(name) for name in names},
        "digit_gan": scaled("digit_gan", to_grey),
        "digit_wgan": scaled("digit_wgan", to_grey),
        "digit_ebm": lambda n, generator: draw_clean(model("digit_ebm"), n, generator),
        "digit_ncsn": scaled("digit_ncsn", to_levels),
        "digit_diffusion": lambda n, generator: draw_told(model("digit_diffusion"), n, generator),
        "digit_consistency": draw_student(model("digit_consistency"), 1),
        "digit_masked_diffusion": draw_masked(model("digit_masked_diffusion"), 16),
    }


def quality(
    images: Int[Tensor, " n 1 8 8"] | Float[Tensor, " n 1 8 8"], generator: Generator
) -> dict[str, float]:
    """Compare samples with the held-out digits.

    Args:
        images: grey levels 0..16.
        generator: of the resampling behind the error bar.

    Returns:
        `frechet`, its `frechet_error`, `precision` and `recall` (k = 3; as many samples as held-out
        images, since both depend on the sizes).
    """
    judge = load_classifier()
    held_out = torch.cat([load_digits(part).images for part in ("val", "test")])
    real, fake = judge.features(held_out.double()), judge.features(images.double())
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
    """Measure one row.

    Args:
        subject: watched to count its passes.
        family: where it belongs.
        draw: draws grey levels.

    Returns:
        The row; bits, training seconds and their kind are those of the model's card.
    """
    name = subject.name
    begin = time.perf_counter()
    images = draw(N_SAMPLES, Generator().manual_seed(0))
    seconds = time.perf_counter() - begin
    metrics, model = card(name)["metrics"], load_model(name)
    return Row(
        name=name,
        family=family,
        bits_per_dim=metrics.get("bits_per_dim"),
        kind=metrics.get("kind", "none"),
        **quality(images, Generator().manual_seed(1)),
        samples_per_second=N_SAMPLES / seconds,
        passes=fingerprint(subject)[0].passes,
        train_seconds=card(name)["seconds"],
        parameters=sum(p.numel() for p in model.parameters()),
    )


def remake(watch: Callable[[Row], object] = lambda row: None) -> list[Row]:
    """Measure every row again; a few minutes on one thread.

    Args:
        watch: called with each row when it is done.

    Returns:
        The table.
    """
    how, rows = draws(), []
    for make, family in (*LESSONS, *ODD_CLAIMS):
        subject = make()
        if subject.name in how:
            rows.append(measure(subject, family, how[subject.name]))
            watch(rows[-1])
    return rows


def cells(row: Row) -> tuple[str, ...]:
    """Write a row as it is printed, the kind of its bits in front of them.

    Args:
        row: one model.

    Returns:
        One text for each of `COLUMNS`.

    Example:
        >>> vae = next(row for row in load_league() if row.name == "digit_vae")
        >>> cells(vae)[2][:2], cells(vae)[7]
        ('<=', '1')
    """
    sign = {"exact": "= ", "bound": "<= "}.get(row.kind, "")
    return (
        row.name,
        row.family,
        "-" if row.bits_per_dim is None else f"{sign}{row.bits_per_dim:.2f}",
        f"{row.frechet:.2f} +- {row.frechet_error:.2f}",
        f"{row.precision:.2f}",
        f"{row.recall:.2f}",
        f"{row.samples_per_second:.0f}",
        str(row.passes),
        f"{row.train_seconds:.0f}",
        f"{row.parameters:,}",
    )


def write(rows: list[Row], path: Path = TABLE) -> None:
    """Write the table, numbers to four digits.

    Args:
        rows: from `remake`.
        path: where to.
    """
    short = [
        {k: float(f"{v:.4g}") if isinstance(v, float) else v for k, v in asdict(row).items()}
        for row in rows
    ]
    path.write_text(json.dumps(short, indent=1) + "\n", encoding="utf-8")


def load_league(path: Path = TABLE) -> list[Row]:
    """Read the table that was measured last.

    Args:
        path: of the file.

    Returns:
        Its rows.

    Raises:
        FileNotFoundError: there is none; `genlab league --remake` makes one.

    Example:
        >>> [row.kind for row in load_league() if row.name == "digit_gan"]
        ['none']
    """
    if not path.exists():
        raise FileNotFoundError(f"{path} is missing: genlab league --remake measures it again")
    return [Row(**row) for row in json.loads(path.read_text(encoding="utf-8"))]
