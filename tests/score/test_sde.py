"""Noising paths: worked numbers, the equation derived from the path, and the limits of each."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from mixtures import assert_alike, assert_moments, mixture
from torch.testing import assert_close

from genlab.core import last, std_normal_log_prob
from genlab.oracles import Gaussian
from genlab.score.exact import exact_score
from genlab.score.sde import (
    VE,
    VP,
    NormalPrior,
    ProbabilityFlow,
    Straight,
    SubVP,
    ode_log_prob,
    predictor_corrector_sample,
    probability_flow,
    probability_flow_sample,
    reverse_drift,
    reverse_sde_sample,
    score_from_eps_model,
    snr_step_size,
)
from genlab.solvers import euler, heun, langevin, rk4

PATHS = [VP(), VP(1.0, 1.0), SubVP(), SubVP(0.5, 3.0), VE(), VE(0.1, 5.0), Straight()]
times = st.floats(0.01, 0.98)


def derivative(scale, t):
    t = torch.tensor(t, requires_grad=True)
    value = scale(t)
    return torch.autograd.grad(value, t)[0] if value.requires_grad else torch.zeros(())


@pytest.mark.parametrize("path", PATHS, ids=repr)
@given(t=times)
def test_rate_and_diffusion_are_those_of_the_path(path, t):
    """d log alpha / dt = a and d sigma^2 / dt = 2 a sigma^2 + g^2, the left sides by autograd."""
    slope = derivative(lambda t: path.alpha(t).log(), t)
    growth, t = derivative(lambda t: path.sigma(t) ** 2, t), torch.tensor(t)
    torch.testing.assert_close(path.rate(t), slope)
    budget = 2 * path.rate(t) * path.sigma(t) ** 2 + path.diffusion(t) ** 2
    torch.testing.assert_close(growth, budget)


def test_variance_is_preserved_by_vp_and_undercut_by_sub_vp():
    t = torch.linspace(0, 1, 50)
    torch.testing.assert_close(VP().alpha(t) ** 2 + VP().sigma(t) ** 2, torch.ones(50))
    torch.testing.assert_close(SubVP().sigma(t), VP().sigma(t) ** 2)
    assert bool((SubVP().diffusion(t) <= VP().diffusion(t)).all())


def test_small_times_keep_their_digits():
    """sqrt(1 - exp(-t)) loses half of them at t = 1e-12; the series is sqrt(t) (1 - t / 4)."""
    t = torch.tensor(1e-12)
    torch.testing.assert_close(VP(1.0, 1.0).sigma(t), t.sqrt(), rtol=1e-11, atol=0)
    torch.testing.assert_close(SubVP(1.0, 1.0).sigma(t), t, rtol=1e-11, atol=0)
    ve = VE(0.1, 10.0)
    expected = 0.1 * (2 * math.log(100) * t).sqrt()
    torch.testing.assert_close(ve.sigma(t), expected, rtol=1e-10, atol=0)


UNIT = VP(1.0, 1.0)  # the equation of the course's worked numbers: dx = -x/2 dt + dW
SDES = [VP(), SubVP(), VE(0.1, 10.0)]


def at(t, n=1):
    return torch.full((n,), t)


def test_worked_step_of_the_course():
    score = score_from_eps_model(lambda x, t: torch.full_like(x, 0.8), UNIT.sigma)
    x, t = torch.tensor([[1.2]]), at(0.5)
    assert abs(score(x, t).item() + 1.2753651) < 6e-8
    velocity = probability_flow(UNIT, score, x, t).item()
    assert abs(velocity - 0.0376826) < 6e-8  # often printed as 0.035
    (_, after) = probability_flow_sample(UNIT, score, x, torch.tensor([0.5, 0.45]), method=euler)
    assert abs(after.item() - 1.1981159) < 6e-8


def test_a_noise_predictor_is_a_score_at_each_rows_own_time():
    x, t = torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([0.5, 2.0])
    score = score_from_eps_model(lambda x, t: x * t[:, None], lambda t: 4 * t)
    torch.testing.assert_close(score(x, t), -x / 4)


@pytest.mark.parametrize("sde", [*SDES, Straight()], ids=repr)
@given(t=st.floats(0.1, 0.9))
def test_flow_is_the_mean_velocity_of_the_paths_through_a_point(sde, t):
    """E[alpha' x0 + sigma' eps | x_t]: derivatives by autograd, the mean by the denoiser."""
    d_alpha, d_sigma = derivative(sde.alpha, t), derivative(sde.sigma, t)
    x, data, t = torch.randn(5, 2, generator=seeded()), mixture(), torch.tensor(t)
    alpha, sigma = sde.alpha(t), sde.sigma(t)
    x0_hat = data.denoiser(x, alpha, sigma)
    expected = d_alpha * x0_hat + d_sigma * (x - alpha * x0_hat) / sigma
    found = probability_flow(sde, exact_score(data, sde), x, t.expand(5))
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("noise", [0.0, 0.5, 1.0, 1.5])
@pytest.mark.parametrize("sde", SDES, ids=repr)
def test_variance_of_gaussian_data_is_recovered_with_first_order(sde, noise):
    """The sampler is affine in x: its variance is followed exactly, without any sampling."""
    s2 = 0.25
    variance_at = lambda t: sde.alpha(t) ** 2 * s2 + sde.sigma(t) ** 2
    score = lambda x, t: -x / variance_at(t)[:, None]

    def final_variance(n):
        ts = grid(n)
        slopes = reverse_drift(sde, score, torch.ones(n, 1), ts[:-1], noise=noise)[:, 0]
        factors = (1 + ts.diff() * slopes) ** 2
        fresh = -ts.diff() * (noise * sde.diffusion(ts[:-1])) ** 2
        variance = float(variance_at(ts[0]))
        for factor, more in zip(factors.tolist(), fresh.tolist(), strict=True):
            variance = factor * variance + more
        return variance

    errors = [abs(final_variance(n) - s2) for n in (800, 1600)]
    assert errors[-1] < 0.02
    assert math.log2(errors[0] / errors[1]) == pytest.approx(1.0, abs=0.15)


@pytest.mark.parametrize(("method", "order"), [(euler, 1), (heun, 2), (rk4, 4)])
def test_flow_of_a_gaussian_is_reached_with_the_order_of_the_solver(method, order):
    """The exact flow of N(m, s^2) carries quantiles: mean_T + sd_T z goes to m + s z."""
    m, s = 0.7, 0.5
    data = Gaussian(torch.tensor([m]), torch.tensor([[s * s]]))
    sde, z = VP(0.5, 3.0), torch.tensor([[-1.5], [0.0], [2.0]])
    one = torch.tensor(1.0)
    sd_T = (sde.alpha(one) ** 2 * s * s + sde.sigma(one) ** 2).sqrt()
    x_T = sde.alpha(one) * m + sd_T * z

    def error(n):
        ts = torch.linspace(1, 0, n + 1)
        x = last(probability_flow_sample(sde, exact_score(data, sde), x_T, ts, method=method))
        return (x - (m + s * z)).abs().max().item()

    coarse, fine = error(30), error(60)
    assert math.log2(coarse / fine) == pytest.approx(order, abs=0.15)


def noised_at(data, sde, t=1.0):
    t = torch.tensor(t)
    return data.noised(float(sde.alpha(t)), float(sde.sigma(t)))


def grid(n):
    """Falling times, closer together where the noise is low."""
    return torch.linspace(1, 0, n + 1) ** 2


def flow(sde, score, x_T, generator):
    return probability_flow_sample(sde, score, x_T, grid(250))


def reverse(sde, score, x_T, generator):
    return reverse_sde_sample(sde, score, x_T, grid(250), generator=generator)


def corrected(sde, score, x_T, generator):
    return predictor_corrector_sample(sde, score, x_T, grid(150), generator=generator)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sampler", "sde"),
    [*((sampler, sde) for sampler in (flow, reverse) for sde in SDES), (corrected, VP())],
)
def test_a_mixture_is_recovered(sampler, sde, generator):
    data, n = mixture(), 2000
    x_T = noised_at(data, sde).sample(n, generator=generator)
    x = last(sampler(sde, exact_score(data, sde), x_T, generator))
    assert_moments(x, data, bias=(0.02, 0.03))  # Euler-Maruyama: about one step in 300
    assert_alike(x, data, generator)


@pytest.mark.parametrize("noise", [0.0, 0.6, 1.0])
def test_marginals_agree_on_the_way(noise, generator):
    data, sde, n = mixture(), VP(), 2000
    ts = torch.linspace(1, 0.3, 101)
    x = last(
        reverse_sde_sample(
            sde, exact_score(data, sde), noised_at(data, sde).sample(n, generator=generator), ts,
            noise=noise, generator=generator,
        )
    )  # fmt: skip
    assert_moments(x, noised_at(data, sde, 0.3), bias=(0.01, 0.02))


def test_noised_prior_has_the_moments_of_noised_data_and_draws_them(generator):
    x0 = 2 + 3 * torch.rand(20_000, 2, generator=generator)
    alpha, sigma = torch.tensor(0.6), torch.tensor(0.8)
    prior = NormalPrior.of_noised(x0, alpha, sigma)
    noised = alpha * x0 + sigma * torch.randn(x0.shape, generator=generator)
    error = prior.std / math.sqrt(len(x0))  # of a mean, and about that of a standard deviation
    for x in (noised, prior.sample(20_000, generator=generator)):
        assert bool(((x.mean(0) - prior.mean).abs() < 5 * error).all())
        assert bool(((x.std(0) - prior.std).abs() < 5 * error).all())


def flow_of(data, sde):
    score = exact_score(data, sde)
    return lambda x, t: probability_flow(sde, score, x, t)


def log_prob(data, sde, x, n, prior_log_prob, **options):
    ts = torch.linspace(0, 1, n + 1)
    return ode_log_prob(flow_of(data, sde), x, ts, prior_log_prob=prior_log_prob, **options)


@pytest.mark.parametrize("sde", [VP(), SubVP(), VE(0.1, 10.0)], ids=repr)
def test_density_of_a_mixture_is_recovered_to_a_millionth(sde, generator):
    data = mixture()
    x = data.sample(16, generator=generator)
    ours = log_prob(data, sde, x, 160, noised_at(data, sde).log_prob)
    assert_close(ours, data.log_prob(x), rtol=0, atol=1e-6)


def test_a_standard_normal_prior_leaves_a_gap_that_finer_steps_do_not_remove(generator):
    data, sde = mixture(), VP()
    x = data.sample(16, generator=generator)
    gaps = [
        (log_prob(data, sde, x, n, std_normal_log_prob) - data.log_prob(x)).abs().max().item()
        for n in (40, 80)
    ]
    assert 1e-3 < gaps[1] < 3e-2
    assert gaps[0] == pytest.approx(gaps[1], rel=0.05)


def test_model_has_an_exact_likelihood_and_samples_it(generator):
    cov = torch.tensor([[0.3, 0.1], [0.1, 0.2]])  # not diagonal: one probe would not do
    data, sde = Gaussian(torch.tensor([1.0, -1.0]), cov), VP()
    model = ProbabilityFlow(
        exact_score(data, sde), sde, noised_at(data, sde), torch.linspace(0, 1, 81) ** 2, (2,)
    )
    x = model.sample(2000, generator=generator)
    spread = data.cov.diagonal().sqrt()
    assert bool(((x.mean(0) - data.mean).abs() < 5 * spread / math.sqrt(2000)).all())
    assert_close(model.log_prob(x[:9]), data.log_prob(x[:9]), rtol=0, atol=1e-4)


def seeded(seed=3):
    return torch.Generator().manual_seed(seed)


def test_push_is_the_stated_fraction_of_the_noise(generator):
    score, z = 30 * torch.randn(2, 50, 4, 2, generator=generator)
    eta = snr_step_size(score, z, snr=0.3)
    push = (eta * score).flatten(1).norm(dim=1).mean()
    noise = (math.sqrt(2 * eta) * z).flatten(1).norm(dim=1).mean()
    assert float(push / noise) == pytest.approx(0.3)


def test_without_corrector_it_is_the_reverse_equation():
    score = exact_score(Gaussian(torch.ones(2), 0.3 * torch.eye(2)), VP())
    x_T, ts = torch.randn(5, 2), torch.linspace(1, 0, 7)
    ours = predictor_corrector_sample(VP(), score, x_T, ts, n_corrector=0, generator=seeded())
    plain = reverse_sde_sample(VP(), score, x_T, ts, generator=seeded())
    for a, b in zip(ours, plain, strict=True):
        torch.testing.assert_close(a, b)


def test_without_predictor_it_is_langevin_on_a_ladder_of_levels():
    """Annealed Langevin written with the plain solver, level by level, on the same noise."""
    data, sde = Gaussian(torch.ones(2), 0.3 * torch.eye(2)), VE(0.1, 5.0)
    score, x, ts = exact_score(data, sde), torch.randn(5, 2), torch.tensor([1.0, 0.6, 0.2, 0.05])
    rule = lambda t, s, z: 0.2 * float(sde.sigma(t)) ** 2
    ours = predictor_corrector_sample(
        sde, score, x, ts, n_corrector=3, step_size=rule, predict=False, generator=seeded()
    )
    generator, expected = seeded(), [x]
    for t in ts[1:]:
        noised = data.noised(1.0, float(sde.sigma(t)))
        eta = 0.2 * float(sde.sigma(t)) ** 2
        chain = langevin(noised.score, expected[-1], step_size=eta, n_steps=3, generator=generator)
        expected.append(last(chain))
    for a, b in zip(ours, expected, strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize(
    "sampler", [reverse_sde_sample, probability_flow_sample, predictor_corrector_sample]
)
def test_samples_carry_no_gradient(sampler):
    weight = torch.ones((), requires_grad=True)
    x, ts = torch.zeros(2, 1), torch.linspace(1, 0, 4)
    rule = {"step_size": lambda t, s, z: 0.1} if sampler is predictor_corrector_sample else {}
    assert not last(sampler(VP(), lambda x, t: -weight * x, x, ts, **rule)).requires_grad


ZERO, FALLING = torch.zeros(2, 1), torch.linspace(1, 0, 3)
SELF = lambda x, t: x


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: reverse_drift(VP(), SELF, ZERO, ZERO[:, 0], noise=-1.0), "noise is -1"),
        (lambda: snr_step_size(ZERO, ZERO, snr=0.0), "snr is 0"),
        (
            lambda: last(predictor_corrector_sample(VP(), SELF, ZERO, FALLING, n_corrector=-1)),
            "n_corrector is -1",
        ),
        (
            lambda: ode_log_prob(SELF, ZERO, FALLING, prior_log_prob=std_normal_log_prob),
            "rising times",
        ),
    ],
)
def test_impossible_requests_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_prior_with_the_moments_of_the_noised_data_closes_the_gap(generator):
    data, sde, one = mixture(), VP(), torch.tensor(1.0)
    x = data.sample(16, generator=generator)
    prior = NormalPrior.of_noised(
        data.sample(200_000, generator=generator), sde.alpha(one), sde.sigma(one)
    )
    gap = (log_prob(data, sde, x, 80, prior.log_prob) - data.log_prob(x)).abs().max().item()
    # what is left: alpha^2 = 4e-5 times the correlation, and the mean's Monte Carlo error
    assert gap < 1e-4


@given(t=st.floats(0.05, 1.0), seed=st.integers(0, 10**6))
def test_without_noise_the_reverse_drift_is_the_flow(t, seed):
    x = torch.randn(3, 2, generator=torch.Generator().manual_seed(seed))
    score = exact_score(mixture(), VP())
    torch.testing.assert_close(
        reverse_drift(VP(), score, x, at(t, 3), noise=0.0),
        probability_flow(VP(), score, x, at(t, 3)),
    )


def test_worked_numbers_of_the_course():
    """dx = -x/2 dt + dW: signal exp(-t/2), and the score of the sample that left with eps."""
    path = VP(1.0, 1.0)
    t = torch.tensor([0.25, 0.5, 0.75])
    sigma = path.sigma(t)
    printed = torch.tensor([0.4703182, 0.6272713, 0.7263838])
    torch.testing.assert_close(sigma, printed, rtol=0, atol=6e-8)  # the printed digits
    assert abs(path.alpha(t[1]).item() - 0.7788008) < 6e-8
    assert abs(sigma[1].item() ** 2 - 0.3934693) < 6e-8
    scores = torch.tensor([-1.2757320, -0.9565238, -0.8260096])
    torch.testing.assert_close(-0.6 / sigma, scores, rtol=0, atol=2e-7)


def test_the_standard_prior_has_mean_zero_and_unit_deviation():
    prior = NormalPrior.standard((2, 3))
    assert torch.equal(prior.mean, torch.zeros(2, 3))
    assert torch.equal(prior.std, torch.ones(2, 3))


def test_a_prior_shifts_and_stretches_the_noise_that_the_standard_one_draws():
    noise = NormalPrior.standard((2,)).sample(3, generator=seeded())
    assert torch.equal(noise, torch.randn(3, 2, generator=seeded()))
    prior = NormalPrior(torch.tensor([1.0, -2.0]), torch.tensor([0.5, 3.0]))
    expected = torch.stack([1 + 0.5 * noise[:, 0], 3 * noise[:, 1] - 2], 1)
    torch.testing.assert_close(prior.sample(3, generator=seeded()), expected)


def test_by_default_the_paths_are_those_of_the_paper():
    ends = torch.tensor([0.0, 1.0])
    torch.testing.assert_close(VP().beta(ends), torch.tensor([0.1, 20.0]))
    torch.testing.assert_close(VP().noise_so_far(ends), torch.tensor([0.0, (0.1 + 20) / 2]))
    ratio = 50 / 0.01
    torch.testing.assert_close(VE().sigma(ends), torch.tensor([0.0, 0.01 * (ratio**2 - 1) ** 0.5]))


def test_by_default_the_samplers_reverse_with_full_noise_and_correct_once_at_snr_0_16():
    score = exact_score(Gaussian(torch.ones(2), 0.3 * torch.eye(2)), VP())
    x, ts = torch.randn(5, 2), torch.linspace(1, 0.2, 4)
    drift = reverse_drift(VP(), score, x, at(0.5, 5))
    torch.testing.assert_close(drift, reverse_drift(VP(), score, x, at(0.5, 5), noise=1.0))
    assert not torch.allclose(drift, reverse_drift(VP(), score, x, at(0.5, 5), noise=0.9))
    push = lambda snr: {"step_size": lambda t, s, z: snr_step_size(s, z, snr=snr)}
    for sampler, told, other in (
        (reverse_sde_sample, {"noise": 1.0}, {"noise": 0.9}),
        (predictor_corrector_sample, {"n_corrector": 1}, {"n_corrector": 2}),
        (predictor_corrector_sample, push(0.16), push(0.17)),
    ):
        ours, same, another = (
            last(sampler(VP(), score, x, ts, generator=seeded(), **more))
            for more in ({}, told, other)
        )
        torch.testing.assert_close(ours, same)
        assert not torch.allclose(ours, another)
    ours = last(probability_flow_sample(VP(), score, x, ts))
    torch.testing.assert_close(ours, last(probability_flow_sample(VP(), score, x, ts, method=heun)))
    one_slope = last(probability_flow_sample(VP(), score, x, ts, method=euler))
    assert not torch.allclose(ours, one_slope)


def test_probes_are_the_same_at_each_call_and_exact_where_coordinates_do_not_mix():
    """Signs of +-1 find the trace of a diagonal Jacobian without error, of another on average."""
    sde, ts, x = VP(), torch.linspace(0, 1, 7) ** 2, torch.randn(3, 2)
    for mixing, exact in ((0.0, True), (0.1, False)):
        data = Gaussian(torch.ones(2), torch.tensor([[0.3, mixing], [mixing, 0.2]]))
        found = [
            ProbabilityFlow(exact_score(data, sde), sde, noised_at(data, sde), ts, (2,), n).log_prob
            for n in (0, 1)
        ]
        once = found[1](x)
        assert torch.equal(once, found[1](x))
        assert torch.allclose(once, found[0](x), rtol=0, atol=1e-8) == exact
