"""The models of lessons 10 to 15, a row each: energy, score, diffusion, consistency, masking."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from jaxtyping import Float
from torch import Generator, Tensor, nn

from genlab.core.stats import bits_per_dim
from genlab.core.tensors import Event, last, randn
from genlab.core.weights import read_card
from genlab.data.digits import (
    EVENT_SHAPE,
    N_CLASSES,
    N_LEVELS,
    from_unit,
    load_digits,
    load_mnist,
    to_unit,
)
from genlab.metrics.features import load_classifier
from genlab.nn.layers import MLP
from genlab.nn.unet import UNet, UNetConfig
from genlab.score.consistency import ConsistencyModel, Distillation
from genlab.score.diffusion import DDPM, Bins, linear_rate_betas
from genlab.score.edm import EDM, edm_sample, edm_sigmas
from genlab.score.energy import EBM, PersistentChains, score_from_energy
from genlab.score.masked import MaskedDiffusion, PixelFiller
from genlab.score.matching import NCSN, LevelMLP, noise_ladder
from genlab.train import Run
from genlab.train.muon import Muon
from genlab.zoo.cards import (
    SEED,
    Draw,
    Figures,
    default_dtype,
    digit_distance,
    drawn,
    held_out_bits,
    single,
)
from genlab.zoo.lessons import DIGITS, MNIST16, digits_digest, mnist_digest
from genlab.zoo.train import Model, by_loss

NO_CLASS = N_CLASSES  # the label of an unconditional pass
GREY = Bins(width=2 / (N_LEVELS - 1), low=-1.0, high=1.0)  # where `to_unit` puts the levels


def _scaled(split: str = "train") -> tuple[Tensor, Tensor]:
    images, labels = load_digits(split)
    return to_unit(images), labels


# An energy: one perceptron, at temperature 1


def digit_ebm(
    width: int,
    data_noise: float,
    base_std: float,
    step_size: float,
    chain_steps: int,
    n_chains: int,
    p_restart: float,
) -> EBM:
    r"""Energy of digits with noise $\sigma$ on them, with persistent chains that begin in noise.

    $$E(x) = f_\theta(x) + \frac{\lVert x\rVert^2}{2 s^2}, \qquad x = g/8 - 1 + \sigma\epsilon$$

    Tieleman 2008, ICML, section 3; Nijkamp et al. 2020 (arXiv:1903.12370), section 4.
    """
    noise = Generator().manual_seed(torch.initial_seed())
    chains = PersistentChains(
        n_chains, EVENT_SHAPE, start_std=base_std, p_restart=p_restart, generator=noise
    )
    return EBM(
        nn.Sequential(nn.Flatten(), MLP(64, 1, width, 2)),
        event_shape=EVENT_SHAPE,
        step_size=step_size,
        n_steps=chain_steps,
        chains=chains,
        base_std=base_std,
        data_noise=data_noise,
    )


def fading(model: EBM, x: Tensor, *, n_steps: int, lr: float, **options: Any) -> Run:
    """Train at a rate that is constant for two fifths of the steps and then falls to nothing."""
    rate = lambda k: lr * min(1.0, (n_steps - k) / (0.6 * n_steps))  # noqa: E731
    return by_loss(model, x, n_steps=n_steps, lr=rate, **options)


def denoise(ebm: EBM, x: Event, *, sigma: float) -> Event:
    r"""Mean clean image behind a noisy one, from the slope of the energy (Efron 2011, eq. 1.4).

    $$\mathbb E[x_0 \mid x] = x + \sigma^2\,\nabla\log p(x) = x - \sigma^2\,\nabla E(x)$$
    """
    return x + sigma**2 * score_from_energy(ebm.energy, x)


def fresh_samples(
    ebm: EBM, n: int, *, n_steps: int, generator: Generator | None = None
) -> Float[Tensor, " n 1 8 8"]:
    """Last states of chains from noise that training never saw: what the energy really holds."""
    like = next(ebm.parameters())
    start = torch.randn((n, *ebm.event_shape), dtype=like.dtype, generator=generator)
    return ebm.walk((ebm.base_std or 1.0) * start, n_steps, generator)


def draw_clean(ebm: EBM) -> Draw:
    """Grey levels from the stored chains, without the noise that the energy was trained with."""

    def draw(n: int, generator: Generator) -> Tensor:
        x = drawn(ebm, n, generator).to(ebm.chains.states.dtype if ebm.chains else None)
        with torch.enable_grad():  # the slope of the energy is a gradient
            return from_unit(denoise(ebm, x, sigma=ebm.data_noise))

    return draw


# A score at fourteen noise levels


def digit_ncsn(
    sigma_max: float,
    sigma_min: float,
    n_levels: int,
    data_std: float,
    width: int,
    depth: int,
    rate: float,
    langevin_steps: int,
) -> NCSN:
    """Annealed Langevin from the largest distance of two digits to one and a half grey levels."""
    return NCSN(
        LevelMLP(64, width=width, depth=depth), noise_ladder(sigma_max, sigma_min, n_levels),
        event_shape=EVENT_SHAPE, data_std=data_std, rate=rate, n_steps=langevin_steps,
    )  # fmt: skip


# Diffusion: a U-Net for all classes and for none


def digit_diffusion(T: int, first: float, last: float, width: int, mults: tuple[int, ...]) -> DDPM:
    """Noise prediction at steps 0..T-1 of a linear schedule; the network is told the class."""
    net = UNet(UNetConfig(width=width, mults=mults, n_classes=N_CLASSES))
    betas = linear_rate_betas(T, first=first, last=last)
    return DDPM(net, betas, event_shape=EVENT_SHAPE, conditional=True, bins=GREY)


def dropping(model: Any, x: Tensor, cond: Tensor, *, p_drop: float, **options: Any) -> Run:
    """Train with a proportion `p_drop` of the labels replaced by `NO_CLASS` (arXiv:2207.12598)."""

    def change(batch: tuple[Tensor, Tensor], generator: Generator) -> tuple[Tensor, Tensor]:
        x, label = batch
        dropped = torch.rand(label.shape, generator=generator) < p_drop
        return x, label.masked_fill(dropped, NO_CLASS)

    return by_loss(model, x, cond, change=change, **options)


def draw_classes(model: Any, **options: Any) -> Draw:
    """Grey levels of a conditional model, every class equally often."""
    return lambda n, generator: from_unit(
        drawn(model, n, generator, cond=torch.arange(n) % N_CLASSES, **options)
    )


def conditional_bits(model: Any, images: Tensor, *, n_draws: int = 2) -> float:
    r"""Bits per dimension of images under "a class, then an image of it", a bound, mean over them.

    $$\log p(x) = \log\sum_c \tfrac1{10}\,p(x\mid c) \ge \mathrm{ELBO}(x\mid\hat c(x)) - \log 10$$

    for the guess $\hat c(x)$ of the metrics' classifier.
    """
    guess, x = load_classifier()(images).argmax(1), to_unit(images)
    generator = Generator().manual_seed(SEED)
    bounds = [model.elbo(x, cond=guess, generator=generator) for _ in range(n_draws)]
    nats = torch.stack(bounds).mean() - torch.tensor(float(N_CLASSES)).log()
    return float(bits_per_dim(-nats, images[0].numel()))


def _measure_chain(model: DDPM) -> Figures:
    bits = conditional_bits(model, load_digits("test").images)
    return {"bits_per_dim": bits, "kind": "bound", **digit_distance(draw_classes(model))}


# EDM, and the one-pass generator that is distilled from it

SIGMA_MIN, SIGMA_MAX = 0.02, 20.0  # a grey level is 0.125 wide; the digits' deviation is 0.75
LEVELS = {1: (SIGMA_MAX,), 2: (SIGMA_MAX, 0.4), 4: (SIGMA_MAX, 1.0, 0.4, 0.2)}


def edm(size: int, sigma_data: float, p_drop: float, depth: int = 1, **sizes: Any) -> EDM:
    """A class-conditional U-Net in EDM's preconditioning (Karras et al. 2022, table 1)."""
    net = UNet(UNetConfig(n_block=depth, n_classes=N_CLASSES, time_scale=250.0, **sizes))
    shape = (1, size, size)
    return EDM(net, event_shape=shape, sigma_data=sigma_data, null=NO_CLASS, p_drop=p_drop)


def student_of(teacher: EDM) -> ConsistencyModel:
    """An untrained student, with the teacher as its network; it draws in one pass."""
    return ConsistencyModel(teacher, levels=(SIGMA_MAX,), sigma_min=SIGMA_MIN)


def distil(
    student: ConsistencyModel,
    x: Tensor,
    cond: Tensor,
    teacher: EDM | None = None,
    *,
    n_levels: int,
    order: int,
    target_decay: float,
    p_drop: float,
    **options: Any,
) -> Run:
    """Distil a teacher (`digit_edm`) into a student that starts as its copy (arXiv:2303.01469)."""
    there = next(student.parameters()).device
    teacher = TEACHER.load().to(there) if teacher is None else teacher.eval()
    student.edm.load_state_dict(teacher.state_dict())
    levels = edm_sigmas(n_levels, sigma_min=student.sigma_min, sigma_max=SIGMA_MAX)[:-1]
    pair = Distillation(
        student, teacher.denoiser, levels, order=order, target_decay=target_decay, p_drop=p_drop
    ).to(there)
    keep, after = {"target": pair.target}, lambda _: pair.target.update(student)
    return by_loss(pair, x, cond, after=after, keep=keep, **options)


def teacher_levels(n_passes: int) -> Float[Tensor, " s"]:
    """Noise levels of the teacher's sampler in steps of one pass, on the student's range."""
    levels = edm_sigmas(n_passes + 1, sigma_min=SIGMA_MIN, sigma_max=SIGMA_MAX)
    return torch.cat([levels[:n_passes], levels[-1:]])


def student_levels(n_passes: int) -> tuple[float, ...]:
    """Noise levels of the student's jumps, chosen on the validation images."""
    if n_passes not in LEVELS:
        raise ValueError(f"levels are known for {sorted(LEVELS)} passes, got {n_passes}")
    return LEVELS[n_passes]


def draw_teacher(model: EDM, n_passes: int) -> Draw:
    """Grey levels of every class alike, by Euler's method (DDIM) along the teacher's paths."""

    def draw(n: int, generator: Generator) -> Tensor:
        with default_dtype(torch.float32), torch.no_grad():
            teacher, sigmas = single(model), teacher_levels(n_passes)
            x_T = sigmas[0] * randn((n, *teacher.event_shape), generator=generator)
            denoiser = teacher.denoiser(torch.arange(n) % N_CLASSES)
            return from_unit(last(edm_sample(denoiser, x_T, sigmas, order=1)))

    return draw


def draw_student(model: ConsistencyModel, n_passes: int) -> Draw:
    """Grey levels of every class alike, by jumps of the student."""
    return draw_classes(model, levels=student_levels(n_passes))


def _distances(draw_in: Callable[[int], Draw], passes: tuple[int, ...], who: str = "") -> Figures:
    """The distance for each number of passes, under a name that says how many."""
    found = {n: digit_distance(draw_in(n))["frechet"] for n in passes}
    return {f"{who}frechet_{n}_pass{'es' if n > 1 else ''}": v for n, v in found.items()}


def _measure_teacher(model: EDM, who: str = "") -> Figures:
    return _distances(partial(draw_teacher, model), (1, 2, 8, 32), who)


def _measure_student(model: ConsistencyModel) -> Figures:
    own = _distances(partial(draw_student, model), (1, 2, 4))
    return own | _measure_teacher(TEACHER.load(), "teacher_")


def _teacher_digest() -> str:
    return f"{digits_digest()}, teacher {read_card(TEACHER.path)['sha256'][:16]}"


def kernels(net: nn.Module) -> list[nn.Parameter]:
    """Matrices and kernels between hidden features: neither the first nor the last layer."""
    ends, named = ("stem", "conv_out", "embed_class"), net.named_parameters()
    return [p for name, p in named if p.ndim in (2, 4) and not name.startswith(ends)]


def falling_late(
    model: EDM, x: Tensor, cond: Tensor, *, n_steps: int, lr: float, p_mean: float, **options: Any
) -> Run:
    """Train as the speed-run does: Muon, and a rate that falls in the second half of the steps."""
    model.P_MEAN = p_mean
    muon = Muon(kernels(model.net), model.parameters(), betas=(0.9, 0.99))
    return by_loss(
        model, x, cond, n_steps=n_steps, optimizer=muon,
        lr=lambda k: lr * min(1.0, (k + 1) / (0.03 * n_steps), 2 * (1 - k / n_steps)), **options,
    )  # fmt: skip


def _mnist(size: int) -> tuple[Tensor, Tensor]:
    images, labels = load_mnist("train", size)
    return to_unit(images, 255), labels


def _measure_mnist(model: EDM) -> Figures:
    """Held-out loss, and the proportion of samples that a classifier of real digits recognises."""
    from sklearn.svm import SVC

    images, labels = load_mnist("train", model.event_shape[-1])
    held_out, digits = load_mnist("test", model.event_shape[-1])

    def ink(x: Tensor) -> Any:
        return x.flatten(1).numpy() / 255

    model.P_MEAN = EDM.P_MEAN  # the same levels, whatever the training's
    classifier = SVC(C=10.0).fit(ink(images), labels.numpy())
    with torch.no_grad(), default_dtype(torch.float32):
        generator = Generator().manual_seed(SEED)
        loss = single(model).loss(to_unit(held_out, 255), cond=digits, generator=generator)
    found: Figures = {
        "test_loss": loss.item(),
        "recognised_of_real": float(classifier.score(ink(held_out), digits.numpy())),
    }
    wanted = torch.arange(N_CLASSES).repeat(20)
    for w in (1.0, 2.0):
        noise = Generator().manual_seed(1)
        x = drawn(model, len(wanted), noise, cond=wanted, guidance_scale=w)
        seen = torch.as_tensor(classifier.predict(ink(from_unit(x, 255))))
        found[f"recognised_w{w:g}"] = (seen == wanted).double().mean().item()
    return found


# Masked diffusion: pixels appear many at a time


def digit_masked(width: int, mults: tuple[int, ...], dropout: float) -> MaskedDiffusion:
    """A U-Net that guesses all hidden pixels at once."""
    config = UNetConfig(
        c_in=3, c_out=N_LEVELS, width=width, mults=mults, time_scale=100.0, dropout=dropout
    )
    filler = PixelFiller(UNet(config), EVENT_SHAPE, N_LEVELS)
    return MaskedDiffusion(filler, event_shape=EVENT_SHAPE, n_tokens=N_LEVELS)


def draw_masked(model: MaskedDiffusion, n_passes: int) -> Draw:
    """Grey levels by masked diffusion."""
    return lambda n, generator: drawn(model, n, generator, n_steps=n_passes)


def _measure_masked(model: MaskedDiffusion) -> Figures:
    bits = held_out_bits(model, load_digits("test").images)
    return bits | _distances(partial(draw_masked, model), (1, 4, 16, 64))


TEACHER = Model(
    "digit_edm", "diffusion of the digits in EDM's terms: the teacher of digit_consistency",
    lesson=15, seconds=60, seed=15,
    build=edm,
    sizes={"size": 8, "width": 16, "mults": (1, 2), "sigma_data": 0.75, "p_drop": 0.1},
    data=_scaled, **DIGITS,
    fit={"n_steps": 2000, "batch_size": 64, "lr": 4e-3, "warmup": 100, "clip": 1.0,
         "average": 0.995},
    measure=_measure_teacher,
)  # fmt: skip

LATE = {"batch_size": 64, "lr": 5e-3, "p_mean": -0.8, "average": 0.998}  # of falling_late

SCORES: tuple[Model, ...] = (
    Model(
        "digit_ebm", "energy of the digits: persistent chains, noise on the data",
        lesson=10, seconds=20, seed=10,
        build=digit_ebm,
        sizes={"width": 256, "data_noise": 0.3, "base_std": 0.7, "step_size": 0.02,
               "chain_steps": 20, "n_chains": 1024, "p_restart": 0.05},
        data=lambda: _scaled()[:1], **DIGITS,
        fit={"n_steps": 450, "batch_size": 128, "lr": 7e-3},
        loop=fading, dtype=torch.float32,
        measure=lambda ebm: {"kind": "unnormalised", **digit_distance(draw_clean(ebm))},
    ),
    Model(
        "digit_ncsn", "score of the digits at 14 noise levels, drawn by annealed Langevin",
        lesson=11, seconds=20, seed=11,
        build=digit_ncsn,
        sizes={"sigma_max": 10.0, "sigma_min": 0.2, "n_levels": 14, "data_std": 0.85,
               "width": 256, "depth": 3, "rate": 0.1, "langevin_steps": 10},
        data=lambda: _scaled()[:1], **DIGITS,
        fit={"n_steps": 1500, "batch_size": 128, "lr": 4e-3, "warmup": 50},
        measure=lambda model: digit_distance(lambda n, g: from_unit(drawn(model, n, g))),
    ),
    Model(
        "digit_diffusion", "diffusion of the digits: 100 steps, conditional and unconditional",
        lesson=12, seconds=20, seed=12,
        build=digit_diffusion,
        sizes={"T": 100, "first": 0.1, "last": 20.0, "width": 16, "mults": (1, 2)},
        data=_scaled, **DIGITS,
        fit={"n_steps": 600, "batch_size": 64, "lr": 5e-3, "warmup": 50, "average": 0.99,
             "p_drop": 0.1},
        loop=dropping, measure=_measure_chain, dtype=torch.float32,
    ),
    Model(
        "mnist16_diffusion", "EDM of MNIST at 16 x 16, conditional: for pictures",
        lesson=13, seconds=310, seed=13,
        build=edm,
        sizes={"size": 16, "width": 24, "mults": (1, 2, 2), "sigma_data": 0.5, "p_drop": 0.1},
        data=partial(_mnist, 16), **MNIST16,
        fit=LATE | {"n_steps": 2000}, loop=falling_late, measure=_measure_mnist,
    ),
    Model(
        "mnist28_diffusion", "EDM of MNIST at 28 x 28, conditional: for pictures",
        lesson=13, seconds=370, seed=13,
        build=edm,
        sizes={"size": 28, "width": 16, "mults": (1, 2, 3), "sigma_data": 0.62, "p_drop": 0.1},
        data=partial(_mnist, 28), source=MNIST16["source"].replace("16", "28"),
        digest=partial(mnist_digest, 28),
        fit=LATE | {"n_steps": 1500}, loop=falling_late, measure=_measure_mnist,
    ),
    TEACHER,
    Model(
        "digit_consistency", "digits in one pass, by consistency distillation of digit_edm",
        lesson=15, seconds=120, seed=16,
        build=lambda: student_of(TEACHER.untrained()), sizes={},
        data=_scaled, source=f"{DIGITS['source']}; the teacher digit_edm", digest=_teacher_digest,
        fit={"n_steps": 1200, "batch_size": 64, "lr": 1e-3, "warmup": 100, "clip": 1.0,
             "average": 0.995, "n_levels": 18, "order": 2, "target_decay": 0.95, "p_drop": 0.1},
        loop=distil, measure=_measure_student,
    ),
    Model(
        "digit_masked_diffusion", "masked diffusion of the digits: pixels appear many at a time",
        lesson=15, seconds=90, seed=17,
        build=digit_masked, sizes={"width": 24, "mults": (1, 2), "dropout": 0.1},
        data=lambda: (load_digits("train").images,), **DIGITS,
        fit={"n_steps": 2500, "batch_size": 64, "lr": 4e-3, "warmup": 100, "clip": 1.0,
             "weight_decay": 0.01, "average": 0.998},
        measure=_measure_masked,
    ),
)  # fmt: skip


# A row in four sizes (docs/scale.md says why): from one to the next width, batch and steps double,
# and depth grows by one; the rate is 3e-3 (24 / width) sqrt(batch / 64).
KNOBS = ("width", "depth", "n_steps", "batch_size", "lr", "warmup", "average")
DIAL = {
    "S": (16, 1, 1000, 64, 4.5e-3, 100, 0.995),
    "M": (32, 2, 2000, 128, 3.2e-3, 200, 0.9975),
    "L": (64, 3, 4000, 256, 2.2e-3, 400, 0.99875),
    "XL": (128, 4, 8000, 512, 1.6e-3, 800, 0.999375),
}
_PICTURES = next(row for row in SCORES if row.name == "mnist16_diffusion")
DIGITS16 = replace(
    _PICTURES, name="digits16", what="mnist16_diffusion in sizes S, M, L and XL; no weights ship",
    seconds=120, sizes=_PICTURES.sizes | {"depth": 1},
    fit=dict.fromkeys(KNOBS[2:]) | {"clip": 1.0}, loop=by_loss,
    dial={size: dict(zip(KNOBS, values, strict=True)) for size, values in DIAL.items()},
).at("S")  # fmt: skip
