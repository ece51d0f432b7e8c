"""Exercises of the notebook on parallel tokens: check a draft, guess gaps, pay in bits."""

import torch
from torch import Tensor

from genlab_course.grading import Exercise, Mistake, bank
from genlab_course.predictions import Prediction

TEXT = Prediction(id="par.predict-text", choices=("zero", "a little", "as far as the table"))
WORDS = Prediction(id="par.predict-words", between=(0, 100), unit="percent")
ONES = Prediction(id="par.predict-ones", between=(0, 100), unit="of 100")


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
        "You count every token that passes; what comes after a rejection is thrown away.",
        turned_the_ratio_round,
        "Your ratio is upside down: what the target likes more than the draft must be kept.",
        kept_with_the_targets_probability,
        "Kept with probability p(x): the draft has already paid q(x) for it.",
        counted_the_targets_token_too,
        "You count the token that the target adds, too; it is not a kept draft.",
    ),
)


def replacement(p: Tensor, q: Tensor) -> Tensor:
    """The distribution of the token that replaces a rejected one: what q gave too little of."""
    left = (p - q).clamp(min=0)
    return left / left.sum(-1, keepdim=True)


X, P, Q, U = _round(3, 60, 2)


def drew_from_the_target_again(p, q):
    return p


def drew_from_what_the_draft_has_too_much(p, q):
    left = (q - p).clamp(min=0)
    return left / left.sum(-1, keepdim=True)


def drew_from_the_absolute_difference(p, q):
    left = (p - q).abs()
    return left / left.sum(-1, keepdim=True)


def drew_from_the_difference_with_its_sign(p, q):
    left = p - q
    return left / left.sum(-1, keepdim=True)


def did_not_normalise(p, q):
    return (p - q).clamp(min=0)


def normalised_over_the_batch(p, q):
    left = (p - q).clamp(min=0)
    return left / left.sum()


def divided_by_what_is_kept(p, q):
    left = (p - q).clamp(min=0)
    return left / torch.minimum(p, q).sum(-1, keepdim=True)


def drew_from_what_both_have(p, q):
    left = torch.minimum(p, q)
    return left / left.sum(-1, keepdim=True)


REPLACEMENT = Exercise(
    id="par.replacement",
    right=replacement,
    cases=((P[:, 0], Q[:, 0]), (P, Q)),
    mistakes=Mistake.pairs(
        drew_from_the_target_again,
        "This is the broken sampler as it stood: what q already gave is given again.",
        drew_from_what_the_draft_has_too_much,
        "You draw from what the draft gave too much of: q - p in place of p - q.",
        drew_from_the_absolute_difference,
        "You draw from |p - q|: what the draft gave too much of must not come back.",
        drew_from_the_difference_with_its_sign,
        "p - q sums to 0 and has negative parts: where the draft gave enough, nothing is missing.",
        did_not_normalise,
        "These numbers sum to 1 - beta, not to 1: divide by their sum.",
        normalised_over_the_batch,
        "You divide by the sum over the whole batch; each row is a distribution of its own.",
        divided_by_what_is_kept,
        "You divide by beta, the probability of being kept; what is missing sums to 1 - beta.",
        drew_from_what_both_have,
        "That is what the kept tokens carry already. What of p is still missing?",
    ),
)


SPEED_UP = Exercise(
    id="par.speed-up",
    right=2.4696,
    rtol=1e-3,
    mistakes=Mistake.pairs(
        5.0,
        "1 / (1 - beta) is the limit of (4) for large k; what would drafting cost there?",
        3.9514,
        "That is the number of tokens at the best k; a round costs more than one evaluation.",
        3.3616,
        "That is the number of tokens at k = 4; a round costs more than one evaluation.",
        6,
        "That is how many tokens to draft. What speed-up does it give?",
        2.4595,
        "That is k = 5. One more token still helps a little.",
        2.4477,
        "That is k = 7. Try one token less.",
        2.4012,
        "That is k = 4. Try a larger k.",
        2.4049,
        "That is k = 8. Try a smaller k.",
        3.2,
        "k * beta counts each draft by itself; a token counts only if all before it are kept.",
        1.8594,
        "You count kept drafts alone; one token more comes out of every round.",
    ),
)


def masked_loss(logits: Tensor, x: Tensor, hidden: Tensor, t: Tensor) -> Tensor:
    """The weighted guesses of the hidden tokens of each text, in nats."""
    log_p = logits.log_softmax(-1)
    right = log_p.gather(-1, x[..., None])[..., 0]
    return -torch.where(hidden, right, 0).sum(1) / t[:, 0]


_G = torch.Generator().manual_seed(21)
_LOGITS = torch.randn(6, 5, 4, generator=_G, dtype=torch.float64, requires_grad=True)
_X = torch.randint(4, (6, 5), generator=_G)
_T = 0.2 + 0.7 * torch.rand(6, 1, generator=_G, dtype=torch.float64)
_GAPS = torch.rand(6, 5, generator=_G) < 0.6
_GAPS[:, 0] = True  # a mean over none is no mean
_GAPS[:, 1] = False


def forgot_the_weight(logits, x, hidden, t):
    right = logits.log_softmax(-1).gather(-1, x[..., None])[..., 0]
    return -torch.where(hidden, right, 0).sum(1)


def took_the_mean_over_the_hidden(logits, x, hidden, t):
    right = logits.log_softmax(-1).gather(-1, x[..., None])[..., 0]
    return -torch.where(hidden, right, 0).sum(1) / hidden.sum(1)


def counted_visible_tokens(logits, x, hidden, t):
    right = logits.log_softmax(-1).gather(-1, x[..., None])[..., 0]
    return -right.sum(1) / t[:, 0]


def asked_for_the_visible_ones(logits, x, hidden, t):
    right = logits.log_softmax(-1).gather(-1, x[..., None])[..., 0]
    return -torch.where(hidden, 0, right).sum(1) / t[:, 0]


def weighted_with_the_time(logits, x, hidden, t):
    right = logits.log_softmax(-1).gather(-1, x[..., None])[..., 0]
    return -torch.where(hidden, right, 0).sum(1) * t[:, 0]


def forgot_the_sign(logits, x, hidden, t):
    right = logits.log_softmax(-1).gather(-1, x[..., None])[..., 0]
    return torch.where(hidden, right, 0).sum(1) / t[:, 0]


def took_logits_for_log_probabilities(logits, x, hidden, t):
    right = logits.gather(-1, x[..., None])[..., 0]
    return -torch.where(hidden, right, 0).sum(1) / t[:, 0]


def divided_by_the_length(logits, x, hidden, t):
    right = logits.log_softmax(-1).gather(-1, x[..., None])[..., 0]
    return -torch.where(hidden, right, 0).mean(1) / t[:, 0]


def took_the_mean_of_the_batch(logits, x, hidden, t):
    right = logits.log_softmax(-1).gather(-1, x[..., None])[..., 0]
    return (-torch.where(hidden, right, 0).sum(1) / t[:, 0]).mean()


def divided_every_text_by_every_time(logits, x, hidden, t):
    right = logits.log_softmax(-1).gather(-1, x[..., None])[..., 0]
    return -torch.where(hidden, right, 0).sum(1) / t


LOSS = Exercise(
    id="par.loss",
    right=masked_loss,
    cases=((_LOGITS, _X, _GAPS, _T), (_LOGITS.flip(0), _X, _GAPS, _T)),
    mistakes=Mistake.pairs(
        forgot_the_weight,
        "The weight 1/t is missing: without it the sum is no mean over orders.",
        took_the_mean_over_the_hidden,
        "You divide by the number of hidden tokens; (7) divides by t, whatever number is hidden.",
        counted_visible_tokens,
        "You count visible tokens, too; only hidden ones are guesses.",
        asked_for_the_visible_ones,
        "You count the visible tokens and leave out the hidden ones.",
        weighted_with_the_time,
        "You multiply by t; the weight is 1/t.",
        forgot_the_sign,
        "The sign: a loss is minus the log-probability.",
        took_logits_for_log_probabilities,
        "logits are not log-probabilities yet: log_softmax along the last axis.",
        divided_by_the_length,
        "You divide by the number of tokens; (7) has a sum over the hidden ones.",
        took_the_mean_of_the_batch,
        "That is the mean over the batch; return a number for each text.",
        divided_every_text_by_every_time,
        "t has shape (b, 1): dividing (b,) by it pairs every text with every time. Take t[:, 0].",
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


def within_budget(h, hidden, bits):
    """Which positions appear: the least sure one, and the surest others within a budget."""
    first = torch.where(hidden, h, -torch.inf).argmax(1, keepdim=True)
    rest = torch.where(hidden, h, torch.inf).scatter(1, first, torch.inf)
    rising, order = rest.sort(1)
    appears = torch.zeros_like(hidden).scatter(1, order, rising.cumsum(1) <= bits)
    return appears.scatter(1, first, True) & hidden


_H = 3 * torch.rand(60, 6, generator=_G, dtype=torch.float64)
_HIDDEN = torch.rand(60, 6, generator=_G) < 0.7
_HIDDEN[0] = False


def held_each_entropy_against_the_budget(h, hidden, bits):
    first = torch.where(hidden, h, -torch.inf).argmax(1, keepdim=True)
    return ((h <= bits) & hidden).scatter(1, first, True) & hidden


def charged_the_largest_entropy_too(h, hidden, bits):
    largest, first = torch.where(hidden, h, -torch.inf).max(1, keepdim=True)
    rest = torch.where(hidden, h, torch.inf).scatter(1, first, torch.inf)
    rising, order = rest.sort(1)
    appears = torch.zeros_like(hidden).scatter(1, order, largest + rising.cumsum(1) <= bits)
    return appears.scatter(1, first, True) & hidden


def began_with_the_surest(h, hidden, bits):
    rising, order = torch.where(hidden, h, torch.inf).sort(1)
    before = rising.cumsum(1) - rising
    return torch.zeros_like(hidden).scatter(1, order, before <= bits) & hidden


def charged_the_surest_and_left_out_the_least_sure(h, hidden, bits):
    rising, order = torch.where(hidden, h, torch.inf).sort(1)
    return torch.zeros_like(hidden).scatter(1, order, rising.cumsum(1) <= bits) & hidden


def added_the_least_sure_others(h, hidden, bits):
    first = torch.where(hidden, h, -torch.inf).argmax(1, keepdim=True)
    rest = torch.where(hidden, h, -torch.inf).scatter(1, first, -torch.inf)
    falling, order = rest.sort(1, descending=True)
    spent = torch.where(falling.isinf(), torch.inf, falling).cumsum(1)
    appears = torch.zeros_like(hidden).scatter(1, order, spent <= bits)
    return appears.scatter(1, first, True) & hidden


def revealed_visible_positions(h, hidden, bits):
    first = torch.where(hidden, h, -torch.inf).argmax(1, keepdim=True)
    rest = torch.where(hidden, h, 0).scatter(1, first, torch.inf)
    rising, order = rest.sort(1)
    appears = torch.zeros_like(hidden).scatter(1, order, rising.cumsum(1) <= bits)
    return appears.scatter(1, first, True)


def revealed_the_least_sure_alone(h, hidden, bits):
    first = torch.where(hidden, h, -torch.inf).argmax(1, keepdim=True)
    return torch.zeros_like(hidden).scatter(1, first, True) & hidden


BUDGET = Exercise(
    id="par.budget",
    right=within_budget,
    cases=tuple((_H, _HIDDEN, bits) for bits in (1.03, 0.0, 2.51)),
    mistakes=Mistake.pairs(
        held_each_entropy_against_the_budget,
        "You hold each entropy against the budget by itself; (10) sums over the group.",
        charged_the_largest_entropy_too,
        "You charge the least sure position, too: (10) leaves the largest entropy out.",
        began_with_the_surest,
        "This rule starts with the surest position. It keeps the budget, but begin with the least"
        " sure one: (10) leaves its entropy out.",
        charged_the_surest_and_left_out_the_least_sure,
        "The least sure position is missing: (10) leaves its entropy out, so it always appears.",
        added_the_least_sure_others,
        "After the first position take the *surest* others: they cost least.",
        revealed_visible_positions,
        "You let visible positions appear again; only hidden ones may.",
        revealed_the_least_sure_alone,
        "Only the least sure position appears; what else does the budget allow?",
    ),
)

EXERCISES = bank(globals())
