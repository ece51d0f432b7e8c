"""The metric room: spoil real digits in five ways and watch which metric notices."""

from typing import Any

import torch
from torch import Tensor

from genlab.data.digits import load_digits
from genlab.metrics.coverage import density_coverage, nearest_distance, precision_recall
from genlab.metrics.distances import frechet_distance, kid
from genlab.metrics.features import degrade, load_classifier, only_classes, repeat_few
from genlab_course.figures import BLUE, GREEN, ORANGE, RED
from genlab_course.widgets import explorer
from genlab_course.widgets.explorer import Explorer, explore, panels, slider

N = 300  # samples, and images of the reference: enough to see, few enough to follow a slider
NAMES = ("precision", "recall", "density", "coverage", "nearest is a training image")


def _grid(samples: Tensor, n_rows: int, n_columns: int) -> Tensor:
    chosen = samples[: n_rows * n_columns, 0].reshape(n_rows, n_columns, 8, 8)
    padded = torch.nn.functional.pad(chosen, (0, 1, 0, 1))
    return padded.transpose(1, 2).reshape(n_rows * 9, n_columns * 9)[:-1, :-1]


def metric_room() -> Explorer:
    """Sliders that spoil 300 real digits, and the metrics' answer; a projector shows 60 of them.

    Green marks show the values of the unspoilt digits; for the last bar, the proportion that an
    honest generator would have.
    """
    generator = torch.Generator().manual_seed(9)
    images, labels = load_digits("train")
    order = torch.randperm(len(images), generator=generator)
    own = order[:N]
    others = order[N:]  # spoilt, and trained on
    train = images[others].double()
    held_out = torch.cat([load_digits("val").images, load_digits("test").images])[:N].double()
    eps = torch.randn((N, 1, 8, 8), dtype=torch.float64, generator=generator)
    net = load_classifier()
    reference = net.features(held_out)

    def spoil(noise: float, blur: float, classes: int, distinct: int, copied: float) -> Tensor:
        n_copied = round(copied * N)
        rows = torch.cat([others[:n_copied], own[n_copied:]])
        kept = only_classes(labels[rows], classes)[repeat_few(N, distinct)]
        return degrade(images[rows].double()[kept], eps, blur_std=blur, noise_std=noise)

    def score(samples: Tensor) -> tuple[float, ...]:
        """Fréchet distance, KID, and the bars in the order of NAMES."""
        features = net.features(samples)
        near = nearest_distance(samples.flatten(1), train.flatten(1))
        far = nearest_distance(samples.flatten(1), held_out.flatten(1))
        distances = float(frechet_distance(reference, features)), float(kid(reference, features))
        rates = *precision_recall(reference, features), *density_coverage(reference, features)
        return *distances, *rates, float((near < far).double().mean())

    honest_frechet, honest_kid, *honest = score(spoil(0.0, 0.0, 10, N, 0.0))
    figure, (left, right) = panels(7.6, 2.8, width_ratios=(1, 1.6))
    wall = (6, 10) if explorer.projected() else (3, 5)
    blank = _grid(torch.zeros(60, 1, 8, 8), *wall).numpy()
    picture = left.imshow(blank, cmap="gray", vmin=0, vmax=16)
    left.set_axis_off()
    left.set_title("samples")
    bars = list(right.barh(NAMES, honest, color=(BLUE, ORANGE, BLUE, ORANGE, RED)))
    marks = (*honest[:4], len(train) / (len(train) + N))
    for bar, value in zip(bars, marks, strict=True):
        y = bar.get_y()
        right.plot([value, value], [y, y + bar.get_height()], color=GREEN, lw=3, ls="-")
    right.set(xlim=(0, 1.6), xlabel="proportion (density may exceed 1)")
    right.invert_yaxis()

    def update(**sliders: Any) -> str:
        samples = spoil(**sliders)
        frechet, kid_now, *rates = score(samples)
        picture.set_data(_grid(samples, *wall).numpy())
        for bar, value in zip(bars, rates, strict=True):
            bar.set_width(min(value, 1.6))
        right.set_title(f"Fréchet {frechet:.2f}     KID {kid_now:+.3f}")
        said = ", ".join(f"{n} {v:.2f}" for n, v in zip(NAMES, rates, strict=True))
        first = f"Fréchet distance {frechet:.3f} (unspoilt: {honest_frechet:.3f}), KID "
        return first + f"{kid_now:+.4f} (unspoilt: {honest_kid:+.4f}); {said}."

    return explore(figure, update, noise=slider("noise (levels)", 0.0, 0, 8, 0.5),
                   blur=slider("blur (pixels)", 0.0, 0, 2, 0.1),
                   classes=slider("digits 0 to n - 1", 10, 1, 10, 1),
                   distinct=slider("distinct images", N, 5, N, 5),
                   copied=slider("proportion copied", 0.0, 0, 1, 0.1))  # fmt: skip
