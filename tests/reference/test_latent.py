"""Our EM and our closed form beside scikit-learn's."""

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from sklearn.mixture import GaussianMixture as TheirMixture

from genlab.core import last
from genlab.latent import em, gaussian_m_step, ppca_ml
from genlab.oracles import GaussianMixture, LinearLatent

pytestmark = pytest.mark.reference


@pytest.fixture
def data(generator):
    weight = torch.randn(6, 2, generator=generator)
    return LinearLatent(weight, torch.arange(6.0), std=0.5).sample(150, generator=generator)


def test_covariance_of_the_model_is_that_of_pca_up_to_its_divisor(data):
    theirs = PCA(2, svd_solver="full").fit(data.numpy()).get_covariance()
    n = len(data)
    np.testing.assert_allclose(
        ppca_ml(data, 2).marginal().cov.numpy() * n / (n - 1), theirs, atol=1e-10
    )


# A tolerance of 0 asks for all 400 steps, which is not "converged" to scikit-learn.
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_em_for_a_gaussian_mixture_takes_the_same_path(generator):
    true = GaussianMixture(
        torch.tensor([0.6, 0.4]), torch.tensor([[-1.0, 0.0], [1.0, 1.0]]), torch.tensor([0.7, 0.5])
    )
    x = true.sample(200, generator=generator)
    means, stds, weights = x[:2].clone(), torch.ones(2), torch.full((2,), 0.5)
    theirs = TheirMixture(
        2,
        covariance_type="spherical",
        reg_covar=0.0,
        tol=0.0,
        max_iter=400,
        weights_init=weights.numpy(),
        means_init=means.numpy(),
        precisions_init=(1 / stds**2).numpy(),
    ).fit(x.numpy())
    ours = last(
        em(
            GaussianMixture(weights, means, stds),
            lambda m: m.responsibilities(x),
            lambda q: gaussian_m_step(x, q),
            n_steps=400,
        )
    ).model
    for a, b in (
        (ours.means, theirs.means_),
        (ours.stds**2, theirs.covariances_),
        (ours.weights, theirs.weights_),
    ):
        np.testing.assert_allclose(a.numpy(), b, atol=1e-8)  # both converged linearly
    assert abs(ours.log_prob(x).mean().item() - theirs.score(x.numpy())) < 1e-9
