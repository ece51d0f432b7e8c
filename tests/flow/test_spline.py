"""Rational-quadratic splines: monotone, smooth at the knots, identity outside."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from genlab.flow.spline import (
    RationalQuadratic,
    rq_spline_forward,
    rq_spline_inverse,
    spline_parameters,
)


def spline(seed, n_bins=5, bound=3.0, n=1):
    raw = torch.randn(
        3 * n_bins - 1, generator=torch.Generator().manual_seed(seed), dtype=torch.float64
    )
    return [t.expand(n, -1) for t in spline_parameters(raw, bound)]


@given(seed=st.integers(0, 10_000), n_bins=st.integers(1, 9), bound=st.floats(0.5, 6))
@settings(deadline=None, max_examples=30)
def test_it_is_increasing_for_any_parameters(seed, n_bins, bound):
    z = torch.linspace(-1.5 * bound, 1.5 * bound, 301, dtype=torch.float64)
    x, log_deriv = rq_spline_forward(z, *spline(seed, n_bins, bound, n=301))
    assert bool((x.diff() > 0).all())
    assert bool(torch.isfinite(log_deriv).all())


@given(seed=st.integers(0, 10_000), n_bins=st.integers(1, 9))
@settings(deadline=None, max_examples=30)
def test_round_trip_for_any_parameters(seed, n_bins):
    z = torch.linspace(-4, 4, 201, dtype=torch.float64)
    parameters = spline(seed, n_bins, n=201)
    x, there = rq_spline_forward(z, *parameters)
    back, again = rq_spline_inverse(x, *parameters)
    assert_close(back, z, rtol=0, atol=1e-9)  # rounding over slopes down to 1e-4
    assert_close(again, -there, rtol=0, atol=1e-8)


def test_it_passes_through_its_knots_with_the_given_slopes():
    widths, heights, slopes = spline(1)
    knots_z = torch.cumsum(widths[0], 0) - 3.0
    knots_x = torch.cumsum(heights[0], 0) - 3.0
    inner = slice(0, -1)
    n = len(knots_z) - 1
    x, log_deriv = rq_spline_forward(
        knots_z[inner], widths.expand(n, -1), heights.expand(n, -1), slopes.expand(n, -1)
    )
    assert_close(x, knots_x[inner])
    assert_close(log_deriv.exp(), slopes[0, 1:-1])


def test_at_and_outside_the_bound_it_is_the_identity():
    z = torch.tensor([-100.0, -3.0, 3.0, 3.01, 7.5])  # at the bound, a sum, it may round
    for way in (rq_spline_forward, rq_spline_inverse):
        x, log_deriv = way(z, *spline(3, n=5))
        assert_close(x, z, rtol=0, atol=1e-13)
        assert_close(log_deriv, torch.zeros(5), rtol=0, atol=1e-12)  # the slope there is 1


def test_log_slope_is_autograds_in_both_directions():
    z = torch.linspace(-3.5, 3.5, 71).requires_grad_()
    parameters = spline(5, n=71)
    for way in (rq_spline_forward, rq_spline_inverse):
        x, log_deriv = way(z, *parameters)
        (slope,) = torch.autograd.grad(x.sum(), z)
        assert_close(log_deriv, slope.log())


@given(seed=st.integers(0, 10_000), spread=st.floats(0, 50))
@settings(deadline=None, max_examples=30)
def test_parameters_are_positive_and_fill_the_interval(seed, spread):
    raw = spread * torch.randn(4, 14, generator=torch.Generator().manual_seed(seed))
    widths, heights, slopes = spline_parameters(raw.double(), 2.5)
    for sizes in (widths, heights):
        assert float(sizes.min()) > 0
        assert_close(sizes.sum(-1), torch.full((4,), 5.0, dtype=torch.float64))
    assert float(slopes.min()) > 0
    assert bool((slopes[:, [0, -1]] == 1).all())


def test_gradients_are_finite_outside_and_at_the_bound():
    raw = torch.zeros(5, 14, requires_grad=True)
    z = torch.tensor([-9.0, -3.0, 0.0, 3.0, 9.0], requires_grad=True)
    for way in (RationalQuadratic(5, 3.0).forward, RationalQuadratic(5, 3.0).inverse):
        x, log_deriv = way(z, raw)
        grads = torch.autograd.grad(x.sum() + log_deriv.sum(), (raw, z))
        assert all(bool(torch.isfinite(g).all()) for g in grads)


def test_zeros_give_the_identity_and_no_bin_is_below_a_thousandth():
    assert RationalQuadratic().n_params == 3 * 8 - 1  # eight bins on [-4, 4]
    sizes = spline_parameters(torch.zeros(2, 23), 4.0)
    assert_close(sizes, (torch.ones(2, 8), torch.ones(2, 8), torch.ones(2, 9)))
    z = torch.tensor([-3.999, -0.3, 0.0, 2.2, 3.999, 4.001])
    for way in (RationalQuadratic().forward, RationalQuadratic().inverse):
        x, log_deriv = way(z, torch.zeros(6, 23))
        assert_close(x, z)
        assert_close(log_deriv, torch.zeros(6))
    wild = torch.randn(6, 23)
    moved = RationalQuadratic().forward(z, wild)[0] != z
    assert moved.tolist() == [True] * 5 + [False]
    widths, heights, slopes = spline_parameters(torch.tensor([1e9, 0, 0, 1e9, -1e9]), 0.5)
    assert_close(widths, torch.tensor([0.999, 0.001]))
    assert_close(heights, torch.tensor([0.001, 0.999]))
    assert_close(slopes, torch.tensor([1.0, 0.001, 1.0]))
    with pytest.raises(ValueError, match="3 parameters"):
        spline_parameters(torch.zeros(3), 1.0)


def test_numbers_of_any_shape_have_each_their_own_spline(generator):
    z = 6 * torch.rand(4, 3, 2, generator=generator) - 3
    raw = torch.randn(4, 3, 2, 14, generator=generator)
    for way in (RationalQuadratic(5, 2.5).forward, RationalQuadratic(5, 2.5).inverse):
        flat = way(z.flatten(), raw.flatten(0, 2))
        for found, expected in zip(way(z, raw), flat, strict=True):
            assert_close(found, expected.reshape(4, 3, 2))
