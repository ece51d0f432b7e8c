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


PERPLEXITY = Exercise(
    id="02.perplexity",
    right=lambda per_character, characters: per_character**characters,
    cases=((3.0, 5.5), (2.0, 4.0), (1.5, 6.0)),
    mistakes=Mistake.pairs(
        lambda p, n: p * n,
        "you multiplied; choices multiply at every character: take a power.",
        lambda p, n: p,
        "this is still per character: a word has more than one.",
        lambda p, n: n * math.log(p),
        "these are the nats of a word; perplexity counts choices.",
    ),
)


LEAKS = Exercise(
    id="02.leaks",
    right=64 + 2 * 8 * 7 + 2 * 7 * 7,
    mistakes=Mistake.pairs(
        5 * 64,
        "you forgot the borders: pixels at the edge have fewer neighbours.",
        2 * 8 * 7 + 2 * 7 * 7,
        "you left out the diagonal: a pixel that reads itself copies the answer.",
        64 + 4 * 8 * 7 + 4 * 7 * 7,
        "these are all pairs that respond; four neighbours of each pixel are past, and allowed.",
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
        for b, n, k in ((1, 1, 2), (3, 4, 5), (2, 6, 3))
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
        lambda logits, x: F.cross_entropy(logits.softmax(-1).mT, x),
        "you applied the softmax twice: log_softmax and cross_entropy take the bare logits.",
        lambda logits, x: F.cross_entropy(logits[:, :-1].mT, x[:, 1:]),
        "you shifted once more: row i of these logits already predicts token i.",
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
    before = F.pad(x[:, :-1], (1, 0), value=2)
    return 1000.0 * F.one_hot((before + torch.arange(x.shape[1])) % 3, 3)


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
        lambda n: n**3 / 3,
        "this is the leading term, right for large n; the exact sum of the squares has two more.",
        lambda n: sum(t * t for t in range(1, n)),
        "off by one: the forward pass that writes token t reads t tokens, begin token included.",
    ),
    atol=0.5,
)

EXERCISES = bank(globals())
