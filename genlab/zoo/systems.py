"""The shipped models of the system labs that read captions: one row for each file."""

from functools import partial
from typing import Any

import torch
from torch import Generator, Tensor, nn

from genlab.autoregressive.decoding import keep_top_k
from genlab.core.tensors import make_generator, randn
from genlab.data.captions import (
    MAX_WORDS,
    WORDS,
    CaptionDistribution,
    chance,
    load_captioned,
    paint,
)
from genlab.data.captions import caption_distribution as distribution_of
from genlab.data.moving import SIZE, small_digits, write_moving
from genlab.nn.transformer import TextEncoder, TransformerConfig
from genlab.nn.unet import UNet, UNetConfig, VideoUNet, VideoUNetConfig
from genlab.systems.evaluation import (
    Likeness,
    VideoClaims,
    balanced_claims,
    claims_of,
    drawn_scores,
    free_captions,
    held_out_captions,
    held_out_pictures,
    likeness,
    proportion,
    read_scores,
    video_evaluator,
    video_scores,
)
from genlab.systems.glide import Glide, NoisyClassifier, Upsampler, enlarged
from genlab.systems.language_and_image import (
    CaptionLM,
    LanguageAndImage,
    only_last,
    rows_of,
    words_of,
)
from genlab.systems.text_diffusion import TextDiffusion, captioned_batch
from genlab.systems.text_to_video import TextToVideo, Videos, inflate, video_batch
from genlab.train import Run, cosine
from genlab.zoo.cards import SEED, Figures, default_dtype, digest, named, single
from genlab.zoo.scenes import SCENES
from genlab.zoo.train import Model, by_loss
from genlab.zoo.uncaptioned import LANGUAGE_MODEL, NPE, STYLEGAN

GUIDANCE = 3.0  # the scale that the labs draw with


def captioned(size: int) -> tuple[Tensor, Tensor]:
    """Grey digits of the training part, and their attributes as columns."""
    grey, attributes = load_captioned("painter", size)
    return grey, torch.stack(attributes, 1)


def _captioned_digest(size: int, levels: int) -> str:
    grey, attributes = load_captioned("painter", size)
    return digest((levels * grey).round(), *attributes)


def by_captions(
    model: Any, grey: Tensor, columns: Tensor, *, p_stroke: float, p_slant: float, **options: Any
) -> Run:
    """Train on pictures that are coloured and described afresh at every step."""
    change = partial(captioned_batch, p_stroke=p_stroke, p_slant=p_slant)
    return by_loss(model, grey, columns, change=change, **options)


def text_diffusion(
    shape: tuple[int, ...],
    width: int,
    mults: tuple[int, ...],
    d_text: int,
    n_layer: int,
    *,
    patch: int = 1,
    concatenated: int = 0,
    **numbers: Any,
) -> TextDiffusion:
    """A U-Net that reads texts; no text encoder with 0 layers; `concatenated` channels are seen."""
    c, positions = shape[0], patch**2
    config = UNetConfig(
        c_in=(c + concatenated) * positions, c_out=c * positions, width=width, mults=mults,
        d_context=d_text, time_scale=250.0, side=shape[-1] // patch,
    )  # fmt: skip
    encoder = TextEncoder(len(WORDS), MAX_WORDS, d=d_text, n_layer=n_layer) if n_layer else None
    return TextDiffusion(UNet(config), encoder, event_shape=shape, patch=patch, **numbers)


# GLIDE: small pictures, their enlargement, and a classifier of noisy pictures

SCALES = (0.0, 1.0, 2.0, 3.0, 5.0, 8.0)  # of the card's curve, guided at every noise level
LIMITED = (3.0, 5.0)  # of its points that are guided in `Glide.interval` only
AMOUNTS = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0)  # of sharpening; 0 is bicubic alone
N_DRAWN = 500  # pictures for each figure


def glide_base(size: int, **sizes: Any) -> TextDiffusion:
    """The model of small pictures: the network answers the picture itself (`skip=False`)."""
    return text_diffusion((3, size, size), **sizes, skip=False)


def glide_upsampler(size: int, s_max: float, **sizes: Any) -> Upsampler:
    """The model of large pictures, which sees four channels of the small one."""
    return Upsampler(glide_base(size, **sizes, concatenated=4), s_max=s_max)


def by_words(model: NoisyClassifier, grey: Tensor, columns: Tensor, **options: Any) -> Run:
    """Train the classifier of noisy pictures, on fresh colours."""

    def coloured(batch: Any, generator: Generator) -> tuple[Tensor, Tensor]:
        grey, words = batch
        colour = torch.randint(6, (len(grey),), generator=generator)
        words = torch.stack([words[:, 0], colour, words[:, 2], words[:, 3]], 1)
        return 2 * paint(grey, colour) - 1, words

    return by_loss(model, grey, columns, change=coloured, **options)


def _measure_base(model: Any) -> Figures:
    """Held-out captions over scales, guided always or in `Glide.interval`; free captions."""
    base = single(model)

    def draw(captions: list[str], w: float, interval: tuple[float, float] | None) -> Tensor:
        generator = Generator().manual_seed(SEED)
        x = base.sample(captions, guidance_scale=w, interval=interval, generator=generator)
        return ((x + 1) / 2).clamp(0, 1)

    found, held_out = Figures(), held_out_captions(N_DRAWN)
    curve = [("", w, None) for w in SCALES] + [("limited_", w, Glide.interval) for w in LIMITED]
    with default_dtype(torch.float32):
        for way, w, interval in curve:
            x = draw(held_out, w, interval)
            row = drawn_scores(held_out, x) | likeness(x)._asdict()
            found |= named(f"{{}}_{way}w{w:g}", row)
        captions = free_captions(N_DRAWN, Generator().manual_seed(SEED))
        x = draw(captions, GUIDANCE, Glide.interval)
        return found | named("{}_free", drawn_scores(captions, x))


def best_sharpening(small: Tensor) -> tuple[float, Likeness]:
    """The amount of sharpening in [0, 1] that comes nearest to real pictures, and its likeness."""
    found = ((amount, likeness(enlarged(small, amount))) for amount in AMOUNTS)
    return min(found, key=lambda pair: pair[1].frechet)


def _measure_upsampler(model: Any, *, compared: bool = True) -> Figures:
    """Enlarged real and drawn pictures; if `compared`, bicubic, the best sharpening and words."""
    found, generator = Figures(), Generator().manual_seed(SEED)
    with default_dtype(torch.float32):
        glide = Glide(GLIDE_BASE.load(dtype=torch.float32), single(model))
        captions, real = held_out_captions(N_DRAWN), held_out_pictures()[0][:N_DRAWN]
        up = glide.upsampler.sample(captions, 2 * real - 1, generator=generator)
        drawn = glide.draw(captions, guidance_scale=GUIDANCE, generator=generator)
        for kind, (small, large) in {"real": (real, (up + 1) / 2), "drawn": drawn}.items():
            rows = {"ours": likeness(large)}
            if compared:
                rows["bicubic"] = likeness(enlarged(small, 0.0))
                rows["sharpened"] = best_sharpening(small)[1]
            for name, row in rows.items():
                found |= named(f"{{}}_{name}_{kind}", row._asdict())
        return found | (named("{}_32", drawn_scores(captions, drawn[1])) if compared else {})


def _measure_noisy_classifier(model: Any) -> Figures:
    """Fraction of held-out digits that are recognised through noise."""
    found, classifier = Figures(), single(model)
    with default_dtype(torch.float32), torch.no_grad():
        pictures, attributes = held_out_pictures()
        x = 2 * pictures - 1
        for sigma in (0.1, 0.5, 1.0, 2.0):
            noise = torch.randn(x.shape, generator=Generator().manual_seed(SEED))
            logits = classifier(x + sigma * noise, torch.full((len(x),), sigma))[0]
            found[f"digit_sigma{sigma:g}"] = proportion(logits.argmax(1) == attributes.digit)
    return found


_glide = partial(
    Model, lesson=13, seed=3,
    source="genlab.data.captions, part 'painter': 5,000 digits of MNIST, coloured and described "
    "afresh at every step; MNIST, CC BY-SA 3.0",
    digest=partial(_captioned_digest, 32, 255),
)  # fmt: skip
SIZES = {"size": 16, "width": 48, "mults": (1, 2), "patch": 2, "d_text": 64, "n_layer": 2,
         "sigma_data": 0.5, "p_mean": -0.5, "sigma_max": 20.0, "p_drop": 0.1}  # fmt: skip
FIT = {"n_steps": 3000, "batch_size": 32, "lr": 2e-3, "warmup": 100, "clip": 1.0, "average": 0.997}
WORDS_SAID = {"p_stroke": 0.85, "p_slant": 0.85}
GLIDE_BASE = _glide(
    "glide_base", "captioned digits of 16 x 16 in pixel space: U-Net and text encoder",
    seconds=240, build=glide_base, sizes=SIZES, data=lambda: captioned(16), fit=FIT | WORDS_SAID,
    loop=by_captions, measure=_measure_base,
)  # fmt: skip
GLIDE_UPSAMPLER = _glide(
    "glide_upsampler", "16 x 16 to 32 x 32: U-Net on the noisy small picture, concatenated",
    seconds=150, build=glide_upsampler,
    sizes=SIZES | {"size": 32, "width": 24, "d_text": 32, "n_layer": 1, "p_mean": -0.9,
                   "s_max": 0.5},
    data=lambda: captioned(32), fit=FIT | WORDS_SAID | {"n_steps": 1200},
    loop=by_captions, measure=_measure_upsampler,
)  # fmt: skip
GLIDE_PLAIN = _glide(
    "glide_upsampler_plain", "the same without noise on the small picture: for comparison",
    seconds=150, build=glide_upsampler, sizes=GLIDE_UPSAMPLER.sizes | {"s_max": 0.0},
    data=lambda: captioned(32), fit=GLIDE_UPSAMPLER.fit, loop=by_captions,
    measure=partial(_measure_upsampler, compared=False),
)  # fmt: skip
GLIDE_CLASSIFIER = _glide(
    "glide_reader", "words of noisy pictures: the slope for classifier guidance",
    seconds=30, build=NoisyClassifier, sizes={"width": 32}, data=lambda: captioned(16),
    fit=FIT | {"n_steps": 1200}, loop=by_words, measure=_measure_noisy_classifier,
)  # fmt: skip


# Text to video: starts as GLIDE's image model, inflated; first single frames, then whole videos


def text_to_video(
    width: int,
    mults: tuple[int, ...],
    patch: int,
    d_text: int,
    n_layer: int,
    positions: bool,
    **numbers: Any,
) -> TextToVideo:
    """A model of videos of 8 frames of 16 x 16."""
    channels = 3 * patch**2
    image = UNetConfig(
        c_in=channels, c_out=channels, width=width, mults=mults, time_scale=250.0,
        d_context=d_text, side=SIZE // patch,
    )  # fmt: skip
    encoder = TextEncoder(len(WORDS), MAX_WORDS, d=d_text, n_layer=n_layer)
    return TextToVideo(VideoUNet(VideoUNetConfig(image, patch, positions)), encoder, **numbers)


def by_stills_and_videos(
    model: TextToVideo,
    digits: Tensor,
    labels: Tensor,
    *,
    n_steps: int,
    n_stills: int,
    batch_stills: int,
    batch_size: int,
    lr: float,
    inflated: bool,
    **options: Any,
) -> Run:
    """Train on single frames and then on videos, the rate rising and falling in each part."""
    if inflated:
        inflate(model, GLIDE_BASE.load())
    n_stills = min(n_stills, n_steps)
    first, second = (
        cosine(lr, max(1, n), warmup=min(50, n)) for n in (n_stills, n_steps - n_stills)
    )

    def change(batch: Any, generator: Generator) -> tuple[Tensor, Tensor]:
        most = None if model.stills else batch_size
        return video_batch((batch[0][:most], batch[1][:most]), generator)

    return by_loss(
        model, digits, labels, n_steps=n_steps, batch_size=batch_stills, change=change,
        lr=lambda step: first(step) if step < n_stills else second(step - n_stills),
        before=lambda step: setattr(model, "stills", step < n_stills),
        finish=lambda: setattr(model, "stills", False), **options,
    )  # fmt: skip


@torch.no_grad()
def draw_videos(
    model: TextToVideo, claims: VideoClaims, *, joined: bool = True, shared: bool = False
) -> Videos:
    """One guided video for each claim, frames `joined` or alone, from one noise if `shared`."""
    with default_dtype(torch.float32):
        model = single(model).eval()
        noise = randn((len(claims.digit), *model.event_shape), generator=make_generator(SEED))
        noise = noise[:, :, :1].expand_as(noise) if shared else noise
        captions, parts = write_moving(*claims), range(0, len(noise), 50)  # 50 in memory together
        return torch.cat([
            model.sample(
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


TEXT_TO_VIDEO = Model(
    "text_to_video",
    "videos of moving digits from captions: a spatio-temporal U-Net, guided diffusion",
    lesson=13, seconds=760, seed=5,
    build=text_to_video,
    sizes={"width": 48, "mults": (1, 2), "patch": 2, "d_text": 64, "n_layer": 2, "positions": True,
           "p_drop": 0.1, "p_alone": 0.15, "log_sigma": (-0.5, 1.3), "shift": 0.6},
    data=lambda: small_digits("painter"),
    source="genlab.data.moving, part 'painter': 5,000 digits, motions and colours drawn afresh"
    "; MNIST, CC BY-SA 3.0",
    digest=_videos_digest,
    fit={"n_steps": 3300, "n_stills": 700, "batch_stills": 64, "batch_size": 12, "lr": 2e-3,
         "clip": 1.0, "average": 0.998, "inflated": True},
    loop=by_stills_and_videos, measure=_measure_videos,
)  # fmt: skip


# Language and image: the denoiser starts as that of GLIDE, without its text encoder


def language_and_image(
    *, d_model: int, n_layer: int, n_head: int, n_kv_head: int, **numbers: Any
) -> LanguageAndImage:
    """A model of captions and of 16 x 16 pictures in [-1, 1]; the rest is for the denoiser."""
    lm = CaptionLM(TransformerConfig(
        d_model, n_layer, n_head, n_kv_head, d_hidden=2 * d_model, rope_base=100.0
    ))  # fmt: skip
    nn.init.normal_(lm.net.embedding.weight)  # so that the word itself stays in its state
    ours = ("weight", "p_alone", "joint")
    both = {name: numbers.pop(name) for name in ours if name in numbers}
    return LanguageAndImage(lm, glide_base(16, d_text=d_model, n_layer=0, **numbers), **both)


def start_from(denoiser: TextDiffusion, pretrained: TextDiffusion) -> None:
    """Copy the weights of a trained image model, all but those of its text encoder."""
    denoiser.net.load_state_dict(pretrained.net.state_dict())
    denoiser.no_caption.load_state_dict(pretrained.no_caption.state_dict())


def by_both(
    model: LanguageAndImage,
    grey: Tensor,
    columns: Tensor,
    *,
    pretrained: bool,
    seed: int,
    **options: Any,
) -> Run:
    """Train both parts with one loss."""
    if pretrained:
        start_from(model.painter, GLIDE_BASE.load())
    return by_captions(model, grey, columns, seed=seed + 1, **options)


def caption_distribution(p_stroke: float = 0.75, p_slant: float = 0.75) -> CaptionDistribution:
    """The exact distribution of the 720 captions that the model trains on."""
    attributes = load_captioned("painter", 16).attributes
    return distribution_of(attributes, say_stroke=p_stroke, say_slant=p_slant)


@torch.no_grad()
def text_gap(lm: Any, truth: CaptionDistribution) -> tuple[float, float]:
    """Exact KL(truth || model) in nats a caption, and the model's mass on all other sentences."""
    log_q = lm.log_prob(rows_of(truth.captions))
    p = truth.p.to(log_q)
    return (p * (p.log() - log_q)).sum().item(), 1 - log_q.exp().sum().item()


def _measure_language_and_image(model: Any) -> Figures:
    """Text by enumeration, pictures by classifier and measurement, reading on held-out digits."""
    truth = caption_distribution()
    kl, mass = text_gap(model.lm, truth)
    found: Figures = {"kind": "bound", "kl_text_nats": kl, "off_grammar": mass}
    with default_dtype(torch.float32):
        model, generator = single(model), Generator().manual_seed(SEED)
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


LANGUAGE_AND_IMAGE = Model(
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
    digest=partial(_captioned_digest, 16, 1020),
    fit={"n_steps": 1800, "batch_size": 32, "lr": 2e-3, "warmup": 100, "clip": 100.0,
         "weight_decay": 0.01, "average": 0.997, "p_stroke": 0.75, "p_slant": 0.75,
         "pretrained": True},
    loop=by_both, measure=_measure_language_and_image,
)  # fmt: skip

SYSTEMS: tuple[Model, ...] = (
    *NPE, LANGUAGE_MODEL, *SCENES, GLIDE_BASE, GLIDE_UPSAMPLER, GLIDE_PLAIN,
    GLIDE_CLASSIFIER, STYLEGAN, TEXT_TO_VIDEO, LANGUAGE_AND_IMAGE,
)  # fmt: skip
