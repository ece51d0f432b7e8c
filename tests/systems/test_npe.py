"""Neural posterior estimation: it starts as the prior, is a density, and ends at the posterior."""

import math

import pytest
import torch
from torch.distributions import MultivariateNormal
from torch.testing import assert_close

from genlab.data.simulators import LinearGaussian
from genlab.metrics.calibration import chi_square_test
from genlab.metrics.cost import network_passes
from genlab.systems.npe import (
    NeuralPosterior,
    Rescale,
    calibration_ranks,
    conditional_flow,
    npe_loss,
    onto_box,
)
from genlab.train import cosine, fit, minibatches

KINDS = pytest.mark.parametrize("autoregressive", [False, True], ids=["coupling", "autoregressive"])
BOX = (-1.0, 1.0)


def stirred(model, spread=0.3):
    """Random parameters, so that no layer is the identity and the data matter."""
    g = torch.Generator().manual_seed(1)
    for p in model.parameters():
        p.data = spread * torch.randn(p.shape, generator=g)
    return model


def on_box(*, autoregressive=False, p=2, **sizes):
    flow = conditional_flow(
        p, 3, onto_box(p, BOX), autoregressive=autoregressive, width=16, **sizes
    )
    return NeuralPosterior(flow, torch.zeros(3), torch.ones(3), box=BOX)


def on_the_line(*, autoregressive=False, counts=False, x_mean=None, x_std=None):
    units = Rescale(torch.tensor([1.0, -2.0]), torch.tensor([0.5, 3.0]))
    flow = conditional_flow(2, 3, [units], autoregressive=autoregressive, width=16)
    mean = torch.zeros(3) if x_mean is None else x_mean
    std = torch.ones(3) if x_std is None else x_std
    return NeuralPosterior(flow, mean, std, counts=counts)


@pytest.fixture
def x(generator):
    return torch.randn(6, 3, generator=generator)


# The objective


def test_the_loss_exceeds_the_posteriors_entropy_by_the_kl(generator):
    """Linear Gaussian: posterior N(m, S); an estimate N(m + d, cS) has a KL in closed form."""
    model, n = LinearGaussian(), 40_000
    theta = model.prior(n, generator=generator)
    x = model.simulate(theta, generator=generator)
    _, cov = model.posterior(x)
    shift, c = torch.tensor([0.1, -0.2]), 1.5

    def log_q(theta, x):
        return MultivariateNormal(model.posterior(x)[0] + shift, c * cov).log_prob(theta)

    values = npe_loss(log_q, theta, x)
    entropy = MultivariateNormal(torch.zeros(2), cov).entropy()
    kl = 0.5 * (2 / c - 2 + 2 * math.log(c) + shift @ torch.linalg.solve(c * cov, shift))
    assert abs(values.mean() - (entropy + kl)) < 5 * values.std() / math.sqrt(n)


def test_parameters_and_data_that_are_no_pairs_are_refused(as_a_user):
    with pytest.raises(ValueError, match="3 parameters but 2 data"):
        npe_loss(lambda theta, x: theta[:, 0], torch.zeros(3, 1), torch.zeros(2, 1))


# It starts as the prior


@KINDS
def test_an_untrained_estimate_on_a_box_is_the_uniform_prior(autoregressive, x, generator):
    q = on_box(autoregressive=autoregressive)
    theta = 1.98 * torch.rand(6, 2, generator=generator) - 0.99
    assert_close(q.log_prob(theta, cond=x), torch.full((6,), -math.log(4)))


@KINDS
def test_an_untrained_estimate_on_the_line_is_the_normal_prior(autoregressive, x, generator):
    q = on_the_line(autoregressive=autoregressive)
    prior = MultivariateNormal(torch.tensor([1.0, -2.0]), torch.diag(torch.tensor([0.25, 9.0])))
    theta = prior.sample((6,))
    assert_close(q.log_prob(theta, cond=x), prior.log_prob(theta))


# It is a density


@KINDS
def test_the_density_on_a_box_integrates_to_one(autoregressive):
    """By quadrature in z, theta = 2 Phi(z) - 1: there the edges, where much happens, are wide."""
    q = stirred(on_box(autoregressive=autoregressive), spread=0.2)
    line = torch.linspace(-5, 5, 301)
    z = torch.cartesian_prod(line, line)
    normal = torch.distributions.Normal(0.0, 1.0)
    weights = (2 * normal.log_prob(z).exp() * (line[1] - line[0])).prod(1)
    for row in (0.0, 1.0):
        log_q = q.log_prob(2 * normal.cdf(z) - 1, cond=torch.full((len(z), 3), row))
        # beyond 5 lies 1e-6 of the mass of the prior, and not much more of a stirred estimate
        assert (log_q.exp() * weights).sum().item() == pytest.approx(1.0, abs=2e-3)


def test_units_are_undone_and_their_volume_counted():
    units, z = Rescale(torch.tensor([1.0, 2.0]), torch.tensor([3.0, 0.5])), torch.ones(4, 2)
    theta, log_det = units(z)
    assert theta[0].tolist() == [4.0, 2.5]
    assert log_det[0].item() == pytest.approx(math.log(1.5))
    back, log_det_back = units.inverse(theta)
    assert_close(back, z)
    assert_close(log_det_back, -log_det)


# Support


def test_outside_the_prior_the_density_is_zero_and_the_rest_is_untouched(x):
    q = stirred(on_box())
    theta = torch.zeros(6, 2)
    theta[1, 0], theta[4, 1] = 1.2, -3.0
    log_q = q.log_prob(theta, cond=x)
    assert (log_q == -math.inf).tolist() == [False, True, False, False, True, False]
    assert_close(log_q[0], q.log_prob(theta[:1], cond=x[:1])[0])


@KINDS
def test_no_draw_leaves_the_box(autoregressive, generator):
    q = stirred(on_box(autoregressive=autoregressive), spread=0.6)
    theta = q.sample(5000, cond=torch.ones(1, 3), generator=generator)
    assert bool(q.inside(theta).all())


# Data


def test_data_are_standardised_before_the_networks_read_them(x, generator):
    mean, std = torch.tensor([5.0, -1.0, 0.0]), torch.tensor([2.0, 10.0, 0.1])
    raw, plain = stirred(on_the_line(x_mean=mean, x_std=std)), stirred(on_the_line())
    theta, given = torch.randn(6, 2, generator=generator), mean + std * x
    assert_close(raw.log_prob(theta, cond=given), plain.log_prob(theta, cond=x))
    draw = lambda q, cond: q.sample(6, cond=cond, generator=torch.Generator().manual_seed(1))
    assert_close(draw(raw, given), draw(plain, x))


def test_counts_are_rooted_first():
    q = on_the_line(counts=True, x_mean=torch.ones(3))
    assert q.standardise(torch.tensor([[0.0, 4.0, 100.0]])).tolist() == [[-1.0, 1.0, 9.0]]


def test_one_row_of_data_serves_all_draws_and_many_rows_one_each(x):
    q = stirred(on_the_line())
    by_row = q.sample(6, cond=x[2:3].expand(6, 3), generator=torch.Generator().manual_seed(3))
    once = q.sample(6, cond=x[2:3], generator=torch.Generator().manual_seed(3))
    assert_close(by_row, once)
    mixed = q.sample(6, cond=x, generator=torch.Generator().manual_seed(3))
    assert_close(mixed[2], once[2])
    assert not torch.allclose(mixed[0], once[0])


# Simulation-based calibration


class Exact:
    """The posterior of the linear Gaussian simulator, wider or narrower if asked."""

    def __init__(self, width=1.0):
        self.width = width

    def sample(self, n, *, cond, generator):
        mean, cov = LinearGaussian().posterior(cond)
        noise = torch.randn(n, 2, generator=generator)
        return mean + self.width * noise @ torch.linalg.cholesky(cov).T


@pytest.mark.parametrize(("width", "low", "high"), [(1.0, 1e-3, 1), (0.7, 0, 1e-4), (1.4, 0, 1e-4)])
def test_exact_draws_have_uniform_ranks_and_draws_of_another_width_have_not(
    width, low, high, generator, as_a_user
):
    ranks = calibration_ranks(Exact(width), LinearGaussian(), 1000, 99, generator)
    assert ranks.shape == (1000, 2)
    assert all(low <= chi_square_test(column, 99).p_value <= high for column in ranks.T)


# Cost, contract, learning


@pytest.mark.parametrize(("autoregressive", "passes"), [(False, 1), (True, 4)])
def test_couplings_sample_in_one_pass_and_masked_layers_in_one_a_parameter(autoregressive, passes):
    q = on_box(autoregressive=autoregressive, p=4)
    assert network_passes(q, lambda: q.sample(50, cond=torch.zeros(1, 3))) == passes
    theta = torch.zeros(50, 4)
    assert network_passes(q, lambda: q.log_prob(theta, cond=torch.zeros(50, 3))) == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    "autoregressive",
    [False, pytest.param(True, marks=pytest.mark.verify)],
    ids=["coupling", "masked"],
)
def test_training_reaches_the_exact_posterior(autoregressive, generator):
    """Linear Gaussian, 400 steps: from 1.8 nats above the floor, all that data tell, to 0.05."""
    model = LinearGaussian()
    theta = model.prior(20_000, generator=generator)
    x = model.simulate(theta, generator=generator)
    flow = conditional_flow(
        2, 3, [Rescale(theta.mean(0), theta.std(0))],
        autoregressive=autoregressive, n_splines=1, width=32,
    )  # fmt: skip
    q = NeuralPosterior(flow, x.mean(0), x.std(0))
    batches = minibatches(theta, 256, cond=x, generator=generator)
    list(fit(q, batches, n_steps=400, lr=cosine(5e-3, 400), clip=5.0))

    theta = model.prior(20_000, generator=generator)
    x = model.simulate(theta, generator=generator)
    mean, cov = model.posterior(x)
    with torch.no_grad():
        gaps = MultivariateNormal(mean, cov).log_prob(theta) - q.log_prob(theta, cond=x)
    assert -5 * gaps.std() / math.sqrt(len(gaps)) < gaps.mean() < 0.05
