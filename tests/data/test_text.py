"""The manual as text: no paragraph in two parts, nothing but plain characters."""

from collections import Counter

import pytest

from genlab.data import text
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
    assert len({" ".join(p.split()) for p in paragraphs()}) == len(paragraphs())


def keys(split):
    return {" ".join(p.split()) for p in load_text(split).split("\n\n")}


def test_a_paragraph_keeps_its_part_when_the_manual_changes(monkeypatch):
    # weights that one Python trained are measured on the text of another
    before = {split: keys(split) for split in text.SPLITS}
    kept = [name for k, name in enumerate(text.topics) if k % 3]
    monkeypatch.setattr(text, "topics", {n: f"New here.\n\n{text.topics[n]}" for n in kept})
    text.paragraphs.cache_clear()
    try:
        for split in text.SPLITS:
            assert keys(split) - {"New here."} < before[split]
    finally:
        text.paragraphs.cache_clear()


def test_paragraphs_that_begin_alike_share_a_part():
    begin = "Changed in version 3: the name of the"
    assert len({text.part_of(f"{begin}\n  {rest}") for rest in range(200)}) == 1
    counts = Counter(text.part_of(f"paragraph number {k}") for k in range(20_000))
    assert counts["val"] == pytest.approx(1000, abs=150)  # five standard deviations
    assert counts["test"] == pytest.approx(1000, abs=150)


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
