"""The models of the labs (stand-in until the labs are rows)."""

from genlab.zoo import (
    glide_models,
    language_and_image_models,
    language_model_models,
    latent_diffusion_models,
    npe_models,
    stylegan_models,
    text_to_video_models,
)
from genlab.zoo.train import Model

SYSTEMS: tuple[Model, ...] = (
    *npe_models.TRAININGS,
    *language_model_models.TRAININGS,
    *latent_diffusion_models.TRAININGS,
    *glide_models.TRAININGS,
    *stylegan_models.TRAININGS,
    *text_to_video_models.TRAININGS,
    *language_and_image_models.TRAININGS,
)
