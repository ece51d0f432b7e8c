"""Speculative decoding: several tokens for one pass of the large model, distributed as its own.

Leviathan, Kalman and Matias 2023 (arXiv:2211.17192), algorithm 1 and appendix A.1; Chen et al. 2023
(arXiv:2302.01318), algorithm 2 and theorem 1.
"""

import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import pad

from genlab.autoregressive.decoding import LogitsOf, Reshape, reshape_logits
from genlab.autoregressive.lm import TransformerLM
from genlab.autoregressive.tokens import NGram
from genlab.core.checked import check_public
from genlab.core.tensors import (
    Rng,
    draw,
    drawn,
    last,
    require_between,
    require_finite,
    require_probabilities,
)

Draft = Callable[[Tensor, Tensor], Tensor]  # padded tokens (b, t), lengths (b,) to probs (b, v)


def acceptance(p: Float[Tensor, " *b v"], q: Float[Tensor, " *b v"]) -> Float[Tensor, " *b"]:
    r"""Probability that a drafted token is kept (Leviathan et al. 2023, theorem 3.5).

    $$\beta = \sum_x q(x) \min\Big(1, \frac{p(x)}{q(x)}\Big) = \sum_x \min\big(p(x), q(x)\big)
      = 1 - \mathrm{TV}(p, q)$$
    """
    require_probabilities(p=p, q=q)
    return torch.minimum(p, q).sum(-1)


def residual(p: Float[Tensor, " *b v"], q: Float[Tensor, " *b v"]) -> Float[Tensor, " *b v"]:
    r"""Distribution of the token that replaces one that was not kept: what q gave too little.

    $$p'(x) = \frac{\max\big(p(x) - q(x), 0\big)}{\sum_y \max\big(p(y) - q(y), 0\big)}$$

    Kept tokens carry $\min(p, q)$ and p' exactly the rest of p. Chen et al. 2023, eq. 2.
    """
    require_probabilities(p=p, q=q)
    left = (p - q).clamp(min=0)
    mass = left.sum(-1, keepdim=True)
    return torch.where(mass == 0, p, left / mass.clamp(min=torch.finfo(p.dtype).tiny))


def verify(
    drafted: Int[Tensor, " b k"],
    q: Float[Tensor, " b k v"],
    p: Float[Tensor, " b k+1 v"],
    u_keep: Float[Tensor, " b k"],
    u_draw: Float[Tensor, " b"],
) -> tuple[Int[Tensor, " b n"], Int[Tensor, " b"]]:
    r"""Keep a beginning of the draft and add one token: the whole of the method (algorithm 1).

    $$n = \min\Big\{i : u_i \ge \frac{p_i(x_i)}{q_i(x_i)}\Big\}, \qquad
      x_n \sim \begin{cases} \mathrm{residual}(p_n, q_n) & n < k\\ p_k & n = k\end{cases}$$

    Returns the tokens, zero behind the new one, and how many were kept.
    """
    b, k = drafted.shape
    require_finite(p=p, q=q, u_keep=u_keep)
    chosen = drafted[..., None]
    p_chosen = p[:, :k].gather(-1, chosen)
    q_chosen = q.gather(-1, chosen)
    keep = u_keep * q_chosen[..., 0] < p_chosen[..., 0]
    n = keep.long().cumprod(1).sum(1)
    rows = torch.arange(b, device=p.device)
    candidates = torch.cat([residual(p[:, :k], q), p[:, k:]], 1)
    tokens = torch.cat([drafted, drafted.new_zeros(b, 1)], 1)
    tokens[rows, n] = draw(candidates[rows, n].log(), u_draw)
    behind = torch.arange(k + 1, device=p.device) > n[:, None]
    return tokens.masked_fill(behind, 0), n


def draft_from_ngram(model: NGram) -> Draft:
    """Let counts draft: next to nothing for a token."""
    n, v = model.order, model.n_tokens

    def draft(tokens: Tensor, length: Tensor) -> Tensor:
        places = (length[:, None] - n + torch.arange(n, device=tokens.device)).clamp(min=0)
        context = tokens.gather(1, places)
        context = torch.where(context < v, context, 0)[:, None].expand(-1, v, -1)
        every = torch.arange(v, device=tokens.device).expand(len(tokens), v)[..., None]
        runs = torch.cat([context, every], 2)  # each context with each token behind it
        return model.token_log_probs(runs.flatten())[n :: n + 1].reshape(-1, v).exp()

    return draft


class Round(NamedTuple):
    """Texts after one pass of the target: row i is `tokens[i, :length[i]]`, then padding."""

    tokens: Int[Tensor, " b t"]
    length: Int[Tensor, " b"]
    kept: Int[Tensor, " b"]  # drafted tokens kept in this round, 0..k


@torch.no_grad()
def speculative_round(
    logits_of: LogitsOf,
    draft: Draft,
    tokens: Int[Tensor, " b t"],
    length: Int[Tensor, " b"],
    k: int,
    *,
    reshape: Reshape = reshape_logits,
    generator: Rng = None,
) -> Round:
    """Draft k tokens one by one, read them in one pass of the target, keep what may be kept."""
    b, device = len(tokens), tokens.device
    where: dict[str, Any] = {"device": device, "generator": generator}
    u = drawn(torch.rand, (b, 2 * k + 1), dtype=torch.float64, **where)
    rows = torch.arange(b, device=device)
    longer = pad(tokens, (0, k + 1))
    drafts = []
    for i in range(k):
        drafts.append(draft(longer, length + i).double())
        longer[rows, length + i] = draw(drafts[-1].log(), u[:, i], check=False)
    places = length[:, None] + torch.arange(k + 1, device=device)
    logits = logits_of(longer)[rows[:, None], places - 1]
    p = reshape(logits.flatten(0, 1)).double().softmax(-1).reshape(b, k + 1, -1)
    q = torch.stack(drafts, 1) if k else p[:, :0]
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
    generator: Rng = None,
) -> Iterator[Round]:
    """Continue texts by rounds, one pass of the target each, until each has `n_new` more tokens."""
    if tokens.size(1) == 0 or k < 0:
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


class SpeculativeLM(nn.Module):
    """A language model with a draft: the same distribution, fewer passes."""

    def __init__(self, target: TransformerLM, draft: Draft, k: int = 4) -> None:
        super().__init__()
        self.target, self.draft, self.k, self.event_shape = target, draft, k, target.event_shape

    def log_prob(self, x: Int[Tensor, " b n"]) -> Float[Tensor, " b"]:
        """Exact log-probability in nats: the target's."""
        return self.target.log_prob(x)

    def rounds(self, n: int, *, generator: Rng = None) -> Iterator[Round]:
        """Draw `n` sequences, each begun with the begin token; yields the texts after each pass."""
        target, length = self.target, self.event_shape[0]
        return speculative_sample(
            target.next_logits, self.draft, target.begin(n), length, k=self.k, generator=generator
        )

    def sample(self, n: int, *, generator: Rng = None) -> Int[Tensor, " n length"]:
        return last(self.rounds(n, generator=generator)).tokens[:, 1 : 1 + self.event_shape[0]]


check_public(__name__)
