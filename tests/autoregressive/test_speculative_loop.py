"""The loop: texts of the target's law, for fewer passes, whoever drafts."""

import math
from itertools import pairwise

import pytest
import torch

from genlab.autoregressive.decoding import generate_naive, keep_top_k, reshape_logits
from genlab.autoregressive.ngram import NGram
from genlab.autoregressive.speculative import acceptance, expected_tokens
from genlab.autoregressive.speculative_loop import (
    SpeculativeLM,
    draft_from,
    draft_from_ngram,
    speculative_round,
    speculative_sample,
)
from genlab.autoregressive.transformer_lm import TransformerLM
from genlab.core import last
from genlab.core.protocols import HasLogProb, Sampleable, likelihood_kind
from genlab.metrics.passes import network_passes
from genlab.nn.transformer import TransformerConfig

P = torch.tensor([[0.1, 0.5, 0.4], [0.6, 0.2, 0.2], [0.3, 0.3, 0.4]])  # row: the token before
Q = torch.tensor([[0.5, 0.25, 0.25], [0.2, 0.6, 0.2], [0.4, 0.2, 0.4]])
N = 40_000


def logits_of(table):
    return lambda tokens: table[tokens].log()


def counting(function):
    """The function, and a list that grows by one with every call."""
    calls = []
    return lambda x: calls.append(1) or function(x), calls


@pytest.fixture
def lm():
    config = TransformerConfig(d_model=8, n_layer=1, n_head=2, n_kv_head=2, d_hidden=16)
    return TransformerLM(4, 6, config).eval()


@pytest.mark.parametrize("k", [0, 1, 3])
def test_texts_have_the_law_of_the_target(k, generator):
    start = torch.zeros(N, 1, dtype=torch.long)
    end = last(
        speculative_sample(
            logits_of(P), draft_from(logits_of(Q)), start, 3, k=k, generator=generator
        )
    )
    texts = end.tokens[:, 1:4]
    found = torch.zeros(3, 3, 3).index_put_(tuple(texts.T), torch.ones(()), accumulate=True) / N
    exact = P[0][:, None, None] * P[:, :, None] * P[None]
    # each cell within 5 standard deviations of a binomial share
    assert bool(((found - exact).abs() < 5 * (exact * (1 - exact) / N).sqrt()).all())


def test_tokens_per_pass_are_as_many_as_the_formula_says(generator):
    # laws that do not depend on the text: each draft is kept with the same chance
    p, q = torch.tensor([0.5, 0.3, 0.2]), torch.tensor([0.2, 0.2, 0.6])
    rate, k = float(acceptance(p, q)), 4
    flat = lambda law: lambda tokens: law.log().expand(*tokens.shape, 3)
    step = speculative_round(
        flat(p), draft_from(flat(q)), torch.zeros(N, 1, dtype=torch.long),
        torch.ones(N, dtype=torch.long), k, generator=generator,
    )  # fmt: skip
    new = (step.length - 1).double()
    torch.testing.assert_close(new, step.kept.double() + 1)
    assert abs(float(new.mean()) - expected_tokens(rate, k)) < 5 * float(new.std()) / math.sqrt(N)


def test_a_perfect_draft_needs_one_pass_for_k_plus_one_tokens(generator):
    target, calls = counting(logits_of(P))
    start = torch.zeros(50, 1, dtype=torch.long)
    rounds = list(
        speculative_sample(target, draft_from(logits_of(P)), start, 12, k=3, generator=generator)
    )
    assert len(calls) == len(rounds) == 3
    assert all(bool((r.kept == 3).all()) for r in rounds)


def test_a_hopeless_draft_still_earns_a_token_for_each_pass(generator):
    target = torch.tensor([[0.0, 0.5, 0.5]]).expand(3, 3)
    wrong = torch.tensor([[1.0, 0.0, 0.0]]).expand(3, 3)
    start = torch.ones(20, 1, dtype=torch.long)
    rounds = list(
        speculative_sample(
            logits_of(target), draft_from(logits_of(wrong)), start, 5, k=2, generator=generator
        )
    )
    assert len(rounds) == 5
    assert not bool((rounds[-1].tokens[:, 1:6] == 0).any())


def test_texts_grow_at_their_own_pace_and_stop_at_the_end(generator):
    start = torch.zeros(200, 1, dtype=torch.long)
    before = torch.ones(200, dtype=torch.long)
    for step in speculative_sample(
        logits_of(P), draft_from(logits_of(Q)), start, 7, k=3, generator=generator
    ):
        grown = step.length - before
        running = before < 8
        assert bool((grown[~running] == 0).all())
        assert bool((step.kept[~running] == 0).all())
        assert bool(((grown >= 1) & (grown <= 4))[running].all())
        before = step.length
    assert bool((before == 8).all())
    assert step.tokens.shape == (200, 8)


def test_what_was_written_never_changes(generator):
    steps = list(
        speculative_sample(
            logits_of(P), draft_from(logits_of(Q)), torch.zeros(30, 1, dtype=torch.long), 9, k=2,
            generator=generator,
        )
    )  # fmt: skip
    for one, two in pairwise(steps):
        seen = torch.arange(one.tokens.shape[1]) < one.length[:, None]
        assert torch.equal(one.tokens[seen], two.tokens[:, : one.tokens.shape[1]][seen])


def test_a_reshaped_target_gives_the_reshaped_law(generator):
    top = lambda a: keep_top_k(a, 2)
    start = torch.zeros(N, 1, dtype=torch.long)
    end = last(
        speculative_sample(
            logits_of(P), draft_from(logits_of(Q)), start, 1, k=2, reshape=top, generator=generator
        )
    )
    share = torch.bincount(end.tokens[:, 1], minlength=3) / N
    expected = torch.tensor([0.0, 5 / 9, 4 / 9])
    assert float((share - expected).abs().max()) < 5 * math.sqrt(0.25 / N)


def test_a_transformer_drafted_by_itself_writes_what_it_would_write_alone(lm, generator):
    # a draft equal to the target keeps everything, so the pieces are those of ordinary draws
    text = last(
        speculative_sample(
            lm.next_logits, draft_from(lm.next_logits), lm.begin(300), 6, k=2, generator=generator
        )
    ).tokens[:, 1:7]
    alone = last(generate_naive(lm.next_logits, lm.begin(300), 6, generator=generator))[:, 1:]
    bound = 5 * math.sqrt(2 * 0.25 / 300)  # two shares, each of 300 texts
    for i in range(6):
        shares = [torch.bincount(x[:, i], minlength=4) / 300 for x in (text, alone)]
        assert float((shares[0] - shares[1]).abs().max()) < bound


def test_padding_behind_a_text_changes_nothing_for_a_causal_draft(lm):
    tokens = torch.tensor([[4, 1, 2, 0, 0], [4, 1, 2, 3, 3]])
    law = draft_from(lm.next_logits)(tokens, torch.tensor([3, 3]))
    torch.testing.assert_close(law[0], law[1])
    torch.testing.assert_close(law[0], lm.next_logits(tokens[:1, :3])[0, -1].softmax(-1))


@pytest.mark.parametrize("order", [0, 1, 2])
def test_counts_draft_the_law_that_the_ngram_gives_each_token(order, generator):
    stream = torch.randint(3, (60,), generator=generator)
    model = NGram(stream, 3, order)
    text = torch.tensor([[2, 0, 1, 1, 0], [0, 2, 2, 1, 0]])
    laws = draft_from_ngram(model)(text, torch.tensor([5, 4]))
    torch.testing.assert_close(laws.sum(1), torch.ones(2))
    for row, end in ((0, 5), (1, 4)):
        for token in range(3):
            longer = torch.cat([text[row, :end], torch.tensor([token])])
            torch.testing.assert_close(laws[row, token], model.token_log_probs(longer)[-1].exp())


def test_counts_draft_even_before_there_is_a_context():
    model = NGram(torch.tensor([0, 1, 2] * 9), 3, 2)
    law = draft_from_ngram(model)(torch.tensor([[3]]), torch.tensor([1]))  # a begin token alone
    torch.testing.assert_close(law.sum(), torch.tensor(1.0))


def test_the_model_has_the_targets_likelihood_and_fewer_passes(lm, generator):
    model = SpeculativeLM(lm, draft_from(lambda x: lm.next_logits(x).detach().clone()), k=2)
    _: tuple[HasLogProb, Sampleable] = (model, model)
    x = torch.randint(4, (3, 6), generator=generator)
    torch.testing.assert_close(model.log_prob(x), lm.log_prob(x))
    assert likelihood_kind(model) == "exact"
    uniform = SpeculativeLM(lm, lambda t, n: torch.full((len(t), 4), 0.25), k=2)
    passes = network_passes(uniform, lambda: uniform.sample(1, generator=generator))
    assert 2 <= passes <= 6  # alone: 6, one a token
    assert uniform.sample(3, generator=generator).shape == (3, 6)


def test_samples_are_repeated_by_their_seed(lm):
    model = SpeculativeLM(lm, lambda t, n: torch.full((len(t), 4), 0.25), k=2)
    one, two = (model.sample(4, generator=torch.Generator().manual_seed(1)) for _ in range(2))
    assert torch.equal(one, two)


def test_bad_input_is_refused(lm):
    draft = draft_from(lm.next_logits, reshape=reshape_logits)
    with pytest.raises(ValueError, match="a prompt"):
        next(speculative_sample(lm.next_logits, draft, lm.begin(1)[:, :0], 2, k=1))
    with pytest.raises(ValueError, match="k >= 0"):
        next(speculative_sample(lm.next_logits, draft, lm.begin(1), 2, k=-1))
    with pytest.raises(ValueError, match="cond"):
        SpeculativeLM(lm, draft).sample(1, cond=torch.zeros(1))
