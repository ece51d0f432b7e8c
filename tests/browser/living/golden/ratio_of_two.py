"""Lesson 07's two hills and the same hills shifted, with genlab's losses, logits and penalty."""

import math

import torch

from genlab.adversarial import (
    discriminator_loss,
    minimax_generator_loss,
    non_saturating_generator_loss,
    optimal_logits,
    r1_penalty,
)
from genlab.core.stats import kl_on_grid
from genlab.oracles import GaussianMixture

HIDDEN = {"stage": lambda rng: rng.uniform(0, 8)}
SHIFTS = [1.6, 1.6, 1.6, 1.6, 0.0, 7.0, 1.6, 1.6, 0.8]
X = torch.linspace(-7, 15, 881, dtype=torch.float64)
ANSWERS = torch.linspace(0.01, 0.99, 99, dtype=torch.float64)


def tensor(*values):
    return torch.tensor(values, dtype=torch.float64)


def hills(shift):
    """The data, moved to the right."""
    means = tensor([-1.5], [1.0]) + shift
    return GaussianMixture(tensor(0.4, 0.6), means, tensor(0.5, 0.7))


DATA = hills(0.0)
P = DATA.log_prob(X[:, None])


def logits(x, shift):
    """The best discriminator at places (n,)."""
    return optimal_logits(DATA.log_prob(x[:, None]), hills(shift).log_prob(x[:, None]))


def slopes(x, shift, f=lambda logit: logit):
    """How fast a function of the best logit rises, by automatic differentiation."""
    x = x.clone().requires_grad_()
    return torch.autograd.grad(f(logits(x, shift)).sum(), x)[0]


def penalty(shift):
    """R1 of the best discriminator, the data's density in place of a batch."""
    x = X[:, None].clone().requires_grad_()
    squares = r1_penalty(logits(x[:, 0], shift), x)
    return torch.trapezoid(P.exp() * squares.detach(), X) / 2


def expected(settings):
    stage = settings["stage"]
    k = min(len(SHIFTS) - 2, int(stage))
    shift = SHIFTS[k] + (SHIFTS[k + 1] - SHIFTS[k]) * min(1.0, stage - k)
    q, logit = hills(shift).log_prob(X[:, None]), logits(X, shift)
    mixture = torch.logaddexp(P, q) - math.log(2)
    asked = min(1.0, max(0.0, 2 * stage - 1))
    value = -torch.trapezoid(
        P.exp() * discriminator_loss(logit, torch.full_like(logit, -1e9))
        + q.exp() * discriminator_loss(torch.full_like(logit, 1e9), logit), X
    )  # fmt: skip
    here, there = (hills(s).log_prob(tensor([0.7])).exp()[0] for s in (0.0, 1.6))
    best = logits(tensor(0.7), 1.6).sigmoid()[0]
    low = tensor(0.01).logit().requires_grad_()
    generator = (minimax_generator_loss, non_saturating_generator_loss)
    line, fakes = torch.linspace(-6, 6, 121, dtype=torch.float64), tensor(-0.5, 0.4, 2.2, 2.8)
    return {
        "p": P.exp(), "q": q.exp(), "l": logit,
        "d": torch.lerp(tensor(0.5), logit.sigmoid(), asked),
        "js": (kl_on_grid(P, mixture, X) + kl_on_grid(q, mixture, X)) / 2,
        "value": value if asked == 1 else -math.log(4), "here": torch.stack([here, there, best]),
        "bracket": torch.xlogy(here, ANSWERS) + torch.xlogy(there, 1 - ANSWERS),
        "losses": torch.stack([loss(line) for loss in generator]),
        "slopes": torch.cat([torch.autograd.grad(loss(low).sum(), low)[0] for loss in generator]),
        "climb": -slopes(fakes, 1.6, non_saturating_generator_loss),
        "before": logits(X, 2.4).sigmoid(),
        "penalties": torch.stack([penalty(s) for s in (1.6, 0.8, 0.0)]),
        "slants": slopes(tensor(-2, -1.5, -1, 0.3, 1, 1.7), 0.8),
    }  # fmt: skip
