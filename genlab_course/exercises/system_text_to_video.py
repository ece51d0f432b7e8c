"""Exercises of the text-to-video lab: frames that belong together, and attention that is cheap."""

import math

import numpy as np
from numpy.typing import NDArray

from genlab_course.grading import Exercise, Mistake, bank

Array = NDArray[np.float64]

PAIRS = Exercise(
    id="video.pairs",
    right=81920,
    mistakes=Mistake.pairs(
        1048576,
        "You let every position of every frame look at all others: that is full attention.",
        65536,
        "You counted space only: each position also looks along time.",
        16384,
        "You counted time only: each frame is also attended to by itself.",
        4352,
        "You counted one frame and one position: there are 16 such frames and 64 such positions.",
        3072,
        "You counted the frame's side, 8, as its positions; a frame of 8 x 8 has 64 of them.",
    ),
)


# video.information: what independent frames lose
def _information(rho: float, n_frames: int) -> float:
    return -0.5 * ((n_frames - 1) * math.log(1 - rho) + math.log(1 + (n_frames - 1) * rho))


def divided_by_the_frames(rho, n_frames):
    log_det = (n_frames - 1) * math.log(1 - rho) + math.log(1 + (n_frames - 1) * rho)
    return -0.5 * log_det / n_frames


INFORMATION = Exercise(
    id="video.information",
    right=_information,
    cases=((0.5, 2), (0.9, 8), (0.2, 3)),
    mistakes=Mistake.pairs(
        lambda rho, n_frames: -0.5 * (n_frames - 1) * math.log(1 - rho**2),
        "You counted the mutual information of neighbours, as for a Markov chain; here "
        "every frame knows of all others.",
        lambda rho, n_frames: -0.5 * math.log(1 - rho**2),
        "You counted two frames only.",
        lambda rho, n_frames: -0.5 * n_frames * math.log(1 - rho),
        "You gave every direction the variance 1 - rho; the mean of the frames has more.",
        divided_by_the_frames,
        "You divided by the number of frames; asked is the loss of the whole video.",
    ),
)


# video.noise: one noise for all frames, blended with one for each
_COMMON = np.array([[0.5], [-1.0]])
_OWN = np.array([[1.0, 0.0, -2.0], [0.3, 0.7, 0.1]])

NOISE = Exercise(
    id="video.noise",
    right=lambda common, own, share: math.sqrt(share) * common + math.sqrt(1 - share) * own,
    cases=((_COMMON, _OWN, 0.25), (_COMMON, _OWN, 0.8)),
    mistakes=Mistake.pairs(
        lambda common, own, share: share * common + (1 - share) * own,
        "You blended the noises, not their variances: the result is too small.",
        lambda common, own, share: math.sqrt(1 - share) * common + math.sqrt(share) * own,
        "You exchanged the two: a correlation of 0 should leave the frames independent.",
        lambda common, own, share: share * common + math.sqrt(1 - share**2) * own,
        "You gave the correlation with the common noise; two frames then have its square.",
        lambda common, own, share: math.sqrt(share) * common + own,
        "You added without making room: the variance is above 1.",
    ),
)


# video.tokens: from the frames of videos to the sequences that temporal attention reads
def _tokens(x: Array, n_frames: int) -> Array:
    frames, places, width = x.shape
    videos = x.reshape(frames // n_frames, n_frames, places, width)
    return videos.transpose(0, 2, 1, 3).reshape(-1, n_frames, width)


_FRAMES = np.arange(2 * 3 * 4 * 2, dtype=np.float64).reshape(6, 4, 2)


def took_the_frames_as_outer_axis(x, n_frames):
    frames, places, width = x.shape
    videos = x.reshape(n_frames, frames // n_frames, places, width)
    return videos.transpose(1, 2, 0, 3).reshape(-1, n_frames, width)


def turned_time_round(x, n_frames):
    frames, places, width = x.shape
    videos = x.reshape(frames // n_frames, n_frames, places, width)
    return videos[:, ::-1].transpose(0, 2, 1, 3).reshape(-1, n_frames, width)


TOKENS = Exercise(
    id="video.tokens",
    right=_tokens,
    cases=((_FRAMES, 3), (_FRAMES, 2)),
    mistakes=Mistake.pairs(
        lambda x, n_frames: x.reshape(-1, n_frames, x.shape[2]),
        "You reshaped without moving an axis: your sequences run over positions.",
        lambda x, n_frames: x.transpose(1, 0, 2).reshape(-1, n_frames, x.shape[2]),
        "You moved positions in front of the videos: the sequences are right, but those of "
        "different videos stand between each other.",
        took_the_frames_as_outer_axis,
        "You took the frames as the outer axis: your videos are stirred together.",
        turned_time_round,
        "Your time runs backwards.",
    ),
)

EXERCISES = bank(globals())
