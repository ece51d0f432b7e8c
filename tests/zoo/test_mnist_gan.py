"""The GAN of MNIST: its recipe repeats, and the shipped pair draws what its card says."""

import dataclasses

import pytest
import torch
from genlab.zoo.mnist_gan import (
    WEIGHTS,
    MnistRecipe,
    load_mnist_gan,
    mnist_gan,
    pixel_moments,
    to_unit,
    train_mnist_gan,
)

from genlab.core import last, likelihood_kind
from genlab.core.weights import read_card
from genlab.data.digits import load_mnist
from genlab.metrics.distances import frechet_distance

SMALL = dataclasses.replace(MnistRecipe(), width=4, n_steps=3, batch_size=16)


@pytest.fixture(scope="module")
def shipped():
    return load_mnist_gan().double()


def drawn(gan, n):
    return gan.sample(n, generator=torch.Generator().manual_seed(0))


def test_grey_levels_become_minus_one_to_one():
    levels = to_unit(torch.tensor([[[[0, 51, 255]]]])).flatten()
    torch.testing.assert_close(levels, torch.tensor([-1.0, -0.6, 1.0]))


def test_ink_has_a_mean_and_a_spread_over_the_images():
    x = torch.tensor([0.0, 2.0]).reshape(2, 1, 1, 1).expand(2, 1, 4, 4)
    mean, spread = pixel_moments(x)
    assert mean == 1.0
    assert spread == pytest.approx(2**0.5)


def test_the_shipped_pair_draws_images_with_the_ink_of_the_data(shipped):
    mean, spread = pixel_moments(drawn(shipped, 500))
    real_mean, real_spread = pixel_moments(to_unit(load_mnist("test", size=16).images))
    # 500 images know the mean ink to 0.1 / sqrt(500) = 0.005
    assert abs(mean - real_mean) < 0.03
    assert 0.7 * real_spread < spread < 1.3 * real_spread


def test_the_card_states_the_measured_ink_and_the_recipe_that_the_code_has(shipped):
    card = read_card(WEIGHTS)
    mean, spread = pixel_moments(drawn(shipped, 1000))
    # other draws than those of the card: two scatters of 0.1 / sqrt(1000)
    assert abs(card["metrics"]["mean_ink"] - mean) < 0.02
    assert abs(card["metrics"]["std_ink"] - spread) < 0.02
    assert card["what"] == dataclasses.asdict(MnistRecipe())


def test_its_samples_lie_near_the_data_and_an_untrained_pair_does_not(shipped):
    real = to_unit(load_mnist("test", size=16).images)
    axes = torch.linalg.svd(real.flatten(1) - real.flatten(1).mean(0), full_matrices=False).Vh[:16]
    far = [
        frechet_distance(real.flatten(1) @ axes.T, drawn(gan, 500).flatten(1) @ axes.T).item()
        for gan in (shipped, mnist_gan())
    ]
    assert far[0] < 3
    assert far[1] > 20


def test_the_shipped_pair_has_no_likelihood_and_no_gradient(shipped):
    assert likelihood_kind(shipped) == "none"
    assert not any(w.requires_grad for w in shipped.parameters())


def test_the_same_recipe_trains_to_the_same_samples():
    images = load_mnist("val", size=16).images
    pair = [mnist_gan(SMALL) for _ in range(2)]
    for gan in pair:
        last(train_mnist_gan(gan, images, SMALL))
    torch.testing.assert_close(drawn(pair[0], 3), drawn(pair[1], 3), rtol=0, atol=0)
    assert not torch.equal(drawn(pair[0], 3), drawn(mnist_gan(SMALL), 3))


def test_a_missing_file_says_how_to_make_it(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"adversarial\.mnist_gan` writes it again"):
        load_mnist_gan(tmp_path / "none.safetensors")
