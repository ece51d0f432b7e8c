"""Three decoders: each is a distribution, in nats, summed over the event."""

import itertools
import math

import pytest
import torch

from genlab.latent import bernoulli_log_prob, categorical_log_prob, gaussian_log_prob


def test_bernoulli_probabilities_of_all_images_add_up_to_one(generator):
    images = torch.tensor(list(itertools.product((0.0, 1.0), repeat=4)))
    logits = 3 * torch.randn(4, generator=generator)
    total = bernoulli_log_prob(images, logits.expand(16, 4)).exp().sum()
    torch.testing.assert_close(total, torch.tensor(1.0))


def test_bernoulli_with_a_logit_of_log_three_gives_ink_three_quarters():
    x, logits = torch.tensor([[1.0], [0.0]]), torch.full((2, 1), math.log(3))
    expected = torch.tensor([0.75, 0.25])
    torch.testing.assert_close(bernoulli_log_prob(x, logits).exp(), expected)


def test_bernoulli_stays_finite_where_the_probability_underflows():
    value = bernoulli_log_prob(torch.ones(1, 1), torch.full((1, 1), -800.0))
    torch.testing.assert_close(value, torch.tensor([-800.0]))


def test_bernoulli_refuses_grey():
    with pytest.raises(ValueError, match=r"a pixel is 0.5, expected 0 or 1"):
        bernoulli_log_prob(torch.tensor([[0.0, 0.5]]), torch.zeros(1, 2))


def test_categorical_probabilities_of_all_images_add_up_to_one(generator):
    images = torch.tensor(list(itertools.product(range(5), repeat=3)))
    logits = torch.randn(3, 5, generator=generator)
    total = categorical_log_prob(images, logits.expand(125, 3, 5)).exp().sum()
    torch.testing.assert_close(total, torch.tensor(1.0))


def test_categorical_is_a_sum_over_the_pixels_of_each_example():
    x = torch.zeros(2, 1, 8, 8, dtype=torch.int64)
    value = categorical_log_prob(x, torch.zeros(2, 1, 8, 8, 17))
    torch.testing.assert_close(value, torch.full((2,), -64 * math.log(17)))


def test_categorical_with_two_levels_is_bernoulli(generator):
    logits = torch.randn(6, 4, generator=generator)
    x = (torch.rand(6, 4, generator=generator) < 0.5).double()
    pairs = torch.stack([torch.zeros_like(logits), logits], -1)
    torch.testing.assert_close(categorical_log_prob(x.long(), pairs), bernoulli_log_prob(x, logits))


@pytest.mark.parametrize("level", [-1, 3])
def test_categorical_refuses_a_level_that_has_no_probability(level):
    with pytest.raises(ValueError, match=r"expected 0\.\.2"):
        categorical_log_prob(torch.tensor([[level]]), torch.zeros(1, 1, 3))


def test_gaussian_density_integrates_to_one_for_any_scale():
    x = torch.linspace(-30, 30, 60_001)[:, None]
    for log_scale in (-1.0, 0.0, 1.0):
        density = gaussian_log_prob(x, torch.full_like(x, 0.3), torch.tensor(log_scale)).exp()
        integral = torch.trapezoid(density, x[:, 0])
        torch.testing.assert_close(integral, torch.tensor(1.0))


def test_the_mean_square_error_is_the_best_squared_scale(generator):
    x, mean = torch.rand(2, 1, 50, generator=generator)
    log_scale = (0.5 * ((x - mean) ** 2).mean().log()).requires_grad_(True)
    gaussian_log_prob(x, mean, log_scale).sum().backward()
    assert abs(log_scale.grad.item()) < 1e-10  # rounding of 50 terms


def test_a_dequantised_density_stays_below_its_bin():
    u = ((torch.arange(20_000) + 0.5) / 20_000)[:, None]
    for scale, most in ((0.02, 3.0), (0.1, 0.1)):
        y, centre = (3 + u) / 17, torch.full_like(u, 0.25)
        bound = gaussian_log_prob(y, centre, torch.tensor(scale).log()).mean() - math.log(17)
        normal = torch.distributions.Normal(0.25, scale)
        exact = (normal.cdf(torch.tensor(4 / 17)) - normal.cdf(torch.tensor(3 / 17))).log()
        assert exact - most < bound < exact
