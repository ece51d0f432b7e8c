"""Minibatches: every example once an epoch, and a place to come back to."""

import pytest
import torch

from genlab.train import minibatches


@pytest.mark.parametrize("size", [0, 9])
def test_a_batch_that_the_data_cannot_fill_is_refused(size):
    with pytest.raises(ValueError, match=f"got {size}"):
        minibatches(torch.zeros(8, 2), size)


def test_an_epoch_shows_every_example_once(generator):
    batches = minibatches(torch.arange(12), 4, generator=generator)
    for _ in range(3):
        epoch = torch.cat([next(batches) for _ in range(3)])
        assert sorted(epoch.tolist()) == list(range(12))


def test_examples_keep_their_conditions(generator):
    x = torch.arange(12)
    batches = minibatches(x, 4, cond=10 * x, generator=generator)
    for _ in range(5):
        batch, cond = next(batches)
        assert torch.equal(cond, 10 * batch)


def test_a_change_is_made_to_every_batch(generator):
    batches = minibatches(torch.arange(4), 2, generator=generator, change=lambda x: 10 * x)
    epoch = torch.cat([next(batches) for _ in range(2)])
    assert sorted(epoch.tolist()) == [0, 10, 20, 30]


def test_a_change_gets_examples_and_conditions(generator):
    x = torch.arange(4)
    batches = minibatches(
        x, 2, cond=-x, generator=generator, change=lambda pair: (pair[1], pair[0])
    )
    cond, batch = next(batches)
    assert torch.equal(cond, -batch)


@pytest.mark.parametrize("taken", range(6))
def test_a_stream_goes_on_from_where_it_was(taken):
    def stream():
        noise = torch.Generator().manual_seed(3)
        add = lambda x: x + torch.rand(len(x), generator=noise)
        return minibatches(torch.arange(5), 2, generator=noise, change=add)

    whole = stream()
    expected = [next(whole) for _ in range(9)]
    first, second = stream(), stream()
    for _ in range(taken):
        next(first)
    second.load_state_dict(first.state_dict())
    for batch in expected[taken:]:
        assert torch.equal(next(second), batch)


def test_a_stored_place_does_not_move_with_the_stream(generator):
    batches = minibatches(torch.arange(6), 2, generator=generator)
    next(batches)
    state = batches.state_dict()
    expected = [next(batches) for _ in range(4)]
    batches.load_state_dict(state)
    assert all(torch.equal(next(batches), batch) for batch in expected)


def test_a_place_in_other_data_is_refused(generator):
    batches = minibatches(torch.arange(6), 2, generator=generator)
    next(batches)
    with pytest.raises(ValueError, match="of 6 examples, not of 7"):
        minibatches(torch.arange(7), 2).load_state_dict(batches.state_dict())
