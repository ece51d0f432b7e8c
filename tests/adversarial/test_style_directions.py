"""Directions and mixtures, where a normal law says what the answer is."""

import pytest
import torch
from sklearn.linear_model import LinearRegression

from genlab.adversarial.style_directions import attribute_direction, followed


@pytest.fixture
def law(generator):
    """Normal styles with a covariance that is no multiple of the identity, and an attribute."""
    root = torch.tensor([[2.0, 0.0, 0.0], [1.5, 0.5, 0.0], [0.0, 0.3, 0.1]])
    weights = torch.tensor([0.0, 1.0, -2.0])
    w = torch.randn(200_000, 3, generator=generator) @ root.T + torch.tensor([5.0, 0.0, -1.0])
    return w, w @ weights + 3.0, root @ root.T, weights


def test_the_direction_is_the_conditional_mean_of_a_normal_law(law):
    w, a, cov, weights = law
    exact = cov @ weights / (weights @ cov @ weights).sqrt()
    found = attribute_direction(w, a)
    error = w.std(0) * (2 / len(w)) ** 0.5  # of a covariance with a standardised attribute
    assert bool(((found - exact).abs() < 5 * error).all())


def test_styles_whose_attribute_is_high_lie_along_the_direction(law):
    """Independent route: the mean of the styles in a thin slice of the attribute."""
    w, a, _, _ = law
    high = (a - a.mean() - a.std()).abs() < 0.05 * a.std()
    shift = w[high].mean(0) - w.mean(0)
    error = w[high].std(0) / high.sum().sqrt()
    assert bool(((attribute_direction(w, a) - shift).abs() < 5 * error + 0.01).all())


def test_one_step_along_it_moves_a_linear_attribute_by_one_standard_deviation(law):
    w, a, _, weights = law
    moved = (w + attribute_direction(w, a)) @ weights + 3.0
    torch.testing.assert_close((moved - a).mean(), a.std(correction=0))


def test_units_and_origin_of_the_attribute_do_not_matter(law):
    w, a, _, _ = law
    torch.testing.assert_close(attribute_direction(w, 10 * a - 4), attribute_direction(w, a))


def test_an_attribute_that_never_changes_has_no_direction():
    with pytest.raises(ValueError, match="2 everywhere"):
        attribute_direction(torch.randn(4, 2), torch.full((4,), 2.0))


def test_weights_are_those_of_another_regression(generator):
    mixed, coarse, fine = torch.randn(3, 50, generator=generator)
    mixed = mixed + 0.8 * coarse - 0.1 * fine + 2
    theirs = LinearRegression().fit(torch.stack([coarse, fine], 1).numpy(), mixed.numpy())
    torch.testing.assert_close(followed(mixed, coarse, fine), torch.from_numpy(theirs.coef_))
