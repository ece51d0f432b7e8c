"""Classifiers and features: what they promise on the digits; known degradations."""

import pytest
import torch

from genlab.core.stats import slant
from genlab.core.tensors import last
from genlab.core.weights import read_card
from genlab.data.captions import load_captioned
from genlab.data.digits import load_digits
from genlab.metrics.features import (
    WEIGHTS,
    DigitClassifier,
    DigitJudge,
    WaveletFeatures,
    blur,
    degrade,
    gradient_histograms,
    haar_details,
    load_classifier,
    only_classes,
    repeat_few,
    upright,
)
from genlab.zoo import find
from genlab.zoo.lessons import accuracy


@pytest.fixture(scope="module")
def shipped():
    return load_classifier()


def test_the_card_states_the_measured_accuracy(shipped):
    card = read_card(WEIGHTS)
    assert accuracy(shipped, "test") >= 0.97
    for split in ("train", "val", "test"):
        printed = card["metrics"][f"accuracy_{split}"]
        assert abs(printed - accuracy(shipped, split)) < 1e-4  # printed digits


@pytest.mark.slow
def test_the_recipe_makes_the_shipped_weights_again(shipped):
    row = find("digit_classifier")
    net = row.untrained()
    last(row.train(net))
    assert accuracy(net, "test") == accuracy(shipped, "test")
    images = load_digits("test").images
    # both were trained in double precision; the file is in single: 1e-7 of features around 1
    torch.testing.assert_close(net.features(images), shipped.features(images), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    ("block", "place"), [([[1, 1], [-1, -1]], 0), ([[1, -1], [1, -1]], 1), ([[1, -1], [-1, 1]], 2)]
)
def test_each_detail_sees_its_own_pattern_alone(block, place):
    found = haar_details(torch.tensor([block], dtype=torch.float64)).flatten()
    wanted = torch.zeros(3)
    wanted[place] = 2.0
    torch.testing.assert_close(found, wanted)


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


def test_dropped_classes_are_replaced_by_kept_ones():
    labels = torch.tensor([3, 0, 1, 2, 1, 3])
    rows = only_classes(labels, 2)
    assert labels[rows].max() < 2
    assert rows[[1, 2, 4]].tolist() == [1, 2, 4]
    assert len(set(rows.tolist())) == 3
    assert torch.bincount(repeat_few(12, 4)).tolist() == [3, 3, 3, 3]


def test_features_logits_and_probabilities_belong_together(shipped):
    images = load_digits("test").images[:5]
    features = shipped.features(images)
    torch.testing.assert_close(shipped.head(features / shipped.scale), shipped(images))
    torch.testing.assert_close(shipped.probs(images), shipped(images).softmax(1))
    torch.testing.assert_close(features[2:3], shipped.features(images[2:3]))  # whatever the batch
    torch.testing.assert_close(features, shipped.features(images.double()))


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: DigitClassifier().loss(torch.zeros(1, 1, 8, 8)), "needs labels"),
        (lambda: WaveletFeatures(torch.rand(20, 16, 16), 20), r"1\.\.19"),
        (lambda: DigitJudge(torch.zeros(2, 28, 28), torch.tensor([0, 1])), "got 28 x 28"),
        (lambda: DigitJudge(torch.zeros(2, 16, 16), torch.tensor([0])), "2 pictures have 1 labels"),
        (lambda: only_classes(torch.tensor([5, 6]), 2), "classes below 2"),
    ],
)
def test_what_has_no_answer_is_refused(call, named):
    with pytest.raises(ValueError, match=named):
        call()


def test_blur_keeps_the_ink_and_is_a_product_of_two_gaussians():
    image = torch.zeros(1, 1, 9, 9)
    image[0, 0, 4, 4] = 7.0
    spread = blur(image, 1.0)
    torch.testing.assert_close(spread.sum(), image.sum())
    torch.testing.assert_close(spread[0, 0, 4, 4] / spread[0, 0, 4, 5], torch.tensor(0.5).exp())
    torch.testing.assert_close(spread, spread.mT)


def test_degraded_pictures_are_grey_levels_and_without_blur_and_noise_the_same(generator):
    image = torch.randint(0, 17, (3, 1, 8, 8), generator=generator).double()
    eps = torch.randn(3, 1, 8, 8, generator=generator)
    torch.testing.assert_close(degrade(image, eps), image)
    out = degrade(image, eps, blur_std=1.0, noise_std=9.0)
    assert torch.equal(out, out.round().clamp(0, 16))
