"""Metrics against scikit-learn, SciPy, POT and torchmetrics."""

import warnings

import numpy as np
import pytest
import torch

from genlab.metrics.calibration import (
    binomial_interval,
    expected_calibration_error,
    wilson_interval,
)
from genlab.metrics.frechet import frechet_distance, frechet_gaussian, sqrt_psd
from genlab.metrics.inception_score import inception_score
from genlab.metrics.kernel import cubic_kernel, kid, rbf_kernel
from genlab.metrics.memorization import memorization_probe, nearest_distance
from genlab.metrics.precision_recall import knn_radius
from genlab.metrics.wasserstein import (
    energy_distance,
    random_directions,
    sliced_wasserstein,
    wasserstein_1d,
)

pytestmark = pytest.mark.reference


def covariance(d, generator):
    a = torch.randn(d, d + 2, generator=generator)
    return a @ a.T / d


def features(n, d, generator, shift=0.0):
    return torch.randn(n, d, generator=generator) + shift


# --- SciPy ------------------------------------------------------------------------------------


def test_root_and_distance_agree_with_scipy_sqrtm(generator):
    linalg = pytest.importorskip("scipy.linalg")
    a, b, mu = covariance(8, generator), covariance(8, generator), torch.ones(8)
    np.testing.assert_allclose(sqrt_psd(a), linalg.sqrtm(a.numpy()), atol=1e-9)
    trace = (a + b).trace().item() - 2 * np.trace(linalg.sqrtm((a @ b).numpy())).real
    assert abs(frechet_gaussian(mu, a, 0 * mu, b).item() - (8 + trace)) < 1e-8


@pytest.mark.parametrize(("n", "m"), [(20, 20), (20, 13)])
def test_line_distances_agree_with_scipy(n, m, generator):
    stats = pytest.importorskip("scipy.stats")
    x, y = torch.randn(n, generator=generator), torch.randn(m, generator=generator) * 2
    theirs = stats.wasserstein_distance(x.numpy(), y.numpy())
    assert abs(wasserstein_1d(x, y).item() - theirs) < 1e-10
    root = stats.energy_distance(x.numpy(), y.numpy())  # SciPy returns the square root
    assert abs(energy_distance(x[:, None], y[:, None]).item() - root**2) < 1e-10


@pytest.mark.parametrize("k", [0, 3, 40, 50])
def test_intervals_agree_with_scipy(k):
    stats = pytest.importorskip("scipy.stats")
    for name, ours in (("exact", binomial_interval), ("wilson", wilson_interval)):
        theirs = stats.binomtest(k, 50).proportion_ci(0.95, name)
        low, _, high = ours(k, 50)
        np.testing.assert_allclose((low, high), (theirs.low, theirs.high), atol=1e-9)


def test_the_copy_score_agrees_with_scipy_mannwhitneyu(generator):
    stats = pytest.importorskip("scipy.stats")
    train, heldout = features(50, 2, generator), features(30, 2, generator)
    fake = features(40, 2, generator, 0.5)
    a, b = nearest_distance(fake, train), nearest_distance(heldout, train)
    theirs = stats.mannwhitneyu(a, b, alternative="less", use_continuity=False)
    z = memorization_probe(fake, train, heldout).z_copy
    assert abs(stats.norm.cdf(z) - theirs.pvalue) < 1e-9


# --- scikit-learn -----------------------------------------------------------------------------


def test_kernels_agree_with_scikit_learn(generator):
    pairwise = pytest.importorskip("sklearn.metrics.pairwise")
    x, y = features(9, 5, generator), features(7, 5, generator)
    np.testing.assert_allclose(cubic_kernel(x, y), pairwise.polynomial_kernel(x, y, degree=3))
    theirs = pairwise.rbf_kernel(x, y, gamma=1 / (2 * 1.7**2))
    np.testing.assert_allclose(rbf_kernel(x, y, 1.7), theirs, rtol=1e-9)


@pytest.mark.parametrize("k", [1, 4])
def test_radii_agree_with_scikit_learn(k, generator):
    neighbors = pytest.importorskip("sklearn.neighbors")
    x = features(60, 4, generator)
    theirs, _ = neighbors.NearestNeighbors(n_neighbors=k).fit(x.numpy()).kneighbors()
    np.testing.assert_allclose(knn_radius(x, k), theirs[:, -1], rtol=1e-9)


# --- POT --------------------------------------------------------------------------------------


def pot():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("ot")


def test_the_gaussian_distance_agrees_with_pot(generator):
    a, b = covariance(6, generator), covariance(6, generator)
    mu, nu = features(2, 6, generator)
    theirs = pot().gaussian.bures_wasserstein_distance(mu.numpy(), nu.numpy(), a.numpy(), b.numpy())
    assert abs(frechet_gaussian(mu, a, nu, b).item() - float(theirs) ** 2) < 1e-8


@pytest.mark.parametrize("p", [1.0, 2.0])
def test_sorting_solves_the_linear_program_of_pot(p, generator):
    ot = pot()
    x, y = torch.randn(12, generator=generator), torch.randn(9, generator=generator)
    cost = (x[:, None] - y).abs() ** p
    plan = ot.emd(ot.unif(12), ot.unif(9), cost.numpy())
    assert abs(wasserstein_1d(x, y, p).item() - (plan * cost.numpy()).sum()) < 1e-10


def test_the_sliced_distance_agrees_with_pot(generator):
    ot = pot()
    x, y = features(20, 3, generator), features(20, 3, generator, 1.0)
    directions = random_directions(11, 3, generator=generator)
    theirs = ot.sliced_wasserstein_distance(
        x.numpy(), y.numpy(), projections=directions.T.numpy(), p=2
    )
    assert abs(sliced_wasserstein(x, y, directions).item() - float(theirs) ** 2) < 1e-9


# --- torchmetrics -----------------------------------------------------------------------------


class Table(torch.nn.Module):
    """Stands for a feature network: the "images" are row numbers into a table of features."""

    def __init__(self, rows):
        super().__init__()
        self.rows = rows
        self.num_features = rows.shape[1]

    def forward(self, images):
        return self.rows[images.long().flatten()]


def rows_of(n, start=0):
    return torch.arange(start, start + n)[:, None]


def test_the_frechet_distance_agrees_with_torchmetrics(generator):
    fid = pytest.importorskip("torchmetrics.image.fid")
    x, y = features(40, 5, generator), features(30, 5, generator, 0.7)
    metric = fid.FrechetInceptionDistance(feature=Table(torch.cat([x, y])))
    metric.set_dtype(torch.float64)
    metric.update(rows_of(40), real=True)
    metric.update(rows_of(30, 40), real=False)
    assert abs(frechet_distance(x, y).item() - metric.compute().item()) < 1e-6


def test_kid_agrees_with_torchmetrics(generator):
    module = pytest.importorskip("torchmetrics.image.kid")
    x, y = features(25, 5, generator), features(25, 5, generator, 0.7)
    table = Table(torch.cat([x, y]))
    with pytest.warns(UserWarning, match="save all extracted features"):
        metric = module.KernelInceptionDistance(feature=table, subsets=1, subset_size=25)
    metric.update(rows_of(25), real=True)
    metric.update(rows_of(25, 25), real=False)
    mean, _ = metric.compute()
    assert abs(kid(x, y).item() - mean.item()) < 1e-8


def test_the_inception_score_agrees_with_torchmetrics(generator):
    module = pytest.importorskip("torchmetrics.image.inception")
    logits = torch.randn(30, 4, generator=generator)
    with pytest.warns(UserWarning, match="save all extracted features"):
        metric = module.InceptionScore(feature=Table(logits), splits=1)
    metric.update(rows_of(30))
    with pytest.warns(UserWarning, match="degrees of freedom"):  # its spread over one split
        mean, _ = metric.compute()
    assert abs(inception_score(logits.softmax(1)).item() - mean.item()) < 1e-8


def test_the_calibration_error_agrees_with_torchmetrics(generator):
    functional = pytest.importorskip("torchmetrics.functional.classification")
    confidence = torch.rand(200, generator=generator)
    right = torch.rand(200, generator=generator) < 0.6
    # with two classes torchmetrics takes the probability of class 1 as the confidence
    theirs = functional.binary_calibration_error(confidence, right.long(), n_bins=10, norm="l1")
    ours = expected_calibration_error(confidence, right)
    assert abs(ours.item() - theirs.item()) < 1e-6  # float32 inside
