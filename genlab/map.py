"""The map as data: what each paradigm minimises, how it samples, which likelihood it has."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["exact", "lower bound", "none", "indirect"]


@dataclass(frozen=True)
class Paradigm:
    """One region of the map."""

    name: str
    equation: str  # how p(x) is written, as TeX
    objective: str  # what training minimises
    sampler: str  # how a sample is made
    passes: str  # network passes for one sample
    likelihood: Kind
    pays: str  # the trade-off
    lessons: tuple[int, ...]


AUTOREGRESSIVE = Paradigm(
    "autoregressive",
    r"p(x)=\prod_i\, p(x_i\mid x_{<i})",
    "next-piece cross-entropy",
    "one piece after another",
    "one a piece",
    "exact",
    "latency grows with length",
    (2, 3),
)
FLOW = Paradigm(
    "flow",
    r"p(x)=p_z(f^{-1}(x))\,|\det J_{f^{-1}}|",
    "negative log-likelihood",
    "base draw, then f",
    "one (coupling)",
    "exact",
    "only invertible layers",
    (3, 4),
)
LATENT = Paradigm(
    "latent-variable",
    r"p(x)=\int p(x\mid z)\,p(z)\,dz",
    "ELBO",
    "prior draw, then decoder",
    "one",
    "lower bound",
    "only a bound, blur",
    (5, 6),
)
ADVERSARIAL = Paradigm(
    "adversarial",
    r"x=G(z)",
    "minimax game",
    "noise, then generator",
    "one",
    "none",
    "modes may go missing",
    (7, 8),
)
SCORE = Paradigm(
    "score / diffusion",
    r"\nabla_x\log p_t(x)",
    "noise-prediction error",
    "denoise step by step",
    "one a step",
    "indirect",
    "many passes a sample",
    (10, 11, 12, 13, 14),
)
PARADIGMS: tuple[Paradigm, ...] = (AUTOREGRESSIVE, FLOW, LATENT, ADVERSARIAL, SCORE)

LESSONS: dict[int, str] = {
    1: "The four-paradigm map",
    2: "Autoregressive models",
    3: "Maximum likelihood and KL",
    4: "Normalizing flows",
    5: "Latent variables and the ELBO",
    6: "VAE in practice",
    7: "GANs: the minimax game",
    8: "WGAN and the gradient penalty",
    9: "Evaluation",
    10: "Energy-based models",
    11: "Score matching",
    12: "Diffusion I: forward and reverse",
    13: "Diffusion II: training and sampling",
    14: "Score-based SDEs",
    15: "The four-paradigm landscape",
}

SYSTEMS: dict[str, tuple[str, tuple[Paradigm, ...]]] = {  # lab: title, the paradigms it is made of
    "language_model": ("Language model", (AUTOREGRESSIVE,)),
    "latent_diffusion": ("Latent diffusion", (LATENT, SCORE)),
    "glide": ("GLIDE-style diffusion", (SCORE,)),
    "stylegan": ("StyleGAN-style generator", (ADVERSARIAL,)),
    "text_to_video": ("Text to video", (SCORE,)),
    "language_and_image": ("Language and image", (AUTOREGRESSIVE, SCORE)),
    "flow_density_estimator": ("Flow density estimator", (FLOW,)),
}


def lit(lesson: int | str) -> tuple[Paradigm, ...]:
    """Return the paradigms that a lesson is about; all of them for lessons 1, 9 and 15.

    Args:
        lesson: its number, 1..15, or the name of a system's lab.

    Raises:
        ValueError: there is no such lesson or lab.

    Example:
        >>> [p.name for p in lit(4)]
        ['flow']
        >>> [p.name for p in lit("latent_diffusion")]
        ['latent-variable', 'score / diffusion']
    """
    if isinstance(lesson, str):
        if lesson not in SYSTEMS:
            raise ValueError(f"no system is named {lesson!r}; there are: {', '.join(SYSTEMS)}")
        return SYSTEMS[lesson][1]
    if lesson not in LESSONS:
        raise ValueError(f"lessons are numbered 1 to 15, got {lesson}")
    if lesson == 3:
        return (AUTOREGRESSIVE, FLOW)
    found = tuple(p for p in PARADIGMS if lesson in p.lessons)
    return found or PARADIGMS


PAYS = (  # component, sampling or flag: what is paid, and why
    ("autoregressive", "latency grows with the length of the output",
     "one pass a piece, each waiting for the last (lesson 02)"),
    ("parallel-autoregression",
     "more arithmetic for each accepted piece, or blocks drawn as if independent",
     "pieces in one pass are guessed before they are known; guesses are verified, or their "
     "dependence is lost"),
    ("flow", "every layer must be invertible, and the code is as large as the data",
     "the change of variables needs a map with a tractable determinant (lesson 04)"),
    ("many-pass-flow", "many passes in one direction",
     "only coupling layers are cheap both ways (lesson 04)"),
    ("latent-variable", "only a bound on the likelihood, and detail that the code drops is lost",
     "the integral over codes is bounded, and the decoder averages what it is not told "
     "(lessons 05, 06)"),
    ("adversarial", "no likelihood; modes may go missing; training needs care",
     "the game rewards samples that pass, not coverage of the data (lessons 07, 08)"),
    ("score-based", "passes for every denoising step",
     "the sampler follows the score through the noise levels (lessons 12, 13)"),
    ("few-step-diffusion",
     "no likelihood of the teacher's kind, some quality or variety, and a second training",
     "large steps leave the path of the ODE; a student is trained to jump (lesson 14)"),
    ("discrete-diffusion", "only a bound, and pieces filled in one pass ignore one another",
     "positions that are filled together are drawn as if independent"),
    ("adversarial-diffusion", "variety, and the likelihood",
     "the denoiser now also has to win a game (lessons 07, 08)"),
    ("two-stage", "the parts add their costs, and the weakest link sets the likelihood",
     "hybrids inherit from every component (lesson 15)"),
    ("optimisation", "minutes or hours for each sample, and little variety",
     "a descent is run anew for every sample"),
    ("free-lunch", "something that the text does not mention",
     "no place on the map has every advantage; ask which of the costs above was measured"),
    ("likelihood-overclaim", "the exact likelihood that is claimed",
     "no component of this kind has one; ask which number was computed"),
    ("outside-map", "what the map cannot predict",
     "an element of it has no card on the map; look for how it is measured"),
)  # fmt: skip


def trade_offs(
    paradigms: set[str], sampling: str, likelihood: str, flags: set[str]
) -> tuple[tuple[str, str], ...]:
    """Predict what a release pays.

    Args:
        paradigms: its components.
        sampling: how a sample is made.
        likelihood: its kind.
        flags: what is odd about it.

    Returns:
        Pairs of what is paid and why.

    Example:
        >>> trade_offs({"flow"}, "one-pass", "exact", set())[0][0]
        'every layer must be invertible, and the code is as large as the data'
    """
    present = paradigms | flags | {sampling}
    if "few-step-diffusion" in flags:
        present = present - {"score-based"}  # its usual price is what the few steps save
    found = [(pays, why) for name, pays, why in PAYS if name in present]
    if not paradigms and "not-generative" not in flags and "outside-map" not in flags:
        found.append(("cannot tell", "the text names no component, and a price belongs to one"))
    return tuple(found)


AR, FLOW_PLACING, VAE, GAN, SCORE_PLACING = (
    "autoregressive", "flow", "latent-variable", "adversarial", "score / diffusion",
)  # fmt: skip
FAMILIES = (AR, FLOW_PLACING, VAE, GAN, SCORE_PLACING)

OBJECTIVES = {
    "next-piece cross-entropy": AR,
    "exact negative log-likelihood of an invertible map": FLOW_PLACING,
    "reconstruction + KL (ELBO)": VAE,
    "fool a critic (minimax)": GAN,
    "predict the noise (mean square)": SCORE_PLACING,
}
SAMPLERS = {
    "one piece after another": {AR},
    "one draw, one pass": {FLOW_PLACING, VAE, GAN},
    "a loop from noise to data": {SCORE_PLACING},
}
LIKELIHOODS = {
    "exact": {AR, FLOW_PLACING},
    "a lower bound, or indirect": {VAE, SCORE_PLACING},
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


SYSTEMS_PLACING: dict[str, System] = {
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
        (SCORE_PLACING,), steps=50,
    ),
    "encoder + latent denoiser + decoder": System(
        "compresses with an encoder, denoises the code in 50 guided steps, and decodes it",
        (VAE, SCORE_PLACING), steps=50, guided=True,
    ),
    "chat model, 500 tokens": System(
        "a causal transformer trained on next-token cross-entropy", (AR,), pieces=500
    ),
    "posterior for a physics simulator": System(
        "an invertible network with a tractable Jacobian, trained by exact likelihood",
        (FLOW_PLACING,),
    ),
    "chat model that paints": System(
        "a language model of 100 tokens whose states condition a 50-step diffusion painter",
        (AR, SCORE_PLACING), pieces=100, steps=50,
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
    each = {AR: pieces, SCORE_PLACING: steps * (2 if guided else 1)}
    return sum(each.get(family, 1) for family in families)
