"""The language model put together: bits over the tokenizer, prompts, completions, the cache."""

import math
from functools import partial

import pytest
import torch

from genlab.autoregressive.decoding import generate_naive, reshape_logits
from genlab.autoregressive.tokens import BPE, train_bpe
from genlab.core import last
from genlab.data.text import load_text
from genlab.nn.transformer import TransformerConfig
from genlab.systems.language_model import LanguageModel, SpelledWindows

TEXT = "the cat sat on the mat; the cat sat on the hat. "
CONFIG = TransformerConfig(d_model=16, n_layer=2, n_head=4, n_kv_head=2, d_hidden=24, tied=True)


@pytest.fixture
def model():
    torch.manual_seed(0)
    model = LanguageModel(264, 12, CONFIG)
    model.merges.copy_(torch.tensor(train_bpe(TEXT, 264)))
    with torch.no_grad():  # far from uniform
        for p in model.parameters():
            p.mul_(6 if p.ndim > 1 else 1)
    return model.eval()


def test_a_uniform_model_costs_log_k_for_each_token(model):
    torch.nn.init.zeros_(model.lm.net.head.weight)
    n = len(model.tokenizer.encode(TEXT))
    assert n < len(TEXT)
    expected = n * math.log2(264) / len(TEXT.encode())
    assert model.bits_per_byte(TEXT) == pytest.approx(expected, rel=1e-12)


def test_bytes_are_counted_and_not_characters(model):
    torch.nn.init.zeros_(model.lm.net.head.weight)
    assert model.bits_per_byte("東") == pytest.approx(math.log2(264))  # three bytes, three tokens


def test_a_short_text_is_scored_as_a_whole(model):
    tokens = model.tokenizer.encode("the cat sat")
    assert len(tokens) <= 12
    nats = -model.log_prob(tokens[None])[0]
    torch.testing.assert_close(model.token_nats("the cat sat").sum(), nats)
    bits = nats.item() / math.log(2) / 11
    assert model.bits_per_byte("the cat sat") == pytest.approx(bits)


def test_a_token_of_a_long_text_sees_the_tokens_before_it_in_its_window(model):
    tokens = model.tokenizer.encode(TEXT)
    nats = model.token_nats(TEXT, stride=1)
    assert len(nats) == len(tokens)
    window = tokens[None, 3:15]  # the first window that reaches token 14, with a stride of 1
    expected = -model.lm.logits(window).log_softmax(-1)[0, -1, tokens[14]]
    torch.testing.assert_close(nats[14], expected.detach())


def test_the_usual_stride_is_a_quarter_of_the_context(model):
    assert torch.equal(model.token_nats(TEXT), model.token_nats(TEXT, stride=3))
    assert not torch.equal(model.token_nats(TEXT), model.token_nats(TEXT, stride=12))


def test_the_loss_is_the_mean_over_pieces_of_the_stated_length(model, generator):
    x = torch.randint(264, (2, 12), generator=generator)
    whole = model.loss(x)
    torch.testing.assert_close(whole, -model.log_prob(x).mean() / 12)
    torch.testing.assert_close(model.loss(x, length=4), -model.log_prob(x.reshape(6, 4)).mean() / 4)


def test_a_cached_completion_is_the_naive_one(model):
    greedy = partial(reshape_logits, top_k=3, temperature=0.7)
    prompt = torch.cat([model.lm.begin(1), model.prompt("the cat")], dim=1)
    g = torch.Generator().manual_seed(3)
    naive = last(generate_naive(model.lm.next_logits, prompt, 7, reshape=greedy, generator=g))
    text = last(
        model.complete("the cat", 7, reshape=greedy, generator=torch.Generator().manual_seed(3))
    )
    assert text == "the cat" + model.tokenizer.decode(naive[0, prompt.shape[1] :])


def test_a_long_prompt_loses_its_beginning_and_keeps_its_end(model):
    tokens = model.tokenizer.encode(TEXT)
    assert torch.equal(model.prompt(TEXT, 4)[0], tokens[-8:])
    assert last(model.complete(TEXT, 4)).startswith(TEXT)
    assert model.prompt("").shape == (1, 0)


def test_more_tokens_than_the_context_holds_are_refused(model):
    with pytest.raises(ValueError, match="below the context of 12, got 12"):
        next(model.complete("a", 12))


# Windows of a text that is spelled anew

MANUAL = load_text("val")[:6000]
SPELLER = BPE(train_bpe(MANUAL, 300))


def stream(seed=0, batch_size=4, drop=0.1):
    g = torch.Generator().manual_seed(seed)
    return SpelledWindows(MANUAL, SPELLER, 32, batch_size, drop, g)


def test_windows_are_pieces_of_the_text():
    batches = stream()
    for _ in range(3):
        batch = next(batches)
        assert batch.shape == (4, 32)
        assert all(SPELLER.decode(row) in MANUAL for row in batch)


def test_a_reading_shows_nearly_all_of_the_text_once_and_the_next_is_spelled_anew():
    batches, n = stream(batch_size=1), len(SPELLER.encode(MANUAL)) // 32

    def reading():
        return sorted(SPELLER.decode(next(batches)[0]) for _ in range(n - 2))

    first, second = reading(), reading()
    assert len(set(first)) == n - 2
    assert sum(len(piece) for piece in first) > 0.8 * len(MANUAL)
    assert first != second


def test_overlooked_merges_leave_shorter_tokens():
    lengths = [
        sum(len(SPELLER.decode(row)) for row in next(stream(batch_size=16, drop=drop)))
        for drop in (0.0, 0.5)
    ]
    assert lengths[1] < 0.9 * lengths[0]


@pytest.mark.parametrize("n_before", [0, 3, 60])
def test_the_stream_is_resumed_where_it_was_left(n_before):
    left, taken = stream(), stream(seed=99)
    for _ in range(n_before):
        next(left)
    taken.load_state_dict(left.state_dict())
    for _ in range(60):  # across the end of a reading
        assert torch.equal(next(left), next(taken))
