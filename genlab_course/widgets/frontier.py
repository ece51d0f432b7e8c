"""Widgets of the frontier: parallel pixels, a ladder of recipes, a run to predict."""

import json
from pathlib import Path

import numpy as np
import torch

from genlab.core import last
from genlab.score.masked import MaskedDiffusion, masked_sample
from genlab_course.exercises.frontier_predict_the_large_run import plan
from genlab_course.figures import BLACK, BLUE, RED, for_text, show_images
from genlab_course.widgets.explorer import Explorer, explore, menu, panels, slider, stops

DATA = Path(__file__).parents[1] / "data"
EVALUATIONS = (64, 32, 16, 8, 4, 2, 1)
HIDDEN = 17  # the token of a pixel that is not drawn yet


def parallel_pixels(model: MaskedDiffusion) -> Explorer:
    """Twenty digits in some network evaluations: the fewer, the more pixels each draws."""
    figure, ax = panels(10.0, 2.6, columns=1)

    def update(evaluations: int, noise: int) -> str:
        blank, g = torch.full((20, 1, 8, 8), HIDDEN), torch.Generator().manual_seed(noise)
        digits = last(masked_sample(model.filler, blank, evaluations, mask=HIDDEN, generator=g))
        ax.clear()
        show_images(ax, digits, title=f"{64 / evaluations:.0f} of 64 pixels in each evaluation")
        calls = f"{evaluations} evaluation{'s' if evaluations > 1 else ''}"
        return f"{calls} of one network: its guesses for a pixel are right, one pixel at a time."

    return explore(
        figure,
        update,
        evaluations=stops("evaluations", EVALUATIONS, 64),
        noise=slider("noise", 5, 1, 20, 1),
    )


def recipe_ladder() -> Explorer:
    """The speed-run's recorded table, idea by idea: two seeds each, trained for a minute."""
    rows = json.loads((DATA / "speedrun.json").read_text(encoding="utf-8"))["steps"]
    names = list(dict.fromkeys(row["name"] for row in rows))
    ideas = {row["name"]: row["idea"] for row in rows}
    figure, ax = panels(9.0, 3.4, columns=1)

    def update(rows_shown: int) -> str:
        ax.clear()
        for k, name in enumerate(names[:rows_shown]):
            found = [row["frechet_a"] for row in rows if row["name"] == name]
            ax.plot(found, [k] * len(found), "o", color=BLUE, markersize=10)
        ax.set(
            xlim=(0, 0.65),
            ylim=(len(names) - 0.5, -0.5),
            xlabel="Fréchet distance (less is better)",
        )
        ax.set_yticks(range(len(names)), [n if k < rows_shown else "" for k, n in enumerate(names)])
        ax.set_title("One minute of training each: which idea made the difference?")
        return f"{names[rows_shown - 1]}: {ideas[names[rows_shown - 1]]}."

    return explore(figure, update, rows_shown=slider("ideas", 1, 1, len(names), 1))


WIDTHS = 16, 24, 32, 40, 48
LARGE = 128


def large_run() -> Explorer:
    """Laws with a chosen floor through five small runs, and the large run when it is asked for."""
    runs = json.loads((DATA / "large_run.json").read_text(encoding="utf-8"))["runs"]

    def mean(kind: str, width: int) -> float:
        return float(np.mean([r["loss"] for r in runs if (r["kind"], r["width"]) == (kind, width)]))

    weights = np.array([plan(w)[0] for w in (*WIDTHS, LARGE)])
    cost = (weights / weights[0]) ** 2
    small = np.array([mean("ladder", w) for w in WIDTHS])
    truth = mean("large", LARGE)
    figure, ax = panels(9.0, 3.6, columns=1)
    line = np.geomspace(0.7, cost[-1], 100)

    def update(floor: float, answer: str) -> str:
        power, start = np.polyfit(np.log(cost[:-1]), np.log(small - floor), 1)
        curve = floor + np.exp(start + power * np.log(line))
        miss = np.abs(floor + np.exp(start + power * np.log(cost[:-1])) - small).max()
        ax.clear()
        ax.plot(line, curve, color=BLUE, linestyle="-")
        ax.plot(cost[:-1], small, "o", color=BLACK, markersize=9)
        ax.text(cost[1] * 1.2, small[1], "five small runs", va="bottom")
        ax.axvline(cost[-1], color="#BBBBBB", linewidth=6, zorder=0)
        ax.text(
            cost[-1] / 1.1,
            curve[-1],
            f"{curve[-1]:.2f}",
            color=for_text(BLUE),
            ha="right",
            va="top",
        )
        if answer == "shown":
            ax.plot([cost[-1]], [truth], "o", color=RED, markersize=11)
            ax.text(
                cost[-1] / 1.1, truth, f"{truth:.2f}", color=for_text(RED), ha="right", va="bottom"
            )
        ax.set(xscale="log", xlim=(0.6, 1.6 * cost[-1]), ylim=(0.9, 2.8),
               xlabel="compute, in smallest runs", ylabel="loss (nats)")  # fmt: skip
        ax.set_title("Each floor passes near five small runs; which one knows the large run?")
        said = (
            f"With a floor of {floor:.1f} the law misses the small runs by {miss:.3f} at most and "
        )
        return (
            said
            + f"forecasts {curve[-1]:.2f} nats for {cost[-1] / cost[-2]:.0f} times the compute."
        )

    return explore(
        figure,
        update,
        floor=slider("floor (nats)", 0.6, 0.0, 1.4, 0.1),
        answer=menu("large run", ("hidden", "shown")),
    )
