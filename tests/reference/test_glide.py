"""The GLIDE-style lab's pieces against diffusers, scikit-learn and SciPy."""

import numpy as np
import pytest
import torch

from genlab.data.captions import load_captioned
from genlab.metrics.features import WaveletFeatures
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


def test_whitened_axes_are_those_of_scikit_learn():
    decomposition = pytest.importorskip("sklearn.decomposition")
    grey = load_captioned("test", 16).grey
    numbers = WaveletFeatures._numbers(grey).numpy()
    pca = decomposition.PCA(8, whiten=True, svd_solver="full").fit(numbers[:600])
    ours = WaveletFeatures(grey[:600], 8)(grey[600:]).numpy()
    theirs = pca.transform(numbers[600:])
    np.testing.assert_allclose(np.abs(ours), np.abs(theirs), rtol=1e-6, atol=1e-8)  # up to signs
