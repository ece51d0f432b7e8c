r"""Speculative decoding: several tokens for one pass of the large model, and exactly its law.

$$\Pr(\text{keep } x) = \min\Big(1, \frac{p(x)}{q(x)}\Big), \qquad
\text{else } x' \sim \frac{\max(p - q, 0)}{\sum \max(p - q, 0)}$$

A cheap draft q proposes k tokens; the target p reads them all in *one* pass, as in training. Each
is kept or not; the first that is not is replaced by a draw from what q gave too little, and the
rest is thrown away. If all are kept, the same pass pays for one more token. What comes out is
distributed as p, whatever q is: a bad draft costs time, never quality.

Leviathan, Kalman and Matias 2023 (arXiv:2211.17192), algorithm 1, eq. 1, theorems 3.5 and 3.8,
appendix A.1; Chen et al. 2023 (arXiv:2302.01318), algorithm 2 and theorem 1.
"""

import itertools
import math
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor, nn
from torch.nn.functional import pad

from genlab.autoregressive.decoding import LogitsOf, Reshape, draw, reshape_logits
from genlab.autoregressive.lm import TransformerLM
from genlab.autoregressive.tokens import NGram
from genlab.core.tensors import last, require_between

Probs = Float[Tensor, " *b v"]


def acceptance(p: Probs, q: Probs) -> Float[Tensor, " *b"]:
    r"""Chance that a drafted token is kept: what the two laws share.

    $$\beta = \sum_x q(x) \min\Big(1, \frac{p(x)}{q(x)}\Big) = \sum_x \min\big(p(x), q(x)\big)
      = 1 - \mathrm{TV}(p, q)$$

    Leviathan et al. 2023 (arXiv:2211.17192), definition 3.1 and theorem 3.5.
    """
    return torch.minimum(p, q).sum(-1)


def residual(p: Probs, q: Probs) -> Probs:
    r"""Law of the token that replaces one that was not kept: what q gave too little.

    $$p'(x) = \frac{\max\big(p(x) - q(x), 0\big)}{\sum_y \max\big(p(y) - q(y), 0\big)}$$

    The kept tokens carry $\min(p, q)$; p' carries, in all, exactly the rest of p. A draw from p
    itself would count twice what the draft already offered.

    Leviathan et al. 2023 (arXiv:2211.17192), algorithm 1; Chen et al. 2023 (arXiv:2302.01318), eq.
    2.
    """
    left = (p - q).clamp(min=0)
    mass = left.sum(-1, keepdim=True)
    return torch.where(mass > 0, left / mass.clamp(min=torch.finfo(p.dtype).tiny), p)


def expected_tokens(rate: float, k: int) -> float:
    r"""Tokens that one pass of the target yields on average, if each draft is kept alike.

    $$\mathbb E[n] = 1 + a + a^2 + \dots + a^k = \frac{1 - a^{k+1}}{1 - a}$$

    Leviathan et al. 2023 (arXiv:2211.17192), eq. 1. ValueError: a chance outside [0, 1], or a
    negative k.
    """
    if not 0 <= rate <= 1 or k < 0:
        raise ValueError(f"expected 0 <= rate <= 1 and k >= 0, got {rate} and {k}")
    return float(k + 1) if rate == 1 else (1 - rate ** (k + 1)) / (1 - rate)


def speedup(rate: float, k: int, draft_cost: float) -> float:
    r"""How much sooner a text is done, if a pass over k + 1 tokens takes as long as over one.

    $$\frac{1 - a^{k+1}}{(1 - a)\,(1 + c\,k)}$$

    Leviathan et al. 2023 (arXiv:2211.17192), theorem 3.8. ValueError: a negative cost, or as
    `expected_tokens`.
    """
    if not draft_cost >= 0:
        raise ValueError(f"draft_cost must not be negative, got {draft_cost}")
    return expected_tokens(rate, k) / (1 + draft_cost * k)


def verify(
    drafted: Int[Tensor, " b k"],
    q: Float[Tensor, " b k v"],
    p: Float[Tensor, " b n v"],
    u_keep: Float[Tensor, " b k"],
    u_draw: Float[Tensor, " b"],
) -> tuple[Int[Tensor, " b n"], Int[Tensor, " b"]]:
    r"""Keep a beginning of the draft, and add one token: the whole of the method.

    $$n = \min\Big\{i : u_i \ge \frac{p_i(x_i)}{q_i(x_i)}\Big\}, \qquad
      x_n \sim \begin{cases} \mathrm{residual}(p_n, q_n) & n < k\\ p_k & n = k\end{cases}$$

    Leviathan et al. 2023 (arXiv:2211.17192), algorithm 1. ValueError: not one law more than drafted
    tokens.
    """
    b, k = drafted.shape
    if p.shape[1] != k + 1:
        raise ValueError(f"{k} drafted tokens need {k + 1} laws of the target, got {p.shape[1]}")
    chosen = drafted[..., None]
    p_chosen, q_chosen = p[:, :k].gather(-1, chosen), q.gather(-1, chosen)
    keep = u_keep * q_chosen[..., 0] < p_chosen[..., 0]
    n = keep.long().cumprod(1).sum(1)
    rows = torch.arange(b, device=p.device)
    laws = torch.cat([residual(p[:, :k], q), p[:, k:]], 1)
    tokens = torch.cat([drafted, drafted.new_zeros(b, 1)], 1)
    tokens[rows, n] = draw(laws[rows, n].log(), u_draw)
    behind = torch.arange(k + 1, device=p.device) > n[:, None]
    return tokens.masked_fill(behind, 0), n


Text = tuple[int, ...]
NextLaw = Callable[[Text], Tensor]  # a text to the law (v,) of its next token


def round_outcomes(p_of: NextLaw, q_of: NextLaw, k: int, start: Text = ()) -> dict[Text, float]:
    """Every text that one round can add, and how probable it is.

    Leviathan et al. 2023 (arXiv:2211.17192), appendix A.1.
    """
    p = p_of(start)
    if k == 0:
        return {(y,): float(p[y]) for y in range(len(p)) if p[y] > 0}
    q = q_of(start)
    lost, instead = 1 - acceptance(p, q), residual(p, q)
    found: dict[Text, float] = {
        (y,): float(lost * w) for y, w in enumerate(instead) if w > 0 and lost > 0
    }
    for x, both in enumerate(torch.minimum(p, q)):
        if both > 0:
            for rest, chance in round_outcomes(p_of, q_of, k - 1, (*start, x)).items():
                text = (x, *rest)
                found[text] = found.get(text, 0.0) + float(both) * chance
    return found


def completed_law(outcomes: Mapping[Text, float], p_of: NextLaw, n: int) -> Tensor:
    """Law of the first n tokens, when what a round left open is filled up by the target."""
    v = len(p_of(()))
    law = torch.zeros((v,) * n, dtype=torch.float64)
    for text, chance in outcomes.items():
        for rest in itertools.product(range(v), repeat=n - len(text)):
            weight, whole = chance, text
            for y in rest:
                weight, whole = weight * float(p_of(whole)[y]), (*whole, y)
            law[whole] += weight
    return law


def expected_length(outcomes: Mapping[Text, float]) -> float:
    """Tokens that a round adds on average."""
    return sum(len(text) * chance for text, chance in outcomes.items())


Draft = Callable[[Tensor, Tensor], Tensor]  # padded tokens (b, t), lengths (b,) to probs (b, v)


class Round(NamedTuple):
    """Texts after one pass of the target: row i is `tokens[i, :length[i]]`, then padding."""

    tokens: Int[Tensor, " b t"]
    length: Int[Tensor, " b"]
    kept: Int[Tensor, " b"]  # drafted tokens kept in this round, 0..k


def draft_from(logits_of: LogitsOf, *, reshape: Reshape = reshape_logits) -> Draft:
    """Let a smaller causal model draft."""

    def draft(tokens: Tensor, length: Tensor) -> Tensor:
        rows = torch.arange(len(tokens), device=tokens.device)
        return reshape(logits_of(tokens)[rows, length - 1]).double().softmax(-1)

    return draft


def draft_from_ngram(model: NGram) -> Draft:
    """Let counts draft: next to nothing for a token."""
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
    """Draft k tokens one by one, read them in one pass of the target, keep what may be kept."""
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

    Leviathan et al. 2023 (arXiv:2211.17192), algorithm 1, repeated. ValueError: no prompt, or a
    negative k.
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


class SpeculativeLM(nn.Module):
    """A language model with somebody to draft for it: the same law, fewer passes."""

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


class Speculation(NamedTuple):
    """What a draft was worth."""

    first_kept: float  # a: share of rounds that kept their first drafted token
    tokens_per_pass: float  # of the target
    predicted: float  # tokens a pass by the formula, from `first_kept`

    @property
    def passes_per_token(self) -> float:
        """Passes of the target for each token; 1 is ordinary decoding."""
        return 1 / self.tokens_per_pass


def measure_speculation(
    logits_of: LogitsOf,
    draft: Draft,
    tokens: Int[Tensor, " b t"],
    n_new: int,
    *,
    k: int,
    generator: Generator | None = None,
) -> Speculation:
    """Continue texts, and count.

    ValueError: nothing is drafted.
    """
    if k < 1:
        raise ValueError(f"k must be at least 1, got {k}")
    n_rounds, n_first, n_kept, end = 0, 0, 0, tokens.shape[1] + n_new
    length = torch.full((len(tokens),), tokens.shape[1], device=tokens.device)
    for step in speculative_sample(logits_of, draft, tokens, n_new, k=k, generator=generator):
        kept = step.kept[length < end]
        n_rounds += len(kept)
        n_first += int((kept > 0).sum())
        n_kept += int(kept.sum())
        length = step.length
    rate = n_first / n_rounds
    return Speculation(rate, 1 + n_kept / n_rounds, expected_tokens(rate, k))
