"""Annealed importance sampling: unbiased whatever the chains do, and a sandwich around log Z."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from genlab.core import last
from genlab.core.stats import normal_log_prob, std_normal_log_prob
from genlab.score.annealed_importance import (
    ais_log_weight,
    annealed_importance,
    annealed_log_prob,
)

LOG_Z = math.log(2 * math.gamma(1.25))  # of one coordinate of E = sum x^4


def quartic(x):
    return (x**4).sum(1)


def wide(x):
    return normal_log_prob(x, 0.0, 1.0)


@pytest.mark.parametrize(("n_mcmc", "step_size"), [(0, 0.1), (1, 0.05), (3, 0.3)])
def test_the_mean_weight_is_z_however_badly_the_chains_mix(n_mcmc, step_size, generator):
    n, d = 20_000, 2
    x0 = torch.randn(n, d, generator=generator)
    walk = annealed_importance(
        wide, quartic, x0, torch.linspace(0, 1, 6), step_size=step_size, n_mcmc=n_mcmc,
        generator=generator,
    )  # fmt: skip
    w = last(walk).log_w.exp()
    assert abs(w.mean() - math.exp(d * LOG_Z)) < 5 * w.std() / n**0.5


def test_the_mean_log_weight_is_below_and_the_way_back_above(generator):
    n, d = 2000, 10
    betas = torch.linspace(0, 1, 11)
    up = last(
        annealed_importance(wide, quartic, torch.randn(n, d, generator=generator), betas,
                            step_size=0.05, generator=generator)
    )  # fmt: skip
    exact = exact_quartic(n, d, generator)
    down = last(
        annealed_importance(wide, quartic, exact, betas.flip(0), step_size=0.05,
                            generator=generator)
    )  # fmt: skip
    assert up.log_w.mean() < d * LOG_Z < -down.log_w.mean()
    for estimate, sign in ((up.log_w, 1), (down.log_w, -1)):
        w = (estimate - sign * d * LOG_Z).exp()  # mean 1 in both directions
        assert abs(w.mean() - 1) < 5 * w.std() / n**0.5


def exact_quartic(n, d, generator):
    """|x|^4 is Gamma(1/4): exact draws from the density proportional to exp(-x^4)."""
    torch.manual_seed(int(torch.randint(2**30, (1,), generator=generator)))
    size = torch.distributions.Gamma(0.25, 1.0).sample((n, d)) ** 0.25
    return size * (2 * torch.randint(0, 2, (n, d), generator=generator) - 1)


def test_one_jump_is_plain_importance_sampling(generator):
    x0 = torch.randn(50, 3, generator=generator)
    end = last(annealed_importance(wide, quartic, x0, torch.tensor([0.0, 1.0]), step_size=0.1))
    torch.testing.assert_close(end.log_w, -quartic(x0) - wide(x0))


def test_weights_are_equal_when_the_base_is_the_target(generator):
    x0 = torch.randn(50, 3, generator=generator)
    end = last(
        annealed_importance(wide, lambda x: -wide(x) + 4.0, x0, torch.linspace(0, 1, 7),
                            step_size=0.3, generator=generator)
    )  # fmt: skip
    torch.testing.assert_close(end.log_w, torch.full((50,), -4.0))


def test_more_levels_bring_the_bound_up(generator):
    def bound(k):
        x0 = torch.randn(400, 20, generator=generator)
        walk = annealed_importance(
            wide, quartic, x0, torch.linspace(0, 1, k), step_size=0.03, generator=generator
        )
        return last(walk).log_w.mean().item()

    assert bound(2) < bound(10) < bound(60) < 20 * LOG_Z + 0.1


def test_particles_end_at_the_target(generator):
    # chains that mix well: after the last level the moments are those of exp(-x^4)
    x0 = torch.randn(20_000, 1, generator=generator)
    end = last(
        annealed_importance(wide, quartic, x0, torch.linspace(0, 1, 21), step_size=0.1, n_mcmc=5,
                            generator=generator)
    )  # fmt: skip
    square = math.gamma(0.75) / math.gamma(0.25)
    assert abs(end.x.square().mean() - square) < 5 * end.x.square().std() / 20_000**0.5


def test_a_step_size_may_depend_on_the_level():
    seen = []

    def step_size(beta):
        seen.append(beta)
        return 0.1

    walk = annealed_importance(
        wide, quartic, torch.zeros(2, 1), torch.linspace(0, 1, 4), step_size=step_size
    )
    assert [round(state.beta, 6) for state in walk] == [0, 0.333333, 0.666667, 1]
    assert seen == pytest.approx([1 / 3, 2 / 3, 1])


@given(beta=st.floats(0, 1), later=st.floats(0, 1), seed=st.integers(0, 99))
def test_a_weight_is_the_ratio_of_two_levels(beta, later, seed):
    g = torch.Generator().manual_seed(seed)
    x, w = torch.randn(4, 2, generator=g), torch.randn(4, generator=g)
    log_q, energy = std_normal_log_prob(x), quartic(x)
    step = ais_log_weight(w, log_q, energy, beta=beta, beta_next=later) - w
    ratio = annealed_log_prob(log_q, energy, beta=later) - annealed_log_prob(
        log_q, energy, beta=beta
    )
    torch.testing.assert_close(step, ratio)


def test_the_ends_of_the_path_are_the_two_laws():
    log_q, energy = torch.tensor([-1.0]), torch.tensor([5.0])
    assert annealed_log_prob(log_q, energy, beta=0.0).item() == -1
    assert annealed_log_prob(log_q, energy, beta=1.0).item() == -5


@pytest.mark.parametrize("betas", [[0.0], [0.0, 1.2], [-0.1, 1.0]])
def test_paths_that_lead_nowhere_are_refused(betas):
    with pytest.raises(ValueError, match="at least two numbers"):
        annealed_importance(wide, quartic, torch.zeros(1, 1), torch.tensor(betas), step_size=0.1)
