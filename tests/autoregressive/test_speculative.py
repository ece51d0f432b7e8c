"""Speculative decoding follows the target exactly: by enumeration of every random number."""

import itertools
import math
import re

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from genlab.autoregressive.lm import TransformerLM
from genlab.autoregressive.speculative import (
    SpeculativeLM,
    acceptance,
    draft_from_ngram,
    residual,
    speculative_round,
    speculative_sample,
    verify,
)
from genlab.autoregressive.tokens import NGram
from genlab.core.capabilities import likelihood_kind
from genlab.metrics.cost import network_passes
from genlab.nn.transformer import TransformerConfig

DISTRIBUTIONS = st.lists(st.floats(0.01, 1.0), min_size=3, max_size=3).map(
    lambda w: torch.tensor(w) / sum(w)
)
# Distributions of the next token given the one before, that of a first token in front. All
# thresholds p / q and all steps of the residuals' and the target's cumulative sums are multiples of
# 1/24, so 24 even values of a uniform number stand for all of them exactly.
CELLS = 24
P = torch.tensor([[1, 4, 3], [4, 2, 2], [2, 2, 4], [2, 4, 2]]) / 8
Q = torch.tensor([[4, 2, 2], [2, 4, 2], [4, 2, 2], [2, 2, 4]]) / 8


def after(table, text):
    return table[text[-1] + 1 if text else 0]


@pytest.mark.parametrize("k", [1, 2])
def test_verification_follows_the_target_over_all_random_numbers(k):
    """All drafts, all cells of all uniform numbers; what is left open the target fills up."""
    places = (torch.arange(CELLS) + 0.5) / CELLS
    u = torch.cartesian_prod(*[places] * (k + 1)).reshape(-1, k + 1)
    many = lambda a: a.expand(len(u), *a.shape)
    found, kept_in_all = torch.zeros((3,) * (k + 1)), 0.0
    for x in itertools.product(range(3), repeat=k):
        q = torch.stack([after(Q, x[:i]) for i in range(k)])
        p = torch.stack([after(P, x[:i]) for i in range(k + 1)])
        weight = float(q[torch.arange(k), list(x)].prod()) / len(u)
        tokens, kept = verify(
            many(torch.tensor(x)), many(q), many(p), u[:, :k], u[:, k].contiguous()
        )
        kept_in_all += weight * float(kept.sum())
        for row, n in zip(tokens.tolist(), kept.tolist(), strict=True):
            for rest in itertools.product(range(3), repeat=k - n):
                text = (*row[: n + 1], *rest)
                open_ = [float(after(P, text[:i])[text[i]]) for i in range(n + 1, k + 1)]
                found[text] += weight * math.prod(open_)
    target = torch.zeros_like(found)
    for text in itertools.product(range(3), repeat=k + 1):
        target[text] = math.prod(float(after(P, text[:i])[text[i]]) for i in range(k + 1))
    torch.testing.assert_close(found, target, atol=1e-12, rtol=0)
    first = float(acceptance(P[0], Q[0]))
    second = float((torch.minimum(P[0], Q[0]) * acceptance(P[1:], Q[1:])).sum())
    assert kept_in_all == pytest.approx(first + (second if k == 2 else 0.0))


@given(p=DISTRIBUTIONS, q=DISTRIBUTIONS)
def test_kept_and_replaced_add_up_to_the_target(p, q):
    # by hand: P(x) = q min(1, p/q) + (1 - beta) p'(x)
    kept = q * (p / q).clamp(max=1)
    torch.testing.assert_close(kept + (1 - kept.sum()) * residual(p, q), p)
    assert abs(float(acceptance(p, q)) - (1 - float((p - q).abs().sum()) / 2)) < 1e-12


def test_each_row_is_accepted_by_its_own_overlap():
    p, q = torch.tensor([[0.5, 0.5, 0.0], [0.2, 0.3, 0.5]]), torch.tensor([0.0, 0.2, 0.8])
    torch.testing.assert_close(acceptance(p, q.expand(2, 3)), torch.tensor([0.2, 0.7]))


P1 = torch.tensor([[0.1, 0.5, 0.4], [0.6, 0.2, 0.2], [0.3, 0.3, 0.4]])  # row: the token before
Q1 = torch.tensor([[0.5, 0.25, 0.25], [0.2, 0.6, 0.2], [0.4, 0.2, 0.4]])
N = 40_000


def logits_of(table):
    return lambda tokens: table[tokens].log()


def draft_from(table):
    return lambda tokens, length: table[tokens[torch.arange(len(tokens)), length - 1]]


def speculate(target, draft, n, n_new, **settings):
    start = torch.zeros(n, 1, dtype=torch.long)
    return list(speculative_sample(logits_of(target), draft_from(draft), start, n_new, **settings))


@pytest.mark.parametrize("k", [0, 1, 3])
def test_texts_are_distributed_as_the_target(k, generator):
    texts = speculate(P1, Q1, N, 3, k=k, generator=generator)[-1].tokens[:, 1:4]
    found = torch.zeros(3, 3, 3).index_put_(tuple(texts.T), torch.ones(()), accumulate=True) / N
    exact = P1[0][:, None, None] * P1[:, :, None] * P1[None]
    # each cell within 5 standard deviations of a binomial proportion
    assert bool(((found - exact).abs() < 5 * (exact * (1 - exact) / N).sqrt()).all())


@pytest.mark.parametrize("k", [0, 1, 4])
def test_a_pass_reads_the_texts_with_room_for_the_drafts_and_one_token_more(k):
    widths = []

    def read(tokens):
        widths.append(tokens.shape[1])
        return logits_of(P1)(tokens)

    texts, length = torch.zeros(5, 3, dtype=torch.long), torch.tensor([1, 2, 3, 3, 2])
    step = speculative_round(read, draft_from(Q1), texts, length, k)
    assert widths == [step.tokens.shape[1]] == [3 + k + 1]
    assert torch.equal(step.length, length + step.kept + 1)


def test_a_draft_that_is_the_target_is_always_kept(generator):
    step = speculative_round(
        logits_of(P1), draft_from(P1), torch.zeros(200, 1, dtype=torch.long),
        torch.ones(200, dtype=torch.long), 3, generator=generator,
    )  # fmt: skip
    assert step.kept.eq(3).all()


def test_tokens_per_pass_are_as_many_as_the_formula_says(generator):
    # distributions that do not depend on the text: each draft is kept with the same chance
    p, q = torch.tensor([0.5, 0.3, 0.2]), torch.tensor([0.2, 0.2, 0.6])
    step = speculative_round(
        logits_of(p.expand(3, 3)), draft_from(q.expand(3, 3)), torch.zeros(N, 1, dtype=torch.long),
        torch.ones(N, dtype=torch.long), 4, generator=generator,
    )  # fmt: skip
    new = (step.length - 1).double()
    torch.testing.assert_close(new, step.kept.double() + 1)
    expected = sum(float(acceptance(p, q)) ** j for j in range(5))  # Leviathan et al., eq. 1
    assert abs(float(new.mean()) - expected) < 5 * float(new.std()) / math.sqrt(N)


@pytest.mark.parametrize("order", [0, 1, 2])
def test_counts_draft_the_distribution_that_the_ngram_gives_each_token(order, generator):
    stream = torch.randint(3, (60,), generator=generator)
    model = NGram(stream, 3, order)
    text = torch.tensor([[2, 0, 1, 1, 0], [0, 2, 2, 1, 0]])
    drafted = draft_from_ngram(model)(text, torch.tensor([5, 4]))
    torch.testing.assert_close(drafted.sum(1), torch.ones(2))
    for row, end in ((0, 5), (1, 4)):
        for token in range(3):
            longer = torch.cat([text[row, :end], torch.tensor([token])])
            torch.testing.assert_close(drafted[row, token], model.token_log_probs(longer)[-1].exp())
    begin = draft_from_ngram(model)(torch.tensor([[3]]), torch.tensor([1]))  # no context yet
    torch.testing.assert_close(begin.sum(), torch.tensor(1.0))


def uniform(tokens, length):
    return torch.full((len(tokens), 4), 0.25)


@pytest.fixture
def lm():
    config = TransformerConfig(d_model=8, n_layer=1, n_head=2, n_kv_head=2, d_hidden=16)
    return TransformerLM(4, 6, config).eval()


@pytest.mark.parametrize(("asked", "drafted"), [({}, 4), ({"k": 2}, 2), ({"k": 0}, 0)])
def test_a_round_drafts_four_tokens_by_default(lm, asked, drafted):
    lengths = []

    def draft(tokens, length):
        lengths.append(length.item())
        return uniform(tokens, length)

    next(SpeculativeLM(lm, draft, **asked).rounds(1))
    assert lengths == [*range(1, 1 + drafted)]


def test_the_model_has_the_targets_likelihood_and_fewer_passes(lm, generator):
    model = SpeculativeLM(lm, uniform, k=2)
    x = torch.randint(4, (3, 6), generator=generator)
    torch.testing.assert_close(model.log_prob(x), lm.log_prob(x))
    assert likelihood_kind(model) == "exact"
    passes = network_passes(model, lambda: model.sample(1, generator=generator))
    assert 2 <= passes <= 6  # alone: 6, one a token
    one, two = (model.sample(4, generator=torch.Generator().manual_seed(1)) for _ in range(2))
    assert one.shape == (4, 6)
    assert torch.equal(one, two)


def test_bad_input_is_refused(lm):
    q = torch.full((1, 1, 2), 0.5)
    drafted, u = torch.zeros(1, 1, dtype=torch.long), q[..., 0]
    for n in (1, 3):
        with pytest.raises(
            ValueError, match=re.escape(f"p has shape (1, {n}, 2), expected (1, 2, 2)")
        ):
            verify(drafted, q, q.expand(1, n, 2), u, u[:, 0])
    with pytest.raises(ValueError, match="0 tokens"):
        next(speculative_sample(lm.next_logits, uniform, lm.begin(1)[:, :0], 2, k=1))
