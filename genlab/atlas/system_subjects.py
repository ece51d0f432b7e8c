"""The seven systems as subjects of the fingerprint, stage by stage.

Passes, shares and kinds of likelihood do not depend on the weights, so the networks here are those
of the recipes, untrained: nothing has to be loaded, and a system can be watched before it is
trained.
Lesson: notebooks/15_four_paradigm_landscape.ipynb
"""

from collections.abc import Callable, Mapping

import torch
from torch import Generator, Tensor

from genlab.atlas.fingerprint import Stage, Subject
from genlab.atlas.subjects import whole
from genlab.core.iterate import last
from genlab.systems.caption_lm import IMAGE, LENGTH
from genlab.systems.glide_recipes import BASE, UPSAMPLER, glide_base, glide_upsampler
from genlab.systems.language_and_image_models import language_and_image as both
from genlab.systems.language_model_models import language_model as writer
from genlab.systems.latent_diffusion_models import latent_diffusion as latent
from genlab.systems.npe_models import MOONS, posterior_estimator
from genlab.systems.stylegan_models import style_gan
from genlab.systems.text_to_video_models import film_maker

CAPTION = "a red seven"


def _never_done(logits: Tensor) -> Tensor:
    """Forbid the token that ends a caption: an untrained writer may write it at once."""
    return logits.index_fill(-1, torch.tensor([IMAGE]), -torch.inf)


def language_model(n: int = 12) -> Subject:
    """A token a pass, with the cache; the length is a dial."""
    model = writer()
    model.lm.event_shape = (n,)

    def draw(k: int, generator: Generator) -> Tensor:
        return model.sample(k, generator=generator)

    stage = Stage("writer", model.lm, (n,), model)
    return Subject("language_model", (stage,), draw, longer=lambda: language_model(2 * n))


def latent_diffusion(n_steps: int = 6) -> Subject:
    """A loop over codes, then one pass of the decoder."""
    model = latent()

    def draw(k: int, generator: Generator) -> Tensor:
        return model.paint([CAPTION] * k, n_steps=n_steps, generator=generator)

    painter = model.painter
    stages = (
        Stage("decoder", model.vae, model.vae.event_shape, model.vae),
        Stage("painter of codes", painter.net, painter.event_shape, painter),
    )
    return Subject(
        "latent_diffusion", stages, draw, more_steps=lambda: latent_diffusion(2 * n_steps)
    )


def glide(n_steps: int = 6) -> Subject:
    """Two loops, one after the other: small pictures, then large ones beside them."""
    base, up = glide_base(BASE), glide_upsampler(UPSAMPLER)

    def draw(k: int, generator: Generator) -> Tensor:
        captions = [CAPTION] * k
        small = base.sample(captions, n_steps=n_steps, generator=generator)
        return up.sample(captions, small, n_steps=n_steps, generator=generator)

    stages = (
        Stage("painter", base.net, base.event_shape, base),
        Stage("enlarger", up.painter.net, up.painter.event_shape, up.painter),
    )
    return Subject("glide", stages, draw, more_steps=lambda: glide(2 * n_steps))


def stylegan() -> Subject:
    """Noise, style, generator: one pass."""
    return whole("stylegan", style_gan())


def text_to_video(n_steps: int = 4) -> Subject:
    """All frames at once, again and again."""
    model = film_maker()

    def draw(k: int, generator: Generator) -> Tensor:
        return model.sample([f"{CAPTION} moving left"] * k, n_steps=n_steps, generator=generator)

    stage = Stage("film maker", model.net, model.event_shape, model)
    return Subject("text_to_video", (stage,), draw, more_steps=lambda: text_to_video(2 * n_steps))


def language_and_image(n_steps: int = 5) -> Subject:
    """A language model writes a caption; a denoiser paints what its hidden states say."""
    model = both()

    def draw(k: int, generator: Generator) -> Tensor:
        written = last(model.lm.write(["a"] * k, reshape=_never_done, generator=generator))
        return model.paint(written.states, n_steps=n_steps, generator=generator)

    painter = model.painter
    stages = (
        Stage("writer", model.lm, (LENGTH,), model.lm),
        Stage("painter", painter.net, painter.event_shape, painter),
    )
    return Subject(
        "language_and_image", stages, draw, more_steps=lambda: language_and_image(2 * n_steps)
    )


def flow_density_estimator() -> Subject:
    """Given data, one pass through couplings for a draw from the posterior."""
    model = posterior_estimator(MOONS)
    seen = torch.zeros(1, 2)

    def draw(k: int, generator: Generator) -> Tensor:
        return model.sample(k, cond=seen, generator=generator)

    stage = Stage("posterior", model, model.event_shape, model)
    return Subject("flow_density_estimator", (stage,), draw)


SUBJECTS: Mapping[str, Callable[[], Subject]] = {  # by the name of the lab
    "language_model": language_model,
    "latent_diffusion": latent_diffusion,
    "glide": glide,
    "stylegan": stylegan,
    "text_to_video": text_to_video,
    "language_and_image": language_and_image,
    "flow_density_estimator": flow_density_estimator,
}
