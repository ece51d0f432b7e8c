"""Speculation counted: the formula where its assumption holds, and real text where it does not."""

import math

import pytest
import torch

from genlab.autoregressive.ngram import NGram
from genlab.autoregressive.speculative import acceptance, expected_tokens
from genlab.autoregressive.speculative_cost import measure_speculation
from genlab.autoregressive.speculative_loop import draft_from, draft_from_ngram, speculative_sample
from genlab.autoregressive.text_transformer import ALPHABET, windows
from genlab.core import last
from genlab.data.text import load_text
from genlab.systems import load_model

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
