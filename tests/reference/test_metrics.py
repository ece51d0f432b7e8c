"""Metrics against scikit-learn, SciPy, POT and torchmetrics."""

import warnings

import numpy as np
import pytest
import torch

from genlab.metrics import calibration, coverage, distances

pytestmark = pytest.mark.reference
stats = pytest.importorskip("scipy.stats")


def features(n, d, generator, shift=0.0):
    return torch.randn(n, d, generator=generator) + shift


@pytest.mark.parametrize(("n", "m"), [(20, 20), (20, 13)])
def test_line_distances_agree_with_scipy(n, m, generator):
    x, y = torch.randn(n, generator=generator), torch.randn(m, generator=generator) * 2
    theirs = stats.wasserstein_distance(x.numpy(), y.numpy())
    assert abs(distances.wasserstein_1d(x, y).item() - theirs) < 1e-10
    assert abs(distances.w1_by_cdf(x, y).item() - theirs) < 1e-10
    root = stats.energy_distance(x.numpy(), y.numpy())  # SciPy returns the square root
    assert abs(distances.energy_distance(x[:, None], y[:, None]).item() - root**2) < 1e-10


def test_scores_of_copies_agree_with_scipys_tests(generator):
    train, heldout = features(50, 2, generator), features(30, 2, generator)
    fake = train[:40] + 0.3 * features(40, 2, generator)
    probe = coverage.memorization_probe(fake, train, heldout)
    a, b = coverage.nearest_distance(fake, train), coverage.nearest_distance(heldout, train)
    theirs = stats.mannwhitneyu(a, b, alternative="less", use_continuity=False).pvalue
    assert abs(stats.norm.cdf(probe.z_copy) - theirs) < 1e-9
    hits = round(40 * probe.share_closer_to_train)
    theirs = stats.binomtest(hits, 40, 50 / 80, alternative="greater").pvalue
    assert abs(probe.p_share - theirs) < 1e-12


def test_the_interval_of_reviewers_agrees_with_scipy(generator):
    right = torch.rand(9, 12, generator=generator) < 0.6
    theirs = stats.ttest_1samp(right.double().mean(1).numpy(), 0.5).confidence_interval(0.9)
    low, _, high = calibration.reviewer_interval(right, 0.9)
    np.testing.assert_allclose((low, high), (theirs.low, theirs.high), atol=1e-12)


def test_the_permutation_test_agrees_with_scipy_over_all_splits(generator):
    x, y = features(5, 1, generator), features(5, 1, generator, 0.8)

    def statistic(a, b):
        return distances.mmd2(
            torch.from_numpy(a)[:, None], torch.from_numpy(b)[:, None], distances.rbf_kernel
        ).item()

    pair = (x[:, 0].numpy(), y[:, 0].numpy())
    theirs = stats.permutation_test(
        pair, statistic, n_resamples=np.inf, alternative="greater", vectorized=False
    )
    ours = calibration.mmd_permutation_test(
        x, y, distances.rbf_kernel, n_permutations=4000, generator=generator
    )
    assert abs(ours.statistic - theirs.statistic) < 1e-12
    p = theirs.pvalue  # exact, over 252 splits; ours scatters by the binomial law
    assert abs(ours.p_value - p) < 5 * (p * (1 - p) / 4000) ** 0.5 + 1 / 4000


def test_precision_recall_density_coverage_agree_with_scikit_learns_distances(generator):
    neighbors = pytest.importorskip("sklearn.neighbors")
    metrics = pytest.importorskip("sklearn.metrics")
    real, fake, k = features(50, 3, generator), features(40, 3, generator, 0.6), 4

    def inside(query, centres):
        reach, _ = neighbors.NearestNeighbors(n_neighbors=k).fit(centres).kneighbors()
        return metrics.pairwise_distances(query, centres) <= reach[:, -1]

    at_real = inside(fake.numpy(), real.numpy())
    at_fake = inside(real.numpy(), fake.numpy())
    theirs = at_real.any(1).mean(), at_fake.any(1).mean()
    np.testing.assert_allclose(coverage.precision_recall(real, fake, k), theirs, rtol=1e-12)
    theirs = at_real.sum(1).mean() / k, at_real.any(0).mean()
    np.testing.assert_allclose(coverage.density_coverage(real, fake, k), theirs, rtol=1e-12)


def pot():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("ot")


def test_plan_and_prices_agree_with_pot_in_the_plane(generator):
    ot = pot()
    x, y = features(9, 2, generator), features(7, 2, generator, 0.5)
    p = torch.rand(9, generator=generator)
    q = torch.rand(7, generator=generator)
    p, q = p / p.sum(), q / q.sum()
    cost = torch.cdist(x, y)
    theirs = ot.emd2(p.numpy(), q.numpy(), cost.numpy())
    assert abs(distances.transport_plan(cost, p, q).cost - theirs) < 1e-9
    points, nothing = torch.cat([x, y]), torch.zeros(9)
    prices = distances.transport_prices(
        torch.cdist(points, points), torch.cat([p, nothing[:7]]), torch.cat([nothing, q])
    )
    assert abs(prices.value - theirs) < 1e-9


@pytest.mark.parametrize("p", [1.0, 2.0])
def test_sorting_solves_the_linear_program_of_pot(p, generator):
    ot = pot()
    x, y = torch.randn(12, generator=generator), torch.randn(9, generator=generator)
    cost = (x[:, None] - y).abs() ** p
    plan = ot.emd(ot.unif(12), ot.unif(9), cost.numpy())
    assert abs(distances.wasserstein_1d(x, y, p).item() - (plan * cost.numpy()).sum()) < 1e-10


class Table(torch.nn.Module):
    """Stands for a feature network: the "images" are row numbers into a table of features."""

    def __init__(self, rows):
        super().__init__()
        self.rows = rows
        self.num_features = rows.shape[1]

    def forward(self, images):
        return self.rows[images.long().flatten()]


def test_the_frechet_distance_agrees_with_torchmetrics(generator):
    fid = pytest.importorskip("torchmetrics.image.fid")
    x, y = features(40, 5, generator), features(30, 5, generator, 0.7)
    metric = fid.FrechetInceptionDistance(feature=Table(torch.cat([x, y])))
    metric.set_dtype(torch.float64)
    metric.update(torch.arange(40)[:, None], real=True)
    metric.update(torch.arange(40, 70)[:, None], real=False)
    assert abs(distances.frechet_distance(x, y).item() - metric.compute().item()) < 1e-6


def test_kid_agrees_with_torchmetrics(generator):
    module = pytest.importorskip("torchmetrics.image.kid")
    x, y = features(25, 5, generator), features(25, 5, generator, 0.7)
    table = Table(torch.cat([x, y]))
    with pytest.warns(UserWarning, match="save all extracted features"):
        metric = module.KernelInceptionDistance(feature=table, subsets=1, subset_size=25)
    metric.update(torch.arange(25)[:, None], real=True)
    metric.update(torch.arange(25, 50)[:, None], real=False)
    mean, _ = metric.compute()
    assert abs(distances.kid(x, y).item() - mean.item()) < 1e-8


def test_the_inception_score_agrees_with_torchmetrics(generator):
    module = pytest.importorskip("torchmetrics.image.inception")
    logits = torch.randn(30, 4, generator=generator)
    with pytest.warns(UserWarning, match="save all extracted features"):
        metric = module.InceptionScore(feature=Table(logits), splits=1)
    metric.update(torch.arange(30)[:, None])
    with pytest.warns(UserWarning, match="degrees of freedom"):  # its spread over one split
        mean, _ = metric.compute()
    assert abs(coverage.inception_score(logits.softmax(1)).item() - mean.item()) < 1e-8


def test_the_calibration_error_agrees_with_torchmetrics(generator):
    functional = pytest.importorskip("torchmetrics.functional.classification")
    confidence = torch.rand(200, generator=generator)
    right = torch.rand(200, generator=generator) < 0.6
    # with two classes torchmetrics takes the probability of class 1 as the confidence
    theirs = functional.binary_calibration_error(confidence, right.long(), n_bins=10, norm="l1")
    ours = calibration.expected_calibration_error(confidence, right)
    assert abs(ours.item() - theirs.item()) < 1e-6  # float32 inside
