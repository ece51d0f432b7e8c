"""The perfect network of a known law: the minimiser of the loss, by two routes."""

import pytest
import torch

from genlab.oracles import Gaussian, GaussianMixture
from genlab.score import (
    alphas_bar_from_betas,
    ddpm_loss,
    exact_eps_model,
    linear_betas,
    score_from_eps,
)

BAR = alphas_bar_from_betas(linear_betas(50, first=2e-3, last=0.2))
MIXTURE = GaussianMixture(
    torch.tensor([0.3, 0.7], dtype=torch.float64),
    torch.tensor([[-1.0, 0.0], [1.0, 0.5]], dtype=torch.float64),
    torch.tensor([0.3, 0.5], dtype=torch.float64),
)


@pytest.mark.parametrize("t", [0, 20, 49])
def test_it_is_the_slope_of_the_noised_law(t, generator):
    x = torch.randn(6, 2, generator=generator)
    alpha, sigma = BAR[t].sqrt(), (1 - BAR[t]).sqrt()
    eps = exact_eps_model(MIXTURE, BAR)(x, torch.full((6,), t))
    noised = MIXTURE.noised(alpha.item(), sigma.item())
    y = x.clone().requires_grad_()
    (slope,) = torch.autograd.grad(noised.log_prob(y).sum(), y)
    torch.testing.assert_close(score_from_eps(eps, sigma), slope)


def test_no_scaling_of_it_has_a_smaller_loss(generator):
    model = exact_eps_model(MIXTURE, BAR)
    n = 20_000
    x0 = MIXTURE.sample(n, generator=generator)
    t = torch.randint(50, (n,), generator=generator)
    eps = torch.randn(n, 2, generator=generator)
    best = ddpm_loss(model, x0, t, eps, alphas_bar=BAR).mean()
    for factor in (0.9, 1.1):
        scaled = ddpm_loss(lambda x, t, k=factor: k * model(x, t), x0, t, eps, alphas_bar=BAR)
        assert scaled.mean() > best


def test_standard_normal_data_have_the_known_predictor(generator):
    x, t = torch.randn(5, 3, generator=generator), torch.arange(5)
    normal = Gaussian(torch.zeros(3), torch.eye(3))
    expected = (1 - BAR[t]).sqrt()[:, None] * x  # E[eps | x_t] where x_t is standard normal too
    torch.testing.assert_close(exact_eps_model(normal, BAR)(x, t), expected)
