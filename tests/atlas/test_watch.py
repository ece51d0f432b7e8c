"""Hooks count passes, see what is new and which network begins when, and leave no trace."""

import pytest
import torch
from torch import nn

from genlab.atlas import watch as eye
from genlab.atlas.fingerprint import fingerprint
from genlab.atlas.subjects import pixelcnn
from genlab.atlas.watch import Stage, Subject, watch


class Press(nn.Module):
    """Prints in one pass."""

    def __init__(self):
        super().__init__()
        self.plate = nn.Linear(3, 16)

    def sample(self, n, *, generator=None):
        return self.plate(torch.randn(n, 3, generator=generator))


def pressed(press, times):
    def draw(n, generator):
        for _ in range(times):
            press.sample(n, generator=generator)

    return draw


def test_watching_changes_nothing():
    subject = pixelcnn()
    hooks = lambda: sum(len(m._forward_pre_hooks) for m in subject.stages[0].network.modules())
    before = hooks()
    a, b = fingerprint(subject), fingerprint(subject)
    assert a == b
    assert hooks() == before == 0


def test_hooks_are_removed_when_drawing_fails():
    model = Press()

    def fail(n, generator):
        raise RuntimeError("out of ink")

    with pytest.raises(RuntimeError, match="out of ink"):
        fingerprint(Subject("press", (Stage("all", model, (16,), model),), fail))
    assert not any(m._forward_pre_hooks for m in model.modules())


def test_a_stage_that_is_never_used_and_one_without_layers_are_refused():
    press, idle = Press(), nn.GRU(4, 8)
    stages = (Stage("idle", idle, (12,), idle),)
    with pytest.raises(ValueError, match="'idle' was never used"):
        fingerprint(Subject("x", stages, lambda n, g: press.sample(n, generator=g)))
    with pytest.raises(ValueError, match="no layer with parameters"):
        fingerprint(Subject("x", (Stage("empty", nn.Tanh(), (1,), None),), lambda n, g: None))


def test_the_clock_is_one_for_all_stages():
    first, then = Press(), Press()
    stages = (Stage("then", then, (16,), then), Stage("first", first, (16,), first))

    def draw(n, generator):
        pressed(first, 2)(n, generator)
        pressed(then, 3)(n, generator)

    late, early = watch(Subject("two", stages, draw), 2, 0)
    assert (early.passes, late.passes) == (2, 3)
    assert early.begins < early.ends < late.begins < late.ends


def test_condition_and_time_are_not_taken_for_the_output():
    assert eye.read_positions(torch.zeros(2, dtype=torch.long), (1, 8, 8)) is None  # labels
    assert eye.read_positions(torch.zeros(2, 32), (1, 8, 8)) is None  # an embedded time
    assert eye.read_positions(torch.zeros(2, 16, 4, 4), (1, 8, 8)) is None  # a lower level
    assert eye.read_positions(torch.zeros(2, 3, 8, 16, 16), (3, 8, 16, 16)).shape == (2, 6144)
