"""A flow layer by layer, and the posterior of a simulator."""

import re

import numpy as np
import pytest
import torch

from genlab.flow.coupling import real_nvp
from genlab.zoo import find
from genlab_course import widgets
from genlab_course.widgets.flow import journey


@pytest.fixture
def flow():
    torch.manual_seed(0)
    made = real_nvp(2, n_layers=3, width=8)
    for p in made.parameters():
        p.data += 0.3 * torch.randn_like(p)
    return made


def test_the_ride_begins_at_the_base_and_ends_at_the_flows_samples(flow):
    states = journey(flow, n_samples=50, seed=4)
    z = flow.base.sample(50, generator=torch.Generator().manual_seed(4))
    np.testing.assert_allclose(states.samples[0], z.numpy())
    np.testing.assert_allclose(states.samples[-1], flow.forward(z)[0].detach().numpy(), atol=1e-12)
    assert len(states.images) == len(states.entropies) == 4


def test_the_last_density_is_the_flows(flow):
    states = journey(flow, n_samples=5)
    h = 6.0 / 90
    x = torch.tensor([[-3 + 10.5 * h, -3 + 40.5 * h]])
    assert states.images[-1][40, 10] == pytest.approx(float(flow.log_prob(x).exp().detach()))


def test_entropy_moves_by_the_mean_log_det(flow):
    states = journey(flow, n_samples=300, seed=1)
    x = torch.from_numpy(states.samples[-1])
    # the same points, asked from the data's side
    assert states.entropies[-1] == pytest.approx(-float(flow.log_prob(x).mean().detach()))


@pytest.fixture
def explorer():
    return widgets.epidemic_posterior(find("npe_epidemic").untrained())


def interval(explorer):
    """The truth and the ends of the interval that the caption states, and the mass."""
    return [float(n) for n in re.findall(r"\d+\.\d+", explorer.text)]


@pytest.mark.parametrize("moved", [{"beta": 0.8}, {"gamma": 0.09}, {"run": 2}])
def test_each_control_changes_the_picture(explorer, moved):
    explorer.set(beta=0.4, gamma=0.125, run=1)
    before = explorer.picture
    explorer.set(**moved)
    assert explorer.picture != before


def test_an_estimate_that_is_still_the_prior_states_the_priors_interval(explorer):
    """log(beta/gamma) is N(log 3.2, 0.5^2 + 0.2^2): 90 % from 1.32 to 7.76, whatever the town."""
    explorer.set(beta=0.4, gamma=0.125, run=3)
    true, low, high, mass = interval(explorer)
    assert true == pytest.approx(3.2)
    assert low == pytest.approx(1.32, rel=0.25)  # a tail of 200 draws
    assert high == pytest.approx(7.76, rel=0.25)
    assert mass == pytest.approx(0.995, abs=0.01)  # three standard deviations each way
