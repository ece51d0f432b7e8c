"""Flow matching: closed forms, the optimum of the loss, distributions, straightness, reflow."""

import math

import pytest
import torch
from mixtures import assert_alike, assert_moments, mixture
from torch.testing import assert_close

from genlab.core import last
from genlab.oracles import Gaussian
from genlab.score.exact import exact_velocity
from genlab.score.flow_matching import (
    FlowMatching,
    TimedMLP,
    flow_matching_loss,
    flow_sample,
    reflow_pairs,
    straightness,
)
from genlab.solvers import heun, rk4
from genlab.train import fit, minibatches


def down(n):
    return torch.linspace(1, 0, n + 1)


def test_loss_is_zero_for_the_line_of_a_single_pair():
    x0, eps = torch.tensor([[1.0, -2.0]]), torch.tensor([[0.5, 3.0]])
    line = lambda x, t: (eps - x0).expand_as(x)
    assert flow_matching_loss(line, x0, torch.tensor([0.3]), eps).item() == 0.0
    back = lambda x, t: -line(x, t)
    expected = (2 * (eps - x0)).square().mean()
    assert_close(flow_matching_loss(back, x0, torch.tensor([0.3]), eps), expected[None])


def test_velocity_of_gaussian_data_minimises_the_loss(generator):
    """The optimum is linear in x_t; scaling it either way raises the loss, at one fixed time."""
    n, t = 20_000, 0.4
    data = Gaussian(torch.tensor([0.8]), torch.tensor([[0.25]]))
    x0, eps = data.sample(n, generator=generator), torch.randn(n, 1, generator=generator)
    times, best = torch.full((n,), t), exact_velocity(data)
    losses = [
        flow_matching_loss(lambda x, t: c * best(x, t), x0, times, eps).mean().item()  # noqa: B023
        for c in (0.9, 1.0, 1.1)
    ]
    assert losses[1] < min(losses[0], losses[2])
    # its floor: the variance of eps - x0 given x_t, from the joint normal of the two
    cov = -(1 - t) * 0.25 + t
    floor = 1.25 - cov**2 / ((1 - t) ** 2 * 0.25 + t**2)
    assert losses[1] == pytest.approx(floor, rel=5 * math.sqrt(2 / n))


@pytest.mark.slow
@pytest.mark.parametrize("method", [None, heun])
def test_a_mixture_is_recovered(method, generator):
    data, n = mixture(), 2000
    options = {"method": method} if method else {}
    x_1 = torch.randn(n, 2, generator=generator)
    x = last(flow_sample(exact_velocity(data), x_1, down(150), **options))
    assert_moments(x, data, bias=(0.01, 0.02))
    assert_alike(x, data, generator)


def test_times_outside_the_path_are_refused():
    x = torch.zeros(1, 2)
    with pytest.raises(ValueError, match=r"t holds 1.5, expected .* \[0, 1\]"):
        flow_matching_loss(lambda x, t: x, x, torch.tensor([1.5]), x)


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


def test_straightness_is_an_integral_over_time_whatever_the_unit():
    states = torch.tensor([0.0, 3.0, 4.0]).reshape(3, 1, 1).repeat(1, 1, 2)
    ts = torch.tensor([0.0, 0.5, 1.0])  # speeds 6 and 2, chord 4: a gap of 2 throughout
    assert_close(straightness(states, ts), torch.tensor([2 * 4.0]))
    assert_close(straightness(states.flip(0), ts.flip(0)), torch.tensor([2 * 4.0]))
    assert_close(straightness(states, 4 * ts), torch.tensor([4 * 2 * 4.0 / 16]))
    with pytest.raises(ValueError, match="2 rows"):
        straightness(states[:1], ts[:1])


def test_with_the_exact_velocity_the_density_is_that_of_the_data(generator):
    data = Gaussian(torch.tensor([0.8, -0.3]), torch.tensor([[0.3, 0.1], [0.1, 0.2]]))

    class Exact(torch.nn.Module):
        def forward(self, x, t):
            return exact_velocity(data)(x, t)

    x = data.sample(5, generator=generator)
    found = FlowMatching(Exact(), event_shape=(2,), n_steps=80).log_prob(x)
    assert_close(found, data.log_prob(x), rtol=0, atol=1e-5)  # RK4


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
    assert_close(model.loss(x0, noise=eps, generator=g), expected)


def test_labels_are_not_taken_for_the_noise(model):
    x, labels = torch.randn(8, 2), torch.ones(8, 2)
    with pytest.raises(TypeError, match="cond"):
        next(fit(model, minibatches(x, 4, cond=labels), n_steps=1))


def test_fit_trains_on_pairs_of_data_and_noise(model):
    x, eps = torch.randn(8, 2), torch.randn(8, 2)
    seen = []

    def paired(x, *, cond, generator):
        seen.append((x, cond))
        return model.loss(x, noise=cond, generator=generator)

    next(fit(model, minibatches(x, 4, cond=eps), n_steps=1, loss=paired))
    found = [int((eps == e).all(1).nonzero()) for e in seen[0][1]]
    assert_close(seen[0][0], x[found])


def test_a_sample_takes_as_many_evaluations_as_it_has_steps():
    seen = []

    class Still(torch.nn.Linear):
        def forward(self, x, t):
            seen.append(float(t[0]))
            return torch.zeros_like(x)

    FlowMatching(Still(1, 1), event_shape=(2,), n_steps=4).sample(3)
    assert seen == pytest.approx([1.0, 0.75, 0.5, 0.25])
    FlowMatching(Still(1, 1), event_shape=(2,)).sample(3)
    assert len(seen) == 4 + 50  # fifty unless told otherwise


def test_a_timed_network_reads_the_point_and_then_the_time(generator):
    net = TimedMLP(2)
    layers = [m for m in net.modules() if isinstance(m, torch.nn.Linear)]
    # the networks of the lessons: three hidden layers of 64 unless they ask for others
    assert [tuple(m.weight.shape) for m in layers] == [(64, 3), (64, 64), (64, 64), (2, 64)]
    x, t = torch.randn(5, 2, generator=generator), torch.rand(5, generator=generator)
    h = torch.stack([x[:, 0], x[:, 1], t], 1)
    for layer in layers[:-1]:
        h = torch.nn.functional.silu(layer(h))
    assert_close(net(x, t), layers[-1](h))
