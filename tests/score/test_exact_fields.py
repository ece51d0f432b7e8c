"""The perfect network in continuous time: agreement with the oracles, and one time for all rows."""

import pytest
import torch
from torch.testing import assert_close

from genlab.oracles import Gaussian, GaussianMixture
from genlab.score.exact_fields import exact_score, exact_velocity
from genlab.score.sde_paths import VE, VP, Straight, SubVP


def mixture():
    return GaussianMixture(
        torch.tensor([0.3, 0.7]), torch.tensor([[-1.5, 0.0], [1.0, 0.5]]), torch.tensor([0.4, 0.6])
    )


@pytest.mark.parametrize("sde", [VP(), SubVP(), VE(), Straight()], ids=repr)
def test_score_is_tweedies_formula_read_backwards(sde):
    """score = (alpha E[x0 | x_t] - x_t) / sigma^2, by the denoiser of the oracle."""
    x, t = torch.randn(6, 2), torch.tensor(0.6)
    alpha, sigma = sde.alpha(t), sde.sigma(t)
    expected = (alpha * mixture().denoiser(x, alpha, sigma) - x) / sigma**2
    assert_close(exact_score(mixture(), sde)(x, t.expand(6)), expected)


@pytest.mark.parametrize("t", [0.0, 0.05, 0.5, 1.0])
def test_velocity_is_expected_noise_minus_expected_data(t):
    x, times = torch.randn(6, 2), torch.full((6,), t)
    velocity = exact_velocity(mixture())(x, times)
    x0_hat = mixture().denoiser(x, 1 - t, t)
    eps_hat = (x - (1 - t) * x0_hat) / t if t else torch.zeros_like(x)
    assert_close(velocity, eps_hat - x0_hat)


def test_rows_at_different_times_are_refused():
    x, t = torch.zeros(2, 1), torch.tensor([0.1, 0.2])
    data = Gaussian(torch.zeros(1), torch.eye(1))
    for field in (exact_score(data, VP()), exact_velocity(data)):
        with pytest.raises(ValueError, match="expected one"):
            field(x, t)
