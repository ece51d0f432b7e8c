"""Densities, divergences, units, ink and slant, against closed forms and torch."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from genlab.core import stats
from genlab.core.stats import ink, kl_on_grid, slant


def simplex(k):
    weights = st.lists(st.floats(0.01, 1.0), min_size=k, max_size=k)
    return weights.map(lambda w: torch.tensor(w, dtype=torch.float64) / sum(w))


def test_kl_diag_normal_agrees_with_torch_distributions():
    mu, log_var = torch.linspace(-2, 2, 6).reshape(2, 3), torch.linspace(-3, 1, 6).reshape(2, 3)
    q = torch.distributions.Normal(mu, (log_var / 2).exp())
    p = torch.distributions.Normal(torch.zeros(()), torch.ones(()))
    theirs = torch.distributions.kl_divergence(q, p).sum(1)
    torch.testing.assert_close(stats.kl_diag_normal(mu, log_var), theirs)


def test_kl_diag_normal_keeps_its_digits_near_zero():
    log_var = torch.full((1, 1), 1e-8)
    # series: (e^v - 1 - v) / 2 = v^2 / 4 + O(v^3); e^v - 1 - v loses digits without expm1
    ours = stats.kl_diag_normal(torch.zeros(1, 1), log_var).item()
    assert math.isclose(ours, 2.5e-17, rel_tol=1e-3)


@given(p=simplex(5))
def test_entropy_agrees_with_torch_and_is_largest_for_equal_odds(p):
    ours = stats.entropy(p)
    torch.testing.assert_close(ours, torch.distributions.Categorical(probs=p).entropy())
    assert ours.item() <= math.log(5) + 1e-12


def test_an_outcome_without_mass_costs_nothing():
    p = torch.tensor([[0.5, 0.5, 0.0], [1.0, 0.0, 0.0]])
    torch.testing.assert_close(stats.kl_categorical(p, p), torch.zeros(2), rtol=0, atol=0)
    torch.testing.assert_close(stats.entropy(p), torch.tensor([math.log(2), 0.0]))


@pytest.mark.parametrize(("p", "cost"), [(0.5, math.inf), (1.0, math.log(2))])
def test_an_excluded_outcome_that_happens_costs_infinity(p, cost):
    p, q = torch.tensor([p, 1 - p]), torch.tensor([1.5 - p, p - 0.5])
    assert math.isclose(stats.kl_categorical(p, q).item(), cost)
    assert math.isclose(stats.cross_entropy(p, q).item(), cost)


@pytest.mark.parametrize("f", [stats.kl_categorical, stats.cross_entropy])
def test_unnormalised_and_negative_rows_are_refused(f):
    good = torch.tensor([0.5, 0.5])
    with pytest.raises(ValueError, match=r"p sums to 1\.1"):
        f(torch.tensor([0.5, 0.6]), good)
    with pytest.raises(ValueError, match=r"q holds -0\.1"):
        f(good, torch.tensor([1.1, -0.1]))
    with pytest.raises(ValueError, match="p holds nan"):
        f(torch.tensor([math.nan, 0.5]), good)


@given(levels=st.integers(2, 300), seed=st.integers(0, 1000))
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


X = torch.linspace(-14, 14, 1401, dtype=torch.float64)


def log_normal(mean, std):
    return torch.distributions.Normal(mean, std).log_prob(X)


@given(mean=st.floats(-2, 2), std=st.floats(0.3, 1.5), m=st.floats(-2, 2), s=st.floats(0.3, 1.5))
def test_kl_of_two_normals_is_the_closed_form(mean, std, m, s):
    expected = math.log(s / std) + (std**2 + (mean - m) ** 2) / (2 * s**2) - 0.5
    ours = kl_on_grid(log_normal(mean, std), log_normal(m, s), X)
    assert math.isclose(ours.item(), expected, rel_tol=1e-9, abs_tol=1e-9)


def test_a_grid_that_misses_mass_is_refused():
    with pytest.raises(ValueError, match=r"integrates to 0\.5"):
        kl_on_grid(log_normal(14.0, 1.0), log_normal(0.0, 1.0), X)


def test_slant_is_a_regression_of_column_on_row():
    image = torch.rand(1, 6, 9)
    i, j = np.mgrid[:6, :9]
    weights = image[0].numpy().ravel()
    steps = np.polyfit(i.ravel(), j.ravel(), 1, w=np.sqrt(weights))[0]
    torch.testing.assert_close(slant(image), torch.tensor([-steps]))


def test_normal_log_probs_agree_with_torch_distributions():
    x = torch.linspace(-3, 3, 12).reshape(2, 3, 2)
    theirs = torch.distributions.Normal(0.0, 1.0).log_prob(x).sum((1, 2))
    torch.testing.assert_close(stats.std_normal_log_prob(x), theirs)
    x = x.reshape(4, 3)
    mean, std = torch.tensor([0.0, 1.0, -2.0]), torch.tensor([0.5, 1.0, 3.0])
    theirs = torch.distributions.Normal(mean, std).log_prob(x).sum(1)
    torch.testing.assert_close(stats.normal_log_prob(x, mean, std), theirs)


@given(p=simplex(5), q=simplex(5))
def test_divergences_agree_with_torch_and_obey_pinsker(p, q):
    theirs = torch.nn.functional.kl_div(q.log(), p, reduction="sum")
    ours = stats.kl_categorical(p, q)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-13)
    torch.testing.assert_close(stats.cross_entropy(p, q), stats.entropy(p) + theirs)
    assert ours.item() >= 0.5 * (p - q).abs().sum().item() ** 2 - 1e-12
    assert abs(stats.kl_categorical(p, p).item()) < 1e-15


@pytest.mark.parametrize(("nll", "levels"), [(64 * math.log(17), None), (0.0, 17)])
def test_equal_odds_of_17_levels_cost_log2_17_bits(nll, levels):
    # as a discrete model, and as a density of 1 on the unit cube, whose bins have width 1 / 17
    bits = stats.bits_per_dim(torch.tensor([nll]), 64, levels=levels)
    torch.testing.assert_close(bits, torch.tensor([math.log2(17)]))


def test_where_p_is_zero_nothing_is_paid_and_where_q_is_the_price_is_infinite():
    x = torch.linspace(0, 2, 2001)
    unit = torch.where(x <= 1, 0.0, -math.inf)  # uniform on [0, 1]
    wide = torch.full_like(x, -math.log(2))  # uniform on [0, 2]
    # the jump costs the trapezoidal rule half a cell: 5e-4
    assert abs(kl_on_grid(unit, wide, x).item() - math.log(2)) < 1e-3
    assert kl_on_grid(wide, unit, x).item() == math.inf


def test_ink_of_a_chessboard_is_one_half_at_any_size():
    board = ((torch.arange(8)[:, None] + torch.arange(8)) % 2).double()[None]
    torch.testing.assert_close(ink(board), torch.tensor([0.5]))
    torch.testing.assert_close(ink(board.reshape(1, 4, 2, 4, 2).mean((2, 4))), torch.tensor([0.5]))


def test_a_narrow_density_exceeds_one():
    assert stats.normal_log_prob(torch.zeros(1, 1), 0.0, 0.1) > 0


def test_equal_weights_all_count_and_one_heavy_one_counts_alone():
    assert stats.effective_sample_size(torch.full((7,), -900.0)).item() == pytest.approx(7)
    assert stats.effective_sample_size(torch.tensor([0.0, -800.0])).item() == pytest.approx(1)
    values = stats.effective_sample_size(torch.tensor([[3.0, 1.0], [1.0, 1.0]]).log())
    torch.testing.assert_close(values, torch.tensor([1.6, 2.0]))  # (3 + 1)^2 / (9 + 1)


def test_the_row_furthest_from_one_is_named():
    p = torch.tensor([[0.5, 0.5], [0.5, 0.8]])
    with pytest.raises(ValueError, match=r"p sums to 1\.3"):
        stats.entropy(p)


def test_no_draws_have_no_effective_size():
    with pytest.raises(ValueError, match="n_draws is 0"):
        stats.effective_sample_size(torch.zeros(2, 0))


@pytest.mark.parametrize("name", ["entropy", "cross_entropy", "kl_categorical"])
def test_leading_axes_are_a_batch_of_distributions(name, generator):
    pair = torch.randn(2, 2, 3, 4, generator=generator).softmax(-1)
    f, given = getattr(stats, name), pair[:1] if name == "entropy" else pair
    found = f(*given)
    assert found.shape == (2, 3)
    for i, j in itertools.product(range(2), range(3)):
        torch.testing.assert_close(found[i, j], f(*given[:, i, j]))


def test_weights_and_grids_have_leading_axes_too(generator):
    log_w = torch.randn(2, 3, 4, generator=generator)
    x = torch.linspace(-12, 12, 2001)
    mean, std = torch.randn(2, 3, 1, generator=generator), torch.tensor(1.3)
    log_p, log_q = (torch.distributions.Normal(m, std).log_prob(x) for m in (mean, 0 * mean))
    kl = stats.kl_on_grid(log_p, log_q, x)
    torch.testing.assert_close(kl, mean[..., 0] ** 2 / (2 * std**2))
    size = stats.effective_sample_size(log_w)
    assert size.shape == (2, 3)
    torch.testing.assert_close(size[1, 2], stats.effective_sample_size(log_w[1, 2]))


def test_the_density_that_misses_most_mass_is_named():
    x = torch.linspace(0, 1, 11)
    log_p = torch.tensor([1.0, 0.9, 0.5]).log()[:, None].expand(3, 11)
    with pytest.raises(ValueError, match=r"p integrates to 0\.5 on"):
        stats.kl_on_grid(log_p, log_p, x)


def test_a_line_leans_by_its_slope_a_blank_picture_not_at_all_and_pictures_need_not_be_square():
    right, left = torch.eye(5).flip(1), torch.eye(5)
    wide = torch.nn.functional.pad(torch.stack([right, left, 0 * left]), (1, 2, 0, 1))
    torch.testing.assert_close(stats.slant(wide), torch.tensor([1.0, -1.0, 0.0]))
    torch.testing.assert_close(stats.ink(wide), torch.tensor([5.0, 5.0, 0.0]) / (6 * 8))
    with pytest.raises(ValueError, match="images"):
        stats.slant(-wide)


def test_a_blank_picture_has_a_finite_slope_of_its_slant():
    images = torch.zeros(1, 3, 4, requires_grad=True)
    (slope,) = torch.autograd.grad(slant(images).sum(), images)
    assert slope.isfinite().all()


def test_the_slope_of_slant_is_that_of_finite_differences(generator):
    images = torch.rand(2, 4, 5, generator=generator) + 0.1
    assert torch.autograd.gradcheck(slant, images.requires_grad_())
