"""Real pictures keep their words; the wrong picture breaks just those words that differ."""

import pytest
import torch

from genlab.data.captions import load_captioned, paint
from genlab.data.language import MOTIONS, Attributes, Claims, read_caption, write_captions
from genlab.data.moving import animate, frames_in_colour, load_moving, small_digits
from genlab.systems.evaluation import (
    VideoClaims,
    balanced_claims,
    classify_frames,
    digit_evaluator,
    drawn_scores,
    free_captions,
    held_out_captions,
    held_out_pictures,
    kept_words,
    likeness,
    motion_residual,
    read_scores,
    realism,
    video_evaluator,
    video_scores,
    word_scores,
)
from genlab.systems.glide import enlarged


def knows(digit):
    """Return a classifier that knows the answers."""
    return lambda grey: digit


@pytest.fixture
def pictures():
    grey, attributes = load_captioned("test", 32)
    images = paint(grey, attributes.colour)[:200]
    claims = [read_caption(c) for c in write_captions(attributes)][:200]
    return images, claims, knows(attributes.digit[:200])


def test_real_pictures_keep_every_word(pictures):
    assert word_scores(*pictures) == dict.fromkeys(("digit", "colour", "stroke", "slant", "all"), 1)


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("colour", lambda x: x.flip(1)),  # red becomes blue, yellow becomes cyan
        ("slant", lambda x: x.flip(3)),  # mirrored
        ("stroke", lambda x: x.pow(3)),  # thinner
    ],
)
def test_a_spoiled_picture_breaks_the_word_that_it_spoils(pictures, kind, change):
    images, claims, classifier = pictures
    scores = word_scores(change(images), claims, classifier)
    assert scores[kind] < 0.7
    assert scores["all"] <= scores[kind] + 0.35
    assert scores["digit"] == 1


def test_a_wrong_digit_is_seen(pictures):
    images, claims, classifier = pictures
    wrong = [c._replace(digit=(c.digit + 1) % 10) for c in claims]
    assert word_scores(images, wrong, classifier)["digit"] == 0


def test_a_caption_short_is_refused(pictures):
    images, claims, classifier = pictures
    with pytest.raises(ValueError, match="200 pictures have 199 captions"):
        kept_words(images, claims[1:], classifier)


@pytest.mark.slow
def test_the_real_evaluator_agrees_with_the_labels():
    grey, attributes = load_captioned("test", 16)
    images = paint(grey, attributes.colour)
    claims = [
        Claims(d, c, None, None) for d, c in zip(*(a.tolist() for a in attributes[:2]), strict=True)
    ]
    assert word_scores(images, claims, digit_evaluator())["digit"] > 0.975


TURNING = MOTIONS.index("turning")


@pytest.fixture(scope="module")
def real():
    """Held-out videos in colour, what is true of them, and a classifier that knows every answer."""
    videos, digit, colour, motion = (part[:100] for part in load_moving("test"))
    return frames_in_colour(videos, colour), VideoClaims(digit, colour, motion)


def test_real_videos_keep_every_word(real):
    videos, claims = real
    scores = video_scores(videos, claims, knows(claims.digit))
    assert [scores[k] for k in ("motion", "colour", "digit", "same digit", "all words")] == [1] * 5


@pytest.mark.parametrize(
    ("kind", "change"), [("motion", lambda x: x.flip(2)), ("colour", lambda x: x.flip(1))]
)
def test_a_spoiled_video_breaks_the_word_that_it_spoils(real, kind, change):
    videos, claims = real
    scores = video_scores(change(videos), claims, knows(claims.digit))
    assert scores[kind] < 0.5
    assert scores["all words"] <= scores[kind]
    assert scores["digit"] == 1


def test_one_frame_in_another_colour_breaks_the_colour(real):
    videos, claims = real
    videos = videos.clone()
    videos[:, :, 3] = videos[:, :, 3].flip(1)
    green = claims.colour[(claims.colour == 1) | (claims.colour == 4)]  # green and magenta: same
    scores = video_scores(videos, claims, knows(claims.digit))
    assert scores["colour"] == pytest.approx(len(green) / len(videos))


def test_a_wrong_digit_in_one_frame_is_not_the_same_digit(real):
    videos, claims = real
    seen = []

    def slips(grey):
        seen.append(0)
        return claims.digit if len(seen) != 5 else (claims.digit + 1) % 10

    scores = video_scores(videos, claims, slips)
    assert (scores["digit"], scores["same digit"]) == (0, 0)


def test_frames_of_turning_videos_are_turned_back():
    """Then all frames look alike, except for two interpolations."""
    grey, _ = small_digits("test")
    video = animate(grey[:5], torch.full((5,), TURNING))
    shown = []
    classify_frames(
        video, torch.full((5,), TURNING), lambda g: shown.append(g) or torch.zeros(5).long()
    )
    stack = torch.stack(shown, 1)
    apart = (stack - stack.mean(1, keepdim=True)).square().sum() / stack.square().sum()
    before = (video - video.mean(1, keepdim=True)).square().sum() / video.square().sum()
    assert float(apart) < 0.1 < float(before)


@pytest.mark.parametrize("motion", range(5))
def test_a_real_motion_leaves_little_unexplained(motion):
    grey, _ = small_digits("test")
    video = animate(grey[:20], torch.full((20,), motion))
    assert float(motion_residual(video).max()) < 0.12  # interpolation


def test_strangers_leave_much_unexplained(real):
    videos = real[0].amax(1)
    strangers = torch.stack([videos[torch.randperm(100), f] for f in range(8)], 1)
    assert float(motion_residual(strangers).mean()) > 0.5 > float(motion_residual(videos).mean())


def test_a_claim_for_each_video():
    with pytest.raises(ValueError, match="2 videos have 3 captions"):
        video_scores(torch.zeros(2, 3, 8, 16, 16), balanced_claims(3), knows(torch.zeros(2)))


@pytest.mark.slow
def test_the_evaluator_reads_the_same_digit_in_every_frame_of_real_videos():
    """The ceiling of every figure: 98 % of held-out videos."""
    videos, digit, _, motion = load_moving("test")
    read = classify_frames(videos[:300], motion[:300], video_evaluator())
    assert float((read == read[:, :1]).all(1).double().mean()) > 0.95
    assert float((read == digit[:300, None]).all(1).double().mean()) > 0.93


# Texts and pictures


def test_a_text_that_is_no_caption_keeps_nothing(pictures):
    images, _, _ = pictures
    attributes = load_captioned("test", 32).attributes
    good = write_captions(attributes)[:2]
    score = drawn_scores([good[0], "a red red"], images[:2], lambda grey: attributes.digit[:1])
    assert score["all"] == pytest.approx(0.5)
    assert score["digit"] == 1.0  # of those that claim a digit
    both = drawn_scores(good, images[:2], lambda grey: attributes.digit[:2])
    assert both["all"] == 1.0


def test_what_is_read_is_scored_word_by_word():
    truth = Attributes(*torch.tensor([[7, 0, 0, 2], [3, 1, 1, 0], [1, 2, 2, 1]]).unbind(1))
    texts = ["a thin red seven leaning left <end>", "a green three <end>", "a a a <end>"]
    score = read_scores(texts, truth)
    assert score["digit"] == score["colour"] == score["stroke"] == 1.0
    assert score["slant"] == 0.0
    assert score["all"] == pytest.approx(1 / 3)


def test_held_out_captions_are_true_of_the_held_out_pictures():
    x, attributes = held_out_pictures()
    captions = [read_caption(c) for c in held_out_captions(50)]
    assert x.shape == (1000, 3, 16, 16)
    torch.testing.assert_close(x.amax(1), load_captioned("test", 16).grey)
    assert [c.digit for c in captions] == attributes.digit[:50].tolist()
    assert [c.colour for c in captions] == attributes.colour[:50].tolist()


def test_free_captions_say_all_four_words(generator):
    claims = [read_caption(c) for c in free_captions(300, generator)]
    assert {c.stroke for c in claims} == {0, 2}
    assert {c.slant for c in claims} == {0, 1, 2}
    assert {c.digit for c in claims} == set(range(10))


def test_held_out_pictures_are_nearer_to_real_ones_than_enlarged_ones_are():
    large, small = (held_out_pictures(size)[0][:300] for size in (32, 16))
    real, cubic = likeness(large), likeness(enlarged(small, 0.0))
    assert real.frechet < 0.6 * cubic.frechet
    assert real.recall > cubic.recall + 0.2


def test_colour_does_not_count_in_likeness():
    x = held_out_pictures(32)[0][:100]
    assert likeness(x) == likeness(x.flip(1))


def test_copies_of_one_digit_are_precise_and_reach_nothing():
    found = realism(load_captioned("test", 16).grey[:1].expand(200, -1, -1))
    assert found.precision == 1
    assert found.recall <= 1e-3
