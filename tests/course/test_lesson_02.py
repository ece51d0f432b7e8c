"""The worked solutions that drive lesson 02 do what genlab does."""

import torch
from torch.nn.functional import cross_entropy, one_hot, pad

from genlab.autoregressive.decoding import generate_naive
from genlab.autoregressive.likelihood import sequence_log_prob
from genlab.core import last
from genlab.nn.attention import causal_mask
from genlab_course.grading import assess, find_exercise


def right(name):
    return find_exercise(f"02.{name}").right


def test_the_loss_and_the_mask_are_genlabs():
    logits, x = torch.randn(3, 5, 7), torch.randint(7, (3, 5))
    want = -sequence_log_prob(logits, x).mean() / 5
    torch.testing.assert_close(right("loss")(logits, x), want)
    assert torch.equal(right("causal-mask")(6) > 0, causal_mask(6, 6))


def test_the_sampler_is_genlabs_on_a_model_that_is_certain():
    def after(tokens):  # each token is the one before it plus its place, modulo 3
        return 1000.0 * one_hot((tokens + torch.arange(tokens.shape[1])) % 3, 3)

    def network(x):
        return after(pad(x[:, :-1], (1, 0), value=2))

    x, g = torch.zeros(2, 7, dtype=torch.int64), torch.Generator().manual_seed(1)
    by_genlab = last(generate_naive(after, torch.full((2, 1), 2), 7, generator=g))[:, 1:]
    assert torch.equal(right("sampler")(network, x, 0, g), by_genlab)


def test_a_loss_in_the_idiom_of_cross_entropy_is_right():
    def mine(logits, x):
        return cross_entropy(logits.flatten(0, 1), x.flatten())

    assert assess(find_exercise("02.loss"), mine) == "right"
