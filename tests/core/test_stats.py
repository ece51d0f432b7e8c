"""Ink and slant, against plain loops and against pictures whose answer is known."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from genlab.core import stats
from genlab.core.stats import ink, integrate, kl_on_grid, slant


def simplex(k):
    weights = st.lists(st.floats(0.01, 1.0), min_size=k, max_size=k)
    return weights.map(lambda w: torch.tensor(w, dtype=torch.float64) / sum(w))


# --- normal densities -------------------------------------------------------------------------


def test_standard_normal_log_prob_agrees_with_torch_distributions():
    x = torch.linspace(-3, 3, 12).reshape(2, 3, 2)
    theirs = torch.distributions.Normal(0.0, 1.0).log_prob(x).sum((1, 2))
    torch.testing.assert_close(stats.std_normal_log_prob(x), theirs)


def test_standard_normal_density_integrates_to_one_in_the_plane():
    axis = torch.linspace(-8, 8, 321)
    x = torch.cartesian_prod(axis, axis)
    cell = float(axis[1] - axis[0]) ** 2
    # the trapezoidal rule is spectrally accurate here; what is left is the tail beyond 8 sigma
    assert abs(stats.std_normal_log_prob(x).exp().sum().item() * cell - 1) < 1e-9


def test_normal_log_prob_agrees_with_torch_distributions():
    x = torch.linspace(-3, 3, 12).reshape(4, 3)
    mean, std = torch.tensor([0.0, 1.0, -2.0]), torch.tensor([0.5, 1.0, 3.0])
    theirs = torch.distributions.Normal(mean, std).log_prob(x).sum(1)
    torch.testing.assert_close(stats.normal_log_prob(x, mean, std), theirs)


def test_a_narrow_density_exceeds_one():
    value = stats.normal_log_prob(torch.zeros(1, 1), 0.0, 0.01).item()
    assert value > 0
    assert math.isclose(value, -math.log(0.01 * math.sqrt(2 * math.pi)), rel_tol=1e-12)


def test_normal_log_prob_refuses_a_width_of_zero():
    with pytest.raises(ValueError, match="std is 0, expected > 0"):
        stats.normal_log_prob(torch.zeros(1, 1), 0.0, 0.0)


def test_kl_diag_normal_agrees_with_torch_distributions():
    mu, log_var = torch.linspace(-2, 2, 6).reshape(2, 3), torch.linspace(-3, 1, 6).reshape(2, 3)
    q = torch.distributions.Normal(mu, (log_var / 2).exp())
    p = torch.distributions.Normal(torch.zeros(()), torch.ones(()))
    theirs = torch.distributions.kl_divergence(q, p).sum(1)
    torch.testing.assert_close(stats.kl_diag_normal(mu, log_var), theirs)


def test_kl_diag_normal_equals_an_integral():
    mu, log_var = 0.7, -1.2
    x = torch.linspace(-12, 12, 4001).reshape(-1, 1)
    log_q = stats.normal_log_prob(x, mu, math.exp(log_var / 2))
    integrand = log_q.exp() * (log_q - stats.std_normal_log_prob(x))
    integral = integrand.sum() * (x[1, 0] - x[0, 0])
    ours = stats.kl_diag_normal(torch.full((1, 1), mu), torch.full((1, 1), log_var))
    torch.testing.assert_close(ours, integral.reshape(1), rtol=1e-9, atol=0)


def test_kl_diag_normal_keeps_its_digits_near_zero():
    log_var = torch.full((1, 1), 1e-8)
    # series: (e^v - 1 - v) / 2 = v^2 / 4 + O(v^3); e^v - 1 - v loses digits without expm1
    ours = stats.kl_diag_normal(torch.zeros(1, 1), log_var).item()
    assert math.isclose(ours, 2.5e-17, rel_tol=1e-3)


# --- categorical ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("p", "q", "kl"),
    [
        ([0.5, 0.5], [0.7, 0.3], 0.0871767),
        ([0.7, 0.3], [0.5, 0.5], 0.0822829),
        ([0.4, 0.4, 0.2], [0.5, 0.3, 0.2], 0.02581541),
        ([0.5, 0.3, 0.2], [0.4, 0.4, 0.2], 0.02526715),
        ([0.4, 0.6], [0.4, 0.6], 0.0),
    ],
)
def test_kl_of_the_worked_examples(p, q, kl):
    # printed to seven decimals
    assert abs(stats.kl_categorical(torch.tensor(p), torch.tensor(q)).item() - kl) < 5e-8


def test_entropy_and_cross_entropy_of_the_worked_example():
    p, q = torch.tensor([0.4, 0.4, 0.2]), torch.tensor([0.5, 0.3, 0.2])
    assert abs(stats.entropy(p).item() - 1.05492017) < 5e-9  # printed to eight decimals
    assert abs(stats.cross_entropy(p, q).item() - 1.08073558) < 5e-9


@given(p=simplex(4), q=simplex(4))
@settings(deadline=None, max_examples=40)
def test_kl_is_never_negative_and_zero_only_for_equals(p, q):
    value = stats.kl_categorical(p, q).item()
    assert value >= -1e-15
    # Pinsker: KL >= |p - q|_1^2 / 2, an independent lower bound
    assert value >= 0.5 * (p - q).abs().sum().item() ** 2 - 1e-12
    assert abs(stats.kl_categorical(p, p).item()) < 1e-15


@given(p=simplex(5), q=simplex(5))
@settings(deadline=None, max_examples=40)
def test_kl_agrees_with_torch(p, q):
    theirs = torch.nn.functional.kl_div(q.log(), p, reduction="sum")
    torch.testing.assert_close(stats.kl_categorical(p, q), theirs, rtol=0, atol=1e-13)


@given(p=simplex(5))
@settings(deadline=None, max_examples=40)
def test_entropy_agrees_with_torch_and_is_largest_for_equal_odds(p):
    ours = stats.entropy(p)
    torch.testing.assert_close(ours, torch.distributions.Categorical(probs=p).entropy())
    assert ours.item() <= math.log(5) + 1e-12


def test_an_outcome_without_mass_costs_nothing():
    p, q = torch.tensor([0.5, 0.5, 0.0]), torch.tensor([0.5, 0.5, 0.0])
    assert stats.kl_categorical(p, q).item() == 0
    assert math.isclose(stats.entropy(p).item(), math.log(2))


def test_an_excluded_outcome_that_happens_costs_infinity():
    p, q = torch.tensor([0.5, 0.5]), torch.tensor([1.0, 0.0])
    assert stats.kl_categorical(p, q).item() == math.inf
    assert stats.cross_entropy(p, q).item() == math.inf
    assert math.isclose(stats.kl_categorical(q, p).item(), math.log(2))


def test_rows_of_a_batch_do_not_mix():
    p = torch.tensor([[0.5, 0.5], [1.0, 0.0]])
    torch.testing.assert_close(stats.entropy(p), torch.tensor([math.log(2), 0.0]))


@pytest.mark.parametrize("f", [stats.kl_categorical, stats.cross_entropy])
def test_unnormalised_and_negative_rows_are_refused(f):
    good = torch.tensor([0.5, 0.5])
    with pytest.raises(ValueError, match=r"p sums to 1\.1"):
        f(torch.tensor([0.5, 0.6]), good)
    with pytest.raises(ValueError, match=r"q contains -0\.1"):
        f(good, torch.tensor([1.1, -0.1]))
    with pytest.raises(ValueError, match="p sums to nan"):
        f(torch.tensor([math.nan, 0.5]), good)


# --- units ------------------------------------------------------------------------------------


def test_a_uniform_model_of_17_levels_costs_log2_17_bits():
    nll = torch.tensor([64 * math.log(17)])
    torch.testing.assert_close(stats.bits_per_dim(nll, 64), torch.tensor([math.log2(17)]))


def test_a_uniform_density_on_the_unit_cube_costs_the_same_bits():
    # density 1 on [0, 1]^64: zero nats, and every one of the 17 bins of a pixel is equally likely
    torch.testing.assert_close(
        stats.bits_per_dim(torch.zeros(1), 64, levels=17), torch.tensor([math.log2(17)])
    )


@given(levels=st.integers(2, 300), seed=st.integers(0, 1000))
@settings(deadline=None, max_examples=25)
def test_dequantisation_stays_in_its_bin(levels, seed):
    g = torch.Generator().manual_seed(seed)
    x = torch.randint(0, levels, (3, 4, 4), generator=g)
    y = stats.dequantize(x, levels, generator=g)
    assert torch.equal((y * levels).floor().long(), x)
    assert y.min() >= 0
    assert y.max() < 1


def test_dequantisation_stays_in_its_bin_in_single_precision(generator):
    # u is a multiple of 2^-24 in float32: about twenty of these draws would round x + u to x + 1
    torch.set_default_dtype(torch.float32)
    x = torch.full((10_000_000, 1), 16)
    y = stats.dequantize(x, 17, generator=generator)
    assert y.max() < 1
    assert bool(((y * 17).floor() == 16).all())


def test_dequantised_noise_fills_the_bin_evenly(generator):
    u = stats.dequantize(torch.zeros(100_000, 1, dtype=torch.long), 4, generator=generator) * 4
    # Monte Carlo: the std of a uniform is 1 / sqrt(12), of its square sqrt(4 / 45)
    assert abs(u.mean() - 0.5) < 5 * (1 / 12) ** 0.5 / 100_000**0.5
    assert abs((u**2).mean() - 1 / 3) < 5 * (4 / 45) ** 0.5 / 100_000**0.5


@pytest.mark.parametrize("bad", [-1, 17])
def test_levels_out_of_range_are_refused(bad):
    with pytest.raises(ValueError, match=r"expected 0\.\.16"):
        stats.dequantize(torch.tensor([[bad]]), 17)


@pytest.mark.parametrize("arguments", [{"n_dims": 0}, {"n_dims": 1, "levels": 0}])
def test_bits_per_dim_refuses_an_empty_count(arguments):
    with pytest.raises(ValueError, match="expected at least 1"):
        stats.bits_per_dim(torch.zeros(1), **arguments)


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


def test_ink_of_a_chessboard_is_one_half():
    board = (torch.arange(8)[:, None] + torch.arange(8)) % 2
    torch.testing.assert_close(ink(board[None].double()), torch.tensor([0.5]))


def test_ink_does_not_change_when_blocks_are_averaged():
    images = torch.rand(3, 8, 8)
    small = images.reshape(3, 4, 2, 4, 2).mean((2, 4))
    torch.testing.assert_close(ink(small), ink(images))


@pytest.mark.parametrize("lean", [-0.6, 0.0, 0.35])
def test_slant_of_a_sheared_bar_is_its_shear(lean):
    # A bar of points, one to a row, at column 20 + lean * rows upwards; columns hold the share of
    # each point by linear interpolation, so its first moment is exact.
    image = torch.zeros(1, 21, 41)
    for i in range(21):
        j = 20 + lean * (10 - i)
        low = int(np.floor(j))
        image[0, i, low] += 1 - (j - low)
        image[0, i, low + 1] += j - low
    torch.testing.assert_close(slant(image), torch.tensor([lean]))


def test_slant_is_a_regression_of_column_on_row():
    image = torch.rand(1, 6, 9)
    i, j = np.mgrid[:6, :9]
    weights = image[0].numpy().ravel()
    steps = np.polyfit(i.ravel(), j.ravel(), 1, w=np.sqrt(weights))[0]
    torch.testing.assert_close(slant(image), torch.tensor([-steps]))


@given(st.integers(0, 10**6))
@settings(deadline=None, max_examples=20)
def test_slant_changes_its_sign_in_a_mirror_and_ignores_place_and_strength(seed):
    image = torch.rand(1, 5, 7, generator=torch.Generator().manual_seed(seed))
    torch.testing.assert_close(slant(image.flip(2)), -slant(image))
    torch.testing.assert_close(slant(0.3 * image), slant(image))
    moved = torch.nn.functional.pad(image, (3, 0, 0, 2))
    torch.testing.assert_close(slant(moved), slant(image))


def test_a_figure_without_ink_or_height_is_upright():
    flat = torch.zeros(2, 5, 5)
    flat[1, 2] = 1.0
    torch.testing.assert_close(slant(flat), torch.zeros(2))


def test_negative_grey_values_are_refused():
    with pytest.raises(ValueError, match="images holds -1"):
        slant(-torch.ones(1, 3, 3))
