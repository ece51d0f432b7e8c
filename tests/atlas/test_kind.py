"""The head noun of the naming sentence says whether a release draws samples at all."""

import pytest

from genlab.atlas.kind import named
from genlab.atlas.reader import read_release
from genlab.atlas.text import sentences


def kind(text):
    found = named(sentences(text))
    return found and found[1]


@pytest.mark.parametrize(
    "text",
    [
        "We present Ampere, a model. We release a benchmark of pictures by six GANs.",
        "# tern-embed\nSentence embeddings for retrieval in ten languages.",
        "Ampere is a reranker that starts from a language model.",
        "Protein language model for representations. 33 layers.",
        "This repository contains a data set of 20k ratings of diffusion models.",
        "Release 3: dense optical flow, now at 1080p.",
        "**dial** (v2): an inference engine for diffusion transformers.",
    ],
)
def test_an_encoder_a_judge_or_data_draws_nothing(text):
    assert kind(text) is False


@pytest.mark.parametrize(
    "text",
    [
        "A classifier trained on real data recognises 92 % of the samples. We train a GAN.",
        "A text encoder, a prior and a decoder.",
        "An autoencoder for codes.",
        "Generative classifiers for music.",
        "We train an autoregressive transformer.",
        "The detector is our yardstick.",
        "encoder: convolutional\nprior: Gaussian",
    ],
)
def test_a_part_or_a_remark_is_not_what_the_release_is(text):
    assert kind(text) is None


def test_a_picture_model_may_have_a_filter():
    text = "An illustration model for phones. Not changed: licence, safety filter."
    assert kind(text) is True
    assert read_release(text).flags == ()


@pytest.mark.parametrize("family", ["a GAN", "a diffusion model", "a language model"])
def test_families_around_a_detector_are_not_its_components(family):
    reading = read_release(
        f"We introduce a detector of fakes. It starts from {family} and is trained on pairs. "
        "Pictures by a normalizing flow were the hardest."
    )
    assert (reading.paradigms, reading.flags) == ((), ("not-generative",))
    assert (reading.sampling, reading.likelihood) == ("none", "none")
    assert any("a detector" in e.rule for e in reading.evidence)


def test_an_apposition_says_what_the_named_thing_is():
    assert kind("We introduce Ampere-Rerank, a cross-encoder that scores pairs.") is False
    assert kind("We propose Ampere, a metric for text-to-video models.") is False
    assert kind("We propose Ampere, a transformer with a classifier.") is None


def test_an_assistant_that_draws_no_pictures_still_writes():
    text = "A Llama-based assistant. Retrieval supplies passages. It does not draw images."
    assert read_release(text).paradigms == ("autoregressive",)
