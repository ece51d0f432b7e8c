"""The widget of the epidemic: another town, another register, another posterior."""

import re

import pytest

from genlab import widgets
from genlab.systems.npe_models import EPIDEMIC, posterior_estimator


@pytest.fixture
def explorer():
    return widgets.epidemic_posterior(posterior_estimator(EPIDEMIC))


def interval(explorer):
    """The truth and the ends of the interval that the caption states, and the mass."""
    return [float(n) for n in re.findall(r"\d+\.\d+", explorer.text)]


@pytest.mark.parametrize("moved", [{"beta": 0.8}, {"gamma": 0.09}, {"run": 2}])
def test_each_control_changes_the_picture(explorer, moved):
    explorer.set(beta=0.4, gamma=0.125, run=1)
    before = explorer.picture
    explorer.set(**moved)
    assert explorer.picture != before


def test_the_caption_states_the_true_reproduction_number(explorer):
    explorer.set(beta=0.6, gamma=0.1, run=1)
    assert interval(explorer)[0] == pytest.approx(6.0)


def test_an_estimate_that_is_still_the_prior_states_the_priors_interval(explorer):
    """log(beta/gamma) is N(log 3.2, 0.5^2 + 0.2^2): 90 % from 1.32 to 7.76, whatever the town."""
    explorer.set(beta=0.4, gamma=0.125, run=3)
    _, low, high, mass = interval(explorer)
    assert low == pytest.approx(1.32, rel=0.25)  # a tail of 200 draws
    assert high == pytest.approx(7.76, rel=0.25)
    assert mass == pytest.approx(0.995, abs=0.01)  # three standard deviations each way
