"""Exercises of lesson 01: the four-paradigm map."""

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from genlab_course.grading import Exercise, Mistake, bank

# 01.bayes: p(y | x) from a joint table with rows x and columns y
_JOINTS = (np.array([[0.1, 0.3], [0.4, 0.2]]), np.array([[0.05, 0.15, 0.1], [0.2, 0.1, 0.4]]))

BAYES = Exercise(
    id="01.bayes",
    right=lambda joint, x: joint[x] / joint[x].sum(),
    cases=tuple((joint, x) for joint in _JOINTS for x in (0, 1)),
    mistakes=Mistake.pairs(
        lambda joint, x: joint[x],
        "That row is p(x, y), the joint: as a distribution over y it does not sum to 1.",
        lambda joint, x: joint[x] / joint.sum(0),
        "You divided by p(y): that is p(x | y), the answer to the opposite question.",
        lambda joint, x: joint.sum(0),
        "That is the marginal p(y), the same for every x: it has not looked at x yet.",
    ),
)


# 01.marginal: log p(x) of a latent-variable model with finitely many z
_MIXES = (
    (np.array([0.5, 0.5]), np.array([0.2, 0.8])),
    (np.array([0.1, 0.6, 0.3]), np.array([0.9, 0.05, 0.4])),
)

MARGINAL = Exercise(
    id="01.marginal",
    right=lambda prior, likelihood: math.log(float(np.sum(prior * likelihood))),
    cases=_MIXES,
    mistakes=Mistake.pairs(
        lambda prior, likelihood: float(np.sum(prior * np.log(likelihood))),
        "You averaged the logs: that is a lower bound (lesson 05), not log p(x).",
        lambda prior, likelihood: float(np.log(np.sum(likelihood))),
        "You added p(x | z) with equal weight: each z counts as often as the prior says.",
        lambda prior, likelihood: float(np.log(np.max(prior * likelihood))),
        "You kept only the best z: the others could have made x as well.",
        lambda prior, likelihood: float(np.sum(prior * likelihood)),
        "That is p(x): the logarithm is still missing.",
    ),
)


def gave_the_slope_of_p(x, mean, std):
    p = math.exp(-((x - mean) ** 2) / (2 * std**2)) / (std * math.sqrt(2 * math.pi))
    return -(x - mean) / std**2 * p


SCORE = Exercise(
    id="01.score",
    right=lambda x, mean, std: -(x - mean) / std**2,
    cases=((1.3, 0.5, 2.0), (-0.4, 1.0, 0.5)),
    mistakes=Mistake.pairs(
        lambda x, mean, std: (x - mean) / std**2,
        "The sign: the score points uphill, towards the mean.",
        lambda x, mean, std: -(x - mean) / std,
        "The scale: you divided by the standard deviation once; the exponent has its square.",
        gave_the_slope_of_p,
        "That is the slope of p, not of log p.",
        lambda x, mean, std: -((x - mean) ** 2) / (2 * std**2),
        "That is the exponent itself: now differentiate it in x.",
    ),
)


# 01.passes: judged place by place, since mistakes come in combinations
_WAITS = "(a): training sees all samples in one evaluation; sampling has to wait for each."
_UNUSED = "(b), (c): encoder and discriminator help to train; a sample uses neither."
_TWICE = "Guidance asks the network twice at each step, with and without the condition."
_DECODER = "(e): the code still has to be decoded at the end."
_ENCODER = "(e): the encoder is needed to train, not to make a new image."


def _judge_passes(answer: Any) -> str:
    given = [float(n) for n in answer]
    if len(given) != 5:
        return f"there are five systems, you gave {len(given)} answers."
    a, b, c, d, e = given
    if a == 1:
        return _WAITS
    if b == 2 or c == 2:
        return _UNUSED
    if d == 50 or e in (50, 51, 52):
        return _TWICE
    if e == 100:
        return _DECODER
    if e == 102:
        return _ENCODER
    wrong = [k for k, n, right in zip("abcde", given, _PASSES, strict=True) if n != right]
    why = "which networks run, and how often, while a sample is made?"
    return f"({wrong[0]}): {why}" if wrong else ""


_PASSES = (256, 1, 1, 100, 101)

PASSES = Exercise(
    id="01.passes",
    right=list(_PASSES),
    judge=_judge_passes,
    mistakes=Mistake.pairs(
        [256, 1, 1, 50, 51],
        _TWICE,
        [256, 1, 1, 50, 52],
        _TWICE,
        [256, 1, 1, 100, 100],
        _DECODER,
        [1, 1, 1, 100, 101],
        _WAITS,
        [256, 1, 1, 100, 102],
        _ENCODER,
        [256, 2, 2, 100, 101],
        _UNUSED,
    ),
)


# 01.classify and 01.hybrid: names of families, judged one by one
_SHORT = {
    "ar": "AR",
    "autoregressive": "AR",
    "vae": "VAE",
    "latent-variable": "VAE",
    "gan": "GAN",
    "adversarial": "GAN",
    "diffusion": "diffusion",
    "score": "diffusion",
    "flow": "flow",
    "hybrid": "hybrid",
    "consistency": "one-step",
    "consistency model": "one-step",
    "distilled diffusion": "one-step",
}
_FIVE = ("AR", "VAE", "GAN", "diffusion", "hybrid")


def _names(answer: Iterable[Any]) -> list[str]:
    return [_SHORT.get(str(word).strip().lower(), str(word)) for word in answer]


_FIVE_SAY = {  # by place, in the order in which they are judged
    1: "(b): look at the objective again. Which family is trained on reconstruction plus KL?",
    2: "(c): several families need one evaluation from a short vector; what trains this one?",
    4: "(e): two stages with two objectives do not fit into one family.",
    0: "(a): each sample waits for those before it. Which family is sequential by nature?",
    3: "(d): the sampler is a loop over noise levels. Which family has such a loop?",
}


def _judge_five(answer: Any) -> str:
    given = _names(answer)
    if len(given) != 5:
        return f"there are five descriptions, you gave {len(given)} answers."
    if unknown := [g for g in given if g not in set(_SHORT.values())]:
        return f"{unknown[0]!r} is none of AR, VAE, GAN, diffusion, flow, hybrid."
    for place, says in _FIVE_SAY.items():
        if given[place] != _FIVE[place]:
            return says
    return ""


CLASSIFY = Exercise(
    id="01.classify",
    right=_FIVE,
    judge=_judge_five,
    mistakes=Mistake.pairs(
        ("AR", "GAN", "GAN", "diffusion", "hybrid"),
        _FIVE_SAY[1],
        ("AR", "VAE", "VAE", "diffusion", "hybrid"),
        _FIVE_SAY[2],
        ("AR", "VAE", "GAN", "diffusion", "diffusion"),
        _FIVE_SAY[4],
        ("AR", "VAE", "GAN", "AR", "hybrid"),
        _FIVE_SAY[3],
    ),
)


_VERDICT = "hybrid is the verdict, not the decomposition: name each part."
_NO_GAME = "compressing and decoding is not a game: there is no discriminator here."
_INNER = "the loop is only the inner stage: which family do encoder and decoder belong to?"
_OUTER = "encoder and decoder are only the outer stage: what makes the code in between?"


def _judge_hybrid(answer: Any) -> str:
    given = set(_names(answer))
    if given == {"hybrid"}:
        return _VERDICT
    if "GAN" in given:
        return _NO_GAME
    if given == {"diffusion"}:
        return _INNER
    if given == {"VAE"}:
        return _OUTER
    return "" if given == {"VAE", "diffusion"} else "name exactly the two families of its stages."


HYBRID = Exercise(
    id="01.hybrid",
    right={"VAE", "diffusion"},
    judge=_judge_hybrid,
    mistakes=Mistake.pairs(
        {"hybrid"}, _VERDICT, {"diffusion"}, _INNER, {"VAE"}, _OUTER, {"GAN", "diffusion"}, _NO_GAME
    ),
)


_FAST = "(a): fifty milliseconds leave time for one or two evaluations, not for a loop."
_SCORED = "(b): to score a sentence you need an exact probability of every token."
_PATIENT = "(c): if a few seconds may be spent, which family trades evaluations for quality?"


def _judge_choice(answer: Any) -> str:
    given = [set(_names(str(a).split("/"))) for a in answer]
    if len(given) != 3:
        return f"there are three needs, you gave {len(given)} answers."
    if "diffusion" in given[0] or "AR" in given[0]:
        return _FAST
    if not given[1] <= {"AR"}:
        return _SCORED
    if not given[2] <= {"diffusion"}:
        return _PATIENT
    one_pass = {"GAN", "VAE", "flow", "one-step"}
    return "" if given[0] <= one_pass else "(a): which families make an image in one evaluation?"


CHOOSE = Exercise(
    id="01.choose",
    right=["GAN", "AR", "diffusion"],
    judge=_judge_choice,
    mistakes=Mistake.pairs(
        ["diffusion", "AR", "diffusion"],
        _FAST,
        ["GAN", "VAE", "diffusion"],
        _SCORED,
        ["VAE", "AR", "GAN"],
        _PATIENT,
    ),
)

EXERCISES = bank(globals())
