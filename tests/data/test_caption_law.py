"""The law of captions: enumerated here, drawn there."""

import math

import pytest
import torch

from genlab.data.caption_law import END, caption_law, chance, next_word_law
from genlab.data.captioned import Attributes, load_captioned
from genlab.data.captions import read, write

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
