"""Exercises of lesson 15: the landscape, its odd claims and its instruments."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from genlab_course.grading import Exercise, Mistake, bank

Array = NDArray[np.float64]

# 15.read: families of five releases, judged one by one
_SHORT = {
    "autoregressive": "ar",
    "latent-variable": "vae",
    "adversarial": "gan",
    "score": "diffusion",
    "score-based": "diffusion",
}
_FAMILIES = {"ar", "vae", "gan", "diffusion", "flow"}
_READ = ("AR", "VAE + diffusion", "GAN", "AR + diffusion", "diffusion + GAN")
_WHY = (
    "(a): a cache makes each pass cheaper, not fewer. What is predicted, and from what?",
    "(b): two parts were trained, with two objectives; name both.",
    "(c): what follows *unlike* says what the model is not. What trains the generator?",
    "(d): a writer and a painter work in turn; no code of the picture is mentioned.",
    "(e): the sampler shrank to one step; what was distilled, and what was added, both count.",
)


def _parts(answer: str) -> set[str]:
    words = [w.strip().lower() for w in answer.replace("/", "+").replace(",", "+").split("+")]
    return {_SHORT.get(w, w) for w in words}


def _judge_reading(answer: Sequence[str]) -> str:
    given = [_parts(str(a)) for a in answer]
    if len(given) != len(_READ):
        return f"there are five releases, you gave {len(given)} answers."
    if unknown := sorted(set().union(*given) - _FAMILIES):
        return f"{unknown[0]!r} is none of AR, VAE, GAN, diffusion, flow; join parts with a +."
    for parts, right, why in zip(given, _READ, _WHY, strict=True):
        if parts != _parts(right):
            return why
    return ""


# 15.residual
def _residual(p: Array, q: Array) -> Array:
    left = np.maximum(np.asarray(p) - np.asarray(q), 0.0)
    return np.asarray(left / left.sum())


_LAWS: tuple[tuple[Array, Array], ...] = (
    (np.array([0.5, 0.3, 0.2]), np.array([0.1, 0.2, 0.7])),
    (np.array([0.25, 0.25, 0.25, 0.25]), np.array([0.7, 0.1, 0.1, 0.1])),
    (np.array([0.9, 0.1]), np.array([0.6, 0.4])),
)


# 15.price-of-parallel
def _entropy(p: Array) -> float:
    p = np.asarray(p).ravel()
    p = p[p > 0]
    return float(-(p * np.log(p)).sum())


def _margins(joint: Array) -> list[Array]:
    axes = range(joint.ndim)
    return [joint.sum(tuple(a for a in axes if a != i)) for i in axes]


def _price(joint: Array) -> float:
    return sum(_entropy(m) for m in _margins(joint)) - _entropy(joint)


_random = np.random.default_rng(15)
_JOINTS: tuple[tuple[Array], ...] = (
    (np.eye(2) / 2,),
    (_random.dirichlet(np.ones(6)).reshape(2, 3),),
    (_random.dirichlet(0.4 * np.ones(27)).reshape(3, 3, 3),),
)


# 15.place
def _place(passes: int, share: float, follows_steps: bool, kind: str, *, dial: bool = True) -> str:
    """Right with the default; without `dial` nobody asked what the passes follow."""
    if passes > 1 and share > 0.5:
        return "score"
    if (dial and follows_steps) or kind == "unnormalised":
        return "score"
    if passes > 1:
        return "autoregressive"
    return {"exact": "flow", "bound": "latent-variable", "none": "adversarial"}[kind]


def _by_passes(passes: int, share: float, follows_steps: bool, kind: str) -> str:
    if passes > 1:
        return "autoregressive" if kind == "exact" else "score"
    return {"exact": "flow", "bound": "latent-variable"}.get(kind, "adversarial")


def _by_kind(passes: int, share: float, follows_steps: bool, kind: str) -> str:
    loops = "autoregressive" if passes > 1 and share <= 0.5 else "score"
    return {"none": "adversarial", "unnormalised": "score"}.get(
        kind, loops if passes > 1 else {"exact": "flow", "bound": "latent-variable"}.get(kind, "")
    )


_SEEN: tuple[tuple[int, float, bool, str], ...] = (
    (1, 1.0, False, "exact"),
    (1, 1.0, False, "bound"),
    (1, 1.0, False, "none"),
    (64, 1 / 64, False, "exact"),
    (20, 0.05, False, "none"),  # an API that keeps its likelihood to itself
    (50, 1.0, True, "bound"),
    (1, 1.0, True, "none"),  # distilled
    (16, 1 / 16, True, "bound"),  # masked diffusion
    (21, 1.0, True, "none"),
    (20, 1.0, True, "unnormalised"),
)


READ = Exercise(
    id="15.read",
    right=_READ,
    judge=_judge_reading,
    mistakes=(
        Mistake(("AR", "diffusion", *_READ[2:]), _WHY[1]),
        Mistake((*_READ[:2], "GAN + diffusion", *_READ[3:]), _WHY[2]),
        Mistake((*_READ[:3], "AR + VAE + diffusion", _READ[4]), _WHY[3]),
        Mistake((*_READ[:4], "GAN"), _WHY[4]),
        Mistake((*_READ[:4], "diffusion"), _WHY[4]),
    ),
    hints="Objective first: underline what was minimised. Then the sampler.\n"
    "Strike out what is denied or compared with; a hybrid has one family for each part.\n"
    "(a) one family, (b) two, (c) one, (d) two, (e) two.",
)
PASSES = Exercise(
    id="15.passes",
    right=(161, 131),
    mistakes=Mistake.pairs(
        (131, 161),
        "the other way round: evaluations are the work, passes the wait.",
        (131, 131),
        "guidance needs the noise with the text and without: two evaluations, though one pass.",
        (161, 161),
        "the two rows of a guided step in one batch are one sequential pass.",
        (160, 130),
        "the decoder is a network too, and it is used once.",
        (61, 31),
        "you counted the denoiser and the decoder only: the language model makes a pass a token.",
        (6001, 3001),
        "the parts work one after the other, so their passes add up; they do not multiply.",
    ),
    hints="Count each part by itself.\n"
    "The writer: one pass a token. The denoiser: steps, and rows a step. The decoder?\n"
    "100 + 30 times 2 + 1 evaluations; the guided step is one pass.",
)
RESIDUAL = Exercise(
    id="15.residual",
    right=_residual,
    cases=_LAWS,
    mistakes=Mistake.pairs(
        lambda p, q: np.asarray(p),
        "p gives again what the draft has had its chance to give: q's tokens come too often.",
        lambda p, q: np.maximum(np.asarray(p) - np.asarray(q), 0.0),
        "this is what is missing, but it does not sum to 1: a law has to be normalised.",
        lambda p, q: _residual(q, p),
        "this is what q gives too *much*; the replacement adds what it gives too little.",
        lambda p, q: np.minimum(p, q) / np.minimum(p, q).sum(),
        "this is the law of the tokens that were *kept*.",
        lambda p, q: (
            np.abs(np.asarray(p) - np.asarray(q)) / np.abs(np.asarray(p) - np.asarray(q)).sum()
        ),
        "where q gives too much nothing is to be added: cut negative differences at 0.",
    ),
    hints="What do the kept tokens already carry, token by token?\n"
    "min(p, q). What must be added to reach p?\n"
    "max(p - q, 0), divided by its sum.",
)
TOKENS_A_PASS = Exercise(
    id="15.tokens-a-pass",
    right=lambda kept, k: sum(kept**i for i in range(k + 1)),
    cases=((0.5, 2), (0.8, 4), (0.3, 1), (0.9, 7)),
    mistakes=Mistake.pairs(
        lambda kept, k: kept * k,
        "after a refusal the rest is thrown away, kept or not; and one token always comes on top.",
        lambda kept, k: 1 + kept * k,
        "after a refusal the rest is thrown away: the second counts only if the first was kept.",
        lambda kept, k: sum(kept**i for i in range(1, k + 1)),
        "these are the kept tokens; a pass also yields a replacement, or the one after the last.",
        lambda kept, k: sum(kept**i for i in range(k)),
        "if all are kept the target's last answer is a token too: k + 1 are possible.",
        lambda kept, k: 1 / (1 - kept),
        "this is the answer for a draft that never ends.",
    ),
    hints="The i-th drafted token counts only if all before it, and it itself, were kept.\n"
    "Probability that at least i are kept: kept ** i. Add one token for the pass itself.\n"
    "1 + kept + kept**2 + ... + kept**k.",
)
PRICE_OF_PARALLEL = Exercise(
    id="15.price-of-parallel",
    right=_price,
    cases=_JOINTS,
    mistakes=Mistake.pairs(
        lambda joint: sum(_entropy(m) for m in _margins(joint)),
        "this is the entropy of what is drawn; what did the joint law have?",
        _entropy,
        "this is the joint entropy; compare it with that of independent draws from the marginals.",
        lambda joint: joint.size and np.log(joint.size) - _entropy(joint),
        "this is the distance from the even law; one pass does know the marginals.",
        lambda joint: _price(joint.reshape(*joint.shape[:2], -1).sum(-1)),
        "this is the mutual information of the first two: all of them depend on one another.",
    ),
    hints="What is drawn: each variable from its own marginal, independently.\n"
    "KL(p || product of marginals). Write its logarithm as a sum.\n"
    "Sum of the marginals' entropies minus the entropy of the joint law.",
)
PLACE = Exercise(
    id="15.place",
    right=_place,
    cases=_SEEN,
    mistakes=Mistake.pairs(
        lambda *seen: _place(*seen, dial=False),
        "you did not ask what the passes follow: a distilled model makes one pass and takes "
        "more when told to, and masked diffusion writes pieces without being autoregressive.",
        _by_passes,
        "many passes can write piece by piece or repaint the whole: the share tells.",
        _by_kind,
        "without a likelihood it need not be adversarial: look at how it samples first.",
    ),
    hints="Begin with how the output comes into being; ask for the likelihood last.\n"
    "Several passes with a share near 1: score. Passes that follow a dial: score as well.\n"
    "Then: several passes, autoregressive; one pass, by the kind of likelihood.",
)

EXERCISES = bank(globals())
