"""Exercises of lesson 03: maximum likelihood and the two directions of KL.

The right answers are what a learner could have written: they drive the notebook until the
learner's own are right.
"""

import copy
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from genlab_course.grading import Exercise, Mistake, Prediction, RefusedError, bank

LogDensity = Callable[[Tensor], Tensor]

PRICE = Prediction("03.predict-price", choices=("0.5", "5", "infinite"))
ZERO = Prediction("03.predict-zero", choices=("a little larger", "twice", "infinite"))
MEMORY = Prediction("03.predict-memory", choices=("0.00", "0.16", "2.3"), unit="bits")


# 03.kl-value: p = (0.6, 0.3, 0.1), q = (0.3, 0.3, 0.4); unchanged, so the id stays
_P, _Q = np.array([0.6, 0.3, 0.1]), np.array([0.3, 0.3, 0.4])
_KL = float(np.sum(_P * np.log(_P / _Q)))

KL_VALUE = Exercise(
    id="03.kl-value",
    right=_KL,
    mistakes=Mistake.pairs(
        float(np.sum(_Q * np.log(_Q / _P))),
        "you averaged under q; what happens does the averaging, and that is p.",
        float(-np.sum(_P * np.log(_Q))),
        "that is the cross-entropy; it still contains the entropy of p.",
        float(-np.sum(_P * np.log(_P))),
        "that is the entropy of p: the forecast q does not occur in it.",
        float(np.sum(np.log(_P / _Q))),
        "you added the logarithms without weighing them by how often each outcome happens.",
        _KL / math.log(2),
        "these are bits: you took logarithms to base 2, and nats were asked for.",
        _KL / math.log(10),
        "you took logarithms to base 10; nats have base e.",
        -_KL,
        "the ratio is upside down: the true probability stands above.",
        float(np.sum(_P * np.abs(np.log(_P / _Q)))),
        "you took every term as positive; the third one is negative, and may be.",
    ),
)


# 03.gradient
def gradient(theta: Tensor, counts: Tensor) -> Tensor:
    """Slope of each row's mean NLL in its logits: prediction minus observation."""
    return theta.softmax(-1) - counts / counts.sum(-1, keepdim=True)


def _tables(seed: int, n: int, k: int) -> tuple[Tensor, Tensor]:
    g = torch.Generator().manual_seed(seed)
    theta = torch.randn(n, k, generator=g, dtype=torch.float64)
    counts = torch.randint(0, 9, (n, k), generator=g).double()
    counts[:, 0] += 1  # no row is empty, and the rows have different sums
    return theta, counts


def observation_minus_prediction(theta, counts):
    return counts / counts.sum(-1, keepdim=True) - theta.softmax(-1)


def slope_of_the_sum(theta, counts):
    return counts.sum(-1, keepdim=True) * theta.softmax(-1) - counts


def forgot_to_divide_the_counts(theta, counts):
    return theta.softmax(-1) - counts


def divided_by_the_whole_table(theta, counts):
    return theta.softmax(-1) - counts / counts.sum()


def divided_down_the_columns(theta, counts):
    return theta.softmax(-1) - counts / counts.sum(0)


def softmax_down_the_columns(theta, counts):
    return theta.softmax(0) - counts / counts.sum(-1, keepdim=True)


def softmax_over_all_tables(theta, counts):
    return theta.flatten().softmax(0).reshape(theta.shape) - counts / counts.sum(-1, keepdim=True)


def left_the_logits(theta, counts):
    return theta - counts / counts.sum(-1, keepdim=True)


def took_log_probabilities(theta, counts):
    return theta.log_softmax(-1) - counts / counts.sum(-1, keepdim=True)


def slope_in_the_probabilities(theta, counts):
    return -counts / counts.sum(-1, keepdim=True) / theta.softmax(-1)


def each_logit_moves_only_its_own(theta, counts):
    p_hat = counts / counts.sum(-1, keepdim=True)
    return p_hat * (theta.softmax(-1) - 1)


def softmax_of_the_counts_too(theta, counts):
    return theta.softmax(-1) - counts.softmax(-1)


def exponential_for_the_softmax(theta, counts):
    return theta.exp() - counts / counts.sum(-1, keepdim=True)


def mean_over_the_rows_too(theta, counts):
    return (theta.softmax(-1) - counts / counts.sum(-1, keepdim=True)) / len(theta)


def gave_the_loss(theta, counts):
    p_hat = counts / counts.sum(-1, keepdim=True)
    return -(p_hat * theta.log_softmax(-1)).sum(-1)


GRADIENT = Exercise(
    id="03.gradient",
    right=gradient,
    cases=(_tables(0, 3, 4), _tables(1, 2, 5)),
    mistakes=Mistake.pairs(
        observation_minus_prediction,
        "the sign: this is the direction in which the likelihood grows, and the loss falls.",
        slope_of_the_sum,
        "this is the slope of the sum over the observations; the loss is their mean.",
        forgot_to_divide_the_counts,
        "the counts are not fractions yet: divide each row by its number of observations.",
        divided_by_the_whole_table,
        "you divided by all observations of all tables; each row is averaged over its own.",
        divided_down_the_columns,
        "you divided by the sums of the columns; each row is divided by its own sum.",
        softmax_down_the_columns,
        "your softmax runs down the columns; each row is a table that sums to 1.",
        softmax_over_all_tables,
        "your softmax runs over all tables at once; each row sums to 1 by itself.",
        left_the_logits,
        "theta are logits; the prediction is their softmax.",
        took_log_probabilities,
        "you subtracted from log-probabilities; the prediction is the probability.",
        slope_in_the_probabilities,
        "this is the slope in the probabilities q; a logit moves all of them, through the softmax.",
        each_logit_moves_only_its_own,
        "you let each logit move only its own probability; the sum in the softmax moves the others "
        "too.",
        softmax_of_the_counts_too,
        "you took a softmax of the counts as well; their fractions are counts divided by the sum.",
        exponential_for_the_softmax,
        "exp of the logits is not normalised yet: each row of the softmax sums to 1.",
        mean_over_the_rows_too,
        "you averaged over the tables as well; each row is a loss of its own.",
        gave_the_loss,
        "this is the loss of each row; its slope was asked for.",
    ),
)


# 03.reverse-loss
def reverse_loss(m: Tensor, s: Tensor, eps: Tensor, log_p: LogDensity) -> Tensor:
    """Mean of log q(z) - log p(z) over z = m + s eps, with q = N(m, s^2)."""
    z = m + s * eps
    log_q = -0.5 * ((z - m) / s) ** 2 - s.log() - 0.5 * math.log(2 * math.pi)
    return (log_q - log_p(z)).mean()


def _log_hills(z: Tensor) -> Tensor:
    """Two hills of unequal weights, as log-densities of the places z."""
    hills = torch.distributions.Normal(z.new_tensor([-1.5, 2.0]), z.new_tensor([0.5, 0.8]))
    return (hills.log_prob(z[..., None]) + z.new_tensor([0.7, 0.3]).log()).logsumexp(-1)


def _fit(m: float, s: float, seed: int) -> tuple[Any, ...]:
    g = torch.Generator().manual_seed(seed)
    eps = torch.randn(7, generator=g, dtype=torch.float64)
    both = (torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in (m, s))
    return *both, eps, _asked_at(eps)


def _asked_at(eps: Tensor) -> LogDensity:
    """The hills, which refuse as many places as there are draws if these are not m + s eps."""

    def log_p(z: Tensor) -> Tensor:
        if z.numel() > 1 and not _on_a_line(eps, z.detach().flatten()):
            raise RefusedError(OWN_DRAWS)
        return _log_hills(z)

    return log_p


def _on_a_line(eps: Tensor, z: Tensor) -> bool:
    """Whether z is a + b eps for some numbers a and b."""
    if z.shape != eps.shape:
        return False
    columns = torch.stack([torch.ones_like(eps), eps], 1)
    fitted = columns @ torch.linalg.lstsq(columns, z[:, None].to(eps)).solution
    return torch.allclose(fitted[:, 0], z.to(eps), atol=1e-5)


def forgot_the_entropy(m, s, eps, log_p):
    z = m + s * eps
    return -log_p(z).mean()


def scaled_with_the_variance(m, s, eps, log_p):
    z = m + s**2 * eps
    log_q = torch.distributions.Normal(m, s).log_prob(z)
    return (log_q - log_p(z)).mean()


def gave_normal_the_variance(m, s, eps, log_p):
    z = m + s * eps
    log_q = torch.distributions.Normal(m, s**2).log_prob(z)
    return (log_q - log_p(z)).mean()


def asked_q_about_eps(m, s, eps, log_p):
    z = m + s * eps
    log_q = torch.distributions.Normal(m, s).log_prob(eps)
    return (log_q - log_p(z)).mean()


def density_of_the_noise(m, s, eps, log_p):
    z = m + s * eps
    log_q = torch.distributions.Normal(0.0, 1.0).log_prob(eps)
    return (log_q - log_p(z)).mean()


def asked_p_about_eps(m, s, eps, log_p):
    z = m + s * eps
    log_q = torch.distributions.Normal(m, s).log_prob(z)
    return (log_q - log_p(eps)).mean()


def turned_the_sign(m, s, eps, log_p):
    z = m + s * eps
    log_q = torch.distributions.Normal(m, s).log_prob(z)
    return (log_p(z) - log_q).mean()


def summed_over_the_draws(m, s, eps, log_p):
    z = m + s * eps
    log_q = torch.distributions.Normal(m, s).log_prob(z)
    return (log_q - log_p(z)).sum()


def weighed_by_q_again(m, s, eps, log_p):
    z = m + s * eps
    log_q = torch.distributions.Normal(m, s).log_prob(z)
    return (log_q.exp() * (log_q - log_p(z))).mean()


def returned_one_number_a_draw(m, s, eps, log_p):
    z = m + s * eps
    log_q = torch.distributions.Normal(m, s).log_prob(z)
    return log_q - log_p(z)


def detached_the_samples(m, s, eps, log_p):
    z = (m + s * eps).detach()
    log_q = torch.distributions.Normal(m, s).log_prob(z)
    return (log_q - log_p(z)).mean()


def detached_only_for_p(m, s, eps, log_p):
    z = m + s * eps
    log_q = torch.distributions.Normal(m, s).log_prob(z)
    return (log_q - log_p(z.detach())).mean()


def entropy_in_closed_form(m, s, eps, log_p):
    z = m + s * eps
    return -(s.log() + 0.5 * math.log(2 * math.pi * math.e)) - log_p(z).mean()


def put_s_for_its_square_in_the_density(m, s, eps, log_p):
    z = m + s * eps
    log_q = -0.5 * ((z - m) / s) ** 2 - 0.5 * (2 * math.pi * s).log()
    return (log_q - log_p(z)).mean()


def stuck_the_landing(m, s, eps, log_p):
    z = m + s * eps
    log_q = torch.distributions.Normal(m.detach(), s.detach()).log_prob(z)
    return (log_q - log_p(z)).mean()


def took_s_as_the_variance(m, s, eps, log_p):
    z = m + s.sqrt() * eps
    log_q = torch.distributions.Normal(m, s.sqrt()).log_prob(z)
    return (log_q - log_p(z)).mean()


OWN_DRAWS = (
    "log_p was asked about places that are not m + s eps. Use the draws `eps` that you are given: "
    "sample() and rsample() make new ones, and the loss is another number each time."
)
STUCK = (
    "the value is right, and the mean slope too: the samples move, but m and s in the density of q "
    "are cut off (known as sticking the landing). Here, take the slope of the whole loss."
)
DETACHED = (
    "the value is right, but the samples do not move when m and s move: z must stay a function of "
    "them, without detach, .data or .item()."
)
P_IS_CUT_OFF = (
    "the value is right, but log p sees samples that are cut off from m and s, so nothing pulls "
    "towards the hills."
)


def _slopes(answer: Any) -> Tensor:
    m, s, eps, log_p = _fit(0.4, 1.3, 5)
    found = torch.autograd.grad(answer(m, s, eps, log_p), (m, s), allow_unused=True)
    return torch.stack([torch.zeros_like(m) if slope is None else slope for slope in found])


def _judge_slopes(answer: Any) -> str:
    """The value is right by now; does the gradient follow the samples?"""
    yours = _slopes(answer)
    if torch.allclose(yours, _slopes(reverse_loss)):
        return ""
    if torch.allclose(yours, _slopes(detached_only_for_p)):
        return P_IS_CUT_OFF
    if torch.allclose(yours, _slopes(stuck_the_landing)):
        return STUCK
    return DETACHED


REVERSE_LOSS = Exercise(
    id="03.reverse-loss",
    right=reverse_loss,
    cases=(_fit(0.3, 0.7, 0), _fit(-1.0, 1.8, 1)),
    mistakes=Mistake.pairs(
        forgot_the_entropy,
        "log q is missing: nothing keeps the curve wide, and it shrinks to a point on the hilltop.",
        scaled_with_the_variance,
        "you scaled the noise with s^2; s is the standard deviation already.",
        gave_normal_the_variance,
        "Normal wants the standard deviation, not the variance.",
        asked_q_about_eps,
        "log q is asked about the noise; ask it about z, the places.",
        density_of_the_noise,
        "this is the density of eps. Stretching by s makes the density of z smaller: log s is "
        "missing.",
        asked_p_about_eps,
        "log p is asked about the noise; ask it about z, the places.",
        turned_the_sign,
        "the sign: this is minus the divergence, and descent would run away from p.",
        summed_over_the_draws,
        "you summed over the draws; their mean estimates the divergence.",
        entropy_in_closed_form,
        "a fair estimate, with the mean of log q in closed form; here average it over the draws.",
        put_s_for_its_square_in_the_density,
        "the normaliser of the density holds the variance: log s, or half of log s^2.",
        took_s_as_the_variance,
        "s is the standard deviation already: take no root of it.",
        weighed_by_q_again,
        "you weighed by q again: the draws come from q already, so a plain mean will do.",
        returned_one_number_a_draw,
        "this is one number for each draw; return their mean.",
        detached_the_samples,
        DETACHED,
        detached_only_for_p,
        P_IS_CUT_OFF,
        stuck_the_landing,
        STUCK,
    ),
    judge=_judge_slopes,
)


# 03.report
Report = tuple[Tensor, Tensor, Tensor, Tensor]


def report(log_p: Tensor, rival_log_p: Tensor, n_dims: int) -> Report:
    """Bits per dimension, standard error, gain over the rival, paired standard error."""
    bits = -log_p / (n_dims * math.log(2))
    gain = -rival_log_p / (n_dims * math.log(2)) - bits
    root = len(bits) ** 0.5
    return bits.mean(), bits.std() / root, gain.mean(), gain.std() / root


def _scores(seed: int, n_dims: int) -> tuple[Tensor, Tensor, int]:
    """A thousand pictures, so that N or N - 1 makes no difference; seed 1 has the better rival."""
    g = torch.Generator().manual_seed(seed)
    common, own, other = torch.randn(3, 1000, generator=g, dtype=torch.float64)
    good, bad = -100 - 12 * common + 4 * own, -110 - 14 * common + 5 * other
    return (good, bad, n_dims) if seed == 0 else (bad, good, n_dims)


def gave_the_spread_of_pictures(log_p, rival_log_p, n_dims):
    bits = -log_p / (n_dims * math.log(2))
    gain = -rival_log_p / (n_dims * math.log(2)) - bits
    return bits.mean(), bits.std(), gain.mean(), gain.std()


def took_the_variance(log_p, rival_log_p, n_dims):
    bits = -log_p / (n_dims * math.log(2))
    gain = -rival_log_p / (n_dims * math.log(2)) - bits
    return bits.mean(), bits.var() / len(bits), gain.mean(), gain.var() / len(bits)


def divided_by_n(log_p, rival_log_p, n_dims):
    bits = -log_p / (n_dims * math.log(2))
    gain = -rival_log_p / (n_dims * math.log(2)) - bits
    return bits.mean(), bits.std() / len(bits), gain.mean(), gain.std() / len(bits)


def added_the_two_bars_in_squares(log_p, rival_log_p, n_dims):
    bits = -log_p / (n_dims * math.log(2))
    rival = -rival_log_p / (n_dims * math.log(2))
    se, other = bits.std() / len(bits) ** 0.5, rival.std() / len(bits) ** 0.5
    return bits.mean(), se, rival.mean() - bits.mean(), (se**2 + other**2).sqrt()


def added_the_two_bars(log_p, rival_log_p, n_dims):
    bits = -log_p / (n_dims * math.log(2))
    rival = -rival_log_p / (n_dims * math.log(2))
    se, other = bits.std() / len(bits) ** 0.5, rival.std() / len(bits) ** 0.5
    return bits.mean(), se, rival.mean() - bits.mean(), se + other


def subtracted_the_two_bars(log_p, rival_log_p, n_dims):
    bits = -log_p / (n_dims * math.log(2))
    rival = -rival_log_p / (n_dims * math.log(2))
    se, other = bits.std() / len(bits) ** 0.5, rival.std() / len(bits) ** 0.5
    return bits.mean(), se, rival.mean() - bits.mean(), abs(other - se)


def left_everything_in_nats(log_p, rival_log_p, n_dims):
    nats = -log_p / n_dims
    gain = -rival_log_p / n_dims - nats
    root = len(nats) ** 0.5
    return nats.mean(), nats.std() / root, gain.mean(), gain.std() / root


def left_the_bars_in_nats(log_p, rival_log_p, n_dims):
    bits = -log_p / (n_dims * math.log(2))
    gain = -rival_log_p / (n_dims * math.log(2)) - bits
    root = len(bits) ** 0.5
    return bits.mean(), log_p.std() / root, gain.mean(), (log_p - rival_log_p).std() / root


def forgot_the_dimensions(log_p, rival_log_p, n_dims):
    bits = -log_p / math.log(2)
    gain = -rival_log_p / math.log(2) - bits
    root = len(bits) ** 0.5
    return bits.mean(), bits.std() / root, gain.mean(), gain.std() / root


def lost_the_sign_of_the_loss(log_p, rival_log_p, n_dims):
    bits = log_p / (n_dims * math.log(2))
    gain = bits - rival_log_p / (n_dims * math.log(2))
    root = len(bits) ** 0.5
    return bits.mean(), bits.std() / root, gain.mean(), gain.std() / root


def took_model_minus_rival(log_p, rival_log_p, n_dims):
    bits = -log_p / (n_dims * math.log(2))
    gap = bits + rival_log_p / (n_dims * math.log(2))
    root = len(bits) ** 0.5
    return bits.mean(), bits.std() / root, gap.mean(), gap.std() / root


def rooted_the_dimensions_too(log_p, rival_log_p, n_dims):
    bits = -log_p / (n_dims * math.log(2))
    gain = -rival_log_p / (n_dims * math.log(2)) - bits
    root = (len(bits) * n_dims) ** 0.5
    return bits.mean(), bits.std() / root, gain.mean(), gain.std() / root


def lost_the_sign_of_the_gain(log_p, rival_log_p, n_dims):
    bits = -log_p / (n_dims * math.log(2))
    gain = -rival_log_p / (n_dims * math.log(2)) - bits
    root = len(bits) ** 0.5
    return bits.mean(), bits.std() / root, gain.mean().abs(), gain.std() / root


def gave_two_standard_errors(log_p, rival_log_p, n_dims):
    bits = -log_p / (n_dims * math.log(2))
    gain = -rival_log_p / (n_dims * math.log(2)) - bits
    root = len(bits) ** 0.5
    return bits.mean(), 2 * bits.std() / root, gain.mean(), 2 * gain.std() / root


def multiplied_by_log_2(log_p, rival_log_p, n_dims):
    bits = -log_p * math.log(2) / n_dims
    gain = -rival_log_p * math.log(2) / n_dims - bits
    root = len(bits) ** 0.5
    return bits.mean(), bits.std() / root, gain.mean(), gain.std() / root


REPORT = Exercise(
    id="03.report",
    right=report,
    cases=(_scores(0, 64), _scores(1, 100)),
    mistakes=Mistake.pairs(
        gave_the_spread_of_pictures,
        "your bars are the spread of single pictures; the error of a mean is smaller, by the root "
        "of N.",
        took_the_variance,
        "your bars are variances of the means; take the square root.",
        divided_by_n,
        "you divided the spread by N; averaging helps only with its root.",
        added_the_two_bars_in_squares,
        "your last bar treats the two models as independent; they saw the same pictures, so take "
        "the spread of the differences.",
        added_the_two_bars,
        "you added the two bars; take the spread of the differences, picture by picture.",
        subtracted_the_two_bars,
        "you subtracted the two bars; take the spread of the differences, picture by picture.",
        left_everything_in_nats,
        "these are nats per dimension: divide by log 2.",
        left_the_bars_in_nats,
        "the means are right; the bars are still in nats per picture.",
        forgot_the_dimensions,
        "these are bits per picture: divide by the number of dimensions.",
        lost_the_sign_of_the_loss,
        "the sign of the first number: a loss is minus the log-probability.",
        took_model_minus_rival,
        "the gain has the opposite sign: rival minus model, so that positive means better.",
        lost_the_sign_of_the_gain,
        "the gain is positive even where the model is the worse of the two; keep its sign.",
        gave_two_standard_errors,
        "your bars are two standard errors; give one.",
        multiplied_by_log_2,
        "you multiplied by log 2; a bit is log 2 nats, so divide.",
        rooted_the_dimensions_too,
        "pixels of one picture are not independent: N pictures give the root of N.",
    ),
    rtol=1e-3,  # N or N - 1 in the spread: both are fine
)


# 03.early-stopping
class _Scripted(nn.Module):
    """A model whose one weight walks a given path; its log-probability is best at 0."""

    def __init__(self, path: tuple[float, ...], scale: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([9.0], dtype=torch.float64))
        self.path, self.scale, self.at = path, scale, 0

    def log_prob(self, x: Tensor) -> Tensor:
        return -(900 + self.scale * self.weight**2) * torch.ones(len(x), dtype=torch.float64)


def _ten_steps(model: Any) -> None:
    """Walk on, in place, as an optimiser does."""
    with torch.no_grad():
        model.weight.copy_(model.weight.new_tensor([model.path[model.at]]))
    model.at += 1


Stop = tuple[nn.Module, float]


def early_stopping(
    model: Any, ten_steps: Callable[[Any], None], x_val: Tensor, rounds: int
) -> Stop:
    """The model with the lowest mean NLL on x_val, and that NLL in nats."""
    lowest = math.inf
    for _ in range(rounds):
        ten_steps(model)
        with torch.no_grad():
            nll = -model.log_prob(x_val).mean().item()
        if nll < lowest:
            lowest = nll
            best = copy.deepcopy(model.state_dict())
    model.load_state_dict(best)
    return model, lowest


def as_it_stood(model, ten_steps, x_val, rounds):
    lowest = math.inf
    for _ in range(rounds):
        ten_steps(model)
        with torch.no_grad():
            p = model.log_prob(x_val).exp()
            nll = -(p + 1e-12).log().mean().item()  # <-
        if nll < lowest:
            lowest, best = nll, model.state_dict()  # <-
    model.load_state_dict(best)
    return model, lowest


def kept_no_copy(model, ten_steps, x_val, rounds):
    lowest = math.inf
    for _ in range(rounds):
        ten_steps(model)
        with torch.no_grad():
            nll = -model.log_prob(x_val).mean().item()
        if nll < lowest:
            lowest, best = nll, dict(model.state_dict())  # <-
    model.load_state_dict(best)
    return model, lowest


def copied_but_kept_the_constant(model, ten_steps, x_val, rounds):
    lowest = math.inf
    for _ in range(rounds):
        ten_steps(model)
        with torch.no_grad():
            p = model.log_prob(x_val).exp()
            nll = -(p + 1e-12).log().mean().item()  # <-
        if nll < lowest:
            lowest, best = nll, copy.deepcopy(model.state_dict())
    model.load_state_dict(best)
    return model, lowest


def took_a_smaller_constant(model, ten_steps, x_val, rounds):
    lowest = math.inf
    for _ in range(rounds):
        ten_steps(model)
        with torch.no_grad():
            p = model.log_prob(x_val).exp()
            nll = -(p + 1e-300).log().mean().item()  # <-
        if nll < lowest:
            lowest, best = nll, copy.deepcopy(model.state_dict())
    model.load_state_dict(best)
    return model, lowest


def left_the_logarithm_of_a_zero(model, ten_steps, x_val, rounds):
    lowest, best = math.inf, copy.deepcopy(model.state_dict())
    for _ in range(rounds):
        ten_steps(model)
        with torch.no_grad():
            nll = -model.log_prob(x_val).exp().log().mean().item()  # <-
        if nll < lowest:
            lowest, best = nll, copy.deepcopy(model.state_dict())
    model.load_state_dict(best)
    return model, lowest


def kept_the_worst(model, ten_steps, x_val, rounds):
    highest = -math.inf
    for _ in range(rounds):
        ten_steps(model)
        with torch.no_grad():
            nll = -model.log_prob(x_val).mean().item()
        if nll > highest:  # <-
            highest, best = nll, copy.deepcopy(model.state_dict())
    model.load_state_dict(best)
    return model, highest


def turned_the_sign_of_the_loss(model, ten_steps, x_val, rounds):
    lowest = math.inf
    for _ in range(rounds):
        ten_steps(model)
        with torch.no_grad():
            nll = model.log_prob(x_val).mean().item()  # <-
        if nll < lowest:
            lowest, best = nll, copy.deepcopy(model.state_dict())
    model.load_state_dict(best)
    return model, lowest


def stopped_at_the_first_rise(model, ten_steps, x_val, rounds):
    lowest = math.inf
    for _ in range(rounds):
        ten_steps(model)
        with torch.no_grad():
            nll = -model.log_prob(x_val).mean().item()
        if nll > lowest:  # <-
            break
        lowest, best = nll, copy.deepcopy(model.state_dict())
    model.load_state_dict(best)
    return model, lowest


PATH = (3.0, 1.0, 1.5, 0.25, 0.5, 2.0)  # best in the fourth round; a first rise in the third
_LAST = (
    "the model that you return has its last weights. state_dict() holds the living tensors, and "
    "dict(...) of it too: copy them, with copy.deepcopy, and load the copy at the end."
)
_CONSTANT = (
    "one found. The other: with p far below the constant, every loss is minus the logarithm of the "
    "constant, so the first model wins. The logarithm is there before the exponential."
)
_BOTH = (
    "this behaves as before. Print nll in every round; and ask what the kept dictionary holds ten "
    "steps later."
)
_FIRST_RISE = "you stopped at the first rise; a validation loss wobbles, so go on to the end."
_UNDERFLOW = (
    "p underflows to 0 and its logarithm is infinite. log_prob gives the logarithm already: do not "
    "leave it and come back."
)


def _judge_stopping(answer: Any) -> str:
    """Run it on a scripted model: which weights come back, and which loss?"""
    model = _Scripted(PATH, 10.0)
    returned = answer(model, _ten_steps, torch.zeros(5), len(PATH))
    if not (isinstance(returned, tuple | list) and len(returned) == 2):
        return "return two things, the model and its NLL, as the broken function does."
    kept, lowest = returned
    if not isinstance(kept, nn.Module):
        return "the first thing to return is the model, with the best weights loaded."
    weight, nll = float(next(kept.parameters()).detach()), float(lowest)
    best, true = 0.25, 900 + 10 * 0.25**2
    if math.isinf(nll):
        return _UNDERFLOW
    if nll < 0:
        return "the sign: the loss is minus the mean log-probability."
    if weight == best and abs(nll - true) > 1e-6:
        return "the right model, with another number: return its mean NLL in nats per picture."
    if abs(nll - true) > 1e-6 and nll < 899:  # minus the logarithm of some constant
        return _BOTH if weight == PATH[-1] else _CONSTANT
    if abs(nll - true) > 1e-6 and weight == PATH[0]:
        return "you kept the model with the highest loss."
    said = {best: "", PATH[1]: _FIRST_RISE, PATH[-1]: _LAST}
    return said.get(weight, "the weights are those of another round than the best one.")


EARLY_STOPPING = Exercise(
    id="03.early-stopping",
    right=early_stopping,
    mistakes=Mistake.pairs(
        as_it_stood, _BOTH,
        kept_no_copy, _LAST,
        copied_but_kept_the_constant, _CONSTANT,
        took_a_smaller_constant, _CONSTANT,
        left_the_logarithm_of_a_zero, _UNDERFLOW,
        kept_the_worst, "you kept the model with the highest loss.",
        turned_the_sign_of_the_loss, "the sign: the loss is minus the mean log-probability.",
        stopped_at_the_first_rise, _FIRST_RISE,
    ),
    judge=_judge_stopping,
)  # fmt: skip


# 03.estimates
def estimates(
    z_p: Tensor, z_q: Tensor, log_p: LogDensity, log_q: LogDensity
) -> tuple[Tensor, Tensor, Tensor]:
    """k1, k2 and k3 of KL(q || p), each a mean over samples of q."""
    log_r = log_p(z_q) - log_q(z_q)
    return (-log_r).mean(), (log_r**2 / 2).mean(), (log_r.exp() - 1 - log_r).mean()


_TABLES = torch.tensor([[0.5, 0.3, 0.2], [0.3, 0.3, 0.4]], dtype=torch.float64)  # p, q


def _log_of(table: Tensor) -> LogDensity:
    return lambda z: table.log()[z].sum(-1)


def _samples(seed: int) -> tuple[Any, ...]:
    g = torch.Generator().manual_seed(seed)
    z_p, z_q = (torch.multinomial(t, 24, True, generator=g).reshape(12, 2) for t in _TABLES)
    return z_p, z_q, _log_of(_TABLES[0]), _log_of(_TABLES[1])


def averaged_over_samples_of_p(z_p, z_q, log_p, log_q):
    log_r = log_p(z_p) - log_q(z_p)
    return (-log_r).mean(), (log_r**2 / 2).mean(), (log_r.exp() - 1 - log_r).mean()


def estimated_the_forward_kl(z_p, z_q, log_p, log_q):
    log_r = log_q(z_p) - log_p(z_p)
    return (-log_r).mean(), (log_r**2 / 2).mean(), (log_r.exp() - 1 - log_r).mean()


def turned_the_ratio_round(z_p, z_q, log_p, log_q):
    log_r = log_q(z_q) - log_p(z_q)
    return (-log_r).mean(), (log_r**2 / 2).mean(), (log_r.exp() - 1 - log_r).mean()


def compared_different_samples(z_p, z_q, log_p, log_q):
    log_r = log_p(z_p) - log_q(z_q)
    return (-log_r).mean(), (log_r**2 / 2).mean(), (log_r.exp() - 1 - log_r).mean()


def turned_the_ratio_round_in_k3(z_p, z_q, log_p, log_q):
    log_r = log_p(z_q) - log_q(z_q)
    return (-log_r).mean(), (log_r**2 / 2).mean(), ((-log_r).exp() - 1 + log_r).mean()


def lost_a_sign_in_k1(z_p, z_q, log_p, log_q):
    log_r = log_p(z_q) - log_q(z_q)
    return log_r.mean(), (log_r**2 / 2).mean(), (log_r.exp() - 1 - log_r).mean()


def forgot_the_half(z_p, z_q, log_p, log_q):
    log_r = log_p(z_q) - log_q(z_q)
    return (-log_r).mean(), (log_r**2).mean(), (log_r.exp() - 1 - log_r).mean()


def squared_the_half_too(z_p, z_q, log_p, log_q):
    log_r = log_p(z_q) - log_q(z_q)
    return (-log_r).mean(), ((log_r / 2) ** 2).mean(), (log_r.exp() - 1 - log_r).mean()


def squared_the_mean(z_p, z_q, log_p, log_q):
    log_r = log_p(z_q) - log_q(z_q)
    return (-log_r).mean(), log_r.mean() ** 2 / 2, (log_r.exp() - 1 - log_r).mean()


def took_r_of_the_mean(z_p, z_q, log_p, log_q):
    log_r = (log_p(z_q) - log_q(z_q)).mean()
    return -log_r, log_r**2 / 2, log_r.exp() - 1 - log_r


def forgot_the_exponential(z_p, z_q, log_p, log_q):
    log_r = log_p(z_q) - log_q(z_q)
    return (-log_r).mean(), (log_r**2 / 2).mean(), (log_r - 1 - log_r).mean()


def divided_log_probabilities(z_p, z_q, log_p, log_q):
    r = log_p(z_q) / log_q(z_q)
    return (-r.log()).mean(), (r.log() ** 2 / 2).mean(), (r - 1 - r.log()).mean()


def forgot_the_minus_one(z_p, z_q, log_p, log_q):
    log_r = log_p(z_q) - log_q(z_q)
    return (-log_r).mean(), (log_r**2 / 2).mean(), (log_r.exp() - log_r).mean()


def summed_over_the_batch(z_p, z_q, log_p, log_q):
    log_r = log_p(z_q) - log_q(z_q)
    return (-log_r).sum(), (log_r**2 / 2).sum(), (log_r.exp() - 1 - log_r).sum()


def weighed_by_q_once_more(z_p, z_q, log_p, log_q):
    log_r, q = log_p(z_q) - log_q(z_q), log_q(z_q).exp()
    return (-q * log_r).sum(), (q * log_r**2 / 2).sum(), (q * (log_r.exp() - 1 - log_r)).sum()


ESTIMATES = Exercise(
    id="03.estimates",
    right=estimates,
    cases=(_samples(0), _samples(1)),
    mistakes=Mistake.pairs(
        averaged_over_samples_of_p,
        "you averaged over samples of p; in KL(q || p) it is q that does the averaging.",
        estimated_the_forward_kl,
        "that is KL(p || q), the other direction: here q comes first.",
        turned_the_ratio_round,
        "your ratio is upside down: r is p over q.",
        compared_different_samples,
        "you scored different samples with the two models; score the same samples with both.",
        turned_the_ratio_round_in_k3,
        "k1 and k2 are right; in k3 the ratio is upside down.",
        lost_a_sign_in_k1,
        "k2 and k3 are right; k1 is *minus* log r.",
        forgot_the_half,
        "k1 and k3 are right; k2 has a factor one half.",
        squared_the_half_too,
        "k1 and k3 are right; in k2 the half stands outside of the square.",
        squared_the_mean,
        "k1 and k3 are right; in k2 square each sample, and average then.",
        took_r_of_the_mean,
        "you averaged log r first; each of the three is a mean over samples of its own.",
        forgot_the_exponential,
        "k1 and k2 are right; in k3 the first term is r itself, not its logarithm.",
        divided_log_probabilities,
        "you divided log-probabilities; the logarithm of a ratio is their difference.",
        forgot_the_minus_one,
        "k1 and k2 are right; k3 lacks the -1, so it is not zero where p and q agree.",
        summed_over_the_batch,
        "you summed over the batch; a mean estimates the divergence.",
        weighed_by_q_once_more,
        "you weighed by q again: the samples come from q already, so a plain mean will do.",
    ),
)


# 03.fisher-poisson: unchanged
FISHER_POISSON = Exercise(
    id="03.fisher-poisson",
    right=lambda rate: 1 / rate,
    cases=((0.5,), (2.0,), (7.0,)),
    mistakes=Mistake.pairs(
        lambda rate: rate,
        "that is the variance of n itself, or of the best estimate: not the information.",
        lambda rate: 1 / rate**2,
        "that is the information of waiting times; you left E[n] out of the average.",
        lambda rate: math.sqrt(rate),
        "that is the standard deviation of n: not the information.",
        lambda rate: 1 / math.sqrt(rate),
        "that is a square root too many: the information is not a standard deviation.",
    ),
)

EXERCISES = bank(globals())
