"""The feature network: what it promises, and what happens to a bad file."""

import pytest
import torch

from genlab.core.weights import read_card, save_weights
from genlab.data.digits import load_digits
from genlab.metrics.features import WEIGHTS, DigitClassifier, load_classifier
from genlab.systems.digit_features import accuracy, train_digit_classifier


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
    net = train_digit_classifier()
    assert accuracy(net, "test") == accuracy(shipped, "test")
    images = load_digits("test").images
    # both were trained in double precision; the file is in single: 1e-7 of features around 1
    torch.testing.assert_close(net.features(images), shipped.features(images), rtol=1e-3, atol=1e-3)


def test_training_leaves_the_global_noise_alone():
    before = torch.random.get_rng_state()
    train_digit_classifier(n_steps=1)
    assert torch.equal(before, torch.random.get_rng_state())
