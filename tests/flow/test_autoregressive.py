"""Masked autoregressive flows: triangular, and in one pass in one direction only."""

import pytest
import torch
from torch.testing import assert_close

from genlab.core import last
from genlab.flow.autoregressive import IAF, MAF, masked_flow, one_pass, sequential
from genlab.flow.transforms import Affine

D = 4


@pytest.fixture
def maf(stirred):
    return stirred(MAF(D, Affine(), width=16))


@pytest.fixture
def iaf(stirred):
    return stirred(IAF(D, Affine(), width=16))


@pytest.fixture(params=["maf", "iaf"])
def layer(request):
    return request.getfixturevalue(request.param)


def test_parameters_of_a_coordinate_do_not_read_it(layer, z):
    """An off-by-one mask would let the parameters of i read coordinate i."""
    J = torch.autograd.functional.jacobian(lambda a: layer.conditioner(a[None])[0], z[0, :D])
    reads = J.abs().amax(1)  # (i, j): how much the parameters of i change with coordinate j
    assert torch.equal(reads.triu(), torch.zeros(D, D))
    assert float(reads[1:, :-1].diagonal().min()) > 0  # and each reads its predecessor


def test_a_batch_without_rows_stays_one(layer, z):
    for way in (layer, layer.inverse):
        moved, log_det = way(z[:0, :D])
        assert (moved.shape, log_det.shape) == ((0, D), (0,))


def count(module, run):
    calls = []
    handle = module.register_forward_hook(lambda *_: calls.append(1))
    run()
    handle.remove()
    return len(calls)


def test_maf_scores_in_one_evaluation_and_iaf_samples_in_one(maf, iaf, z):
    assert count(maf.conditioner, lambda: maf.inverse(z[:, :D])) == 1
    assert count(maf.conditioner, lambda: maf(z[:, :D])) == D
    assert count(iaf.conditioner, lambda: iaf(z[:, :D])) == 1
    assert count(iaf.conditioner, lambda: iaf.inverse(z[:, :D])) == D


def test_maf_with_a_hand_made_conditioner():
    """x_1 = 1 + 2 z_1 and x_2 = x_1 + 3 z_2, worked by hand."""

    def conditioner(x):
        shift = torch.stack([torch.ones(len(x)), x[:, 0]], 1)
        log_scale = torch.tensor([2.0, 3.0]).log().expand(len(x), 2)
        return torch.stack([shift, log_scale], 2)

    element = Affine(limit=torch.inf)
    x, log_det = last(sequential(element.forward, conditioner, torch.tensor([[0.5, 1.0]])))
    assert_close(x, torch.tensor([[2.0, 5.0]]))
    assert_close(log_det.exp(), torch.tensor([6.0]))
    z, log_det = one_pass(element.inverse, conditioner, x)
    assert_close(z, torch.tensor([[0.5, 1.0]]))
    assert_close(log_det.exp(), torch.tensor([1 / 6]))


def test_the_order_is_reversed_between_layers(stirred, generator):
    """With one order only, the first coordinate would be a scaled z_1 whatever the depth."""
    flow = stirred(masked_flow(MAF, 3, n_layers=2, width=12), spread=0.5)
    z = torch.randn(1, 3, generator=generator)
    J = torch.autograd.functional.jacobian(lambda z: flow(z)[0].sum(0), z)[:, 0]
    assert float(J.abs().min()) > 0


def test_by_default_there_are_four_layers_with_64_units_and_five_in_a_condition_are_read():
    flow = masked_flow(MAF, 3)
    layers = [t for t in flow.transforms if isinstance(t, MAF)]
    assert len(layers) == 4
    for layer in [*layers, IAF(3, Affine())]:
        first = next(m for m in layer.conditioner.modules() if isinstance(m, torch.nn.Linear))
        assert first.out_features == 64
    layer, cond = IAF(3, Affine(), width=8, d_cond=5), torch.randn(2, 5)
    for p in layer.parameters():
        p.data += 0.3 * torch.randn_like(p)
    z = torch.randn(2, 3)
    assert float((layer(z, cond)[0] - layer(z, cond + 1)[0]).detach().abs().min()) > 0
    assert_close(layer.inverse(layer(z, cond)[0], cond)[0], z)
