"""The flow widget shows what the flow does, at every place of its slider."""

import numpy as np
import pytest
import torch

from genlab.flow.coupling import nice, real_nvp
from genlab.widgets.flow_warp import flow_warp, journey


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


def test_moving_changes_the_picture_and_coming_back_restores_it(flow):
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
