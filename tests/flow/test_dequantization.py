"""Dequantisation: a bound, with all its constants, on a probability that can be computed."""

import math

import pytest
import scipy.stats
import torch
from torch.testing import assert_close

from genlab.core import HasElbo, HasLogProb, likelihood_kind
from genlab.flow.dequantization import DequantisedFlow, UniformNoise, pixel_flow, pixel_histograms
from genlab.flow.model import Flow, StandardNormal
from genlab.flow.spline import RationalQuadratic
from genlab.flow.transforms import Affine, ElementwiseLayer, HistogramMarginals

L = 5


def probit_normal(shift, log_scale):
    """y = Phi(a z + b): the probability of every bin is known in closed form."""
    layer = ElementwiseLayer(Affine(limit=torch.inf), (1,))
    layer.params.data = torch.tensor([[shift, log_scale]])
    return Flow(StandardNormal((1,)), [layer, HistogramMarginals(torch.ones(1, 1), tail=0.0)])


class ProbitNoise(torch.nn.Module):
    """A probit-normal distribution of the noise for each of the L levels."""

    def __init__(self, params):
        super().__init__()
        self.params = torch.nn.Parameter(params)
        self.to_unit = HistogramMarginals(torch.ones(1, 1), tail=0.0)

    def forward(self, x, *, generator=None):
        eps = torch.randn(x.shape, generator=generator)
        v, first = Affine().forward(eps, self.params[x])
        u, second = self.to_unit(v)
        return u, StandardNormal((1,)).log_prob(eps) - first[:, 0] - second


UNIFORM = UniformNoise()
UNEVEN = ProbitNoise(torch.stack([torch.arange(L) / 4 - 0.5, torch.full((L,), 0.2)], 1).double())


@pytest.fixture
def flow():
    return probit_normal(0.3, -0.4)


@pytest.fixture
def truth():
    """Probability of every bin, by scipy: the probit of y is normal."""
    inner = torch.special.ndtri(torch.arange(1, L) / L)
    cdf = torch.from_numpy(scipy.stats.norm(0.3, math.exp(-0.4)).cdf(inner.numpy()))
    return cdf.diff(prepend=torch.zeros(1), append=torch.ones(1))


def draws(model, n, x=None, seed=0):
    """Bounds of n draws of the noise for every level, or for given images."""
    x = torch.arange(L)[:, None] if x is None else x
    with torch.no_grad():
        bounds = model.elbo(x.repeat(n, 1), generator=torch.Generator().manual_seed(seed))
    return bounds.reshape(n, len(x))


@pytest.mark.parametrize("noise", [UNIFORM, UNEVEN], ids=["uniform", "learned"])
def test_average_over_any_noise_is_the_integral_over_the_bin(flow, noise, truth):
    """E_q exp(bound) = P(x) exactly: all constants are there, for every level."""
    n = 20_000
    p = draws(DequantisedFlow(flow, noise, levels=L), n).exp()
    # Monte Carlo: five standard errors
    assert bool(((p.mean(0) - truth).abs() < 5 * p.std(0) / n**0.5).all())


def test_it_is_a_bound_that_lies_below_and_tightens_to_the_truth(flow, truth):
    model = DequantisedFlow(flow, UNIFORM, levels=L)
    assert likelihood_kind(model) == "bound"
    assert isinstance(model, HasElbo)
    assert not isinstance(model, HasLogProb)
    bounds, truth = draws(model, 4000), truth.log()
    one, many = bounds.mean(0), bounds.logsumexp(0) - math.log(len(bounds))  # IWAE, eq. 8
    assert float((truth - one).max()) > 0.1  # a visible gap in the outer bins
    assert float((one - truth).max()) < 5e-3  # nowhere above it: Monte Carlo with 4000 draws
    assert_close(many, truth, rtol=0, atol=0.05)
    assert float((truth - many).abs().max()) < 0.2 * float((truth - one).max())
    assert float(many.exp().sum()) == pytest.approx(1.0, abs=0.02)


def test_a_histogram_makes_uniform_noise_tight(generator):
    """When the density is flat in every bin, the bound is an equality for every draw."""
    probs = torch.rand(3, L, generator=generator) + 0.1
    layer = HistogramMarginals(probs, tail=0.0)
    model = DequantisedFlow(Flow(StandardNormal((3,)), [layer]), UNIFORM, levels=L)
    x = torch.randint(L, (10, 3), generator=generator)
    wanted = sum(layer.probs[j, x[:, j]].log() for j in range(3))
    assert_close(draws(model, 5, x), wanted.expand(5, 10))


def test_learning_the_noise_tightens_the_bound(flow, truth):
    """The family of learned noise holds the best q of this flow nearly, uniform noise does not."""
    model = DequantisedFlow(flow, ProbitNoise(torch.zeros(L, 2)), levels=L)
    optimiser = torch.optim.Adam(model.noise.parameters(), lr=0.05)
    g = torch.Generator().manual_seed(0)
    batch = torch.arange(L)[:, None].repeat(64, 1)
    for _ in range(150):
        optimiser.zero_grad()
        model.loss(batch, generator=g).backward()
        optimiser.step()
    best = truth.log().mean()
    gap = best - draws(model, 2000).mean()
    uniform = best - draws(DequantisedFlow(flow, UNIFORM, levels=L), 2000).mean()
    assert 0 < float(gap) < 0.5 * float(uniform)


def test_samples_are_levels_with_the_right_frequencies(flow, truth):
    n = 20_000
    model = DequantisedFlow(flow, UNIFORM, levels=L)
    x = model.sample(n, generator=torch.Generator().manual_seed(1))
    assert x.dtype == torch.int64
    found = torch.bincount(x[:, 0], minlength=L) / n
    # Monte Carlo: five standard errors of a frequency
    assert bool(((found - truth).abs() < 5 * (truth * (1 - truth) / n).sqrt()).all())


@pytest.fixture
def images(generator):
    """Neighbours that agree: what a histogram of single pixels cannot see."""
    first = torch.randint(L, (200, 1), generator=generator)
    return torch.cat([first, (first + 1) % L, first, torch.full_like(first, 2)], 1)


def test_untrained_it_is_the_histogram_model(images, generator):
    p = pixel_histograms(images, L)
    wanted = sum(p[j, images[:, j]].log() for j in range(4))
    bound = pixel_flow(images, L, width=8).elbo(images, generator=generator)
    # the quantile is clamped at 1e-6 and the spline joins its tails at 3: rounding elsewhere
    assert_close(bound, wanted, rtol=0, atol=1e-3)


def test_frequencies_are_counted_for_each_pixel_and_smoothed():
    x = torch.tensor([[0, 1], [0, 2], [1, 2]])
    wanted = torch.tensor([[2.5, 1.5, 0.5], [0.5, 1.5, 2.5]]) / 4.5
    assert_close(pixel_histograms(x, 3, extra=0.5), wanted)
    assert_close(pixel_histograms(x, 3)[0], torch.tensor([2.3, 1.3, 0.3]) / 3.9)
    assert_close(pixel_histograms(x[:, :1], 3, extra=0.0)[0], torch.tensor([2.0, 1.0, 0.0]) / 3)


def test_a_sample_at_the_end_of_the_interval_is_the_highest_level(flow, monkeypatch):
    monkeypatch.setattr(flow, "sample", lambda n, generator: torch.linspace(0, 1, n)[:, None])
    assert DequantisedFlow(flow, UNIFORM, levels=L).sample(3).tolist() == [[0], [2], [4]]


def test_by_default_the_pixel_flow_has_four_spline_layers(images):
    layers = pixel_flow(images, L).flow.transforms
    splines = layers[:-1:2]
    assert len(layers) == 2 * 4 + 1
    for k, layer in enumerate(splines):
        assert layer.stays.tolist() == [k % 2 == 0, k % 2 == 1] * 2
        assert layer.conditioner.net[0].out_features == 64
        assert layer.element.n_params == RationalQuadratic(5).n_params
        assert layer.element.bound == 3.0
