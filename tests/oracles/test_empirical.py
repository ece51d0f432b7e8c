import pytest
import torch

from genlab.core import Sampleable, likelihood_kind
from genlab.oracles.empirical import Empirical


def make(n=6, event=(2, 2)):
    return Empirical(torch.randn(n, *event, generator=torch.Generator().manual_seed(0)))


_sampleable: Sampleable = make()


def test_point_masses_have_no_likelihood():
    assert likelihood_kind(make()) == "none"


def test_denoiser_is_that_of_a_mixture_whose_components_have_no_width():
    # the mixture's own code path, with widths so small that only rounding remains
    data, x_t = make(event=(3,)), torch.randn(4, 3)
    noised = data.noised(0.7, 0.5)
    tweedie = (x_t + 0.5**2 * noised.score(x_t)) / 0.7
    torch.testing.assert_close(data.denoiser(x_t, 0.7, 0.5), tweedie)


def test_denoiser_returns_the_nearest_point_when_the_noise_is_small():
    data = make()
    x_t = data.points + 1e-3
    torch.testing.assert_close(data.denoiser(x_t, 1.0, 0.01), data.points)


def test_denoiser_returns_the_mean_when_the_noise_is_overwhelming():
    data = make()
    guess = data.denoiser(torch.zeros(1, 2, 2), 1.0, 1e6)
    torch.testing.assert_close(guess[0], data.points.mean(0))


def test_denoiser_takes_one_noise_level_for_each_example():
    data, x_t = make(), torch.randn(2, 2, 2)
    alpha, sigma = torch.tensor([0.9, 0.3]), torch.tensor([0.2, 0.8])
    rows = [data.denoiser(x_t[i : i + 1], float(alpha[i]), float(sigma[i])) for i in range(2)]
    torch.testing.assert_close(data.denoiser(x_t, alpha, sigma), torch.cat(rows))


def test_denoiser_is_the_best_guess(generator):
    data = make(event=(1,))
    x0 = data.sample(20_000, generator=generator)
    x_t = x0 + 0.5 * torch.randn(x0.shape, generator=generator)
    best = data.denoiser(x_t, 1.0, 0.5)
    error = ((best - x0) ** 2).mean()
    for factor in (0.9, 1.1):
        assert ((factor * best - x0) ** 2).mean() > error


def test_noised_data_are_a_kernel_density_estimate():
    data = make(event=(2,))
    x = torch.randn(3, 2)
    kernel = torch.distributions.MultivariateNormal(torch.zeros(2), 0.25 * torch.eye(2))
    expected = torch.stack([kernel.log_prob(x - 0.5 * p).exp() for p in data.points]).mean(0).log()
    torch.testing.assert_close(data.noised(0.5, 0.5).log_prob(x), expected)


def test_samples_are_points():
    data = make()
    assert data.nearest(data.sample(20)).max() == 0


def test_nearest_measures_the_root_mean_square_distance():
    data = Empirical(torch.zeros(1, 2, 2))
    torch.testing.assert_close(data.nearest(torch.full((1, 2, 2), 3.0)), torch.tensor([3.0]))


def test_an_empty_data_set_is_refused():
    with pytest.raises(ValueError, match="at least one"):
        Empirical(torch.zeros(0, 2))
