"""Widgets of the frontier: what they draw is the record's, and a hand changes it."""

import json
import re

import numpy as np
import pytest
import torch

from genlab.metrics.features import load_classifier
from genlab.zoo import load_model
from genlab_course import widgets
from genlab_course.widgets import frontier

NUMBER = re.compile(r"\d+\.\d+")


@pytest.fixture
def record():
    return lambda name: json.loads((frontier.DATA / f"{name}.json").read_text(encoding="utf-8"))


def test_pixels_that_are_drawn_together_are_no_digits():
    model, net = load_model("digit_masked_diffusion"), load_classifier()
    sure = {}
    for n in (32, 1):
        g = torch.Generator().manual_seed(0)
        blank = torch.full((60, 1, 8, 8), frontier.HIDDEN)
        digits = frontier.last(
            frontier.masked_sample(model.filler, blank, n, mask=frontier.HIDDEN, generator=g)
        )
        sure[n] = net(digits.double()).softmax(1).amax(1).mean().item()
    assert sure[32] > sure[1] + 0.05
    shown = widgets.parallel_pixels(model)
    before = shown.picture
    shown.set(evaluations=1)
    assert shown.picture != before
    assert shown.text.startswith("1 evaluation ")


def test_the_ladder_of_recipes_shows_what_was_recorded(record):
    shown = widgets.recipe_ladder()
    rows = record("speedrun")["steps"]
    for k, name in enumerate(dict.fromkeys(row["name"] for row in rows), 1):
        shown.set(rows_shown=k)
        dots = np.concatenate([line.get_xdata() for line in shown._figure.axes[0].lines])
        found = [r["frechet_a"] for r in rows if r["name"] == name]
        assert list(dots[-len(found) :]) == found
        assert shown.text.startswith(f"{name}: ")


def test_a_floor_decides_the_forecast_and_the_truth_is_shown_when_asked_for(record):
    shown = widgets.large_run()
    forecasts = []
    for floor in (0.0, 0.8, 1.4):
        shown.set(floor=floor)
        said = [float(v) for v in NUMBER.findall(shown.text)]
        assert said[0] == floor
        assert said[1] < 0.06  # each passes near them
        forecasts.append(said[2])
    assert forecasts == sorted(forecasts)
    assert forecasts[-1] - forecasts[0] > 0.2
    runs = [r["loss"] for r in record("large_run")["runs"] if r["kind"] == "large"]
    words = lambda: {t.get_text() for t in shown._figure.axes[0].texts}
    truth = f"{np.mean(runs):.2f}"
    assert truth not in words()
    shown.set(answer="shown", floor=0.0)
    assert truth in words()
