"""Codes are the nearest ones, gradients pass as if nothing had been rounded, codes are counted."""

import itertools
import math

import pytest
import torch

from genlab.latent.quantize import (
    codebook_loss,
    codebook_usage,
    finite_scalar_index,
    finite_scalar_quantize,
    straight_through,
    vector_quantize,
)

BOOK = torch.tensor([[-1.0, 0.0], [0.2, 0.0], [1.5, 2.0]], dtype=torch.float64)


def test_a_vector_becomes_its_nearest_entry():
    z, index = vector_quantize(torch.tensor([[[0.5, 0.0], [9.0, 9.0], [-0.41, 0.0]]]), BOOK)
    assert index.tolist() == [[1, 2, 0]]
    torch.testing.assert_close(z, BOOK[index])


def test_the_gradient_passes_to_the_vector_and_not_to_the_codebook(generator):
    x = torch.randn(4, 3, 2, generator=generator, requires_grad=True)
    book = torch.randn(5, 2, generator=generator, requires_grad=True)
    weight = torch.randn(4, 3, 2, generator=generator)
    z, _ = vector_quantize(x, book)
    to_x, to_book = torch.autograd.grad((weight * z).sum(), (x, book), allow_unused=True)
    torch.testing.assert_close(to_x, weight)
    assert to_book is None


def test_the_true_slope_of_a_quantiser_is_zero_where_the_nearest_entry_stays():
    x, step = torch.tensor([[0.5, 0.0]]), 1e-3
    ahead, behind = (vector_quantize(x + d, BOOK)[0] for d in (step, -step))
    torch.testing.assert_close(ahead, behind, rtol=0, atol=1e-7)  # rounding of x + (e - x)


def test_the_codebook_is_pulled_to_the_mean_of_its_vectors(generator):
    x = torch.randn(200, 2, generator=generator)
    book = torch.zeros(1, 2, requires_grad=True)
    index = torch.zeros(200, dtype=torch.int64)
    (slope,) = torch.autograd.grad(codebook_loss(x, book, index).mean(), book)
    torch.testing.assert_close(slope[0], -2 * x.mean(0))


def test_commitment_pulls_the_vector_by_its_weight_alone(generator):
    x = torch.randn(6, 2, generator=generator, requires_grad=True)
    index = torch.tensor([0, 1, 2, 0, 1, 2])
    (slope,) = torch.autograd.grad(codebook_loss(x, BOOK, index, commitment=0.3).sum(), x)
    torch.testing.assert_close(slope, 0.6 * (x.detach() - BOOK[index]))


@pytest.mark.parametrize("levels", [(4, 4, 4), (5, 3), (2, 7)])
def test_rounding_reaches_all_of_its_codes_and_no_other(levels):
    line = torch.linspace(-6, 6, 61)
    x = torch.cartesian_prod(*[line] * len(levels))
    z = finite_scalar_quantize(x, levels)
    codes = {tuple(round(v, 4) for v in row.tolist()) for row in z}
    sides = [[(j - n // 2) / (n // 2) for j in range(n)] for n in levels]
    assert codes == {tuple(round(v, 4) for v in c) for c in itertools.product(*sides)}
    index = finite_scalar_index(z, levels)
    assert set(index.tolist()) == set(range(math.prod(levels)))
    assert len({(*row.tolist(), i.item()) for row, i in zip(z, index, strict=True)}) == len(codes)


@pytest.mark.parametrize("n", [3, 4])
def test_zero_stays_zero_and_the_levels_are_as_wide_as_tanh_leaves_them(n):
    assert finite_scalar_quantize(torch.zeros(1, 1), (n,)).item() == 0
    x = torch.linspace(-4, 4, 8001)[:, None]
    changes = finite_scalar_quantize(x, (n,), eps=0.0).diff(dim=0).abs() > 0.1
    half, offset = (n - 1) / 2, 0.5 * (n % 2 == 0)
    edges = torch.arange(-(n // 2), n - 1 - n // 2) + 0.5
    # the last edge may lie at infinity, where the bound itself ends on a half
    expected = ((edges + offset) / half).atanh() - math.atanh(offset / half)
    expected = expected[expected.isfinite()]
    torch.testing.assert_close(x[:-1][changes], expected, rtol=0, atol=2e-3)  # a step of the grid


def test_the_slope_of_rounding_is_that_of_the_bound():
    x = torch.tensor([[0.3, -1.2]], dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(finite_scalar_quantize(x, (3, 5), eps=0.0).sum(), x)
    bound = (1 - x.detach().tanh() ** 2) * torch.tensor([1.0, 2.0]) / torch.tensor([1.0, 2.0])
    torch.testing.assert_close(slope, bound)


def test_usage_is_the_number_of_codes_that_are_used_alike():
    assert codebook_usage(torch.tensor([[3, 3], [1, 1]]), 64).item() == pytest.approx(2)
    assert codebook_usage(torch.zeros(5, dtype=torch.int64), 4).item() == pytest.approx(1)
    three_to_one = codebook_usage(torch.tensor([0, 0, 0, 2]), 3).item()
    assert three_to_one == pytest.approx(4 / 27**0.25)


def test_refusals_name_what_was_expected():
    with pytest.raises(ValueError, match="expected 2 numbers of levels, each 2 or more"):
        finite_scalar_quantize(torch.zeros(1, 2), (4,))
    with pytest.raises(ValueError, match="each 2 or more"):
        finite_scalar_quantize(torch.zeros(1, 2), (4, 1))
    with pytest.raises(ValueError, match=r"expected 0\.\.2"):
        codebook_usage(torch.tensor([3]), 3)
    with pytest.raises(ValueError, match="finite"):
        vector_quantize(torch.full((1, 2), math.nan), BOOK)


def test_straight_through_has_the_value_of_one_and_the_gradient_of_the_other():
    x = torch.tensor([0.3], requires_grad=True)
    y = torch.tensor([2.0], requires_grad=True)
    z = straight_through(x, y)
    assert z.item() == 2
    to_x, to_y = torch.autograd.grad(z.sum(), (x, y), allow_unused=True)
    assert to_x.item() == 1
    assert to_y is None
