r"""The fingerprint: what a model is, told from what it does while it samples.

A release note can claim anything; a sampler can be watched. None of what is noted of each network
at work looks at its name or its training. Counted are

- *passes*: how often the network is used, one call after the other, whatever rows a call has
  (a guided step in one batch is one pass of two rows);
- *share*: which part of its input is new since the pass before,
  $$\text{share} = \frac{\text{positions that changed}}{\text{positions of the output}},$$
  one position out of n for a model that writes piece by piece, all of them for one that
  repaints the whole at each step;
- *growth*: by what factor the passes grow when the output is twice as long, and when twice as many
  steps are asked for;
- *order*: which networks had done their last pass before this one began.

Declared by the object, and believed, are the controls for length and steps, and the *kind* of its
likelihood. A distilled model sold without its control of steps looks like a GAN.

From these numbers alone `place` says where on the map the network stands. Where two families cannot
be told apart by watching (an ODE trained by likelihood or by noise prediction), it says both. Of a
composition of several networks, `sampling` and `likelihood` say what the whole is.

Lesson: notebooks/15_four_paradigm_landscape.ipynb
"""

from dataclasses import dataclass
from typing import Literal

from genlab.atlas.paradigms import ADVERSARIAL, AUTOREGRESSIVE, FLOW, LATENT, SCORE
from genlab.atlas.watch import Seen, watch
from genlab.atlas.watch import Stage as Stage
from genlab.atlas.watch import Subject as Subject
from genlab.core.protocols import Kind, likelihood_kind

Production = Literal["one pass", "piece by piece", "whole, again and again"]
Sampling = Literal["one-pass", "sequential", "parallel-refinement", "multi-step", "two-stage"]
WEAKER: tuple[Kind, ...] = ("exact", "bound", "unnormalised", "none")


@dataclass(frozen=True)
class Fingerprint:
    """What was counted of one stage."""

    stage: str
    passes: int  # for one batch of samples, hence for one sample
    share: float  # of the output's positions, new in a pass after the first; nan for one pass
    growth_with_length: float | None  # None: the subject cannot make a longer output
    growth_with_steps: float | None  # None: it has no dial for steps
    kind: Kind
    after: tuple[str, ...] = ()  # stages that had ended before this one began

    @property
    def follows_steps(self) -> bool:
        """Whether its passes grow with a dial of steps."""
        return self.growth_with_steps is not None and self.growth_with_steps > 1.5

    @property
    def production(self) -> Production:
        """How the output comes into being."""
        if self.passes <= 1:
            return "one pass"
        return "piece by piece" if self.share < 0.5 else "whole, again and again"


def fingerprint(subject: Subject, *, n: int = 2, seed: int = 0) -> tuple[Fingerprint, ...]:
    """Watch a subject sample, at its usual length and steps and at twice of each that it offers.

    Args:
        subject: what to watch; it is left as it was.
        n: samples drawn at a time.
        seed: of their noise.

    Returns:
        One fingerprint for each stage.

    Raises:
        ValueError: a stage's network has no layer with parameters, or was never used.

    Lesson: notebooks/15_four_paradigm_landscape.ipynb
    """
    usual = watch(subject, n, seed)
    longer = watch(subject.longer(), n, seed) if subject.longer else None
    more = watch(subject.more_steps(), n, seed) if subject.more_steps else None
    found = []
    for k, (stage, seen) in enumerate(zip(subject.stages, usual, strict=True)):
        growth = _growth(k, seen, longer), _growth(k, seen, more)
        after = [s.name for s, other in zip(subject.stages, usual, strict=True)
                 if other.ends < seen.begins]  # fmt: skip
        kind = likelihood_kind(stage.model)
        found.append(
            Fingerprint(
                stage.name, seen.passes, seen.share, growth[0], growth[1], kind, tuple(after)
            )
        )
    return tuple(found)


def _growth(k: int, usual: Seen, other: list[Seen] | None) -> float | None:
    """By what factor the passes of stage k have grown; None without a dial."""
    return None if other is None else other[k].passes / usual.passes


def place(seen: Fingerprint) -> tuple[str, ...]:
    r"""Say which families of the map agree with a fingerprint.

    | production | likelihood | family |
    |---|---|---|
    | one pass | exact | flow |
    | one pass | bound | latent-variable |
    | one pass | none | adversarial; but score if the passes follow a dial of steps |
    | piece by piece | any | autoregressive; but score if the passes follow a dial of steps |
    | whole, again and again | exact | score, or a continuous flow: watching cannot tell |
    | whole, again and again | other | score |

    A masked autoregressive flow that is sampled is autoregressive by these numbers, and it is.

    Args:
        seen: from `fingerprint`.

    Returns:
        Names of families; two where they look alike.

    Example:
        >>> place(Fingerprint("net", 64, 1 / 64, 2.0, None, "exact"))
        ('autoregressive',)
        >>> place(Fingerprint("net", 1, float("nan"), 1.0, None, "none"))
        ('adversarial',)
        >>> place(Fingerprint("distilled", 1, float("nan"), None, 2.0, "none"))
        ('score / diffusion',)
    """
    if seen.production == "whole, again and again":
        return (FLOW.name, SCORE.name) if seen.kind == "exact" else (SCORE.name,)
    if seen.follows_steps or seen.kind == "unnormalised":
        return (SCORE.name,)
    if seen.production == "piece by piece":
        return (AUTOREGRESSIVE.name,)
    return ({"exact": FLOW, "bound": LATENT, "none": ADVERSARIAL}[seen.kind].name,)


def families(seen: tuple[Fingerprint, ...]) -> tuple[tuple[str, ...], ...]:
    """Place every stage of a subject.

    Args:
        seen: from `fingerprint`.

    Returns:
        The families that agree with each stage, without repetition, in the order of the stages.
    """
    return tuple(dict.fromkeys(place(stage) for stage in seen))


def sampling(seen: tuple[Fingerprint, ...]) -> Sampling:
    """Say how the whole is drawn, in the words of the release reader.

    Two stages are seen, not told: one network begins when another, one of the two a loop, has done
    its last pass. Networks that take turns (a painter and the classifier that guides it) are one
    stage, and the busiest of them speaks.

    Args:
        seen: from `fingerprint`.

    Example:
        >>> painter = Fingerprint("painter", 10, 1.0, None, 2.0, "none")
        >>> once = (1, float("nan"), None, 1.0)
        >>> decoder = Fingerprint("decoder", *once, "bound", after=("painter",))
        >>> sampling((painter,)), sampling((painter, decoder))
        ('multi-step', 'two-stage')
    """
    if any(stage.after for stage in seen) and any(stage.passes > 1 for stage in seen):
        return "two-stage"
    one = max(seen, key=lambda stage: stage.passes)
    if one.production == "one pass":
        return "one-pass"
    if one.production == "whole, again and again":
        return "multi-step"
    return "parallel-refinement" if one.follows_steps else "sequential"


def likelihood(seen: tuple[Fingerprint, ...]) -> Kind:
    """Say which likelihood the whole has: the weakest of its stages', for they multiply.

    Args:
        seen: from `fingerprint`.

    Example:
        >>> writer = Fingerprint("writer", 8, 1 / 8, 2.0, 1.0, "exact")
        >>> painter = Fingerprint("painter", 10, 1.0, None, 2.0, "none", after=("writer",))
        >>> likelihood((writer,)), likelihood((writer, painter))
        ('exact', 'none')
    """
    return max((stage.kind for stage in seen), key=WEAKER.index)
