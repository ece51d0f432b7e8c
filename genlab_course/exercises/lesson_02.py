"""Exercises of lesson 02: autoregressive models.

The right answers are what a learner could have written: they drive the notebook until the
learner's own are right.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from genlab_course.grading import Exercise, Mistake, bank
from genlab_course.predictions import Prediction

BITS = Prediction("02.predict-bits", choices=("3", "2", "1"), unit="bits")
LEAK = Prediction("02.predict-leak", choices=("a", "b", "c"))
SENTENCES = Prediction("02.predict-sentences", between=(0, 100), unit="%")


def sequence_nll(conditionals: Sequence[float]) -> float:
    """Negative log-likelihood of a sequence, nats."""
    return -sum(math.log(p) for p in conditionals)


SEQUENCE_NLL = Exercise(
    id="02.sequence-nll",
    right=sequence_nll,
    cases=(([0.3, 0.5, 0.4],), ([0.9],), ([0.25, 0.25],)),
    mistakes=Mistake.pairs(
        lambda c: -sum(math.log(p) for p in c) / len(c),
        "you averaged over the tokens; the log of a product is a sum.",
        lambda c: sum(math.log(p) for p in c),
        "the sign: a probability below 1 has a negative log.",
        lambda c: -sum(math.log2(p) for p in c),
        "these are bits: you took logarithms to base 2, and nats were asked for.",
        lambda c: math.prod(c),
        "this is the joint probability itself, not its log.",
        lambda c: -math.log(sum(c)),
        "you took the log of a sum; probabilities of successive tokens multiply.",
    ),
)


def next_token_loss(logits: Tensor, x: Tensor) -> Tensor:
    """Mean negative log-likelihood per token, nats."""
    return -logits.log_softmax(-1).gather(-1, x[..., None]).mean()


def _judge_gradient(loss: Callable[..., Tensor]) -> str:
    """At equal logits the gradient is softmax minus one-hot, by the number of tokens: (4)."""
    logits, x = torch.zeros(1, 2, 2, requires_grad=True), torch.tensor([[0, 1]])
    found: Any = None
    try:
        found = loss(logits, x)
    except RuntimeError as error:
        if "requires grad" not in str(error):  # what numpy says to such a tensor
            raise
    if not getattr(found, "requires_grad", False):
        return "the number is right, but it has no gradient: avoid .item(), .detach() and numpy."
    (slope,) = torch.autograd.grad(found, logits)
    return "" if torch.allclose(slope, (0.5 - F.one_hot(x, 2)) / 2) else "its gradient is not (4)."


_G = Generator().manual_seed(2)


def averaged_over_the_levels_too(logits, x):
    one_hot = F.one_hot(x, logits.shape[-1])
    return -(one_hot * logits.log_softmax(-1)).mean()


LOSS = Exercise(
    id="02.loss",
    right=next_token_loss,
    cases=tuple(
        (torch.randn(b, n, k, generator=_G), torch.randint(k, (b, n), generator=_G))
        for b, n, k in ((2, 2, 3), (3, 4, 5), (2, 6, 3))
    ),
    judge=_judge_gradient,
    mistakes=Mistake.pairs(
        lambda logits, x: -logits.log_softmax(-1).gather(-1, x[..., None]).sum(1).mean(),
        "you added up over the tokens; the mean over batch *and* tokens was asked for.",
        lambda logits, x: -logits.log_softmax(-1).gather(-1, x[..., None]).sum(),
        "you added up everything; such a loss, and its gradient, grow with the batch.",
        averaged_over_the_levels_too,
        "you averaged over the levels too: of those only the one that came counts.",
        lambda logits, x: logits.log_softmax(-1).gather(-1, x[..., None]).mean(),
        "the sign: training would make the data improbable.",
        lambda logits, x: -logits.log_softmax(-1).gather(-1, x[..., None]).mean() / math.log(2),
        "these are bits: divide by log 2 when you print, not in the loss.",
        lambda logits, x: -logits.gather(-1, x[..., None]).mean(),
        "you used the bare logits: without the normaliser the network wins by growing them all.",
        lambda logits, x: -logits.softmax(-1).gather(-1, x[..., None]).mean(),
        "you averaged probabilities, not their logarithms.",
        lambda logits, x: -logits.log_softmax(1).gather(-1, x[..., None]).mean(),
        "you normalised over the positions; the distribution is over the last axis.",
        lambda logits, x: -logits.log_softmax(-1)[..., x].mean(),
        "[..., x] takes all tokens of x at every position; gather takes each position's own.",
        lambda logits, x: F.cross_entropy(logits.reshape(len(x), -1, x.shape[1]), x),
        "reshape does not turn axes round, it deals the numbers out anew: use logits.mT.",
        lambda logits, x: F.cross_entropy(logits.softmax(-1).mT, x),
        "you applied the softmax twice: log_softmax and cross_entropy take the bare logits.",
        lambda logits, x: F.cross_entropy(logits[:, :-1].mT, x[:, 1:]),
        "you shifted once more: row i of these logits already predicts token i.",
        lambda logits, x: F.cross_entropy(logits[:, 1:].mT, x[:, :-1]),
        "you shifted: row i of these logits already predicts token i.",
    ),
)


def causal_mask(n: int) -> Tensor:
    """1 where position i may read position j of the shifted input."""
    return torch.ones(n, n).tril()


CAUSAL_MASK = Exercise(
    id="02.causal-mask",
    right=causal_mask,
    cases=((1,), (2,), (5,)),
    mistakes=Mistake.pairs(
        lambda n: np.tril(np.ones((n, n)), -1),
        "off by one: position 0 may look at nothing, its softmax is 0 / 0. The input was shifted.",
        lambda n: np.triu(np.ones((n, n))),
        "transposed: everybody looks at the future and never at the past.",
        lambda n: np.ones((n, n)),
        "everybody looks at everybody: a bidirectional encoder, not a language model.",
        lambda n: np.triu(np.ones((n, n)), 1),
        "you marked what is hidden, as some functions of torch want; mark what may be read.",
        lambda n: np.triu(np.full((n, n), -math.inf), 1),
        "an additive mask: the right positions, but 0 and 1 were asked for.",
        lambda n: np.tril(np.ones((n, n)), 1),
        "off by one the other way: each position sees the very token it must predict.",
    ),
)


def read(q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
    """Each query's mean of the values that it may read, weighted by query and key: (8)."""
    scores = q @ k.mT / math.sqrt(q.shape[-1])
    scores = scores.masked_fill(~mask, -math.inf)
    weights = scores.softmax(dim=-1)
    return weights @ v


def without_the_mask(q, k, v, mask):
    return (q @ k.mT / math.sqrt(q.shape[-1])).softmax(-1) @ v


def made_a_mask_of_its_own(q, k, v, mask):
    t, s = q.shape[-2], k.shape[-2]
    past = torch.ones(t, s).tril(s - t) > 0
    scores = q @ k.mT / math.sqrt(q.shape[-1])
    return scores.masked_fill(~past, -math.inf).softmax(-1) @ v


def hid_the_scores_with_zeros(q, k, v, mask):
    scores = q @ k.mT / math.sqrt(q.shape[-1])
    return (scores * mask).softmax(-1) @ v


def masked_after_the_softmax(q, k, v, mask):
    weights = (q @ k.mT / math.sqrt(q.shape[-1])).softmax(-1)
    return (weights * mask) @ v


def hid_what_may_be_read(q, k, v, mask):
    scores = q @ k.mT / math.sqrt(q.shape[-1])
    return scores.masked_fill(mask, -math.inf).softmax(-1) @ v


def did_not_divide(q, k, v, mask):
    return (q @ k.mT).masked_fill(~mask, -math.inf).softmax(-1) @ v


def divided_by_the_length(q, k, v, mask):
    scores = q @ k.mT / q.shape[-1]
    return scores.masked_fill(~mask, -math.inf).softmax(-1) @ v


def took_the_root_of_the_number_of_keys(q, k, v, mask):
    scores = q @ k.mT / math.sqrt(k.shape[-2])
    return scores.masked_fill(~mask, -math.inf).softmax(-1) @ v


def took_the_root_of_the_number_of_queries(q, k, v, mask):
    scores = q @ k.mT / math.sqrt(q.shape[-2])
    return scores.masked_fill(~mask, -math.inf).softmax(-1) @ v


def reshaped_the_keys(q, k, v, mask):
    turned = k.reshape(*k.shape[:-2], k.shape[-1], k.shape[-2])
    scores = q @ turned / math.sqrt(q.shape[-1])
    return scores.masked_fill(~mask, -math.inf).softmax(-1) @ v


def softmax_over_the_queries(q, k, v, mask):
    scores = q @ k.mT / math.sqrt(q.shape[-1])
    return scores.masked_fill(~mask, -math.inf).softmax(-2) @ v


def without_a_softmax(q, k, v, mask):
    scores = q @ k.mT / math.sqrt(q.shape[-1])
    return (scores * mask) @ v


def exponentials_that_do_not_add_up_to_one(q, k, v, mask):
    scores = q @ k.mT / math.sqrt(q.shape[-1])
    return scores.masked_fill(~mask, -math.inf).exp() @ v


def the_mean_of_the_keys(q, k, v, mask):
    scores = q @ k.mT / math.sqrt(q.shape[-1])
    return scores.masked_fill(~mask, -math.inf).softmax(-1) @ k


def the_weights_alone(q, k, v, mask):
    scores = q @ k.mT / math.sqrt(q.shape[-1])
    return scores.masked_fill(~mask, -math.inf).softmax(-1)


def the_mean_without_query_and_key(q, k, v, mask):
    weights = (mask / mask.sum(-1, keepdim=True)).to(v)
    return weights.expand(*q.shape[:-1], -1) @ v


def _heads(*shape: int) -> Tensor:
    """Random queries, keys or values; a gradient must find its way back through them."""
    return torch.randn(*shape, generator=_G).requires_grad_()


_WINDOW = torch.ones(5, 5).tril().triu(-1) > 0  # the present and one token back

READ = Exercise(
    id="02.read",
    right=read,
    cases=(
        (_heads(2, 3, 5, 8), _heads(2, 3, 5, 8), _heads(2, 3, 5, 8), torch.ones(5, 5).tril() > 0),
        (_heads(2, 1, 1, 2), _heads(2, 1, 4, 2), _heads(2, 1, 4, 2), torch.ones(1, 4) > 0),
        (_heads(1, 2, 5, 8), _heads(1, 2, 5, 8), _heads(1, 2, 5, 8), _WINDOW),
    ),
    mistakes=Mistake.pairs(
        without_the_mask,
        "you did not use the mask: every position reads the future.",
        made_a_mask_of_its_own,
        "you made a mask of your own: use the one that is given, which may hide more.",
        hid_the_scores_with_zeros,
        "a hidden score of 0 still gets a weight, since exp(0) is 1: make it minus infinity.",
        masked_after_the_softmax,
        "you masked after the softmax: the weights that remain no longer add up to 1.",
        hid_what_may_be_read,
        "masked_fill fills the places where its mask is True, and you hid what may be read: "
        "give it ~mask.",
        did_not_divide,
        "the scores are not divided by the root of the length of a query.",
        divided_by_the_length,
        "you divided by the length of a query; take its root.",
        took_the_root_of_the_number_of_keys,
        "you took the root of the number of keys; take that of the length of one query, "
        "q.shape[-1].",
        took_the_root_of_the_number_of_queries,
        "you took the root of the number of queries; take that of the length of one, q.shape[-1].",
        reshaped_the_keys,
        "reshape does not turn axes round, it deals the numbers out anew: use k.mT.",
        softmax_over_the_queries,
        "your softmax runs over the queries; each query's weights, along the last axis, must add "
        "up to 1.",
        without_a_softmax,
        "you used the scores themselves as weights: a softmax makes them positive, with sum 1.",
        exponentials_that_do_not_add_up_to_one,
        "the exponentials are right, but each row must be divided by its sum: that is the softmax.",
        the_mean_of_the_keys,
        "you took the mean of the keys: keys are compared, values are handed over.",
        the_weights_alone,
        "these are the weights; the last step is their weighted mean of the values.",
        the_mean_without_query_and_key,
        "this is the plain mean of version 2: queries and keys do not appear in it yet.",
    ),
)


WITHOUT_MASK = "without a mask every position of (2) reads the whole shifted picture."
WITHOUT_SHIFT = "without the shift, which pixel stands at position i of (3), on the diagonal?"
SHORT_MEMORY = "(4) never looks ahead. That it forgets what lies far back costs bits, not honesty."
OUR_OWN = "what do shift and mask together hide in (1)?"


def _judge_trainable(answer: Any) -> str:
    """Which of the four may be trained: (1) and (4), in any order."""
    named = {int(number) for number in answer}
    if not named <= {1, 2, 3, 4}:
        return "give the numbers of the networks, such as [2, 3]."
    if 2 in named:
        return WITHOUT_MASK
    if 3 in named:
        return WITHOUT_SHIFT
    if 1 not in named:
        return OUR_OWN
    return "" if 4 in named else SHORT_MEMORY


TRAINABLE = Exercise(
    id="02.trainable",
    right=[1, 4],
    judge=_judge_trainable,
    mistakes=Mistake.pairs(
        [1, 2, 4], WITHOUT_MASK, [1, 3, 4], WITHOUT_SHIFT, [1], SHORT_MEMORY, [4], OUR_OWN
    ),
)


@torch.no_grad()
def sample(
    network: Callable[[Tensor], Tensor], x: Tensor, start: int, generator: Generator
) -> Tensor:
    """Draw tokens start, start + 1, ... of every row; earlier ones are given."""
    x = x.clone()
    for i in range(start, x.shape[1]):
        probs = network(x)[:, i].softmax(-1)
        x[:, i] = torch.multinomial(probs, 1, generator=generator)[:, 0]
    return x


def _follow(x: Tensor) -> Tensor:
    """Logits that leave no choice: token i is the one before plus i, modulo 3; the first is 2."""
    if x.shape[1] not in (5, 7):
        raise ValueError(f"the network got {x.shape[1]} columns of x: hand it all of x, each time")
    before = F.pad(x[:, :-1], (1, 0), value=2)
    return 50.0 * F.one_hot((before + torch.arange(x.shape[1])) % 3, 3)


def _judge_draws(sampler: Callable[..., Tensor]) -> str:
    """Three levels with probabilities 0.2, 0.3 and 0.5, from logits that are all negative."""
    x, p = torch.zeros(3000, 2, dtype=torch.int64), torch.tensor([0.2, 0.3, 0.5])

    def network(x: Tensor) -> Tensor:
        return p.log() - torch.ones(3000, 2, 1) + 0 * x[:, 1:2, None]  # fails without all of x

    try:
        a, b = (sampler(network, x, 0, Generator().manual_seed(1)) for _ in range(2))
    except RuntimeError as error:
        needs = "softmax first" if "probability" in str(error) else "the network needs all of x"
        return f"{needs} ({error})"
    found = F.one_hot(torch.as_tensor(a), 3).double().mean((0, 1))
    if x.any():
        return "you wrote into the x that you were given: clone it first."
    if found.max() == 1:
        return "you took the likeliest token: greedy decoding, every picture is the same."
    if (found - p).abs().max() > 0.04:
        return f"levels of probability 0.2, 0.3, 0.5 came with {found.numpy().round(2)}: softmax?"
    return "" if torch.equal(a, b) else "one seed, two results: pass the generator to multinomial."


def as_it_stood(network, x, start, generator):
    x = x.clone()
    probs = network(x).softmax(-1)
    for i in range(start, x.shape[1]):
        x[:, i] = torch.multinomial(probs[:, i - 1], 1, generator=generator)[:, 0]
    return x


def ran_the_network_once(network, x, start, generator):
    x = x.clone()
    probs = network(x).softmax(-1)
    for i in range(start, x.shape[1]):
        x[:, i] = torch.multinomial(probs[:, i], 1, generator=generator)[:, 0]
    return x


def read_the_row_before(network, x, start, generator):
    x = x.clone()
    for i in range(start, x.shape[1]):
        probs = network(x).softmax(-1)
        x[:, i] = torch.multinomial(probs[:, i - 1], 1, generator=generator)[:, 0]
    return x


def wrote_one_place_too_far(network, x, start, generator):
    x = x.clone()
    for i in range(start, x.shape[1] - 1):
        probs = network(x)[:, i].softmax(-1)
        x[:, i + 1] = torch.multinomial(probs, 1, generator=generator)[:, 0]
    return x


def drew_the_given_tokens_anew(network, x, start, generator):
    x = x.clone()
    for i in range(x.shape[1]):
        probs = network(x).softmax(-1)
        x[:, i] = torch.multinomial(probs[:, i], 1, generator=generator)[:, 0]
    return x


def took_the_likeliest_token(network, x, start, generator):
    x = x.clone()
    for i in range(start, x.shape[1]):
        x[:, i] = network(x)[:, i].argmax(-1)
    return x


SAMPLER = Exercise(
    id="02.sampler",
    right=sample,
    cases=(
        (_follow, torch.zeros(2, 7, dtype=torch.int64), 0, Generator().manual_seed(1)),
        (_follow, torch.tensor([[2, 0, 1, 1, 0], [0, 1, 2, 2, 2]]), 3, Generator().manual_seed(1)),
    ),
    mistakes=Mistake.pairs(
        as_it_stood,
        "both bugs are still there. Which line runs only once? Which row belongs to token i?",
        ran_the_network_once,
        "the right row, but the network ran once, before anything was drawn.",
        read_the_row_before,
        "the network runs for each token now, but row i - 1 is the distribution of token i - 1.",
        wrote_one_place_too_far,
        "row i is the distribution of token i, and you wrote its draw to place i + 1.",
        drew_the_given_tokens_anew,
        "you drew the given tokens anew: begin at `start`.",
        took_the_likeliest_token,
        "you took the likeliest token: greedy decoding, every picture is the same.",
    ),
    judge=_judge_draws,
)


def pairs_without_cache(n: int) -> int:
    """Pairs of a query and a key, hidden ones included."""
    return sum(t * t for t in range(1, n + 1))


PAIRS = Exercise(
    id="02.pairs",
    right=pairs_without_cache,
    cases=((1,), (2,), (10,), (500,)),
    mistakes=Mistake.pairs(
        lambda n: sum(range(1, n + 1)),
        "this is the count *with* a cache: one query per token, against all keys so far.",
        lambda n: n * (n + 1) * (n + 2) / 6,
        "you counted the visible pairs only; a hidden pair is computed first, then masked.",
        lambda n: n**3,
        "your sampler of section 9 reads all n positions each time; here pass t reads only t.",
        lambda n: n**2 * (n + 1) / 2,
        "you let each of the t queries meet all n keys; pass t has only t of them.",
        lambda n: n**2,
        "this is one pass over all n tokens; add up one pass for each token.",
        lambda n: n**3 / 3,
        "this is the leading term, right for large n; the exact sum of the squares has two more.",
        lambda n: sum(t * t for t in range(1, n)),
        "off by one: the forward pass that writes token t reads t tokens, begin token included.",
    ),
    atol=0.5,
)

EXERCISES = bank(globals())
