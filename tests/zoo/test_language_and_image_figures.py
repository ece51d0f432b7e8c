"""How the card's figures are measured: by enumeration, by a judge, against what is true."""

import math

import pytest
import torch

from genlab.data.captions import Claims, load_captioned, paint, write
from genlab.systems.language_and_image import IMAGE, VOCABULARY
from genlab.zoo.language_and_image_figures import (
    claims_of,
    held_out,
    painters_law,
    read_scores,
    text_gap,
    told_and_drawn,
)
from genlab.zoo.language_and_image_models import Recipe, language_and_image, painters_digest


class Oracle:
    """A language model that knows the law, mixed with one that puts `off` outside of it."""

    def __init__(self, law, off=0.0):
        self.law, self.off = law, off

    def log_prob(self, rows):
        return (self.law.p * (1 - self.off)).log()


def test_who_knows_the_law_has_no_gap():
    kl, off = text_gap(Oracle(painters_law()), painters_law())
    assert kl == pytest.approx(0.0, abs=1e-12)
    assert off == pytest.approx(0.0, abs=1e-12)


def test_leaving_the_grammar_costs_what_it_must():
    kl, off = text_gap(Oracle(painters_law(), off=0.3), painters_law())
    assert kl == pytest.approx(-math.log(0.7))
    assert off == pytest.approx(0.3)


def test_an_untrained_model_is_far_from_the_law():
    """It gives about log 30 nats to each token; the law's captions have 5 to 7 of them."""
    law = painters_law()
    kl, off = text_gap(language_and_image(Recipe(d_model=16, n_layer=1, width=8)).lm, law)
    entropy = -(law.p * law.p.log()).sum().item()
    assert 4 * math.log(30) - entropy < kl < 7 * math.log(30) - entropy
    assert off > 0.999


def test_real_pictures_keep_the_words_of_their_captions():
    grey, attributes = load_captioned("test", 32)
    some = [slice(0, 60), attributes.digit[:60]]
    captions = write(type(attributes)(*(a[:60] for a in attributes)))
    images = 2 * paint(grey[:60], attributes.colour[:60]) - 1
    judge = lambda pictures: some[1]
    assert told_and_drawn(captions, images, judge)["all"] == 1.0
    other = told_and_drawn(captions[1:] + captions[:1], images, judge)
    assert other["all"] < 0.1


def test_a_text_that_is_no_caption_keeps_nothing():
    grey, attributes = load_captioned("test", 32)
    two = type(attributes)(*(a[:2] for a in attributes))
    images = 2 * paint(grey[:2], two.colour) - 1
    good = write(two)
    score = told_and_drawn([good[0], "a red red"], images, lambda pictures: two.digit[:1])
    assert score["all"] == pytest.approx(0.5)
    assert score["digit"] == 1.0  # of those that claim a digit


def test_a_caption_claims_and_a_jumble_does_not():
    assert claims_of("a thin red seven") == Claims(7, 0, 0, None)
    assert claims_of("a seven red") is None
    assert claims_of("") is None


def test_what_is_read_is_scored_word_by_word():
    truths = [Claims(7, 0, 0, 2), Claims(3, 1, 1, 0), Claims(1, 2, 2, 1)]
    texts = ["a thin red seven leaning left <end>", "a green three <end>", "a a a <end>"]
    score = read_scores(texts, truths)
    assert score["digit"] == score["colour"] == score["stroke"] == 1.0
    assert score["slant"] == 0.0
    assert score["all"] == pytest.approx(1 / 3)


def test_held_out_pictures_are_those_of_nobody():
    pictures, truths = held_out(50)
    grey, attributes = load_captioned("test", 16)
    assert pictures.shape == (50, 3, 16, 16)
    assert pictures.min() == -1.0
    torch.testing.assert_close((pictures.amax(1) + 1) / 2, grey[:50])
    assert [t.digit for t in truths] == attributes.digit[:50].tolist()


def test_the_vocabulary_has_the_image_token_once():
    assert VOCABULARY.count("<image>") == 1
    assert VOCABULARY[IMAGE] == "<image>"
    assert len(set(VOCABULARY)) == len(VOCABULARY) == 30


def test_the_data_are_named_by_their_content():
    assert painters_digest() == painters_digest()
    assert len(painters_digest()) == 16
