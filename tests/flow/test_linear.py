"""Linear layers."""

import math

import pytest
import torch
from torch.testing import assert_close

from genlab.flow.linear import Linear, Permutation, lu_forward, lu_inverse


def test_lu_of_a_known_matrix():
    lower, upper = torch.tensor([[1.0, 0.0], [0.5, 1.0]]), torch.tensor([[2.0, 1.0], [0.0, 3.0]])
    x, log_det = lu_forward(torch.tensor([[1.0, 1.0]]), lower, upper)
    assert_close(x, torch.tensor([[3.0, 4.5]]))
    assert_close(log_det, torch.tensor([math.log(6)]))


def test_lu_agrees_with_slogdet_and_solve(generator):
    lower = torch.randn(4, 4, generator=generator).tril()
    upper = torch.randn(4, 4, generator=generator).triu()
    x = torch.randn(3, 4, generator=generator)
    z, log_det = lu_inverse(x, lower, upper)
    matrix = lower @ upper
    assert_close(z, torch.linalg.solve(matrix, x.T).T)
    assert_close(log_det, -torch.linalg.slogdet(matrix).logabsdet.expand(3))


def test_a_new_layer_is_the_identity(z):
    x, log_det = Linear(5)(z)
    assert_close(x, z)
    assert_close(log_det, torch.zeros(6))


def test_it_can_be_any_matrix_with_positive_pivots():
    matrix = torch.tensor([[4.0, 3.0], [6.0, 3.5]])  # pivots 4 and -1: the second needs a sign
    layer = Linear(2)
    layer.below.data[1, 0] = 1.5
    layer.above.data[0, 1] = 3.0
    layer.log_diagonal.data = torch.tensor([math.log(4.0), 0.0])
    x, _ = layer(torch.eye(2))
    assert_close(x.T, matrix + torch.tensor([[0.0, 0.0], [0.0, 2.0]]))


def test_permutation_moves_and_moves_back():
    layer = Permutation(torch.tensor([2, 0, 1]))
    z = torch.tensor([[10.0, 20.0, 30.0]])
    assert layer(z)[0].tolist() == [[30.0, 10.0, 20.0]]
    assert layer.inverse(layer(z)[0])[0].tolist() == z.tolist()


@pytest.mark.parametrize("order", [[0, 0, 1], [1, 2, 3], [0, 2]])
def test_permutation_refuses_what_is_none(order):
    with pytest.raises(ValueError, match="once"):
        Permutation(torch.tensor(order))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_refused_where_a_triangular_system_is_solved(dtype):
    layer = Linear(3).to(dtype)
    with pytest.raises(ValueError, match=f"factors are {dtype}, expected float32 or float64"):
        layer.inverse(torch.ones(2, 3, dtype=dtype))
