"""What a release is for is weighed over its whole text, where no sentence names it plainly."""

import pytest

from genlab.atlas.aim import TWICE, aim, calls_itself
from genlab.atlas.aim_table import AIMS
from genlab.atlas.reader import read_release
from genlab.atlas.text import sentences


def weight(text):
    return aim(sentences(text)).weight


@pytest.mark.parametrize("row", AIMS, ids=lambda row: row.name)
def test_a_row_is_found_in_its_own_example_and_has_a_weight(row):
    plain = row.example.replace("[", "").replace("]", "").lower()
    found = row.finds.search(plain)
    assert found
    assert row.weight != 0
    if "[" in row.example:
        assert row.example.split("[")[1].split("]")[0].lower() in found.group()


@pytest.mark.parametrize(
    ("text", "judges"),
    [
        ("Its linear probing accuracy is 80 % top-1, and it reaches 0.9 AUROC.", True),
        ("It generates faces, and its FID is 9.", False),
        ("Lilac is a measure. It agrees with human ratings.", True),
        ("", None),
    ],
)
def test_the_weight_says_for_what_a_text_speaks(text, judges):
    assert (weight(text) > 0 if weight(text) else None) is judges


def test_a_row_counts_for_two_sentences_at_most():
    one = weight("It reaches 0.9 AUROC.")
    assert one > 0
    assert weight("It reaches 0.9 AUROC. " * 5) == TWICE * one


def test_what_others_make_is_not_the_making_of_the_release():
    assert weight("Most models reach an FID of 9.") == 0
    assert weight("It reaches an FID of 9.") < 0


@pytest.mark.parametrize(
    ("texts", "noun"),
    [
        (["text is hard to judge.", "lilac is a measure for it."], "a measure"),
        (["lilac is a gan."], ""),
        (["a gan.", "it has two parts.", "they play.", "it wins.", "lilac is a measure."], ""),
        (["we also release a benchmark."], ""),
    ],
)
def test_the_noun_by_which_a_text_calls_itself(texts, noun):
    assert calls_itself(texts) == noun


def test_the_reasons_are_quoted_as_evidence():
    text = (
        "Is a picture forged? We learn fingerprints of GANs. On six test sets we reach an AUROC "
        "of 0.97 and a false positive rate of 2 %. Detectors of forged images trained on one "
        "generator fail on others; ours is robust to compression. Zero-shot classification is next."
    )
    reading = read_release(text)
    assert "not-generative" in reading.flags
    assert any(e.conclusion == "flag: not-generative" for e in reading.evidence)
