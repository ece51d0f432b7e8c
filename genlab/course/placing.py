"""Where a system sits on the map: from its objective, its sampler and its likelihood."""

from dataclasses import dataclass

AR, FLOW, VAE, GAN, SCORE = (
    "autoregressive", "flow", "latent-variable", "adversarial", "score / diffusion",
)  # fmt: skip
FAMILIES = (AR, FLOW, VAE, GAN, SCORE)

OBJECTIVES = {
    "next-piece cross-entropy": AR,
    "exact negative log-likelihood of an invertible map": FLOW,
    "reconstruction + KL (ELBO)": VAE,
    "fool a critic (minimax)": GAN,
    "predict the noise (mean square)": SCORE,
}
SAMPLERS = {
    "one piece after another": {AR},
    "one draw, one pass": {FLOW, VAE, GAN},
    "a loop from noise to data": {SCORE},
}
LIKELIHOODS = {
    "exact": {AR, FLOW},
    "a lower bound, or indirect": {VAE, SCORE},
    "none": {GAN},
}


@dataclass(frozen=True)
class System:
    """A system as a release note would describe it."""

    description: str
    families: tuple[str, ...]  # what it is made of, the outer stage first
    pieces: int = 1  # pieces in one output, for the autoregressive part
    steps: int = 1  # denoising steps
    guided: bool = False  # two passes for each step


SYSTEMS: dict[str, System] = {
    "raw audio, one sample after another": System(
        "predicts each of 16,000 samples of a second of audio from those before it",
        (AR,), pieces=16_000,
    ),
    "image codec, 64 numbers": System(
        "squeezes a 256 x 256 image to 64 numbers; trained on reconstruction plus a KL term", (VAE,)
    ),
    "faces from 512 numbers": System(
        "maps 512 numbers to a 1024 x 1024 face; trained against a discriminator", (GAN,)
    ),
    "50-step denoiser": System(
        "starts from noise and removes it in 50 steps; trained to predict the noise",
        (SCORE,), steps=50,
    ),
    "encoder + latent denoiser + decoder": System(
        "compresses with an encoder, denoises the code in 50 guided steps, and decodes it",
        (VAE, SCORE), steps=50, guided=True,
    ),
    "chat model, 500 tokens": System(
        "a causal transformer trained on next-token cross-entropy", (AR,), pieces=500
    ),
    "posterior for a physics simulator": System(
        "an invertible network with a tractable Jacobian, trained by exact likelihood", (FLOW,)
    ),
    "chat model that paints": System(
        "a language model of 100 tokens whose states condition a 50-step diffusion painter",
        (AR, SCORE), pieces=100, steps=50,
    ),
}  # fmt: skip


def place(
    objective: str | None = None, sampler: str | None = None, likelihood: str | None = None
) -> tuple[str, ...]:
    """Families that agree with everything that is known; all of them when nothing is.

    Args:
        objective: a key of `OBJECTIVES`, or None when unknown.
        sampler: a key of `SAMPLERS`, or None.
        likelihood: a key of `LIKELIHOODS`, or None.

    Returns:
        Families in the order of the map; empty when the clues contradict one another, which
        says that the system is a hybrid, or that a claim deserves a second look.

    Raises:
        ValueError: an unknown clue.

    Example:
        >>> place(sampler="one draw, one pass", likelihood="exact")
        ('flow',)
    """
    left = set(FAMILIES)
    for clue, table in (
        (objective, {name: {family} for name, family in OBJECTIVES.items()}),
        (sampler, SAMPLERS),
        (likelihood, LIKELIHOODS),
    ):
        if clue is not None and clue not in table:
            raise ValueError(f"unknown clue {clue!r}; expected one of {', '.join(table)}")
        left &= table[clue] if clue is not None else left
    return tuple(family for family in FAMILIES if family in left)


def passes(
    families: tuple[str, ...], *, pieces: int = 1, steps: int = 1, guided: bool = False
) -> int:
    r"""Network passes for one sample of a system, stage by stage.

    $$\text{passes} = [\text{AR}]\,n + [\text{diffusion}]\,S\,(1+g) + [\text{one-pass stages}]$$

    Args:
        families: what the system is made of.
        pieces: n, pieces of the autoregressive part.
        steps: S, denoising steps.
        guided: g, whether each step needs a second pass without the condition.

    Returns:
        Passes of all stages together.

    Raises:
        ValueError: an unknown family, or fewer than one piece or step.

    Example:
        >>> passes((VAE, SCORE), steps=50, guided=True)
        101

    Lesson: notebooks/01_four_paradigm_map.ipynb
    """
    if unknown := set(families) - set(FAMILIES):
        raise ValueError(f"unknown families {sorted(unknown)}; expected some of {FAMILIES}")
    if pieces < 1 or steps < 1:
        raise ValueError(f"pieces and steps must be at least 1, got {pieces} and {steps}")
    each = {AR: pieces, SCORE: steps * (2 if guided else 1)}
    return sum(each.get(family, 1) for family in families)
