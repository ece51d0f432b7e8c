import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from genlab.core.quadrature import integrate, kl_on_grid

X = torch.linspace(-14, 14, 1401, dtype=torch.float64)


def log_normal(mean, std):
    return torch.distributions.Normal(mean, std).log_prob(X)


def test_a_straight_line_is_integrated_exactly_on_an_uneven_grid():
    x = torch.tensor([0.0, 0.1, 0.7, 2.0])
    torch.testing.assert_close(integrate(3 * x + 1, x), torch.tensor(8.0))


def test_rows_are_integrated_one_by_one():
    torch.testing.assert_close(
        integrate(torch.stack([torch.ones(1401), X**2]), X),
        torch.tensor([28.0, 2 * 14**3 / 3]),
        rtol=1e-5,  # the trapezoidal rule on x^2: error h^2 (b - a) / 6
        atol=0,
    )


@given(mean=st.floats(-2, 2), std=st.floats(0.3, 1.5), m=st.floats(-2, 2), s=st.floats(0.3, 1.5))
@settings(deadline=None)
def test_kl_of_two_normals_is_the_closed_form(mean, std, m, s):
    expected = math.log(s / std) + (std**2 + (mean - m) ** 2) / (2 * s**2) - 0.5
    ours = kl_on_grid(log_normal(mean, std), log_normal(m, s), X)
    assert math.isclose(ours.item(), expected, rel_tol=1e-9, abs_tol=1e-9)


def test_where_p_is_zero_nothing_is_paid():
    x = torch.linspace(0, 2, 2001)
    log_p = torch.where(x <= 1, 0.0, -math.inf)  # uniform on [0, 1]
    log_q = torch.full_like(x, -math.log(2))  # uniform on [0, 2]
    # the jump costs the trapezoidal rule half a cell: 5e-4
    assert abs(kl_on_grid(log_p, log_q, x).item() - math.log(2)) < 1e-3


def test_where_q_is_zero_and_p_is_not_the_price_is_infinite():
    x = torch.linspace(0, 2, 2001)
    log_q = torch.where(x <= 1, 0.0, -math.inf)
    assert kl_on_grid(torch.full_like(x, -math.log(2)), log_q, x).item() == math.inf


def test_a_grid_that_misses_mass_is_refused():
    with pytest.raises(ValueError, match=r"integrates to 0\.5"):
        kl_on_grid(log_normal(14.0, 1.0), log_normal(0.0, 1.0), X)
