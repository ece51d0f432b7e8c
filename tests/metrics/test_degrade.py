"""Spoiling images in a known way."""

import pytest
import torch

from genlab.metrics.degrade import blur, degrade, only_classes, repeat_few


def test_blur_keeps_the_ink_of_an_image_with_empty_borders():
    image = torch.zeros(1, 1, 9, 9)
    image[0, 0, 3:6, 3:6] = 7.0
    torch.testing.assert_close(blur(image, 0.8).sum(), image.sum())


def test_blur_of_a_point_is_the_product_of_two_gaussians():
    image = torch.zeros(1, 1, 5, 5)
    image[0, 0, 2, 2] = 1.0
    spread = blur(image, 1.0)[0, 0]
    ratio = spread[2, 2] / spread[2, 3]
    torch.testing.assert_close(ratio, torch.tensor(0.5).exp())
    torch.testing.assert_close(spread, spread.T)


def test_no_blur_and_no_noise_leave_grey_levels_alone(generator):
    image = torch.randint(0, 17, (3, 1, 8, 8), generator=generator).double()
    torch.testing.assert_close(degrade(image, torch.randn(3, 1, 8, 8)), image)


def test_noise_has_its_standard_deviation_before_the_ends_clip_it(generator):
    grey = torch.full((50, 1, 20, 20), 8.0)
    eps = torch.randn(grey.shape, generator=generator)
    spread = degrade(grey, eps, noise_std=1.5).std()
    # rounding adds 1/12 to the variance; 20,000 values know it to about 1 %
    assert abs(spread - (1.5**2 + 1 / 12) ** 0.5) < 0.05


def test_results_are_grey_levels(generator):
    eps = torch.randn(4, 1, 8, 8, generator=generator)
    out = degrade(torch.full_like(eps, 12.0), eps, blur_std=1.0, noise_std=9.0)
    assert out.min() >= 0
    assert out.max() <= 16
    assert torch.equal(out, out.round())


def test_negative_amounts_are_refused():
    image = torch.zeros(1, 1, 4, 4)
    with pytest.raises(ValueError, match="std is -1"):
        blur(image, -1)
    with pytest.raises(ValueError, match="noise_std is -1"):
        degrade(image, image, noise_std=-1)


def test_dropped_classes_are_replaced_by_kept_ones():
    labels = torch.tensor([3, 0, 1, 2, 1, 3])
    rows = only_classes(labels, 2)
    assert labels[rows].max() < 2
    assert rows[[1, 2, 4]].tolist() == [1, 2, 4]
    assert len(set(rows.tolist())) == 3


def test_keeping_every_class_changes_nothing():
    assert only_classes(torch.tensor([2, 0, 1]), 3).tolist() == [0, 1, 2]


def test_keeping_no_class_that_exists_is_refused():
    with pytest.raises(ValueError, match="classes below 2"):
        only_classes(torch.tensor([5, 6]), 2)


def test_repetition_uses_each_row_equally_often():
    assert torch.bincount(repeat_few(12, 4)).tolist() == [3, 3, 3, 3]


def test_more_distinct_rows_than_rows_are_refused():
    with pytest.raises(ValueError, match=r"in 1\.\.3, got 4"):
        repeat_few(3, 4)
