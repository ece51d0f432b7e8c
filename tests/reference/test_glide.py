"""The GLIDE-style lab's pieces against diffusers, scikit-learn and SciPy."""

import pytest
import torch

from genlab.score.guidance import dynamic_threshold

pytestmark = [
    pytest.mark.reference,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]


def test_dynamic_thresholds_are_those_of_diffusers():
    diffusers = pytest.importorskip("diffusers")
    scheduler = diffusers.DPMSolverMultistepScheduler(
        thresholding=True, dynamic_thresholding_ratio=0.9, sample_max_value=100.0
    )
    guess = 2 * torch.randn(3, 3, 8, 8)
    theirs = scheduler._threshold_sample(guess.clone())
    torch.testing.assert_close(dynamic_threshold(guess, p=0.9), theirs.to(guess))
