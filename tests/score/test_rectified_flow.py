"""Rectified flow: straightness in closed form, pairs, the model's capabilities, training."""

import math

import pytest
import torch
from torch.testing import assert_close

from genlab.core import HasLogProb, Sampleable, Trainable, last, likelihood_kind
from genlab.data.toys import GaussianRing
from genlab.metrics.wasserstein import energy_distance
from genlab.oracles import Gaussian
from genlab.score.exact_fields import exact_velocity
from genlab.score.flow_matching import flow_matching_loss, flow_sample
from genlab.score.rectified_flow import FlowMatching, TimedMLP, reflow_pairs, straightness
from genlab.solvers import rk4
from genlab.train import fit, minibatches


def down(n):
    return torch.linspace(1, 0, n + 1)


def test_straightness_of_a_quarter_circle():
    """Speed pi/2 tangentially, chord sqrt(2): S = (pi/2)^2 - 2, as mean speed is the chord."""
    ts = torch.linspace(0, 1, 2001)
    angle = ts * math.pi / 2
    states = torch.stack([angle.cos(), angle.sin()], -1)[:, None]
    assert straightness(states, ts).item() == pytest.approx((math.pi / 2) ** 2 - 2, abs=1e-6)
    assert straightness(states.flip(0), ts.flip(0)).item() == pytest.approx(
        (math.pi / 2) ** 2 - 2, abs=1e-6
    )


def test_uneven_speed_on_a_straight_line_is_not_straight():
    """x = t^2 has speed 2 t and chord 1: S = integral of (2 t - 1)^2 = 1/3."""
    ts = torch.linspace(0, 1, 2001)
    assert straightness((ts**2)[:, None, None], ts).item() == pytest.approx(1 / 3, abs=1e-6)


def test_pairs_of_a_gaussian_flow_lie_on_lines_that_do_not_cross(generator):
    """For N(m, s^2) the flow is the affine map m + s z, so the second flow is exactly straight."""
    data = Gaussian(torch.tensor([0.7]), torch.tensor([[0.25]]))
    eps = torch.randn(50, 1, generator=generator)
    x0, same = reflow_pairs(exact_velocity(data), eps, down(60), method=rk4)
    assert same is eps
    assert_close(x0, 0.7 + 0.5 * eps, rtol=0, atol=1e-6)


@pytest.fixture
def model():
    torch.manual_seed(0)
    return FlowMatching(TimedMLP(2, width=16, depth=2), event_shape=(2,), n_steps=8)


def test_model_is_trainable_sampleable_and_exact(model, generator):
    a: Trainable = model
    b: Sampleable = model
    c: HasLogProb = model
    assert a is b is c
    assert likelihood_kind(model) == "exact"
    x = model.sample(5, generator=generator)
    assert x.shape == (5, 2)
    assert not x.requires_grad


def test_density_of_an_untrained_model_integrates_to_one(model):
    side = torch.linspace(-6, 6, 61)
    with torch.no_grad():
        p = model.log_prob(torch.cartesian_prod(side, side)).exp()
    assert float(p.sum()) * 0.2**2 == pytest.approx(1.0, abs=1e-3)


def test_paired_noise_replaces_the_random_one(model):
    x0, eps = torch.randn(4, 2), torch.randn(4, 2)
    g = torch.Generator().manual_seed(1)
    t = torch.rand(4, generator=torch.Generator().manual_seed(1))
    expected = flow_matching_loss(model.velocity, x0, t, eps).mean()
    assert_close(model.loss(x0, cond=eps, generator=g), expected)


def test_loss_reaches_the_network(model, generator):
    model.loss(torch.randn(8, 2, generator=generator), generator=generator).backward()
    assert float(model.velocity_net.net.net[0].weight.grad.abs().sum()) > 0


def test_impossible_requests_are_refused(model):
    x = torch.zeros(1, 2)
    with pytest.raises(ValueError, match="unconditional"):
        model.sample(1, cond=x)


@pytest.mark.slow
def test_training_and_reflow_on_a_ring_of_modes(generator):
    """A learned flow samples the ring; after reflow it is straighter and one step goes further."""
    torch.set_default_dtype(torch.float32)
    torch.manual_seed(0)
    ring = GaussianRing()
    x0 = ring.sample(4000, generator=generator)
    first = FlowMatching(TimedMLP(2, width=64), event_shape=(2,), n_steps=60)
    batches = minibatches(x0, 256, generator=generator)
    last(fit(first, batches, n_steps=1200, lr=3e-3, generator=generator))
    noise = torch.randn(4000, 2, generator=generator)
    pairs = reflow_pairs(first.velocity, noise, down(60))
    second = FlowMatching(TimedMLP(2, width=64), event_shape=(2,))
    second.load_state_dict(first.state_dict())
    batches = minibatches(pairs[0], 256, cond=pairs[1], generator=generator)
    last(fit(second, batches, n_steps=1200, lr=2e-3, generator=generator))
    fresh, real = torch.randn(1000, 2, generator=generator), ring.sample(1000, generator=generator)
    path = [torch.stack(list(flow_sample(m.velocity, fresh, down(60)))) for m in (first, second)]
    assert energy_distance(path[0][-1], real) < 0.05
    curved = [straightness(p, down(60)).mean().item() for p in path]
    assert curved[1] < 0.3 * curved[0]
    one = [last(flow_sample(m.velocity, fresh, down(1))) for m in (first, second)]
    assert energy_distance(one[1], real) < 0.5 * energy_distance(one[0], real)
