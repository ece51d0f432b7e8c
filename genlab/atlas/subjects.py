"""The course's trained models as subjects of the fingerprint: which networks to watch, which dials.

The weights are those that ship; only a twin with a longer output is untrained, for the number of
passes does not depend on weights.
Lesson: notebooks/15_four_paradigm_landscape.ipynb
"""

import copy
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Generator, Tensor

from genlab.atlas.fingerprint import Stage, Subject
from genlab.autoregressive.image_transformer import ImageTransformer
from genlab.autoregressive.pixelcnn import PixelCNN, TwoStacks
from genlab.autoregressive.transformer_lm import TransformerLM
from genlab.core.iterate import last
from genlab.nn.transformer import TransformerConfig
from genlab.score import NCSN
from genlab.score.ddim import ddim_sample, ddim_timesteps
from genlab.score.ddpm import DDPM
from genlab.score.digit_consistency import student_levels
from genlab.systems import load_model


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
