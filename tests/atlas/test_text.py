"""What is no text gets a sentence that says why, and what to try."""

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genlab.atlas.report import load
from genlab.atlas.text import LONGEST, UnreadableError, checked, decoded, sentences

ENGLISH = "The model denoises latents in thirty steps and a decoder maps them to pixels."


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "there is no text. Try a paragraph"),
        (" \n\t ", "there is no text"),
        ("12 34 + 5", "there are no words"),
        ("a" * (LONGEST + 1), "100,001 characters are too many.*Try the abstract"),
        ("\x01\x02\x03 model", "control characters. Try plain text"),
        ("Das Modell ist nicht mit der Methode trainiert und die Bilder werden mit dem Decoder "
         "in einem Schritt erzeugt", "looks like German.*Try a translation"),
        ("Le modèle est une application pour la génération d'images avec du bruit dans les pixels",
         "looks like French"),
        ("El modelo es una red que genera las imágenes con el ruido por los pasos", "Spanish"),
        ("Модель генерирует изображения из шума за тридцать шагов", "Cyrillic script"),
        ("该模型通过三十步去噪生成图像", "Chinese or Japanese"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_named(text, message):
    with pytest.raises(UnreadableError, match=message):
        checked(text)


@pytest.mark.parametrize(
    "text",
    [ENGLISH, "GAN", "Steps: 30. Base: VAE.", "naïve café diffusion", "name: 模型\nloss: GAN loss",
     "Parameters: 6 billion. Die size irrelevant."],
)  # fmt: skip
def test_short_and_structured_english_passes(text):
    assert checked(text) == text


def test_bytes_that_are_no_text_are_named():
    with pytest.raises(UnreadableError, match=r"binary.*zero byte"):
        decoded(b"\x7fELF\0\0")
    with pytest.raises(UnreadableError, match=r"not UTF-8: byte 3 is 0xe9.*iconv"):
        decoded("caf\xe9".encode("latin-1"))
    assert decoded(b"\xef\xbb\xbfGAN") == "GAN"


def test_files_that_cannot_be_loaded_are_named(tmp_path):
    with pytest.raises(UnreadableError, match="is a folder"):
        load(str(tmp_path))
    with pytest.raises(UnreadableError, match=r"No such file.*Try a path"):
        load(str(tmp_path / "none.txt"))
    with pytest.raises(UnreadableError, match="cannot read"):
        load("a\0b")
    big = tmp_path / "big.txt"
    big.write_bytes(b"a" * 10_000_000)
    with pytest.raises(UnreadableError, match=r"10,000,000 bytes.*Try the abstract"):
        load(str(big))
    with pytest.raises(UnreadableError, match="standard input holds more than 400,000"):
        load("-", io.BytesIO(b"a" * 10_000_000))
    assert load("-", io.BytesIO(b"A GAN.")) == "A GAN."


def test_prose_is_cut_at_full_stops_and_lists_at_items():
    assert [s.text for s in sentences("One net,\ne.g. a GAN. It has 0.7\nof it.")] == [
        "one net, e.g. a gan.", "it has 0.7 of it."
    ]  # fmt: skip
    listed = "name: A\nloss: GAN\n  with R1\nsteps: one\n- item one\n- item two"
    assert [s.text for s in sentences(listed)] == [
        "name: a", "loss: gan with r1", "steps: one", "- item one", "- item two"
    ]  # fmt: skip


def test_headings_marks_and_deliberate_breaks_of_a_card_are_seen():
    card = "# A-1\nA GAN.\n## Results\nIt beats\n**Use:** it is `free`\n"
    assert [(s.text, s.section) for s in sentences(card)] == [
        ("a-1", "a-1"), ("a gan.", "a-1"), ("results", "results"), ("it beats", "results"),
        ("use: it is free", "use"),
    ]  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=200))
def test_every_character_knows_its_place(text):
    for sentence in sentences(text):
        assert len(sentence.origin) == len(sentence.text)
        for character, place in zip(sentence.text, sentence.origin, strict=True):
            original = text[place]
            assert original.isspace() or character in (original.lower(), original, "-", "'")
