"""The language of captions: what is written can be read, and nothing else."""

import itertools
import math

import pytest
import torch

from genlab.data.captions import load_captioned
from genlab.data.language import (
    ALONE,
    END,
    SCENE_WORDS,
    Attributes,
    Claims,
    caption_distribution,
    chance,
    decode,
    encode,
    encode_scenes,
    next_word_probs,
    read_caption,
    read_moving,
    read_scenes,
    write_captions,
    write_moving,
    write_scenes,
)

TWO = Attributes(  # a thin upright three; a plain eight that leans left
    torch.tensor([3, 8]), torch.tensor([0, 0]), torch.tensor([0, 1]), torch.tensor([1, 0])
)


def test_what_is_written_is_read_back_for_every_combination():
    rows = torch.tensor([*itertools.product(range(10), range(6), range(3), range(3))])
    captions, never = write_captions(Attributes(*rows.T)), torch.zeros(len(rows), dtype=torch.bool)
    assert decode(encode(captions)) == captions
    short = write_captions(Attributes(*rows.T), say_stroke=never, say_slant=never)
    for (d, c, k, s), caption, less in zip(rows.tolist(), captions, short, strict=True):
        assert read_caption(caption) == Claims(d, c, None if k == 1 else k, s)
        assert read_caption(less) == Claims(d, c, None, None)  # words left out claim nothing
    said = read_caption("a thin red seven leaning right")
    assert read_caption("A thin Red seven leaning right.") == said


def test_captions_of_videos_are_read_back_for_every_combination():
    rows = torch.tensor([*itertools.product(range(10), range(6), range(5))])
    captions = write_moving(*rows.T)
    assert [read_moving(c) for c in captions] == [tuple(r) for r in rows.tolist()]
    assert decode(encode(captions)) == captions


def every_fact():
    """All captions: 60 of one object, 14,400 of two."""
    pairs = torch.cartesian_prod(torch.arange(10), torch.arange(6))
    alone = torch.cat([pairs, torch.tensor([[ALONE, 0, 0]]).expand(60, 3)], 1)
    rows = torch.cartesian_prod(torch.arange(60), torch.arange(4), torch.arange(60))
    two = torch.cat([pairs[rows[:, 0]], rows[:, 1:2], pairs[rows[:, 2]]], 1)
    return torch.cat([alone, two])


def test_captions_and_facts_of_scenes_are_each_others_inverse():
    facts = every_fact()
    captions = write_scenes(facts)
    assert len(set(captions)) == len(captions) == 60 + 4 * 3600
    assert torch.equal(read_scenes(captions), facts)
    rows = encode_scenes(facts)
    assert [" ".join(SCENE_WORDS[k] for k in row if k) for row in rows.tolist()] == captions


@pytest.mark.parametrize(
    ("caption", "said"),
    [
        ("a pink seven", "'pink' where one of red"),
        ("a red seven left a blue three", "'a' where one of of"),
        ("a red seven beside a blue three", "'beside' where"),
        ("a red seven left of a blue three above", "goes on with 'above'"),
        ("a red", "'nothing' where one of zero"),
    ],
)
def test_what_is_no_caption_of_a_scene_is_refused_with_the_word(caption, said):
    with pytest.raises(ValueError, match=said):
        read_scenes([caption])


def test_a_capital_and_a_full_stop_change_nothing():
    assert read_scenes(["A Red Seven."]).tolist() == [[7, 0, ALONE, 0, 0]]


@pytest.fixture(scope="module")
def truth():
    torch.set_default_dtype(torch.float64)
    return caption_distribution(load_captioned("painter", 16).attributes)


def test_a_caption_by_hand():
    truth = caption_distribution(TWO, say_stroke=0.6, say_slant=0.3)
    p = dict(zip(truth.captions, truth.p.tolist(), strict=True))
    assert p["a thin red three upright"] == pytest.approx(0.5 / 6 * 0.6 * 0.3)
    assert p["a red three"] == pytest.approx(0.5 / 6 * 0.4 * 0.7)
    # the eight has no word for its stroke, so it cannot fail to say it
    assert p["a cyan eight leaning left"] == pytest.approx(0.5 / 6 * 0.3)
    assert "a thin red eight" not in p


def test_it_is_the_distribution_of_drawn_captions(truth, generator):
    """40,000 captions written as the training writes them; the 40 most likely, by z-score."""
    grey, attributes = load_captioned("painter", 16)
    n = 40_000
    rows = torch.randint(len(grey), (n,), generator=generator)
    drawn = Attributes(*(a[rows] for a in attributes))
    drawn = drawn._replace(colour=torch.randint(6, (n,), generator=generator))
    u = torch.rand(2, n, generator=generator)
    captions = write_captions(drawn, say_stroke=u[0] < 0.75, say_slant=u[1] < 0.75)
    count = dict.fromkeys(truth.captions, 0)
    for caption in captions:
        count[caption] += 1
    found = torch.tensor([count[c] / n for c in truth.captions])
    z = (found - truth.p) / (truth.p * (1 - truth.p) / n).sqrt()
    assert z[truth.p.argsort(descending=True)[:40]].abs().max() < 5
    assert 0.9 < (z**2).mean() < 1.1  # about chi-square with 719 degrees: standard deviation 0.05


def test_next_words_chain_to_the_probability_of_the_caption(truth):
    caption = "a bold cyan eight leaning left"
    words, log_p = caption.split(), 0.0
    for i in range(len(words) + 1):
        follow = next_word_probs(truth, " ".join(words[:i]))
        assert sum(follow.values()) == pytest.approx(1.0)
        log_p += math.log(follow[[*words, END][i]])
    assert math.exp(log_p) == pytest.approx(truth.p[truth.captions.index(caption)].item())


def test_a_distribution_without_one_of_its_probabilities_is_refused():
    truth = caption_distribution(TWO)
    with pytest.raises(ValueError):  # noqa: PT011 (the text is Python's own)
        next_word_probs(truth._replace(p=truth.p[:-1]), "a")


MIXED = Attributes(  # a digit that is drawn with several strokes and slants
    torch.tensor([3, 3, 3, 8]),
    torch.tensor([0, 0, 0, 0]),
    torch.tensor([0, 2, 2, 1]),
    torch.tensor([1, 0, 1, 0]),
)


def test_words_and_facts_have_the_numbers_that_shipped_weights_know():
    row = [1, 2, 4, 17, 20, 21]
    assert encode(["a thin red seven leaning left"]).tolist() == [row]
    assert encode_scenes(torch.tensor([[1, 0, 2, 2, 3]])).tolist() == [[1, 2, 9, 21, 1, 5, 10, 0]]
    assert read_scenes(["a red one above a blue two"]).tolist() == [[1, 0, 2, 2, 3]]
    assert read_scenes(["a red one left of a blue two"]).tolist() == [[1, 0, 0, 2, 3]]
    assert read_scenes(["a red one"]).tolist() == [[1, 0, 4, 0, 0]]


def test_padding_is_no_word_of_a_caption():
    with pytest.raises(ValueError, match="unknown word '<pad>'"):
        encode(["a red seven <pad>"])


@pytest.mark.parametrize("drawn_from", [TWO, MIXED], ids=["one style a digit", "several"])
def test_chance_is_what_independent_pairs_score(drawn_from):
    """Every caption against the attributes of every picture, word by word."""
    truth = caption_distribution(drawn_from, say_stroke=0.6, say_slant=0.3)
    hits = {kind: [0.0, 0.0] for kind in ("digit", "colour", "slant", "all")}
    for caption, p in zip(truth.captions, truth.p.tolist(), strict=True):
        said = read_caption(caption)
        for drawn in truth.attributes.nonzero().tolist():
            q = p * truth.attributes[tuple(drawn)].item()
            right = [a is None or a == b for a, b in zip(said, drawn, strict=True)]
            found = {"digit": right[0], "colour": right[1], "slant": right[3], "all": all(right)}
            for kind, yes in found.items():
                if kind != "slant" or said.slant is not None:
                    hits[kind] = [hits[kind][0] + q * yes, hits[kind][1] + q]
    assert chance(truth) == pytest.approx({kind: a / b for kind, (a, b) in hits.items()})


def test_chance_of_given_captions_weighs_them_equally():
    truth = caption_distribution(TWO, say_stroke=1.0, say_slant=1.0)
    some = chance(truth, ["a red three", "a thin red three leaning left"])
    assert some["digit"] == pytest.approx(0.5)
    assert some["all"] == pytest.approx((0.5 / 6 + 0.0) / 2)
    assert some["slant"] == pytest.approx(0.5)


def test_there_are_720_captions_that_can_be_read_and_their_probabilities_sum_to_one(truth):
    assert len({read_caption(caption) for caption in truth.captions}) == len(truth.captions) == 720
    assert truth.p.sum().item() == pytest.approx(1.0, abs=1e-12)
    assert truth.attributes.sum().item() == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: read_caption(""), "'nothing' where one of a"),
        (lambda: read_caption("a crimson seven"), "'crimson' where one of red, green"),
        (lambda: read_caption("a red seven sideways"), "ends in 'sideways'"),
        (lambda: encode(["a red cat"]), "unknown word 'cat'"),
        (lambda: encode(["a red one a red one upright"]), "7 words"),
        (lambda: caption_distribution(TWO, say_stroke=1.2), "say_stroke is 1.2"),
    ],
)
def test_what_is_no_caption_or_probability_is_refused(call, named):
    with pytest.raises(ValueError, match=named):
        call()
