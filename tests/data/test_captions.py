"""The language of captions: what is written can be read, and nothing else."""

import itertools
import math

import pytest
import torch

from genlab.data.captions import (
    PARTS,
    grey_of,
    load_captioned,
    measure_colour,
    measure_slant,
    measure_stroke,
    paint,
    stroke_edges,
)
from genlab.data.digits import load_mnist
from genlab.data.language import (
    END,
    Attributes,
    Claims,
    caption_distribution,
    chance,
    decode,
    encode,
    next_word_probs,
    read_caption,
    write_captions,
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


def test_a_caption_is_measured_on_the_coloured_picture_itself():
    grey, truth = load_captioned("test", 32)
    images = paint(grey, truth.colour)
    assert torch.equal(measure_colour(images), truth.colour)
    assert torch.equal(measure_stroke(grey_of(images), truth.digit), truth.stroke)
    assert torch.equal(measure_slant(grey_of(images)), truth.slant)


def test_the_small_picture_says_nearly_the_same_as_the_large_one():
    # Ink is unchanged by averaging; slant moves a little, so few pictures cross an edge.
    grey, truth = load_captioned("test", 16)
    assert torch.equal(measure_stroke(grey, truth.digit), truth.stroke)
    assert measure_stroke(grey[:0], truth.digit[:0]).shape == (0,)
    assert (measure_slant(grey) == truth.slant).double().mean() > 0.97


@pytest.mark.parametrize("kind", ["stroke", "slant"])
def test_each_word_is_true_of_about_a_third_of_the_pictures(kind):
    found = getattr(load_captioned("painter").attributes, kind).bincount(minlength=3) / 5000
    assert 0.28 < float(found.min()) < float(found.max()) < 0.39


def test_thin_and_bold_compare_a_digit_with_its_own_class():
    edges = stroke_edges()
    assert edges[1, 1] < edges[0, 0]  # a bold one has less ink than a thin zero
    _, a = load_captioned("painter")
    for c in range(10):
        counts = a.stroke[a.digit == c].bincount(minlength=3)
        assert counts.max() - counts.min() <= 2  # thirds of the class, up to rounding


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


def test_next_word_probss_chain_to_the_probability_of_the_caption(truth):
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


def test_chance_is_what_independent_pairs_score():
    """Every caption against the attributes of every picture, word by word."""
    truth = caption_distribution(TWO, say_stroke=0.6, say_slant=0.3)
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


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: read_caption(""), "'nothing' where one of a"),
        (lambda: read_caption("a crimson seven"), "'crimson' where one of red, green"),
        (lambda: read_caption("a red seven sideways"), "ends in 'sideways'"),
        (lambda: encode(["a red cat"]), "unknown word 'cat'"),
        (lambda: encode(["a red one a red one upright"]), "7 words"),
        (lambda: load_captioned("train", 32), "got 'train'"),
        (lambda: caption_distribution(TWO, say_stroke=1.2), "say_stroke is 1.2"),
    ],
)
def test_what_is_no_caption_part_or_probability_is_refused(call, named):
    with pytest.raises(ValueError, match=named):
        call()


def test_every_digit_is_in_one_part_in_mnists_order():
    parts = [load_captioned(part, 32) for part in PARTS]
    rows = torch.cat([part.grey.flatten(1) for part in parts])
    assert 0 <= float(rows.min()) <= float(rows.max()) <= 1
    key = torch.rand(1024, generator=torch.Generator().manual_seed(1))
    assert len(torch.unique(rows @ key)) == 10_000  # MNIST's ten thousand are all different
    assert torch.equal(parts[0].attributes.digit, load_mnist("train").labels[:5000])


def test_colours_come_from_the_seed_and_are_told_apart():
    grey, a = load_captioned("test", 16, seed=1)
    again, other = (load_captioned("test", 16, seed=s).attributes.colour for s in (1, 2))
    assert torch.equal(a.colour, again)
    assert not torch.equal(a.colour, other)
    assert a.colour.bincount(minlength=6).min() > 120
    noise = 0.1 * torch.rand(len(grey), 3, 16, 16, generator=torch.Generator().manual_seed(0))
    dim = 0.6 * paint(grey, a.colour) + noise
    assert (measure_colour(dim) == a.colour).double().mean() > 0.99


def test_there_are_720_captions_that_can_be_read_and_their_probabilities_sum_to_one(truth):
    assert len({read_caption(caption) for caption in truth.captions}) == len(truth.captions) == 720
    assert truth.p.sum().item() == pytest.approx(1.0, abs=1e-12)
    assert truth.attributes.sum().item() == pytest.approx(1.0, abs=1e-12)
