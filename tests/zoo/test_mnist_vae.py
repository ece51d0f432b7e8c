"""The VAE of MNIST: its recipe repeats, its weights are those of its card, its decoder a coin."""

import dataclasses
import math

import pytest
import torch
from genlab.zoo.mnist_vae import (
    WEIGHTS,
    MnistRecipe,
    binarize,
    bound_in_nats,
    load_mnist_vae,
    mnist_vae,
    train_mnist_vae,
)

from genlab.core import likelihood_kind
from genlab.core.weights import read_card
from genlab.data.digits import load_mnist
from genlab.latent import bernoulli_log_prob

SMALL = dataclasses.replace(MnistRecipe(), width=4, n_steps=60, batch_size=16, lr=0.01)


@pytest.fixture(scope="module")
def shipped():
    return load_mnist_vae().double()


@pytest.fixture(scope="module")
def images():
    return binarize(load_mnist("test", size=16).images[:100])


def test_ink_is_a_grey_level_of_128_or_more():
    assert binarize(torch.tensor([[[[0, 127], [128, 255]]]])).flatten().tolist() == [0, 0, 1, 1]


def test_the_shipped_decoder_is_a_bernoulli_law_of_each_pixel(shipped, images, generator):
    z = torch.randn(100, 16, generator=generator)
    tables = shipped.logits(z)
    torch.testing.assert_close(
        shipped.decoder_log_prob(images, z),
        bernoulli_log_prob(images.double(), tables[..., 1] - tables[..., 0]),
    )


def test_the_shipped_bound_is_far_above_guessing(shipped, images, generator):
    bound = shipped.elbo(images, generator=generator).mean()
    # about -31 nats; 100 images scatter by about 13 / sqrt(100)
    assert -37 < bound.item() < -25
    assert -256 * math.log(2) < -177


@pytest.mark.slow
def test_the_card_states_the_measured_bound(shipped):
    metrics = read_card(WEIGHTS)["metrics"]
    for split in ("val", "test"):
        # other draws (here double precision): 10 for each of 1,000 images, about 0.05 nats
        assert abs(metrics[f"bound_{split}_nats"] - bound_in_nats(shipped, split)) < 0.2


def test_the_card_names_the_recipe_that_the_code_has():
    card = read_card(WEIGHTS)
    assert card["what"] == dataclasses.asdict(MnistRecipe())
    assert card["parameters"] == sum(w.numel() for w in mnist_vae().parameters())


def test_the_shipped_model_is_ready_to_evaluate_and_offers_a_bound(shipped):
    assert not shipped.training
    assert not any(w.requires_grad for w in shipped.parameters())
    assert likelihood_kind(shipped) == "bound"


def test_same_recipe_same_weights_and_no_trace_in_the_global_seed():
    torch.manual_seed(1)
    before = torch.get_rng_state()
    one, two = mnist_vae(SMALL), mnist_vae(SMALL)
    assert torch.equal(before, torch.get_rng_state())
    for a, b in zip(one.parameters(), two.parameters(), strict=True):
        torch.testing.assert_close(a, b)


def test_some_steps_help_and_end_in_evaluation_mode():
    vae, images = mnist_vae(SMALL), binarize(load_mnist("val", size=16).images)
    losses = [record.loss for record in train_mnist_vae(vae, images, SMALL)]
    assert abs(losses[0] - 256 * math.log(2)) < 20  # it starts by guessing
    assert sum(losses[-5:]) / 5 < losses[0] - 40  # to about 110 nats
    assert not vae.training


def test_a_missing_file_says_how_to_make_it(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"genlab\.latent\.mnist_vae` writes it again"):
        load_mnist_vae(tmp_path / "none.safetensors")
