"""The models of lessons 02 to 09: that some steps help, and what their rows promise."""

import math

import pytest
import torch

from genlab.autoregressive.tokens import CharTokenizer
from genlab.core import last
from genlab.data.digits import load_digits, load_mnist, to_unit
from genlab.data.text import load_text
from genlab.flow.dequantization import pixel_histograms
from genlab.latent import bernoulli_log_prob
from genlab.metrics.distances import frechet_distance
from genlab.zoo import card, find, load_model
from genlab.zoo.lessons import ALPHABET, binarize, windows


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


def test_windows_follow_one_another_and_drop_the_rest():
    tokens = windows("abcdefgh", 3)
    assert CharTokenizer(ALPHABET).decode(tokens.flatten()) == "abcdef"


def test_a_character_outside_the_alphabet_is_refused():
    with pytest.raises(ValueError, match="é"):
        windows("café", 2)


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


def test_the_weight_of_the_divergence_follows_the_row():
    row = find("digit_vae").but(width=8, n_steps=6, n_warm=4, beta=2.0, floor=0.25)
    vae = row.untrained()
    seen = [vae.beta for _ in row.train(vae, load_digits("train").images[:64])]
    assert seen == [0.0, 0.5, 1.0, 1.5, 2.0, 2.0]
    assert vae.floor == 0.25


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


def test_the_critic_moves_more_often_than_the_generator():
    moved = {}
    for n_critic in (1, 3):
        row = find("digit_wgan").but(width=32, n_steps=1, n_critic=n_critic, batch_size=32)
        wgan = row.untrained()
        before = torch.cat([p.detach().flatten() for p in wgan.critic.parameters()])
        last(row.train(wgan))
        after = torch.cat([p.detach().flatten() for p in wgan.critic.parameters()])
        moved[n_critic] = (after - before).abs().max()
    # Adam moves a weight by about the rate in each of its first steps
    assert moved[1] < 1.5e-3 < moved[3]
    assert find("digit_wgan").fit["n_critic"] == 3


def test_ink_is_a_grey_level_of_128_or_more():
    assert binarize(torch.tensor([[[[0, 127], [128, 255]]]])).flatten().tolist() == [0, 0, 1, 1]


def test_the_shipped_decoder_of_mnist_is_a_bernoulli_distribution_of_each_pixel(generator):
    vae, images = load_model("mnist_vae"), binarize(load_mnist("test", size=16).images[:100])
    z = torch.randn(100, 16, generator=generator)
    tables = vae.logits(z)
    torch.testing.assert_close(
        vae.decoder_log_prob(images, z),
        bernoulli_log_prob(images.double(), tables[..., 1] - tables[..., 0]),
    )
    bound = vae.elbo(images, generator=generator).mean()
    # about -31 nats; 100 images scatter by about 13 / sqrt(100); guessing has -177
    assert -37 < bound.item() < -25


def test_some_steps_help_the_vae_of_mnist_and_end_in_evaluation_mode():
    row = find("mnist_vae").but(width=4, n_steps=60, batch_size=16, lr=0.01)
    vae, images = row.untrained(), binarize(load_mnist("val", size=16).images)
    losses = [record.loss for record in row.train(vae, images)]
    assert abs(losses[0] - 256 * math.log(2)) < 20  # it starts by guessing
    assert sum(losses[-5:]) / 5 < losses[0] - 40  # to about 110 nats
    assert not vae.training


def test_samples_of_the_gan_of_mnist_lie_near_the_data_and_an_untrained_pair_s_do_not():
    real = to_unit(load_mnist("test", size=16).images, 255).flatten(1)
    axes = torch.linalg.svd(real - real.mean(0), full_matrices=False).Vh[:16]
    draw = lambda gan: gan.sample(500, generator=torch.Generator().manual_seed(0)).flatten(1)
    far = [
        frechet_distance(real @ axes.T, draw(gan) @ axes.T).item()
        for gan in (load_model("mnist_gan"), find("mnist_gan").untrained())
    ]
    assert far[0] < 3
    assert far[1] > 20
    stated = card("mnist_gan")["metrics"]
    assert stated["mean_ink"] == pytest.approx(real.mean().item(), abs=0.03)
    assert stated["std_ink"] == pytest.approx(real.mean(1).std().item(), rel=0.3)
