"""Diffusion in discrete time: worked numbers, closed forms for normal data, the bound in nats."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from torch import nn
from torch.distributions import Normal, kl_divergence
from torch.testing import assert_close

from genlab.core import last
from genlab.score.diffusion import (
    DDPM,
    Bins,
    add_noise,
    alphas_bar_from_betas,
    bin_log_prob,
    cosine_betas,
    ddpm_loss,
    ddpm_sample,
    ddpm_vlb,
    ddpm_vlb_term,
    ddpm_vlb_terms,
    eps_from_score,
    eps_from_v,
    eps_from_x0,
    linear_betas,
    linear_rate_betas,
    log_snr,
    posterior_variances,
    score_from_eps,
    v_from_eps,
    x0_from_eps,
)
from genlab.train import fit, minibatches

T = 60
BETAS = torch.linspace(1e-3, 0.2, T, dtype=torch.float64)
BAR = alphas_bar_from_betas(BETAS)
BEFORE = torch.cat([torch.ones(1, dtype=torch.float64), BAR[:-1]])
S = 0.5  # standard deviation of the data, where one is meant
GREY = Bins(1 / 8, -1.0, 1.0)


def gaussian_eps(bar, std=S, mean=0.0):
    """The exact noise prediction for N(mean, std^2) data, by regression of eps on x_t."""

    def eps_model(x, t):
        a = bar[t][:, None]
        return (1 - a).sqrt() * (x - a.sqrt() * mean) / (a * std**2 + 1 - a)

    return eps_model


def within(values, expected, sigmas=5.0):
    """Whether the mean of the draws is the expected one, within five standard errors."""
    return abs(values.mean() - expected) < sigmas * values.std() / math.sqrt(len(values))


# Schedules


@pytest.mark.parametrize("n_steps", [1, 7, 100])
def test_linear_rate_schedule_has_the_area_under_the_rate_as_its_exponent(n_steps):
    u = torch.linspace(0, 1, 100 * n_steps + 1)
    area = torch.cumulative_trapezoid(0.3 + 11.7 * u, u)[99::100]  # exact for a straight line
    bar = alphas_bar_from_betas(linear_rate_betas(n_steps, first=0.3, last=12.0))
    assert_close(-bar.log(), area)


def test_log_snr_is_the_logit_of_the_signals_share():
    a = torch.tensor([1e-12, 0.2, 0.5, 0.9, 1 - 1e-9])
    assert_close(log_snr(a), torch.logit(a))


def test_schedules_have_the_ends_of_their_papers():
    betas = linear_betas(1000)
    assert_close(betas[[0, 1, 999]], torch.tensor([1e-4, 1e-4 + 0.0199 / 999, 0.02]))
    assert_close(linear_betas(2, first=0.3, last=0.3), torch.tensor([0.3, 0.3]))
    left = alphas_bar_from_betas(linear_rate_betas(3))[-1]
    assert left.item() == pytest.approx(math.exp(-(0.1 + 20) / 2))  # the mean rate of VP


def test_signal_of_the_cosine_schedule_falls_like_a_squared_cosine_until_its_last_step():
    u = torch.arange(1, 51) / 50
    level = (
        torch.cos((u + 0.008) / 1.008 * math.pi / 2) ** 2
        / math.cos(0.008 / 1.008 * math.pi / 2) ** 2
    )
    bar = alphas_bar_from_betas(cosine_betas(50))
    assert_close(bar[:-1], level[:-1])
    assert_close(bar[-1], 0.001 * level[-2])  # 1 - largest, instead of nothing
    plain = alphas_bar_from_betas(cosine_betas(2, offset=0.0, largest=0.9))
    assert_close(plain, torch.tensor([0.5, 0.05]))  # cos^2 of 45 degrees, then a tenth


# The path, and the names of a prediction


@given(st.floats(0.01, 1.5), st.integers(0, 10**6))
def test_every_target_gives_the_others_back(angle, seed):
    x0, eps = torch.randn(2, 4, 3, 2, generator=torch.Generator().manual_seed(seed))
    a = torch.linspace(angle, 0.7, 4)
    alpha, sigma = a.cos(), a.sin()  # the variance-preserving path, a level for each example
    x_t = add_noise(x0, alpha, sigma, eps)
    v = v_from_eps(x_t, eps, alpha, sigma)
    # Rounding is amplified by 1 / alpha and 1 / sigma, at most about 100.
    close = {"rtol": 1e-9, "atol": 1e-9}
    assert_close(v, alpha[:, None, None] * eps - sigma[:, None, None] * x0, **close)
    assert_close(x0_from_eps(x_t, eps, alpha, sigma), x0, **close)
    assert_close(eps_from_x0(x_t, x0, alpha, sigma), eps, **close)
    assert_close(eps_from_v(x_t, v, alpha, sigma), eps, **close)
    assert_close(eps_from_score(score_from_eps(eps, sigma), sigma), eps, **close)


# The chain


def posterior(x0, x_t, beta, a_s):
    """One step back by Bayes' rule: precisions given x_0, and of x_t given x_{t-1}, add up."""
    precision = 1 / (1 - a_s) + (1 - beta) / beta
    mean = (a_s.sqrt() * x0 / (1 - a_s) + (1 - beta).sqrt() * x_t / beta) / precision
    return mean, 1 / precision


def test_variance_of_the_reverse_step_is_that_of_the_joint_normal():
    expected = torch.stack([posterior(0.0, 0.0, BETAS[t], BEFORE[t])[1] for t in range(1, T)])
    assert_close(posterior_variances(BETAS)[1:], expected)


# The loss


def test_loss_has_a_positive_floor_even_for_the_best_network(generator):
    x0, eps = torch.randn(2, 100_000, 1, generator=generator)
    t = torch.full((100_000,), 20)
    values = ddpm_loss(gaussian_eps(BAR, std=1.0), x0, t, eps, alphas_bar=BAR)
    assert within(values, BAR[20])  # the variance of eps given x_t, for N(0, 1) data


def test_loss_shows_the_network_the_noised_example_at_its_level():
    x0, eps = torch.full((2, 4, 2), 2.0), torch.full((2, 4, 2), 0.3)
    bar, t = alphas_bar_from_betas(torch.full((10,), 0.1)), torch.tensor([4, 9])
    seen = []
    loss = ddpm_loss(lambda *args: seen.append(args) or 0.4 + 0 * x0, x0, t, eps, alphas_bar=bar)
    ((x, level),) = seen
    assert level.tolist() == [4, 9]
    assert abs(x[0, 0, 0].item() - 1.7288458) < 1e-7  # the course's worked number
    assert abs(x[1, 0, 0].item() - (2 * 0.5904900 + 0.3 * 0.8070450)) < 1e-6
    assert_close(loss, torch.tensor([0.01, 0.01]))  # a mean over dimensions


# The sampler


@pytest.mark.parametrize("variances", [BETAS, posterior_variances(BETAS)], ids=["beta", "tilde"])
def test_sampler_has_the_distribution_that_its_linear_recursion_predicts(variances, generator):
    m, n = 0.7, 50_000
    mean, var = 0.0, 1.0  # of x_T; each step is linear for normal data
    for t in range(T - 1, -1, -1):
        a, b = BAR[t].item(), BETAS[t].item()
        slope = (1 - b / (a * S**2 + 1 - a)) / math.sqrt(1 - b)
        shift = b * math.sqrt(a) * m / (a * S**2 + 1 - a) / math.sqrt(1 - b)
        noise = variances[t].item() if t > 0 else 0.0
        mean, var = slope * mean + shift, slope**2 * var + noise
    x_T = torch.randn(n, 1, generator=generator)
    options = {"betas": BETAS, "variances": variances, "generator": generator}
    x = last(ddpm_sample(gaussian_eps(BAR, mean=m), x_T, **options))
    # Monte Carlo: five standard errors of a normal sample's mean and variance.
    assert abs(x.mean().item() - mean) < 5 * math.sqrt(var / n)
    assert abs(x.var().item() - var) < 5 * var * math.sqrt(2 / n)


def test_sampler_draws_no_noise_in_the_last_step_and_keeps_no_gradient():
    weight = torch.tensor(1.0, requires_grad=True)
    options = {"betas": BETAS[:1], "variances": BETAS[:1]}
    runs = [list(ddpm_sample(lambda x, t: weight * x, torch.ones(2, 1), **options)) for _ in "ab"]
    assert len(runs[0]) == 1
    assert not runs[0][0].requires_grad
    assert_close(runs[0], runs[1], rtol=0, atol=0)


def test_noise_is_drawn_in_every_step_but_the_last():
    betas, x = torch.tensor([0.1, 0.3]), torch.ones(2, 1)
    options = {"betas": betas, "variances": torch.tensor([0.5, 0.04])}
    model = lambda x, t: 0 * x
    states = list(ddpm_sample(model, x, generator=torch.Generator().manual_seed(1), **options))
    z = torch.randn(2, 1, generator=torch.Generator().manual_seed(1))
    assert_close(states[0], x / math.sqrt(0.7) + 0.2 * z)
    assert_close(states[1], states[0] / math.sqrt(0.9))
    assert len(states) == 2


# Grey levels


@given(st.floats(-3, 3), st.floats(0.01, 3))
def test_probabilities_of_all_levels_add_up_to_one(mean, std):
    places = torch.linspace(-1, 1, 17)[:, None]
    log_p = bin_log_prob(places, torch.full((17, 1), mean), torch.tensor(std), GREY)
    assert abs(log_p.logsumexp(0).item()) < 1e-9  # rounding


def test_a_bin_is_the_integral_of_its_normal_and_dimensions_are_summed():
    mean, std = 0.23, 0.11
    edges = torch.tensor([0.25 - 1 / 16, 0.25 + 1 / 16])
    expected = Normal(mean, std).cdf(edges).diff().log()
    x = torch.full((1, 2, 3), 0.25)
    got = bin_log_prob(x, torch.full_like(x, mean), torch.tensor(std), GREY)
    assert_close(got, 6 * expected)


@pytest.mark.parametrize("side", [-1.0, 1.0])
def test_the_ends_are_open_and_a_hopeless_guess_is_punished_and_not_infinite(side):
    end = torch.tensor([[side]])
    assert bin_log_prob(end, 5 * end, torch.tensor(0.1), GREY).abs().item() < 1e-12
    # The level lies 50 standard deviations away: Phi itself is 0 or 1 in double precision.
    mean = (-0.5 * end).requires_grad_()
    got = bin_log_prob(0.5 * end, mean, torch.tensor(0.02), GREY)
    near = (1 - 1 / 16) / 0.02  # the nearer edge of the bin
    assert got.item() == pytest.approx(stats.norm.logsf(near), rel=1e-9)
    assert torch.autograd.grad(got.sum(), mean)[0].isfinite().all()


# The bound


def tables(n_steps):
    betas = -torch.expm1(-torch.linspace(0.1, 15, n_steps) / n_steps)
    return {"betas": betas, "variances": betas}


def reverse_mean(model, betas, x_t, t):
    """The mean of algorithm 2."""
    eps_hat = model(x_t, torch.full((len(x_t),), t))
    return (x_t - betas[t] / (1 - alphas_bar_from_betas(betas)[t]).sqrt() * eps_hat) / (
        1 - betas[t]
    ).sqrt()


def test_a_term_is_the_divergence_between_two_normal_steps():
    betas, t = tables(20)["betas"], 12
    bar = alphas_bar_from_betas(betas)
    x0, eps, model = torch.tensor([[0.8, 0.1]]), torch.tensor([[-0.4, 1.0]]), gaussian_eps(bar)
    x_t = bar[t].sqrt() * x0 + (1 - bar[t]).sqrt() * eps
    mean_q, variance = posterior(x0, x_t, betas[t], bar[t - 1])
    q = Normal(mean_q, variance.sqrt())
    mean_p = reverse_mean(model, betas, x_t, t)
    for v in (betas, posterior_variances(betas)):
        expected = kl_divergence(q, Normal(mean_p, v[t].sqrt())).sum(1)
        got = ddpm_vlb_term(model, x0, torch.tensor([t]), eps, betas=betas, variances=v)
        assert_close(got, expected)


@pytest.mark.parametrize("bins", [None, Bins(0.08, -2.0, 2.0)])
def test_rows_of_the_bound_are_the_last_step_the_divergences_and_the_prior(bins, generator):
    both = tables(6)
    betas = both["betas"]
    bar = alphas_bar_from_betas(betas)
    model, x0 = gaussian_eps(bar), torch.tensor([[0.4, 0.8], [-0.8, 0.0]])
    eps = torch.randn(6, 2, 2, generator=generator)
    rows = ddpm_vlb_terms(model, x0, eps, bins=bins, **both)
    x_1 = (1 - betas[0]).sqrt() * x0 + betas[0].sqrt() * eps[0]
    mean, std = reverse_mean(model, betas, x_1, 0), betas[0].sqrt()
    likelihood = Normal(mean, std).log_prob(x0).sum(1)
    assert_close(rows[0], -bin_log_prob(x0, mean, std, bins) if bins else -likelihood)
    for t in range(1, 6):
        alone = ddpm_vlb_term(model, x0, torch.full((2,), t), eps[t], **both)
        assert_close(rows[t], alone)
        assert (alone >= 0).all()
    q = Normal(bar[-1].sqrt() * x0, (1 - bar[-1]).sqrt())
    assert_close(rows[6], kl_divergence(q, Normal(0.0, 1.0)).sum(1))
    assert_close(ddpm_vlb(model, x0, eps, bins=bins, **both), -rows.sum(0))
    few = {"betas": betas[:2], "variances": betas[:2]}  # so that much of the signal is left
    q = Normal(bar[1].sqrt() * x0, (1 - bar[1]).sqrt())
    prior = ddpm_vlb_terms(model, x0, eps[:2], bins=bins, **few)[-1]
    assert_close(prior, kl_divergence(q, Normal(0.0, 1.0)).sum(1))


# The model


class LinearNet(nn.Module):
    """One weight for each step: enough to be optimal on centred normal data."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(T))

    def forward(self, x, t):
        return self.weight[t][:, None] * x


class ClassNet(nn.Module):
    """Exact noise prediction for N(m_c, S^2) in class c, and for the point 0 without a class."""

    def forward(self, x, t, cond=None):
        if cond is None:
            return x / (1 - BAR[t]).sqrt()[:, None]
        return gaussian_eps(BAR, mean=torch.tensor([-2.0, 1.0])[cond][:, None])(x, t)


def classes():
    return DDPM(ClassNet(), BETAS, event_shape=(1,), conditional=True)


def test_model_follows_its_seed_and_an_unconditional_one_refuses_a_condition():
    model = DDPM(LinearNet(), BETAS, event_shape=(1,))
    a, b = (model.sample(3, generator=torch.Generator().manual_seed(1)) for _ in range(2))
    assert_close(a, b, rtol=0, atol=0)
    with pytest.raises(ValueError, match="unconditional"):
        model.sample(1, cond=torch.zeros(1))


def test_model_passes_its_variances_and_bins_on(generator):
    options = {"variances": 0.01 * BETAS, "bins": Bins(0.5, -1.0, 1.0)}
    model = DDPM(LinearNet(), BETAS, event_shape=(1,), **options)
    x = torch.tensor([[0.5], [1.0]])
    got = model.elbo(x, generator=torch.Generator().manual_seed(4))
    eps = torch.randn(T, 2, 1, generator=torch.Generator().manual_seed(4))
    assert_close(got, ddpm_vlb(model.eps_net, x, eps, betas=BETAS, **options))
    wild = DDPM(LinearNet(), BETAS, event_shape=(1,))
    assert model.sample(500, generator=generator).std() < wild.sample(500).std()


def test_training_finds_the_exact_noise_prediction(generator):
    data = S * torch.randn(4000, 1, generator=generator)
    model = DDPM(LinearNet(), BETAS, event_shape=(1,))
    batches = minibatches(data, 2000, generator=generator)
    list(fit(model, batches, n_steps=400, lr=0.02, generator=generator))
    exact = (1 - BAR).sqrt() / (S**2 * BAR + 1 - BAR)
    # Adam's last steps still jitter by about its rate.
    assert (model.eps_net.weight - exact).abs().max() < 0.1


def test_each_sample_obeys_its_own_condition(generator):
    x = classes().sample(4000, cond=torch.tensor([0, 1]).repeat(2000), generator=generator)
    for values, mean in ((x[::2], -2.0), (x[1::2], 1.0)):
        # Monte Carlo, and a little for the normal steps of a chain of sixty.
        assert abs(values.mean().item() - mean) < 5 * values.std() / math.sqrt(2000) + 0.02
    # without a condition the network is asked without one: the point 0, and no noise at the end
    assert classes().sample(50, generator=generator).abs().max() < 1e-9


ZERO, NONE = torch.zeros(1, 1), lambda x, t: x


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: linear_betas(1), "expected"),
        (lambda: cosine_betas(0), "expected"),
        (lambda: linear_betas(3, first=0.5, last=0.1), "expected"),
        (lambda: linear_betas(3, first=0.0), "expected"),
        (lambda: linear_betas(3, last=1.0), "expected"),
        (lambda: linear_rate_betas(0), "expected"),
        (lambda: linear_rate_betas(5, first=2.0, last=1.0), "expected"),
        (lambda: cosine_betas(5, offset=-0.1), "expected"),
        (lambda: cosine_betas(5, largest=1.0), "expected"),
        (lambda: cosine_betas(5, largest=0.0), "expected"),
        (lambda: alphas_bar_from_betas(torch.tensor([0.0, 0.1])), "betas must lie in"),
        (lambda: linear_rate_betas(5, first=0.0), "expected"),
        (lambda: alphas_bar_from_betas(torch.tensor([0.1, 1.0])), "betas must lie in"),
        (
            lambda: ddpm_loss(NONE, ZERO, torch.tensor([T]), ZERO, alphas_bar=BAR),
            r"t holds 60, expected 0\.\.59",
        ),
        (lambda: bin_log_prob(ZERO, ZERO, ZERO[0, 0], GREY), "is 0, expected > 0"),
        (
            lambda: ddpm_vlb(NONE, ZERO, torch.zeros(5, 1, 1), **tables(6)),
            r"betas has shape \(6,\), expected \(5,\), since eps",
        ),
        (
            lambda: ddpm_vlb(NONE, ZERO, torch.zeros(T, 1, 1), betas=BETAS, variances=0 * BETAS),
            "variances holds 0",
        ),
    ],
)
def test_impossible_requests_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize(
    ("beta", "t", "expected"),  # alpha bar, signal and noise, as printed in the course
    [
        (0.1, 5, (0.59049, 0.7684335, 0.6399297)),
        (0.1, 10, (0.3486784, 0.5904900, 0.8070450)),
        (0.01, 10, (0.9043821, 0.9509900, 0.3092215)),
    ],
)
def test_worked_schedules_of_the_course(beta, t, expected):
    a = alphas_bar_from_betas(torch.full((10,), beta))[t - 1]
    triple = torch.stack([a, a.sqrt(), (1 - a).sqrt()])
    assert_close(triple, torch.tensor(expected), rtol=0, atol=1e-7)  # printed digits


def test_a_schedule_of_tiny_steps_keeps_its_digits_in_single_precision():
    """1 - alpha_bar rounds to 0 in float32; in double precision nothing is lost."""
    betas = 1e-8 * torch.linspace(1.0, 3.0, 5, dtype=torch.float64)
    alphas_bar = (1 - betas.double()).cumprod(0)
    before = torch.cat([torch.ones(1, dtype=torch.float64), alphas_bar[:-1]])
    exact = (1 - before) / (1 - alphas_bar) * betas
    found = posterior_variances(betas.float())
    assert_close(found.double(), exact, rtol=1e-6, atol=0)
    x0, eps = torch.randn(3, 2), torch.randn(5, 3, 2)
    single = ddpm_vlb(
        lambda x, t: 0 * x, x0.float(), eps.float(), betas=betas.float(), variances=betas.float()
    )
    double = ddpm_vlb(lambda x, t: 0 * x, x0, eps, betas=betas, variances=betas)
    assert_close(single.double(), double, rtol=1e-4, atol=0)
