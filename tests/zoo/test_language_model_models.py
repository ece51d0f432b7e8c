"""The recipe of the language model: its stream of spellings, and that it learns and resumes."""

import math
from itertools import pairwise

import pytest
import torch

from genlab.autoregressive.tokens import BPE, train_bpe
from genlab.core import last
from genlab.data.text import load_text
from genlab.zoo.language_model_models import (
    TRAININGS,
    Recipe,
    SpelledWindows,
    language_model,
    train_language_model,
)

TEXT = load_text("val")[:6000]
SMALL = Recipe(
    n_tokens=300, context=32, short=8, d_model=16, n_layer=1, n_head=2, n_kv_head=1, d_hidden=24,
    n_steps=40, batch_size=4, lr=1e-2, decay=0.9,
)  # fmt: skip


def stream(seed=0, **changes):
    recipe = Recipe(**{**vars(SMALL), **changes})
    tokenizer = BPE(train_bpe(TEXT, recipe.n_tokens))
    return SpelledWindows(TEXT, tokenizer, recipe, torch.Generator().manual_seed(seed)), tokenizer


def test_windows_are_pieces_of_the_text():
    batches, tokenizer = stream()
    for _ in range(3):
        batch = next(batches)
        assert batch.shape == (4, 32)
        assert all(tokenizer.decode(row) in TEXT for row in batch)


def test_a_reading_shows_nearly_all_of_the_text_once_and_the_next_is_spelled_anew():
    batches, tokenizer = stream(batch_size=1)
    n = len(tokenizer.encode(TEXT)) // 32

    def reading():
        return sorted(tokenizer.decode(next(batches)[0]) for _ in range(n - 2))

    first, second = reading(), reading()
    assert len(set(first)) == n - 2
    assert sum(len(piece) for piece in first) > 0.8 * len(TEXT)
    assert first != second


def test_dropout_of_merges_spells_in_smaller_pieces():
    batches, tokenizer = stream(bpe_dropout=0.5, batch_size=1)
    usual = len(TEXT) / len(tokenizer.encode(TEXT))
    spelled = sum(len(tokenizer.decode(next(batches)[0])) for _ in range(20)) / (20 * 32)
    assert spelled < 0.9 * usual


def test_windows_come_in_a_random_order():
    batches, tokenizer = stream(batch_size=1)
    pieces = [tokenizer.decode(next(batches)[0]) for _ in range(12)]
    assert sum(a + b in TEXT for a, b in pairwise(pieces)) <= 3  # in order, all eleven go on


def test_without_dropout_of_merges_the_spelling_is_the_usual_one():
    batches, tokenizer = stream(bpe_dropout=0.0)
    usual = " ".join(map(str, tokenizer.encode(TEXT).tolist()))
    for row in next(batches):
        assert " ".join(map(str, row.tolist())) in usual


@pytest.mark.parametrize("n_before", [0, 3, 60])
def test_the_stream_is_taken_up_where_it_was_left(n_before):
    left, _ = stream()
    for _ in range(n_before):
        next(left)
    taken, _ = stream(seed=99)
    taken.load_state_dict(left.state_dict())
    for _ in range(60):  # across the end of a reading
        assert torch.equal(next(left), next(taken))


def test_some_steps_learn_and_end_with_the_averages_in_evaluation_mode():
    model = language_model(SMALL)
    before = model.lm.net.embedding.weight.clone()
    run = train_language_model(model, TEXT, SMALL)
    losses = [record.loss for record in run]
    assert len(losses) == 40
    assert abs(losses[0] - math.log(301)) < 0.3  # one of 300 tokens and the begin token
    assert losses[-1] < losses[0] - 0.7
    assert not model.training
    assert not torch.equal(before, model.lm.net.embedding.weight)
    assert model.tokenizer.merges == train_bpe(TEXT, 300)
    assert model.bits_per_byte(TEXT[:500]) < 0.8 * math.log2(300)


def test_windows_are_short_first_and_long_at_the_end():
    model = language_model(SMALL)
    lengths = []
    run = train_language_model(model, TEXT, SMALL)
    for _ in run:
        lengths.append(model.train_length)
    assert lengths == [8] * 28 + [32] * 12


def test_the_average_ships_and_not_the_last_weights():
    """With a decay of zero both are the same; with 0.9 they are not."""
    found = {}
    for decay in (0.0, 0.9):
        recipe = Recipe(**{**vars(SMALL), "decay": decay, "n_steps": 5})
        model = language_model(recipe)
        last_weights = None
        for _ in train_language_model(model, TEXT, recipe):
            last_weights = model.lm.net.embedding.weight.clone()
        found[decay] = torch.equal(last_weights, model.lm.net.embedding.weight)
    assert found == {0.0: True, 0.9: False}


def test_a_run_that_is_taken_up_again_ends_the_same():
    whole = language_model(SMALL)
    torch.manual_seed(5)
    last(train_language_model(whole, TEXT, SMALL))
    torch.manual_seed(5)
    run = train_language_model(language_model(SMALL), TEXT, SMALL)
    for _ in range(17):
        next(run)
    state = run.state_dict()
    again = language_model(SMALL)
    resumed = train_language_model(again, TEXT, SMALL)
    resumed.load_state_dict(state)
    last(resumed)
    for a, b in zip(whole.parameters(), again.parameters(), strict=True):
        assert torch.equal(a, b)


def test_the_same_recipe_gives_the_same_weights_and_leaves_the_global_noise_alone():
    before = torch.get_rng_state()
    one, two = (language_model(SMALL).state_dict() for _ in range(2))
    assert torch.equal(before, torch.get_rng_state())
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_a_text_with_too_few_pairs_is_refused():
    with pytest.raises(ValueError, match="merges"):
        train_language_model(language_model(SMALL), "too short", SMALL)


def test_merges_may_be_kept():
    model = language_model(SMALL)
    model.merges.copy_(torch.tensor(train_bpe(TEXT[:3000], 300)))
    kept = model.merges.clone()
    next(train_language_model(model, TEXT, SMALL, merges=False))
    assert torch.equal(model.merges, kept)


def flat(text):
    return " ".join(text.split())


@pytest.mark.parametrize("split", ["val", "test"])
def test_the_training_part_holds_no_held_out_paragraph(split):
    """None as a whole; one in a hundred characters may stand inside a longer paragraph."""
    train, held_out = load_text("train"), load_text(split)
    paragraphs = [flat(p) for p in held_out.split("\n\n")]
    assert not {flat(p) for p in train.split("\n\n")} & set(paragraphs)
    inside = [p for p in paragraphs if len(p) > 40 and p in flat(train)]
    assert sum(map(len, inside)) < 0.01 * len(held_out)


def test_the_recipe_in_the_zoo_is_the_one_described():
    (training,) = TRAININGS
    assert training.settings == Recipe()
    assert training.seconds <= 900
    assert Recipe().context % Recipe().short == 0
