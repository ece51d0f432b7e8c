"""Writing until a stop: the same draws as the plain loop, states of the same pass, cut in time."""

import pytest
import torch

from genlab.autoregressive.decoding import generate_naive, keep_top_k
from genlab.autoregressive.until import used, write_until
from genlab.core import last
from genlab.nn.transformer import Transformer, TransformerConfig

STOP, PAD = 4, 0


@pytest.fixture
def net():
    net = Transformer(6, TransformerConfig(d_model=16, n_layer=2, n_head=4, n_kv_head=2))
    for p in net.parameters():
        p.data += 0.2 * torch.randn_like(p)  # so that words matter
    return net.eval()


def reader(net):
    return lambda tokens, cache: net.body(net.embedding(tokens), cache)


def written(net, prompt, n_new, **options):
    return list(write_until(reader(net), net.head, prompt, n_new, stop=STOP, **options))


def test_until_it_stops_it_draws_what_the_plain_loop_draws(net):
    prompt = torch.tensor([[1, 2], [3, 5], [2, 2]])
    plain = last(generate_naive(net, prompt, 8, generator=torch.Generator().manual_seed(1)))
    found = written(net, prompt, 8, generator=torch.Generator().manual_seed(1))[-1]
    kept = used(plain, STOP)[:, : found.tokens.shape[1]]
    assert torch.equal(found.tokens, plain[:, : kept.shape[1]].masked_fill(~kept, PAD))


def test_the_states_are_those_of_one_pass_over_the_finished_text(net, generator):
    prompt = torch.tensor([[1, 2], [3, 5], [2, 2], [5, 1]])
    found = written(net, prompt, 8, generator=generator)[-1]
    whole = net.hidden(found.tokens)
    mine = used(found.tokens, STOP)
    assert not bool(mine.all())  # some text has ended early
    torch.testing.assert_close(found.states[mine], whole[mine])
    assert bool((found.states[~mine] == 0).all())


def test_the_stop_token_has_been_read_when_the_text_ends():
    """The network of one-hot states tells which token each state has read."""
    one_hot = torch.nn.functional.one_hot
    ends = write_until(
        lambda x, cache: (one_hot(x, 6).double(), ()),
        lambda h: 99.0 * h.roll(1, -1),  # after k comes k + 1
        torch.tensor([[2]]), 9, stop=STOP,
    )  # fmt: skip
    found = last(ends)
    assert found.tokens.tolist() == [[2, 3, 4]]
    assert found.states.argmax(-1).tolist() == [[2, 3, 4]]


def test_each_step_adds_one_token_and_its_state(net, generator):
    for k, step in enumerate(written(net, torch.tensor([[1], [2]]), 5, generator=generator)):
        assert step.tokens.shape == (2, 2 + k)
        assert step.states.shape == (2, 2 + k, 16)


def test_a_text_that_never_stops_is_cut(net, generator):
    forbid = lambda logits: logits.index_fill(-1, torch.tensor([STOP]), -torch.inf)
    steps = written(net, torch.tensor([[1]]), 5, reshape=forbid, generator=generator)
    assert len(steps) == 5
    assert not bool(steps[-1].stopped.any())


def test_it_ends_when_the_last_text_has_ended(net):
    always = lambda logits: logits.index_fill(-1, torch.tensor([STOP]), 1e4)
    steps = written(net, torch.tensor([[1], [2]]), 5, reshape=always)
    assert len(steps) == 1
    assert bool(steps[-1].stopped.all())


def test_a_text_does_not_depend_on_when_its_neighbours_end(net):
    pair = torch.tensor([[1, 2], [3, 5]])
    forced = torch.tensor([[1, 2], [1, 2]])

    def texts(prompt):
        g = torch.Generator().manual_seed(3)
        return written(net, prompt, 6, generator=g)[-1].tokens

    n = min(texts(pair).shape[1], texts(forced).shape[1])
    assert torch.equal(texts(pair)[0, :n], texts(forced)[0, :n])


def test_logits_are_reshaped_before_the_draw(net):
    prompt = torch.tensor([[1, 2]])
    greedy = written(net, prompt, 6, reshape=lambda x: keep_top_k(x, 1))[-1].tokens
    tokens = prompt
    while tokens.shape[1] < greedy.shape[1]:
        tokens = torch.cat([tokens, net(tokens)[:, -1:].argmax(-1)], 1)
    assert torch.equal(greedy, tokens)


@pytest.mark.parametrize("prompt", [torch.zeros(2, 0, dtype=torch.long), torch.tensor([[1, STOP]])])
def test_a_prompt_must_be_a_beginning(net, prompt):
    with pytest.raises(ValueError, match="a prompt needs at least one token"):
        written(net, prompt, 3)
