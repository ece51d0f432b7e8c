r"""Watch networks at work: how often each is used, what it reads, and which begins when.

$$\text{share} = \frac{\text{positions that changed}}{\text{positions of the output}}$$

Hooks count the uses of every layer and copy what looks like the output; nothing else of a network
is looked at, and the hooks are removed again.

Lesson: notebooks/15_four_paradigm_landscape.ipynb
"""

import copy
import itertools
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal, NamedTuple

import torch
from torch import Generator, Tensor, nn

from genlab.autoregressive.images import ImageTransformer, PixelCNN, TwoStacks
from genlab.autoregressive.lm import TransformerLM
from genlab.core.capabilities import Kind, likelihood_kind
from genlab.core.tensors import last
from genlab.map import ADVERSARIAL, AUTOREGRESSIVE, FLOW, LATENT, SCORE
from genlab.nn.transformer import TransformerConfig
from genlab.score import NCSN
from genlab.score.diffusion import DDPM
from genlab.score.samplers import ddim_sample, ddim_timesteps
from genlab.systems.language_and_image import IMAGE, LENGTH
from genlab.zoo import find, load_model
from genlab.zoo.scores import student_levels

Draw = Callable[[int, Generator], object]


@dataclass(frozen=True)
class Stage:
    """One network at work: what it makes, and the object that may know a likelihood of it."""

    name: str
    network: nn.Module  # watched
    event_shape: tuple[int, ...]  # of one example of what this network makes
    model: object  # asked for its likelihood


@dataclass(frozen=True)
class Subject:
    """Something that samples, with the dials that it offers."""

    name: str
    stages: tuple[Stage, ...]
    draw: Draw  # (how many, noise) -> samples
    longer: Callable[[], "Subject"] | None = None  # the same with an output twice as long
    more_steps: Callable[[], "Subject"] | None = None  # the same with twice the steps


class Seen(NamedTuple):
    """What was counted of one stage in one draw."""

    passes: int  # uses of its busiest layer
    share: float  # of the output's positions, new in a pass after the first; nan for one pass
    begins: int  # when it was first used, on a clock that all stages share
    ends: int  # when it was last used


def watch(subject: Subject, n: int, seed: int) -> list[Seen]:
    """Draw once, and say what each stage did.

    Args:
        subject: what to watch; it is left as it was.
        n: samples drawn at a time.
        seed: of their noise.

    Raises:
        ValueError: a stage's network has no layer with parameters, or was never used.
    """
    with contextmanager(_recorded)(subject.stages) as logs, torch.no_grad():
        subject.draw(n, Generator().manual_seed(seed))
    for stage, log in zip(subject.stages, logs, strict=True):
        if not log.uses:
            raise ValueError(f"{subject.name}: the stage {stage.name!r} was never used")
    return [log.result() for log in logs]


def _recorded(stages: tuple[Stage, ...]) -> Iterator[list["_Log"]]:
    clock = itertools.count()
    logs = [_Log(stage, clock) for stage in stages]
    try:
        yield logs
    finally:
        for log in logs:
            log.remove()


class _Log:
    """Counts the uses of a network's layers and keeps what each pass reads."""

    def __init__(self, stage: Stage, clock: Iterator[int]) -> None:
        self.event_shape, self.clock = stage.event_shape, clock
        self.times: list[int] = []
        self.uses: Counter[int] = Counter()
        self.reads: dict[int, list[Tensor]] = {}  # in the order in which layers are first used
        layers = [m for m in stage.network.modules() if next(m.parameters(), None) is not None]
        if not layers:
            raise ValueError(f"the stage {stage.name!r} has no layer with parameters to watch")
        self.handles = [layer.register_forward_pre_hook(self._note) for layer in layers]

    def _note(self, layer: nn.Module, inputs: tuple[object, ...]) -> None:
        self.uses[id(layer)] += 1
        self.times.append(next(self.clock))
        positions = read_positions(inputs[0], self.event_shape) if inputs else None
        if positions is not None:
            kept = positions.detach().clone()  # a sampler may write into what it has shown
            self.reads.setdefault(id(layer), []).append(kept)

    def remove(self) -> None:
        for handle in self.handles:
            handle.remove()

    def result(self) -> Seen:
        """Uses of the busiest layer, the share of positions that are new in a pass, and when."""
        passes = max(self.uses.values())
        return Seen(passes, self._share(passes), self.times[0], self.times[-1])

    def _share(self, passes: int) -> float:
        total = math.prod(self.event_shape)
        for reads in self.reads.values():  # the first layer whose input changes sees the output
            new = [n for n in (new_positions(*pair) for pair in pairwise(reads)) if n > 0]
            if new:
                return min(1.0, sum(new) / len(new) / total)
        return math.nan if passes <= 1 else 1.0


def read_positions(x: object, event_shape: tuple[int, ...]) -> Tensor | None:
    """Read a layer's input as positions of the output, if it can be that.

    Args:
        x: input of a layer.
        event_shape: `(n,)` for tokens or numbers, `(c, h, w)` for images, `(c, f, h, w)` for films.

    Returns:
        `(b, positions)` or None: tokens are taken as they are, images of the same height and width
        pixel by pixel, and numbers when there are as many as the output has.

    Example:
        >>> read_positions(torch.zeros(2, 5, 8, 8), (1, 8, 8)).shape
        torch.Size([2, 320])
        >>> read_positions(torch.zeros(2, 128), (1, 8, 8)) is None
        True
    """
    if not isinstance(x, Tensor) or x.ndim < 2:
        return None
    if not x.is_floating_point():
        return x.flatten(1)
    if len(event_shape) == 1:
        return x if x.ndim == 2 and x.shape[1] >= event_shape[0] else None
    if x.ndim >= 4 and x.shape[-2:] == event_shape[-2:]:
        return x.flatten(1)
    return x if x.ndim == 2 and x.shape[1] == math.prod(event_shape) else None


def new_positions(before: Tensor, now: Tensor) -> float:
    """Count the positions that a pass reads and the one before it did not.

    Args:
        before: input of the pass before, `(b, p)`.
        now: input of this pass, `(b, q)`: longer when it was appended to, short when what came
            before is kept in a cache.

    Returns:
        A mean over the batch.

    Example:
        >>> new_positions(torch.tensor([[1, 2]]), torch.tensor([[1, 2, 7]]))
        1.0
        >>> new_positions(torch.tensor([[1]]), torch.tensor([[1]]))  # one token, the rest cached
        1.0
        >>> new_positions(torch.zeros(1, 4), torch.ones(1, 4))
        4.0
    """
    p, q = before.shape[1], now.shape[1]
    if before.shape[0] != now.shape[0] or q < p or q == 1:
        return float(q)
    changed = (before != now[:, :p]).double().sum(1).mean()
    return float(changed) + q - p


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


def whole(name: str, model: Any, **dials: Callable[[], Subject]) -> Subject:
    """Watch a model that is one network, or that may be watched as one.

    Args:
        name: what to call it.
        model: with `sample` and `event_shape`.
        dials: `longer` and `more_steps`, if it offers them.

    Returns:
        The subject.
    """

    def draw(n: int, generator: Generator) -> Tensor:
        return model.sample(n, generator=generator)  # type: ignore[no-any-return]

    stage = Stage("model", model, tuple(model.event_shape), model)
    return Subject(name, (stage,), draw, **dials)


def pixelcnn() -> Subject:
    """Masked convolutions; the twin has twice as many rows of pixels."""

    def taller() -> Subject:
        return whole("twin", PixelCNN(TwoStacks(1, 8, n_layer=2), 8, event_shape=(1, 16, 8)))

    return whole("digit_pixelcnn", load_model("digit_pixelcnn"), longer=taller)


def transformer() -> Subject:
    """A pixel is a token; the twin has twice as many rows of pixels."""

    def taller() -> Subject:
        config = TransformerConfig(d_model=8, n_layer=1, n_head=2, n_kv_head=2)
        return whole("twin", ImageTransformer(17, (1, 16, 8), config))

    return whole("digit_transformer", load_model("digit_transformer"), longer=taller)


def text() -> Subject:
    """A character is a token, and the length of the text is a dial."""
    model = load_model("text_transformer")

    def of_length(n: int) -> Subject:
        other: TransformerLM = copy.deepcopy(model)
        other.event_shape = (n,)
        return whole("text_transformer", other)

    n = model.event_shape[0] // 2
    short = of_length(n)
    return Subject(short.name, short.stages, short.draw, longer=lambda: of_length(2 * n))


def flow() -> Subject:
    """The flow behind the dequantised model: its density is exact, before the rounding."""
    model = load_model("digit_flow").flow
    return whole("digit_flow", model)


def vae() -> Subject:
    """One draw from the prior, one pass through the decoder."""
    return whole("digit_vae", load_model("digit_vae"))


def gan(name: str = "digit_gan") -> Subject:
    """Noise, then the generator."""
    return whole(name, load_model(name))


def ebm() -> Subject:
    """Langevin steps of the stored chains; how many is a dial."""
    model = load_model("digit_ebm")

    def with_steps(n_steps: int) -> Subject:
        other = copy.deepcopy(model)
        other.n_steps = n_steps
        return whole("digit_ebm", other)

    one = with_steps(model.n_steps)
    return Subject(one.name, one.stages, one.draw, more_steps=lambda: with_steps(2 * model.n_steps))


def ncsn() -> Subject:
    """Annealed Langevin dynamics down a ladder; the steps at each rung are a dial."""
    model = load_model("digit_ncsn")

    def with_steps(n_steps: int) -> Subject:
        other: NCSN = copy.deepcopy(model)
        other.n_steps = n_steps
        return whole("digit_ncsn", other)

    one = with_steps(model.n_steps)
    return Subject(one.name, one.stages, one.draw, more_steps=lambda: with_steps(2 * model.n_steps))


def diffusion() -> Subject:
    """The ancestral chain: T steps for an image of any size; the twin's image is twice as tall."""
    model: DDPM = load_model("digit_diffusion")

    def taller() -> Subject:
        other = copy.deepcopy(model)
        other.event_shape = (1, 16, 8)
        return whole("twin", other)

    return whole("digit_diffusion", model, longer=taller)


def ddim(n_steps: int = 8) -> Subject:
    """The same network in fewer steps; their number is a dial. It has no likelihood of its own."""
    model: DDPM = load_model("digit_diffusion")

    def draw(n: int, generator: Generator) -> Tensor:
        x_T = torch.randn((n, *model.event_shape), generator=generator)
        steps = ddim_timesteps(len(model.betas), n_steps)
        return last(ddim_sample(model.eps_net, x_T, steps, alphas_bar=model.alphas_bar))

    stage = Stage("noise predictor", model.eps_net, tuple(model.event_shape), model.eps_net)
    return Subject("digit_diffusion, DDIM", (stage,), draw, more_steps=lambda: ddim(2 * n_steps))


def consistency(n_passes: int = 1) -> Subject:
    """One pass, distilled from a diffusion model; how many jumps it takes is a dial."""
    model = load_model("digit_consistency")
    student = copy.deepcopy(model)
    student.levels = student_levels(n_passes)
    one = whole("digit_consistency", student)
    return Subject(one.name, one.stages, one.draw, more_steps=lambda: consistency(2 * n_passes))


def masked_diffusion(n_steps: int = 16) -> Subject:
    """Pixels appear several at a time; in how many passes is a dial."""
    model = load_model("digit_masked_diffusion")

    def draw(n: int, generator: Generator) -> Tensor:
        x: Tensor = model.sample(n, generator=generator, n_steps=n_steps)
        return x

    stage = Stage("pixel filler", model, tuple(model.event_shape), model)
    return Subject("digit_masked_diffusion", (stage,), draw,
                   more_steps=lambda: masked_diffusion(2 * n_steps))  # fmt: skip


LESSONS: Sequence[tuple[Callable[[], Subject], str]] = (  # subject, where it belongs on the map
    (pixelcnn, "autoregressive"),
    (transformer, "autoregressive"),
    (text, "autoregressive"),
    (flow, "flow"),
    (vae, "latent-variable"),
    (gan, "adversarial"),
    (lambda: gan("digit_wgan"), "adversarial"),
    (ebm, "score / diffusion"),
    (ncsn, "score / diffusion"),
    (diffusion, "score / diffusion"),
    (ddim, "score / diffusion"),
)

ODD_CLAIMS: Sequence[tuple[Callable[[], Subject], str]] = (  # one pass, and parallel tokens
    (consistency, "score / diffusion"),
    (masked_diffusion, "score / diffusion"),
)


CAPTION = "a red seven"
Models = tuple[Any, ...]  # trained networks in place of the recipes', in the order of `WEIGHTS`


def _never_done(logits: Tensor) -> Tensor:
    """Forbid the token that ends a caption: an untrained writer may write it at once."""
    return logits.index_fill(-1, torch.tensor([IMAGE]), -torch.inf)


def language_model(n: int = 12, models: Models = ()) -> Subject:
    """A token a pass, with the cache; the length is a dial."""
    (model,) = copy.deepcopy(models) or (find("language_model").untrained(),)
    model.lm.event_shape = (n,)

    def draw(k: int, generator: Generator) -> object:
        return model.sample(k, generator=generator)

    stage = Stage("writer", model.lm, (n,), model)
    return Subject("language_model", (stage,), draw, longer=lambda: language_model(2 * n, models))


def latent_diffusion(n_steps: int = 6, models: Models = ()) -> Subject:
    """A loop over codes, then one pass of the decoder."""
    (model,) = models or (find("latent_diffusion").untrained(),)

    def draw(k: int, generator: Generator) -> object:
        return model.draw([CAPTION] * k, n_steps=n_steps, generator=generator)

    painter = model.painter
    stages = (
        Stage("decoder", model.vae, model.vae.event_shape, model.vae),
        Stage("painter of codes", painter.net, painter.event_shape, painter),
    )
    return Subject(
        "latent_diffusion", stages, draw, more_steps=lambda: latent_diffusion(2 * n_steps, models)
    )


def glide(n_steps: int = 6, models: Models = ()) -> Subject:
    """Two loops, one after the other: small pictures, then large ones beside them."""
    base, up = models or tuple(find(name).untrained() for name in WEIGHTS["glide"])

    def draw(k: int, generator: Generator) -> object:
        captions = [CAPTION] * k
        small = base.sample(captions, n_steps=n_steps, generator=generator)
        return up.sample(captions, small, n_steps=n_steps, generator=generator)

    stages = (
        Stage("painter", base.net, base.event_shape, base),
        Stage("enlarger", up.painter.net, up.painter.event_shape, up.painter),
    )
    return Subject("glide", stages, draw, more_steps=lambda: glide(2 * n_steps, models))


def stylegan(models: Models = ()) -> Subject:
    """Noise, style, generator: one pass."""
    (model,) = models or (find("stylegan").untrained(),)
    return whole("stylegan", model)


def text_to_video(n_steps: int = 4, models: Models = ()) -> Subject:
    """All frames at once, again and again."""
    (model,) = models or (find("text_to_video").untrained(),)

    def draw(k: int, generator: Generator) -> object:
        return model.sample([f"{CAPTION} moving left"] * k, n_steps=n_steps, generator=generator)

    stage = Stage("film maker", model.net, model.event_shape, model)
    return Subject(
        "text_to_video", (stage,), draw, more_steps=lambda: text_to_video(2 * n_steps, models)
    )


def language_and_image(n_steps: int = 5, models: Models = ()) -> Subject:
    """A language model writes a caption; a denoiser paints what its hidden states say."""
    (model,) = models or (find("language_and_image").untrained(),)

    def draw(k: int, generator: Generator) -> object:
        written = last(model.lm.write(["a"] * k, reshape=_never_done, generator=generator))
        return model.draw(written.states, n_steps=n_steps, generator=generator)

    painter = model.painter
    stages = (
        Stage("writer", model.lm, (LENGTH,), model.lm),
        Stage("painter", painter.net, painter.event_shape, painter),
    )
    return Subject(
        "language_and_image",
        stages,
        draw,
        more_steps=lambda: language_and_image(2 * n_steps, models),
    )


def flow_density_estimator(models: Models = ()) -> Subject:
    """Given data, one pass through couplings for a draw from the posterior."""
    (model,) = models or (find("npe_two_moons").untrained(),)
    seen = torch.zeros(1, 2)

    def draw(k: int, generator: Generator) -> object:
        return model.sample(k, cond=seen, generator=generator)

    stage = Stage("posterior", model, model.event_shape, model)
    return Subject("flow_density_estimator", (stage,), draw)


SUBJECTS: Mapping[str, Callable[..., Subject]] = {  # by the name of the lab
    "language_model": language_model,
    "latent_diffusion": latent_diffusion,
    "glide": glide,
    "stylegan": stylegan,
    "text_to_video": text_to_video,
    "language_and_image": language_and_image,
    "flow_density_estimator": flow_density_estimator,
}

WEIGHTS: Mapping[str, tuple[str, ...]] = {  # by the name of the lab: what `load_model` calls them
    "language_model": ("language_model",),
    "latent_diffusion": ("latent_diffusion",),
    "glide": ("glide_base", "glide_upsampler"),
    "stylegan": ("stylegan",),
    "text_to_video": ("text_to_video",),
    "language_and_image": ("language_and_image",),
    "flow_density_estimator": ("npe_two_moons",),
}


def trained(name: str) -> Subject:
    """Take a system with its shipped weights.

    Args:
        name: of its lab, a key of `SUBJECTS`.

    Raises:
        FileNotFoundError: its weights are not there.
        ValueError: no recipe of that name ships.

    Example:
        >>> from genlab_course.fingerprint import fingerprint
        >>> [f.passes for f in fingerprint(trained("stylegan"))]
        [1]
    """
    return SUBJECTS[name](models=tuple(load_model(part) for part in WEIGHTS[name]))
