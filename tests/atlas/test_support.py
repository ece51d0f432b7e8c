"""A family with which no clause builds anything does not count beside one that is built."""

import pytest

from genlab.atlas.reader import read_release

BASE = "Our generator is trained against a Wasserstein critic. "


@pytest.mark.parametrize(
    "remark",
    [
        "The benchmark includes Bayesian networks and a tabular VAE.",
        "Nothing in this release works on latents.",
        "The success rate rises by 46.9% over a VAE, a normalizing flow and BET.",
        "The width of the energies agrees with the simulator.",
    ],
)
def test_a_family_that_is_only_named_does_not_count(remark):
    assert read_release(BASE + remark).paradigms == ("adversarial",)


@pytest.mark.parametrize(
    ("part", "paradigm"),
    [
        ("The codes are those of a VAE.", "latent-variable"),
        ("The VAE beneath has a bound of 3.4 bits.", "latent-variable"),
        ("A normalizing flow draws its codes.", "flow"),
    ],
)
def test_a_part_of_the_release_counts(part, paradigm):
    assert set(read_release(BASE + part).paradigms) == {"adversarial", paradigm}


def test_a_family_counts_where_no_other_is_built():
    assert read_release("The package includes a tabular VAE.").paradigms == ("latent-variable",)


@pytest.mark.parametrize("drawer", ["Gated PixelCNN priors are then fitted.", "PixelCNN priors."])
def test_discrete_codes_are_drawn_by_what_the_text_mentions(drawer):
    text = "Images are encoded to code maps by a vector-quantised autoencoder. " + drawer
    assert read_release(text).paradigms == ("autoregressive", "latent-variable")


def test_stages_are_not_steps_of_the_sampler():
    reading = read_release(
        "We downscale in two steps: a U-Net regresses the mean, then a diffusion model draws the "
        "residual. Denoising takes 18 steps."
    )
    assert (reading.sampling, reading.flags) == ("two-stage", ())


def test_a_network_that_maps_noise_takes_one_pass():
    reading = read_release("It maps uniform noise to jets and minimises the MMD to real ones.")
    assert (reading.sampling, reading.flags) == ("one-pass", ("outside-map",))


def test_blocks_that_are_filled_have_the_inner_loss_alone():
    reading = read_release(
        "A language model: blocks of tokens are generated one after another, and inside a block "
        "the tokens start as masks and are unmasked over 16 rounds."
    )
    assert reading.paradigms == ("autoregressive", "score-based")
    assert reading.objective == ("masked-prediction",)
