"""Recipes of GLIDE: averaged, and measured from the same noise."""

import pytest
import torch

from genlab.systems import evaluation
from genlab.zoo import MODULES, find, glide
from tests.support.recipes import tiny

GLIDE = pytest.mark.parametrize("name", MODULES["glide"])


@GLIDE
def test_a_few_steps_change_every_weight_and_the_average_ships(name):
    drop = {"p_drop": 0.5} if "p_drop" in find(name).settings else {}
    row = tiny(name, **drop)
    averaged, latest = row.untrained(), row.untrained()
    before = {key: p.detach().clone() for key, p in averaged.named_parameters()}
    assert len(list(row.train(averaged))) == 4
    still = [key for key, p in averaged.named_parameters() if torch.equal(p, before[key])]
    assert still == []
    run = row.train(latest)
    for _ in range(4):
        next(run)
    pairs = zip(latest.parameters(), averaged.parameters(), strict=True)
    assert sum(torch.equal(a, b) for a, b in pairs) < 3  # of a hundred


@pytest.fixture
def zeros(monkeypatch):
    """A classifier that reads a nought everywhere, and eight pictures a figure."""
    read = lambda: lambda grey: torch.zeros(len(grey), dtype=torch.int64)
    monkeypatch.setattr(glide, "N_DRAWN", 8)
    monkeypatch.setattr(evaluation, "digit_evaluator", read)


def test_the_base_is_measured_at_every_scale_from_the_same_noise(zeros, monkeypatch):
    monkeypatch.setattr(glide, "SCALES", (1.0, 3.0))
    monkeypatch.setattr(glide, "LIMITED", (3.0,))
    model = tiny("glide_base").untrained().eval()
    found = glide._measure_base(model)
    names = {"digit_w1", "all_w3", "frechet_w3", "recall_w1", "slant_free", "all_limited_w3"}
    assert names <= found.keys()
    assert len(found) == 3 * 8 + 5
    assert glide._measure_base(model) == found
