"""The shipped models of the system labs that read no captions: one row for each file."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from jaxtyping import Float
from torch import Generator, Tensor
from torch.distributions import MultivariateNormal

from genlab.adversarial.stylegan import StyleDiscriminator, StyleGenerator
from genlab.autoregressive.tokens import train_bpe
from genlab.data.captions import load_captioned
from genlab.data.simulators import Epidemic, LinearGaussian, TwoMoons
from genlab.data.text import load_text
from genlab.metrics.calibration import c2st, chi_square_test
from genlab.nn.transformer import TransformerConfig
from genlab.systems.evaluation import realism
from genlab.systems.language_model import LanguageModel, SpelledWindows
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
from genlab.train import Run, cosine, fit, minibatches
from genlab.train.muon import Muon
from genlab.zoo.cards import SEED, Figures, digest, drawn, named
from genlab.zoo.lessons import TEXT
from genlab.zoo.train import Model, by_game

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
    support: dict[str, Any] = {"box": None, "counts": False, "autoregressive": False}
    flow = {"n_splines": 4, "n_affine": 2, "n_bins": 8, "width": 64}
    source = f"genlab.data.simulators, {type(simulator).__name__}: {n_simulations:,} simulations"
    return Model(
        name, f"posterior of {what}", lesson=4, seconds=seconds, seed=7,
        build=partial(posterior, simulator), sizes=support | flow | sizes,
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


# The language model: every reading spells the text anew; the last steps alone see all the context


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
    seed: int,
    **options: Any,
) -> Run:
    """Learn the merges, then the weights: matrices by Muon, a part of the steps on short windows.

    Press, Smith and Lewis 2021 (arXiv:2012.15832), section 4 (short windows first).
    """
    learned = train_bpe(text, len(model.merges) + 256)
    if len(learned) < len(model.merges):
        raise ValueError(f"the text yields {len(learned)} merges, not {len(model.merges)}")
    model.merges.copy_(torch.tensor(learned))
    inner = [p for p in model.lm.net.body.parameters() if p.ndim == 2]
    generator = Generator().manual_seed(seed)
    windows = SpelledWindows(
        text, model.tokenizer, model.context, batch_size, bpe_dropout, generator
    )

    def choose(step: int) -> None:
        model.train_length = short if step < p_short * n_steps else model.context

    model.train()
    muon = Muon(inner, model.parameters(), weight_decay=weight_decay)
    rate = cosine(lr, n_steps, warmup=min(100, n_steps))
    return fit(
        model, windows, n_steps=n_steps, lr=rate, clip=1.0, optimizer=muon, before=choose, **options
    )


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
    options["lr"] = tuple(cosine(rate, n_fall, hold=n_steps - n_fall) for rate in lr)
    options["finish"] = lambda: gan.set_mean_style(Generator().manual_seed(seed))
    options |= {"before": gan.at_step, "betas": (0.0, 0.99)}
    return by_game(gan, x, n_steps=n_steps, seed=seed, **options)


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
