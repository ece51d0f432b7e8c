"""Simulators with a known posterior know it rightly; the epidemic behaves like one."""

import math

import pytest
import torch
from scipy.integrate import solve_ivp

from genlab.data.simulators import Epidemic, LinearGaussian, TwoMoons


def test_linear_gaussian_posterior_is_conditioning_of_the_joint(generator):
    """Parameters and data are jointly normal: condition their sample covariance."""
    model = LinearGaussian()
    a = torch.tensor(model.matrix)
    cov_x = a @ a.T + model.noise**2 * torch.eye(3)
    gain = a.T @ torch.linalg.inv(cov_x)
    x = torch.randn(5, 3, generator=generator)
    mean, cov = model.posterior(x)
    torch.testing.assert_close(mean, x @ gain.T)
    torch.testing.assert_close(cov, torch.eye(2) - gain @ a)


def test_linear_gaussian_data_have_the_marginal_covariance(generator):
    model, n = LinearGaussian(), 100_000
    x = model.simulate(model.prior(n, generator=generator), generator=generator)
    a = torch.tensor(model.matrix)
    expected = a @ a.T + model.noise**2 * torch.eye(3)
    # Standard error of a covariance of normals: sqrt((s_ii s_jj + s_ij^2) / n).
    error = ((expected.diag()[:, None] * expected.diag() + expected**2) / n).sqrt()
    assert bool(((x.T.cov() - expected).abs() < 5 * error).all())


def test_two_moons_data_have_the_likelihood_that_is_claimed(generator):
    """Mean log-likelihood of simulated data is minus the crescent's entropy, a formula."""
    model, n = TwoMoons(), 50_000
    theta = model.prior(n, generator=generator)
    values = model.log_likelihood(model.simulate(theta, generator=generator), theta)
    r = 0.1 + 0.01 * torch.randn(n, generator=generator)
    entropy_r = 0.5 * math.log(2 * math.pi * math.e * 0.01**2)
    expected = -entropy_r - math.log(math.pi) - r.log()  # E[log p] = -H(r) - log pi - E[log r]
    gap = values.mean() - expected.mean()
    assert abs(gap) < 5 * math.sqrt((values.var() + expected.var()) / n)


def test_two_moons_posterior_draws_have_the_posterior_density(generator):
    """Histogram of exact draws against prior times likelihood, summed over the same cells."""
    model, x = TwoMoons(), torch.tensor([0.0, 0.1])
    draws = model.posterior_sample(x, 40_000, generator=generator)
    edges = torch.linspace(-1, 1, 41)
    fine = torch.linspace(-1, 1, 1601)
    fine = (fine[1:] + fine[:-1]) / 2
    theta = torch.cartesian_prod(fine, fine)
    weight = model.log_likelihood(x.expand_as(theta), theta).exp().reshape(40, 40, 40, 40)
    cells = weight.sum((1, 3))
    cells = cells / cells.sum()
    index = torch.bucketize(draws, edges[1:-1])
    counts = torch.bincount(index[:, 0] * 40 + index[:, 1], minlength=1600).reshape(40, 40)
    # Total variation of 40,000 draws over some 60 busy cells is about 0.015.
    assert 0.5 * (counts / 40_000 - cells).abs().sum() < 0.03


def test_two_moons_parameters_behind_an_observation_lie_in_the_square_and_explain_it(generator):
    """The larger parameter is 0.91 + 0.07 (cos a + |sin a|): too large around 45 degrees."""
    x = torch.tensor([0.25 - 1.82 / math.sqrt(2), 0.0])
    theta = TwoMoons().posterior_sample(x, 2000, generator=generator)
    assert theta.shape == (2000, 2)
    assert theta.abs().max() <= 1
    assert TwoMoons().log_likelihood(x.expand(2000, 2), theta).isfinite().all()
    # each crescent has probability 1/2; 150 are 6.7 standard errors, sqrt(2000) / 2 each
    assert 850 < (theta.sum(1) > 0).sum() < 1150


def test_no_draws_of_a_posterior_are_an_empty_table():
    assert TwoMoons().posterior_sample(torch.tensor([0.0, 0.1]), 0).shape == (0, 2)


def test_a_large_epidemic_follows_the_differential_equation(generator):
    """With a million people chance averages out; daily steps leave about two per cent of error."""
    town = Epidemic(population=1_000_000, infected=50_000, reported=1.0)
    theta = torch.tensor([[math.log(0.03), math.log(0.01)]])
    weekly = town.simulate(theta, generator=generator)[0]

    def rates(_, y):
        s, i = y
        return [-0.03 * s * i, 0.03 * s * i - 0.01 * i]

    exact = solve_ivp(rates, (0, 56), [0.95, 0.05], t_eval=range(0, 57, 7), rtol=1e-8)
    new = -torch.tensor(exact.y[0]).diff() * 1_000_000
    torch.testing.assert_close(weekly, new, rtol=0.05, atol=0)  # and noise of 1 %


def test_two_moons_likelihood_is_zero_behind_the_crescent_and_nothing_explains_far_data():
    theta, behind = torch.zeros(1, 2), torch.tensor([[0.15, 0.0]])
    assert TwoMoons().log_likelihood(behind, theta).item() == -math.inf
    with pytest.raises(ValueError, match=r"\[5\.0, 0\.0\]"):
        TwoMoons().posterior_sample(torch.tensor([5.0, 0.0]), 10)


def test_two_moons_parameters_fill_the_square_around_zero(generator):
    theta = TwoMoons().prior(2000, generator=generator)
    assert theta.abs().max() <= 1
    assert (theta.mean(0).abs() < 0.06).all()  # of a uniform on [-1, 1]: 4.6 standard errors


def test_every_draw_of_the_posterior_could_have_given_the_data(generator):
    x = torch.tensor([0.3, 0.0])
    theta = TwoMoons().posterior_sample(x, 2000, generator=generator)
    # on the wrong half of its ring the least is below -14, on the right one about -3
    assert TwoMoons().log_likelihood(x.expand(2000, 2), theta).min() > -8
