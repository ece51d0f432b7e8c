"""The models of the latent diffusion lab: evaluator, VAE, and those that draw captions."""

from dataclasses import replace
from functools import partial
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor, nn

from genlab.core.stats import kl_diag_normal
from genlab.core.weights import read_card
from genlab.data.language import ALONE, MAX_SCENE_WORDS, SCENE_WORDS, encode_scenes
from genlab.data.scenes import PARTS, compose, draw_facts, draw_scenes, load_objects
from genlab.latent.vae import ImageVAE, ImageVAEConfig
from genlab.nn.dit import DiT, DiTConfig
from genlab.nn.text import TextEncoder
from genlab.nn.unet import UNet, UNetConfig
from genlab.systems.latent_diffusion import LatentDiffusion, Pixels
from genlab.systems.scene_evaluation import (
    SceneEvaluator,
    distorted,
    kept_facts,
    scene_distance,
    windows_of,
)
from genlab.train import Run
from genlab.train.muon import Muon, inner
from genlab.zoo.cards import SEED, Figures, default_dtype, digest, named, single
from genlab.zoo.recipe import Plan, Recipe, by_loss

N_DRAWN = 500  # pictures for each figure of a generator
N_REAL = 2000  # for those of the evaluator and the VAE
GUIDANCE = 3.0  # the scale that the lab draws with
# Parts of a network that Muon leaves to AdamW
EDGES: dict[type[nn.Module], tuple[str, ...]] = {
    UNet: ("stem", "where", "embed_time", "conv_out"),
    DiT: ("embed_patch", "where", "embed_time", "to_modulation", "project"),
}
P_TWO = 0.7  # of the scenes of a training, those of two objects


def scenes_of(
    batch: tuple[Tensor, Tensor], generator: Generator, *, p_two: float = P_TWO
) -> tuple[Float[Tensor, " n 3 32 32"], Int[Tensor, " n 5"]]:
    """Fresh scenes of a batch of digits: each is once the first object, and once the second."""
    grey, digit = batch
    facts = draw_facts(torch.stack([digit, digit.roll(1)], 1), generator, p_two=p_two)
    return compose(grey, grey.roll(1, 0), facts, generator), facts


def real_scenes(
    n: int, *, p_two: float, held_out: bool = False
) -> tuple[Float[Tensor, " n 3 32 32"], Int[Tensor, " n 5"]]:
    """Scenes of the reference's digits, always the same."""
    generator = Generator().manual_seed(SEED)
    return draw_scenes(load_objects("reference"), n, generator, p_two=p_two, held_out=held_out)


def _digest(part: str) -> str:
    grey, digit = load_objects(part)
    return digest((255 * grey).round(), digit)


def _data(part: str) -> Any:
    n = PARTS[part].stop - PARTS[part].start
    return {
        "source": f"genlab.data.scenes, part '{part}' ({n:,} digits, composed afresh each step); "
        "MNIST, CC BY-SA 3.0",
        "digest": partial(_digest, part),
        "data": partial(load_objects, part),
    }


# The evaluator, and the VAE


def by_windows(model: SceneEvaluator, grey: Tensor, digit: Tensor, *, plan: Plan) -> Run:
    """Train on distorted windows of fresh scenes, half of them of two objects."""

    def changed(batch: tuple[Tensor, Tensor], generator: Generator) -> tuple[Tensor, Tensor]:
        x, facts = scenes_of(batch, generator, p_two=0.5)
        windows = windows_of(x, facts)[1]
        second = facts[:, 2] < ALONE
        shown = torch.cat([windows[:, 0], windows[second, 1]])
        return distorted(shown, generator), torch.cat([facts[:, 0], facts[second, 3]])

    return by_loss(model, grey, digit, plan=plan, change=changed)


def scores(
    images: Float[Tensor, " n 3 32 32"], facts: Int[Tensor, " n 5"], evaluator: SceneEvaluator
) -> Figures:
    """Fraction of pictures that keep every digit, every colour, every word of their captions."""
    kept = kept_facts(images, facts, evaluator)
    return {kind: right.mean().item() for kind, right in kept.items()}


def _measure_evaluator(model: Any) -> Figures:
    """Real scenes of the reference, of one object and of two."""
    found = Figures()
    evaluator = single(model)
    with default_dtype(torch.float32):
        for name, p_two in (("one", 0.0), ("two", 1.0)):
            found |= named(f"{{}}_{name}", scores(*real_scenes(N_REAL, p_two=p_two), evaluator))
    return found


SCENE_EVALUATOR = Recipe(
    "scene_evaluator", "classifier of the digits in a scene, object by object: the lab's evaluator",
    lesson=9, seconds=150, seed=30,
    build=SceneEvaluator, sizes={"width": 24, "dropout": 0.3}, **_data("evaluator"),
    plan=Plan(n_steps=1500, batch_size=64, lr=3e-3, weight_decay=0.05, warmup=50, clip=5.0),
    loop=by_windows, measure=_measure_evaluator, dtype=torch.float32,
)  # fmt: skip


@torch.no_grad()
def _measure_vae(model: Any) -> Figures:
    """Reconstructions of real scenes: error, price of a code, words that survive."""
    vae = single(model)
    evaluator = SCENE_EVALUATOR.load(dtype=torch.float32)
    found = Figures()
    with default_dtype(torch.float32):
        for name, p_two in (("one", 0.0), ("two", 1.0)):
            x, facts = real_scenes(N_REAL, p_two=p_two)
            mu, log_var = vae.encode(x)
            back = vae.decode(mu)
            found |= {
                f"rmse_{name}": (back - x).square().mean().sqrt().item(),
                f"kl_nats_{name}": kl_diag_normal(mu, log_var).mean().item(),
                f"all_{name}": scores(back, facts, evaluator)["all"],
                f"frechet_{name}": scene_distance(back, facts, evaluator),
            }
    return found | {"kind": "bound"}


def image_vae(latent_channels: int, width: int, pixel_std: float) -> ImageVAE:
    """A VAE of scenes."""
    config = ImageVAEConfig(latent_channels=latent_channels, width=width, pixel_std=pixel_std)
    return ImageVAE(config)


LATENT_VAE = Recipe(
    "latent_vae", "VAE of scenes: 3 x 32 x 32 pixels to codes of 4 x 8 x 8",
    lesson=6, seconds=150, seed=20,
    build=image_vae,
    sizes={"latent_channels": 4, "width": 32, "pixel_std": 0.03}, **_data("generator"),
    plan=Plan(n_steps=1500, batch_size=32, lr=3e-3, warmup=100, clip=5.0),
    loop=partial(by_loss, change=lambda batch, g: scenes_of(batch, g)[0]), measure=_measure_vae,
)  # fmt: skip


# What draws: a U-Net and a transformer among codes, and a U-Net among pixels


def text_encoder(d_text: int, text_layers: int) -> TextEncoder:
    """The encoder of captions of scenes."""
    return TextEncoder(len(SCENE_WORDS), MAX_SCENE_WORDS, d=d_text, n_layer=text_layers)


def latent_unet(width: int, d_text: int, text_layers: int, p_drop: float) -> LatentDiffusion:
    """A U-Net of codes: attention, and the caption, at 8 x 8 and at 4 x 4; its scale not set."""
    net = UNet(UNetConfig(
        c_in=4, c_out=4, width=width, mults=(1, 2), time_scale=1000.0, d_context=d_text,
        everywhere=True, side=8,
    ))  # fmt: skip
    vae = LATENT_VAE.untrained()
    encoder = text_encoder(d_text, text_layers)
    return LatentDiffusion(vae, net, encoder, p_drop=p_drop)


def latent_dit(
    width: int, depth: int, patch: int, d_text: int, text_layers: int, p_drop: float
) -> LatentDiffusion:
    """A diffusion transformer of codes."""
    net = DiT(DiTConfig(width=width, n_layer=depth, patch=patch, d_context=d_text))
    vae = LATENT_VAE.untrained()
    encoder = text_encoder(d_text, text_layers)
    return LatentDiffusion(vae, net, encoder, p_drop=p_drop)


def pixel_unet(width: int, d_text: int, text_layers: int, p_drop: float) -> LatentDiffusion:
    """The rival: a U-Net of pixels, which reads the caption at 8 x 8."""
    net = UNet(UNetConfig(
        c_in=3, c_out=3, width=width, mults=(1, 2, 4), time_scale=1000.0, d_context=d_text, side=32
    ))  # fmt: skip
    return LatentDiffusion(Pixels(), net, text_encoder(d_text, text_layers), p_drop=p_drop)


def by_codes(
    model: LatentDiffusion,
    grey: Tensor,
    digit: Tensor,
    *,
    plan: Plan,
    p_two: float,
    rescale: bool,
    muon: bool,
) -> Run:
    """Put the shipped VAE in, measure the scale of its codes, train on codes of fresh scenes."""
    if not isinstance(model.vae, Pixels):
        model.vae.load_state_dict(LATENT_VAE.load().state_dict())
    if rescale:
        generator = Generator().manual_seed(SEED)
        model.set_scale(scenes_of((grey[:1000], digit[:1000]), generator, p_two=p_two)[0])

    def coded(batch: Any, generator: Generator) -> tuple[Tensor, Tensor]:
        x, facts = scenes_of(batch, generator, p_two=p_two)
        return model.encode(x), encode_scenes(facts)

    optimizer = None
    if muon:
        trained = [p for p in model.parameters() if p.requires_grad]  # not the VAE's
        edges = EDGES[type(model.net)]
        optimizer = Muon(inner(model.net, edges), trained, weight_decay=plan.weight_decay)
        plan = replace(plan, weight_decay=0.0)  # Muon has it
    return by_loss(model, grey, digit, plan=plan, change=coded, optimizer=optimizer)


WAYS = (  # of measuring: name, pairs that were held out, guidance scale
    ("", False, GUIDANCE),
    ("_held_out", True, GUIDANCE),
    ("_unguided", False, 1.0),
)


def _measure_latent(model: Any, n: int = N_DRAWN, ways: Any = WAYS) -> Figures:
    """Words kept by drawn pictures, for captions of pairs that were trained on and held out."""
    generative = single(model)
    found = Figures()
    evaluator = SCENE_EVALUATOR.load(dtype=torch.float32)
    with default_dtype(torch.float32):
        for name, p_two in (("one", 0.0), ("two", 1.0)):
            for pairs, held_out, w in ways:
                facts = real_scenes(n, p_two=p_two, held_out=held_out)[1]
                x = generative.draw(
                    encode_scenes(facts), guidance_scale=w, generator=Generator().manual_seed(SEED)
                )
                found |= named(f"{{}}_{name}{pairs}", scores(x, facts, evaluator))
                found[f"frechet_{name}{pairs}"] = scene_distance(x, facts, evaluator)
    return found


def _codes_digest() -> str:
    """The digits, and the VAE whose codes of them a network learns."""
    vae = read_card(LATENT_VAE.path)["sha256"][:16]
    return f"{LATENT_VAE.digest()}, latent_vae {vae}"


CODES: dict[str, Any] = {
    "source": f"{LATENT_VAE.source}; codes of latent_vae",
    "digest": _codes_digest,
}


def _draws(
    name: str,
    what: str,
    build: Any,
    sizes: dict[str, Any],
    n_steps: int = 4000,
    measure: Any = _measure_latent,
    **data: Any,
) -> Recipe:
    return Recipe(
        name, f"text to image: {what}", lesson=13, seconds=900, seed=21,
        build=build, sizes={"d_text": 64, "text_layers": 1, "p_drop": 0.1} | sizes,
        **_data("generator") | data,
        plan=Plan(n_steps=n_steps, batch_size=32, lr=4e-3, warmup=100, clip=1.0, average=0.999),
        more={"muon": True, "p_two": P_TWO, "rescale": True},
        loop=by_codes, measure=measure,
    )  # fmt: skip


LATENT_DIFFUSION = _draws(
    "latent_diffusion", "a U-Net among the codes of latent_vae, which it contains",
    latent_unet, {"width": 48}, **CODES,
)  # fmt: skip
LATENT_DIT = _draws(
    "latent_dit", "a diffusion transformer among the codes of latent_vae, which it contains",
    latent_dit, {"width": 96, "depth": 4, "patch": 1}, **CODES,
)  # fmt: skip
PIXEL_DIFFUSION = _draws(
    "pixel_diffusion", "a U-Net among pixels, trained as long as latent_diffusion",
    pixel_unet, {"width": 24}, n_steps=1650,
    measure=partial(_measure_latent, n=200, ways=WAYS[:1]),
)  # fmt: skip
RECIPES = (SCENE_EVALUATOR, LATENT_VAE, LATENT_DIFFUSION, LATENT_DIT, PIXEL_DIFFUSION)
