"""The shipped models of the system labs: builders, loops, measures, and one row for each file.

Generators learn from 5,000 digits; what they draw is measured on others that none of them saw, by
classifiers and features that share nothing with them (`genlab.systems.evaluation`).
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Generator, Tensor, nn
from torch.distributions import MultivariateNormal

from genlab.adversarial.stylegan import StyleDiscriminator, StyleGenerator
from genlab.autoregressive.decoding import keep_top_k
from genlab.autoregressive.tokens import train_bpe
from genlab.core.stats import kl_diag_normal
from genlab.core.tensors import make_generator, randn
from genlab.data.captions import WORDS, CaptionDistribution, chance, load_captioned, paint
from genlab.data.captions import caption_distribution as distribution_of
from genlab.data.moving import SIZE, small_digits, write_moving
from genlab.data.simulators import Epidemic, LinearGaussian, TwoMoons
from genlab.data.text import load_text
from genlab.latent.vae import ImageVAE, ImageVAEConfig, code_std
from genlab.metrics.calibration import c2st, chi_square_test
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
    realism,
    shape_distance,
    video_evaluator,
    video_scores,
)
from genlab.systems.glide import Glide, NoisyClassifier, Upsampler, enlarged
from genlab.systems.language_and_image import (
    CaptionLM,
    LanguageAndImage,
    context,
    only_last,
    rows_of,
    words_of,
)
from genlab.systems.language_model import LanguageModel, SpelledWindows
from genlab.systems.latent_diffusion import LatentDiffusion
from genlab.systems.npe import (
    Box,
    NeuralPosterior,
    Rescale,
    Simulator,
    calibration_ranks,
    conditional_flow,
    onto_box,
    simulated,
)
from genlab.systems.stylegan import StyleGAN, grey
from genlab.systems.text_diffusion import TextDiffusion, captioned_batch
from genlab.systems.text_to_video import TextToVideo, Videos, inflate, video_batch
from genlab.train import Run, cosine, fit, minibatches
from genlab.train.muon import Muon
from genlab.zoo.cards import SEED, Figures, default_dtype, digest, drawn, named, single
from genlab.zoo.lessons import TEXT
from genlab.zoo.train import Model, by_game, by_loss

GUIDANCE = 3.0  # the scale that the labs draw with
WORD_KINDS = ("digit", "colour", "stroke", "slant", "all")


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
    c, d, positions = shape[0], d_text, patch**2
    config = UNetConfig(
        c_in=(c + concatenated) * positions, c_out=c * positions, width=width, mults=mults,
        d_context=d, d_pooled=d, time_scale=250.0,
    )  # fmt: skip
    net = UNet(config)
    encoder = TextEncoder(len(WORDS), d=d, n_layer=n_layer) if n_layer else None
    return TextDiffusion(net, encoder, event_shape=shape, patch=patch, **numbers)


# Neural posterior estimation: 2,000 simulations set the scales before the training


def posterior(
    simulator: Simulator, *, box: Box | None, counts: bool, autoregressive: bool, **sizes: int
) -> NeuralPosterior:
    """An estimator that still is the prior."""
    theta, x = simulated(simulator, 2000, Generator().manual_seed(torch.initial_seed()))
    p = theta.shape[1]
    support = onto_box(p, box) if box else [Rescale(theta.mean(0), theta.std(0))]
    flow = conditional_flow(p, x.shape[1], support, autoregressive=autoregressive, **sizes)
    x = x.sqrt() if counts else x
    return NeuralPosterior(flow, x.mean(0), x.std(0), counts=counts, box=box)


def by_simulation(
    simulator: Simulator,
    model: NeuralPosterior,
    *,
    n_simulations: int,
    batch_size: int,
    n_steps: int,
    lr: float,
    seed: int,
    clip: float,
) -> Run:
    """Simulate, then train on the simulations."""
    generator = Generator().manual_seed(seed + 1)
    theta, x = simulated(simulator, n_simulations, generator)
    batches = minibatches(theta, batch_size, cond=x, generator=generator)
    rate = cosine(lr, n_steps, warmup=min(100, n_steps))
    return fit(model, batches, n_steps=n_steps, lr=rate, clip=clip, finish=model.eval)


def _measure_linear_gaussian(simulator: LinearGaussian, model: Any) -> Figures:
    """Mean over pairs of log p - log q is the KL divergence averaged over data."""
    theta, x = simulated(simulator, 20_000, Generator().manual_seed(SEED))
    mean, cov = simulator.posterior(x)
    exact: Tensor = MultivariateNormal(mean, cov).log_prob(theta)  # type: ignore[no-untyped-call]
    gap = exact - model.log_prob(theta, cond=x)
    error = (gap.std() / len(gap) ** 0.5).item()
    return {"kind": "exact", "kl_nats": gap.mean().item(), "kl_error": error}


def _nll(model: Any, theta: Tensor, x: Tensor) -> float:
    return -model.log_prob(theta, cond=x).mean().item()


def _measure_two_moons(simulator: TwoMoons, model: Any) -> Figures:
    """Five observations, 1,000 exact draws and 1,000 of the estimate's for each."""
    generator = Generator().manual_seed(SEED)
    theta, x = simulated(simulator, 20_000, generator)
    scores = []
    for row in x[:5]:
        exact = simulator.posterior_sample(row, 1000, generator=generator)
        draws = model.sample(1000, cond=row[None], generator=generator)
        scores.append(c2st(exact, draws, generator=generator).value)
    found = {"c2st": sum(scores) / 5, "c2st_worst": max(scores)}
    return {"kind": "exact", **found, "nll_nats": _nll(model, theta, x)}


def _measure_epidemic(simulator: Epidemic, model: Any) -> Figures:
    """Ranks of 2,000 epidemics among 99 draws: p-value of chi-square for each parameter."""
    generator = Generator().manual_seed(SEED)
    ranks = calibration_ranks(model, simulator, 2000, 99, generator)
    theta, x = simulated(simulator, 10_000, generator)
    tests = zip(("p_beta", "p_gamma"), ranks.unbind(1), strict=True)
    found = {name: chi_square_test(column, 99).p_value for name, column in tests}
    return {"kind": "exact", **found, "nll_nats": _nll(model, theta, x)}


def _simulations_digest(simulator: Simulator, seed: int) -> str:
    """Name the simulations by the first of them, to three decimals."""
    pairs = simulated(simulator, 100, Generator().manual_seed(seed + 1))
    return digest(*((1000 * part).round() for part in pairs))


def _npe(
    name: str,
    what: str,
    simulator: Any,
    measure: Callable[..., Figures],
    seconds: float,
    n_steps: int,
    n_simulations: int = 200_000,
    **sizes: Any,
) -> Model:
    usual = {
        "box": None, "counts": False, "autoregressive": False,
        "n_splines": 4, "n_affine": 2, "n_bins": 8, "width": 64,
    }  # fmt: skip
    source = f"genlab.data.simulators, {type(simulator).__name__}: {n_simulations:,} simulations"
    return Model(
        name, f"posterior of {what}", lesson=4, seconds=seconds, seed=7,
        build=partial(posterior, simulator), sizes=usual | sizes,
        data=lambda: (), source=source, digest=partial(_simulations_digest, simulator, 7),
        fit={"n_simulations": n_simulations, "n_steps": n_steps, "batch_size": 512, "lr": 4e-3,
             "clip": 5.0},
        loop=partial(by_simulation, simulator), measure=partial(measure, simulator),
        dtype=torch.float32,
    )  # fmt: skip


MOONS: Any = {"box": (-1.0, 1.0), "n_splines": 6, "n_affine": 0, "n_simulations": 1_000_000}
NPE = (
    _npe("npe_linear_gaussian", "the linear Gaussian simulator: spline couplings",
         LinearGaussian(), _measure_linear_gaussian, 60, n_steps=3000, n_splines=2, width=32),
    _npe("npe_two_moons", "the two moons: spline couplings, one pass to sample",
         TwoMoons(), _measure_two_moons, 180, n_steps=7000, **MOONS),
    _npe("npe_two_moons_masked", "the two moons: autoregressive, two passes to sample",
         TwoMoons(), _measure_two_moons, 180, n_steps=7000, autoregressive=True, **MOONS),
    _npe("npe_epidemic", "an epidemic's rates: spline couplings",
         Epidemic(), _measure_epidemic, 120, n_steps=4000, counts=True),
)  # fmt: skip


# The language model. 340,000 bytes are little: a million weights know them by heart after twenty
# readings. So every reading spells the text anew, and the last steps alone see the full context.


def language_model(n_tokens: int, context: int, **sizes: Any) -> LanguageModel:
    """The untrained model, without merges."""
    return LanguageModel(n_tokens, context, TransformerConfig(**sizes, fused=True, tied=True))


def by_spellings(
    model: LanguageModel,
    text: str,
    *,
    n_steps: int,
    batch_size: int,
    bpe_dropout: float,
    short: int,
    p_short: float,
    lr: float,
    weight_decay: float,
    average: float,
    seed: int,
) -> Run:
    """Learn the merges, then the weights: matrices by Muon, a part of the steps on short windows.

    Press, Smith and Lewis 2021 (arXiv:2012.15832), section 4 (short windows first).
    """
    learned = train_bpe(text, len(model.merges) + 256)
    if len(learned) < len(model.merges):
        raise ValueError(f"the text yields {len(learned)} merges, not {len(model.merges)}")
    model.merges.copy_(torch.tensor(learned))
    inner = [p for p in model.lm.net.body.parameters() if p.ndim == 2]
    others = [p for p in model.parameters() if all(p is not matrix for matrix in inner)]
    generator = Generator().manual_seed(seed)
    windows = SpelledWindows(
        text, model.tokenizer, model.context, batch_size, bpe_dropout, generator
    )

    def choose_length(step: int) -> None:
        model.train_length = short if step < p_short * n_steps else model.context

    model.train()
    return fit(
        model, windows, n_steps=n_steps, lr=cosine(lr, n_steps, warmup=min(100, n_steps)), clip=1.0,
        optimizer=Muon(inner, others, weight_decay=weight_decay), before=choose_length,
        average=average,
    )  # fmt: skip


def _measure_language_model(model: LanguageModel) -> Figures:
    """Bits per byte of both held-out parts, by windows that overlap by three quarters."""
    test, val = (model.bits_per_byte(load_text(part)) for part in ("test", "val"))
    return {"bits_per_byte": test, "bits_per_byte_val": val, "kind": "exact"}


LANGUAGE_MODEL = Model(
    "language_model",
    "language model of Python's manual: byte pairs, rotary positions, grouped queries",
    lesson=2, seconds=600, seed=1,
    build=language_model,
    sizes={"n_tokens": 1024, "context": 512, "d_model": 192, "n_layer": 3, "n_head": 6,
           "n_kv_head": 2, "d_hidden": 576, "dropout": 0.1},
    data=lambda: (load_text("train"),), **TEXT,
    fit={"n_steps": 1200, "batch_size": 4, "bpe_dropout": 0.1, "short": 128, "p_short": 0.7,
         "lr": 6e-3, "weight_decay": 0.1, "average": 0.99},
    loop=by_spellings, measure=_measure_language_model,
)  # fmt: skip


# Latent diffusion: first the VAE, then a text-conditional diffusion model of its codes


def _coloured(grey: Tensor, generator: Generator) -> Tensor:
    return paint(grey, torch.randint(6, (len(grey),), generator=generator))


def latent_diffusion(**sizes: Any) -> LatentDiffusion:
    """VAE (untrained) and denoiser, whose scale has not been set."""
    vae = LATENT_VAE.untrained()
    return LatentDiffusion(vae, text_diffusion(vae.latent_shape, **sizes, limit=None))


def by_codes(
    model: LatentDiffusion,
    grey: Tensor,
    columns: Tensor,
    *,
    p_stroke: float,
    p_slant: float,
    rescale: bool,
    **options: Any,
) -> Run:
    """Put the shipped VAE in, measure the scale of its codes, train the denoiser on them."""
    model.vae.load_state_dict(LATENT_VAE.load().state_dict())
    if rescale:
        model.set_scale(paint(grey[:1000], columns[:1000, 1]))

    def coded(batch: Any, generator: Generator) -> tuple[Tensor, Tensor]:
        x, rows = captioned_batch(batch, generator, p_stroke=p_stroke, p_slant=p_slant)
        return model.encode((x + 1) / 2), rows

    return by_loss(model, grey, columns, change=coded, **options)


@torch.no_grad()
def _measure_vae(model: Any) -> Figures:
    """Reconstructions of the test digits: error, price, words that survive, Frechet distance."""
    x = held_out_pictures(32)[0]
    mu, log_var = model.encode(x)
    back = model.decode(mu)
    return {
        "kind": "bound",
        "rmse": (back - x).square().mean().sqrt().item(),
        "kl_nats": kl_diag_normal(mu, log_var).mean().item(),
        "elbo_nats": model.elbo(x, generator=Generator().manual_seed(SEED)).mean().item(),
        "spread": code_std(mu - mu.mean((0, 2, 3), keepdim=True), log_var).item(),
        **named("kept_{}", drawn_scores(held_out_captions(), back)),
        "frechet": shape_distance(back),
    }


def _measure_latent(model: Any) -> Figures:
    """Words kept by one picture for each of the 1,000 test captions, plain and guided."""
    captions, found = held_out_captions(), Figures()
    with default_dtype(torch.float32):
        for w, kinds, suffix in ((GUIDANCE, WORD_KINDS, ""), (1.0, ("all",), "_unguided")):
            generator = Generator().manual_seed(SEED)
            x = single(model).draw(captions, guidance_scale=w, n_steps=12, generator=generator)
            kept = drawn_scores(captions, x)
            found |= named("kept_{}" + suffix, {kind: kept[kind] for kind in kinds})
            found[f"frechet{suffix}"] = shape_distance(x)
    return found


AT_32: Any = {
    "source": "genlab.data.captions, part 'painter' (5,000 digits of 32 x 32, coloured afresh each "
    "step); MNIST, CC BY-SA 3.0",
    "digest": partial(_captioned_digest, 32, 255),
}
LATENT_VAE = Model(
    "latent_vae", "VAE of captioned digits: 3 x 32 x 32 pixels to codes of 4 x 8 x 8",
    lesson=6, seconds=60, seed=20,
    build=lambda **sizes: ImageVAE(ImageVAEConfig(**sizes)),
    sizes={"latent_channels": 4, "width": 24, "pixel_std": 0.03},
    data=lambda: (load_captioned("painter").grey,), **AT_32,
    fit={"n_steps": 1000, "batch_size": 32, "lr": 3e-3, "warmup": 100, "clip": 5.0},
    loop=partial(by_loss, change=_coloured), measure=_measure_vae,
)  # fmt: skip
LATENT_DIFFUSION = Model(
    "latent_diffusion", "text to image by diffusion on the codes of latent_vae, which it contains",
    lesson=13, seconds=240, seed=21,
    build=latent_diffusion,
    sizes={"width": 32, "mults": (1, 2), "d_text": 48, "n_layer": 1, "sigma_data": 0.5,
           "p_mean": -0.5, "p_drop": 0.1},
    data=lambda: captioned(32), **AT_32,
    fit={"n_steps": 4000, "batch_size": 32, "lr": 2e-3, "warmup": 100, "clip": 1.0,
         "average": 0.998, "p_stroke": 0.8, "p_slant": 0.8, "rescale": True},
    loop=by_codes, measure=_measure_latent,
)  # fmt: skip


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
    """The curve over guidance scales for held-out captions, and the words of free captions.

    `_w3` guides at every noise level, `_limited_w3` where words are decided, as `Glide` does.
    """
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
    """The amount of sharpening, and its likeness, that comes nearest to real pictures.

    Chosen by the answer: the most that sharpening of pictures in [0, 1] can claim.
    """
    found = [(amount, likeness(enlarged(small, amount))) for amount in AMOUNTS]
    return min(found, key=lambda pair: pair[1].frechet)


def _upsampled(model: Any) -> dict[str, tuple[Tensor, Tensor]]:
    """Real small pictures and drawn ones, and what an upsampler makes of each."""
    glide = Glide(GLIDE_BASE.load(dtype=torch.float32), single(model))
    captions, generator = held_out_captions(N_DRAWN), Generator().manual_seed(SEED)
    real = held_out_pictures()[0][:N_DRAWN]
    up = glide.upsampler.sample(captions, 2 * real - 1, generator=generator)
    drawn = glide.draw(captions, guidance_scale=GUIDANCE, generator=generator)
    return {"real": (real, (up + 1) / 2), "drawn": drawn}


def _measure_upsampler(model: Any) -> Figures:
    """Enlarged real pictures and enlarged drawn ones, against bicubic and the best sharpening."""
    found = Figures()
    with default_dtype(torch.float32):
        pairs = _upsampled(model)
        for kind, (small, large) in pairs.items():
            bicubic, best = likeness(enlarged(small, 0.0)), best_sharpening(small)[1]
            rows = {"ours": likeness(large), "bicubic": bicubic, "sharpened": best}
            for name, row in rows.items():
                found |= named(f"{{}}_{name}_{kind}", row._asdict())
        words = drawn_scores(held_out_captions(N_DRAWN), pairs["drawn"][1])
        return found | named("{}_32", words)


def _measure_plain(model: Any) -> Figures:
    """The same pictures, without what they are compared with."""
    found = Figures()
    with default_dtype(torch.float32):
        for kind, (_, large) in _upsampled(model).items():
            found |= named(f"{{}}_ours_{kind}", likeness(large)._asdict())
    return found


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
    data=lambda: captioned(32), fit=GLIDE_UPSAMPLER.fit, loop=by_captions, measure=_measure_plain,
)  # fmt: skip
GLIDE_CLASSIFIER = _glide(
    "glide_reader", "words of noisy pictures: the slope for classifier guidance",
    seconds=30, build=NoisyClassifier, sizes={"width": 32}, data=lambda: captioned(16),
    fit=FIT | {"n_steps": 1200}, loop=by_words, measure=_measure_noisy_classifier,
)  # fmt: skip


# StyleGAN


def style_gan(
    *,
    d_latent: int,
    d_style: int,
    n_mapping: int,
    channels: tuple[int, int, int],
    mapping_rate: float,
    discriminator_channels: tuple[int, int, int],
    discriminator_width: int,
    **numbers: Any,
) -> StyleGAN:
    """A StyleGAN of pictures in [-1, 1], `(b, 1, 16, 16)`."""
    generator_net = StyleGenerator(
        d_latent, d_style, n_mapping, channels, mapping_rate=mapping_rate
    )
    discriminator = StyleDiscriminator(discriminator_channels, discriminator_width)
    return StyleGAN(generator_net, discriminator, **numbers)


def by_styles(
    gan: StyleGAN,
    x: Tensor,
    *,
    n_steps: int,
    n_fall: int,
    lr: tuple[float, float],
    seed: int,
    **options: Any,
) -> Run:
    """Play the game; the generator ends with its averaged weights and the mean of its styles.

    The rates (discriminator's, generator's) fall to zero in the last `n_fall` steps.
    """
    n_fall = min(n_fall, n_steps)
    return by_game(
        gan, x, n_steps=n_steps, seed=seed, betas=(0.0, 0.99), before=gan.at_step,
        lr=tuple(cosine(rate, n_fall, hold=n_steps - n_fall) for rate in lr),
        finish=lambda: gan.set_mean_style(Generator().manual_seed(seed)), **options,
    )  # fmt: skip


def grey_digits(part: str = "painter") -> Float[Tensor, " n 1 16 16"]:
    """Digits of one part, from -1 (paper) to 1 (ink)."""
    return 2 * load_captioned(part, 16).grey[:, None] - 1


def drawn_at(gan: StyleGAN, truncation: float, n: int = 1000) -> Float[Tensor, " n 16 16"]:
    """Grey values in [0, 1], drawn with the seed of all figures in single precision."""
    return grey(drawn(gan, n, Generator().manual_seed(SEED), truncation=truncation))


def _measure_style_gan(gan: StyleGAN) -> Figures:
    found: Figures = {"kind": "none"}
    found |= named("real_{}", realism(load_captioned("judge", 16).grey[:1000])._asdict())
    for psi, suffix in ((1.0, ""), (0.7, "_at_0.7"), (0.4, "_at_0.4")):
        found |= named("{}" + suffix, realism(drawn_at(gan, psi))._asdict())
    return found


STYLEGAN = Model(
    "stylegan", "StyleGAN of MNIST at 16 x 16: styles, noise, lazy R1",
    lesson=7, seconds=900, seed=4,
    build=style_gan,
    sizes={"d_latent": 32, "d_style": 64, "n_mapping": 2, "mapping_rate": 1.0,
           "channels": (64, 32, 16), "discriminator_channels": (16, 32, 64),
           "discriminator_width": 64, "gamma": 0.5, "interval": 8, "mixing": 0.2},
    data=lambda: (grey_digits(),),
    source="genlab.data.captions, part 'painter': 5,000 digits of 16 x 16, grey"
    "; MNIST, CC BY-SA 3.0",
    digest=lambda: digest((255 * load_captioned("painter", 32).grey).round()),
    fit={"n_steps": 21_000, "n_fall": 1_500, "batch_size": 64, "lr": (8e-3, 4e-3),
         "average": 0.995},
    loop=by_styles, measure=_measure_style_gan,
)  # fmt: skip


# Text to video: starts as the shipped image model of GLIDE, inflated; first single frames of many
# videos (eight times as many digits for the same pixels), then whole videos


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
        d_context=d_text, d_pooled=d_text,
    )  # fmt: skip
    net = VideoUNet(VideoUNetConfig(image, patch, positions, SIZE // patch))
    return TextToVideo(net, TextEncoder(len(WORDS), d=d_text, n_layer=n_layer), **numbers)


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
    """One video for each claim as the card's figures are measured: single precision, guided.

    Frames joined or each alone, every frame from the same noise if it is `shared`.
    """
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


# Language and image: the language model starts from nothing, the denoiser as that of GLIDE, whose
# own text encoder is left behind: it has to learn what states mean, not what digits look like


def language_and_image(
    *,
    d_model: int,
    n_layer: int,
    n_head: int,
    n_kv_head: int,
    width: int,
    mults: tuple[int, ...],
    patch: int,
    sigma_data: float,
    p_mean: float,
    p_drop: float,
    sigma_max: float,
    n_waves: int,
    **numbers: Any,
) -> LanguageAndImage:
    """A model of captions and of 16 x 16 pictures in [-1, 1]."""
    lm = CaptionLM(TransformerConfig(
        d_model=d_model, n_layer=n_layer, n_head=n_head, n_kv_head=n_kv_head,
        d_hidden=2 * d_model, rope_base=100.0,
    ))  # fmt: skip
    nn.init.normal_(lm.net.embedding.weight)  # so that the word itself stays in its state
    denoiser = glide_base(
        16, width=width, mults=mults, d_text=d_model, n_layer=0, patch=patch, sigma_data=sigma_data,
        p_mean=p_mean, p_drop=p_drop, sigma_max=sigma_max, concatenated=4 * n_waves,
    )  # fmt: skip
    return LanguageAndImage(lm, denoiser, n_waves=n_waves, **numbers)


@torch.no_grad()
def start_from(denoiser: TextDiffusion, pretrained: TextDiffusion) -> None:
    r"""Copy a trained image model into one of the same sizes that sees more channels.

    For the same text both then answer the same, whatever is concatenated; the zeros can learn.
    Zhang et al. 2023 (arXiv:2302.05543), section 3.1 (new inputs begin at zero).
    """
    weights, stem = pretrained.net.state_dict(), denoiser.net.stem.weight
    known = weights["stem.weight"]
    weights["stem.weight"] = F.pad(known, (0, 0, 0, 0, 0, stem.shape[1] - known.shape[1]))
    denoiser.net.load_state_dict(weights)
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
    """KL(truth || model) in nats a caption, and the model's probability of all other sentences.

    Exact: every caption is enumerated.
    """
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
            ("cross_attention", context(states, pooled=False)),
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
           "patch": 2, "sigma_data": 0.5, "p_mean": -0.5, "sigma_max": 20.0, "n_waves": 2,
           "p_drop": 0.1, "p_alone": 0.1, "p_cross": 0.1, "weight": 60.0, "joint": True},
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
    *NPE, LANGUAGE_MODEL, LATENT_VAE, LATENT_DIFFUSION, GLIDE_BASE, GLIDE_UPSAMPLER, GLIDE_PLAIN,
    GLIDE_CLASSIFIER, STYLEGAN, TEXT_TO_VIDEO, LANGUAGE_AND_IMAGE,
)  # fmt: skip
