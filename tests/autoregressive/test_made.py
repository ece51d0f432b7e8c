"""MADE on discrete variables: one network, any order."""

import pytest
import torch

from genlab.autoregressive.made import MADE


@pytest.mark.parametrize("order", [None, [2, 0, 3, 1]])
def test_a_variable_depends_on_those_visited_before_it(order):
    torch.manual_seed(0)
    model = MADE(4, 3, order=order, width=24)
    rank = order or [0, 1, 2, 3]
    x = torch.zeros(1, 4, dtype=torch.int64)
    for j in range(4):
        y = x.clone()
        y[0, j] = 2
        changed = (model.logits(y) - model.logits(x))[0].abs().amax(-1) > 0
        assert changed.tolist() == [rank[i] > rank[j] for i in range(4)]
