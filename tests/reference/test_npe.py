"""Our conditional spline flow and our judges against zuko's, SciPy's and scikit-learn's."""

import pytest
import torch
from scipy import stats
from torch.testing import assert_close

from genlab.data.simulators import LinearGaussian
from genlab.metrics.calibration import chi_square_test, kolmogorov_smirnov_test

pytestmark = pytest.mark.reference
zuko = pytest.importorskip("zuko")

BOUND, N_BINS = 4.0, 8


def test_the_p_value_of_chi_square_is_that_of_its_law(generator):
    ranks = torch.randint(0, 100, (500,), generator=generator)
    counts = torch.histc(ranks.double(), 20, min=0, max=100)
    found = chi_square_test(ranks, 99)
    assert found.statistic == pytest.approx(((counts - 25) ** 2 / 25).sum().item())
    assert found.p_value == pytest.approx(stats.chi2(19).sf(found.statistic))


def test_the_kolmogorov_smirnov_distance_is_the_largest_step(generator):
    ranks = torch.randint(0, 50, (300,), generator=generator)
    found = kolmogorov_smirnov_test(ranks, 99, generator=torch.Generator().manual_seed(1))
    v = torch.rand(300, generator=torch.Generator().manual_seed(1))
    u = ((ranks + v) / 100).sort().values
    steps = torch.arange(301) / 300
    distance = torch.maximum(steps[1:] - u, u - steps[:-1]).max()
    assert found.statistic == pytest.approx(distance.item())
    assert found.p_value == pytest.approx(stats.kstwo(300).sf(distance.item()))


def test_the_posterior_of_the_simulator_is_bayesian_regressions(generator):
    """scikit-learn's ridge regression has the same mean: its penalty is the prior's precision."""
    from sklearn.linear_model import Ridge

    model = LinearGaussian()
    x = model.simulate(model.prior(1, generator=generator), generator=generator)
    ridge = Ridge(alpha=model.noise**2, fit_intercept=False).fit(torch.tensor(model.matrix), x[0])
    assert_close(model.posterior(x)[0][0], torch.from_numpy(ridge.coef_))
