"""Annealed Langevin: ladders, the law at each rung, and weights that one level gets wrong."""

import itertools
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from genlab.core import last
from genlab.metrics.two_sample import mmd_permutation_test
from genlab.metrics.wasserstein import wasserstein_1d
from genlab.oracles import GaussianMixture
from genlab.score.annealed_langevin import (
    annealed_langevin,
    ladder_overlap,
    noise_ladder,
    rung_variance,
)
from genlab.score.tweedie import score_from_x0
from genlab.solvers.mcmc import langevin


def islands() -> GaussianMixture:
    """Two modes ten standard deviations apart, four to one."""
    return GaussianMixture(
        torch.tensor([0.8, 0.2]), torch.tensor([[-2.5, 0.0], [2.5, 0.0]]), torch.tensor([0.5, 0.5])
    )


def exact(law):
    """The score of the noised law at any level, row by row."""

    def score(x, sigma):
        return score_from_x0(x, law.denoiser(x, 1.0, sigma), torch.ones_like(sigma), sigma)

    return score


@given(high=st.floats(1.0, 50.0), low=st.floats(0.01, 0.9), n=st.integers(2, 30))
def test_a_ladder_falls_by_one_ratio_from_end_to_end(high, low, n):
    sigmas = noise_ladder(high, low, n)
    assert sigmas.shape == (n,)
    torch.testing.assert_close(sigmas[[0, -1]], torch.tensor([high, low]))
    ratios = sigmas[:-1] / sigmas[1:]
    torch.testing.assert_close(ratios, ratios[:1].expand(n - 1))
    assert (ratios > 1).all()


@pytest.mark.parametrize(("high", "low", "n"), [(1.0, 1.0, 3), (1.0, 2.0, 3), (1.0, 0.0, 3)])
def test_a_ladder_must_lead_down_to_some_noise(high, low, n):
    with pytest.raises(ValueError, match="0 < sigma_min < sigma_max"):
        noise_ladder(high, low, n)


def test_a_ladder_has_at_least_two_rungs():
    with pytest.raises(ValueError, match="n_levels"):
        noise_ladder(2.0, 1.0, 1)


@pytest.mark.parametrize(("ratio", "d"), [(1.05, 64), (1.3, 64), (1.6, 64), (1.5, 1000)])
def test_overlap_counts_how_much_noise_of_one_rung_looks_like_the_one_above(ratio, d, generator):
    n = 20_000
    lengths = torch.randn(n, d, generator=generator).norm(dim=1)
    above = ratio * torch.randn(n, d, generator=generator).norm(dim=1)
    inside = ((lengths - above.mean()).abs() < 3 * above.std()).double().mean()
    # the formula takes lengths as normal with deviation 1/sqrt 2: right to a few per cent
    assert abs(ladder_overlap(ratio, d) - inside) < 0.04


def test_overlap_is_one_for_equal_rungs_and_falls_with_the_ratio_and_the_dimension():
    assert ladder_overlap(1.0, 64) == pytest.approx(math.erf(3 / math.sqrt(2)))
    falling = [ladder_overlap(r, 64) for r in (1.0, 1.1, 1.3, 1.6, 2.0)]
    assert all(a > b for a, b in itertools.pairwise(falling))
    assert ladder_overlap(1.2, 1000) < ladder_overlap(1.2, 10)


@given(rate=st.floats(0.05, 0.9), n_steps=st.integers(0, 20), ratio=st.floats(1.0, 3.0))
def test_variance_at_a_rung_is_that_of_the_recursion(rate, n_steps, ratio):
    v = ratio**2
    for _ in range(n_steps):
        v = (1 - rate) ** 2 * v + 2 * rate
    assert rung_variance(ratio, rate, n_steps) == pytest.approx(v)


def test_variance_at_a_rung_is_that_of_the_chain_on_a_single_point(generator):
    """Data: one point. Start at the spread of the rung above, run, and measure."""
    n, sigmas = 40_000, torch.tensor([0.7])
    start = 1.4 * torch.randn(n, 1, generator=generator)
    score = lambda x, sigma: -x / sigma[:, None] ** 2
    x = last(annealed_langevin(score, start, sigmas, rate=0.3, n_steps=4, generator=generator))
    expected = 0.7**2 * rung_variance(2.0, 0.3, 4)
    # the variance of n normals has standard error v sqrt(2 / n)
    assert abs(x.var() - expected) < 5 * expected * math.sqrt(2 / n)


def test_every_step_is_yielded_and_the_network_is_told_its_level():
    seen = []

    def score(x, sigma):
        assert sigma.shape == (3,)
        seen.append(sigma[0].item())
        return -x / sigma[:, None] ** 2

    steps = list(
        annealed_langevin(score, torch.zeros(3, 2), torch.tensor([4.0, 1.0]), rate=0.1, n_steps=2)
    )
    assert len(steps) == 4
    assert seen == [4.0, 4.0, 1.0, 1.0]


def test_step_sizes_go_with_the_square_of_the_level():
    """Signal-to-noise of a step is then the same at each rung."""
    drift = []
    score = lambda x, sigma: torch.ones_like(x)
    sigmas = torch.tensor([4.0, 2.0, 0.5])
    noise = torch.Generator().manual_seed(5)
    states = list(
        annealed_langevin(score, torch.zeros(1, 1), sigmas, rate=0.1, n_steps=1, generator=noise)
    )
    replay = torch.Generator().manual_seed(5)
    x = torch.zeros(1, 1)
    for sigma, state in zip((4.0, 2.0, 0.5), states, strict=True):
        eta = 0.1 * sigma**2
        z = torch.randn(1, 1, generator=replay)
        drift.append((state - x - math.sqrt(2 * eta) * z).item() / eta)
        x = state
    assert drift == pytest.approx([1.0, 1.0, 1.0])


def test_the_last_step_may_be_tweedies(generator):
    """Denoising a single point gives that point, exactly."""
    score = lambda x, sigma: (3.0 - x) / sigma[:, None] ** 2
    run = annealed_langevin(
        score, torch.zeros(5, 1), torch.tensor([2.0, 0.5]), rate=0.1, n_steps=2, denoise=True,
        generator=generator,
    )  # fmt: skip
    states = list(run)
    assert len(states) == 5
    torch.testing.assert_close(states[-1], torch.full((5, 1), 3.0))


def test_no_gradient_leaks_and_the_callers_mode_is_kept():
    w = torch.ones(1, requires_grad=True)
    run = annealed_langevin(
        lambda x, s: -w * x, torch.zeros(2, 1), torch.tensor([1.0]), rate=0.1, n_steps=2
    )
    for x in run:
        assert not x.requires_grad
        assert torch.is_grad_enabled()


@pytest.mark.parametrize("rate", [0.0, -0.1, 2.0])
def test_a_rate_outside_its_range_is_refused(rate):
    with pytest.raises(ValueError, match="rate"):
        next(
            annealed_langevin(
                lambda x, s: -x, torch.zeros(1, 1), torch.ones(1), rate=rate, n_steps=1
            )
        )


@pytest.fixture(scope="module")
def samples():
    """Two thousand finished chains with exact scores."""
    torch.set_default_dtype(torch.float64)
    g = torch.Generator().manual_seed(1)
    sigmas = noise_ladder(6.0, 0.05, 24)
    start = 6.0 * torch.randn(2000, 2, generator=g)
    return last(
        annealed_langevin(
            exact(islands()), start, sigmas, rate=0.08, n_steps=25, denoise=True, generator=g
        )
    )


def test_annealing_gets_the_weights_of_the_modes_right(samples):
    share = (samples[:, 0] < 0).double().mean().item()
    assert abs(share - 0.8) < 5 * math.sqrt(0.8 * 0.2 / len(samples))


def test_annealing_recovers_the_moments_of_each_mode(samples):
    for k, centre in enumerate((-2.5, 2.5)):
        mine = samples[(samples[:, 0] < 0) == (k == 0)]
        n = len(mine)
        assert abs(mine[:, 0].mean() - centre) < 5 * 0.5 / math.sqrt(n)
        # 4 per cent: what the finite rate leaves, besides the Monte Carlo error
        assert abs(mine[:, 1].std() / 0.5 - 1) < 0.04 + 5 / math.sqrt(4 * n)


def test_annealed_samples_pass_a_two_sample_test(samples, generator):
    truth = islands().sample(500, generator=generator)
    kernel = lambda a, b: torch.exp(-(torch.cdist(a, b) ** 2) / 2)
    found = mmd_permutation_test(samples[:500], truth, kernel, generator=generator)
    assert found.p_value > 0.01


def test_one_small_level_leaves_the_weights_to_the_start(generator):
    law = islands()
    start = 6.0 * torch.randn(2000, 2, generator=generator)
    x = last(langevin(law.score, start, step_size=0.02, n_steps=600, generator=generator))
    share = (x[:, 0] < 0).double().mean().item()
    assert 0.4 < share < 0.6  # half of the starts lie on either side; the truth is 0.8
    right = x[x[:, 0] > 0][:300, 1]
    truth = law.sample(300, cond=torch.ones(300, dtype=torch.int64), generator=generator)[:, 1]
    assert wasserstein_1d(right, truth) < 0.1  # within one mode the chain is fine
