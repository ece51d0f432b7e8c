"""The map of the course: one table of the paradigms, one vocabulary, and what follows from them."""

from dataclasses import dataclass

AUTOREGRESSIVE, FLOW, LATENT, ADVERSARIAL, SCORE = FAMILIES = (
    "autoregressive", "flow", "latent-variable", "adversarial", "score / diffusion",
)  # fmt: skip

OBJECTIVES = {  # word: what is minimised
    "cross-entropy": "of the next token",
    "change of variables": "negative log-likelihood of an invertible map",
    "ELBO": "reconstruction error plus KL divergence",
    "minimax game": "against a discriminator",
    "denoising": "mean square error of predicted noise, data or score",
    "flow matching": "mean square error of a predicted velocity",
    "denoising of tokens": "cross-entropy of tokens that were masked, or replaced at random",
    "energy": "contrast of data with own samples or noise",
    "matching of samples": "distance to data by a kernel or a proper score, such as MMD and CRPS",
    "distillation": "agreement with a teacher, or with one's own smaller steps",
    "reward": "minus a reward, plus the divergence from a reference",
}
ANY_FAMILY = frozenset({"reward"})  # trains a finished model of any family, which stays where it is
SAMPLERS = {  # word: how a sample is made
    "sequential": "one token after another",
    "one-pass": "one draw, one network evaluation",
    "multi-step": "a loop from noise to data",
    "parallel-refinement": "a loop over a canvas of tokens",
    "two-stage": "parts that work in turn, at least one of them a loop",
}
LIKELIHOODS = {  # the strongest first: words of `likelihood_kind`, and "indirect"
    "exact": "log p(x)",
    "indirect": "through an ODE, at extra cost",
    "bound": "at most log p(x)",
    "unnormalised": "log p(x) up to a constant",
    "none": "samples only",
}

POST_TRAINING = {  # word: what a finished model learns from further; it stays in its row
    "supervised": "examples of what is wanted",
    "reward": "scores of its own samples: by people, by a model, by a program that checks",
    "distillation": "the outputs of a teacher, also in fewer steps",
}


@dataclass(frozen=True)
class Paradigm:
    """One region of the map; of several words the first is the usual one."""

    name: str
    equation: str  # how p(x) is written, as TeX
    objectives: tuple[str, ...]
    ways: tuple[tuple[str, tuple[str, ...]], ...]  # a sampler, and the likelihoods that it leaves
    draws: str  # how a sample is made, on a card
    evaluations: str  # network evaluations (NFE) for one sample
    pays: str  # the trade-off, on a card
    lessons: tuple[int, ...]

    @property
    def samplers(self) -> tuple[str, ...]:
        """Words for how it samples."""
        return tuple(sampler for sampler, _ in self.ways)

    @property
    def likelihoods(self) -> tuple[str, ...]:
        """Words for what it can say of p(x), whatever the sampler."""
        return tuple(dict.fromkeys(word for _, words in self.ways for word in words))


PARADIGMS: tuple[Paradigm, ...] = (
    Paradigm(
        AUTOREGRESSIVE, r"p(x)=\prod_i\, p(x_i\mid x_{<i})", ("cross-entropy", "distillation"),
        (("sequential", ("exact",)),),
        "token after token", "one a token", "latency grows with length", (2, 3),
    ),
    Paradigm(
        FLOW, r"p(x)=p_z(f^{-1}(x))\,|\det J_{f^{-1}}|", ("change of variables", "distillation"),
        (
            ("one-pass", ("exact", "bound")),  # couplings; a bound for whole numbers (lesson 04)
            ("sequential", ("exact", "bound")),  # autoregressive flows
            ("multi-step", ("exact", "bound")),  # continuous flows, trained by likelihood
        ),
        "base draw, then f", "one (coupling)", "only invertible layers", (3, 4),
    ),
    Paradigm(
        LATENT, r"p(x)=\int p(x\mid z)\,p(z)\,dz", ("ELBO",),
        (("one-pass", ("bound",)),),
        "prior draw, then decoder", "one", "only a bound, blur", (5, 6),
    ),
    Paradigm(
        ADVERSARIAL, r"x=G(z)", ("minimax game", "matching of samples"),  # a kernel for a critic
        (("one-pass", ("none",)),),
        "noise, then generator", "one", "modes may go missing", (7, 8),
    ),
    Paradigm(
        SCORE, r"\nabla_x\log p_t(x)",
        ("denoising", "flow matching", "denoising of tokens", "energy", "matching of samples",
         "distillation"),
        (
            # none: annealed Langevin steps, or a few large ones
            ("multi-step", ("indirect", "bound", "unnormalised", "none")),
            ("parallel-refinement", ("bound", "none")),  # none: tokens kept by confidence
            ("one-pass", ("none",)),  # trained to jump (frontier), as usually trained
        ),
        "denoise step by step", "one a step", "many evaluations", (10, 11, 12, 13, 14),
    ),
)  # fmt: skip

LESSONS: dict[int, str] = {
    1: "The four-paradigm map", 2: "Autoregressive models", 3: "Maximum likelihood and KL",
    4: "Normalizing flows", 5: "Latent variables and the ELBO", 6: "VAE in practice",
    7: "GANs: the minimax game", 8: "WGAN and the gradient penalty", 9: "Evaluation",
    10: "Energy-based models", 11: "Score matching", 12: "Diffusion I: forward and reverse",
    13: "Diffusion II: training and sampling", 14: "Score-based SDEs",
    15: "The four-paradigm landscape",
}  # fmt: skip

SYSTEMS: dict[str, tuple[str, tuple[str, ...]]] = {  # lab: title, the families it is made of
    "language_model": ("Language model", (AUTOREGRESSIVE,)),
    "latent_diffusion": ("Latent diffusion", (LATENT, SCORE)),
    "glide": ("GLIDE-style diffusion", (SCORE,)),
    "stylegan": ("StyleGAN-style generator", (ADVERSARIAL,)),
    "text_to_video": ("Text to video", (SCORE,)),
    "language_and_image": ("Language and image", (AUTOREGRESSIVE, SCORE)),
    "flow_density_estimator": ("Flow density estimator", (FLOW,)),
}
FRONTIER: dict[str, tuple[str, tuple[str, ...]]] = {  # what the field has added; as SYSTEMS
    "flow_matching": ("Flow matching", (FLOW, SCORE)),
    "few_step": ("Few steps", (SCORE,)),
    "speedrun": ("The speed-run", (SCORE,)),
    "discrete_and_parallel": ("Discrete and parallel", (AUTOREGRESSIVE, SCORE)),
    "predict_the_large_run": ("Predict the large run", (AUTOREGRESSIVE,)),
}


def lit(lesson: int | str) -> tuple[str, ...]:
    """Families that a lesson, 1..15, a lab or a frontier notebook is about; all for 1, 9 and 15.

    >>> lit(4), lit("latent_diffusion")
    (('flow',), ('latent-variable', 'score / diffusion'))
    """
    if isinstance(lesson, str):
        named = SYSTEMS | FRONTIER
        if lesson not in named:
            raise ValueError(f"no system is named {lesson!r}; there are: {', '.join(named)}")
        return named[lesson][1]
    if lesson not in LESSONS:
        raise ValueError(f"lessons are numbered 1 to 15, got {lesson}")
    return tuple(p.name for p in PARADIGMS if lesson in p.lessons) or FAMILIES


def place(
    objective: str | None = None, sampler: str | None = None, likelihood: str | None = None
) -> tuple[str, ...]:
    """Families that agree with all that is known of one part; none for clues that contradict.

    The likelihood is that of what the sampler draws: a student that jumps has none, whatever its
    teacher has. "reward" narrows nothing: it trains any family further. A hybrid lies outside,
    since its parts are of several families: place each by its own clues. So "two-stage" gives
    none, and so do clues of two parts at once, as next-token cross-entropy with parallel
    refinement (block diffusion: autoregressive over the blocks, score within one).

    >>> place(sampler="one-pass", likelihood="exact"), place("distillation", likelihood="none")
    (('flow',), ('score / diffusion',))
    """
    for clue, words in ((objective, OBJECTIVES), (sampler, SAMPLERS), (likelihood, LIKELIHOODS)):
        if clue is not None and clue not in words:
            raise ValueError(f"unknown clue {clue!r}; expected one of {', '.join(words)}")
    return tuple(
        p.name
        for p in PARADIGMS
        if (objective is None or objective in ANY_FAMILY or objective in p.objectives)
        and any(
            sampler in (None, way) and (likelihood is None or likelihood in left)
            for way, left in p.ways
        )
    )


def evaluations(
    families: tuple[str, ...],
    *,
    sampler: str | None = None,
    tokens: int = 1,
    steps: int = 1,
    guided: bool = False,
) -> int:
    r"""Network evaluations (NFE) for one sample, stage by stage; guidance asks twice a step.

    $$\text{NFE}=\sum_{\text{parts}}
    \begin{cases}n&\text{sequential}\\S\,(1+g)&\text{in steps}\\1&\text{one-pass}\end{cases}$$

    Each family is sampled by `sampler` if it knows that way, else by its usual one.

    >>> evaluations((LATENT, SCORE), steps=50, guided=True), evaluations((SCORE,), steps=50)
    (101, 50)
    """
    if unknown := set(families) - set(FAMILIES):
        raise ValueError(f"unknown families {sorted(unknown)}; expected some of {FAMILIES}")
    if tokens < 1 or steps < 1:
        raise ValueError(f"tokens and steps must be at least 1, got {tokens} and {steps}")
    if sampler is not None and sampler not in SAMPLERS:
        raise ValueError(f"unknown sampler {sampler!r}; expected one of {', '.join(SAMPLERS)}")
    loop = steps * (2 if guided else 1)
    each = {"sequential": tokens, "one-pass": 1, "multi-step": loop, "parallel-refinement": loop}
    known = {p.name: p.samplers for p in PARADIGMS if p.name in families}
    ways = (sampler if sampler in known[one] else known[one][0] for one in families)
    return sum(each[way] for way in ways)


PAYS: dict[object, tuple[str, str]] = {  # family, or family and sampler, or sampler: price, reason
    AUTOREGRESSIVE: (
        "latency grows with the length of the output",
        "one evaluation a token, each waiting for the last (lesson 02)",
    ),
    FLOW: (
        "every layer must be invertible, and the code is as large as the data",
        "the change of variables needs a map with a tractable determinant (lesson 04)",
    ),
    LATENT: (
        "only a bound on the likelihood, and detail that the code drops is lost",
        "the integral over codes is bounded, and the decoder averages over the rest "
        "(lessons 05, 06)",
    ),
    ADVERSARIAL: (
        "no likelihood; modes may go missing; training needs care",
        "the game rewards samples that pass, not coverage of the data (lessons 07, 08)",
    ),
    SCORE: (
        "an evaluation for every denoising step",
        "the sampler follows the score through the noise levels (lessons 12, 13)",
    ),
    (FLOW, "sequential"): (
        "latency grows with the dimension, and every layer must be invertible",
        "a triangular map is inverted one coordinate after another (lesson 04)",
    ),
    (FLOW, "multi-step"): (
        "an ODE to solve for every sample, and a trace along it for every likelihood",
        "the determinant becomes an integral along the path (lesson 14)",
    ),
    (SCORE, "one-pass"): (
        "no likelihood, some quality or variety, and a second or a dearer training",
        "large steps leave the path of the ODE, so a network is trained to jump (frontier)",
    ),
    "parallel-refinement": (
        "only a bound, and tokens filled in one step ignore one another",
        "positions that are filled together are drawn as if independent (frontier)",
    ),
    "two-stage": (
        "the parts add their costs, and the weakest link limits the likelihood",
        "hybrids inherit from every component (lesson 15)",
    ),
}  # fmt: skip


def pays(families: tuple[str, ...], sampler: str | None = None) -> tuple[tuple[str, str], ...]:
    """What a system pays, and why: a pair for each family, and for its way of sampling.

    >>> pays((FLOW,))[0][0]
    'every layer must be invertible, and the code is as large as the data'
    """
    parts = (PAYS.get((family, sampler)) or PAYS[family] for family in families)
    return (*parts, *(PAYS[way] for way in (sampler,) if way in PAYS))
