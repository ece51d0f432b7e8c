"""The learned schedule: ends that decide the bound, and a histogram that lowers the variance."""

import pytest
import torch
from torch.testing import assert_close

from genlab.score.learned_snr import LevelHistogram


def lopsided(gamma_0=-6.0, gamma_1=5.0):
    schedule = LevelHistogram(gamma_0, gamma_1, 5)
    with torch.no_grad():
        schedule.logits.copy_(torch.tensor([0.0, 1.5, -1.0, 0.7, -0.3]))
    return schedule


def test_time_and_level_are_inverse_and_the_slope_is_the_derivative():
    schedule = lopsided()
    t = torch.linspace(0.003, 0.997, 40).requires_grad_(True)
    gamma = schedule(t)
    assert (gamma.diff() > 0).all()
    (derivative,) = torch.autograd.grad(gamma.sum(), t)
    assert_close(schedule.slope(gamma), derivative)
    assert_close(schedule(torch.tensor([0.0, 1.0])), torch.tensor([-6.0, 5.0]))


def test_impossible_schedules_are_refused():
    with pytest.raises(ValueError, match=r"got 5.0 and -5.0"):
        LevelHistogram(5.0, -5.0, 3)
    with pytest.raises(ValueError, match="n_bins=0"):
        LevelHistogram(-5.0, 5.0, 0)
