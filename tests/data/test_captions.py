"""The language of captions: what is written can be read, and nothing else."""

import itertools
import math

import pytest
import torch

from genlab.data.captions import (
    COLOURS,
    DIGITS,
    END,
    PARTS,
    SLANTS,
    WORDS,
    Attributes,
    Claims,
    caption_law,
    chance,
    decode,
    encode,
    grey_of,
    load_captioned,
    measure_colour,
    measure_slant,
    measure_stroke,
    next_word_law,
    paint,
    read,
    stroke_edges,
    write,
)
from genlab.data.digits import load_mnist
from genlab.data.moving import MOTIONS


def test_what_is_written_is_read_back_for_every_combination():
    rows = torch.tensor([*itertools.product(range(10), range(6), range(3), range(3))])
    captions = write(Attributes(*rows.T))
    for (d, c, k, s), caption in zip(rows.tolist(), captions, strict=True):
        assert read(caption) == Claims(d, c, None if k == 1 else k, s)


def test_words_left_out_claim_nothing():
    attributes = load_captioned("test").attributes
    never = torch.zeros(1000, dtype=torch.bool)
    for caption in write(attributes, say_stroke=never, say_slant=never)[:50]:
        claims = read(caption)
        assert claims.stroke is None
        assert claims.slant is None


def test_encoding_is_undone_by_decoding():
    captions = write(load_captioned("test").attributes)
    assert decode(encode(captions)) == captions


def test_every_word_has_one_number():
    spoken = {"a", "thin", "bold", *COLOURS, *DIGITS, *" ".join(SLANTS).split()}
    spoken |= set(" ".join(MOTIONS).split())
    assert spoken == set(WORDS[1:])
    assert len(WORDS) == len(set(WORDS))


def test_a_reader_forgives_capitals_and_a_full_stop():
    assert read("A thin Red seven leaning right.") == read("a thin red seven leaning right")


@pytest.mark.parametrize(
    ("caption", "named"),
    [
        ("", "'nothing' where one of a"),
        ("the red seven", "'the' where one of a"),
        ("a crimson seven", "'crimson' where one of red, green"),
        ("a red eleven", "'eleven' where one of zero, one"),
        ("a red seven sideways", "ends in 'sideways'"),
        ("a thin bold red seven", "'bold' where one of red"),
    ],
)
def test_what_is_not_a_caption_is_refused_with_the_word_and_the_options(caption, named):
    with pytest.raises(ValueError, match=named):
        read(caption)


@pytest.mark.parametrize(
    ("caption", "named"),
    [("a red cat", "unknown word 'cat'"), ("a red one a red one upright", "7 words")],
)
def test_what_cannot_be_encoded_is_named(caption, named):
    with pytest.raises(ValueError, match=named):
        encode([caption])


@pytest.mark.parametrize("size", [16, 32])
@pytest.mark.parametrize("part", PARTS)
def test_pictures_are_grey_values_of_the_promised_size(part, size):
    grey, attributes = load_captioned(part, size)
    assert grey.shape == (len(attributes.digit), size, size)
    assert 0 <= float(grey.min()) <= float(grey.max()) <= 1


def test_no_digit_is_shared_between_those_who_paint_and_those_who_judge():
    rows = torch.cat([load_captioned(part, 32).grey.flatten(1) for part in PARTS])
    key = torch.rand(1024, generator=torch.Generator().manual_seed(1))
    assert len(torch.unique(rows @ key)) == 10_000  # MNIST's ten thousand are all different


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
    assert (measure_slant(grey) == truth.slant).double().mean() > 0.97


@pytest.mark.parametrize("kind", ["stroke", "slant"])
def test_each_word_is_true_of_about_a_third_of_the_pictures(kind):
    share = getattr(load_captioned("painter").attributes, kind).bincount(minlength=3) / 5000
    assert 0.28 < float(share.min()) < float(share.max()) < 0.39


def test_every_combination_of_digit_and_slant_exists():
    _, a = load_captioned("painter")
    assert (a.digit * 3 + a.slant).bincount(minlength=30).min() > 30


def test_thin_and_bold_compare_a_digit_with_its_own_class():
    edges = stroke_edges()
    assert edges[1, 1] < edges[0, 0]  # a bold one has less ink than a thin zero
    _, a = load_captioned("painter")
    for c in range(10):
        counts = a.stroke[a.digit == c].bincount(minlength=3)
        assert counts.max() - counts.min() <= 2  # thirds of the class, up to rounding


def test_labels_are_those_of_mnist():
    _, a = load_captioned("painter")
    assert torch.equal(a.digit, load_mnist("train").labels[:5000])


def test_colours_come_from_the_seed():
    first, again, other = (load_captioned("test", 16, seed=s).attributes.colour for s in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert first.bincount(minlength=6).min() > 120


def test_a_dim_or_noisy_colour_is_still_recognised():
    grey, a = load_captioned("test", 16)
    noise = 0.1 * torch.rand(len(grey), 3, 16, 16, generator=torch.Generator().manual_seed(0))
    dim = 0.6 * paint(grey, a.colour) + noise
    assert (measure_colour(dim) == a.colour).double().mean() > 0.99


def test_each_colour_differs_from_the_others():
    palette = torch.tensor(list(COLOURS.values()))
    assert torch.cdist(palette, palette).fill_diagonal_(9).min() >= 1


@pytest.mark.parametrize(
    ("part", "size", "named"), [("train", 32, "got 'train'"), ("judge", 28, "got 28")]
)
def test_a_wrong_part_or_size_is_named(part, size, named):
    with pytest.raises(ValueError, match=named):
        load_captioned(part, size)


def test_attributes_are_indices_of_one_length():
    assert {len(a) for a in Attributes(*load_captioned("test").attributes)} == {1000}


ONE = Attributes(*(torch.tensor([k]) for k in (7, 0, 0, 2)))
TWO = Attributes(  # a thin upright three; a plain eight that leans left
    torch.tensor([3, 8]), torch.tensor([0, 0]), torch.tensor([0, 1]), torch.tensor([1, 0])
)


@pytest.fixture(scope="module")
def law():
    torch.set_default_dtype(torch.float64)
    return caption_law(load_captioned("painter", 16).attributes)


def test_there_are_720_captions_and_their_probabilities_sum_to_one(law):
    assert len(law.captions) == len(set(law.captions)) == 3 * 6 * 10 * 4
    assert law.p.sum().item() == pytest.approx(1.0, abs=1e-12)
    assert law.attributes.sum().item() == pytest.approx(1.0, abs=1e-12)


def test_every_caption_can_be_read(law):
    assert len({read(caption) for caption in law.captions}) == 720


def test_a_caption_by_hand():
    law = caption_law(TWO, say_stroke=0.6, say_slant=0.3)
    p = dict(zip(law.captions, law.p.tolist(), strict=True))
    assert p["a thin red three upright"] == pytest.approx(0.5 / 6 * 0.6 * 0.3)
    assert p["a red three"] == pytest.approx(0.5 / 6 * 0.4 * 0.7)
    # the eight has no word for its stroke, so it cannot fail to say it
    assert p["a cyan eight leaning left"] == pytest.approx(0.5 / 6 * 0.3)
    assert "a thin red eight" not in p


def test_it_is_the_law_of_drawn_captions(law, generator):
    """40,000 captions written as the training writes them; the 40 most likely, by z-score."""
    grey, attributes = load_captioned("painter", 16)
    n = 40_000
    rows = torch.randint(len(grey), (n,), generator=generator)
    drawn = Attributes(*(a[rows] for a in attributes))
    drawn = drawn._replace(colour=torch.randint(6, (n,), generator=generator))
    u = torch.rand(2, n, generator=generator)
    captions = write(drawn, say_stroke=u[0] < 0.75, say_slant=u[1] < 0.75)
    count = dict.fromkeys(law.captions, 0)
    for caption in captions:
        count[caption] += 1
    share = torch.tensor([count[c] / n for c in law.captions])
    z = (share - law.p) / (law.p * (1 - law.p) / n).sqrt()
    assert z[law.p.argsort(descending=True)[:40]].abs().max() < 5
    assert 0.9 < (z**2).mean() < 1.1  # about chi-square with 719 degrees: standard deviation 0.05


def test_the_next_word_is_a_ratio_of_sums():
    law = caption_law(TWO, say_stroke=0.6, say_slant=0.3)
    first = next_word_law(law, "a")
    assert first["thin"] == pytest.approx(0.5 * 0.6)
    assert first["red"] == pytest.approx((1 - 0.3) / 6)
    assert next_word_law(law, "a thin blue") == {"three": 1.0}
    ends = next_word_law(law, "a red eight")
    assert ends[END] == pytest.approx(0.7)
    assert ends["leaning"] == pytest.approx(0.3)


def test_next_word_laws_chain_to_the_probability_of_the_caption(law):
    caption = "a bold cyan eight leaning left"
    words, log_p = caption.split(), 0.0
    for i in range(len(words) + 1):
        follow = next_word_law(law, " ".join(words[:i]))
        assert sum(follow.values()) == pytest.approx(1.0)
        log_p += math.log(follow[[*words, END][i]])
    assert math.exp(log_p) == pytest.approx(law.p[law.captions.index(caption)].item())


def test_nothing_follows_what_no_caption_begins_with(law):
    assert next_word_law(law, "a seven red") == {}
    assert next_word_law(law, "a thin red seven leaning right again") == {}


def test_chance_is_what_independent_pairs_score(law, generator):
    """Captions against the attributes of other pictures, word by word."""
    n = 60_000
    own = torch.multinomial(law.p, n, replacement=True, generator=generator)
    flat = torch.multinomial(law.attributes.flatten(), n, replacement=True, generator=generator)
    digit, colour, stroke, slant = torch.unravel_index(flat, law.attributes.shape)
    hits = {"digit": [], "colour": [], "slant": [], "all": []}
    for i, k in enumerate(own.tolist()):
        c = read(law.captions[k])
        right = [c.digit == digit[i], c.colour == colour[i]]
        right.append(c.stroke is None or c.stroke == stroke[i])
        right.append(c.slant is None or c.slant == slant[i])
        hits["digit"].append(float(right[0]))
        hits["colour"].append(float(right[1]))
        hits["all"].append(float(all(right)))
        if c.slant is not None:
            hits["slant"].append(float(right[3]))
    for kind, p in chance(law).items():
        seen = torch.tensor(hits[kind])
        assert abs(seen.mean() - p) < 5 * math.sqrt(p * (1 - p) / len(seen)), kind


def test_chance_of_given_captions_weighs_them_equally():
    law = caption_law(TWO, say_stroke=1.0, say_slant=1.0)
    some = chance(law, ["a red three", "a thin red three leaning left"])
    assert some["digit"] == pytest.approx(0.5)
    assert some["all"] == pytest.approx((0.5 / 6 + 0.0) / 2)
    assert some["slant"] == pytest.approx(0.5)


@pytest.mark.parametrize("wrong", [{"say_stroke": 1.2}, {"say_slant": -0.1}])
def test_a_share_outside_of_0_to_1_is_refused(wrong):
    with pytest.raises(ValueError, match=r"must lie in \[0, 1\]"):
        caption_law(ONE, **wrong)
