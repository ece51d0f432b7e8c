"""Speculative decoding gives the target's law exactly: by enumeration of every random number."""

import itertools
import math
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from genlab.autoregressive.decoding import generate_naive, keep_top_k, reshape_logits
from genlab.autoregressive.lm import TransformerLM
from genlab.autoregressive.speculative import (
    SpeculativeLM,
    acceptance,
    completed_law,
    draft_from,
    draft_from_ngram,
    expected_length,
    expected_tokens,
    measure_speculation,
    residual,
    round_outcomes,
    speculative_round,
    speculative_sample,
    speedup,
    verify,
)
from genlab.autoregressive.tokens import NGram
from genlab.core import last
from genlab.core.capabilities import HasLogProb, Sampleable, likelihood_kind
from genlab.data.text import load_text
from genlab.metrics.cost import network_passes
from genlab.nn.transformer import TransformerConfig
from genlab.zoo import load_model
from genlab.zoo.lessons import ALPHABET, windows

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


START = torch.zeros(200, 1, dtype=torch.long)


def flat(law):
    return lambda tokens: law.log().expand(*tokens.shape, len(law))


@pytest.mark.parametrize("k", [1, 4])
def test_the_formula_holds_where_every_draft_is_kept_alike(k, generator):
    p, q = torch.tensor([0.5, 0.3, 0.2]), torch.tensor([0.2, 0.2, 0.6])
    rate = float(acceptance(p, q))
    found = measure_speculation(flat(p), draft_from(flat(q)), START, 60, k=k, generator=generator)
    n_rounds = 200 * 60 / found.tokens_per_pass
    assert abs(found.first_kept - rate) < 5 * math.sqrt(rate * (1 - rate) / n_rounds)
    assert abs(found.tokens_per_pass - expected_tokens(rate, k)) < 5 * k / math.sqrt(n_rounds)
    assert found.predicted == expected_tokens(found.first_kept, k)
    assert found.passes_per_token == 1 / found.tokens_per_pass


def test_texts_that_wait_for_others_are_not_counted(generator):
    # one text keeps everything and is done after two rounds; the other keeps nothing and needs six
    p = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    q = torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, 1.0]])
    target, draft = (lambda x, law=law: law[x].log() for law in (p, q))
    found = measure_speculation(
        target, draft_from(draft), torch.tensor([[0], [1]]), 6, k=2, generator=generator
    )
    assert found.tokens_per_pass == (2 * 3 + 6 * 1) / 8
    assert found.first_kept == 2 / 8


def test_somebody_must_draft():
    with pytest.raises(ValueError, match="at least 1"):
        measure_speculation(flat(torch.ones(2) / 2), draft_from(flat(torch.ones(2))), START, 2, k=0)


@pytest.fixture(scope="module")
def text():
    """The shipped writer of the manual, counts of three characters, and prompts."""
    torch.set_default_dtype(torch.float32)
    lm = load_model("text_transformer")
    counts = NGram(windows(load_text("train"), 1).flatten(), len(ALPHABET), 2)
    prompts = torch.cat([lm.begin(64), windows(load_text("test"), 24)[:64]], 1)
    return lm, draft_from_ngram(counts), prompts


@pytest.mark.slow
@pytest.mark.parametrize(("k", "low", "high"), [(1, 1.5, 1.85), (4, 2.2, 3.2)])
def test_counts_save_the_transformer_of_the_manual_more_than_half_its_passes(k, low, high, text):
    torch.set_default_dtype(torch.float32)
    lm, draft, prompts = text
    found = measure_speculation(
        lm.next_logits, draft, prompts, 40, k=k, generator=torch.Generator().manual_seed(0)
    )
    assert 0.5 < found.first_kept < 0.85
    assert low < found.tokens_per_pass < high
    assert abs(found.tokens_per_pass / found.predicted - 1) < 0.15


@pytest.mark.slow
def test_text_written_with_a_draft_is_as_probable_as_text_written_without(text):
    torch.set_default_dtype(torch.float32)
    lm, draft, prompts = text
    n, surprise = prompts.shape[1], []
    for k in (0, 4):
        written = last(
            speculative_sample(
                lm.next_logits, draft, prompts, 40, k=k, generator=torch.Generator().manual_seed(k)
            )
        ).tokens[:, 1 : n + 40]
        log_p = lm.logits(written).log_softmax(-1).gather(-1, written[..., None])[..., 0]
        surprise.append(-log_p[:, n - 1 :].mean(1))  # nats a character, one number a text
    alone, drafted = surprise
    error = ((alone.var() + drafted.var()) / len(alone)).sqrt()
    assert abs(float(alone.mean() - drafted.mean())) < 4 * float(error)


P_SPECULATIVE_LOOP = torch.tensor(
    [[0.1, 0.5, 0.4], [0.6, 0.2, 0.2], [0.3, 0.3, 0.4]]
)  # row: the token before
Q_SPECULATIVE_LOOP = torch.tensor([[0.5, 0.25, 0.25], [0.2, 0.6, 0.2], [0.4, 0.2, 0.4]])
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
            logits_of(P_SPECULATIVE_LOOP),
            draft_from(logits_of(Q_SPECULATIVE_LOOP)),
            start,
            3,
            k=k,
            generator=generator,
        )
    )
    texts = end.tokens[:, 1:4]
    found = torch.zeros(3, 3, 3).index_put_(tuple(texts.T), torch.ones(()), accumulate=True) / N
    exact = (
        P_SPECULATIVE_LOOP[0][:, None, None]
        * P_SPECULATIVE_LOOP[:, :, None]
        * P_SPECULATIVE_LOOP[None]
    )
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
    target, calls = counting(logits_of(P_SPECULATIVE_LOOP))
    start = torch.zeros(50, 1, dtype=torch.long)
    rounds = list(
        speculative_sample(
            target, draft_from(logits_of(P_SPECULATIVE_LOOP)), start, 12, k=3, generator=generator
        )
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
        logits_of(P_SPECULATIVE_LOOP),
        draft_from(logits_of(Q_SPECULATIVE_LOOP)),
        start,
        7,
        k=3,
        generator=generator,
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
            logits_of(P_SPECULATIVE_LOOP), draft_from(logits_of(Q_SPECULATIVE_LOOP)),
            torch.zeros(30, 1, dtype=torch.long), 9, k=2, generator=generator,
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
            logits_of(P_SPECULATIVE_LOOP),
            draft_from(logits_of(Q_SPECULATIVE_LOOP)),
            start,
            1,
            k=2,
            reshape=top,
            generator=generator,
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
