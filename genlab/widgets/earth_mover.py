"""Push two densities apart: overlap decides JS, distance decides W1."""

import ipywidgets
import matplotlib.pyplot as plt
import numpy as np
import torch
from scipy.special import xlogy

from ..course.figures import BLUE, GREEN, ORANGE, RED
from ..metrics.wasserstein import wasserstein_1d
from .explorer import Explorer, explore

PLACES = np.linspace(-4.0, 10.0, 1401)
STEP = PLACES[1] - PLACES[0]
SHIFTS = np.linspace(0.0, 5.0, 51)


def _density(centre: float, width: float) -> np.ndarray:
    """A smooth bump of finite width: beyond `centre` +- `width` there is nothing at all."""
    inside = np.clip(1 - ((PLACES - centre) / width) ** 2, 0, None) ** 2
    return np.asarray(inside / (inside.sum() * STEP))


def _distances(p: np.ndarray, q: np.ndarray) -> tuple[float, float]:
    m = (p + q) / 2
    js = float((xlogy(p, p) + xlogy(q, q) - 2 * xlogy(m, m)).sum() * STEP / 2)
    levels = (np.arange(400) + 0.5) / 400  # quantiles of both, then the distance of the two samples
    at = [torch.from_numpy(np.interp(levels, np.cumsum(d) * STEP, PLACES)) for d in (p, q)]
    return js, float(wasserstein_1d(at[0], at[1]))


def earth_mover() -> Explorer:
    """Slide one density away from another and watch JS stop while W1 goes on.

    Returns:
        The widget; controls `shift` (0 to 5) and `width` (0.3 to 2), in units of x.
    """
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(10.0, 2.9), layout="constrained")
    p0 = _density(0.0, 1.0)
    (line_p,) = left.plot(PLACES, p0, color=BLUE, label="data p")
    (line_q,) = left.plot(PLACES, p0, color=ORANGE, linestyle="--", label="model q")
    left.set(xlim=(-2.2, 7.2), ylim=(0, 2.0), xlabel="x", ylabel="density", title="two laws")
    left.legend()
    (cdf_p,) = middle.plot(PLACES, p0, color=BLUE)
    (cdf_q,) = middle.plot(PLACES, p0, color=ORANGE, linestyle="--")
    area = middle.fill_between(PLACES, p0, p0, color=GREEN, alpha=0.3)
    middle.set(xlim=(-2.2, 7.2), ylim=(0, 1.02), xlabel="x", ylabel="mass to the left",
               title="area between = $W_1$")  # fmt: skip
    (curve_w,) = right.plot(SHIFTS, SHIFTS, color=GREEN, label="$W_1$ (units of x)")
    (curve_js,) = right.plot(SHIFTS, SHIFTS, color=RED, linestyle="-.", label="JS (nats)")
    marks = right.plot([0, 0], [0, 0], "o", color="black", linestyle="")
    right.axhline(np.log(2), color="#999999", linewidth=0.8)
    right.set(xlabel="shift", ylim=(0, 5.1), title="the line at the bottom is log 2")
    right.legend()
    for ax in (left, middle, right):
        ax.locator_params(nbins=5)  # fewer numbers: they are most of the drawing
    cache: dict[float, list[tuple[float, float]]] = {}

    def update(shift: float, width: float) -> str:
        if width not in cache:
            base = _density(0.0, width)
            cache[width] = [_distances(base, _density(s, width)) for s in SHIFTS]
        p, q = _density(0.0, width), _density(shift, width)
        left.set_ylim(0, max(2.0, 1.1 * p.max()))
        line_p.set_ydata(p)
        line_q.set_ydata(q)
        f, g = np.cumsum(p) * STEP, np.cumsum(q) * STEP
        cdf_p.set_ydata(f)
        cdf_q.set_ydata(g)
        area.set_data(PLACES, f, g)
        js, w1 = _distances(p, q)
        curve_js.set_ydata([d[0] for d in cache[width]])
        curve_w.set_ydata([d[1] for d in cache[width]])
        marks[0].set_data([shift, shift], [js, w1])
        touching = "they overlap" if shift < 2 * width else "nothing is shared"
        return f"shift {shift:.1f}: JS = {js:.4f} nats, $W_1$ = {w1:.3f}; {touching}"

    return explore(
        figure,
        update,
        shift=ipywidgets.FloatSlider(value=1.0, min=0, max=5, step=0.1, description="shift"),
        width=ipywidgets.FloatSlider(value=1.0, min=0.3, max=2, step=0.1, description="width"),
    )
