"""Features without a network: Haar's details by matrix, whitening, and what a blur does to them."""

import pytest
import torch
import torch.nn.functional as F

from genlab.data.captioned import load_captioned
from genlab.metrics.frechet import frechet_distance
from genlab.metrics.wavelet_features import WaveletFeatures, haar_details


def test_details_and_mean_are_an_orthonormal_change_of_basis():
    """With the mean, W is a 4 x 4 orthogonal matrix: energies add up."""
    torch.manual_seed(0)
    x = torch.randn(3, 8, 8)
    low = 2 * F.avg_pool2d(x[:, None], 2)[:, 0]
    energy = haar_details(x).square().sum((1, 2, 3)) + low.square().sum((1, 2))
    torch.testing.assert_close(energy, x.square().sum((1, 2)))


@pytest.mark.parametrize(
    ("block", "place"), [([[1, 1], [-1, -1]], 0), ([[1, -1], [1, -1]], 1), ([[1, -1], [-1, 1]], 2)]
)
def test_each_detail_sees_its_own_pattern_alone(block, place):
    found = haar_details(torch.tensor([block], dtype=torch.float64)).flatten()
    wanted = torch.zeros(3)
    wanted[place] = 2.0
    torch.testing.assert_close(found, wanted)


def test_features_are_white_on_the_pictures_of_the_fit():
    grey = load_captioned("test", 16).grey[:300]
    found = WaveletFeatures(grey, 8)(grey)
    torch.testing.assert_close(torch.cov(found.T), torch.eye(8))
    torch.testing.assert_close(found.mean(0), torch.zeros(8))


def test_a_blur_moves_pictures_further_than_another_sample_does():
    grey = load_captioned("test", 32).grey
    phi = WaveletFeatures(grey[:400])
    real, other = phi(grey[400:700]), phi(grey[700:])
    blurred = phi(F.avg_pool2d(grey[700:, None], 3, 1, 1)[:, 0])
    assert frechet_distance(real, blurred) > 2 * frechet_distance(real, other)


def test_another_number_of_axes_is_refused():
    grey = load_captioned("test", 16).grey[:20]
    with pytest.raises(ValueError, match=r"1\.\.19"):
        WaveletFeatures(grey, 20)
