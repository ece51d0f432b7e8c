"""The feature network: what it promises, and what happens to a bad file."""

import pytest
import torch
import torch.nn.functional as F

from genlab.core.stats import slant
from genlab.core.tensors import last
from genlab.core.weights import read_card, save_weights
from genlab.data.captions import load_captioned
from genlab.data.digits import load_digits
from genlab.metrics.distances import frechet_distance
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


def test_the_shipped_network_recognises_the_test_digits(shipped):
    assert accuracy(shipped, "test") >= 0.97


def test_the_card_states_the_measured_accuracy(shipped):
    card = read_card(WEIGHTS)
    for split in ("train", "val", "test"):
        assert (
            abs(card["metrics"][f"accuracy_{split}"] - accuracy(shipped, split)) < 1e-4
        )  # printed digits
    assert card["bytes"] == WEIGHTS.stat().st_size
    assert card["parameters"] == sum(w.numel() for w in shipped.state_dict().values())


def test_features_have_mean_square_one_over_the_training_images(shipped):
    features = shipped.features(load_digits("train").images)
    assert abs(features.square().mean().item() - 1) < 1e-6  # the scale is stored as float32


def test_features_and_logits_belong_together(shipped):
    images = load_digits("test").images[:5]
    hidden = shipped.features(images) / shipped.scale
    torch.testing.assert_close(shipped.head(hidden), shipped(images))


def test_probabilities_sum_to_one(shipped):
    torch.testing.assert_close(shipped.probs(load_digits("val").images).sum(1), torch.ones(200))


def test_an_image_is_described_whatever_batch_it_comes_in(shipped):
    images = load_digits("test").images[:6]
    torch.testing.assert_close(shipped.features(images)[2:3], shipped.features(images[2:3]))


def test_integers_and_floats_are_described_alike(shipped):
    images = load_digits("test").images[:3]
    torch.testing.assert_close(shipped.features(images), shipped.features(images.double()))


def test_a_missing_file_says_how_to_make_it(tmp_path):
    with pytest.raises(FileNotFoundError, match="`genlab train digit_classifier` writes it again"):
        load_classifier(tmp_path / "none.safetensors")


def test_the_weights_of_another_network_are_named(tmp_path):
    path = tmp_path / "other.safetensors"
    other = torch.nn.ModuleDict({"head": torch.nn.Linear(2, 2, bias=False)})
    card = dict.fromkeys(("recipe", "seed", "data", "metrics", "seconds"), 0)
    save_weights(other, path, card)
    with pytest.raises(ValueError, match=r"is not a DigitClassifier.*head\.weight"):
        load_classifier(path)


def test_a_loss_without_labels_is_refused():
    with pytest.raises(ValueError, match="needs labels"):
        DigitClassifier().loss(torch.zeros(1, 1, 8, 8))


def test_the_loss_of_an_untrained_network_is_about_log_ten(generator):
    images, labels = load_digits("train")
    loss = DigitClassifier().loss(images[:200], cond=labels[:200], generator=generator)
    assert abs(loss.item() - 2.3026) < 0.1  # small initial weights: nearly uniform


def test_the_loss_is_measured_on_noisy_images(generator):
    images, labels = load_digits("train")
    net = DigitClassifier()
    first = net.loss(images[:20], cond=labels[:20], generator=generator)
    assert first != net.loss(images[:20], cond=labels[:20], generator=generator)


@pytest.mark.slow
def test_the_recipe_makes_the_shipped_weights_again(shipped):
    row = find("digit_classifier")
    net = row.untrained()
    last(row.train(net))
    assert accuracy(net, "test") == accuracy(shipped, "test")
    images = load_digits("test").images
    # both were trained in double precision; the file is in single: 1e-7 of features around 1
    torch.testing.assert_close(net.features(images), shipped.features(images), rtol=1e-3, atol=1e-3)


def test_training_leaves_the_global_noise_alone():
    before = torch.random.get_rng_state()
    row = find("digit_classifier").but(n_steps=1)
    last(row.train(row.untrained()))
    assert torch.equal(before, torch.random.get_rng_state())


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
