import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from jaxtyping import TypeCheckError

from genlab.solvers.divergence import exact, hutchinson, rademacher


def field(x):  # depends on x, couples the coordinates, and is not symmetric
    a, b, c = x.unbind(1)
    return torch.stack([a**2 * b, torch.sin(c) + b * a, torch.exp(c) - a * b], 1)


def field_divergence(x):
    a, b, c = x.unbind(1)
    return 2 * a * b + a + torch.exp(c)


def every_probe(b, d):
    signs = torch.tensor(list(itertools.product([-1.0, 1.0], repeat=d)))
    return signs[:, None, :].expand(-1, b, -1)


def test_exact_divergence_agrees_with_the_closed_form():
    x = torch.randn(5, 3)
    value, div = exact(field, x)
    torch.testing.assert_close(value, field(x))
    torch.testing.assert_close(div, field_divergence(x))


def test_exact_divergence_is_the_trace_of_the_jacobian_for_images():
    weight = torch.randn(8, 8)

    def blur(x):
        return torch.tanh(x.flatten(1) @ weight).reshape(x.shape)

    x = torch.randn(3, 2, 2, 2)
    _, div = exact(blur, x)
    for i in range(3):
        jacobian = torch.autograd.functional.jacobian(lambda row: blur(row[None])[0], x[i])
        torch.testing.assert_close(div[i], jacobian.reshape(8, 8).trace())


def test_mean_over_every_sign_vector_is_the_exact_trace():
    x = torch.randn(4, 3)
    _, div = hutchinson(field, x, every_probe(4, 3))
    torch.testing.assert_close(div, field_divergence(x))


@given(seed=st.integers(0, 100))
@settings(deadline=None)
def test_a_single_sign_vector_is_exact_when_the_coordinates_do_not_interact(seed):
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(4, 3, generator=g)
    probes = rademacher((1, 4, 3), like=x, generator=g)
    _, div = hutchinson(lambda x: x**3, x, probes)
    torch.testing.assert_close(div, (3 * x**2).sum(1))


def test_variance_of_the_estimate_comes_from_the_off_diagonal_part():
    matrix = torch.randn(3, 3)
    x = torch.randn(1, 3)
    estimates = torch.cat(
        [hutchinson(lambda x: x @ matrix.T, x, v[None])[1] for v in every_probe(1, 3)]
    )
    symmetric = (matrix + matrix.T) / 2
    off = symmetric - symmetric.diag().diag()
    torch.testing.assert_close(estimates.var(unbiased=False), 2 * (off**2).sum())


def test_more_probes_average():
    x = torch.randn(2, 3)
    probes = rademacher((4, 2, 3), like=x)
    _, together = hutchinson(field, x, probes)
    apart = torch.stack([hutchinson(field, x, v[None])[1] for v in probes]).mean(0)
    torch.testing.assert_close(together, apart)


def test_signs_are_fair_and_independent(generator):
    v = rademacher((50_000, 2), like=torch.zeros(1), generator=generator)
    assert set(v.unique().tolist()) == {-1.0, 1.0}
    # Monte Carlo: each product of signs has variance 1
    assert bool((v.mean(0).abs() < 5 / 50_000**0.5).all())
    assert abs((v[:, 0] * v[:, 1]).mean()) < 5 / 50_000**0.5


@pytest.mark.parametrize("method", ["exact", "hutchinson"])
def test_gradients_reach_the_parameters_of_the_field(method):
    rate = torch.tensor(2.0, requires_grad=True)
    x = torch.randn(3, 2)

    def f(x):
        return rate**2 * x

    if method == "exact":
        _, div = exact(f, x)
    else:
        _, div = hutchinson(f, x, every_probe(3, 2))
    div.sum().backward()
    torch.testing.assert_close(rate.grad, torch.tensor(3 * 2 * 2 * 2.0))  # b d 2 rate


def test_without_gradients_nothing_is_recorded():
    rate = torch.tensor(2.0, requires_grad=True)
    with torch.no_grad():
        value, div = exact(lambda x: rate * x, torch.randn(3, 2))
        _, guess = hutchinson(lambda x: rate * x, torch.randn(3, 2), every_probe(3, 2))
    assert not any(result.requires_grad for result in (value, div, guess))


def test_a_constant_field_has_no_divergence():
    x = torch.randn(3, 2)
    assert exact(lambda x: torch.ones(3, 2), x)[1].abs().max() == 0
    assert hutchinson(lambda x: torch.ones(3, 2), x, every_probe(3, 2))[1].abs().max() == 0


def test_shapes_that_do_not_fit_are_refused():
    x = torch.randn(3, 2)
    with pytest.raises(ValueError, match=r"func\(x\) has shape"):
        exact(lambda x: x[:, :1], x)
    with pytest.raises((ValueError, TypeCheckError)):
        hutchinson(lambda x: x, x, torch.ones(1, 2, 2))
