"""A mixture in the plane whose scores are known, and what samples of a mixture must look like."""

import math

import torch

from genlab.metrics.calibration import mmd_permutation_test
from genlab.metrics.distances import median_bandwidth, rbf_kernel
from genlab.oracles import GaussianMixture


def mixture(means=((-1.5, 0.0), (1.0, 0.5))):
    """Three to seven, in double precision."""
    parts = ([0.3, 0.7], means, [0.4, 0.6])
    return GaussianMixture(*(torch.tensor(part, dtype=torch.float64) for part in parts))


def assert_moments(x, data, *, bias):
    """Mean and covariance within five standard errors, and the sampler's bias in each."""
    match, n = data.moment_match(), len(x)
    spread = match.cov.diagonal().sqrt()
    assert ((x.mean(0) - match.mean).abs() < 5 * spread / math.sqrt(n) + bias[0]).all()
    # fourth moments are below 3 sd^4
    assert ((x.T.cov() - match.cov).abs() < 5 * spread**2 * math.sqrt(2 / n) + bias[1]).all()


def assert_alike(x, data, generator):
    """A two-sample test of all coordinates together, against fresh draws."""
    real = data.sample(500, generator=generator)
    width = median_bandwidth(x[:500], real)
    kernel = lambda a, b: rbf_kernel(a, b, bandwidth=width)
    assert mmd_permutation_test(x[:500], real, kernel, generator=generator).p_value > 0.01
