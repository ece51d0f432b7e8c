"""Ink and slant, against plain loops and against pictures whose answer is known."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from genlab.core.moments import ink, slant


def test_ink_of_a_chessboard_is_one_half():
    board = (torch.arange(8)[:, None] + torch.arange(8)) % 2
    torch.testing.assert_close(ink(board[None].double()), torch.tensor([0.5]))


def test_ink_does_not_change_when_blocks_are_averaged():
    images = torch.rand(3, 8, 8)
    small = images.reshape(3, 4, 2, 4, 2).mean((2, 4))
    torch.testing.assert_close(ink(small), ink(images))


@pytest.mark.parametrize("lean", [-0.6, 0.0, 0.35])
def test_slant_of_a_sheared_bar_is_its_shear(lean):
    # A bar of points, one to a row, at column 20 + lean * rows upwards; columns hold the share of
    # each point by linear interpolation, so its first moment is exact.
    image = torch.zeros(1, 21, 41)
    for i in range(21):
        j = 20 + lean * (10 - i)
        low = int(np.floor(j))
        image[0, i, low] += 1 - (j - low)
        image[0, i, low + 1] += j - low
    torch.testing.assert_close(slant(image), torch.tensor([lean]))


def test_slant_is_a_regression_of_column_on_row():
    image = torch.rand(1, 6, 9)
    i, j = np.mgrid[:6, :9]
    weights = image[0].numpy().ravel()
    steps = np.polyfit(i.ravel(), j.ravel(), 1, w=np.sqrt(weights))[0]
    torch.testing.assert_close(slant(image), torch.tensor([-steps]))


@given(st.integers(0, 10**6))
@settings(deadline=None, max_examples=20)
def test_slant_changes_its_sign_in_a_mirror_and_ignores_place_and_strength(seed):
    image = torch.rand(1, 5, 7, generator=torch.Generator().manual_seed(seed))
    torch.testing.assert_close(slant(image.flip(2)), -slant(image))
    torch.testing.assert_close(slant(0.3 * image), slant(image))
    moved = torch.nn.functional.pad(image, (3, 0, 0, 2))
    torch.testing.assert_close(slant(moved), slant(image))


def test_a_figure_without_ink_or_height_is_upright():
    flat = torch.zeros(2, 5, 5)
    flat[1, 2] = 1.0
    torch.testing.assert_close(slant(flat), torch.zeros(2))


def test_negative_grey_values_are_refused():
    with pytest.raises(ValueError, match="images holds -1"):
        slant(-torch.ones(1, 3, 3))
