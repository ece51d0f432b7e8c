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
