r"""Watch networks at work: how often each is used, what it reads, and which begins when.

Hooks count the uses of every layer, one after the other (sequential passes), and the rows of each;
they copy what looks like the output. Nothing else of a network is looked at, and the hooks are
removed again. Dials and likelihood are what the object declares; nobody checks that.
"""

import copy
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import torch
from torch import Generator, Tensor, nn

from genlab.autoregressive.images import ImageTransformer, PixelCNN, TwoStacks
from genlab.core.capabilities import Kind, likelihood_kind
from genlab.core.tensors import last
from genlab.map import ADVERSARIAL, AUTOREGRESSIVE, FLOW, LATENT, PARADIGMS, SCORE, Paradigm, place
from genlab.metrics.cost import Passes
from genlab.nn.transformer import TransformerConfig
from genlab.score.diffusion import DDPM
from genlab.score.samplers import ddim_sample, ddim_timesteps
from genlab.systems.language_and_image import IMAGE, LENGTH
from genlab.zoo import find, load_model
from genlab.zoo.consistency import student_levels

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


def _watch(subject: Subject, n: int, seed: int) -> list[Passes]:
    """Draw `n` samples once and note what each stage did; the subject is left as it was."""
    clock = itertools.count()
    logs = [Passes(s.network, s.event_shape, clock) for s in subject.stages]
    try:
        with torch.no_grad():
            subject.draw(n, Generator().manual_seed(seed))
    finally:
        for handle in (handle for log in logs for handle in log.handles):
            handle.remove()
    for stage, log in zip(subject.stages, logs, strict=True):
        if not log.uses:
            raise ValueError(f"{subject.name}: the stage {stage.name!r} was never used")
    return logs


@dataclass(frozen=True)
class Fingerprint:
    """What was counted of one stage, and what its object declares."""

    stage: str
    passes: int  # counted, one after the other, for one batch of samples
    share: float  # counted, of positions new in a call after the first; nan for one call
    growth_with_length: float | None  # counted; None: no longer output is declared
    growth_with_steps: float | None  # counted; None: no dial of steps is declared
    kind: Kind  # declared
    after: tuple[str, ...] = ()  # stages that had ended before this one began
    evaluations: int = 0  # counted, for one sample: the rows of all calls

    @property
    def follows_steps(self) -> bool:
        """Whether its calls grow with a dial of steps."""
        return self.growth_with_steps is not None and self.growth_with_steps > 1.5

    @property
    def production(self) -> Literal["one pass", "token by token", "whole, again and again"]:
        """How the output comes into being."""
        if self.passes <= 1:
            return "one pass"
        return "token by token" if self.share < 0.5 else "whole, again and again"

    @property
    def sampler(self) -> str:
        """The word of the map for it."""
        ways = {"one pass": "one-pass", "whole, again and again": "multi-step"}
        sequential = "parallel-refinement" if self.follows_steps else "sequential"
        return ways.get(self.production, sequential)

    @property
    def families(self) -> tuple[str, ...]:
        """The families of the map that agree with it, the usual one first; two may look alike.

        Calls that follow a dial of steps and do not redraw the whole belong to score, and so does
        an energy; the rest is `place`.
        """
        redraws = self.production == "whole, again and again"
        if self.kind == "unnormalised" or (self.follows_steps and not redraws):
            return (SCORE,)
        if self.kind == "bound" and self.production == "token by token":
            return SCORE, FLOW  # autoregression is exact; a flow may be of whole numbers
        kinds: tuple[str | None, ...] = (self.kind,)
        if self.production == "token by token":
            kinds = (None,)  # an interface may keep its likelihood to itself
        elif redraws and self.kind == "exact":
            kinds = ("exact", "indirect")  # a loop calls the likelihood of its ODE exact
        found = {family for kind in kinds for family in place(None, self.sampler, kind)}

        def unusual(p: Paradigm) -> tuple[bool, bool]:
            return self.sampler != p.samplers[0], self.kind != p.likelihoods[0]

        return tuple(p.name for p in sorted(PARADIGMS, key=unusual) if p.name in found)


def fingerprint(subject: Subject, *, n: int = 2, seed: int = 0) -> tuple[Fingerprint, ...]:
    """Watch a subject sample, at its usual length and steps and at twice of each that it offers.

    ValueError for a stage whose network has no layer with parameters, or was never used.
    """
    usual = _watch(subject, n, seed)
    twins = [make and _watch(make(), n, seed) for make in (subject.longer, subject.more_steps)]
    both, found = list(zip(subject.stages, usual, strict=True)), []
    for k, (stage, seen) in enumerate(both):
        length, steps = (twin[k].passes / seen.passes if twin else None for twin in twins)
        after = tuple(s.name for s, other in both if other.times[-1] < seen.times[0])
        counted = stage.name, seen.passes, seen.share(), length, steps
        kind = likelihood_kind(stage.model)
        found.append(Fingerprint(*counted, kind, after, seen.evaluations(n)))
    return tuple(found)


def sampling(seen: tuple[Fingerprint, ...]) -> str:
    """How the whole is drawn, in a word of the map.

    Two stages: one network begins when another, one of the two a loop, has done its last call.
    Networks that take turns are one stage, and the busiest of them speaks.
    """
    if any(stage.after for stage in seen) and any(stage.passes > 1 for stage in seen):
        return "two-stage"
    return max(seen, key=lambda stage: stage.passes).sampler


def whole(
    name: str,
    model: Any = None,
    *,
    stage: str = "model",
    longer: Callable[[], Subject] | None = None,
    more_steps: Callable[[], Subject] | None = None,
    **options: Any,
) -> Subject:
    """A model (or the shipped one of that name) as one network; `options` go to its `sample`."""
    if model is None:
        model = load_model(name)
    stages = (Stage(stage, model, tuple(model.event_shape), model),)

    def draw(n: int, generator: Generator) -> object:
        return model.sample(n, generator=generator, **options)

    return Subject(name, stages, draw, longer, more_steps)


TALL = (1, 16, 8)  # a twin with twice as many rows of pixels


def pixelcnn() -> Subject:
    """Masked convolutions."""

    def taller() -> Subject:
        return whole("twin", PixelCNN(TwoStacks(1, 8, n_layer=2), 8, event_shape=TALL))

    return whole("digit_pixelcnn", longer=taller)


def transformer() -> Subject:
    """A pixel is a token."""
    config = TransformerConfig(d_model=8, n_layer=1, n_head=2, n_kv_head=2)
    taller = partial(ImageTransformer, 17, TALL, config)
    return whole("digit_transformer", longer=lambda: whole("twin", taller()))


def text(n: int | None = None) -> Subject:
    """A character is a token, and the length of the text is a dial."""
    model = copy.deepcopy(load_model("text_transformer"))
    n = n or model.event_shape[0] // 2
    model.event_shape = (n,)
    return whole("text_transformer", model, longer=lambda: text(2 * n))


def flow() -> Subject:
    """The flow behind the dequantised model: its density is exact, before the rounding."""
    return whole("digit_flow", load_model("digit_flow").flow)


def _chains(name: str, n_steps: int | None = None) -> Subject:
    """Langevin steps of chains; how many (at each noise level) is a dial."""
    model = copy.deepcopy(load_model(name))
    model.n_steps = n = n_steps or model.n_steps
    return whole(name, model, more_steps=lambda: _chains(name, 2 * n))


def diffusion() -> Subject:
    """The ancestral chain: T steps for an image of any size."""
    model = load_model("digit_diffusion")
    taller = copy.deepcopy(model)
    taller.event_shape = TALL
    return whole("digit_diffusion", model, longer=lambda: whole("twin", taller))


def ddim(n_steps: int = 8) -> Subject:
    """The same network in fewer steps; their number is a dial. It has no likelihood of its own."""
    model: DDPM = load_model("digit_diffusion")
    steps = ddim_timesteps(len(model.betas), n_steps)

    def draw(n: int, generator: Generator) -> Tensor:
        x_T = torch.randn((n, *model.event_shape), generator=generator)
        return last(ddim_sample(model.eps_net, x_T, steps, alphas_bar=model.alphas_bar))

    stage = Stage("noise predictor", model.eps_net, tuple(model.event_shape), model.eps_net)
    return Subject("digit_diffusion, DDIM", (stage,), draw, more_steps=lambda: ddim(2 * n_steps))


def consistency(n_passes: int = 1) -> Subject:
    """One evaluation, distilled from a diffusion model; how many jumps it takes is a dial."""
    student = copy.deepcopy(load_model("digit_consistency"))
    student.levels = student_levels(n_passes)
    return whole("digit_consistency", student, more_steps=lambda: consistency(2 * n_passes))


def masked_diffusion(n_steps: int = 16) -> Subject:
    """Pixels appear several at a time; in how many calls is a dial."""
    twice = partial(masked_diffusion, 2 * n_steps)
    return whole("digit_masked_diffusion", stage="pixel filler", more_steps=twice, n_steps=n_steps)


vae, gan, wgan = (partial(whole, f"digit_{name}") for name in ("vae", "gan", "wgan"))
ebm = partial(_chains, "digit_ebm")
ncsn = partial(_chains, "digit_ncsn")
LESSONS: Sequence[tuple[Callable[[], Subject], str]] = (  # subject, where it belongs on the map
    *((make, AUTOREGRESSIVE) for make in (pixelcnn, transformer, text)),
    *((flow, FLOW), (vae, LATENT), (gan, ADVERSARIAL), (wgan, ADVERSARIAL)),
    *((make, SCORE) for make in (ebm, ncsn, diffusion, ddim)),
)
ODD_CLAIMS = ((consistency, SCORE), (masked_diffusion, SCORE))  # one call, and parallel tokens

CAPTION = "a red seven"


def _given(sample: Callable[..., object], caption: str, n_steps: int) -> Draw:
    return lambda k, g: sample([caption] * k, n_steps=n_steps, generator=g)


def _net(name: str, model: Any) -> Stage:
    return Stage(name, model.net, model.event_shape, model)


def _never_done(logits: Tensor) -> Tensor:
    """Forbid the token that ends a caption: an untrained writer may write it at once."""
    return logits.index_fill(-1, torch.tensor([IMAGE]), -torch.inf)


def language_model(n: int = 12) -> Subject:
    """A token a call, with the cache; the length is a dial."""
    model = find("language_model").untrained()
    model.lm.event_shape = (n,)
    stages = (Stage("writer", model.lm, (n,), model),)
    twice = partial(language_model, 2 * n)
    return Subject("language_model", stages, lambda k, g: model.sample(k, generator=g), twice)


def latent_diffusion(n_steps: int = 6) -> Subject:
    """A loop over codes, then one call of the decoder."""
    model = find("latent_diffusion").untrained()
    draw = _given(model.draw, CAPTION, n_steps)
    decoder = Stage("decoder", model.vae, model.vae.event_shape, model.vae)
    stages = decoder, Stage("denoiser of codes", model.net, model.vae.latent_shape, model.net)
    twice = partial(latent_diffusion, 2 * n_steps)
    return Subject("latent_diffusion", stages, draw, more_steps=twice)


def glide(n_steps: int = 6) -> Subject:
    """Two loops, one after the other: small pictures, then large ones conditioned on them."""
    base, up = (find(name).untrained() for name in ("glide_base", "glide_upsampler"))

    def draw(k: int, generator: Generator) -> object:
        captions = [CAPTION] * k
        small = base.draw(captions, n_steps=n_steps, generator=generator)
        return up.draw(captions, small, n_steps=n_steps, generator=generator)

    stages = _net("base", base), _net("upsampler", up.painter)
    return Subject("glide", stages, draw, more_steps=partial(glide, 2 * n_steps))


def text_to_video(n_steps: int = 4) -> Subject:
    """All frames at once, again and again."""
    model = find("text_to_video").untrained()
    draw = _given(model.draw, f"{CAPTION} moving left", n_steps)
    stages = (_net("video denoiser", model),)
    twice = partial(text_to_video, 2 * n_steps)
    return Subject("text_to_video", stages, draw, more_steps=twice)


def language_and_image(n_steps: int = 5) -> Subject:
    """A language model writes a caption; a denoiser draws what its hidden states say."""
    model = find("language_and_image").untrained()

    def draw(k: int, generator: Generator) -> object:
        written = last(model.lm.write(["a"] * k, reshape=_never_done, generator=generator))
        return model.draw(written.states, n_steps=n_steps, generator=generator)

    stages = Stage("writer", model.lm, (LENGTH,), model.lm), _net("denoiser", model.painter)
    twice = partial(language_and_image, 2 * n_steps)
    return Subject("language_and_image", stages, draw, more_steps=twice)


def flow_density_estimator() -> Subject:
    """Given data, one evaluation of the couplings for a draw from the posterior."""
    model = find("npe_two_moons").untrained()
    return whole("flow_density_estimator", model, stage="posterior", cond=torch.zeros(1, 2))


SUBJECTS: Mapping[str, Callable[..., Subject]] = {  # by the name of the lab
    "language_model": language_model,
    "latent_diffusion": latent_diffusion,
    "glide": glide,
    "stylegan": lambda: whole("stylegan", find("stylegan").untrained()),
    "text_to_video": text_to_video,
    "language_and_image": language_and_image,
    "flow_density_estimator": flow_density_estimator,
}
