"""The recipe of the language model: short windows first, and its average ships."""

import math

import torch

from genlab.autoregressive.tokens import train_bpe
from tests.support.recipes import TEXT, run_of, tiny


def test_some_steps_learn_windows_are_short_first_and_the_average_ships():
    row = tiny("language_model", n_steps=40, lr=1e-2, average=0.9)
    model, lengths, losses = row.untrained(), [], []
    read = model.lm.loss
    model.lm.loss = lambda x: lengths.append(x.shape[1]) or read(x)
    for record in run_of(row, model):
        losses.append(record.loss)
        latest = model.lm.net.embedding.weight.clone()
    assert lengths == [8] * 28 + [32] * 12
    assert abs(losses[0] - math.log(301)) < 0.3  # one of 300 tokens and the begin token
    assert sum(losses[-5:]) / 5 < losses[0] - 0.5
    assert model.tokenizer.merges == train_bpe(TEXT, 300)
    assert not torch.equal(latest, model.lm.net.embedding.weight)
