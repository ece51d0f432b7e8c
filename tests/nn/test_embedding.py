"""Sinusoidal time embeddings and rotary positions."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from genlab.nn.embedding import rope_angles, rotate, time_embedding


def test_the_fastest_wave_is_the_plain_cosine_of_t():
    t = torch.linspace(0, 1, 7)
    torch.testing.assert_close(time_embedding(t, 8)[:, 0], t.cos())


def test_every_cosine_has_its_sine():
    e = time_embedding(torch.linspace(0, 50, 11), 16)
    # cos^2 + sin^2 = 1 pairs feature k with feature k + 8; rounding only
    torch.testing.assert_close(e[:, :8] ** 2 + e[:, 8:] ** 2, torch.ones(11, 8))


def test_integer_times_become_floating():
    assert time_embedding(torch.tensor([3]), 4).dtype == torch.float64


def test_the_slowest_wave_approaches_the_maximal_period():
    e = time_embedding(torch.tensor([1.0]), 1000, max_period=100.0)
    # last frequency is 100 ** (-499/500); its sine at t = 1 is close to 1/100, within 1 %
    assert float(e[0, -1]) == pytest.approx(0.01, rel=0.01)


def test_scale_multiplies_the_time():
    a = time_embedding(torch.tensor([0.25]), 8, scale=1000.0)
    torch.testing.assert_close(a, time_embedding(torch.tensor([250.0]), 8))


@pytest.mark.parametrize("dim", [0, 1, 7])
def test_an_odd_dimension_is_refused(dim):
    with pytest.raises(ValueError, match=str(dim)):
        time_embedding(torch.zeros(1), dim)


@settings(deadline=None, max_examples=20)
@given(m=st.integers(0, 500), n=st.integers(0, 500), shift=st.integers(0, 500))
def test_rotary_inner_products_depend_on_distance_only(m, n, shift):
    torch.set_default_dtype(torch.float64)
    q, k = torch.randn(2, 8, generator=torch.Generator().manual_seed(m))

    def inner(a, b):
        qa = rotate(q[None], rope_angles(torch.tensor([a]), 8, q))
        kb = rotate(k[None], rope_angles(torch.tensor([b]), 8, k))
        return (qa * kb).sum()

    # angles up to 1000 radians carry an absolute rounding of about 1e-13
    torch.testing.assert_close(inner(m, n), inner(m + shift, n + shift), atol=1e-10, rtol=0)


def test_rotation_keeps_lengths():
    x = torch.randn(2, 3, 5, 8)
    turned = rotate(x, rope_angles(torch.arange(5), 8, x))
    torch.testing.assert_close(turned.norm(dim=-1), x.norm(dim=-1))


def test_position_zero_is_left_alone():
    x = torch.randn(1, 8)
    assert torch.equal(rotate(x, rope_angles(torch.tensor([0]), 8, x)), x)


def test_rotation_is_complex_multiplication():
    # independent route: pair (k, k + d/2) as a complex number and multiply by exp(i angle)
    x = torch.randn(6, 8)
    angles = rope_angles(torch.arange(6), 8, x, base=50.0)
    z = torch.complex(x[:, :4], x[:, 4:]) * torch.polar(torch.ones_like(angles), angles)
    torch.testing.assert_close(rotate(x, angles), torch.cat([z.real, z.imag], dim=-1))


def test_the_second_frequency_is_the_base_to_the_minus_two_over_d():
    angles = rope_angles(torch.tensor([1]), 8, torch.zeros(1))
    assert float(angles[0, 1]) == pytest.approx(math.pow(10_000.0, -2 / 8), abs=1e-15)


def test_rotary_positions_need_an_even_head():
    with pytest.raises(ValueError, match="7"):
        rope_angles(torch.arange(3), 7, torch.zeros(1))
