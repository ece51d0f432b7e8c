"""The reader says which of its conclusions hang on little."""

import pytest

from genlab.atlas.reader import read_release
from genlab.atlas.report import as_html, as_lines

GAN = "A GAN for faces. "


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (GAN, ("adversarial: only “GAN” says so",)),
        (GAN * 3, ("adversarial: only “GAN” says so",)),
        ("We train GANs. A GAN has one pass.", ("adversarial: only “GANs” says so",)),
        (GAN + "Its discriminator sees patches.", ()),
        ("A GAN\n\nof  two\nparts.", ("adversarial: only “GAN” says so",)),
        ("A new voice.", ("no component is named: does it draw samples at all?",)),
        ("We present a detector. It does not generate anything.", ()),
    ],
)
def test_one_phrase_is_little_two_that_differ_are_enough(text, expected):
    assert read_release(text).doubts == expected


def test_a_loose_word_does_not_make_a_second_phrase():
    reading = read_release("The model is a diffusion model. It takes a guidance scale of 4.")
    assert reading.paradigms == ("score-based",)
    assert reading.doubts == ("score-based: only “diffusion” says so",)


def test_each_component_of_a_hybrid_is_doubted_by_itself():
    text = "A VQ-VAE with a codebook of 512 codes, and a transformer that writes token by token."
    reading = read_release(text)
    assert set(reading.paradigms) == {"autoregressive", "latent-variable"}
    assert [doubt.split(":")[0] for doubt in reading.doubts] == ["autoregressive"]


def test_a_text_that_speaks_of_recognition_throughout_is_doubted():
    text = (
        "A GAN whose discriminator is fine. It helps classification. It helps segmentation. "
        "It helps retrieval."
    )
    reading = read_release(text)
    assert reading.paradigms == ("adversarial",)
    assert reading.doubts == ("3 sentences recognise or measure: does it draw samples at all?",)


def test_doubts_are_printed_and_shown():
    reading = read_release(GAN)
    assert ("check", "adversarial: only “GAN” says so") in as_lines(reading)
    assert "only “GAN” says so" in as_html(reading)
    assert "check" not in dict(as_lines(read_release(GAN + "Its discriminator sees patches.")))
