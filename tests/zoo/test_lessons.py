"""The models of lessons 02 to 09: that some steps help, and what their rows promise."""

import math
from dataclasses import replace

import pytest
import torch

from genlab.core import last
from genlab.data.digits import binarize, load_digits, load_mnist, to_unit
from genlab.data.text import load_text
from genlab.flow.dequantization import pixel_histograms
from genlab.zoo import find
from genlab.zoo.texts import ALPHABET, windows


def trained(row, *data):
    model = row.untrained()
    last(row.train(model, *data))
    return model


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("digit_pixelcnn", {"width": 8, "n_layer": 2}),
        ("digit_transformer", {"d_model": 16, "n_layer": 1}),
        ("text_transformer", {"d_model": 16, "d_hidden": 16}),
    ],
)
def test_some_steps_beat_guessing_and_leave_evaluation_mode(name, changes):
    model = trained(find(name).but(n_steps=60, **changes))
    assert not model.training
    x, n = load_digits("val").images, 17
    if name == "text_transformer":
        x, n = windows(load_text("val"))[:200], len(ALPHABET)
    with torch.no_grad():
        nats = -model.log_prob(x).mean() / 64
    assert nats < math.log(n) - 0.5  # one of 17 levels, or of 96 characters, at random


def test_the_flow_begins_as_the_histogram_of_each_pixel_and_some_steps_beat_it():
    row = find("digit_flow").but(n_layers=2, width=16, n_steps=60)
    train, x = (load_digits(part).images.flatten(1) for part in ("train", "val"))

    @torch.no_grad()
    def bound(model):
        return model.elbo(x, generator=torch.Generator().manual_seed(0)).mean()

    before = bound(find("digit_flow").untrained())
    expected = pixel_histograms(train, 17).log()[torch.arange(64), x].sum(1).mean()
    # splines start near the identity, not at it
    torch.testing.assert_close(before, expected, rtol=1e-6, atol=0.05)
    assert bound(trained(row)) > before + 5  # nats per image


def test_training_the_vae_beats_guessing_and_leaves_evaluation_mode():
    vae, images = trained(find("digit_vae").but(width=64, n_steps=80)), load_digits("train").images
    assert not vae.training
    with torch.no_grad():
        bound = vae.elbo(images[:200], generator=torch.Generator().manual_seed(0)).mean().item()
    assert bound > -64 * math.log(17) + 40  # nats; guessing among 17 levels


@pytest.mark.parametrize(
    ("name", "value"),
    [("clip", 1.0), ("warmup", 10), ("weight_decay", 0.1), ("bfloat16", True), ("loss", math.dist)],
)
def test_a_game_refuses_the_settings_that_its_loop_does_not_take(name, value):
    row = find("digit_gan").but(n_steps=1)
    row = replace(row, plan=replace(row.plan, **{name: value}))
    with pytest.raises(ValueError, match=f"a game takes no {name}"):
        row.train(row.untrained())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "changes"),
    [("digit_gan", {"n_steps": 120}), ("digit_wgan", {"n_steps": 150, "lr": (1e-3, 3e-3)})],
)
def test_a_game_brings_the_mean_image_nearer(name, changes):
    row = find(name).but(width=32, **changes)
    gan, mean = row.untrained(), to_unit(load_digits("train").images).mean(0)

    def miss():
        made = gan.sample(500, generator=torch.Generator().manual_seed(0))
        return (made.mean(0) - mean).norm().item()

    before = miss()
    last(row.train(gan))
    assert miss() < before / 2


def test_some_steps_help_the_vae_of_mnist_and_end_in_evaluation_mode():
    row = find("mnist_vae").but(width=4, n_steps=60, batch_size=16, lr=0.01)
    vae, images = row.untrained(), binarize(load_mnist("val", size=16).images)
    losses = [record.loss for record in row.train(vae, images)]
    assert abs(losses[0] - 256 * math.log(2)) < 20  # it starts by guessing
    assert sum(losses[-5:]) / 5 < losses[0] - 40  # to about 110 nats
    assert not vae.training
