"""The forward chain against its shortcut, and one step back by conditioning a joint normal law."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from genlab.core import last
from genlab.score import (
    alphas_bar_from_betas,
    ddpm_step,
    noising_chain,
    noising_step,
    posterior_mean,
    posterior_variances,
)

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
