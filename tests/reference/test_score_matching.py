"""Score matching against scikit-learn, SciPy and diffusers: other people's code, other routes."""

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from sklearn.covariance import EmpiricalCovariance
from sklearn.linear_model import LinearRegression
from sklearn.neighbors import KernelDensity

from genlab.oracles import Empirical
from genlab.score.matching import dsm_loss, hyvarinen_loss, score_from_x0

pytestmark = pytest.mark.reference


def correlated(generator, n=300, d=3):
    mix = torch.randn(d, d, generator=generator)
    return torch.randn(n, d, generator=generator) @ mix + 1.0


def fit_linear_score(loss, d):
    """Minimise the mean loss over all s(x) = A x + b, A free, by SciPy."""

    def value(theta):
        t = torch.tensor(theta, requires_grad=True)
        a, b = t[: d * d].reshape(d, d), t[d * d :]
        out = loss(lambda x: x @ a.T + b).mean()
        (slope,) = torch.autograd.grad(out, t)
        return out.item(), slope.numpy()

    start = np.concatenate([-np.eye(d).ravel(), np.zeros(d)])
    theta = minimize(value, start, jac=True, method="BFGS", options={"gtol": 1e-8}).x
    return theta[: d * d].reshape(d, d), theta[d * d :]


def test_the_linear_score_that_hyvarinen_prefers_is_scikit_learns_precision(generator):
    x = correlated(generator)
    a, b = fit_linear_score(lambda s: hyvarinen_loss(s, x), 3)
    fitted = EmpiricalCovariance().fit(x.numpy())
    np.testing.assert_allclose(-a, fitted.precision_, atol=1e-5)
    np.testing.assert_allclose(b, fitted.precision_ @ fitted.location_, atol=1e-5)


def test_the_linear_score_of_denoising_is_scikit_learns_regression_on_the_noise(generator):
    """Denoising score matching *is* a least-squares problem."""
    x, sigma = correlated(generator), 0.7
    eps = torch.randn(x.shape, generator=generator)
    a, b = fit_linear_score(lambda s: dsm_loss(s, x, eps, sigma=sigma), 3)
    regression = LinearRegression().fit((x + sigma * eps).numpy(), (-eps / sigma).numpy())
    np.testing.assert_allclose(a, regression.coef_, atol=1e-5)
    np.testing.assert_allclose(b, regression.intercept_, atol=1e-5)


def test_the_score_of_a_noised_data_set_is_the_slope_of_scikit_learns_kernel_density(generator):
    points, at, sigma, h = torch.randn(40, 2, generator=generator), torch.randn(6, 2), 0.4, 1e-5
    kde = KernelDensity(bandwidth=sigma, rtol=0, atol=0).fit(points.numpy())
    ours = score_from_x0(
        at, Empirical(points).denoiser(at, 1.0, sigma), torch.tensor(1.0), torch.tensor(sigma)
    )
    for j in range(2):
        step = torch.zeros(2)
        step[j] = h
        up, down = (kde.score_samples((at + sign * step).numpy()) for sign in (1, -1))
        # central differences: h^2 and rounding / h, both about 1e-10
        np.testing.assert_allclose(ours[:, j], (up - down) / (2 * h), atol=1e-6)
