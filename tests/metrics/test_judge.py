"""The judge reads digits that it never saw, whatever their slant, place and size."""

import pytest
import torch
import torch.nn.functional as F

from genlab.core.moments import slant
from genlab.data.captioned import load_captioned
from genlab.metrics.judge import DigitJudge, gradient_histograms, upright


def test_upright_pictures_have_no_slant_and_lie_in_the_middle():
    grey, _ = load_captioned("test", 16)
    straight = upright(grey[:200])
    # Bilinear interpolation, and ink that leaves the paper, cost a little.
    assert slant(grey[:200]).abs().mean() > 0.2
    assert slant(straight).abs().mean() < 0.02
    place = torch.arange(16.0) - 7.5
    middle = straight.sum(1) @ place / straight.sum((1, 2))
    assert middle.abs().mean() < 0.1


def test_an_edge_falls_into_the_bin_of_its_direction():
    to_the_right = torch.arange(8.0).expand(1, 8, 8)  # grey grows to the right: direction 0
    maps = gradient_histograms(to_the_right)[:, : 8 * 16].reshape(8, 16)
    torch.testing.assert_close(maps[0], torch.full((16,), 4.0))  # slope 1 in each of 4 pixels
    assert maps[1:].abs().max() < 1e-9
    down = gradient_histograms(to_the_right.mT)[:, : 8 * 16].reshape(8, 16)
    torch.testing.assert_close(down[2], torch.full((16,), 4.0))  # a quarter turn is two eighths
    back = gradient_histograms(to_the_right.flip(2))[:, : 8 * 16].reshape(8, 16)
    torch.testing.assert_close(back[4], torch.full((16,), 4.0))  # dark to light is not its opposite


def test_a_direction_between_two_bins_is_shared():
    ramp = torch.arange(8.0)
    angle = torch.tensor(torch.pi / 8)  # half-way between bins 0 and 1
    grey = (angle.cos() * ramp + angle.sin() * ramp[:, None])[None]
    maps = gradient_histograms(grey)[:, : 8 * 16].reshape(8, 16)
    torch.testing.assert_close(maps[0], maps[1])
    torch.testing.assert_close(maps[0], torch.full((16,), 2.0))


def test_histograms_of_large_cells_are_sums_of_small_ones():
    h = gradient_histograms(torch.rand(2, 16, 16))
    small, large = h[:, :512].reshape(2, 8, 8, 8), h[:, 512:].reshape(2, 8, 4, 4)
    torch.testing.assert_close(F.avg_pool2d(small, 2) * 4, large)


@pytest.fixture(scope="module")
def judge():
    torch.set_default_dtype(torch.float64)
    grey, attributes = load_captioned("judge", 16)
    return DigitJudge(grey, attributes.digit)


@pytest.mark.slow
def test_held_out_digits_are_read(judge):
    grey, attributes = load_captioned("test", 16)
    assert (judge(grey) == attributes.digit).double().mean() > 0.975
    large, _ = load_captioned("test", 32)
    assert (judge(large) == judge(grey)).double().mean() > 0.999  # the same pictures


@pytest.mark.slow
def test_a_picture_too_bright_is_clipped(judge):
    grey, _ = load_captioned("test", 16)
    bright = torch.where(grey[:50] > 0, 1.7 * grey[:50], -0.3)
    assert torch.equal(judge(bright), judge(bright.clamp(0, 1)))


def test_another_size_is_refused():
    with pytest.raises(ValueError, match="got 28 x 28"):
        DigitJudge(torch.zeros(2, 28, 28), torch.tensor([0, 1]))


def test_pictures_without_labels_are_refused():
    with pytest.raises(ValueError, match="2 pictures have 1 labels"):
        DigitJudge(torch.zeros(2, 16, 16), torch.tensor([0]))
