"""Coupling layers: who stays, who moves, and what never enters the determinant."""

import pytest
import torch
from torch.testing import assert_close

from genlab.flow.coupling import Coupling, alternating_mask, coupling_flow, nice, real_nvp
from genlab.flow.spline import RationalQuadratic
from genlab.flow.transforms import Affine, Shift


@pytest.fixture
def layer(stirred):
    return stirred(Coupling(alternating_mask(4), Affine(), width=8), spread=0.5)


def test_jacobian_is_block_triangular_with_a_diagonal_block(layer, z):
    J = torch.autograd.functional.jacobian(lambda z: layer(z[None])[0][0], z[0, :4])
    stays = layer.stays
    assert_close(J[stays][:, stays], torch.eye(2))
    assert torch.equal(J[stays][:, ~stays], torch.zeros(2, 2))
    moved = J[~stays][:, ~stays]
    assert torch.equal(moved, torch.diag(moved.diagonal()))
    assert float(J[~stays][:, stays].abs().min()) > 0  # the block of the network, left unused


def test_nice_preserves_volume_however_it_is_trained(stirred, z):
    flow = stirred(nice(4, n_layers=3, width=8), spread=1.0)
    assert torch.equal(flow(z[:, :4])[1], torch.zeros(6))


@pytest.mark.parametrize("element", [Shift(), Affine(), RationalQuadratic(5)], ids=type)
def test_an_untrained_layer_is_the_identity(element, z):
    x, log_det = Coupling(alternating_mask(4), element, width=8)(z[:, :4])
    assert_close(x, z[:, :4])
    assert_close(log_det, torch.zeros(6), rtol=0, atol=1e-12)  # rounding of softplus


def test_two_layers_of_other_parity_move_everything(stirred, z):
    flow = stirred(coupling_flow(4, Shift(), n_layers=2, width=8), spread=1.0)
    moved = (flow(z[:, :4])[0] - z[:, :4]).detach().abs()
    assert float(moved.min()) > 0


@pytest.mark.parametrize("make", [nice, real_nvp, lambda d: coupling_flow(d, Shift())])
def test_by_default_every_coordinate_is_moved_three_times(make):
    layers = make(5).transforms
    assert sum((~layer.stays).long() for layer in layers).tolist() == [3] * 5
    for layer in layers:
        net = [m for m in layer.conditioner.modules() if isinstance(m, torch.nn.Linear)]
        n_moved = int((~layer.stays).sum())
        assert [m.in_features for m in net] == [5 - n_moved, 64, 64]
        assert net[-1].out_features == n_moved * layer.element.n_params


def test_a_condition_is_read_beside_what_stays(stirred, z, generator):
    layer = stirred(Coupling(alternating_mask(5), Affine(), width=8, d_cond=3), spread=0.5)
    cond = torch.randn(6, 3, generator=generator)
    x, log_det = layer(z, cond)
    back, log_det_back = layer.inverse(x, cond)
    assert_close(back, z)
    assert_close(log_det_back, -log_det)
    changed = (layer(z, cond + 1)[0] - x).abs().detach()
    assert float(changed[:, ~layer.stays].min()) > 0
    assert torch.equal(layer(z, cond + 1)[0][:, layer.stays], z[:, layer.stays])


@pytest.mark.parametrize(("stays", "found"), [(True, "3 stay and 0"), (False, "0 stay and 3")])
def test_a_layer_in_which_all_stay_or_all_move_is_refused(stays, found):
    with pytest.raises(ValueError, match=found):
        Coupling(torch.full((3,), stays), Shift())
