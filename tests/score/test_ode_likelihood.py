"""ODE likelihood: closed forms, the mixture's density, orders, the prior gap, unbiased traces."""

import math
from itertools import pairwise

import pytest
import torch
from torch.testing import assert_close

from genlab.core import HasLogProb, Sampleable, last, likelihood_kind, std_normal_log_prob
from genlab.oracles import Gaussian, GaussianMixture
from genlab.score.exact_fields import exact_score
from genlab.score.ode_likelihood import ProbabilityFlow, ode_log_prob, ride
from genlab.score.priors import NormalPrior
from genlab.score.sde import probability_flow, reverse_sde_sample
from genlab.score.sde_paths import VE, VP, SubVP
from genlab.solvers import heun
from genlab.solvers.divergence import rademacher

UNIT = VP(1.0, 1.0)


def mixture():
    return GaussianMixture(
        torch.tensor([0.3, 0.7]), torch.tensor([[-1.5, 0.0], [1.0, 0.5]]), torch.tensor([0.4, 0.6])
    )


def law_at_end(data, sde, t=1.0):
    t = torch.tensor(t)
    return data.noised(float(sde.alpha(t)), float(sde.sigma(t)))


def flow_of(data, sde):
    score = exact_score(data, sde)
    return lambda x, t: probability_flow(sde, score, x, t)


def log_prob(data, sde, x, n, prior_log_prob, **options):
    ts = torch.linspace(0, 1, n + 1)
    return ode_log_prob(flow_of(data, sde), x, ts, prior_log_prob=prior_log_prob, **options)


def test_density_of_wide_normal_data_is_recovered():
    """N(0, 4) data under dx = -x/2 dt + dW have variance 1 + 3 exp(-t): everything is known."""
    data = Gaussian(torch.zeros(1), 4 * torch.eye(1))
    x = torch.tensor([[-3.0], [0.0], [1.0], [5.0]])
    x_T, log_det = ride(flow_of(data, UNIT), x, torch.linspace(0, 1, 101))
    shrink = math.sqrt((1 + 3 * math.exp(-1)) / 4)
    assert_close(x_T, shrink * x, rtol=0, atol=1e-9)  # RK4 with 100 steps
    assert_close(log_det, torch.full((4,), math.log(shrink)), rtol=0, atol=1e-9)
    ours = log_prob(data, UNIT, x, 100, law_at_end(data, UNIT).log_prob)
    assert_close(ours, data.log_prob(x), rtol=0, atol=1e-9)


@pytest.mark.parametrize("sde", [VP(), SubVP(), VE(0.1, 10.0)], ids=repr)
def test_density_of_a_mixture_is_recovered_to_a_millionth(sde, generator):
    data = mixture()
    x = data.sample(16, generator=generator)
    ours = log_prob(data, sde, x, 160, law_at_end(data, sde).log_prob)
    assert_close(ours, data.log_prob(x), rtol=0, atol=1e-6)


@pytest.mark.slow
def test_error_falls_with_the_order_of_the_solver(generator):
    data, sde = mixture(), VP()
    x = data.sample(16, generator=generator)
    prior = law_at_end(data, sde).log_prob
    for method, order, counts in ((heun, 2, (80, 160)), (None, 4, (80, 160))):
        options = {"method": method} if method else {}
        errors = [
            (log_prob(data, sde, x, n, prior, **options) - data.log_prob(x)).abs().max().item()
            for n in counts
        ]
        assert math.log2(errors[0] / errors[1]) == pytest.approx(order, abs=0.35)


def test_a_standard_normal_prior_leaves_a_gap_that_finer_steps_do_not_remove(generator):
    data, sde = mixture(), VP()
    x = data.sample(16, generator=generator)
    gaps = [
        (log_prob(data, sde, x, n, std_normal_log_prob) - data.log_prob(x)).abs().max().item()
        for n in (40, 80)
    ]
    assert 1e-3 < gaps[1] < 3e-2
    assert gaps[0] == pytest.approx(gaps[1], rel=0.05)


def test_prior_with_the_moments_of_the_noised_data_closes_the_gap(generator):
    data, sde, one = mixture(), VP(), torch.tensor(1.0)
    x = data.sample(16, generator=generator)
    prior = NormalPrior.of_noised(
        data.sample(200_000, generator=generator), sde.alpha(one), sde.sigma(one)
    )
    gap = (log_prob(data, sde, x, 80, prior.log_prob) - data.log_prob(x)).abs().max().item()
    # what is left: alpha^2 = 4e-5 times the correlation, and the mean's Monte Carlo error
    assert gap < 1e-4


def test_the_divergence_enters_with_its_sign():
    """A field whose divergence depends on x: p_0 is known for dx/dt = -sinh(x), x_T = N(0, 1)."""
    x = torch.linspace(-1.5, 1.5, 7)[:, None]
    ts = torch.linspace(0, 1, 101)
    ours = ode_log_prob(lambda x, t: -torch.sinh(x), x, ts, prior_log_prob=std_normal_log_prob)
    k = math.exp(-1)  # tanh(x_T / 2) = exp(-T) tanh(x_0 / 2)
    end = 2 * torch.atanh(k * torch.tanh(x / 2))
    stretch = k * (1 - torch.tanh(x / 2) ** 2) / (1 - torch.tanh(end / 2) ** 2)
    assert_close(ours, std_normal_log_prob(end) + stretch[:, 0].log(), rtol=0, atol=1e-7)


def test_density_integrates_to_one():
    side = torch.linspace(-6, 6, 49)
    x = torch.cartesian_prod(side, side)
    data, sde = mixture(), VP(0.5, 3.0)
    p = log_prob(data, sde, x, 20, std_normal_log_prob).exp()
    assert float(p.sum()) * 0.25**2 == pytest.approx(1.0, abs=1e-3)  # whatever the prior is


def test_stochastic_trace_is_right_on_average(generator):
    """One probe for each of many copies of a point; the mean against the exact trace."""
    data, sde, n = mixture(), VP(0.5, 3.0), 4000
    x = torch.tensor([[0.2, 0.4]])
    prior = law_at_end(data, sde).log_prob
    exact = log_prob(data, sde, x, 12, prior)
    copies = x.expand(n, 2)
    probes = rademacher((1, n, 2), like=x, generator=generator)
    noisy = log_prob(data, sde, copies, 12, prior, probes=probes)
    assert float(noisy.std()) > 1e-3
    assert abs(float(noisy.mean() - exact)) < 5 * float(noisy.std()) / math.sqrt(n)


def test_more_probes_scatter_less(generator):
    data, sde, n = mixture(), VP(0.5, 3.0), 2000
    x, prior = torch.tensor([[0.2, 0.4]]).expand(n, 2), law_at_end(data, sde).log_prob
    scatter = [
        float(
            log_prob(
                data, sde, x, 8, prior,
                probes=rademacher((k, n, 2), like=x, generator=generator),
            ).var()
        )
        for k in (1, 4)
    ]  # fmt: skip
    assert scatter[0] / scatter[1] == pytest.approx(4.0, rel=0.3)


def test_images_keep_their_shape(generator):
    x = torch.randn(3, 1, 2, 2, generator=generator)
    x_T, log_det = ride(lambda x, t: -x, x, torch.linspace(0, 1, 41))
    assert_close(x_T, math.exp(-1) * x, rtol=0, atol=1e-7)
    assert_close(log_det, torch.full((3,), -4.0))


def test_model_has_an_exact_likelihood_and_samples_it(generator):
    data, sde = Gaussian(torch.tensor([1.0, -1.0]), torch.diag(torch.tensor([0.3, 0.1]))), VP()
    model = ProbabilityFlow(
        exact_score(data, sde), sde, law_at_end(data, sde), torch.linspace(0, 1, 81) ** 2, (2,)
    )
    assert likelihood_kind(model) == "exact"
    assert isinstance(model, Sampleable)
    _: HasLogProb = model
    x = model.sample(2000, generator=generator)
    spread = data.cov.diagonal().sqrt()
    assert bool(((x.mean(0) - data.mean).abs() < 5 * spread / math.sqrt(2000)).all())
    assert_close(model.log_prob(x[:9]), data.log_prob(x[:9]), rtol=0, atol=1e-4)


def test_model_with_probes_gives_the_same_number_twice(generator):
    data, sde = mixture(), VP()
    model = ProbabilityFlow(
        exact_score(data, sde), sde, NormalPrior.standard((2,)), torch.linspace(0, 1, 9), (2,), 2
    )
    x = data.sample(5, generator=generator)
    assert_close(model.log_prob(x), model.log_prob(x), rtol=0, atol=0)
    assert not torch.equal(
        model.log_prob(x), ProbabilityFlow(
            model.score, sde, model.prior, model.ts, (2,)
        ).log_prob(x)
    )  # fmt: skip


def test_wrong_score_gives_chain_and_flow_different_variances():
    """With score -c x for N(0, 1) data the two disagree, each in closed form: two distributions.

    Backwards over a time T under dx = -x/2 dt + dW, the flow multiplies the variance by
    exp((1 - c) T), the reverse SDE moves it towards 1 / (2 c - 1) at the rate 2 c - 1.
    """
    c, T = 1.3, 3.0
    ts = torch.linspace(0, T, 61)
    model = ProbabilityFlow(lambda x, t: -c * x, UNIT, NormalPrior.standard((1,)), ts, (1,))
    x = torch.tensor([[0.7]])
    variance = math.exp((1 - c) * T)
    expected = torch.distributions.Normal(0.0, math.sqrt(variance)).log_prob(x)[:, 0]
    assert_close(model.log_prob(x), expected, rtol=0, atol=1e-6)
    rate = 2 * c - 1
    chain = 1 / rate + (1 - 1 / rate) * math.exp(-rate * T)
    g = torch.Generator().manual_seed(0)
    start = torch.randn(20_000, 1, generator=g)
    down = torch.linspace(T, 0, 301)
    sampled = last(reverse_sde_sample(UNIT, model.score, start, down, generator=g)).var().item()
    assert abs(sampled - chain) < 5 * chain * math.sqrt(2 / 20_000) + 0.01  # Euler: step of 0.01
    assert abs(chain - variance) > 0.1


def test_solver_errors_of_the_model_shrink_on_refinement(generator):
    data, sde = mixture(), VP()
    x = data.sample(4, generator=generator)
    values = [
        ProbabilityFlow(
            exact_score(data, sde), sde, law_at_end(data, sde), torch.linspace(0, 1, n), (2,)
        ).log_prob(x)
        for n in (11, 21, 41)
    ]
    gaps = [(v - data.log_prob(x)).abs().max().item() for v in values]
    assert all(b < a for a, b in pairwise(gaps))


def test_impossible_requests_are_refused():
    falling = torch.linspace(1, 0, 3)
    with pytest.raises(ValueError, match="rising times, data first"):
        ode_log_prob(lambda x, t: x, torch.zeros(1, 1), falling, prior_log_prob=std_normal_log_prob)
    model = ProbabilityFlow(
        lambda x, t: -x, VP(), NormalPrior.standard((1,)), falling.flip(0), (1,)
    )
    with pytest.raises(ValueError, match="unconditional"):
        model.sample(1, cond=torch.zeros(1))
