"""Contrastive divergence and persistent chains: where negatives come from, and their bias."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from genlab.score.contrastive import PersistentChains, contrastive_negatives, energy_penalty
from genlab.solvers.mixing import langevin_variance

N = 60_000


@pytest.mark.parametrize("k", [1, 3, 10])
def test_the_mean_of_the_negatives_has_gone_the_known_part_of_the_way(k, generator):
    mu, m, eta = 2.0, -1.0, 0.2
    x = m + 0.5 * torch.randn(N, 1, generator=generator)
    negatives = contrastive_negatives(
        lambda x: mu - x, x, step_size=eta, n_steps=k, generator=generator
    )
    expected = mu + (1 - eta) ** k * (m - mu)
    assert abs(negatives.mean() - expected) < 5 * negatives.std() / N**0.5


@pytest.mark.parametrize("k", [1, 4])
def test_the_variance_of_the_negatives_lies_between_data_and_chain(k, generator):
    eta, v0 = 0.3, 0.25
    x = v0**0.5 * torch.randn(N, 1, generator=generator)
    negatives = contrastive_negatives(
        lambda x: -x, x, step_size=eta, n_steps=k, generator=generator
    )
    end = langevin_variance(eta)
    expected = end + (1 - eta) ** (2 * k) * (v0 - end)
    assert abs(negatives.var() / expected - 1) < 5 * (2 / N) ** 0.5


def test_negatives_carry_no_gradient():
    weight = torch.ones((), requires_grad=True)
    x = contrastive_negatives(lambda x: -weight * x, torch.ones(2, 1), step_size=0.1, n_steps=2)
    assert not x.requires_grad


def test_less_than_one_step_is_refused():
    with pytest.raises(ValueError, match="expected at least 1"):
        contrastive_negatives(lambda x: -x, torch.ones(1, 1), step_size=0.1, n_steps=0)


@given(a=st.floats(-5, 5), b=st.floats(-5, 5))
def test_the_penalty_pulls_both_energies_to_zero(a, b):
    e = torch.tensor([a], requires_grad=True)
    f = torch.tensor([b], requires_grad=True)
    energy_penalty(e, f).sum().backward()
    assert (e.grad.item(), f.grad.item()) == pytest.approx((2 * a, 2 * b))


def test_rows_are_different_and_states_go_back_to_them(generator):
    pool = PersistentChains(10, (3,), generator=generator)
    before = pool.states.clone()
    rows, states = pool.take(4, generator=generator)
    assert len(set(rows.tolist())) == 4
    torch.testing.assert_close(states, before[rows])
    pool.put(rows, states + 5)
    torch.testing.assert_close(pool.states[rows], before[rows] + 5)
    rest = [i for i in range(10) if i not in rows.tolist()]
    torch.testing.assert_close(pool.states[rest], before[rest])


def test_taking_does_not_move_the_pool(generator):
    pool = PersistentChains(10, (3,), p_restart=1.0, generator=generator)
    before = pool.states.clone()
    _, states = pool.take(10, generator=generator)
    states.zero_()
    torch.testing.assert_close(pool.states, before)


def test_a_known_share_starts_afresh(generator):
    n, share = 20_000, 0.3
    pool = PersistentChains(n, (1,), start_std=2.0, p_restart=share, generator=generator)
    pool.put(torch.arange(n), torch.full((n, 1), 100.0))
    _, states = pool.take(n, generator=generator)
    fresh = states[states < 50]
    assert abs(len(fresh) / n - share) < 5 * (share * (1 - share) / n) ** 0.5
    assert abs(fresh.std() / 2.0 - 1) < 5 * (0.5 / len(fresh)) ** 0.5


def test_the_pool_is_saved_with_the_model(generator):
    pool = PersistentChains(5, (2,), generator=generator)
    other = PersistentChains(5, (2,), generator=generator)
    other.load_state_dict(pool.state_dict())
    torch.testing.assert_close(other.states, pool.states)


@pytest.mark.parametrize(("n_chains", "p_restart"), [(0, 0.0), (3, -0.1), (3, 1.1)])
def test_impossible_pools_are_refused(n_chains, p_restart):
    with pytest.raises(ValueError, match="expected at least 1 and in"):
        PersistentChains(n_chains, (1,), p_restart=p_restart)


def test_more_rows_than_chains_are_refused():
    with pytest.raises(ValueError, match="at most the pool's 3"):
        PersistentChains(3, (1,)).take(4)
