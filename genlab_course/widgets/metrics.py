"""The metric room: spoil real digits in five ways and watch which metric notices."""

from typing import Any, NamedTuple

import ipywidgets
import matplotlib.pyplot as plt
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from genlab.data.digits import load_digits
from genlab.metrics.coverage import density_coverage, nearest_distance, precision_recall
from genlab.metrics.distances import frechet_distance, kid
from genlab.metrics.features import degrade, load_classifier, only_classes, repeat_few
from genlab_course.figures import BLUE, GREEN, ORANGE, RED
from genlab_course.widgets.explorer import Explorer, explore

N = 300  # samples, and images of the reference: enough to see, few enough to follow a slider
NAMES = ("precision", "recall", "density", "coverage", "nearest is a training image")


class Scores(NamedTuple):
    """What the room shows."""

    frechet: float
    kid: float
    bars: tuple[float, ...]  # in the order of NAMES


class Room:
    """Digits and features that do not change while a slider moves."""

    def __init__(self) -> None:
        generator = torch.Generator().manual_seed(9)
        images, labels = load_digits("train")
        order = torch.randperm(len(images), generator=generator)
        fresh, trained_on = order[:N], order[N:]
        held_out = torch.cat([load_digits("val").images, load_digits("test").images])[:N].double()
        self.images, self.labels = images[fresh].double(), labels[fresh]
        self.train = images[trained_on].double()
        self.train_labels = labels[trained_on]
        self.eps = torch.randn(self.images.shape, dtype=torch.float64, generator=generator)
        self.net = load_classifier()
        self.reference = self.net.features(held_out)
        self.held_out = held_out

    def samples(
        self, *, noise: float, blur: float, classes: int, distinct: int, copied: float
    ) -> Tensor:
        """Real digits, spoilt; arguments are the sliders' values."""
        images, labels = self.images.clone(), self.labels.clone()
        n_copied = round(copied * N)
        images[:n_copied], labels[:n_copied] = self.train[:n_copied], self.train_labels[:n_copied]
        images = images[only_classes(labels, classes)][repeat_few(N, distinct)]
        return degrade(images, self.eps, blur_std=blur, noise_std=noise)

    def scores(self, samples: Tensor) -> Scores:
        """Every metric of one set of samples."""
        features = self.net.features(samples)
        near = nearest_distance(samples.flatten(1), self.train.flatten(1))
        far = nearest_distance(samples.flatten(1), self.held_out.flatten(1))
        bars = (
            *precision_recall(self.reference, features),
            *density_coverage(self.reference, features),
            float((near < far).double().mean()),
        )
        return Scores(
            float(frechet_distance(self.reference, features)),
            float(kid(self.reference, features)),
            bars,
        )


def _figure(honest: Scores, honest_share: float) -> tuple[Figure, Axes, Any, list[Any]]:
    figure, (left, right) = plt.subplots(
        1, 2, figsize=(7.6, 2.8), width_ratios=(1, 1.6), layout="constrained"
    )
    picture = left.imshow(_grid(torch.zeros(15, 1, 8, 8)).numpy(), cmap="gray", vmin=0, vmax=16)
    left.set_axis_off()
    left.set_title("samples")
    bars = list(right.barh(NAMES, honest.bars, color=(BLUE, ORANGE, BLUE, ORANGE, RED)))
    for bar, value in zip(bars, (*honest.bars[:4], honest_share), strict=True):
        y = bar.get_y()
        right.plot([value, value], [y, y + bar.get_height()], color=GREEN, lw=3, ls="-")
    right.set(xlim=(0, 1.6), xlabel="share (density may exceed 1)")
    right.invert_yaxis()
    return figure, right, picture, bars


def _grid(samples: Tensor, n_rows: int = 3, n_columns: int = 5) -> Tensor:
    chosen = samples[: n_rows * n_columns, 0].reshape(n_rows, n_columns, 8, 8)
    padded = torch.nn.functional.pad(chosen, (0, 1, 0, 1))
    return padded.transpose(1, 2).reshape(n_rows * 9, n_columns * 9)[:-1, :-1]


def metric_room() -> Explorer:
    """Make the room: sliders that spoil 300 real digits, and the metrics' answer.

    Green marks show the values of the unspoilt digits (and, for the last bar, the share that an
    honest generator would have).

    Returns:
        The widget; `set(noise=3.0)` drives it without a browser.
    """
    room = Room()
    clean = room.samples(noise=0.0, blur=0.0, classes=10, distinct=N, copied=0.0)
    honest = room.scores(clean)
    share = len(room.train) / (len(room.train) + N)
    figure, right, picture, bars = _figure(honest, share)

    def update(**sliders: Any) -> str:
        samples = room.samples(**sliders)
        scores = room.scores(samples)
        picture.set_data(_grid(samples).numpy())
        for bar, value in zip(bars, scores.bars, strict=True):
            bar.set_width(min(value, 1.6))
        right.set_title(f"Frechet {scores.frechet:.2f}     KID {scores.kid:+.3f}")
        return (
            f"Frechet distance {scores.frechet:.3f} (unspoilt: {honest.frechet:.3f}), "
            f"KID {scores.kid:+.4f} (unspoilt: {honest.kid:+.4f}); "
            + ", ".join(f"{n} {v:.2f}" for n, v in zip(NAMES, scores.bars, strict=True))
            + "."
        )

    def slider(kind: Any, value: float, low: float, high: float, step: float, text: str) -> Any:
        return kind(
            value=value, min=low, max=high, step=step, description=text,
            style={"description_width": "130px"}, layout=ipywidgets.Layout(width="440px"),
        )  # fmt: skip

    real, whole = ipywidgets.FloatSlider, ipywidgets.IntSlider
    return explore(
        figure,
        update,
        noise=slider(real, 0.0, 0, 8, 0.5, "noise (levels)"),
        blur=slider(real, 0.0, 0, 2, 0.1, "blur (pixels)"),
        classes=slider(whole, 10, 1, 10, 1, "digits 0 to n - 1"),
        distinct=slider(whole, N, 5, N, 5, "distinct images"),
        copied=slider(real, 0.0, 0, 1, 0.1, "copied share"),
    )
