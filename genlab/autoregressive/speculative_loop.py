r"""The loop of speculative decoding: draft, verify in one pass, repeat; and who may draft.

$$\underbrace{q \to x_1, \dots, x_k}_{k \text{ cheap passes}} \;\longrightarrow\;
\underbrace{p(\cdot \mid x_{<1}), \dots, p(\cdot \mid x_{\le k})}_{\text{one pass}}
\;\longrightarrow\; 1 \text{ to } k + 1 \text{ new tokens}$$

Anything may draft: a smaller transformer, counts, a copy of the last sentence. Rows of a batch
advance by different amounts, so texts are padded to the right; a causal target does not see that.

Lesson: notebooks/15_four_paradigm_landscape.ipynb
Sources: Leviathan, Kalman and Matias 2023 (arXiv:2211.17192), algorithm 1; Chen et al. 2023
(arXiv:2302.01318), algorithm 2.
"""

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple, final

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor, nn
from torch.nn.functional import pad

from genlab.core.guards import require_between
from genlab.core.iterate import last

from .decoding import LogitsOf, Reshape, draw, reshape_logits
from .ngram import NGram
from .speculative import verify
from .transformer_lm import TransformerLM

Draft = Callable[[Tensor, Tensor], Tensor]  # padded tokens (b, t), lengths (b,) to probs (b, v)


class Round(NamedTuple):
    """Texts after one pass of the target: row i is `tokens[i, :length[i]]`, then padding."""

    tokens: Int[Tensor, " b t"]
    length: Int[Tensor, " b"]
    kept: Int[Tensor, " b"]  # drafted tokens kept in this round, 0..k


def draft_from(logits_of: LogitsOf, *, reshape: Reshape = reshape_logits) -> Draft:
    """Let a smaller causal model draft.

    Args:
        logits_of: tokens to logits of what follows each.
        reshape: changes the logits before each draw.

    Returns:
        A draft that reads the whole text for each token.
    """

    def draft(tokens: Tensor, length: Tensor) -> Tensor:
        rows = torch.arange(len(tokens), device=tokens.device)
        return reshape(logits_of(tokens)[rows, length - 1]).double().softmax(-1)

    return draft


def draft_from_ngram(model: NGram) -> Draft:
    """Let counts draft: next to nothing for a token.

    Args:
        model: of the same vocabulary; tokens outside it (a begin token) count as token 0, and a
            text shorter than its context is filled up with its first token.

    Returns:
        A draft that reads the last `model.order` tokens.

    Example:
        >>> draft = draft_from_ngram(NGram(torch.tensor([0, 1, 0, 1, 0, 1, 0]), 2, order=1))
        >>> draft(torch.tensor([[1, 0, 0]]), torch.tensor([2]))
        tensor([[0.1389, 0.8611]], dtype=torch.float64)
    """
    n, v = model.order, model.n_tokens

    def draft(tokens: Tensor, length: Tensor) -> Tensor:
        places = (length[:, None] - n + torch.arange(n, device=tokens.device)).clamp(min=0)
        context = tokens.gather(1, places)
        context = torch.where(context < v, context, 0)[:, None].expand(-1, v, -1)
        every = torch.arange(v).expand(len(tokens), v)[..., None]
        runs = torch.cat([context, every], 2)  # each context with each token behind it
        return model.token_log_probs(runs.flatten())[n :: n + 1].reshape(-1, v).exp()

    return draft


@torch.no_grad()
def speculative_round(
    logits_of: LogitsOf,
    draft: Draft,
    tokens: Int[Tensor, " b t"],
    length: Int[Tensor, " b"],
    k: int,
    *,
    reshape: Reshape = reshape_logits,
    generator: Generator | None = None,
) -> Round:
    """Draft k tokens one by one, read them in one pass of the target, keep what may be kept.

    Args:
        logits_of: the target, causal: padding behind a text changes nothing in it.
        draft: proposes.
        tokens: texts, padded to the right.
        length: tokens of each, at least 1.
        k: tokens to draft, at least 0.
        reshape: changes the target's logits; the law that comes out is the reshaped one.
        generator: source of the uniform numbers.

    Returns:
        Texts that are 1 to k + 1 tokens longer; padded as far as the longest could be.
    """
    b, device = len(tokens), tokens.device
    u = torch.rand((b, 2 * k + 1), dtype=torch.float64, generator=generator).to(device)
    rows, longer = torch.arange(b, device=device), pad(tokens, (0, k + 1))
    laws = []
    for i in range(k):
        laws.append(draft(longer, length + i).double())
        longer[rows, length + i] = draw(laws[-1].log(), u[:, i])
    places = length[:, None] + torch.arange(k + 1, device=device)
    logits = logits_of(longer)[rows[:, None], places - 1]
    p = reshape(logits.flatten(0, 1)).double().softmax(-1).reshape(b, k + 1, -1)
    q = torch.stack(laws, 1) if k else p[:, :0]
    drafted = longer[rows[:, None], places[:, :k]]
    new, kept = verify(drafted, q, p, u[:, k : 2 * k], u[:, -1])
    longer[rows[:, None], places] = new
    return Round(longer, length + kept + 1, kept)


def speculative_sample(
    logits_of: LogitsOf,
    draft: Draft,
    tokens: Int[Tensor, " b t"],
    n_new: int,
    *,
    k: int,
    reshape: Reshape = reshape_logits,
    generator: Generator | None = None,
) -> Iterator[Round]:
    r"""Continue texts by rounds, one pass of the target each, until each has `n_new` more tokens.

    Texts advance by different amounts; one that is done waits for the others.

    Args:
        logits_of: the target, a causal model of whole sequences.
        draft: proposes, such as `draft_from(smaller)`.
        tokens: `(b, t)` the prompts, at least one token each.
        n_new: tokens to add.
        k: tokens to draft in a round.
        reshape: changes the target's logits.
        generator: source of the uniform numbers.

    Yields:
        The texts after each round; in the last one each begins with a prompt and `n_new` tokens
        that are distributed as those of `generate_naive`. A text that was done before keeps its
        length, at most t + n_new, and has `kept` 0 in rounds that it sat out.

    Raises:
        ValueError: no prompt, or a negative k.

    Example:
        >>> after = lambda x: 99.0 * torch.nn.functional.one_hot((x + 1) % 5, 5)
        >>> rounds = list(speculative_sample(after, draft_from(after), torch.tensor([[3]]), 4, k=3))
        >>> len(rounds), rounds[-1].tokens[:, :5]
        (1, tensor([[3, 4, 0, 1, 2]]))

    Source: Leviathan et al. 2023 (arXiv:2211.17192), algorithm 1, repeated.
    Lesson: notebooks/15_four_paradigm_landscape.ipynb
    """
    if tokens.shape[1] == 0 or k < 0:
        raise ValueError(f"expected a prompt and k >= 0, got {tokens.shape[1]} tokens and k = {k}")
    require_between(0, math.inf, n_new=n_new)
    end = tokens.shape[1] + n_new
    length = torch.full((len(tokens),), tokens.shape[1], device=tokens.device)
    while bool((length < end).any()):
        done = length >= end
        step = speculative_round(
            logits_of, draft, tokens, length, k, reshape=reshape, generator=generator
        )
        kept = torch.where(done, 0, step.kept)
        length = torch.where(done, length, step.length.clamp(max=end))
        tokens = step.tokens[:, : int(length.max())]
        yield Round(tokens, length, kept)


@final
class SpeculativeLM(nn.Module):
    """A language model with somebody to draft for it: the same law, fewer passes.

    Args:
        target: whose law it is, and whose likelihood.
        draft: proposes.
        k: tokens to draft in a round.

    Example:
        >>> from genlab.nn.transformer import TransformerConfig
        >>> target = TransformerLM(5, 8, TransformerConfig(d_model=8, n_head=2, n_kv_head=1))
        >>> model = SpeculativeLM(target, draft_from(target.next_logits), k=3)
        >>> model.sample(2).shape
        torch.Size([2, 8])
    """

    def __init__(self, target: TransformerLM, draft: Draft, k: int = 4) -> None:
        super().__init__()
        self.target, self.k, self.event_shape = target, k, target.event_shape
        self.draft = draft

    def log_prob(self, x: Int[Tensor, " b n"]) -> Float[Tensor, " b"]:
        """Exact log-probability in nats: the target's, since the law is the target's."""
        return self.target.log_prob(x)

    def rounds(self, n: int, *, generator: Generator | None = None) -> Iterator[Round]:
        """Draw `n` sequences, each begun with the begin token; yields the texts after each pass."""
        yield from speculative_sample(
            self.target.next_logits, self.draft, self.target.begin(n), self.event_shape[0],
            k=self.k, generator=generator,
        )  # fmt: skip

    def sample(
        self, n: int, *, cond: Tensor | None = None, generator: Generator | None = None
    ) -> Int[Tensor, " n length"]:
        """Draw `n` sequences."""
        if cond is not None:
            raise ValueError("SpeculativeLM.sample: cond is given, expected None")
        return last(self.rounds(n, generator=generator)).tokens[:, 1 : 1 + self.event_shape[0]]
