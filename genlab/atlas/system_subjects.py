"""The seven systems as subjects of the fingerprint, stage by stage.

Passes, shares and kinds of likelihood do not depend on the weights, so the networks are those of
the recipes, untrained, unless models are given: nothing has to be loaded, and a system can be
watched before it is trained. `trained` gives the shipped ones, to see that it makes no difference.
Lesson: notebooks/15_four_paradigm_landscape.ipynb
"""

import copy
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Generator, Tensor

from genlab.atlas.fingerprint import Stage, Subject
from genlab.atlas.subjects import whole
from genlab.core.iterate import last
from genlab.systems import load_model
from genlab.systems.caption_lm import IMAGE, LENGTH
from genlab.systems.glide_recipes import BASE, UPSAMPLER, glide_base, glide_upsampler
from genlab.systems.language_and_image_models import language_and_image as both
from genlab.systems.language_model_models import language_model as writer
from genlab.systems.latent_diffusion_models import latent_diffusion as latent
from genlab.systems.npe_models import MOONS, posterior_estimator
from genlab.systems.stylegan_models import style_gan
from genlab.systems.text_to_video_models import film_maker

CAPTION = "a red seven"
Models = tuple[Any, ...]  # trained networks in place of the recipes', in the order of `WEIGHTS`


def _never_done(logits: Tensor) -> Tensor:
    """Forbid the token that ends a caption: an untrained writer may write it at once."""
    return logits.index_fill(-1, torch.tensor([IMAGE]), -torch.inf)


def language_model(n: int = 12, models: Models = ()) -> Subject:
    """A token a pass, with the cache; the length is a dial."""
    (model,) = copy.deepcopy(models) or (writer(),)
    model.lm.event_shape = (n,)

    def draw(k: int, generator: Generator) -> object:
        return model.sample(k, generator=generator)

    stage = Stage("writer", model.lm, (n,), model)
    return Subject("language_model", (stage,), draw, longer=lambda: language_model(2 * n, models))


def latent_diffusion(n_steps: int = 6, models: Models = ()) -> Subject:
    """A loop over codes, then one pass of the decoder."""
    (model,) = models or (latent(),)

    def draw(k: int, generator: Generator) -> object:
        return model.paint([CAPTION] * k, n_steps=n_steps, generator=generator)

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
    base, up = models or (glide_base(BASE), glide_upsampler(UPSAMPLER))

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
    (model,) = models or (style_gan(),)
    return whole("stylegan", model)


def text_to_video(n_steps: int = 4, models: Models = ()) -> Subject:
    """All frames at once, again and again."""
    (model,) = models or (film_maker(),)

    def draw(k: int, generator: Generator) -> object:
        return model.sample([f"{CAPTION} moving left"] * k, n_steps=n_steps, generator=generator)

    stage = Stage("film maker", model.net, model.event_shape, model)
    return Subject(
        "text_to_video", (stage,), draw, more_steps=lambda: text_to_video(2 * n_steps, models)
    )


def language_and_image(n_steps: int = 5, models: Models = ()) -> Subject:
    """A language model writes a caption; a denoiser paints what its hidden states say."""
    (model,) = models or (both(),)

    def draw(k: int, generator: Generator) -> object:
        written = last(model.lm.write(["a"] * k, reshape=_never_done, generator=generator))
        return model.paint(written.states, n_steps=n_steps, generator=generator)

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
    (model,) = models or (posterior_estimator(MOONS),)
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
        >>> from genlab.atlas.fingerprint import fingerprint
        >>> [f.passes for f in fingerprint(trained("stylegan"))]
        [1]
    """
    return SUBJECTS[name](models=tuple(load_model(part) for part in WEIGHTS[name]))
