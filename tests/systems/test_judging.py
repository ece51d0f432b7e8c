"""Real pictures keep their words; the wrong picture breaks just those words that differ."""

import pytest
import torch

from genlab.data.captioned import load_captioned, paint
from genlab.data.captions import Claims, read, write
from genlab.systems.judging import digit_judge, kept_words, word_scores


class Knows:
    """A judge that was told the answers."""

    def __init__(self, digits):
        self.digits = digits

    def __call__(self, grey):
        return self.digits


@pytest.fixture
def pictures():
    grey, attributes = load_captioned("test", 32)
    images = paint(grey, attributes.colour)[:200]
    claims = [read(c) for c in write(attributes)][:200]
    return images, claims, Knows(attributes.digit[:200])


def test_real_pictures_keep_every_word(pictures):
    assert word_scores(*pictures) == dict.fromkeys(("digit", "colour", "stroke", "slant", "all"), 1)


def test_words_that_are_not_claimed_do_not_count(pictures):
    images, claims, judge = pictures
    silent = [c._replace(stroke=None, slant=None) for c in claims]
    kept = kept_words(images, silent, judge)
    assert kept["stroke"].isnan().all()
    assert kept["all"].min() == 1


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("colour", lambda x: x.flip(1)),  # red becomes blue, yellow becomes cyan
        ("slant", lambda x: x.flip(3)),  # mirrored
        ("stroke", lambda x: x.pow(3)),  # thinner
    ],
)
def test_a_spoiled_picture_breaks_the_word_that_it_spoils(pictures, kind, change):
    images, claims, judge = pictures
    scores = word_scores(change(images), claims, judge)
    assert scores[kind] < 0.7
    assert scores["all"] <= scores[kind] + 0.35
    assert scores["digit"] == 1


def test_a_wrong_digit_is_seen(pictures):
    images, claims, judge = pictures
    wrong = [c._replace(digit=(c.digit + 1) % 10) for c in claims]
    assert word_scores(images, wrong, judge)["digit"] == 0


def test_all_is_the_worst_word_of_each_picture(pictures):
    images, claims, judge = pictures
    kept = kept_words(images.flip(3), claims, judge)
    worst = torch.stack([kept[k].nan_to_num(1.0) for k in ("digit", "colour", "stroke", "slant")])
    torch.testing.assert_close(kept["all"], worst.amin(0))


def test_a_caption_short_is_refused(pictures):
    images, claims, judge = pictures
    with pytest.raises(ValueError, match="200 pictures have 199 captions"):
        kept_words(images, claims[1:], judge)


@pytest.mark.slow
def test_the_real_judge_agrees_with_the_labels():
    grey, attributes = load_captioned("test", 16)
    images = paint(grey, attributes.colour)
    claims = [
        Claims(d, c, None, None) for d, c in zip(*(a.tolist() for a in attributes[:2]), strict=True)
    ]
    assert word_scores(images, claims, digit_judge())["digit"] > 0.975
