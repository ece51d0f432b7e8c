"""Text to video (its lab): GLIDE's image model, inflated; single frames first, then videos."""

from dataclasses import replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from genlab.core.tensors import make_generator, randn
from genlab.data.language import MAX_WORDS, WORDS, write_moving
from genlab.data.moving import SIZE, small_digits
from genlab.nn.text import TextEncoder
from genlab.nn.unet import UNetConfig, VideoUNet, VideoUNetConfig
from genlab.systems.evaluation import VideoClaims, balanced_claims, video_evaluator, video_scores
from genlab.systems.text_to_video import TextToVideo, inflate, video_batch
from genlab.train import Hooks, Run
from genlab.zoo.cards import SEED, Figures, default_dtype, digest, named, single
from genlab.zoo.glide import GLIDE_BASE, GUIDANCE
from genlab.zoo.recipe import Plan, Recipe, by_loss


def text_to_video(
    width: int,
    mults: tuple[int, ...],
    patch: int,
    d_text: int,
    n_layer: int,
    positions: bool,
    p_drop: float,
    p_alone: float,
    p_mean: float,
    p_std: float,
    shift: float,
) -> TextToVideo:
    """A model of videos of 8 frames of 16 x 16."""
    channels = 3 * patch**2
    image = UNetConfig(
        c_in=channels, c_out=channels, width=width, mults=mults, time_scale=250.0,
        d_context=d_text, side=SIZE // patch,
    )  # fmt: skip
    encoder = TextEncoder(len(WORDS), MAX_WORDS, d=d_text, n_layer=n_layer)
    return TextToVideo(
        VideoUNet(VideoUNetConfig(image, patch, positions)), encoder, p_mean=p_mean, p_std=p_std,
        shift=shift, p_drop=p_drop, p_alone=p_alone,
    )  # fmt: skip


def by_stills_and_videos(
    model: TextToVideo,
    digits: Tensor,
    labels: Tensor,
    *,
    plan: Plan,
    n_stills: int,
    batch_stills: int,
    inflated: bool,
) -> Run:
    """Train on single frames and then on videos, the rate rising and falling in each part."""
    if inflated:
        inflate(model, GLIDE_BASE.load())
    n_stills = min(n_stills, plan.n_steps)
    parts = (n_stills, plan.n_steps - n_stills)
    first, second = (replace(plan, n_steps=max(1, n)).cosine() for n in parts)
    stills = False

    def before(step: int) -> None:
        nonlocal stills
        stills = step < n_stills

    def change(batch: Any, generator: Generator) -> tuple[Tensor, Tensor]:
        most = batch_stills if stills else plan.batch_size
        return video_batch((batch[0][:most], batch[1][:most]), generator)

    def loss(x: Float[Tensor, " n 3 f h w"], *, cond: Tensor, generator: Generator) -> Tensor:
        return (model.still_loss if stills else model.loss)(x, cond=cond, generator=generator)

    return by_loss(
        model, digits, labels, change=change,
        plan=replace(
            plan, batch_size=batch_stills, loss=loss, hooks=Hooks(before=before), warmup=0,
            lr=lambda step: first(step) if step < n_stills else second(step - n_stills),
        ),
    )  # fmt: skip


@torch.no_grad()
def draw_videos(
    model: TextToVideo, claims: VideoClaims, *, joined: bool = True, shared: bool = False
) -> Float[Tensor, " n 3 f h w"]:
    """One guided video for each claim, frames `joined` or alone, from one noise if `shared`."""
    with default_dtype(torch.float32):
        model = single(model).eval()
        noise = randn((len(claims.digit), *model.event_shape), generator=make_generator(SEED))
        noise = noise[:, :, :1].expand_as(noise) if shared else noise
        captions = write_moving(*claims)
        parts = range(0, len(noise), 50)  # 50 in memory together
        return torch.cat([
            model.draw(
                captions[k : k + 50], guidance_scale=GUIDANCE, n_steps=12, joined=joined,
                noise=noise[k : k + 50],
            )
            for k in parts
        ])  # fmt: skip


def _measure_videos(model: TextToVideo, n: int = 500) -> Figures:
    """Scores of joined videos; "alone: ..." where each frame was made by itself."""
    claims = balanced_claims(n)
    together, alone = (
        video_scores(draw_videos(model, claims, joined=joined).double(), claims, video_evaluator())
        for joined in (True, False)
    )
    return together | named("alone: {}", alone)


def _videos_digest() -> str:
    digits, labels = small_digits("painter")
    return digest((255 * 4 * digits.double()).round(), labels)


TEXT_TO_VIDEO = Recipe(
    "text_to_video",
    "videos of moving digits from captions: a spatio-temporal U-Net, guided diffusion",
    lesson=13, seconds=760, seed=5,
    build=text_to_video,
    sizes={"width": 48, "mults": (1, 2), "patch": 2, "d_text": 64, "n_layer": 2, "positions": True,
           "p_drop": 0.1, "p_alone": 0.15, "p_mean": -0.5, "p_std": 1.3, "shift": 0.6},
    data=lambda: small_digits("painter"),
    source="genlab.data.moving, part 'painter': 5,000 digits, motions and colours drawn afresh"
    "; MNIST, CC BY-SA 3.0",
    digest=_videos_digest,
    plan=Plan(n_steps=3300, batch_size=12, lr=2e-3, warmup=50, clip=1.0, average=0.998),
    more={"n_stills": 700, "batch_stills": 64, "inflated": True},
    loop=by_stills_and_videos, measure=_measure_videos,
)  # fmt: skip
RECIPES = (TEXT_TO_VIDEO,)
