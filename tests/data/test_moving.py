"""Moving digits: videos do what their captions say, and the measurement sees it."""

import pytest
import torch

from genlab.data.language import COLOURS, MOTIONS, read_moving
from genlab.data.moving import (
    _centre,
    animate,
    frames_in_colour,
    load_moving,
    measure_motion,
    render,
    small_digits,
)


@pytest.fixture(scope="module")
def held_out():
    torch.set_default_dtype(torch.float64)
    return load_moving("test")


def test_the_measurement_reads_the_motion_of_real_videos(held_out):
    right = measure_motion(held_out.videos) == held_out.motion
    assert right[held_out.motion < 4].all()
    # A turned zero or one resembles itself at several angles; nearly all are read all the same.
    assert right[held_out.motion == 4].double().mean() > 0.97


@pytest.mark.parametrize(
    ("motion", "axis", "grows"),
    [("left", 2, False), ("right", 2, True), ("up", 1, False), ("down", 1, True)],
)
def test_the_words_mean_what_they_say(held_out, motion, axis, grows):
    """The measurement shares a table with the videos: here the middle of the ink is found apart."""
    videos = held_out.videos[held_out.motion == MOTIONS.index(f"moving {motion}")]

    def middle(frames):
        below = frames.sum(3 - axis).cumsum(1) / frames.sum((1, 2))[:, None]
        return (below < 0.5).sum(1)  # first row or column with half of the ink above or before it

    difference = middle(videos[:, -1]) - middle(videos[:, 0])
    assert bool(((difference >= 3) if grows else (difference <= -3)).all())


def test_a_video_that_rests_is_no_motion(held_out):
    still = held_out.videos[:100, :1].expand(-1, 8, -1, -1)
    assert (measure_motion(still) == -1).all()


def test_a_faint_video_moves_as_a_bright_one_and_a_black_one_rests(held_out):
    rows = held_out.motion < 4
    videos, motion = held_out.videos[rows][:100], held_out.motion[rows][:100]
    assert torch.equal(measure_motion(1e-30 * videos), motion)
    assert (measure_motion(0 * videos) == -1).all()
    one_pixel = torch.zeros(2, 4, 5)
    one_pixel[0, 3, 1] = 1e-30
    assert _centre(one_pixel).tolist() == [[1.0, 3.0], [0.0, 0.0]]


def test_four_quarter_turns_are_none():
    grey = torch.rand(3, 16, 16)
    zero, quarter = torch.zeros(3), torch.full((3,), 90.0)
    once = render(grey, zero, zero, quarter)
    torch.testing.assert_close(once, grey.rot90(-1, (1, 2)), atol=1e-9, rtol=0)


def test_a_video_is_painted_channel_by_channel():
    videos, colour = torch.rand(3, 2, 4, 4), torch.tensor([5, 0, 2])
    painted = frames_in_colour(videos, colour)
    assert painted.shape == (3, 3, 2, 4, 4)
    for k, c in enumerate(colour.tolist()):
        for channel, strength in enumerate([*COLOURS.values()][c]):
            torch.testing.assert_close(painted[k, channel], strength * videos[k])


def test_motions_and_colours_come_from_the_seed():
    first, again, other = (load_moving("test", seed=s) for s in (1, 1, 2))
    assert torch.equal(first.motion, again.motion)
    assert not torch.equal(first.motion, other.motion)
    assert first.motion.bincount(minlength=5).min() > 150


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: read_moving("a red seven"), "ends in ''; expected one of moving left"),
        (lambda: animate(torch.zeros(1, 14, 14), torch.tensor([5])), r"motion holds 5"),
        (lambda: load_moving("train"), "got 'train'"),
    ],
)
def test_what_is_no_caption_motion_or_part_is_refused(call, named):
    with pytest.raises(ValueError, match=named):
        call()


@pytest.mark.parametrize("shift", [(0, 0), (2, -1), (-2, 2)])
def test_a_turned_digit_is_read_wherever_it_stands(shift):
    grey = small_digits("test")[0][:50]
    zero = torch.zeros(len(grey))
    to = [torch.full_like(zero, k) for k in shift]
    videos = torch.stack([render(grey, *to, torch.full_like(zero, a)) for a in (0, 20)], 1)
    assert (measure_motion(videos) == MOTIONS.index("turning")).all()
