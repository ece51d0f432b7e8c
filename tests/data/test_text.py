"""The manual as text: no paragraph in two parts, nothing but plain characters."""

import pytest

from genlab.data.text import load_text, paragraphs, unique_paragraphs


def test_a_repeated_paragraph_is_dropped_whatever_its_spacing():
    assert unique_paragraphs(["a b\n c\n\nd", "d\n \n\na  b c"]) == ["a b\n c", "d"]


def test_no_paragraph_of_the_held_out_parts_is_in_the_training_part():
    # repeats are dropped before splitting: afterwards the held-out text would be known by heart
    train = {" ".join(p.split()) for p in load_text("train").split("\n\n")}
    for split in ("val", "test"):
        held_out = [" ".join(p.split()) for p in load_text(split).split("\n\n")]
        assert not train.intersection(held_out)


def test_the_parts_hold_every_paragraph_once():
    parts = [p for s in ("train", "val", "test") for p in load_text(s).split("\n\n")]
    assert len(parts) == len(paragraphs())


def test_the_text_is_plain_ascii():
    assert all(c == "\n" or " " <= c <= "~" for c in load_text("train"))


def test_sizes_are_those_of_the_manual():
    # between Python versions the manual grows by a few per cent a year
    total = sum(len(load_text(s)) for s in ("train", "val", "test"))
    assert 250_000 < total < 700_000
    for split in ("val", "test"):
        assert 0.02 < len(load_text(split)) / total < 0.1


def test_an_unknown_part_is_named():
    with pytest.raises(ValueError, match="'dev'"):
        load_text("dev")
