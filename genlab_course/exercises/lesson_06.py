"""Exercises of lesson 06: the VAE in practice, and codes made of tokens.

The right answers are what a learner could have written: they drive the notebook until the
learner's own are right.
"""

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from genlab_course.grading import Exercise, Mistake, Prediction, bank

Decode = Callable[[Tensor], Tensor]

VARIANCE = Prediction("06.predict-variance", choices=("2", "50", "2000"), unit="times")
MEAN = Prediction(
    "06.predict-mean", choices=("the same pictures", "sharper pictures", "an unused code")
)
CODES = Prediction("06.predict-codes", between=(1, 64), unit="of 64 codes")


# 06.slopes: one training step by hand
def slopes(x: float, mu: float, log_var: float, eps: float) -> tuple[float, float]:
    """Slopes of the loss of one pixel in mu and in log_var, for a decoder N(z, 1)."""
    sigma = math.exp(log_var / 2)
    z = mu + sigma * eps
    d_mu = -(x - z) + mu
    d_log_var = -(x - z) * sigma * eps / 2 + (sigma**2 - 1) / 2
    return d_mu, d_log_var


def forgot_the_pull_of_the_price(x, mu, log_var, eps):
    sigma = math.exp(log_var / 2)
    z = mu + sigma * eps
    return -(x - z), -(x - z) * sigma * eps / 2


def forgot_the_price_in_log_var(x, mu, log_var, eps):
    sigma = math.exp(log_var / 2)
    z = mu + sigma * eps
    return -(x - z) + mu, -(x - z) * sigma * eps / 2


def took_the_variance_for_sigma(x, mu, log_var, eps):
    sigma = math.exp(log_var)
    z = mu + sigma * eps
    return -(x - z) + mu, -(x - z) * sigma * eps + (sigma - 1) / 2


def forgot_the_slope_of_sigma(x, mu, log_var, eps):
    sigma = math.exp(log_var / 2)
    z = mu + sigma * eps
    return -(x - z) + mu, -(x - z) * eps + (sigma**2 - 1) / 2


def lost_the_half_of_log_var(x, mu, log_var, eps):
    sigma = math.exp(log_var / 2)
    z = mu + sigma * eps
    return -(x - z) + mu, -(x - z) * sigma * eps + (sigma**2 - 1) / 2


def pushed_the_code_away(x, mu, log_var, eps):
    sigma = math.exp(log_var / 2)
    z = mu + sigma * eps
    return (x - z) + mu, (x - z) * sigma * eps / 2 + (sigma**2 - 1) / 2


def differentiated_in_sigma(x, mu, log_var, eps):
    sigma = math.exp(log_var / 2)
    z = mu + sigma * eps
    return -(x - z) + mu, -(x - z) * eps + sigma - 1 / sigma


def climbed_the_elbo(x, mu, log_var, eps):
    sigma = math.exp(log_var / 2)
    z = mu + sigma * eps
    return (x - z) - mu, (x - z) * sigma * eps / 2 - (sigma**2 - 1) / 2


def left_the_noise_out(x, mu, log_var, eps):
    sigma = math.exp(log_var / 2)
    return -(x - mu) + mu, -(x - mu) * sigma * eps / 2 + (sigma**2 - 1) / 2


SLOPES = Exercise(
    id="06.slopes",
    right=slopes,
    cases=((1.2, 0.5, 0.0, -0.3), (-0.4, 0.2, 0.8, 1.1), (2.0, -1.0, -1.2, 0.6)),
    mistakes=Mistake.pairs(
        forgot_the_pull_of_the_price,
        "these are the slopes of the description alone: the price pulls, too.",
        forgot_the_price_in_log_var,
        "the price depends on log_var as well; in the tiny case its slope there happens to be 0.",
        took_the_variance_for_sigma,
        "you took exp(log_var) for sigma; it is the variance.",
        forgot_the_slope_of_sigma,
        "another factor leads from log_var to z: the derivative of sigma = exp(log_var / 2).",
        lost_the_half_of_log_var,
        "sigma = exp(log_var / 2), so its derivative in log_var has a factor 1/2.",
        pushed_the_code_away,
        "the description has the wrong sign: if z is too small, a larger one costs less.",
        differentiated_in_sigma,
        "your second number is the slope in sigma; asked for is that in log_var.",
        climbed_the_elbo,
        "both point the other way: these are slopes of the ELBO, and the loss is minus the ELBO.",
        left_the_noise_out,
        "the decoder sees the draw z = mu + sigma eps, not mu.",
    ),
)


# 06.parts: description and price of a batch
def parts(
    x: Tensor, mu: Tensor, log_var: Tensor, eps: Tensor, decode: Decode
) -> tuple[Tensor, Tensor]:
    """Description and price of each picture, nats."""
    z = mu + torch.exp(log_var / 2) * eps
    nats = F.binary_cross_entropy_with_logits(decode(z), x, reduction="none").sum(1)
    price = 0.5 * (mu**2 + log_var.exp() - 1 - log_var).sum(1)
    return nats, price


def _linear(z: Tensor) -> Tensor:
    """Logits of six pixels, from codes of four numbers."""
    weight = torch.sin(torch.arange(24.0)).reshape(4, 6).to(z)
    return 2 * z @ weight - 0.3


def _batch(seed: int) -> tuple[Any, ...]:
    g = torch.Generator().manual_seed(seed)
    x = torch.randint(0, 2, (3, 6), generator=g).double()
    mu, log_var, eps = torch.randn(3, 3, 4, generator=g, dtype=torch.float64)
    return x, mu, log_var, eps, _linear


def took_exp_of_log_var_for_sigma(x, mu, log_var, eps, decode):
    z = mu + log_var.exp() * eps
    nats = F.binary_cross_entropy_with_logits(decode(z), x, reduction="none").sum(1)
    return nats, 0.5 * (mu**2 + log_var.exp() - 1 - log_var).sum(1)


def averaged_the_pixels(x, mu, log_var, eps, decode):
    z = mu + torch.exp(log_var / 2) * eps
    nats = F.binary_cross_entropy_with_logits(decode(z), x, reduction="none").mean(1)
    return nats, 0.5 * (mu**2 + log_var.exp() - 1 - log_var).sum(1)


def averaged_the_code(x, mu, log_var, eps, decode):
    z = mu + torch.exp(log_var / 2) * eps
    nats = F.binary_cross_entropy_with_logits(decode(z), x, reduction="none").sum(1)
    return nats, 0.5 * (mu**2 + log_var.exp() - 1 - log_var).mean(1)


def averaged_both(x, mu, log_var, eps, decode):
    z = mu + torch.exp(log_var / 2) * eps
    nats = F.binary_cross_entropy_with_logits(decode(z), x, reduction="none").mean(1)
    return nats, 0.5 * (mu**2 + log_var.exp() - 1 - log_var).mean(1)


def lost_the_half_of_the_price(x, mu, log_var, eps, decode):
    z = mu + torch.exp(log_var / 2) * eps
    nats = F.binary_cross_entropy_with_logits(decode(z), x, reduction="none").sum(1)
    return nats, (mu**2 + log_var.exp() - 1 - log_var).sum(1)


def forgot_minus_one(x, mu, log_var, eps, decode):
    z = mu + torch.exp(log_var / 2) * eps
    nats = F.binary_cross_entropy_with_logits(decode(z), x, reduction="none").sum(1)
    return nats, 0.5 * (mu**2 + log_var.exp() - log_var).sum(1)


def read_log_var_as_log_sigma(x, mu, log_var, eps, decode):
    z = mu + log_var.exp() * eps
    nats = F.binary_cross_entropy_with_logits(decode(z), x, reduction="none").sum(1)
    return nats, 0.5 * (mu**2 + (2 * log_var).exp() - 1 - 2 * log_var).sum(1)


def squashed_twice(x, mu, log_var, eps, decode):
    z = mu + torch.exp(log_var / 2) * eps
    p = decode(z).sigmoid()
    nats = F.binary_cross_entropy_with_logits(p, x, reduction="none").sum(1)
    return nats, 0.5 * (mu**2 + log_var.exp() - 1 - log_var).sum(1)


def described_the_ink_only(x, mu, log_var, eps, decode):
    z = mu + torch.exp(log_var / 2) * eps
    nats = -(x * F.logsigmoid(decode(z))).sum(1)
    return nats, 0.5 * (mu**2 + log_var.exp() - 1 - log_var).sum(1)


def gave_the_log_probability(x, mu, log_var, eps, decode):
    z = mu + torch.exp(log_var / 2) * eps
    nats = F.binary_cross_entropy_with_logits(decode(z), x, reduction="none").sum(1)
    return -nats, 0.5 * (mu**2 + log_var.exp() - 1 - log_var).sum(1)


def decoded_the_mean(x, mu, log_var, eps, decode):
    nats = F.binary_cross_entropy_with_logits(decode(mu), x, reduction="none").sum(1)
    return nats, 0.5 * (mu**2 + log_var.exp() - 1 - log_var).sum(1)


def priced_the_draw(x, mu, log_var, eps, decode):
    z = mu + torch.exp(log_var / 2) * eps
    nats = F.binary_cross_entropy_with_logits(decode(z), x, reduction="none").sum(1)
    return nats, 0.5 * (z**2 - eps**2 - log_var).sum(1)


def exchanged_the_two(x, mu, log_var, eps, decode):
    z = mu + torch.exp(log_var / 2) * eps
    nats = F.binary_cross_entropy_with_logits(decode(z), x, reduction="none").sum(1)
    return 0.5 * (mu**2 + log_var.exp() - 1 - log_var).sum(1), nats


def described_in_squares(x, mu, log_var, eps, decode):
    z = mu + torch.exp(log_var / 2) * eps
    nats = (x - decode(z).sigmoid()).square().sum(1)
    return nats, 0.5 * (mu**2 + log_var.exp() - 1 - log_var).sum(1)


def detached_the_draw(x, mu, log_var, eps, decode):
    z = (mu + torch.exp(log_var / 2) * eps).detach()
    nats = F.binary_cross_entropy_with_logits(decode(z), x, reduction="none").sum(1)
    return nats, 0.5 * (mu**2 + log_var.exp() - 1 - log_var).sum(1)


CUT_OFF = (
    "the values are right, but the description cannot reach mu and log_var: z must stay a function "
    "of them, without detach, .data, no_grad or torch.normal."
)


def _judge_draw(answer: Any) -> str:
    """The values are right by now; does the gradient pass through the draw?"""
    x, mu, log_var, eps, decode = _batch(5)
    mu.requires_grad_()
    log_var.requires_grad_()

    def found(of: Any) -> list[Tensor]:
        nats, price = of(x, mu, log_var, eps, decode)
        grads = torch.autograd.grad((nats + price).sum(), (mu, log_var), allow_unused=True)
        return [torch.zeros_like(mu) if g is None else g for g in grads]

    same = all(torch.allclose(a, b) for a, b in zip(found(answer), found(parts), strict=True))
    return "" if same else CUT_OFF


PARTS = Exercise(
    id="06.parts",
    right=parts,
    cases=(_batch(0), _batch(1)),
    judge=_judge_draw,
    mistakes=Mistake.pairs(
        took_exp_of_log_var_for_sigma,
        "exp(log_var) is the variance; the noise is scaled by its square root.",
        averaged_the_pixels,
        "your description is a mean over the pixels: a picture's log-probability is their sum.",
        averaged_the_code,
        "your price is a mean over the numbers of the code: independent numbers add up.",
        averaged_both,
        "both are means; log-probabilities of independent pixels and numbers add up.",
        lost_the_half_of_the_price,
        "the half of (2) is missing.",
        forgot_minus_one,
        "at mu = 0, log_var = 0 your price is not zero: a constant is missing.",
        read_log_var_as_log_sigma,
        "you read log_var as the logarithm of sigma; it is that of its square.",
        squashed_twice,
        "binary_cross_entropy_with_logits takes logits: it makes the probabilities itself.",
        described_the_ink_only,
        "white pixels have a probability, too: the second part of (6) is missing.",
        gave_the_log_probability,
        "the sign: a description costs, so it is minus the log-probability.",
        decoded_the_mean,
        "you decoded mu; the average in (1) is over draws z = mu + sigma eps.",
        priced_the_draw,
        "a fair estimate from the one draw; (2) gives its average, without noise.",
        exchanged_the_two,
        "description first, then price.",
        described_in_squares,
        "a squared error is the description of a Gaussian of fixed scale; these pixels are coins.",
        detached_the_draw,
        CUT_OFF,
    ),
)


# 06.grey-nats: a colleague's Gaussian
def grey_nats(x: Tensor, mean: Tensor, log_s: Tensor) -> Tensor:
    """Equation (7) for each picture, nats."""
    squares = (x - mean).square() / (2 * (2 * log_s).exp())
    return (squares + log_s + 0.5 * math.log(2 * math.pi)).sum(1)


def _grey(seed: int, d: int, log_s: float) -> tuple[Tensor, Tensor, Tensor]:
    g = torch.Generator().manual_seed(seed)
    x, mean = torch.rand(2, 3, d, generator=g, dtype=torch.float64)
    return x, mean, torch.tensor(log_s, dtype=torch.float64)


def left_as_it_was(x, mean, log_s):
    return ((x - mean).square() / (2 * log_s.exp())).mean(1)


def summed_and_nothing_else(x, mean, log_s):
    return ((x - mean).square() / (2 * log_s.exp())).sum(1)


def squared_the_scale_and_nothing_else(x, mean, log_s):
    return ((x - mean).square() / (2 * (2 * log_s).exp())).mean(1)


def left_the_normaliser_out(x, mean, log_s):
    return ((x - mean).square() / (2 * (2 * log_s).exp())).sum(1)


def kept_the_mean(x, mean, log_s):
    squares = (x - mean).square() / (2 * (2 * log_s).exp())
    return (squares + log_s + 0.5 * math.log(2 * math.pi)).mean(1)


def divided_by_the_scale(x, mean, log_s):
    squares = (x - mean).square() / (2 * log_s.exp())
    return (squares + log_s + 0.5 * math.log(2 * math.pi)).sum(1)


def normalised_once_a_picture(x, mean, log_s):
    squares = (x - mean).square() / (2 * (2 * log_s).exp())
    return squares.sum(1) + log_s + 0.5 * math.log(2 * math.pi)


def forgot_two_pi(x, mean, log_s):
    squares = (x - mean).square() / (2 * (2 * log_s).exp())
    return (squares + log_s).sum(1)


def fixed_the_scale(x, mean, log_s):
    return (0.5 * (x - mean).square() + 0.5 * math.log(2 * math.pi)).sum(1)


def forgot_the_half(x, mean, log_s):
    squares = (x - mean).square() / (2 * log_s).exp()
    return (squares + log_s + 0.5 * math.log(2 * math.pi)).sum(1)


def subtracted_log_s(x, mean, log_s):
    squares = (x - mean).square() / (2 * (2 * log_s).exp())
    return (squares - log_s + 0.5 * math.log(2 * math.pi)).sum(1)


GREY_NATS = Exercise(
    id="06.grey-nats",
    right=grey_nats,
    cases=(_grey(0, 5, -1.2), _grey(1, 8, 0.4)),
    mistakes=Mistake.pairs(
        left_as_it_was,
        "this is the broken one: three faults are left.",
        summed_and_nothing_else,
        "the sum is mended; the scale and the normaliser are not.",
        squared_the_scale_and_nothing_else,
        "the scale is mended; the mean over the pixels and the missing normaliser are not.",
        left_the_normaliser_out,
        "one fault is left: without the normaliser the largest s would always be the best.",
        kept_the_mean,
        "one fault is left: the log-densities of independent pixels add up.",
        divided_by_the_scale,
        "one fault is left: (7) divides by the square of s, and log_s is the logarithm of s.",
        normalised_once_a_picture,
        "every pixel has a density of its own: log s and the half of log 2 pi count d times.",
        forgot_two_pi,
        "the half of log 2 pi is missing; it does not matter for training, but for the number.",
        fixed_the_scale,
        "you fixed s = 1; the scale is an argument here, and belongs to the model.",
        forgot_the_half,
        "the 2 beneath the squares is missing.",
        subtracted_log_s,
        "the sign of log s: a narrow density is high near its mean, so it costs less.",
    ),
)


# 06.quantise: vector quantisation
def quantise(e: Tensor, codebook: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The nearest entries, straight-through; their numbers; and the pull of each picture."""
    apart = (e[:, :, None] - codebook).square().sum(-1)  # (b, t, k)
    index = apart.argmin(-1)  # (b, t)
    chosen = codebook[index]  # (b, t, d)
    z = e + (chosen - e).detach()
    pull = (e.detach() - chosen).square() + 0.25 * (e - chosen.detach()).square()
    return z, index, pull.sum((1, 2))


def _book(seed: int) -> tuple[Tensor, Tensor]:
    g = torch.Generator().manual_seed(seed)
    e = torch.randn(2, 4, 3, generator=g, dtype=torch.float64)
    return e, torch.randn(6, 3, generator=g, dtype=torch.float64)


def _with(e: Tensor, codebook: Tensor, index: Tensor) -> tuple[Tensor, Tensor]:
    """The chosen entries, and the pull by (10)."""
    chosen = codebook[index]
    pull = (e.detach() - chosen).square() + 0.25 * (e - chosen.detach()).square()
    return chosen, pull.sum((1, 2))


def chose_the_farthest(e, codebook):
    index = (e[:, :, None] - codebook).square().sum(-1).argmax(-1)
    chosen, pull = _with(e, codebook, index)
    return e + (chosen - e).detach(), index, pull


def chose_the_largest_product(e, codebook):
    index = (e @ codebook.mT).argmax(-1)
    chosen, pull = _with(e, codebook, index)
    return e + (chosen - e).detach(), index, pull


def returned_the_vectors_themselves(e, codebook):
    index = (e[:, :, None] - codebook).square().sum(-1).argmin(-1)
    _, pull = _with(e, codebook, index)
    return e, index, pull


def pulled_the_codebook_only(e, codebook):
    index = (e[:, :, None] - codebook).square().sum(-1).argmin(-1)
    chosen = codebook[index]
    return e + (chosen - e).detach(), index, (e.detach() - chosen).square().sum((1, 2))


def pulled_both_alike(e, codebook):
    index = (e[:, :, None] - codebook).square().sum(-1).argmin(-1)
    chosen = codebook[index]
    pull = (e.detach() - chosen).square() + (e - chosen.detach()).square()
    return e + (chosen - e).detach(), index, pull.sum((1, 2))


def averaged_the_pull(e, codebook):
    index = (e[:, :, None] - codebook).square().sum(-1).argmin(-1)
    chosen, pull = _with(e, codebook, index)
    return e + (chosen - e).detach(), index, pull / (e.shape[1] * e.shape[2])


def pulled_by_the_distance(e, codebook):
    index = (e[:, :, None] - codebook).square().sum(-1).argmin(-1)
    chosen = codebook[index]
    apart = (e.detach() - chosen).norm(dim=-1) + 0.25 * (e - chosen.detach()).norm(dim=-1)
    return e + (chosen - e).detach(), index, apart.sum(1)


def gave_the_encoder_nothing(e, codebook):
    index = (e[:, :, None] - codebook).square().sum(-1).argmin(-1)
    chosen, pull = _with(e, codebook, index)
    return chosen, index, pull


def gave_nobody_anything(e, codebook):
    index = (e[:, :, None] - codebook).square().sum(-1).argmin(-1)
    chosen, pull = _with(e, codebook, index)
    return chosen.detach(), index, pull


def gave_both_the_gradient(e, codebook):
    index = (e[:, :, None] - codebook).square().sum(-1).argmin(-1)
    chosen, pull = _with(e, codebook, index)
    return e + chosen - e.detach(), index, pull


def detached_neither_in_the_pull(e, codebook):
    index = (e[:, :, None] - codebook).square().sum(-1).argmin(-1)
    chosen = codebook[index]
    return e + (chosen - e).detach(), index, 1.25 * (e - chosen).square().sum((1, 2))


def gave_the_quarter_to_the_codebook(e, codebook):
    index = (e[:, :, None] - codebook).square().sum(-1).argmin(-1)
    chosen = codebook[index]
    pull = 0.25 * (e.detach() - chosen).square() + (e - chosen.detach()).square()
    return e + (chosen - e).detach(), index, pull.sum((1, 2))


def detached_everything_in_the_pull(e, codebook):
    index = (e[:, :, None] - codebook).square().sum(-1).argmin(-1)
    chosen = codebook[index]
    pull = 1.25 * (e - chosen).detach().square()
    return e + (chosen - e).detach(), index, pull.sum((1, 2))


_GRADIENTS = (  # right values, and where the gradient goes; tried in this order
    (
        gave_the_encoder_nothing,
        "the values are right, but the description's gradient goes to the codebook, and the "
        "encoder gets none: (9) is missing.",
    ),
    (
        gave_nobody_anything,
        "the values are right, but no gradient passes z at all: in (9) e stands outside of sg.",
    ),
    (
        gave_both_the_gradient,
        "the values are right, but the codebook is moved by the description as well: in (9) the "
        "whole bracket is detached, entry and all.",
    ),
    (
        detached_neither_in_the_pull,
        "the values are right, but each part of the pull moves both sides: one of them is held "
        "still by detach, the vectors in the first part, the entries in the second.",
    ),
    (
        gave_the_quarter_to_the_codebook,
        "the values are right, but the quarter stands at the part that moves the codebook; it "
        "belongs to the commitment, which moves the encoder.",
    ),
    (
        detached_everything_in_the_pull,
        "the values are right, but your pull moves nothing: both sides are detached in it.",
    ),
)
OTHER_GRADIENT = (
    "the values are right, but not where the gradients go: z passes its own to e alone, and "
    "the pull moves the codebook with weight 1 and e with a quarter."
)


def _flows(answer: Any) -> list[Tensor]:
    """Gradients of the description and of the pull, to e and to the codebook."""
    e, codebook = (v.requires_grad_() for v in _book(3))
    z, _, pull = answer(e, codebook)
    weight = torch.cos(torch.arange(24.0, dtype=torch.float64)).reshape(z.shape)
    found = []
    for cost in ((weight * z).sum(), pull.sum()):
        grads: tuple[Tensor | None, ...] = (None, None)
        if cost.requires_grad:
            grads = torch.autograd.grad(cost, (e, codebook), retain_graph=True, allow_unused=True)
        found += [
            torch.zeros_like(v) if g is None else g
            for g, v in zip(grads, (e, codebook), strict=True)
        ]
    return found


def _judge_flows(answer: Any) -> str:
    """The values are right by now; where do the gradients go?"""
    yours = _flows(answer)
    if all(map(torch.allclose, yours, _flows(quantise))):
        return ""
    for wrong, says in _GRADIENTS:
        if all(map(torch.allclose, yours, _flows(wrong))):
            return says
    return OTHER_GRADIENT


QUANTISE = Exercise(
    id="06.quantise",
    right=quantise,
    cases=(_book(0), _book(1)),
    judge=_judge_flows,
    mistakes=Mistake.pairs(
        chose_the_farthest,
        "you chose the entry that is farthest away: argmin, not argmax.",
        chose_the_largest_product,
        "the largest inner product favours long entries; (8) asks for the smallest distance.",
        returned_the_vectors_themselves,
        "your z is e itself: going forwards it must have the value of the chosen entry.",
        pulled_the_codebook_only,
        "the commitment is missing: a quarter of the same square, which moves the encoder.",
        pulled_both_alike,
        "the second part of (10) has a factor of a quarter.",
        averaged_the_pull,
        "your pull is a mean over a picture's numbers; here it is their sum, like the description.",
        pulled_by_the_distance,
        "(10) has squared distances.",
        *(part for pair in _GRADIENTS for part in pair),
    ),
)


# 06.rounding: finite scalar quantisation
def rounding(e: Tensor, n_levels: int) -> Tensor:
    """Each number of e rounded to one of n_levels in [-1, 1], straight-through."""
    half = (n_levels - 1) / 2
    offset = 0.5 if n_levels % 2 == 0 else 0.0
    shift = math.atanh(offset / half) if offset else 0.0
    b = half * torch.tanh(e + shift) - offset
    rounded = b + (b.round() - b).detach()
    return rounded / (n_levels // 2)


def _numbers(seed: int, n_levels: int) -> tuple[Tensor, int]:
    g = torch.Generator().manual_seed(seed)
    e = 2 * torch.randn(3, 5, 3, generator=g, dtype=torch.float64)
    e[0, 0, 0] = -0.34  # a little above the edge of four levels at -atanh(1/3)
    return e, n_levels


def no_half_for_even_levels(e, n_levels):
    half = (n_levels - 1) / 2
    b = half * torch.tanh(e)
    return (b + (b.round() - b).detach()) / (n_levels // 2)


def offset_without_shift(e, n_levels):
    half = (n_levels - 1) / 2
    offset = 0.5 if n_levels % 2 == 0 else 0.0
    b = half * torch.tanh(e) - offset
    return (b + (b.round() - b).detach()) / (n_levels // 2)


def offset_for_odd_levels(e, n_levels):
    half = (n_levels - 1) / 2
    offset = 0.5 if n_levels % 2 else 0.0
    shift = math.atanh(offset / half)
    b = half * torch.tanh(e + shift) - offset
    return (b + (b.round() - b).detach()) / (n_levels // 2)


def left_in_whole_numbers(e, n_levels):
    half = (n_levels - 1) / 2
    offset = 0.5 if n_levels % 2 == 0 else 0.0
    b = half * torch.tanh(e + math.atanh(offset / half)) - offset
    return b + (b.round() - b).detach()


def divided_by_the_half_range(e, n_levels):
    half = (n_levels - 1) / 2
    offset = 0.5 if n_levels % 2 == 0 else 0.0
    b = half * torch.tanh(e + math.atanh(offset / half)) - offset
    return (b + (b.round() - b).detach()) / half


def squeezed_to_l_levels(e, n_levels):
    half = n_levels / 2
    offset = 0.5 if n_levels % 2 == 0 else 0.0
    b = half * torch.tanh(e + math.atanh(offset / half)) - offset
    return (b + (b.round() - b).detach()) / (n_levels // 2)


def shifted_by_the_ratio(e, n_levels):
    half = (n_levels - 1) / 2
    offset = 0.5 if n_levels % 2 == 0 else 0.0
    b = half * torch.tanh(e + offset / half) - offset
    return (b + (b.round() - b).detach()) / (n_levels // 2)


def did_not_round(e, n_levels):
    half = (n_levels - 1) / 2
    offset = 0.5 if n_levels % 2 == 0 else 0.0
    b = half * torch.tanh(e + math.atanh(offset / half)) - offset
    return b / (n_levels // 2)


def did_not_squeeze(e, n_levels):
    z = e + (e.round() - e).detach()
    return z / (n_levels // 2)


def rounded_without_a_gradient(e, n_levels):
    half = (n_levels - 1) / 2
    offset = 0.5 if n_levels % 2 == 0 else 0.0
    b = half * torch.tanh(e + math.atanh(offset / half)) - offset
    return b.round() / (n_levels // 2)


def passed_around_the_squeeze(e, n_levels):
    half = (n_levels - 1) / 2
    offset = 0.5 if n_levels % 2 == 0 else 0.0
    b = half * torch.tanh(e + math.atanh(offset / half)) - offset
    z = b.round() / (n_levels // 2)
    return e + (z - e).detach()


NO_GRADIENT = (
    "the values are right, but the slope of round is zero, so the encoder hears nothing: pass it "
    "straight through, as in (9)."
)
AROUND = (
    "the values are right, but your gradient goes around the tanh as well; only the rounding is "
    "passed straight through, the tanh has a slope of its own."
)


def _judge_slope(answer: Any) -> str:
    """The values are right by now; is the slope that of the squeeze?"""

    def slope(of: Any) -> Tensor:
        e = _numbers(4, 4)[0].requires_grad_()
        z = of(e, 4)
        if not z.requires_grad:
            return torch.zeros_like(e)
        (found,) = torch.autograd.grad(z.sum(), e, allow_unused=True)
        return torch.zeros_like(e) if found is None else found

    yours = slope(answer)
    if torch.allclose(yours, slope(rounding)):
        return ""
    same_everywhere = torch.allclose(yours, yours.mean())
    return AROUND if same_everywhere and yours.any() else NO_GRADIENT


ROUNDING = Exercise(
    id="06.rounding",
    right=rounding,
    cases=(_numbers(0, 4), _numbers(1, 3), _numbers(2, 8)),
    judge=_judge_slope,
    mistakes=Mistake.pairs(
        no_half_for_even_levels,
        "for an even number of levels the interval must be moved by a half: count your levels.",
        offset_without_shift,
        "you moved the interval, but not back for the encoder: e = 0 should give b = 0.",
        offset_for_odd_levels,
        "the half belongs to even numbers of levels; odd ones have 0 in their middle already.",
        left_in_whole_numbers,
        "the levels should lie in [-1, 1]: the division is missing.",
        divided_by_the_half_range,
        "divide by the whole number L // 2, so that the levels keep the same steps from 0.",
        squeezed_to_l_levels,
        "your interval has length L, and rounding gives one level too many; (11) has L - 1.",
        shifted_by_the_ratio,
        "the shift is the number whose tanh is 2 o / (L - 1): math.atanh.",
        did_not_round,
        "nothing is rounded: your z takes any value.",
        did_not_squeeze,
        "you rounded e itself: without the tanh there are as many levels as whole numbers.",
        rounded_without_a_gradient,
        NO_GRADIENT,
        passed_around_the_squeeze,
        AROUND,
    ),
)


# 06.rate: bits of a sentence of tokens
_PIXELS = 512 * 512 * 24
RATE = Exercise(
    id="06.rate",
    right=_PIXELS / (64 * 64 * 15),
    mistakes=Mistake.pairs(
        _PIXELS / (64 * 64 * 32768),
        "a token out of 32,768 is a number of log2 32,768 bits, not of 32,768.",
        _PIXELS / (64 * 64 * math.log(32768)),
        "these are nats: one token has log2 32,768 bits.",
        _PIXELS / (64 * 64 * math.log10(32768)),
        "you counted decimal digits; a bit is a choice of two.",
        512 * 512 * 8 / (64 * 64 * 15),
        "a pixel has three colours of 8 bits.",
        512 * 512 / (64 * 64),
        "that is how many pixels share one token; now weigh both by their bits.",
        _PIXELS / (64 * 64 * 4 * 15),
        "the 4 numbers of an entry are looked up by the decoder; only the token is stored.",
        (64 * 64 * 15) / _PIXELS,
        "upside down: how many times fewer bits have the tokens?",
        64 * 64 * 15,
        "that is the length of the sentence in bits; compare it with the pixels'.",
    ),
)

EXERCISES = bank(globals())
