"""Real pictures keep their words; the wrong picture breaks just those words that differ."""

import pytest
import torch

from genlab.data.captions import Claims, load_captioned, paint, read, write
from genlab.data.moving import MOTIONS, animate, frames_in_colour, load_moving, small_digits
from genlab.systems.evaluation import (
    Wanted,
    digit_judge,
    film_judge,
    film_scores,
    kept_words,
    motion_residual,
    read_frames,
    wanted,
    word_scores,
)


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


TURNING = MOTIONS.index("turning")


@pytest.fixture(scope="module")
def real():
    """Held-out films in colour, what is true of them, and a judge that was told every answer."""
    films, digit, colour, motion = (part[:100] for part in load_moving("test"))
    return frames_in_colour(films, colour), Wanted(digit, colour, motion)


def knows(digit):
    return lambda grey: digit


def test_real_films_keep_every_word(real):
    films, claims = real
    scores = film_scores(films, claims, knows(claims.digit))
    assert [scores[k] for k in ("motion", "colour", "digit", "same digit", "all words")] == [1] * 5


@pytest.mark.parametrize(
    ("kind", "change"),
    [("motion", lambda x: x.flip(2)), ("colour", lambda x: x.flip(1))],
)
def test_a_spoiled_film_breaks_the_word_that_it_spoils(real, kind, change):
    films, claims = real
    scores = film_scores(change(films), claims, knows(claims.digit))
    assert scores[kind] < 0.5
    assert scores["all words"] <= scores[kind]
    assert scores["digit"] == 1


def test_one_frame_in_another_colour_breaks_the_colour(real):
    films, claims = real
    films = films.clone()
    films[:, :, 3] = films[:, :, 3].flip(1)
    green = claims.colour[(claims.colour == 1) | (claims.colour == 4)]  # green and magenta: same
    scores = film_scores(films, claims, knows(claims.digit))
    assert scores["colour"] == pytest.approx(len(green) / len(films))


def test_a_wrong_digit_in_one_frame_is_not_the_same_digit(real):
    films, claims = real
    seen = []

    def slips(grey):
        seen.append(0)
        return claims.digit if len(seen) != 5 else (claims.digit + 1) % 10

    scores = film_scores(films, claims, slips)
    assert (scores["digit"], scores["same digit"]) == (0, 0)


def test_a_film_of_another_digit_is_consistent_and_wrong(real):
    films, claims = real
    scores = film_scores(films, claims, knows((claims.digit + 1) % 10))
    assert (scores["digit"], scores["same digit"]) == (0, 1)


def test_frames_of_turning_films_are_turned_back():
    """Then all frames look alike, except for two interpolations."""
    grey, _ = small_digits("test")
    film = animate(grey[:5], torch.full((5,), TURNING))
    shown = []
    read_frames(film, torch.full((5,), TURNING), lambda g: shown.append(g) or torch.zeros(5).long())
    stack = torch.stack(shown, 1)
    apart = (stack - stack.mean(1, keepdim=True)).square().sum() / stack.square().sum()
    before = (film - film.mean(1, keepdim=True)).square().sum() / film.square().sum()
    assert float(apart) < 0.1 < float(before)


def test_frames_of_other_films_are_left_alone(real):
    films = real[0].amax(1)
    shown = []
    still = torch.zeros(len(films), dtype=torch.int64)
    read_frames(films, still, lambda g: shown.append(g) or still)
    torch.testing.assert_close(torch.stack(shown, 1), films)


@pytest.mark.parametrize("motion", range(5))
def test_a_real_motion_leaves_little_unexplained(motion):
    grey, _ = small_digits("test")
    film = animate(grey[:20], torch.full((20,), motion))
    assert float(motion_residual(film).max()) < 0.12  # interpolation


def test_strangers_leave_much_unexplained(real):
    films = real[0].amax(1)
    strangers = torch.stack([films[torch.randperm(100), f] for f in range(8)], 1)
    assert float(motion_residual(strangers).mean()) > 0.5 > float(motion_residual(films).mean())


def test_claims_are_balanced():
    claims = wanted(500)
    pairs = claims.digit * 5 + claims.motion
    assert pairs.bincount().tolist() == [10] * 50
    assert int(claims.colour.bincount(minlength=6).min()) > 50


def test_a_claim_for_each_film():
    with pytest.raises(ValueError, match="2 films have 3 captions"):
        film_scores(torch.zeros(2, 3, 8, 16, 16), wanted(3), knows(torch.zeros(2)))


@pytest.mark.slow
def test_the_judge_reads_the_same_digit_in_every_frame_of_real_films():
    """The ceiling of every figure: 98 % of held-out films."""
    films, digit, _, motion = load_moving("test")
    read = read_frames(films[:300], motion[:300], film_judge())
    assert float((read == read[:, :1]).all(1).double().mean()) > 0.95
    assert float((read == digit[:300, None]).all(1).double().mean()) > 0.93
