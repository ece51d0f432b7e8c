"""The widget of lesson 10 shows the bias of the step, and what Metropolis' test does to it."""

import re

import pytest

from genlab.widgets.langevin_bias import TARGETS, langevin_bias


def reading(text):
    wanted, found = re.search(r"wanted ([\d.]+), found ([\d.e+]+)", text).groups()
    return float(wanted), float(found)


def test_every_corner_of_the_controls_gives_a_picture():
    widget = langevin_bias()
    seen = set()
    for step_size in (0.01, 0.1, 10**0.35):
        for target in TARGETS:
            for metropolis in (False, True):
                widget.set(step_size=step_size, target=target, metropolis=metropolis)
                seen.add(widget.picture)
    assert len(seen) == 12


def test_the_plain_chain_shows_the_formulas_bias():
    widget = langevin_bias()
    widget.set(step_size=0.5)
    wanted, found = reading(widget.text)
    assert wanted == pytest.approx(1.0, abs=2e-3)  # the picture ends at 4 standard deviations
    assert found == pytest.approx(1 / 0.75, rel=5 * (2 / 1500) ** 0.5)  # Monte Carlo, 1,500 chains


def test_metropolis_mends_the_law_and_says_what_it_refused():
    widget = langevin_bias()
    widget.set(step_size=0.5, metropolis=True)
    _, found = reading(widget.text)
    assert found == pytest.approx(1.0, rel=5 * (2 / 1500) ** 0.5)
    assert 50 < float(re.search(r"(\d+) % of the moves", widget.text).group(1)) < 100


def test_beyond_two_the_plain_chain_leaves_the_picture():
    widget = langevin_bias()
    widget.set(step_size=10**0.35)
    assert "have left the picture" in widget.text
    widget.set(metropolis=True)
    assert "have left the picture" not in widget.text
