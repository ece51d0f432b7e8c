"""Language and image (its lab): the denoiser starts as that of GLIDE, without its text encoder."""

from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Generator, Tensor, nn

from genlab.autoregressive.decoding import keep_top_k
from genlab.data.captions import load_captioned
from genlab.data.language import CaptionDistribution, caption_distribution, chance
from genlab.nn.transformer import TransformerConfig
from genlab.systems.evaluation import claims_of, drawn_scores, held_out_pictures, read_scores
from genlab.systems.language_and_image import (
    CaptionLM,
    LanguageAndImage,
    only_last,
    rows_of,
    words_of,
)
from genlab.systems.text_diffusion import TextDiffusion
from genlab.train import Run
from genlab.zoo.cards import SEED, Figures, default_dtype, named, single
from genlab.zoo.glide import (
    GLIDE_BASE,
    GUIDANCE,
    by_captions,
    captioned,
    captioned_digest,
    glide_base,
)
from genlab.zoo.recipe import Plan, Recipe


def language_and_image(
    d_model: int,
    n_layer: int,
    n_head: int,
    n_kv_head: int,
    width: int,
    mults: tuple[int, ...],
    patch: int,
    sigma_data: float,
    p_mean: float,
    sigma_max: float,
    p_drop: float,
    p_alone: float,
    weight: float,
    joint: bool,
) -> LanguageAndImage:
    """A model of captions and of 16 x 16 pictures in [-1, 1], drawn by a denoiser."""
    lm = CaptionLM(TransformerConfig(
        d_model, n_layer, n_head, n_kv_head, d_hidden=2 * d_model, rope_base=100.0
    ))  # fmt: skip
    nn.init.normal_(lm.net.embedding.weight)  # so that the word itself stays in its state
    denoiser = glide_base(
        16, width, mults, patch, d_text=d_model, n_layer=0, sigma_data=sigma_data, p_mean=p_mean,
        sigma_max=sigma_max, p_drop=p_drop,
    )  # fmt: skip
    return LanguageAndImage(lm, denoiser, weight=weight, p_alone=p_alone, joint=joint)


def start_from(denoiser: TextDiffusion, pretrained: TextDiffusion) -> None:
    """Copy the weights of a trained image model, all but those of its text encoder."""
    denoiser.net.load_state_dict(pretrained.net.state_dict())
    denoiser.no_caption.load_state_dict(pretrained.no_caption.state_dict())


def by_both(
    model: LanguageAndImage,
    grey: Tensor,
    columns: Tensor,
    *,
    plan: Plan,
    pretrained: bool,
    p_stroke: float,
    p_slant: float,
) -> Run:
    """Train both parts with one loss."""
    if pretrained:
        start_from(model.painter, GLIDE_BASE.load())
    plan = replace(plan, seed=plan.seed + 1)
    return by_captions(model, grey, columns, plan=plan, p_stroke=p_stroke, p_slant=p_slant)


def training_captions(p_stroke: float = 0.75, p_slant: float = 0.75) -> CaptionDistribution:
    """The exact distribution of the 720 captions that the model trains on."""
    attributes = load_captioned("painter", 16).attributes
    return caption_distribution(attributes, say_stroke=p_stroke, say_slant=p_slant)


@torch.no_grad()
def text_gap(lm: Any, truth: CaptionDistribution) -> tuple[float, float]:
    """Exact KL(truth || model) in nats a caption, and the model's mass on all other sentences."""
    log_q = lm.log_prob(rows_of(truth.captions))
    p = truth.p.to(log_q)
    return (p * (p.log() - log_q)).sum().item(), 1 - log_q.exp().sum().item()


def _measure_language_and_image(model: Any) -> Figures:
    """Text by enumeration, pictures by classifier and measurement, reading on held-out digits."""
    truth = training_captions()
    kl, mass = text_gap(model.lm, truth)
    found: Figures = {"kind": "bound", "kl_text_nats": kl, "off_grammar": mass}
    with default_dtype(torch.float32):
        model = single(model)
        generator = Generator().manual_seed(SEED)
        done = model.complete([""] * 600, guidance_scale=GUIDANCE, generator=generator)
        found |= named("kept_{}", drawn_scores(done.captions, (done.images + 1) / 2))
        states = done.written.states
        for name, other in (
            ("shuffled", states[torch.randperm(len(states), generator=generator)]),
            ("last_state", only_last(states, done.written.tokens)),
        ):
            x = model.draw(other, guidance_scale=GUIDANCE, generator=generator)
            found[f"kept_all_{name}"] = drawn_scores(done.captions, (x + 1) / 2)["all"]
        found["chance_all"] = chance(truth, [c for c in done.captions if claims_of(c)])["all"]
        pictures, attributes = held_out_pictures()
        greedy = partial(keep_top_k, top_k=1)
        texts = words_of(model.lm.describe(2 * pictures - 1, reshape=greedy))
        return found | named("read_{}", read_scores(texts, attributes))


LANGUAGE_AND_IMAGE = Recipe(
    "language_and_image",
    "language model of captions; its states condition glide_base's denoiser, which draws",
    lesson=13, seconds=200, seed=6,
    build=language_and_image,
    sizes={"d_model": 64, "n_layer": 2, "n_head": 4, "n_kv_head": 2, "width": 48, "mults": (1, 2),
           "patch": 2, "sigma_data": 0.5, "p_mean": -0.5, "sigma_max": 20.0,
           "p_drop": 0.1, "p_alone": 0.1, "weight": 60.0, "joint": True},
    data=lambda: captioned(16),
    source="genlab.data.captions, part 'painter' (5,000 digits of 16 x 16), colours at random"
    "; MNIST, CC BY-SA 3.0",
    digest=partial(captioned_digest, 16, 1020),
    plan=Plan(n_steps=1800, batch_size=32, lr=2e-3, warmup=100, clip=100.0,
              weight_decay=0.01, average=0.997),
    more={"p_stroke": 0.75, "p_slant": 0.75, "pretrained": True},
    loop=by_both, measure=_measure_language_and_image,
)  # fmt: skip
RECIPES = (LANGUAGE_AND_IMAGE,)
