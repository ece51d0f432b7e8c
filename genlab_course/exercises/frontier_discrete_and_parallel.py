"""Exercises of the notebook on parallel tokens: verify a draft, and pay for independence."""

import torch
from torch import Tensor

from genlab_course.grading import Exercise, Mistake, bank


def kept(drafted: Tensor, p: Tensor, q: Tensor, u: Tensor) -> Tensor:
    """How many drafted tokens of each row are kept, up to the first rejection."""
    chosen = drafted[..., None]
    ratio = p.gather(-1, chosen) / q.gather(-1, chosen)
    return (u < ratio[..., 0]).long().cumprod(1).sum(1)


def _round(seed: int, b: int, k: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    g = torch.Generator().manual_seed(seed)
    p, q = (2 * torch.randn(2, b, k, 4, generator=g, dtype=torch.float64)).softmax(-1)
    return torch.randint(4, (b, k), generator=g), p, q, torch.rand(b, k, generator=g).double()


def counted_behind_a_rejection(drafted, p, q, u):
    chosen = drafted[..., None]
    ratio = p.gather(-1, chosen) / q.gather(-1, chosen)
    return (u < ratio[..., 0]).long().sum(1)


def turned_the_ratio_round(drafted, p, q, u):
    chosen = drafted[..., None]
    ratio = q.gather(-1, chosen) / p.gather(-1, chosen)
    return (u < ratio[..., 0]).long().cumprod(1).sum(1)


def kept_with_the_targets_probability(drafted, p, q, u):
    chosen = drafted[..., None]
    probability = p.gather(-1, chosen)
    return (u < probability[..., 0]).long().cumprod(1).sum(1)


def counted_the_targets_token_too(drafted, p, q, u):
    chosen = drafted[..., None]
    ratio = p.gather(-1, chosen) / q.gather(-1, chosen)
    return (u < ratio[..., 0]).long().cumprod(1).sum(1) + 1


ACCEPT = Exercise(
    id="par.accept",
    right=kept,
    cases=(_round(1, 40, 3), _round(2, 30, 5)),
    mistakes=Mistake.pairs(
        counted_behind_a_rejection,
        "You count every token that passes; what stands behind a rejection is thrown away.",
        turned_the_ratio_round,
        "Your ratio is upside down: what the target likes more than the draft is always kept.",
        kept_with_the_targets_probability,
        "Kept with probability p(x): the draft has already paid q(x) for it.",
        counted_the_targets_token_too,
        "You count the token that the target adds, too; it is not a kept draft.",
    ),
)


def speculative_token(x: Tensor, p: Tensor, q: Tensor, u: Tensor, v: Tensor) -> Tensor:
    """The drafted tokens x, or what replaces those that are rejected."""
    left = (p - q).clamp(min=0)
    again = torch.searchsorted(left.cumsum(0) / left.sum(), v, right=True)
    return torch.where(u < p[x] / q[x], x, again)


X, P, Q, U = _round(3, 60, 2)


def drew_from_the_target_again(x, p, q, u, v):
    again = torch.searchsorted(p.cumsum(0), v, right=True)
    return torch.where(u < p[x] / q[x], x, again)


def drew_from_what_the_draft_has_too_much(x, p, q, u, v):
    left = (q - p).clamp(min=0)
    again = torch.searchsorted(left.cumsum(0) / left.sum(), v, right=True)
    return torch.where(u < p[x] / q[x], x, again)


def drew_from_the_absolute_difference(x, p, q, u, v):
    left = (p - q).abs()
    again = torch.searchsorted(left.cumsum(0) / left.sum(), v, right=True)
    return torch.where(u < p[x] / q[x], x, again)


def replaced_every_token(x, p, q, u, v):
    left = (p - q).clamp(min=0)
    again = torch.searchsorted(left.cumsum(0) / left.sum(), v, right=True)
    return again


def did_not_normalise(x, p, q, u, v):
    left = (p - q).clamp(min=0)
    again = torch.searchsorted(left.cumsum(0), v, right=True)
    return torch.where(u < p[x] / q[x], x, again)


def left_out_the_rejected_token_alone(x, p, q, u, v):
    again = x.clone()
    for row, token in enumerate(x):
        others = p.clone()
        others[token] = 0
        again[row] = torch.searchsorted(others.cumsum(0) / others.sum(), v[row], right=True)
    return torch.where(u < p[x] / q[x], x, again)


RESIDUAL = Exercise(
    id="par.residual",
    right=speculative_token,
    cases=tuple((X[:, i], P[i, i], Q[i, i], U[:, 0], U[:, 1]) for i in (0, 1)),
    mistakes=Mistake.pairs(
        drew_from_the_target_again,
        "This is the broken sampler as it stood: what q already gave is given again.",
        drew_from_what_the_draft_has_too_much,
        "You draw from what the draft gave too much of: q - p in place of p - q.",
        drew_from_the_absolute_difference,
        "You draw from |p - q|: what the draft gave too much of must not come back.",
        replaced_every_token,
        "You replace every token, kept ones too.",
        did_not_normalise,
        "You draw from p - q without dividing by its sum: some v lie beyond the end.",
        left_out_the_rejected_token_alone,
        "You leave out the rejected token alone; others that the draft likes come twice, too.",
    ),
)


TOKENS = Exercise(
    id="par.tokens",
    right=3.3616,
    mistakes=Mistake.pairs(
        4.2,
        "A token counts only if all before it are kept: 1 + 4 * 0.8 forgets that.",
        3.2,
        "4 * 0.8 counts each draft by itself; and the target adds a token of its own.",
        2.952,
        "That sum ends at a ** 3; all four can be kept, too.",
        2.3616,
        "These are the kept ones alone: the same evaluation yields one token more.",
    ),
)


def unmask(x, probs, t, s, u_when, u_what, mask):
    """The state at time s: each hidden token appears with probability (t - s) / t."""
    appears = (x == mask) & (u_when < (t - s) / t)
    drawn = (probs.cumsum(-1) <= u_what[..., None]).sum(-1)
    return torch.where(appears, drawn.clamp(max=probs.shape[-1] - 1), x)


def revealed_with_the_time_that_passes(x, probs, t, s, u_when, u_what, mask):
    appears = (x == mask) & (u_when < t - s)
    drawn = (probs.cumsum(-1) <= u_what[..., None]).sum(-1)
    return torch.where(appears, drawn.clamp(max=probs.shape[-1] - 1), x)


def revealed_what_should_stay_hidden(x, probs, t, s, u_when, u_what, mask):
    appears = (x == mask) & (u_when < s / t)
    drawn = (probs.cumsum(-1) <= u_what[..., None]).sum(-1)
    return torch.where(appears, drawn.clamp(max=probs.shape[-1] - 1), x)


def took_the_likeliest_token(x, probs, t, s, u_when, u_what, mask):
    appears = (x == mask) & (u_when < (t - s) / t)
    return torch.where(appears, probs.argmax(-1), x)


def let_the_large_draws_appear(x, probs, t, s, u_when, u_what, mask):
    appears = (x == mask) & (u_when > s / t)
    drawn = (probs.cumsum(-1) <= u_what[..., None]).sum(-1)
    return torch.where(appears, drawn.clamp(max=probs.shape[-1] - 1), x)


def redrew_visible_tokens(x, probs, t, s, u_when, u_what, mask):
    appears = u_when < (t - s) / t
    drawn = (probs.cumsum(-1) <= u_what[..., None]).sum(-1)
    return torch.where(appears, drawn.clamp(max=probs.shape[-1] - 1), x)


UNMASK = Exercise(
    id="par.unmask",
    right=unmask,
    cases=tuple(
        (torch.where(t > U, 4, X), P, t, s, U.flip(0), U.flip(1), 4)
        for t, s in ((0.75, 0.5), (1.0, 0.75), (0.5, 0.0))
    ),
    mistakes=Mistake.pairs(
        revealed_with_the_time_that_passes,
        "You reveal with probability t - s. Of those still hidden at t, which proportion appears?",
        revealed_what_should_stay_hidden,
        "s / t is the proportion that *stays* hidden.",
        took_the_likeliest_token,
        "You took the likeliest token; draw one, with u_what and the cumulative sums of probs.",
        let_the_large_draws_appear,
        "Right in distribution; let the *small* u_when appear, so that answers can be compared.",
        redrew_visible_tokens,
        "You redraw visible tokens, too.",
    ),
)


TWO = Exercise(
    id="par.two-at-once",
    right=0.9183,
    mistakes=Mistake.pairs(
        1.585,
        "That is the entropy of the city, what is to be written, not what is lost.",
        1.0,
        "That would be so if New and San were even; one city of three is New York.",
        0.6365,
        "These are nats; take logarithms to base 2.",
        2.5033,
        "That is what the two words cost apart; what the city costs is still to subtract.",
        0.4444,
        "That is how often the pair is no city. What is asked is a KL, in bits.",
    ),
)


RARE = Exercise(
    id="par.rare-value",
    right=0.01,
    mistakes=Mistake.pairs(
        0.1,
        "That is how often d is drawn first; then the coin is kept, and d is drawn again.",
        0.19,
        "That is how often d is drawn in either of two evaluations. What does each keep?",
        0.09,
        "That is how often d is drawn first and then lost to c.",
        0.0,
        "d can be drawn again in the second evaluation, and then nothing else is hidden.",
    ),
)

EXERCISES = bank(globals())
