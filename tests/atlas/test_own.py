"""What a text says its own release is counts; what it says of systems it names, does not."""

import pytest

from genlab.atlas.others import other_names, their_clauses
from genlab.atlas.own import declared
from genlab.atlas.reader import read_release
from genlab.atlas.text import sentences


@pytest.mark.parametrize(
    ("text", "word", "own"),
    [
        ("it is a latent diffusion model.", "latent", True),
        ("the encoder itself serves as a discriminator.", "discriminator", True),
        ("model type: diffusion", "diffusion", True),
        ("it is a gan whose generator is a normalizing flow.", "normalizing", True),
        ("stable diffusion is a latent diffusion model.", "latent", False),
        ("it is faster than a vae.", "vae", False),
        ("a gan was unstable.", "gan", False),
    ],
)
def test_the_predicate_of_a_clause_about_the_release(text, word, own):
    assert declared(text, text.index(word)) is own


def test_what_a_result_names_counts_where_it_says_what_the_release_is():
    text = "Ampere is a GAN whose generator is a normalizing flow. It reaches 2.9 bits."
    assert set(read_release(text).paradigms) == {"adversarial", "flow"}


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Unlike Pixie, it is fast.", {"pixie": "compared"}),
        ("It replaces our earlier Brush.", {"brush": "past"}),
        ("Unlike GANs, it is fast.", {}),
        ("Unlike others, it is fast.", {}),
    ],
)
def test_the_names_of_earlier_and_compared_systems(text, names):
    assert other_names(text, sentences(text)) == names


def test_a_later_clause_about_another_system_is_not_about_the_release():
    text = "Unlike Pixie, Ampere is small. Pixie is a diffusion model; Ampere is a GAN."
    assert read_release(text).paradigms == ("adversarial",)
    plain = "Ampere is small. Pixie is a diffusion model; Ampere is a GAN."
    assert "score-based" in read_release(plain).paradigms


def test_a_clause_ends_where_the_next_begins():
    text = "pixie is a gan, ampere is a flow."
    assert their_clauses(text, {"pixie": "compared"}) == [(0, text.index(", "), "compared")]


def test_what_parentheses_say_with_a_subject_of_their_own_stays_in_them():
    text = "We encode pictures by a VAE (the adversarial variant was tried and not kept)."
    assert read_release(text).paradigms == ("latent-variable",)
