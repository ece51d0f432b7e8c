"""Our conditional spline flow and our judges against zuko's, SciPy's and scikit-learn's."""

import pytest
import torch
from scipy import stats
from torch.testing import assert_close

from genlab.data.simulators import LinearGaussian
from genlab.flow import Coupling, RationalQuadratic, spline_parameters
from genlab.metrics.calibration import chi_square_test, kolmogorov_smirnov_test, sbc_ranks
from genlab.systems.npe import NeuralPosterior, Rescale, conditional_flow

pytestmark = pytest.mark.reference
zuko = pytest.importorskip("zuko")

BOUND, N_BINS = 4.0, 8


def theirs_spline(raw):
    """A spline of zuko with our knots: it squashes what it is given, so hand it the knots."""
    widths, heights, slopes = spline_parameters(raw, BOUND)
    made = zuko.transforms.MonotonicRQSTransform(
        widths.log(), heights.log(), slopes[..., 1:-1].log(), bound=BOUND
    )
    made.horizontal = torch.nn.functional.pad(widths.cumsum(-1), (1, 0)) - BOUND
    made.vertical = torch.nn.functional.pad(heights.cumsum(-1), (1, 0)) - BOUND
    made.derivatives = slopes
    return zuko.transforms.DependentTransform(made, 1)


def theirs_coupling(layer, cond):
    """A coupling of zuko whose parameters come from our layer's network."""
    n_moved = int((~layer.stays).sum())

    def meta(kept):
        raw = layer.conditioner(torch.cat([kept, cond], -1))
        return theirs_spline(raw.unflatten(-1, (n_moved, -1)))

    return zuko.transforms.CouplingTransform(meta, layer.stays)


def test_the_density_of_a_conditional_spline_flow_is_zukos(generator):
    """Base, couplings and units put together by zuko, with our networks' numbers."""
    shift, scale = torch.tensor([1.0, -2.0]), torch.tensor([0.5, 3.0])
    flow = conditional_flow(2, 3, [Rescale(shift, scale)], n_splines=4, n_affine=0, width=16)
    q = NeuralPosterior(flow, torch.ones(3), 2 * torch.ones(3))
    for p in q.parameters():
        p.data = 0.4 * torch.randn(p.shape, generator=generator)
    theta = shift + scale * torch.randn(50, 2, generator=generator)
    x = torch.randn(50, 3, generator=generator)

    couplings = [layer for layer in flow.transforms if isinstance(layer, Coupling)]
    assert all(isinstance(layer.element, RationalQuadratic) for layer in couplings)
    made = [theirs_coupling(layer, (x - 1) / 2) for layer in couplings]
    units = torch.distributions.AffineTransform(shift, scale, event_dim=1)
    base = torch.distributions.Independent(
        torch.distributions.Normal(torch.zeros(2), torch.ones(2)), 1
    )
    # zuko's flows run from data to noise; torch's distribution from noise to data, as ours
    theirs = torch.distributions.TransformedDistribution(base, [*made, units])
    with torch.no_grad():
        assert_close(q.log_prob(theta, cond=x), theirs.log_prob(theta), rtol=1e-6, atol=1e-6)


def test_ranks_are_scipys(generator):
    theta, draws = (
        torch.randn(20, 1, generator=generator),
        torch.randn(20, 99, 1, generator=generator),
    )
    ours = sbc_ranks(theta, draws)[:, 0]
    for rank, t, d in zip(ours, theta[:, 0], draws[:, :, 0], strict=True):
        assert rank.item() == round(0.99 * stats.percentileofscore(d, t, kind="strict"))


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
