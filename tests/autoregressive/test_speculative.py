"""Speculative decoding gives the target's law exactly: by enumeration of every random number."""

import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from genlab.autoregressive.speculative import (
    acceptance,
    expected_tokens,
    residual,
    speedup,
    verify,
)
from genlab.autoregressive.speculative_law import (
    completed_law,
    expected_length,
    round_outcomes,
)

LAWS = st.lists(st.floats(0.01, 1.0), min_size=3, max_size=3).map(
    lambda w: torch.tensor(w) / sum(w)
)
# Laws of the next token that depend on the token before. All thresholds p / q and all steps of the
# residuals' and the target's cumulative sums are multiples of 1/24, so 24 even values of a uniform
# number stand for all of them exactly.
CELLS = 24
P = torch.tensor([[1, 4, 3], [4, 2, 2], [2, 2, 4], [2, 4, 2]]) / 8
Q = torch.tensor([[4, 2, 2], [2, 4, 2], [4, 2, 2], [2, 2, 4]]) / 8


def p_of(text):
    return P[text[-1] + 1 if text else 0]


def q_of(text):
    return Q[text[-1] + 1 if text else 0]


def grid_law(k):
    """Law of what `verify` returns: all drafts, all cells of all uniform numbers, no luck."""
    places = (torch.arange(CELLS) + 0.5) / CELLS
    u = torch.cartesian_prod(*[places] * (k + 1)).reshape(-1, k + 1)
    law = {}
    for x in itertools.product(range(3), repeat=k):
        before = [x[:i] for i in range(k + 1)]
        q = torch.stack([q_of(t) for t in before[:k]])
        p = torch.stack([p_of(t) for t in before])
        chance = float(q[torch.arange(k), list(x)].prod())
        many = lambda a: a.expand(len(u), *a.shape)
        tokens, kept = verify(
            many(torch.tensor(x)), many(q), many(p), u[:, :k], u[:, k].contiguous()
        )
        for row, n in zip(tokens.tolist(), kept.tolist(), strict=True):
            text = tuple(row[: n + 1])
            law[text] = law.get(text, 0.0) + chance / len(u)
    return law


@pytest.mark.parametrize("k", [1, 2])
def test_verification_gives_the_targets_law_over_all_random_numbers(k):
    law = completed_law(grid_law(k), p_of, k + 1)
    target = completed_law({(): 1.0}, p_of, k + 1)
    torch.testing.assert_close(law, target, atol=1e-12, rtol=0)


@pytest.mark.parametrize("k", [1, 2])
def test_verification_and_the_formula_agree_on_every_outcome(k):
    grid, formula = grid_law(k), round_outcomes(p_of, q_of, k)
    assert grid.keys() == formula.keys()
    for text, chance in grid.items():
        assert abs(chance - formula[text]) < 1e-12


@given(laws=st.lists(LAWS, min_size=8, max_size=8), k=st.integers(0, 3))
def test_a_round_keeps_the_law_of_any_target_for_any_draft(laws, k):
    pick = lambda half: lambda text: laws[half + (text[-1] + 1 if text else 0)]
    p, q = pick(0), pick(4)
    outcomes = round_outcomes(p, q, k)
    assert abs(sum(outcomes.values()) - 1) < 1e-12
    law, target = completed_law(outcomes, p, k + 1), completed_law({(): 1.0}, p, k + 1)
    torch.testing.assert_close(law, target, atol=1e-12, rtol=0)


def test_a_draft_that_excludes_tokens_or_offers_impossible_ones_changes_nothing():
    p, q = torch.tensor([0.5, 0.0, 0.5]), torch.tensor([0.0, 0.5, 0.5])
    law = completed_law(round_outcomes(lambda t: p, lambda t: q, 2), lambda t: p, 3)
    torch.testing.assert_close(law, completed_law({(): 1.0}, lambda t: p, 3), atol=1e-12, rtol=0)


@given(p=LAWS, q=LAWS)
def test_kept_and_replaced_add_up_to_the_target(p, q):
    # by hand: P(x) = q min(1, p/q) + (1 - beta) p'(x)
    kept = q * (p / q).clamp(max=1)
    torch.testing.assert_close(kept + (1 - kept.sum()) * residual(p, q), p)


@given(p=LAWS, q=LAWS)
def test_acceptance_is_one_minus_the_total_variation(p, q):
    assert abs(float(acceptance(p, q)) - (1 - float((p - q).abs().sum()) / 2)) < 1e-12


def test_replacements_are_what_the_draft_gave_too_little():
    p, q = torch.tensor([0.2, 0.5, 0.3]), torch.tensor([0.6, 0.3, 0.1])
    torch.testing.assert_close(residual(p, q), torch.tensor([0.0, 0.5, 0.5]))


def test_nothing_is_replaced_where_the_laws_are_equal():
    p = torch.tensor([[0.2, 0.8], [0.5, 0.5]])
    torch.testing.assert_close(residual(p, p), p)
    torch.testing.assert_close(acceptance(p, p), torch.ones(2))


@pytest.mark.parametrize("k", [0, 1, 2, 3])
def test_expected_tokens_of_a_round_where_each_draft_is_kept_alike(k):
    # laws that do not depend on the text: the chance is the same at every place
    p, q = torch.tensor([0.5, 0.3, 0.2]), torch.tensor([0.2, 0.2, 0.6])
    outcomes = round_outcomes(lambda t: p, lambda t: q, k)
    assert abs(expected_length(outcomes) - expected_tokens(float(acceptance(p, q)), k)) < 1e-12


def test_expected_tokens_by_hand():
    assert expected_tokens(0.5, 2) == 1.75  # 1 + 1/2 + 1/4
    assert expected_tokens(0.0, 5) == 1.0
    assert expected_tokens(1.0, 5) == 6.0
    assert abs(expected_tokens(1 - 1e-9, 5) - 6.0) < 1e-6


def test_speculation_pays_only_if_drafts_are_cheap_enough():
    assert speedup(0.5, 1, 0.0) == 1.5
    assert speedup(0.5, 1, 0.5) == 1.0  # 1.5 tokens for 1.5 passes' time
    assert speedup(0.5, 1, 1.0) < 1
    assert speedup(1.0, 4, 0.25) == 2.5  # five tokens for a pass and four quarters of one


def test_all_kept_earns_one_token_more_from_the_targets_last_law():
    p = torch.tensor([[[0.5, 0.5], [0.5, 0.5], [0.0, 1.0]]])
    tokens, kept = verify(
        torch.tensor([[1, 0]]), p[:, :2], p, torch.full((1, 2), 0.99), torch.tensor([0.3])
    )
    assert tokens.tolist() == [[1, 0, 1]]
    assert kept.tolist() == [2]


def test_what_follows_a_rejected_token_is_thrown_away():
    q = torch.tensor([[[1.0, 0.0], [0.5, 0.5]]])
    p = torch.tensor([[[0.0, 1.0], [0.5, 0.5], [0.5, 0.5]]])
    tokens, kept = verify(
        torch.tensor([[0, 1]]), q, p, torch.tensor([[0.5, 0.0]]), torch.tensor([0.9])
    )
    assert tokens.tolist() == [[1, 0, 0]]  # the replacement, then padding
    assert kept.tolist() == [0]


def test_without_a_draft_a_round_is_ordinary_decoding():
    p = torch.tensor([[[0.25, 0.75]]]).expand(4, 1, 2)
    u = torch.tensor([0.1, 0.2, 0.3, 0.9])
    tokens, kept = verify(torch.zeros(4, 0, dtype=torch.long), p[:, :0], p, u[:, None][:, :0], u)
    assert tokens[:, 0].tolist() == [0, 0, 1, 1]
    assert kept.tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize("n_laws", [1, 3])
def test_the_target_must_speak_about_every_draft_and_one_place_more(n_laws):
    q = torch.full((1, 1, 2), 0.5)
    with pytest.raises(ValueError, match="need 2 laws"):
        verify(
            torch.zeros(1, 1, dtype=torch.long), q, q.expand(1, n_laws, 2), q[..., 0], q[:, 0, 0]
        )


@pytest.mark.parametrize(("rate", "k"), [(-0.1, 1), (1.1, 1), (0.5, -1)])
def test_impossible_rates_and_counts_are_refused(rate, k):
    with pytest.raises(ValueError, match="0 <= rate <= 1"):
        expected_tokens(rate, k)


def test_a_draft_cannot_cost_less_than_nothing():
    with pytest.raises(ValueError, match="draft_cost"):
        speedup(0.5, 1, -1.0)
