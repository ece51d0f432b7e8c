"""Dequantisation: a bound, with all its constants, on a probability that can be computed."""

import math

import pytest
import scipy.stats
import torch
from torch.testing import assert_close

from genlab.core import HasElbo, HasLogProb, bits_per_dim, likelihood_kind
from genlab.flow.dequantization import (
    DequantisedFlow,
    UniformNoise,
    VariationalNoise,
    dequantised_bound,
    pixel_flow,
    pixel_histograms,
    tightened_bound,
)
from genlab.flow.model import Flow, StandardNormal
from genlab.flow.transforms import Affine, ElementwiseLayer, HistogramMarginals, Sigmoid

L = 5


@pytest.fixture
def flow():
    """y = sigmoid(a z + b): the probability of every bin is known in closed form."""
    layer = ElementwiseLayer(Affine(), (1,))
    layer.params.data = torch.tensor([[0.3, 0.4]])
    return Flow(StandardNormal((1,)), [layer, Sigmoid()])


def bin_probabilities():
    """By scipy: logit(y) is normal with mean 0.3 and the clamped scale."""
    scale = math.exp(3 * math.tanh(0.4 / 3))
    edges = torch.arange(1, L) / L
    inner = scipy.stats.norm(0.3, scale).cdf(torch.logit(edges).numpy())
    return torch.from_numpy(inner).diff(prepend=torch.zeros(1), append=torch.ones(1))


@pytest.fixture
def x():
    return torch.arange(L)[:, None]


def draws(model, x, n, seed=0):
    with torch.no_grad():
        bounds = model.elbo(x.repeat(n, 1), generator=torch.Generator().manual_seed(seed))
    return bounds.reshape(n, len(x))


def test_it_is_a_bound_and_says_so(flow):
    model = DequantisedFlow(flow, UniformNoise(), levels=L)
    _: HasElbo = model
    assert likelihood_kind(model) == "bound"
    assert not isinstance(model, HasLogProb)


def test_average_over_uniform_noise_is_the_integral_over_the_bin(flow, x):
    """E_u exp(bound) = P(x) exactly: all constants are there, for every level."""
    n = 4000
    p = draws(DequantisedFlow(flow, UniformNoise(), levels=L), x, n).exp()
    wanted = bin_probabilities()
    # Monte Carlo: five standard errors
    assert bool(((p.mean(0) - wanted).abs() < 5 * p.std(0) / n**0.5).all())


def test_average_over_learned_noise_is_the_same_integral(flow, x):
    """For any q whatever: the missing -log q(u|x) would show here."""
    noise = VariationalNoise1d()
    n = 20_000
    p = draws(DequantisedFlow(flow, noise, levels=L), x, n).exp()
    wanted = bin_probabilities()
    assert bool(((p.mean(0) - wanted).abs() < 5 * p.std(0) / n**0.5).all())


class VariationalNoise1d(torch.nn.Module):
    """u = sigmoid(eps / 2 + (x - 2) / 4): a law of the noise that depends on the level."""

    def forward(self, x, *, generator=None):
        layer = ElementwiseLayer(Affine(limit=torch.inf), (1,))
        layer.params.data = torch.tensor([[0.0, math.log(1.3)]])
        flow = Flow(StandardNormal((1,)), [layer, Sigmoid()])
        return flow.sample_with_log_prob(torch.randn(x.shape, generator=generator))


def test_the_bound_lies_below_and_tightens_to_the_truth(flow, x):
    bounds = draws(DequantisedFlow(flow, UniformNoise(), levels=L), x, 4000)
    one, many, truth = bounds.mean(0), tightened_bound(bounds), bin_probabilities().log()
    assert float((truth - one).max()) > 0.1  # a visible gap in the outer bins
    assert float((one - truth).max()) < 5e-3  # nowhere above it: Monte Carlo with 4000 draws
    assert_close(many, truth, rtol=0, atol=0.05)
    assert float((truth - many).abs().max()) < 0.2 * float((truth - one).max())


def test_total_probability_of_all_levels_is_one(flow, x):
    bounds = draws(DequantisedFlow(flow, UniformNoise(), levels=L), x, 4000)
    assert float(tightened_bound(bounds).exp().sum()) == pytest.approx(1.0, abs=0.02)


def test_a_histogram_makes_uniform_noise_tight(generator):
    """When the density is flat in every bin, the bound is an equality for every draw."""
    probs = torch.rand(3, L, generator=generator) + 0.1
    layer = HistogramMarginals(probs, tail=0.0)
    model = DequantisedFlow(Flow(StandardNormal((3,)), [layer]), UniformNoise(), levels=L)
    x = torch.randint(L, (10, 3), generator=generator)
    wanted = sum(layer.probs[j, x[:, j]].log() for j in range(3))
    assert_close(draws(model, x, 5), wanted.expand(5, 10))


def test_the_constant_is_the_one_of_bits_per_dim():
    nats = dequantised_bound(torch.tensor([1.5]), 0.0, n_dims=64, levels=17)
    assert_close(bits_per_dim(-nats, 64), bits_per_dim(torch.tensor([-1.5]), 64, levels=17))


def test_variational_noise_stays_inside_the_bin_and_knows_its_density(generator):
    noise = VariationalNoise(4, L, Affine(), n_layers=2, width=8)
    for p in noise.parameters():
        p.data = 0.2 * torch.randn(p.shape, generator=generator)
    x = torch.randint(L, (50, 4), generator=generator)
    u, log_q = noise(x, generator=generator)
    assert float(u.detach().min()) > 0
    assert float(u.detach().max()) < 1
    cond = 2 * x.double() / (L - 1) - 1
    inner = ((u > 1e-5) & (u < 1 - 1e-5)).all(1)  # nearer to its ends the noise is clamped
    assert int(inner.sum()) > 40
    assert_close(log_q[inner], noise.flow.log_prob(u, cond=cond)[inner])


def test_untrained_noise_is_uniform(generator):
    x = torch.randint(L, (500, 4), generator=generator)
    u, log_q = VariationalNoise(4, L, Affine(), width=8)(x, generator=generator)
    assert_close(log_q, torch.zeros(500), rtol=0, atol=1e-9)
    ranks = u.detach().flatten().sort().values
    # Kolmogorov-Smirnov: 2000 draws deviate by more than 2 / sqrt(n) once in 1500
    assert float((ranks - torch.arange(2000) / 2000).abs().max()) < 2 / 2000**0.5


def test_learning_the_noise_tightens_the_bound(flow, x):
    """The family of learned noise holds the best q of this flow nearly, uniform noise does not."""
    torch.manual_seed(0)
    model = DequantisedFlow(flow, Affine1d(), levels=L)
    optimiser = torch.optim.Adam(model.noise.parameters(), lr=0.05)
    g = torch.Generator().manual_seed(0)
    batch = x.repeat(64, 1)
    for _ in range(150):
        optimiser.zero_grad()
        model.loss(batch, generator=g).backward()
        optimiser.step()
    truth = bin_probabilities().log().mean()
    gap = truth - draws(model, x, 2000).mean()
    uniform = truth - draws(DequantisedFlow(flow, UniformNoise(), levels=L), x, 2000).mean()
    assert 0 < float(gap) < 0.5 * float(uniform)


class Affine1d(torch.nn.Module):
    """One learned logit-normal for each of the L levels."""

    def __init__(self):
        super().__init__()
        self.params = torch.nn.Parameter(torch.zeros(L, 2))

    def forward(self, x, *, generator=None):
        eps = torch.randn(x.shape, generator=generator)
        v, first = Affine().forward(eps, self.params[x])
        u, second = Sigmoid()(v)
        log_q = StandardNormal((1,)).log_prob(eps) - first[:, 0] - second
        return u, log_q


def test_samples_are_levels_with_the_right_frequencies(flow):
    model = DequantisedFlow(flow, UniformNoise(), levels=L)
    n = 20_000
    x = model.sample(n, generator=torch.Generator().manual_seed(1))
    assert x.dtype == torch.int64
    p = bin_probabilities()
    share = torch.bincount(x[:, 0], minlength=L) / n
    assert bool(((share - p).abs() < 5 * (p * (1 - p) / n).sqrt()).all())  # Monte Carlo


@pytest.mark.parametrize(("n_dims", "levels"), [(0, 17), (64, 0)])
def test_impossible_sizes_are_named(n_dims, levels):
    with pytest.raises(ValueError, match="expected at least 1 each"):
        dequantised_bound(torch.zeros(1), 0.0, n_dims=n_dims, levels=levels)


@pytest.fixture
def images(generator):
    """Neighbours that agree: what a histogram of single pixels cannot see."""
    first = torch.randint(L, (200, 1), generator=generator)
    return torch.cat([first, (first + 1) % L, first, torch.full_like(first, 2)], 1)


def test_histograms_are_frequencies(images):
    p = pixel_histograms(images, L, extra=1e-9)
    for level in range(L):
        assert_close(p[:, level], (images == level).double().mean(0), rtol=0, atol=1e-7)


def test_no_level_is_impossible(images):
    p = pixel_histograms(images, L)
    assert float(p.min()) > 0
    assert_close(p.sum(1), torch.ones(4))


def test_histograms_refuse_a_level_out_of_range():
    with pytest.raises(ValueError, match=r"expected 0\.\.4"):
        pixel_histograms(torch.tensor([[5]]), L)


def test_untrained_it_is_the_histogram_model(images, generator):
    model = pixel_flow(images, L, width=8)
    p = pixel_histograms(images, L)
    wanted = sum(p[j, images[:, j]].log() for j in range(4))
    # the quantile is clamped at 1e-6 and the spline joins its tails at 3: rounding elsewhere
    assert_close(model.elbo(images, generator=generator), wanted, rtol=0, atol=1e-3)


def test_training_learns_what_pixels_know_of_each_other(images, generator):
    torch.manual_seed(0)
    model = pixel_flow(images, L, width=16, n_layers=2)
    before = float(model.loss(images, generator=generator).detach())
    optimiser = torch.optim.Adam(model.parameters(), lr=5e-3)
    for _ in range(60):
        optimiser.zero_grad()
        loss = model.loss(images, generator=generator)
        loss.backward()
        optimiser.step()
    assert float(loss.detach()) < before - 0.5  # nats; two pixels are copies of the first


def test_samples_are_levels(images, generator):
    x = pixel_flow(images, L, width=8).sample(20, generator=generator)
    assert x.shape == (20, 4)
    assert x.dtype == torch.int64
    assert 0 <= int(x.min()) <= int(x.max()) < L


def test_it_takes_learned_noise(images, generator):
    noise = VariationalNoise(4, L, Affine(), width=8)
    model = pixel_flow(images, L, width=8, noise=noise)
    model.loss(images, generator=generator).backward()
    assert all(p.grad is not None for p in noise.parameters())
