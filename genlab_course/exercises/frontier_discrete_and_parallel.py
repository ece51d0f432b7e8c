"""Exercises of the notebook on parallel tokens: verify a draft, and pay for independence."""

import torch
from torch import Tensor

from genlab_course.grading import Exercise, Mistake, bank


def kept(drafted: Tensor, p: Tensor, q: Tensor, u: Tensor) -> Tensor:
    """How many drafted tokens of each row are kept, up to the first rejection."""
    chosen = drafted[..., None]
    ratio = p.gather(-1, chosen) / q.gather(-1, chosen)
    return (u < ratio[..., 0]).long().cumprod(1).sum(1)


def speculative_token(x: Tensor, p: Tensor, q: Tensor, u: Tensor, v: Tensor) -> Tensor:
    """The drafted tokens x, or what replaces those that are rejected."""
    left = (p - q).clamp(min=0)
    again = torch.searchsorted(left.cumsum(0) / left.sum(), v, right=True)
    return torch.where(u < p[x] / q[x], x, again)


def unmask(x, probs, t, s, u_when, u_what, mask):
    """The state at time s: each hidden token appears with probability (t - s) / t."""
    appears = (x == mask) & (u_when < (t - s) / t)
    drawn = (probs.cumsum(-1) <= u_what[..., None]).sum(-1)
    return torch.where(appears, drawn.clamp(max=probs.shape[-1] - 1), x)


def _round(seed: int, b: int, k: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    g = torch.Generator().manual_seed(seed)
    p, q = (2 * torch.randn(2, b, k, 4, generator=g, dtype=torch.float64)).softmax(-1)
    return torch.randint(4, (b, k), generator=g), p, q, torch.rand(b, k, generator=g).double()


X, P, Q, U = _round(3, 60, 2)
ACCEPT = Exercise(
    id="par.accept", right=kept, cases=(_round(1, 40, 3), _round(2, 30, 5)),
    mistakes=Mistake.pairs(
        lambda x, p, q, u: sum(kept(*(a[:, [i]] for a in (x, p, q, u))) for i in range(len(x[0]))),
        "You count every token that passes; what stands behind a rejection is thrown away.",
        lambda x, p, q, u: kept(x, q, p, u),
        "Your ratio is upside down: what the target likes more than the draft is always kept.",
        lambda x, p, q, u: kept(x, p, torch.ones_like(q), u),
        "Kept with probability p(x): the draft has already paid q(x) for it.",
        lambda x, p, q, u: kept(x, p, q, u) + 1,
        "You count the token that the target adds, too; it is not a kept draft.",
    ),
)  # fmt: skip
RESIDUAL = Exercise(
    id="par.residual", right=speculative_token,
    cases=tuple((X[:, i], P[i, i], Q[i, i], U[:, 0], U[:, 1]) for i in (0, 1)),
    mistakes=Mistake.pairs(
        lambda x, p, q, u, v: x.where(u < p[x] / q[x], speculative_token(x, p, 0 * q, u / 0, v)),
        "This is the broken sampler as it stood: what q already gave is given again.",
        lambda x, p, q, u, v: x.where(u < p[x] / q[x], speculative_token(x, q, p, u / 0, v)),
        "You draw from what the draft gave too much of: q - p in place of p - q.",
        lambda x, p, q, u, v: x.where(
            u < p[x] / q[x], speculative_token(x, q + (p - q).abs(), q, u / 0, v)),
        "You draw from |p - q|: what the draft gave too much of must not come back.",
        lambda x, p, q, u, v: speculative_token(x, p, q, u / 0, v),
        "You replace every token, kept ones too.",
        lambda x, p, q, u, v: speculative_token(x, p, q, u, v / (p - q).clamp(min=0).sum()),
        "You draw from p - q without dividing by its sum: some v lie beyond the end.",
        lambda x, p, q, u, v: torch.where(u < p[x] / q[x], x, torch.stack(
            [torch.searchsorted((c := p.where(torch.arange(4) != i, 0).cumsum(0)) / c[-1], w)
             for i, w in zip(x, v, strict=True)])),
        "You leave out the rejected token alone; others that the draft likes come twice, too.",
    ),
)  # fmt: skip
TOKENS = Exercise(
    id="par.tokens", right=3.3616,
    mistakes=Mistake.pairs(
        4.2, "A token counts only if all before it are kept: 1 + 4 * 0.8 forgets that.",
        3.2, "4 * 0.8 counts each draft by itself; and the target adds a token of its own.",
        2.952, "That sum ends at a ** 3; all four can be kept, too.",
        2.3616, "These are the kept ones alone: the same evaluation yields one token more.",
    ),
)  # fmt: skip
UNMASK = Exercise(
    id="par.unmask", right=unmask,
    cases=tuple((torch.where(t > U, 4, X), P, t, s, U.flip(0), U.flip(1), 4)
                for t, s in ((0.75, 0.5), (1.0, 0.75), (0.5, 0.0))),
    mistakes=Mistake.pairs(
        lambda x, p, t, s, a, b, m: unmask(x, p, 1.0, 1 - t + s, a, b, m),
        "You reveal with probability t - s. Of those still hidden at t, which proportion appears?",
        lambda x, p, t, s, a, b, m: unmask(x, p, t, t - s, a, b, m),
        "s / t is the proportion that *stays* hidden.",
        lambda x, p, t, s, a, b, m: torch.where((x == m) & (a < (t - s) / t), p.argmax(-1), x),
        "You took the likeliest token; draw one, with u_what and the cumulative sums of probs.",
        lambda x, p, t, s, a, b, m: unmask(x, p, t, s, 1 - a, b, m),
        "Right in distribution; let the *small* u_when appear, so that answers can be compared.",
        lambda x, p, t, s, a, b, m: unmask(0 * x + m, p, t, s, a, b, m).where(a < (t - s) / t, x),
        "You redraw visible tokens, too.",
    ),
)  # fmt: skip
TWO = Exercise(
    id="par.two-at-once", right=0.9183,
    mistakes=Mistake.pairs(
        1.585, "That is the entropy of the city, what is to be written, not what is lost.",
        1.0, "That would be so if New and San were even; one city of three is New York.",
        0.6365, "These are nats; take logarithms to base 2.",
        2.5033, "That is what the two words cost apart; what the city costs is still to subtract.",
        0.4444, "That is how often the pair is no city. What is asked is a KL, in bits.",
    ),
)  # fmt: skip
RARE = Exercise(
    id="par.rare-value", right=0.01,
    mistakes=Mistake.pairs(
        0.1, "That is how often d is drawn first; then the coin is kept, and d is drawn again.",
        0.19, "That is how often d is drawn in either of two evaluations. What does each keep?",
        0.09, "That is how often d is drawn first and then lost to c.",
        0.0, "d can be drawn again in the second evaluation, and then nothing else is hidden.",
    ),
)  # fmt: skip

EXERCISES = bank(globals())
