"""The KL widget shows the divergences of the Gaussian that its sliders describe."""

import re

import numpy as np
import pytest
import torch

from genlab.flow.coupling import nice, real_nvp
from genlab.zoo import find
from genlab_course import widgets
from genlab_course.widgets.flow import both_kl, flow_warp, journey, kl_fit, two_modes


def shown(widget):
    return tuple(float(n) for n in re.findall(r"<b>([\d.]+)</b>", widget.text))


def test_the_moment_match_has_the_smallest_forward_divergence():
    best = two_modes().moment_match()
    mean, std = float(best.mean[0]), float(best.cov[0, 0]) ** 0.5
    at_best = both_kl(two_modes(), mean, std)[0]
    for shift, stretch in ((0.1, 1.0), (-0.1, 1.0), (0.0, 1.05), (0.0, 0.95)):
        assert both_kl(two_modes(), mean + shift, std * stretch)[0] > at_best


def test_each_mode_is_a_local_minimum_of_the_reverse_divergence():
    for mode in (-2.0, 2.0):
        at_mode = both_kl(two_modes(), mode, 0.6)[1]
        for shift in (-0.3, 0.3):
            assert both_kl(two_modes(), mode + shift, 0.6)[1] > at_mode


def test_forward_divergence_agrees_with_monte_carlo(generator):
    p = two_modes()
    x = p.sample(100_000, generator=generator)
    q = torch.distributions.Normal(torch.tensor(0.5), torch.tensor(1.5))
    gaps = p.log_prob(x) - q.log_prob(x).squeeze(1)
    # Monte Carlo: five standard errors
    assert abs(both_kl(p, 0.5, 1.5)[0] - gaps.mean()) < 5 * gaps.std() / 100_000**0.5


@pytest.mark.parametrize("mean", [-4.0, 0.0, 4.0])
@pytest.mark.parametrize("width", [0.3, 1.0, 3.0])
def test_every_place_of_the_sliders_gives_a_picture_and_both_numbers(mean, width):
    widget = kl_fit()
    widget.set(mean=mean, width=width)
    assert widget.picture.startswith(b"\x89PNG")
    assert shown(widget) == pytest.approx(both_kl(two_modes(), mean, width)[:2], abs=5e-4)


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


def test_a_volume_preserving_flow_keeps_its_entropy():
    flow = nice(2, n_layers=3, width=8)
    for p in flow.parameters():
        p.data += 0.5 * torch.randn(p.shape, generator=torch.Generator().manual_seed(0))
    states = journey(flow, n_samples=20)
    assert states.entropies == pytest.approx([states.entropies[0]] * 4)


@pytest.mark.parametrize("layers", [0.0, 1.4, 2.0, 3.0])
def test_every_place_of_the_slider_gives_a_picture_and_a_caption(flow, layers):
    widget = flow_warp(flow)
    widget.set(layers=layers)
    assert widget.picture.startswith(b"\x89PNG")
    assert f"After {layers:.1f} of 3 layers" in widget.text


def test_moving_changes_the_picture_and_coming_back_restores_it_flow_warp(flow):
    widget = flow_warp(flow)
    widget.set(layers=1.0)
    first = widget.picture
    widget.set(layers=1.5)
    assert widget.picture != first
    widget.set(layers=1.0)
    assert widget.picture == first


def test_a_flow_off_the_plane_is_refused():
    with pytest.raises(ValueError, match=r"expected \(2,\)"):
        flow_warp(real_nvp(3))


@pytest.mark.slow
def test_without_a_flow_it_trains_one():
    torch.set_default_dtype(torch.float32)
    widget = flow_warp()
    assert "of 4 layers" in widget.text


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
