"""Energy models against scipy's quadrature and scikit-learn's logistic regression."""

import math

import numpy as np
import pytest
import torch
from scipy.integrate import nquad
from sklearn.linear_model import LogisticRegression

from genlab.score.energy import log_partition, nce_logits, nce_loss

pytestmark = pytest.mark.reference


def test_the_constant_in_the_plane_is_scipys_integral():
    side = torch.linspace(-6, 6, 241)
    x, y = torch.meshgrid(side, side, indexing="ij")
    energy = lambda x, y: x**2 + y**2 + x * y + 0.25 * x**4
    ours = log_partition(energy(x, y).flatten(), 2 * math.log(0.05)).exp().item()
    theirs, _ = nquad(lambda x, y: math.exp(-energy(x, y)), [[-6, 6], [-6, 6]])
    assert ours == pytest.approx(theirs, rel=1e-7)


def test_nce_is_logistic_regression_on_the_sufficient_statistics(generator):
    # E = a x^2 + b x^4 and normal noise: the logit is linear in (x^2, x^4, 1), so that an
    # unpenalised logistic regression has the same minimum, log Z included
    n, s = 4000, 1.5
    data = 0.8 * torch.randn(n, generator=generator)
    noise = s * torch.randn(n, generator=generator)
    features = torch.cat([data, noise])[:, None] ** torch.tensor([2.0, 4.0])
    labels = torch.cat([torch.ones(n), torch.zeros(n)])
    theirs = LogisticRegression(C=np.inf, tol=1e-10, max_iter=2000).fit(features, labels)
    (a, b), intercept = theirs.coef_[0], theirs.intercept_[0]
    # logit = -a x^2 - b x^4 - log Z + x^2 / (2 s^2) + log(s sqrt(2 pi))
    theta = torch.tensor(
        [1 / (2 * s**2) - a, -b, math.log(s * math.sqrt(2 * math.pi)) - intercept],
        requires_grad=True,
    )

    def logits(x):
        log_q = -0.5 * (x / s) ** 2 - math.log(s * math.sqrt(2 * math.pi))
        return nce_logits(-theta[0] * x**2 - theta[1] * x**4 - theta[2], log_q, ratio=1.0)

    loss = nce_loss(logits(data), logits(noise)[:, None]).mean()
    (gradient,) = torch.autograd.grad(loss, theta)
    assert gradient.abs().max() < 1e-5  # sklearn's optimum is ours
