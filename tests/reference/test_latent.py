"""Our closed form of probabilistic PCA beside scikit-learn's."""

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from genlab.latent import ppca_ml
from genlab.oracles import LinearLatent

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
