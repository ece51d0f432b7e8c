r"""How much of its caption does a film keep, and do its frames belong together?

$$\text{residual} = \frac1{F-1}\sum_{f=0}^{F-2}
\min_{T \in \text{seven motions}} \frac{\lVert T x_f - x_{f+1}\rVert^2}{\lVert x_{f+1}\rVert^2}$$

The best of seven motions (rest, one frame's way to the four sides, one frame's turn either way)
carries each frame as far towards the next as it can; what is left belongs to no motion. The digit
is read in every frame by a judge of real digits that no generator saw. It reads upright digits, so
where the caption claims that the digit turns, each frame is turned back first by the angle that is
claimed for it: a film that does not turn is then misread.

Lesson: notebooks/systems/text_to_video.ipynb
Source: our own.
"""

from functools import cache
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from genlab.data.captioned import measure_colour
from genlab.data.moving import (
    MOTIONS,
    N_FRAMES,
    SHIFT,
    TURN,
    draw,
    measure_motion,
    small_digits,
)
from genlab.metrics.judge import DigitJudge
from genlab.systems.judging import Judge

Films = Float[Tensor, " n 3 f h w"]
Grey = Float[Tensor, " n f h w"]
Labels = Int[Tensor, " n"]
WAY, ANGLE = 2 * SHIFT / (N_FRAMES - 1), 2 * TURN / (N_FRAMES - 1)  # of one frame


class Wanted(NamedTuple):
    """What captions claim of films, as indices into the tables of words."""

    digit: Labels
    colour: Labels
    motion: Labels


def wanted(n: int, *, seed: int = 0) -> Wanted:
    """Draw claims: every digit and motion equally often, colours at random.

    Args:
        n: how many.
        seed: of the colours.

    Returns:
        Claims, whose captions `write_moving(*claims)` are.

    Example:
        >>> claims = wanted(100)
        >>> claims.digit.bincount().unique(), claims.motion.bincount().unique()
        (tensor([10]), tensor([20]))
    """
    k = torch.arange(n)
    colour = torch.randint(6, (n,), generator=torch.Generator().manual_seed(seed))
    return Wanted(k % 10, colour, k // 10 % len(MOTIONS))


@cache
def film_judge() -> DigitJudge:
    """Fit the judge on its own 4,000 digits, at the films' size (once in a process, some seconds).

    Returns:
        The judge.
    """
    grey, digit = small_digits("judge")
    still = torch.zeros(len(grey), dtype=grey.dtype)
    return DigitJudge(draw(grey, still, still, still), digit)


def read_frames(grey: Grey, motion: Labels, judge: Judge) -> Int[Tensor, " n f"]:
    """Read the digit in every frame; frames of films that should turn are turned back first.

    Args:
        grey: films of 8 frames, in [0, 1].
        motion: `(n,)`, the motion that each caption claims.
        judge: reads upright digits.

    Returns:
        Digits 0..9.
    """
    turning = (motion == MOTIONS.index("turning")).to(grey.dtype)
    rest = torch.zeros_like(turning)
    angles = torch.linspace(-TURN, TURN, grey.shape[1]).tolist()
    back = [draw(grey[:, f], rest, rest, -a * turning) for f, a in enumerate(angles)]
    return torch.stack([judge(frame) for frame in back], 1)


def motion_residual(grey: Grey) -> Float[Tensor, " n"]:
    """Share of each next frame that the best of seven motions leaves unexplained, film by film.

    Args:
        grey: in [0, 1].

    Returns:
        `(n,)`: 0 for frames that follow from each other, about 1 for strangers.

    Example:
        >>> motion_residual(torch.ones(1, 1, 4, 4).expand(1, 3, 4, 4))
        tensor([0.])
    """
    now, then = grey[:, :-1].flatten(0, 1), grey[:, 1:].flatten(0, 1)
    ones = torch.ones(len(now), dtype=grey.dtype)
    moves = [(0.0, 0.0, 0.0), (-WAY, 0, 0), (WAY, 0, 0), (0, -WAY, 0), (0, WAY, 0)]
    moves += [(0, 0, ANGLE), (0, 0, -ANGLE)]
    left = torch.stack(
        [
            (draw(now, ones * right, ones * down, ones * turn, grey.shape[-1]) - then)
            .square()
            .sum((1, 2))
            for right, down, turn in moves
        ]
    ).amin(0)
    share = left / then.square().sum((1, 2)).clamp(min=1e-6)
    return share.reshape(len(grey), -1).mean(1)


def film_scores(films: Films, claims: Wanted, judge: Judge) -> dict[str, float]:
    """Measure films against their captions and against themselves.

    Args:
        films: one for each claim, in [0, 1].
        claims: what the captions say.
        judge: reads digits.

    Returns:
        Shares "motion", "colour" (of frames), "digit" (read right in all frames), "same digit" (the
        same in all frames, right or wrong), "all words", and the mean "residual".

    Raises:
        ValueError: there is not one claim for each film.
    """
    if len(films) != len(claims.digit):
        raise ValueError(f"{len(films)} films have {len(claims.digit)} captions")
    grey = films.amax(1)
    read = read_frames(grey, claims.motion, judge)
    frames = films.transpose(1, 2)
    colour = torch.stack([measure_colour(frame) for frame in frames], 0)
    kept = {
        "motion": measure_motion(grey) == claims.motion,
        "colour": (colour == claims.colour[:, None]).all(1),
        "digit": (read == claims.digit[:, None]).all(1),
    }
    shares = {name: float(k.double().mean()) for name, k in kept.items()}
    shares["same digit"] = float((read == read[:, :1]).all(1).double().mean())
    shares["all words"] = float(torch.stack(list(kept.values())).all(0).double().mean())
    return shares | {"residual": float(motion_residual(grey).mean())}
