"""The recipe of the diffusion: dropped classes, its bound, and that some steps help."""

import math

import pytest
import torch
from torch import nn

from genlab.core import last
from genlab.data.digits import load_digits, to_unit
from genlab.metrics.features import load_classifier
from genlab.zoo import find
from genlab.zoo.diffusion import NO_CLASS, conditional_bits
from tests.support.recipes import seed

DDPM = find("digit_diffusion").but(T=10, width=8, n_steps=5)


def test_a_tenth_of_the_rows_has_no_class():
    seen = []

    class Spy(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(()))

        def forward(self, x, t, label=None):
            seen.append(label)
            return self.weight * x

    row = DDPM.but(n_steps=100)
    model = row.untrained()
    model.eps_net = Spy()
    last(row.train(model))
    dropped = (torch.cat(seen) == NO_CLASS).double()
    # 6,400 rows: five standard errors of a proportion of 0.1 are 0.019.
    assert abs(dropped.mean().item() - row.settings["p_drop"]) < 0.019
    per_batch = dropped.reshape(100, -1).sum(1)
    assert 0 < per_batch.min() < per_batch.max() < 64  # some rows of each batch, never all


@pytest.mark.slow
def test_some_training_lowers_the_loss_and_raises_the_bound():
    torch.set_default_dtype(torch.float32)  # as users train it, and twice as fast
    images = to_unit(load_digits("test").images[:50])
    row = find("digit_diffusion").but(T=20, width=8, n_steps=100)
    model = row.untrained()
    records = list(row.train(model))
    assert sum(r.loss for r in records[-20:]) < 0.7 * sum(r.loss for r in records[:20])
    bounds = [m.elbo(images, generator=seed()).mean() for m in (row.untrained(), model)]
    assert bounds[1] > bounds[0] + 64  # a nat for each pixel


class Table:
    """A 'model' whose bound depends on the class that it is given, and on nothing else."""

    def __init__(self, nats):
        self.nats = nats

    def elbo(self, x, *, cond, generator=None):
        return self.nats[cond].to(x)


def test_the_bound_is_that_of_the_guessed_class_and_the_guess_costs_log_10():
    images = load_digits("test").images[:50]
    found = conditional_bits(Table(torch.full((10,), -64 * math.log(2))), images)
    assert found == pytest.approx(1 + math.log2(10) / 64, rel=1e-12)
    expected = (10.0 * load_classifier()(images).argmax(1)).mean() + math.log(10)
    found = conditional_bits(Table(-10.0 * torch.arange(10)), images)
    assert found == pytest.approx(float(expected) / 64 / math.log(2))
