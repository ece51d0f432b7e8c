"""What every transform promises, whatever it is made of."""

import torch
from torch.testing import assert_close

from genlab.flow.change_of_variables import dense_log_det

# Rounding only: a few hundred float64 operations, slopes between 1e-2 and 1e2.
ROUNDING = {"rtol": 1e-9, "atol": 1e-10}


def test_inverse_undoes_forward(transform, z):
    x, _ = transform(z)
    back, _ = transform.inverse(x)
    assert_close(back, z, **ROUNDING)


def test_forward_undoes_inverse(transform, z):
    x, _ = transform(z)  # inside the range of the map
    again, _ = transform(transform.inverse(x)[0])
    assert_close(again, x, **ROUNDING)


def test_log_det_of_forward_is_the_autograd_jacobians(transform, z):
    _, log_det = transform(z)
    assert_close(log_det, dense_log_det(lambda z: transform(z)[0], z), **ROUNDING)


def test_log_det_of_inverse_is_the_autograd_jacobians(transform, z):
    x = transform(z)[0].detach()
    _, log_det = transform.inverse(x)
    assert_close(log_det, dense_log_det(lambda x: transform.inverse(x)[0], x), **ROUNDING)


def test_log_dets_of_the_two_directions_cancel(transform, z):
    x, log_det = transform(z)
    assert_close(transform.inverse(x)[1], -log_det, **ROUNDING)


def test_log_det_is_one_number_for_each_example(transform, z):
    assert transform(z)[1].shape == (6,)
    assert transform.inverse(transform(z)[0])[1].shape == (6,)


def test_examples_of_a_batch_do_not_mix(transform, z):
    whole, log_det = transform(z)
    parts = [transform(part) for part in z.split(2)]
    assert_close(torch.cat([x for x, _ in parts]), whole, **ROUNDING)
    assert_close(torch.cat([ld for _, ld in parts]), log_det, **ROUNDING)


def test_the_input_is_left_as_it_was(transform, z):
    before = z.clone()
    x, _ = transform(z)
    kept = x.detach().clone()
    transform.inverse(x)
    assert torch.equal(z, before)
    assert torch.equal(x, kept)


def test_gradients_reach_every_parameter_from_the_density(transform, z):
    x = transform(z)[0].detach()
    back, log_det = transform.inverse(x)
    total = (back**2).sum() + log_det.sum()
    if not list(transform.parameters()):
        return
    total.backward()
    grads = [p.grad for p in transform.parameters()]
    assert all(g is not None and bool(torch.isfinite(g).all()) for g in grads)


def test_single_precision_stays_single_and_close(transform, z):
    x, log_det = transform(z)
    single = transform.float()
    x32, log_det32 = single(z.float())
    assert x32.dtype == log_det32.dtype == torch.float32
    # float32 rounding, amplified by slopes of up to 1e2
    assert_close(x32.double(), x, rtol=1e-3, atol=1e-3)
    assert_close(log_det32.double(), log_det, rtol=1e-3, atol=1e-3)


def test_round_trip_in_single_precision_shrinks_a_billionfold_in_double(transform, z):
    """What tells rounding from a missing term: only rounding improves with precision."""
    worst64 = (transform.inverse(transform(z)[0])[0] - z).abs().max()
    single = transform.float()
    worst32 = (single.inverse(single(z.float())[0])[0] - z.float()).abs().max()
    assert worst32 < 1e-2
    assert worst64 < 1e-9
