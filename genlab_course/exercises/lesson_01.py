"""Exercises of lesson 01: the four-paradigm map."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Generator, Tensor

from genlab_course.grading import Exercise, Mistake, Prediction, RefusedError, bank

EXACT = Prediction("01.predict-exact", between=(0, 5), unit="of five")
GAP = Prediction("01.predict-gap", choices=("0", "0.25", "0.8"), unit="nats")
CLUSTERS = Prediction("01.predict-clusters", between=(0, 8), unit="of 8")

# 01.grey
GREY = Exercise(
    id="01.grey",
    right=0.75,
    mistakes=Mistake.pairs(
        0.45,
        "that is p(grey | cat), the opposite question.",
        0.4 * 0.45,
        "that is p(cat and grey): of all animals, not of the grey ones.",
        0.4 * 0.45 + 0.6 * 0.1,
        "that is p(grey), the fraction of grey animals; it belongs below the line.",
        0.45 / (0.45 + 0.1),
        "you weighed cats and dogs equally; there are more dogs in the village.",
        0.4,
        "that is what you knew before you saw the colour.",
        0.25,
        "that is the probability of a dog.",
        75.0,
        "that is in per cent; give a probability, from 0 to 1.",
    ),
)


# What an answer drew, judged by its statistics: any way of drawing is welcome.
def _refused(judge: Callable[[Any], str]) -> Callable[[Any], str]:
    """A judge whose network may refuse what it is given, in a sentence."""

    def judged(answer: Any) -> str:
        try:
            return judge(answer)
        except RefusedError as error:
            return str(error)

    return judged


def _points(x: Any, shape: tuple[int, ...]) -> Tensor:
    """What was returned as a tensor of this shape, or a sentence."""
    found = torch.as_tensor(x)
    if tuple(found.shape) != shape:
        raise RefusedError(f"return one tensor of shape {shape}; yours has {tuple(found.shape)}")
    if not bool(found.isfinite().all()):
        raise RefusedError("some of what you return is not a finite number")
    return found.double()


# 01.ancestral
def ancestral(
    next_logits: Callable[[Tensor], Tensor], n: int, length: int, rng: Generator
) -> Tensor:
    """Draw n rows of whole numbers, each given those to its left."""
    x = torch.zeros(n, 0, dtype=torch.long)
    for _ in range(length):
        p = next_logits(x).softmax(1)  # (n, n_bins)
        new = torch.multinomial(p, 1, generator=rng)  # (n, 1)
        x = torch.cat([x, new], 1)
    return x  # (n, length)


_N = 6_000
# three numbers of 0..2 that depend on one another, with unequal weights, and nowhere zero
_TABLE = torch.tensor(
    [[[6.0, 1, 1], [1, 3, 1], [1, 1, 2]],
     [[1, 1, 4], [5, 1, 1], [1, 2, 1]],
     [[1, 7, 1], [1, 1, 3], [4, 1, 1]]], dtype=torch.float64,
)  # fmt: skip
_TABLE = _TABLE / _TABLE.sum()


def _told(known: Any) -> Tensor:
    if not isinstance(known, Tensor) or known.ndim != 2 or known.is_floating_point():
        raise RefusedError(
            "next_logits wants whole numbers of shape (n, i): torch.zeros(n, 0, dtype=torch.long) "
            "at first, then what you have drawn"
        )
    if known.shape[1] > 2:
        raise RefusedError("next_logits was asked for one number more than `length`")
    if len(known) != _N:
        raise RefusedError("ask for all n rows at once: known has the shape (n, i)")
    code = torch.zeros(len(known), dtype=torch.long)
    for column in known.T:
        code = 3 * code + column
    rows = _TABLE.reshape(3 ** known.shape[1], 3, -1).sum(2)
    return rows[code].log() + 0.7  # logits, not log-probabilities


def _frequent(x: Tensor, p: Tensor) -> bool:
    """Whether outcomes appear as often as the distribution p says, within six errors."""
    counts = torch.bincount((x.long() @ torch.tensor([9, 3, 1])), minlength=27)
    p = p.flatten()
    return bool(((counts / _N - p).abs() < 6 * (p * (1 - p) / _N).sqrt() + 1e-9).all())


_ARGMAX = "each row is the same, the most probable number: draw it instead, with multinomial."
_START = "you always draw from the first distribution: ask next_logits anew, with what is drawn."
_BLANK = (
    "you tell next_logits zeros in place of what was drawn: each number is then drawn given zeros."
)
_ORDER = "the new number belongs to the right of those drawn before; yours stands on the left."
_LOGITS = "logits are not probabilities: take softmax over the last axis first."
_LAST = "each number depends on *all* to its left; yours does not remember the first."


@_refused
def _judge_ancestral(answer: Any) -> str:
    x = _points(answer(_told, _N, 3, torch.Generator().manual_seed(0)), (_N, 3))
    if bool(((x != x.round()) | (x < 0) | (x > 2)).any()):
        return "return the whole numbers that were drawn, here 0, 1 or 2, and nothing else."
    if _frequent(x, _TABLE):
        return ""
    if bool((x == x[0]).all()):
        return _ARGMAX
    one = _TABLE.sum((1, 2))
    if _frequent(x, one[:, None, None] * one[:, None] * one):
        return _START
    second, third = _TABLE[0].sum(1) / _TABLE[0].sum(), _TABLE[0, 0] / _TABLE[0, 0].sum()
    if _frequent(x, one[:, None, None] * second[:, None] * third):
        return _BLANK
    if _frequent(x.flip(1), _TABLE) or _frequent(x, _swapped()):
        return _ORDER
    if _frequent(x, _of_logits()):
        return _LOGITS
    pair = _TABLE.sum(2)
    if _frequent(x, pair[:, :, None] * (pair / pair.sum(1, keepdim=True))):
        return _LAST
    return (
        "the numbers do not have the right frequencies. Which `known` do you hand over "
        "for the second and third number? Try course.hint('01.ancestral')"
    )


def _swapped() -> Tensor:
    """Frequencies if each new number is put on the left of those before it."""
    found = torch.zeros(3, 3, 3, dtype=torch.float64)
    pair = _TABLE.sum(2)
    for a in range(3):  # drawn first, then b given (a), then c given (b, a) as they stand
        for b in range(3):
            third = _TABLE[b, a] / _TABLE[b, a].sum()
            found[:, b, a] += pair[a, b] * third
    return found


def _of_logits() -> Tensor:
    """Frequencies if one draws from the absolute values of the logits."""
    found = torch.zeros(3, 3, 3, dtype=torch.float64)
    weights = lambda rows: (rows.log() + 0.7).abs() / (rows.log() + 0.7).abs().sum()  # noqa: E731
    first = weights(_TABLE.sum((1, 2)))
    for a in range(3):
        second = weights(_TABLE.sum(2)[a])
        for b in range(3):
            found[a, b] = first[a] * second[b] * weights(_TABLE[a, b])
    return found


def took_the_most_probable(next_logits, n, length, rng):
    x = torch.zeros(n, 0, dtype=torch.long)
    for _ in range(length):
        new = next_logits(x).argmax(1, keepdim=True)  # <-
        x = torch.cat([x, new], 1)
    return x


def asked_once(next_logits, n, length, rng):
    x = torch.zeros(n, 0, dtype=torch.long)
    p = next_logits(x).softmax(1)  # <-
    for _ in range(length):
        x = torch.cat([x, torch.multinomial(p, 1, generator=rng)], 1)
    return x


def handed_over_zeros(next_logits, n, length, rng):
    x = torch.zeros(n, length, dtype=torch.long)
    for i in range(length):
        known = torch.zeros(n, i, dtype=torch.long)  # <-
        x[:, i] = torch.multinomial(next_logits(known).softmax(1), 1, generator=rng)[:, 0]
    return x


def put_it_on_the_left(next_logits, n, length, rng):
    x = torch.zeros(n, 0, dtype=torch.long)
    for _ in range(length):
        new = torch.multinomial(next_logits(x).softmax(1), 1, generator=rng)
        x = torch.cat([new, x], 1)  # <-
    return x


def remembered_only_the_last(next_logits, n, length, rng):
    x = torch.zeros(n, 0, dtype=torch.long)
    for _ in range(length):
        p = next_logits(x[:, -1:]).softmax(1)  # <-
        x = torch.cat([x, torch.multinomial(p, 1, generator=rng)], 1)
    return x


def drew_from_logits(next_logits, n, length, rng):
    x = torch.zeros(n, 0, dtype=torch.long)
    for _ in range(length):
        new = torch.multinomial(next_logits(x).abs(), 1, generator=rng)  # <-
        x = torch.cat([x, new], 1)
    return x


ANCESTRAL = Exercise(
    id="01.ancestral",
    right=ancestral,
    judge=_judge_ancestral,
    mistakes=Mistake.pairs(
        took_the_most_probable, _ARGMAX,
        asked_once, _START,
        handed_over_zeros, _BLANK,
        put_it_on_the_left, _ORDER,
        drew_from_logits, _LOGITS,
        remembered_only_the_last, _LAST,
    ),
)  # fmt: skip


# 01.push
def push(f: Callable[[Tensor], tuple[Tensor, Tensor]], z: Tensor) -> tuple[Tensor, Tensor]:
    """Points x = f(z) and their log-density, nats."""
    x, log_det = f(z)  # (n, d), (n,)
    log_p_z = -0.5 * (z**2).sum(1) - 0.5 * z.shape[1] * math.log(2 * math.pi)  # (n,)
    return x, log_p_z - log_det


def _bend(z: Any) -> tuple[Tensor, Tensor]:
    """An invertible map of any dimension whose volume factor differs from point to point."""
    z = torch.as_tensor(z)
    scale = torch.arange(1, z.shape[1] + 1, dtype=z.dtype)
    return scale * (z**3 + z), (scale * (3 * z**2 + 1)).log().sum(1)


def _noise(n: int, d: int, seed: int) -> Tensor:
    g = torch.Generator().manual_seed(seed)
    return torch.randn(n, d, generator=g, dtype=torch.float64)


def added_the_log_det(f, z):
    x, log_det = f(z)
    return x, torch.distributions.Normal(0.0, 1.0).log_prob(z).sum(1) + log_det  # <-


def forgot_the_log_det(f, z):
    x, _ = f(z)
    return x, torch.distributions.Normal(0.0, 1.0).log_prob(z).sum(1)  # <-


def asked_the_normal_at_x(f, z):
    x, log_det = f(z)
    return x, torch.distributions.Normal(0.0, 1.0).log_prob(x).sum(1) - log_det  # <-


def averaged_over_the_dimensions(f, z):
    x, log_det = f(z)
    return x, torch.distributions.Normal(0.0, 1.0).log_prob(z).mean(1) - log_det  # <-


def forgot_the_constant(f, z):
    x, log_det = f(z)
    return x, -0.5 * (z**2).sum(1) - log_det  # <-


def constant_of_one_dimension(f, z):
    x, log_det = f(z)
    return x, -0.5 * (z**2).sum(1) - 0.5 * math.log(2 * math.pi) - log_det  # <-


def forgot_the_half(f, z):
    x, log_det = f(z)
    return x, -(z**2).sum(1) - 0.5 * z.shape[1] * math.log(2 * math.pi) - log_det  # <-


def returned_a_density(f, z):
    x, log_det = f(z)
    return x, (torch.distributions.Normal(0.0, 1.0).log_prob(z).sum(1) - log_det).exp()  # <-


def divided_by_the_logarithm(f, z):
    x, log_det = f(z)
    return x, torch.distributions.Normal(0.0, 1.0).log_prob(z).sum(1) / log_det  # <-


def left_one_number_a_dimension(f, z):
    x, log_det = f(z)
    return x, torch.distributions.Normal(0.0, 1.0).log_prob(z) - log_det[:, None]  # <-


PUSH = Exercise(
    id="01.push",
    right=push,
    cases=((_bend, _noise(5, 2, 0)), (_bend, _noise(4, 3, 1))),
    mistakes=Mistake.pairs(
        added_the_log_det,
        "the sign: where the map stretches, the density gets *thinner*.",
        forgot_the_log_det,
        "that is the density of z. The map has stretched it: the determinant is missing.",
        asked_the_normal_at_x,
        "the noise is normal at z, not at x.",
        averaged_over_the_dimensions,
        "the log-density of d independent numbers is the *sum* of theirs, not the mean.",
        forgot_the_constant,
        "the constant of the normal is missing: log sqrt(2 pi) for each dimension.",
        constant_of_one_dimension,
        "you subtracted the normal's constant once; there are d dimensions.",
        forgot_the_half,
        "the exponent of the normal is -z^2 / 2; the half is missing.",
        returned_a_density,
        "that is p(x); log p(x) is asked for.",
        divided_by_the_logarithm,
        "dividing densities means *subtracting* their logarithms.",
        left_one_number_a_dimension,
        "log p(x) is one number for each point, of shape (n,): sum over the dimensions.",
    ),
)


# 01.decode
def decode(
    decoder: Callable[[Tensor], Tensor], n: int, k: int, std: float | Tensor, rng: Generator
) -> Tensor:
    """Draw n points: a hidden z of k numbers for each, then x given z."""
    z = torch.randn(n, k, generator=rng)
    mean = decoder(z)  # (n, d)
    return mean + std * torch.randn(mean.shape, generator=rng)


_A = torch.tensor([[1.0, 0.5, 0.0], [-0.5, 1.5, 0.8]], dtype=torch.float64)  # z (2) to x (3)
_B = torch.tensor([[1.0, 0.5], [-0.5, 1.5]], dtype=torch.float64)  # as many numbers in as out
_SILENT = "the decoder's own noise is missing: you return the mean of p(x | z), a thin shape."
_SQUARED = "std is a standard deviation already: do not square it or take its root."
_LOGGED = "std is the standard deviation itself, not its logarithm."
_ONE_FOR_ALL = "all coordinates of a point share one noise number: draw noise like the mean."
_ROW = "all points share one noise: draw noise of the shape of the mean, (n, d)."
_SAME = "you used z again as the decoder's noise: draw fresh noise."
_UNIFORM = "the prior is standard normal: torch.randn, not torch.rand."
_ONE_Z = "all points come from the same z: draw n of them."
_ONE_NUMBER = "the k hidden numbers of a point are all the same: draw z of shape (n, k)."
_ZERO = "with std = 0 each point must be exactly the decoder's output."
_NOISE_IN = "the noise belongs to x, after the decoder, and not to z."


class _Decoder:
    """A linear decoder that keeps what it is shown."""

    def __init__(self, weights: Tensor, n: int) -> None:
        self.weights, self.n = weights, n
        self.seen: list[Tensor] = []

    def __call__(self, z: Any) -> Tensor:
        k = len(self.weights)
        if not isinstance(z, Tensor) or tuple(z.shape) != (self.n, k):
            raise RefusedError(
                f"the decoder wants all z at once, of shape (n, k) = ({self.n}, {k})"
            )
        self.seen.append(z.detach().double())
        if len(self.seen) > 1:
            raise RefusedError("you asked the decoder more than once: keep its output")
        return z @ self.weights.to(z.dtype)


@_refused
def _judge_decode(answer: Any) -> str:
    for weights in (_B, _A):  # first as many numbers in as out
        k, d = weights.shape
        decoder = _Decoder(weights, _N)
        std = torch.tensor(0.4)
        x = _points(answer(decoder, _N, k, std, torch.Generator().manual_seed(1)), (_N, d))
        if not decoder.seen:
            return "the decoder was never asked."
        if said := _wrong_noise(decoder.seen[0], x - decoder.seen[0] @ weights, std.item()):
            return said
    silent = _Decoder(_A, _N)
    x = _points(answer(silent, _N, 2, 0.0, torch.Generator().manual_seed(2)), (_N, 3))
    return "" if torch.allclose(x, silent.seen[0] @ _A, atol=1e-5) else _ZERO


def _wrong_noise(z: Tensor, noise: Tensor, std: float) -> str:
    """What is wrong with the z of a sampler or with the noise that it added to the means."""
    if bool((z == z[0]).all()):
        return _ONE_Z
    if z.std(1).max() < 1e-5:
        return _ONE_NUMBER
    if abs(z.mean().item()) > 0.2 and z.min() >= 0:
        return _UNIFORM
    if said := _shared(z, noise) or _of_size(noise, std):
        return said
    if abs(z.std().item() - 1) > 0.03 or abs(z.mean().item()) > 0.06:
        return "the hidden z are not standard normal."
    return ""


def _shared(z: Tensor, noise: Tensor) -> str:
    """Whether the noise is missing, or is shared by what should have its own."""
    if noise.std().item() < 1e-4:
        return _SILENT if abs(z.std().item() - 1) < 0.05 else _NOISE_IN
    if noise.std(0).max() < 1e-5:
        return _ROW
    if noise.shape[1] == z.shape[1] and torch.allclose(noise, noise.std() * z, atol=0.1):
        return _SAME
    return _ONE_FOR_ALL if noise.std(1).max() < 1e-5 else ""


def _of_size(noise: Tensor, std: float) -> str:
    """Whether the noise has another mean or standard deviation than it should."""
    size = noise.std().item()
    for wrong, says in ((std**2, _SQUARED), (std**0.5, _SQUARED), (math.exp(std), _LOGGED)):
        if abs(size / wrong - 1) < 0.03:
            return says
    if abs(noise.mean().item()) > 0.05:
        return "the decoder's noise is normal with mean 0: torch.randn."
    if abs(size / std - 1) > 0.03:
        return f"the noise around the mean has standard deviation {size:.2f}, not {std:.2f}."
    return ""


def returned_the_mean(decoder, n, k, std, rng):
    z = torch.randn(n, k, generator=rng)
    return decoder(z)  # <-


def squared_the_std(decoder, n, k, std, rng):
    mean = decoder(torch.randn(n, k, generator=rng))
    return mean + std**2 * torch.randn(mean.shape, generator=rng)  # <-


def exponentiated_the_std(decoder, n, k, std, rng):
    mean = decoder(torch.randn(n, k, generator=rng))
    return mean + math.exp(std) * torch.randn(mean.shape, generator=rng)  # <-


def one_noise_for_a_point(decoder, n, k, std, rng):
    mean = decoder(torch.randn(n, k, generator=rng))
    return mean + std * torch.randn(n, 1, generator=rng)  # <-


def one_noise_for_all_points(decoder, n, k, std, rng):
    mean = decoder(torch.randn(n, k, generator=rng))
    return mean + std * torch.randn(mean.shape[1], generator=rng)  # <-


def used_z_again(decoder, n, k, std, rng):
    z = torch.randn(n, k, generator=rng)
    return decoder(z) + std * z  # <-


def uniform_prior(decoder, n, k, std, rng):
    mean = decoder(torch.rand(n, k, generator=rng))  # <-
    return mean + std * torch.randn(mean.shape, generator=rng)


def one_cause_for_all(decoder, n, k, std, rng):
    z = torch.randn(1, k, generator=rng).expand(n, k)  # <-
    mean = decoder(z)
    return mean + std * torch.randn(mean.shape, generator=rng)


def one_number_for_all_causes(decoder, n, k, std, rng):
    mean = decoder(torch.randn(n, 1, generator=rng).expand(n, k))  # <-
    return mean + std * torch.randn(mean.shape, generator=rng)


def noise_before_the_decoder(decoder, n, k, std, rng):
    z = torch.randn(n, k, generator=rng)
    return decoder(z + std * torch.randn(n, k, generator=rng))  # <-


DECODE = Exercise(
    id="01.decode",
    right=decode,
    judge=_judge_decode,
    mistakes=Mistake.pairs(
        returned_the_mean, _SILENT,
        squared_the_std, _SQUARED,
        exponentiated_the_std, _LOGGED,
        one_noise_for_a_point, _ONE_FOR_ALL,
        one_noise_for_all_points, _ROW,
        used_z_again, _SAME,
        uniform_prior, _UNIFORM,
        one_cause_for_all, _ONE_Z,
        one_number_for_all_causes, _ONE_NUMBER,
        noise_before_the_decoder, _NOISE_IN,
    ),
)  # fmt: skip


# 01.denoise
Network = Callable[[Tensor, Tensor], Tensor]


def denoise(network: Network, x: Tensor, betas: Tensor, rng: Generator) -> Tensor:
    """Walk x from pure noise to data, by equation (8)."""
    alphas_bar = (1 - betas).cumprod(0)  # (T,)
    for k in reversed(range(len(betas))):
        eps = network(x, torch.full((len(x),), k))  # (n, d)
        x = (x - betas[k] / (1 - alphas_bar[k]).sqrt() * eps) / (1 - betas[k]).sqrt()
        if k > 0:
            x = x + betas[k].sqrt() * torch.randn(x.shape, generator=rng)
    return x


_BETAS = torch.tensor([0.1, 0.35, 0.2, 0.5], dtype=torch.float64)
_UPWARDS = "you walk upwards; begin at the noisiest level, k = len(betas) - 1, and go down."
_SHORT = "you stop one level early: k = 0 is the last step, and it is walked too."
_LATE = "you leave out the first level: the walk begins at k = len(betas) - 1."
_LAST_NOISE = "you add fresh noise in the last step, too: what comes out is noisy."
_NO_NOISE = "no fresh noise is added: every step but the last adds sqrt(beta) times normal noise."
_BETA_NOISE = "the fresh noise has variance beta; multiply normal noise by its square root."
_ONE_NOISE = "one row of noise is shared by all points: draw noise of the shape of x."
_SAME_NOISE = "every step adds the same noise: draw fresh noise inside the loop."
_NO_ROOT = "what divides the guess is the *root* of 1 - alpha bar."
_BETA_BAR = "1 - alpha bar belongs to all steps so far; you took the beta of one step."
_NO_SCALE = "the factor 1 / sqrt(1 - beta) in front is missing."
_PLUS = "the sign: the guessed noise is taken *away*."
_ONLY_X0 = "you jump to the guess of x_0 and stay there; (8) takes away only a part of the noise."
_SCALED_BAR = "in front stands one step's 1 - beta, not alpha bar."
_MOVED = "between two evaluations x moves by something else than (8): compare its two fractions."


class _Watched:
    """A network that keeps the states and levels it is shown, and what it answered."""

    def __init__(self) -> None:
        self.calls: list[tuple[Tensor, int, Tensor]] = []

    def __call__(self, x: Any, k: Any) -> Tensor:
        if not isinstance(x, Tensor) or tuple(x.shape) != (_N, 2):
            raise RefusedError("the network wants all points at once, x of shape (n, d)")
        if not isinstance(k, Tensor) or tuple(k.shape) != (_N,) or k.is_floating_point():
            raise RefusedError(
                "the network wants one whole number for each row: torch.full((len(x),), k)"
            )
        if not 0 <= int(k[0]) < len(_BETAS):
            raise RefusedError("k counts the entries of betas: 0 to len(betas) - 1")
        if not bool((k == k[0]).all()):
            raise RefusedError("in each step all points are at the same level")
        guess = torch.sin(2 * x.double()).flip(1) + 0.3
        self.calls.append((x.detach().double(), int(k[0]), guess))
        return guess.to(x.dtype)


def _step_of(before: Tensor, guess: Tensor, after: Tensor) -> tuple[float, float, Tensor]:
    """The weights of x and of the guess in a step, by least squares, and the rest."""
    terms = torch.stack([before.flatten(), guess.flatten()], 1)
    weights = torch.linalg.lstsq(terms, after.flatten()[:, None]).solution[:, 0]
    return weights[0].item(), weights[1].item(), after - (terms @ weights).reshape(after.shape)


@_refused
def _judge_denoise(answer: Any) -> str:
    watched = _Watched()
    start = _noise(_N, 2, 3)
    end = _points(answer(watched, start, _BETAS, torch.Generator().manual_seed(4)), (_N, 2))
    asked = [k for _, k, _ in watched.calls]
    last = len(_BETAS) - 1
    if asked != list(range(last, -1, -1)):
        return _wrong_levels(asked, last)
    states = [x for x, _, _ in watched.calls] + [end]
    bars = (1 - _BETAS).cumprod(0)
    if _adds_the_same(watched.calls, states, bars):
        return _SAME_NOISE
    for (before, k, guess), after in zip(watched.calls, states[1:], strict=True):
        if said := _wrong_step(
            _BETAS[k].item(), bars[k].item(), k, *_step_of(before, guess, after)
        ):
            return said
    return ""


def _adds_the_same(
    calls: list[tuple[Tensor, int, Tensor]], states: list[Tensor], bars: Tensor
) -> bool:
    """Whether the first two steps differ from (8) without its noise by multiples of one noise."""
    first, second = (
        after - (before - _BETAS[k] / (1 - bars[k]).sqrt() * guess) / (1 - _BETAS[k]).sqrt()
        for (before, k, guess), after in zip(calls[:2], states[1:3], strict=True)
    )
    varies = min(first.std(0).min().item(), second.std(0).min().item()) > 1e-3  # over the points
    return varies and torch.allclose(first / first.std(), second / second.std(), atol=1e-2)


def _wrong_levels(asked: list[int], last: int) -> str:
    down = list(range(last, -1, -1))
    if asked == down[::-1]:
        return _UPWARDS
    if asked == down[:-1]:
        return _SHORT
    if asked == down[1:]:
        return _LATE
    return f"the network should be asked at the levels {down}, in this order; yours: {asked[:8]}"


def _wrong_step(beta: float, bar: float, k: int, of_x: float, of_guess: float, rest: Tensor) -> str:
    """What is wrong with one step, from the weights of x and the guess and what is left."""
    close = lambda a, b: abs(a - b) < 0.04  # noqa: E731
    root, noise = (1 - beta) ** 0.5, (1 - bar) ** 0.5
    weights = {
        "": (1 / root, -beta / noise / root),
        _PLUS: (1 / root, beta / noise / root),
        _NO_ROOT: (1 / root, -beta / (1 - bar) / root),
        _NO_SCALE: (1.0, -beta / noise),
        _ONLY_X0: (1 / bar**0.5, -noise / bar**0.5),
        _BETA_BAR: (1 / root, -(beta**0.5) / root),
        _SCALED_BAR: (1 / bar**0.5, -beta / noise / bar**0.5),
    }
    named = [says for says, (a, b) in weights.items() if close(of_x, a) and close(of_guess, b)]
    if not named:
        return _MOVED
    if named[0]:
        return named[0]
    size = rest.std().item()
    if k == 0:
        return _LAST_NOISE if size > 1e-3 else ""
    if size < 1e-3:
        return _NO_NOISE
    if rest.std(0).max() < 1e-3:
        return _ONE_NOISE
    if abs(torch.corrcoef(rest.T)[0, 1].item()) > 0.5:
        return _ONE_FOR_ALL
    if abs(size / beta - 1) < 0.04:
        return _BETA_NOISE
    if abs(size / beta**0.5 - 1) > 0.04:
        return f"the fresh noise at k = {k} has standard deviation {size:.2f}: (8) says sqrt(beta)."
    return ""


def walked_upwards(network, x, betas, rng):
    alphas_bar = (1 - betas).cumprod(0)
    for k in range(len(betas)):  # <-
        eps = network(x, torch.full((len(x),), k))
        x = (x - betas[k] / (1 - alphas_bar[k]).sqrt() * eps) / (1 - betas[k]).sqrt()
        if k > 0:
            x = x + betas[k].sqrt() * torch.randn(x.shape, generator=rng)
    return x


def stopped_early(network, x, betas, rng):
    alphas_bar = (1 - betas).cumprod(0)
    for k in range(len(betas) - 1, 0, -1):  # <-
        eps = network(x, torch.full((len(x),), k))
        x = (x - betas[k] / (1 - alphas_bar[k]).sqrt() * eps) / (1 - betas[k]).sqrt()
        x = x + betas[k].sqrt() * torch.randn(x.shape, generator=rng)
    return x


def noise_in_the_last_step(network, x, betas, rng):
    alphas_bar = (1 - betas).cumprod(0)
    for k in reversed(range(len(betas))):
        eps = network(x, torch.full((len(x),), k))
        x = (x - betas[k] / (1 - alphas_bar[k]).sqrt() * eps) / (1 - betas[k]).sqrt()
        x = x + betas[k].sqrt() * torch.randn(x.shape, generator=rng)  # <-
    return x


def no_fresh_noise(network, x, betas, rng):
    alphas_bar = (1 - betas).cumprod(0)
    for k in reversed(range(len(betas))):
        eps = network(x, torch.full((len(x),), k))
        x = (x - betas[k] / (1 - alphas_bar[k]).sqrt() * eps) / (1 - betas[k]).sqrt()
    return x


def one_noise_for_all_steps(network, x, betas, rng):
    alphas_bar = (1 - betas).cumprod(0)
    noise = torch.randn(x.shape, generator=rng)  # <-
    for k in reversed(range(len(betas))):
        eps = network(x, torch.full((len(x),), k))
        x = (x - betas[k] / (1 - alphas_bar[k]).sqrt() * eps) / (1 - betas[k]).sqrt()
        if k > 0:
            x = x + betas[k].sqrt() * noise
    return x


def noise_of_size_beta(network, x, betas, rng):
    alphas_bar = (1 - betas).cumprod(0)
    for k in reversed(range(len(betas))):
        eps = network(x, torch.full((len(x),), k))
        x = (x - betas[k] / (1 - alphas_bar[k]).sqrt() * eps) / (1 - betas[k]).sqrt()
        if k > 0:
            x = x + betas[k] * torch.randn(x.shape, generator=rng)  # <-
    return x


def lost_the_root(network, x, betas, rng):
    alphas_bar = (1 - betas).cumprod(0)
    for k in reversed(range(len(betas))):
        eps = network(x, torch.full((len(x),), k))
        x = (x - betas[k] / (1 - alphas_bar[k]) * eps) / (1 - betas[k]).sqrt()  # <-
        if k > 0:
            x = x + betas[k].sqrt() * torch.randn(x.shape, generator=rng)
    return x


def lost_the_scale(network, x, betas, rng):
    alphas_bar = (1 - betas).cumprod(0)
    for k in reversed(range(len(betas))):
        eps = network(x, torch.full((len(x),), k))
        x = x - betas[k] / (1 - alphas_bar[k]).sqrt() * eps  # <-
        if k > 0:
            x = x + betas[k].sqrt() * torch.randn(x.shape, generator=rng)
    return x


def took_the_beta_of_one_step(network, x, betas, rng):
    for k in reversed(range(len(betas))):
        eps = network(x, torch.full((len(x),), k))
        x = (x - betas[k] / betas[k].sqrt() * eps) / (1 - betas[k]).sqrt()  # <-
        if k > 0:
            x = x + betas[k].sqrt() * torch.randn(x.shape, generator=rng)
    return x


def one_noise_for_both_coordinates(network, x, betas, rng):
    alphas_bar = (1 - betas).cumprod(0)
    for k in reversed(range(len(betas))):
        eps = network(x, torch.full((len(x),), k))
        x = (x - betas[k] / (1 - alphas_bar[k]).sqrt() * eps) / (1 - betas[k]).sqrt()
        if k > 0:
            x = x + betas[k].sqrt() * torch.randn(len(x), 1, generator=rng)  # <-
    return x


def added_the_guess(network, x, betas, rng):
    alphas_bar = (1 - betas).cumprod(0)
    for k in reversed(range(len(betas))):
        eps = network(x, torch.full((len(x),), k))
        x = (x + betas[k] / (1 - alphas_bar[k]).sqrt() * eps) / (1 - betas[k]).sqrt()  # <-
        if k > 0:
            x = x + betas[k].sqrt() * torch.randn(x.shape, generator=rng)
    return x


def jumped_to_the_guess(network, x, betas, rng):
    alphas_bar = (1 - betas).cumprod(0)
    for k in reversed(range(len(betas))):
        eps = network(x, torch.full((len(x),), k))
        x = (x - (1 - alphas_bar[k]).sqrt() * eps) / alphas_bar[k].sqrt()  # <-
    return x


DENOISE = Exercise(
    id="01.denoise",
    right=denoise,
    judge=_judge_denoise,
    mistakes=Mistake.pairs(
        walked_upwards, _UPWARDS,
        stopped_early, _SHORT,
        noise_in_the_last_step, _LAST_NOISE,
        no_fresh_noise, _NO_NOISE,
        one_noise_for_all_steps, _SAME_NOISE,
        noise_of_size_beta, _BETA_NOISE,
        one_noise_for_both_coordinates, _ONE_FOR_ALL,
        lost_the_root, _NO_ROOT,
        lost_the_scale, _NO_SCALE,
        took_the_beta_of_one_step, _BETA_BAR,
        added_the_guess, _PLUS,
        jumped_to_the_guess, _ONLY_X0,
    ),
)  # fmt: skip


# 01.better
Report = tuple[str, float]  # kind of likelihood, number in nats


def better(a: Report, b: Report) -> str:
    """Which of two models has the higher log-likelihood, if one can tell."""
    (kind_a, value_a), (kind_b, value_b) = a, b
    if kind_b == "exact" and kind_a in ("exact", "bound") and value_a > value_b:
        return "first"  # also where a is only a bound: the truth lies still higher
    if kind_a == "exact" and kind_b in ("exact", "bound") and value_b > value_a:
        return "second"
    return "cannot tell"


def compared_the_numbers(a, b):
    return "first" if a[1] > b[1] else "second"


def refused_every_bound(a, b):
    if a[0] != "exact" or b[0] != "exact":  # <-
        return "cannot tell"
    return "first" if a[1] > b[1] else "second"


def compared_equal_kinds(a, b):
    if a[0] != b[0] or a[0] == "none":  # <-
        return "cannot tell"
    return "first" if a[1] > b[1] else "second"


def took_bounds_from_above(a, b):
    if a[0] == "exact" and b[0] == "exact":
        return "first" if a[1] > b[1] else "second"
    if a[0] == "exact" and b[0] == "bound" and a[1] > b[1]:  # <-
        return "first"
    if b[0] == "exact" and a[0] == "bound" and b[1] > a[1]:
        return "second"
    return "cannot tell"


def let_only_the_first_be_a_bound(a, b):
    if b[0] == "exact" and a[0] in ("exact", "bound") and a[1] > b[1]:
        return "first"
    if a[0] == "exact" and b[0] == "exact" and b[1] > a[1]:  # <-
        return "second"
    return "cannot tell"


def ranked_the_rest_first(a, b):
    if a[0] == "none" or b[0] == "none":  # <-
        return "cannot tell"
    return "first" if a[1] > b[1] else "second"


def cautious_of_two_bounds_alone(a, b):
    if a[0] == "bound" and b[0] == "bound":  # <-
        return "cannot tell"
    return "first" if a[1] > b[1] else "second"


def believed_a_bound_beside_a_value(a, b):
    if "none" in (a[0], b[0]) or (a[0] == "bound" and b[0] == "bound"):  # <-
        return "cannot tell"
    return "first" if a[1] > b[1] else "second"


_BESIDE = (
    "a bound beside an exact value says *at least*: below an exact value it proves nothing, "
    "above it, it decides."
)
BETTER = Exercise(
    id="01.better",
    right=better,
    cases=(
        (("exact", -1.2), ("exact", -1.5)),
        (("exact", -1.9), ("exact", -1.3)),
        (("exact", -1.2), ("bound", -2.0)),
        (("bound", -1.4), ("exact", -1.2)),
        (("bound", -1.1), ("exact", -1.2)),
        (("exact", -1.6), ("bound", -1.5)),
        (("bound", -1.1), ("bound", -2.0)),
        (("bound", -1.8), ("bound", -1.7)),
        (("none", math.nan), ("exact", -1.2)),
        (("bound", -1.1), ("none", math.nan)),
    ),
    mistakes=Mistake.pairs(
        compared_the_numbers,
        "that is the colleague's function: it takes bounds, and models without a likelihood, "
        "at face value.",
        ranked_the_rest_first,
        "a bound is not the value: a model that reports at least -2.0 may be better than one "
        "at -1.2.",
        refused_every_bound,
        "too careful: if even the lower bound exceeds the other's exact value, that settles it.",
        compared_equal_kinds,
        "two bounds say nothing about which model is higher: each may lie far below its value.",
        took_bounds_from_above,
        "the wrong way round: a bound says *at least*. Below an exact value it proves nothing; "
        "above it, it does.",
        believed_a_bound_beside_a_value,
        _BESIDE,
        cautious_of_two_bounds_alone,
        f"{_BESIDE} And a model without a likelihood has no number at all.",
        let_only_the_first_be_a_bound,
        "a bound that exceeds the other's exact value decides on either side.",
    ),
    synonyms={
        "can't tell": "cannot tell", "can not tell": "cannot tell", "unknown": "cannot tell",
        "a": "first", "b": "second",
    },
)  # fmt: skip


# 01.stages: judged one by one, since mistakes come in combinations
_STAGES = (101, 21, 64, 2, 111)
_GUIDED = "(a): guidance costs two evaluations in each step."
_NO_DECODER = "(a): at the end the code still has to be decoded."
_WITH_ENCODER = "(a): the encoder serves training; a new picture does not need it."
_VAR_TOKENS = "(b): VAR draws all tokens of a size in one evaluation; count the sizes."
_VAR_GUIDED = "(b): it is guided, too: two evaluations for each size."
_VAR_DECODER = "(b): its tokens are codes, and the decoder makes the picture of them."
_MASKED = "(c): masked diffusion fills several tokens in one step: count the steps."
_ONE_STEP = "(d): MeanFlow jumps in its VAE's code; what turns the code into a picture?"
_TRAINED_IN = "(d): its guidance was trained in, so nothing is asked twice."
_CAPTION = "(e): the caption costs one evaluation a token, before the picture begins."
_CAPTION_GUIDED = "(e): only the picture's 25 steps are guided; the caption's tokens are not."
_PICTURE_GUIDED = "(e): the picture's steps are guided: two evaluations each."
_PICTURE_DECODER = "(e): the picture is made as a code, and must be decoded."
_SAID = {  # (place, number): what it shows
    (0, 51): _GUIDED, (0, 50): _GUIDED, (0, 100): _NO_DECODER, (0, 102): _WITH_ENCODER,
    (1, 11): _VAR_GUIDED, (1, 10): _VAR_GUIDED, (1, 20): _VAR_DECODER, (1, 681): _VAR_TOKENS,
    (2, 256): _MASKED, (2, 4): _MASKED, (2, 128): "(c): LLaDA is not guided here.",
    (2, 65): "(c): text needs no decoder: its tokens are the output.",
    (3, 1): _ONE_STEP, (3, 3): _TRAINED_IN,
    (4, 50): _CAPTION, (4, 51): _CAPTION, (4, 26): _CAPTION, (4, 171): _CAPTION_GUIDED,
    (4, 85): _PICTURE_GUIDED, (4, 86): _PICTURE_GUIDED, (4, 110): _PICTURE_DECODER,
}  # fmt: skip


def _judge_stages(answer: Any) -> str:
    given = [float(n) for n in answer]
    if len(given) != 5:
        return f"there are five systems, you gave {len(given)} numbers."
    for place, (number, right) in enumerate(zip(given, _STAGES, strict=True)):
        if number != right:
            why = "which networks run, and how often, while one output is made?"
            return _SAID.get((place, int(number)), f"({'abcde'[place]}): {why}")
    return ""


STAGES = Exercise(
    id="01.stages",
    right=list(_STAGES),
    judge=_judge_stages,
    mistakes=Mistake.pairs(
        [51, 11, 64, 2, 86], _GUIDED,
        [100, 20, 64, 1, 110], _NO_DECODER,
        [102, 21, 64, 2, 111], _WITH_ENCODER,
        [101, 11, 64, 2, 111], _VAR_GUIDED,
        [101, 20, 64, 2, 111], _VAR_DECODER,
        [101, 21, 256, 2, 111], _MASKED,
        [101, 21, 64, 1, 111], _ONE_STEP,
        [101, 21, 64, 3, 111], _TRAINED_IN,
        [101, 21, 64, 2, 51], _CAPTION,
        [101, 21, 64, 2, 171], _CAPTION_GUIDED,
        [101, 21, 64, 2, 86], _PICTURE_GUIDED,
        [101, 21, 64, 2, 110], _PICTURE_DECODER,
    ),
)  # fmt: skip

EXERCISES = bank(globals())
