"""Schedules: the course's worked numbers, limits and order."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from torch.distributions import Normal, kl_divergence

from genlab.core import HasElbo, Sampleable, Trainable, last, likelihood_kind
from genlab.oracles import GaussianMixture
from genlab.score import (
    DDPM,
    Bins,
    add_noise,
    alphas_bar_from_betas,
    bin_log_prob,
    cosine_betas,
    ddpm_loss,
    ddpm_sample,
    ddpm_step,
    ddpm_vlb,
    ddpm_vlb_term,
    ddpm_vlb_terms,
    eps_from_score,
    eps_from_v,
    eps_from_x0,
    linear_betas,
    linear_rate_betas,
    log_snr,
    noise_errors,
    noising_chain,
    noising_step,
    optimal_variances,
    posterior_mean,
    posterior_variances,
    score_from_eps,
    v_from_eps,
    x0_from_eps,
    x0_from_v,
)
from genlab.train import fit, minibatches

TABLE = [  # beta, t, (alpha bar, signal, noise)
    (0.1, 1, (0.9, 0.9486833, 0.3162278)),
    (0.1, 5, (0.59049, 0.7684335, 0.6399297)),
    (0.1, 10, (0.3486784, 0.5904900, 0.8070450)),
    (0.01, 1, (0.99, 0.9949874, 0.1)),
    (0.01, 5, (0.9509900, 0.9751872, 0.2213819)),
    (0.01, 10, (0.9043821, 0.9509900, 0.3092215)),
]


@pytest.mark.parametrize(("beta", "t", "expected"), TABLE)
def test_worked_schedules_of_the_course(beta, t, expected):
    a = alphas_bar_from_betas(torch.full((10,), beta))[t - 1]
    triple = torch.stack([a, a.sqrt(), (1 - a).sqrt()])
    torch.testing.assert_close(triple, torch.tensor(expected), rtol=0, atol=1e-7)  # printed digits


def test_usual_linear_schedule_ends_in_almost_pure_noise():
    a = alphas_bar_from_betas(linear_betas(1000))[-1].item()
    assert abs(a - 4.0358e-5) < 1e-9
    assert abs(math.sqrt(a) - 0.00635282) < 1e-8


def test_linear_schedule_has_its_two_ends_and_even_steps():
    betas = linear_betas(5, first=0.1, last=0.5)
    torch.testing.assert_close(betas, torch.tensor([0.1, 0.2, 0.3, 0.4, 0.5]))


def test_linear_rate_schedule_is_the_linear_one_when_there_are_many_steps():
    a, b = (alphas_bar_from_betas(f) for f in (linear_rate_betas(1000), linear_betas(1000)))
    # Each beta differs by beta^2 / 2, which adds up to 0.07 in log alpha bar at the end.
    assert (a.log() - b.log()).abs().max() < 0.08
    assert (a - b).abs().max() < 1e-3


@pytest.mark.parametrize("n_steps", [1, 7, 100])
def test_linear_rate_schedule_has_the_area_under_the_rate_as_its_exponent(n_steps):
    u = torch.linspace(0, 1, 100 * n_steps + 1)
    area = torch.cumulative_trapezoid(0.3 + 11.7 * u, u)[99::100]  # exact for a straight line
    bar = alphas_bar_from_betas(linear_rate_betas(n_steps, first=0.3, last=12.0))
    torch.testing.assert_close(-bar.log(), area)


def test_half_as_many_linear_rate_steps_visit_every_second_level():
    fine, coarse = (alphas_bar_from_betas(linear_rate_betas(n)) for n in (40, 20))
    torch.testing.assert_close(fine[1::2], coarse)


def test_cosine_schedule_leaves_half_of_the_signal_half_way():
    a = alphas_bar_from_betas(cosine_betas(1000, offset=0.0))
    # cos^2(pi / 4) = 1/2 at t = T/2, whose index is T/2 - 1.
    assert abs(a[499].item() - 0.5) < 1e-9


def test_cosine_schedule_is_cut_at_its_largest_variance():
    assert cosine_betas(10, largest=0.7).max().item() == 0.7


@pytest.mark.parametrize("betas", [linear_betas(50), cosine_betas(50)], ids=["linear", "cosine"])
def test_signal_and_log_snr_fall_at_every_step(betas):
    a = alphas_bar_from_betas(betas)
    assert (a.diff() < 0).all()
    assert (log_snr(a).diff() < 0).all()


def test_log_snr_is_the_logit_of_the_signal_share():
    a = torch.tensor([0.9, 0.5, 1e-12])
    torch.testing.assert_close(log_snr(a), torch.logit(a))


def test_posterior_variance_follows_from_gaussian_conditioning():
    # Joint law of (x_s, x_t) given x0 = 0, and the textbook conditional variance.
    betas = torch.tensor([0.1, 0.25, 0.4])
    a = alphas_bar_from_betas(betas)
    for t in (1, 2):
        var_s, cov = 1 - a[t - 1], (1 - betas[t]).sqrt() * (1 - a[t - 1])
        expected = var_s - cov**2 / (1 - a[t])
        torch.testing.assert_close(posterior_variances(betas)[t], expected)


def test_posterior_variance_vanishes_at_the_last_step_and_never_exceeds_beta():
    betas = linear_betas(20)
    v = posterior_variances(betas)
    assert v[0].item() == 0
    assert (v <= betas).all()


def test_impossible_schedules_are_refused():
    with pytest.raises(ValueError, match="n_steps must be at least 2, got 1"):
        linear_betas(1)
    with pytest.raises(ValueError, match="n_steps must be at least 2, got 0"):
        cosine_betas(0)
    with pytest.raises(ValueError, match=r"first=0\.5, last=0\.1"):
        linear_betas(3, first=0.5, last=0.1)
    with pytest.raises(ValueError, match="n_steps must be at least 1, got 0"):
        linear_rate_betas(0)
    with pytest.raises(ValueError, match=r"first=0, last=20"):
        linear_rate_betas(5, first=0)
    with pytest.raises(ValueError, match="betas must lie in"):
        alphas_bar_from_betas(torch.tensor([0.1, 1.0]))


angles = st.floats(0.01, 1.5)  # alpha = cos, sigma = sin: the variance-preserving path


def state(angle: float, seed: int):
    g = torch.Generator().manual_seed(seed)
    x0, eps = torch.randn(4, 3, 2, generator=g), torch.randn(4, 3, 2, generator=g)
    a = torch.full((4,), angle, dtype=torch.float64)
    return x0.double(), eps.double(), a.cos(), a.sin()


@settings(deadline=None, max_examples=30)
@given(angles, st.integers(0, 10**6))
def test_every_target_gives_the_others_back(angle, seed):
    x0, eps, alpha, sigma = state(angle, seed)
    x_t = add_noise(x0, alpha, sigma, eps)
    v = v_from_eps(x_t, eps, alpha, sigma)
    # Rounding is amplified by 1 / alpha and 1 / sigma, at most about 100.
    close = {"rtol": 1e-9, "atol": 1e-9}
    torch.testing.assert_close(x0_from_eps(x_t, eps, alpha, sigma), x0, **close)
    torch.testing.assert_close(eps_from_x0(x_t, x0, alpha, sigma), eps, **close)
    torch.testing.assert_close(eps_from_v(x_t, v, alpha, sigma), eps, **close)
    torch.testing.assert_close(x0_from_v(x_t, v, alpha, sigma), x0, **close)
    torch.testing.assert_close(eps_from_score(score_from_eps(eps, sigma), sigma), eps, **close)


def test_v_is_the_path_turned_by_a_quarter():
    x0, eps, alpha, sigma = state(0.7, 1)
    x_t = add_noise(x0, alpha, sigma, eps)
    step = 1e-6
    ahead = add_noise(x0, (torch.tensor(0.7 + step)).cos(), torch.tensor(0.7 + step).sin(), eps)
    # v is the derivative of x_t in the angle; the error of a forward difference is of order step.
    torch.testing.assert_close(
        v_from_eps(x_t, eps, alpha, sigma), (ahead - x_t) / step, rtol=0, atol=1e-5
    )


def test_worked_number_of_the_course():
    x_t = add_noise(
        torch.tensor([[2.0]]),
        torch.tensor(0.9**5).sqrt(),
        torch.tensor(1 - 0.9**5).sqrt(),
        torch.tensor([[0.3]]),
    )
    assert abs(x_t.item() - 1.7288458) < 1e-7


def test_score_of_a_noised_gaussian_is_the_expected_noise_over_sigma():
    # x0 ~ N(m, s^2): E[eps | x_t] is linear, and log p_t is known; autograd gives its slope.
    m, s, alpha, sigma = 0.7, 0.5, torch.tensor(0.8), torch.tensor(0.6)
    x_t = torch.linspace(-2, 2, 9)[:, None].requires_grad_()
    variance = (alpha * s) ** 2 + sigma**2
    law = torch.distributions.Normal(alpha * m, variance.sqrt())
    (slope,) = torch.autograd.grad(law.log_prob(x_t).sum(), x_t)
    expected_eps = sigma * (x_t.detach() - alpha * m) / variance
    torch.testing.assert_close(score_from_eps(expected_eps, sigma), slope)


def test_noise_levels_belong_to_examples():
    x_t = add_noise(torch.ones(2, 3), torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0]),
                    5 * torch.ones(2, 3))  # fmt: skip
    torch.testing.assert_close(x_t, torch.tensor([[1.0] * 3, [5.0] * 3]))


BETAS = torch.linspace(0.01, 0.4, 12, dtype=torch.float64)
BAR = alphas_bar_from_betas(BETAS)
BEFORE = torch.cat([torch.ones(1, dtype=torch.float64), BAR[:-1]])


def joint(betas):
    """Map of (x0, z_1, ..., z_T) to (x_0, ..., x_T), by running the chain on unit vectors."""
    n = len(betas)
    states = [torch.eye(n + 1)[0]]
    for k, beta in enumerate(betas):
        fresh = torch.eye(n + 1)[k + 1]
        states.append((1 - beta).sqrt() * states[-1] + beta.sqrt() * fresh)
    return torch.stack(states)


def test_running_the_chain_agrees_with_the_shortcut(generator):
    n = 40_000
    x0 = torch.tensor([[-1.0, 2.0]]).expand(n, 2)
    for k, x in enumerate(noising_chain(x0, BETAS, generator=generator)):
        sd = math.sqrt(1 - BAR[k])
        # Monte Carlo: five standard errors of the mean and of the variance of normal draws.
        assert (x.mean(0) - BAR[k].sqrt() * x0[0]).abs().max() < 5 * sd / math.sqrt(n)
        assert (x.var(0) - sd**2).abs().max() < 5 * sd**2 * math.sqrt(2 / n)
    standard = (x - BAR[-1].sqrt() * x0) / sd
    assert stats.kstest(standard[:, 0].numpy(), "norm").pvalue > 1e-4
    assert abs(torch.corrcoef(standard.T)[0, 1]) < 5 / math.sqrt(n)


def test_the_chain_is_the_shortcut_exactly_when_the_noise_is_added_up():
    a = joint(BETAS)
    torch.testing.assert_close(a[1:, 0], BAR.sqrt())
    torch.testing.assert_close((a[1:, 1:] ** 2).sum(1), 1 - BAR)


def test_data_of_variance_one_keep_it(generator):
    n = 100_000
    x = torch.randn(n, 1, generator=generator)
    for beta in (0.05, 0.5, 0.95):
        z = torch.randn(n, 1, generator=generator)
        var = noising_step(x, z, torch.tensor(beta)).var().item()
        assert abs(var - 1) < 5 * math.sqrt(2 / n)  # Monte Carlo


def test_fresh_noise_enters_once_and_is_normal(generator):
    # A coefficient that is itself random would keep the variance and raise the fourth moment.
    n = 200_000
    z = torch.randn(n, 1, generator=generator)
    x = noising_step(torch.zeros(n, 1), z, torch.tensor(0.3))
    torch.testing.assert_close(x, math.sqrt(0.3) * z)
    kurtosis = (x**4).mean() / (x**2).mean() ** 2
    assert abs(kurtosis.item() - 3) < 5 * math.sqrt(24 / n)  # Monte Carlo


@given(st.integers(1, 11), st.floats(-3, 3), st.floats(-3, 3))
def test_one_step_back_is_the_conditional_of_the_joint_normal_law(t, x0, x_t):
    # Given x_0, the states x_{t-1} and x_t are jointly normal; condition by the general formula.
    a = joint(BETAS)
    fixed, free = a[:, 0], a[:, 1:]
    cov = free @ free.T
    s, now = t, t + 1  # rows of x_{t-1} and x_t in the joint law, with x_0 in row 0
    gain = cov[s, now] / cov[now, now]
    mean = fixed[s] * x0 + gain * (x_t - fixed[now] * x0)
    variance = cov[s, s] - gain * cov[now, s]
    got = posterior_mean(
        torch.tensor([[x0]]), torch.tensor([[x_t]]), beta=BETAS[t], alpha_bar=BAR[t],
        alpha_bar_before=BEFORE[t],
    )  # fmt: skip
    torch.testing.assert_close(got, mean.reshape(1, 1))
    torch.testing.assert_close(posterior_variances(BETAS)[t], variance)


def test_the_first_step_back_returns_the_example(generator):
    x0, x1 = torch.randn(2, 4, 3, generator=generator)
    got = posterior_mean(
        x0, x1, beta=BETAS[0], alpha_bar=BAR[0], alpha_bar_before=torch.tensor(1.0)
    )
    torch.testing.assert_close(got, x0)


def test_posterior_mean_is_the_ancestral_step_with_the_true_noise(generator):
    x0, eps = torch.randn(2, 4, 3, generator=generator)
    for t in (0, 3, 11):
        x_t = BAR[t].sqrt() * x0 + (1 - BAR[t]).sqrt() * eps
        step = ddpm_step(
            x_t, eps, 0 * eps, beta=BETAS[t], alpha_bar=BAR[t], variance=torch.tensor(1.0)
        )
        got = posterior_mean(x0, x_t, beta=BETAS[t], alpha_bar=BAR[t], alpha_bar_before=BEFORE[t])
        torch.testing.assert_close(got, step)


def test_examples_may_stand_at_different_steps(generator):
    x0, x_t = torch.randn(2, 3, 2, generator=generator)
    t = torch.tensor([2, 7, 11])
    together = posterior_mean(x0, x_t, beta=BETAS[t], alpha_bar=BAR[t], alpha_bar_before=BEFORE[t])
    for k, i in enumerate(t):
        alone = posterior_mean(
            x0[k : k + 1], x_t[k : k + 1], beta=BETAS[i], alpha_bar=BAR[i],
            alpha_bar_before=BEFORE[i],
        )  # fmt: skip
        torch.testing.assert_close(together[k : k + 1], alone)


@pytest.mark.parametrize("seed", [0, 1])
def test_the_chain_belongs_to_its_seed(seed):
    runs = [
        last(noising_chain(torch.ones(2, 2), BETAS, generator=torch.Generator().manual_seed(s)))
        for s in (seed, seed, seed + 1)
    ]
    torch.testing.assert_close(runs[0], runs[1], rtol=0, atol=0)
    assert not torch.allclose(runs[0], runs[2])


GREY = Bins(1 / 8, -1.0, 1.0)
PLACES = torch.linspace(-1, 1, 17, dtype=torch.float64)[:, None]


@given(st.floats(-3, 3), st.floats(0.01, 3))
def test_probabilities_of_all_levels_add_up_to_one(mean, std):
    log_p = bin_log_prob(PLACES, torch.full((17, 1), mean), torch.tensor(std), GREY)
    assert abs(log_p.logsumexp(0).item()) < 1e-9  # rounding


def test_a_bin_is_the_integral_of_its_normal_law():
    mean, std = 0.23, 0.11
    grid = torch.linspace(0.25 - 1 / 16, 0.25 + 1 / 16, 2001)
    density = torch.exp(-0.5 * ((grid - mean) / std) ** 2) / (std * math.sqrt(2 * math.pi))
    expected = torch.trapezoid(density, grid).log()
    got = bin_log_prob(torch.tensor([[0.25]]), torch.tensor([[mean]]), torch.tensor(std), GREY)
    assert abs(got.item() - expected.item()) < 1e-6  # trapezoid on 2,000 cells


def test_the_ends_are_open():
    low, high = (
        bin_log_prob(torch.tensor([[end]]), torch.tensor([[5 * end]]), torch.tensor(0.1), GREY)
        for end in (-1.0, 1.0)
    )
    assert low.abs().item() < 1e-12
    assert high.abs().item() < 1e-12


@pytest.mark.parametrize("side", [-1.0, 1.0])
def test_a_hopeless_guess_is_punished_and_not_infinite(side):
    # The level lies 50 standard deviations away: Phi itself is 0 or 1 in double precision.
    x, mean = torch.tensor([[0.5 * side]]), torch.tensor([[-0.5 * side]])
    got = bin_log_prob(x, mean, torch.tensor(0.02), GREY).item()
    near = (1 - 1 / 16) / 0.02  # the nearer edge of the bin
    assert got == pytest.approx(stats.norm.logsf(near), rel=1e-9)


def test_gradients_are_finite_everywhere():
    mean = torch.linspace(-3, 3, 61)[:, None].requires_grad_(True)
    for place in (-1.0, 0.0, 1.0):
        x = torch.full_like(mean, place)
        (grad,) = torch.autograd.grad(bin_log_prob(x, mean, torch.tensor(0.05), GREY).sum(), mean)
        assert torch.isfinite(grad).all()


def test_dimensions_are_summed():
    x, mean, std = torch.zeros(1, 2, 3), torch.full((1, 2, 3), 0.1), torch.tensor(0.2)
    one = bin_log_prob(torch.zeros(1, 1), torch.full((1, 1), 0.1), std, GREY)
    torch.testing.assert_close(bin_log_prob(x, mean, std, GREY), 6 * one)


def test_impossible_scales_are_refused():
    x = torch.zeros(1, 1)
    with pytest.raises(ValueError, match="std and width must be positive"):
        bin_log_prob(x, x, torch.tensor(0.0), GREY)
    with pytest.raises(ValueError, match=r"got 1\.0 and 0"):
        bin_log_prob(x, x, torch.tensor(1.0), Bins(0.0, -1.0, 1.0))


S = 0.5  # standard deviation of the data


def tables(n_steps: int):
    betas = -torch.expm1(-torch.linspace(0.1, 15, n_steps, dtype=torch.float64) / n_steps)
    return betas, betas


def exact_eps(betas):
    bar = alphas_bar_from_betas(betas)

    def model(x, t):
        a = bar[t][:, None]
        return (1 - a).sqrt() * x / (a * S**2 + 1 - a)

    return model


def chain_variance(betas, variances):
    """Variance of x_0 under the model: every step is linear, so variances obey a recursion."""
    var = 1.0
    for t in range(len(betas) - 1, -1, -1):
        a, b = alphas_bar_from_betas(betas)[t].item(), betas[t].item()
        slope = (1 - b / (a * S**2 + 1 - a)) / math.sqrt(1 - b)
        var = slope**2 * var + variances[t].item()
    return var


def bound(n_steps, x, n_draws, generator, scale=1.0):
    betas, variances = tables(n_steps)
    model = exact_eps(betas)
    x = x.expand(n_draws, 1)
    eps = torch.randn(n_steps, n_draws, 1, generator=generator)
    return ddpm_vlb(lambda x, t: scale * model(x, t), x, eps, betas=betas, variances=variances)


@pytest.mark.parametrize("value", [0.0, 0.6, -1.2])
def test_bound_stays_below_the_exact_likelihood_of_the_chain_and_comes_close(value, generator):
    x, n_steps = torch.tensor([[value]]), 200
    values = bound(n_steps, x, 4000, generator)
    exact = Normal(0.0, math.sqrt(chain_variance(*tables(n_steps)))).log_prob(x).item()
    error = values.std().item() / math.sqrt(len(values))
    assert values.mean().item() < exact + 5 * error  # Monte Carlo
    assert values.mean().item() > exact - 0.05 - 5 * error  # gap of a 200-step chain


def test_more_steps_make_a_tighter_bound_on_average_over_the_data(generator):
    n = 20_000
    x = Normal(0.0, S).icdf((torch.arange(n)[:, None] + 0.5) / n)
    entropy = 0.5 * math.log(2 * math.pi * math.e * S**2)
    bounds = [bound(k, x, n, generator) for k in (5, 20, 80)]
    gaps = [-entropy - b.mean().item() for b in bounds]
    error = bounds[2].std().item() / math.sqrt(n)
    assert gaps[0] > gaps[1] > gaps[2] > -5 * error  # Monte Carlo


def test_a_worse_network_has_a_worse_bound(generator):
    x = torch.tensor([[0.6]])
    good, bad = (bound(50, x, 3000, generator, scale).mean() for scale in (1.0, 1.3))
    assert bad < good - 0.05


def test_a_term_is_the_divergence_between_two_gaussian_steps():
    betas, variances = tables(20)
    bar, model, t = alphas_bar_from_betas(betas), exact_eps(betas), 12
    x0, eps = torch.tensor([[0.8]]), torch.tensor([[-0.4]])
    x_t = bar[t].sqrt() * x0 + (1 - bar[t]).sqrt() * eps
    # Route 2: the two Gaussians themselves, Bayes' rule for q, the algorithm's mean for p.
    beta, a_t, a_s = betas[t], bar[t], bar[t - 1]
    precision = 1 / (1 - a_s) + (1 - beta) / beta
    mean_q = (a_s.sqrt() * x0 / (1 - a_s) + (1 - beta).sqrt() * x_t / beta) / precision
    q = Normal(mean_q, precision**-0.5)
    eps_hat = model(x_t, torch.tensor([t]))
    mean_p = (x_t - beta / (1 - a_t).sqrt() * eps_hat) / (1 - beta).sqrt()
    for v in (variances, posterior_variances(betas)):
        expected = kl_divergence(q, Normal(mean_p, v[t].sqrt()))[0]
        got = ddpm_vlb_term(model, x0, torch.tensor([t]), eps, betas=betas, variances=v)
        torch.testing.assert_close(got, expected)


def test_the_last_step_is_a_negative_log_density():
    betas, variances = tables(20)
    model = exact_eps(betas)
    x0, eps = torch.tensor([[0.8, 0.1]]), torch.tensor([[-0.4, 1.0]])
    x_1 = (1 - betas[0]).sqrt() * x0 + betas[0].sqrt() * eps
    mean = (x_1 - betas[0].sqrt() * model(x_1, torch.tensor([0]))) / (1 - betas[0]).sqrt()
    expected = -Normal(mean, variances[0].sqrt()).log_prob(x0).sum(1)
    got = ddpm_vlb_term(model, x0, torch.tensor([0]), eps, betas=betas, variances=variances)
    torch.testing.assert_close(got, expected)


def test_bound_adds_the_terms_and_the_prior(generator):
    betas, variances = tables(6)
    model, x0 = exact_eps(betas), torch.tensor([[0.8], [-0.3]])
    eps = torch.randn(6, 2, 1, generator=generator)
    a = alphas_bar_from_betas(betas)[-1]
    prior = kl_divergence(Normal(a.sqrt() * x0, (1 - a).sqrt()), Normal(0.0, 1.0)).sum(1)
    terms = [
        ddpm_vlb_term(model, x0, torch.full((2,), t), eps[t], betas=betas, variances=variances)
        for t in range(6)
    ]
    torch.testing.assert_close(
        ddpm_vlb(model, x0, eps, betas=betas, variances=variances), -prior - sum(terms)
    )


GREY_VLB = Bins(0.08, -2.0, 2.0)  # levels about as far apart as the noise of the last step is wide


@pytest.mark.parametrize("level", [-0.8, 0.0, 0.4])
def test_bound_on_a_grey_level_stays_below_its_exact_probability(level, generator):
    # Every step of the model is linear, so x_0 before cutting into bins is normal with a known
    # variance, and the probability of a level is the mass of its bin.
    n_steps, n = 200, 4000
    betas, variances = tables(n_steps)
    x = torch.full((n, 1), level)
    eps = torch.randn(n_steps, n, 1, generator=generator)
    values = ddpm_vlb(exact_eps(betas), x, eps, betas=betas, variances=variances, bins=GREY_VLB)
    sd = torch.tensor(math.sqrt(chain_variance(betas, variances)))
    exact = bin_log_prob(x[:1], torch.zeros(1, 1), sd, GREY_VLB).item()
    error = values.std().item() / math.sqrt(n)
    assert values.mean().item() < exact + 5 * error  # Monte Carlo
    # q aims at the level, the true posterior at its whole bin: a gap that 0.5 nats cover here.
    assert values.mean().item() > exact - 0.5 - 5 * error


def test_bins_change_the_last_step_only(generator):
    betas, variances = tables(6)
    model, x0 = exact_eps(betas), torch.tensor([[0.4], [-0.8]])
    eps = torch.randn(6, 2, 1, generator=generator)
    plain, cut = (
        ddpm_vlb_terms(model, x0, eps, betas=betas, variances=variances, bins=bins)
        for bins in (None, GREY_VLB)
    )
    torch.testing.assert_close(plain[1:], cut[1:])
    assert (cut[0] > 0).all()  # minus the logarithm of a probability
    x_1 = (1 - betas[0]).sqrt() * x0 + betas[0].sqrt() * eps[0]
    mean = x_1 - betas[0].sqrt() * model(x_1, torch.tensor([0, 0]))
    mean = mean / (1 - betas[0]).sqrt()
    torch.testing.assert_close(cut[0], -bin_log_prob(x0, mean, variances[0].sqrt(), GREY_VLB))


def test_bins_of_a_fine_grid_are_a_density_times_a_width(generator):
    betas, variances = tables(6)
    model, x0 = exact_eps(betas), torch.tensor([[0.3, -0.2]])
    eps = torch.randn(6, 1, 2, generator=generator)
    width = 1e-4
    plain, cut = (
        ddpm_vlb(model, x0, eps, betas=betas, variances=variances, bins=bins)
        for bins in (None, Bins(width, -5.0, 5.0))
    )
    torch.testing.assert_close(cut, plain + 2 * math.log(width), rtol=1e-6, atol=1e-6)


def test_every_divergence_is_positive_and_the_rows_are_in_order(generator):
    betas, variances = tables(6)
    model, x0 = exact_eps(betas), torch.tensor([[0.8], [-0.3]])
    eps = torch.randn(6, 2, 1, generator=generator)
    rows = ddpm_vlb_terms(model, x0, eps, betas=betas, variances=variances)
    assert rows.shape == (7, 2)
    assert (rows[1:] >= 0).all()
    for t in range(6):
        alone = ddpm_vlb_term(
            model, x0, torch.full((2,), t), eps[t], betas=betas, variances=variances
        )
        torch.testing.assert_close(rows[t], alone)


def test_missing_draws_and_vanishing_variances_are_refused():
    betas, variances = tables(6)
    x0 = torch.zeros(1, 1)
    with pytest.raises(ValueError, match="each of 6 steps, got 5"):
        ddpm_vlb(lambda x, t: x, x0, torch.zeros(5, 1, 1), betas=betas, variances=variances)
    with pytest.raises(ValueError, match="variances must be positive"):
        ddpm_vlb(lambda x, t: x, x0, torch.zeros(6, 1, 1), betas=betas, variances=0 * betas)


BETAS_REVERSE_VARIANCE = torch.linspace(0.01, 0.5, 15, dtype=torch.float64)
BAR_REVERSE_VARIANCE = alphas_bar_from_betas(BETAS_REVERSE_VARIANCE)


def test_perfect_knowledge_of_the_noise_gives_the_posterior_variance():
    v = optimal_variances(torch.zeros(15), BETAS_REVERSE_VARIANCE)
    torch.testing.assert_close(v, posterior_variances(BETAS_REVERSE_VARIANCE))


def test_standard_normal_data_give_beta():
    torch.testing.assert_close(
        optimal_variances(BAR_REVERSE_VARIANCE, BETAS_REVERSE_VARIANCE), BETAS_REVERSE_VARIANCE
    )


@given(st.floats(0.05, 4.0))
def test_normal_data_give_the_variance_of_the_previous_state(s):
    # x_{t-1} given x_t by conditioning the joint normal law of the pair.
    before = torch.cat([torch.ones(1), BAR_REVERSE_VARIANCE[:-1]])
    var_s, var_t = (
        before * s**2 + 1 - before,
        BAR_REVERSE_VARIANCE * s**2 + 1 - BAR_REVERSE_VARIANCE,
    )
    cov = (1 - BETAS_REVERSE_VARIANCE).sqrt() * var_s
    expected = var_s - cov**2 / var_t
    error = BAR_REVERSE_VARIANCE * s**2 / var_t  # of the best noise prediction
    torch.testing.assert_close(optimal_variances(error, BETAS_REVERSE_VARIANCE), expected)


def test_no_other_variance_has_a_smaller_term(generator):
    law = GaussianMixture(
        torch.tensor([0.3, 0.7]), torch.tensor([[-1.0, 0.0], [1.0, 0.5]]), torch.tensor([0.2, 0.3])
    )
    n, t = 20_000, 6
    x0, eps = law.sample(n, generator=generator), torch.randn(n, 2, generator=generator)
    alpha, sigma = BAR_REVERSE_VARIANCE[t].sqrt(), (1 - BAR_REVERSE_VARIANCE[t]).sqrt()
    noised = law.noised(alpha.item(), sigma.item())

    def model(x, t):
        return 0.9 * eps_from_score(noised.score(x), sigma)  # not even the best mean

    error = ((eps - model(alpha * x0 + sigma * eps, t)) ** 2).mean()
    best = optimal_variances(error.expand(15), BETAS_REVERSE_VARIANCE)

    def term(v):
        steps = torch.full((n,), t)
        return ddpm_vlb_term(
            model, x0, steps, eps, betas=BETAS_REVERSE_VARIANCE, variances=v
        ).mean()

    assert term(best) < term(1.02 * best)
    assert term(best) < term(best / 1.02)
    for choice in (
        BETAS_REVERSE_VARIANCE,
        posterior_variances(BETAS_REVERSE_VARIANCE).clamp(min=1e-6),
    ):
        assert term(best) < term(choice)


def test_errors_of_the_best_network_on_normal_data_are_known(generator):
    n = 20_000
    x0, eps = torch.randn(n, 1, generator=generator), torch.randn(15, n, 1, generator=generator)

    def best(x, t):
        return (1 - BAR_REVERSE_VARIANCE[t]).sqrt()[:, None] * x

    errors = noise_errors(best, x0, eps, alphas_bar=BAR_REVERSE_VARIANCE)
    # Each is the variance of a normal: Monte Carlo, five standard errors.
    assert ((errors - BAR_REVERSE_VARIANCE).abs() < 5 * BAR_REVERSE_VARIANCE * (2 / n) ** 0.5).all()


def test_each_step_needs_its_draw():
    with pytest.raises(ValueError, match="each of 15 steps, got 2"):
        noise_errors(
            lambda x, t: x, torch.zeros(1, 1), torch.zeros(2, 1, 1), alphas_bar=BAR_REVERSE_VARIANCE
        )


def test_impossible_errors_are_refused():
    with pytest.raises(ValueError, match="must not be negative"):
        optimal_variances(-BAR_REVERSE_VARIANCE, BETAS_REVERSE_VARIANCE)


def test_tables_of_different_lengths_are_refused(as_a_user):
    with pytest.raises(ValueError, match="expected 15 mean squares, got 3"):
        optimal_variances(BAR_REVERSE_VARIANCE[:3], BETAS_REVERSE_VARIANCE)


BETAS_DDPM = torch.linspace(1e-3, 0.2, 60, dtype=torch.float64)
BAR_DDPM = alphas_bar_from_betas(BETAS_DDPM)


def mixture() -> GaussianMixture:
    return GaussianMixture(
        torch.tensor([0.3, 0.7]),
        torch.tensor([[-1.0, 0.0], [1.0, 0.5]]),
        torch.tensor([0.4, 0.6]),
    )


def gaussian_eps(mean: float, std: float):
    """The exact noise prediction for N(mean, std^2) data, by regression of eps on x_t."""

    def eps_model(x, t):
        a = BAR_DDPM[t][:, None]
        return (1 - a).sqrt() * (x - a.sqrt() * mean) / (a * std**2 + 1 - a)

    return eps_model


def test_exact_noise_prediction_of_a_mixture_minimises_the_loss(generator):
    n, k = 20_000, 25
    sigma = (1 - BAR_DDPM[k]).sqrt()
    noised = mixture().noised(BAR_DDPM[k].sqrt().item(), sigma.item())
    x0 = mixture().sample(n, generator=generator)
    eps, t = torch.randn(n, 2, generator=generator), torch.full((n,), k)

    def loss(scale):
        def model(x, t):
            return scale * eps_from_score(noised.score(x), sigma)

        return ddpm_loss(model, x0, t, eps, alphas_bar=BAR_DDPM).mean()

    assert loss(1.0) < loss(0.9)
    assert loss(1.0) < loss(1.1)


def test_loss_has_a_positive_floor_even_for_the_best_network(generator):
    n, k = 100_000, 20
    x0, eps = torch.randn(n, 1, generator=generator), torch.randn(n, 1, generator=generator)
    values = ddpm_loss(gaussian_eps(0, 1), x0, torch.full((n,), k), eps, alphas_bar=BAR_DDPM)
    # For N(0, 1) data the variance of eps given x_t is alpha bar. Five standard errors.
    assert abs(values.mean() - BAR_DDPM[k]) < 5 * values.std() / math.sqrt(n)


@pytest.mark.parametrize(("eps_hat", "expected"), [(0.4, 0.01), (0.3, 0.0), (-0.3, 0.36)])
def test_worked_losses_of_the_course(eps_hat, expected):
    loss = ddpm_loss(
        lambda x, t: torch.full_like(x, eps_hat),
        torch.tensor([[2.0]]),
        torch.tensor([4]),
        torch.tensor([[0.3]]),
        alphas_bar=alphas_bar_from_betas(torch.full((10,), 0.1)),
    )
    assert abs(loss.item() - expected) < 1e-12


def test_loss_shows_the_network_the_noised_example_at_its_level():
    seen = {}

    def model(x, t):
        seen.update(x=x, t=t)
        return x

    x0, eps = torch.tensor([[2.0], [2.0]]), torch.tensor([[0.3], [0.3]])
    bar = alphas_bar_from_betas(torch.full((10,), 0.1))
    ddpm_loss(model, x0, torch.tensor([4, 9]), eps, alphas_bar=bar)
    assert seen["t"].tolist() == [4, 9]
    assert abs(seen["x"][0].item() - 1.7288458) < 1e-7
    assert abs(seen["x"][1].item() - (2 * 0.5904900 + 0.3 * 0.8070450)) < 1e-6


def test_loss_is_a_mean_over_dimensions_and_keeps_the_examples_apart():
    x0, t = torch.zeros(3, 4, 2), torch.tensor([0, 1, 2])
    eps = torch.arange(3.0)[:, None, None].expand(3, 4, 2)
    loss = ddpm_loss(lambda x, t: torch.zeros_like(x), x0, t, eps, alphas_bar=BAR_DDPM)
    torch.testing.assert_close(loss, torch.tensor([0.0, 1.0, 4.0]))


def test_mean_of_a_step_is_the_conditional_mean_of_the_previous_state():
    # Everything is jointly Gaussian for Gaussian data: E[x_s | x_t] by covariance over variance.
    m, s, t = 0.7, 0.5, 30
    a_t, a_s, beta = BAR_DDPM[t], BAR_DDPM[t - 1], BETAS_DDPM[t]
    x_t = torch.linspace(-2, 2, 7)[:, None]
    var_s, var_t = a_s * s**2 + 1 - a_s, a_t * s**2 + 1 - a_t
    expected = a_s.sqrt() * m + (1 - beta).sqrt() * var_s / var_t * (x_t - a_t.sqrt() * m)
    eps_hat = gaussian_eps(m, s)(x_t, torch.full((7,), t))
    got = ddpm_step(
        x_t, eps_hat, torch.zeros(7, 1), beta=beta, alpha_bar=a_t, variance=torch.tensor(1.0)
    )
    torch.testing.assert_close(got, expected)


def test_noise_of_a_step_has_the_variance_asked_for(generator):
    z, zero = torch.randn(1000, 1, generator=generator), torch.zeros(1000, 1)
    got = ddpm_step(
        zero, zero, z, beta=BETAS_DDPM[5], alpha_bar=BAR_DDPM[5], variance=torch.tensor(0.09)
    )
    torch.testing.assert_close(got, 0.3 * z)


@pytest.mark.parametrize("choice", ["beta", "posterior"])
def test_sampler_has_the_law_that_its_linear_recursion_predicts(choice, generator):
    m, s, n = 0.7, 0.5, 50_000
    variances = BETAS_DDPM if choice == "beta" else posterior_variances(BETAS_DDPM)
    mean, var = 0.0, 1.0  # of x_T; each step is linear for Gaussian data
    for t in range(len(BETAS_DDPM) - 1, -1, -1):
        a, b = BAR_DDPM[t].item(), BETAS_DDPM[t].item()
        slope = (1 - b / (a * s**2 + 1 - a)) / math.sqrt(1 - b)
        shift = b * math.sqrt(a) * m / (a * s**2 + 1 - a) / math.sqrt(1 - b)
        noise = variances[t].item() if t > 0 else 0.0
        mean, var = slope * mean + shift, slope**2 * var + noise
    x = last(
        ddpm_sample(
            gaussian_eps(m, s),
            torch.randn(n, 1, generator=generator),
            betas=BETAS_DDPM,
            variances=variances,
            generator=generator,
        )
    )
    # Monte Carlo: five standard errors of a normal sample's mean and variance.
    assert abs(x.mean().item() - mean) < 5 * math.sqrt(var / n)
    assert abs(x.var().item() - var) < 5 * var * math.sqrt(2 / n)


def test_more_steps_bring_the_sampler_to_the_data(generator):
    def std_after(n_steps):
        betas = linear_betas(n_steps, first=0.1 / n_steps, last=20 / n_steps)
        bar = alphas_bar_from_betas(betas)

        def eps_model(x, t):
            a = bar[t][:, None]
            return (1 - a).sqrt() * x / (a * 0.25 + 1 - a)

        x_T = torch.randn(4000, 1, generator=torch.Generator().manual_seed(1))
        g = torch.Generator().manual_seed(2)
        steps = ddpm_sample(eps_model, x_T, betas=betas, variances=posterior_variances(betas),
                            generator=g)  # fmt: skip
        return last(steps).std().item()

    errors = [abs(std_after(n) - 0.5) for n in (25, 400)]
    # 4,000 draws leave 0.006 on the standard deviation; few steps leave 0.1.
    assert errors[1] < 0.02 < errors[0]


def test_no_noise_is_added_at_the_last_step():
    betas = torch.tensor([0.5])

    def run(seed):
        g = torch.Generator().manual_seed(seed)
        steps = ddpm_sample(lambda x, t: x, torch.ones(2, 1), betas=betas, variances=betas,
                            generator=g)  # fmt: skip
        return last(steps)

    torch.testing.assert_close(run(0), run(1), rtol=0, atol=0)


def test_sampler_yields_one_state_per_step_without_gradients():
    weight = torch.tensor(1.0, requires_grad=True)
    states = list(ddpm_sample(lambda x, t: weight * x, torch.ones(2, 1), betas=BETAS_DDPM,
                              variances=BETAS_DDPM))  # fmt: skip
    assert len(states) == len(BETAS_DDPM)
    assert not states[-1].requires_grad
    assert torch.is_grad_enabled()


def test_step_indices_outside_the_schedule_are_refused():
    with pytest.raises(ValueError, match=r"t holds 60, expected 0\.\.59"):
        ddpm_loss(lambda x, t: x, torch.zeros(1, 1), torch.tensor([60]), torch.zeros(1, 1),
                  alphas_bar=BAR_DDPM)  # fmt: skip


class LinearNet(torch.nn.Module):
    """One weight for each step: enough to be optimal on centred Gaussian data."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(len(BETAS_DDPM)))

    def forward(self, x, t):
        return self.weight[t][:, None] * x


def test_model_has_a_bound_and_follows_its_seed():
    model = DDPM(LinearNet(), BETAS_DDPM, event_shape=(1,))
    _: HasElbo = model
    _s: Sampleable = model
    _t: Trainable = model
    assert likelihood_kind(model) == "bound"
    a, b = (model.sample(3, generator=torch.Generator().manual_seed(1)) for _ in range(2))
    torch.testing.assert_close(a, b, rtol=0, atol=0)
    with pytest.raises(ValueError, match="cond must be None"):
        model.sample(1, cond=torch.zeros(1))


def test_model_passes_its_variances_and_bins_on(generator):
    variances = 0.5 * BETAS_DDPM
    model = DDPM(
        LinearNet(), BETAS_DDPM, event_shape=(1,), variances=variances, bins=Bins(0.5, -1.0, 1.0)
    )
    x = torch.tensor([[0.5], [1.0]])
    got = model.elbo(x, generator=torch.Generator().manual_seed(4))
    eps = torch.randn(len(BETAS_DDPM), 2, 1, generator=torch.Generator().manual_seed(4))
    expected = ddpm_vlb(
        model.eps_net, x, eps, betas=BETAS_DDPM, variances=variances, bins=Bins(0.5, -1.0, 1.0)
    )
    torch.testing.assert_close(got, expected)
    calm, wild = (
        DDPM(LinearNet(), BETAS_DDPM, event_shape=(1,), variances=v).sample(
            500, generator=generator
        )
        for v in (0.01 * BETAS_DDPM, BETAS_DDPM)
    )
    assert calm.std() < wild.std()


def test_training_finds_the_exact_noise_prediction(generator):
    data = 0.5 * torch.randn(4000, 1, generator=generator)
    model = DDPM(LinearNet(), BETAS_DDPM, event_shape=(1,))
    batches = minibatches(data, 2000, generator=generator)
    list(fit(model, batches, n_steps=400, lr=0.02, generator=generator))
    exact = (1 - BAR_DDPM).sqrt() / (0.25 * BAR_DDPM + 1 - BAR_DDPM)
    # Adam's last steps still jitter by about its rate.
    assert (model.eps_net.weight - exact).abs().max() < 0.1


class ClassNet(torch.nn.Module):
    """Exact noise prediction for N(m_c, 0.5^2) in class c, and for the point 0 without a class."""

    def forward(self, x, t, cond=None):
        a = BAR_DDPM[t][:, None]
        if cond is None:
            return x / (1 - a).sqrt()
        mean = torch.tensor([-2.0, 1.0])[cond][:, None]
        return (1 - a).sqrt() * (x - a.sqrt() * mean) / (a * 0.25 + 1 - a)


def test_each_sample_obeys_its_own_condition(generator):
    model = DDPM(ClassNet(), BETAS_DDPM, event_shape=(1,), conditional=True)
    cond = torch.tensor([0, 1]).repeat(2000)
    x = model.sample(4000, cond=cond, generator=generator)
    for c, mean in ((0, -2.0), (1, 1.0)):
        values = x[cond == c]
        # Monte Carlo, and a little for the Gaussian steps of a chain of sixty.
        assert abs(values.mean().item() - mean) < 5 * values.std() / math.sqrt(2000) + 0.02


def test_without_a_condition_the_network_is_asked_without_one(generator):
    model = DDPM(ClassNet(), BETAS_DDPM, event_shape=(1,), conditional=True)
    assert model.sample(50, generator=generator).abs().max() < 0.2  # the point 0, noised a little


def test_the_right_condition_has_the_higher_bound(generator):
    model = DDPM(ClassNet(), BETAS_DDPM, event_shape=(1,), conditional=True)
    x = -2 + 0.5 * torch.randn(200, 1, generator=generator)
    right, wrong = (
        model.elbo(x, cond=torch.full((200,), c), generator=generator).mean() for c in (0, 1)
    )
    assert right > wrong + 5


def test_the_loss_shows_the_condition_to_the_network(generator):
    model = DDPM(ClassNet(), BETAS_DDPM, event_shape=(1,), conditional=True)
    x = 1 + 0.5 * torch.randn(4000, 1, generator=generator)
    right, wrong = (model.loss(x, cond=torch.full((4000,), c), generator=generator) for c in (1, 0))
    assert right < wrong


def test_conditions_that_do_not_fit_the_examples_are_refused():
    model = DDPM(ClassNet(), BETAS_DDPM, event_shape=(1,), conditional=True)
    with pytest.raises(ValueError, match="each of 3 examples, got 2"):
        model.sample(3, cond=torch.tensor([0, 1]))
