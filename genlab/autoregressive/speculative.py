r"""Speculative decoding: several tokens for one pass of the large model, and exactly its law.

$$\Pr(\text{keep } x) = \min\Big(1, \frac{p(x)}{q(x)}\Big), \qquad
\text{else } x' \sim \frac{\max(p - q, 0)}{\sum \max(p - q, 0)}$$

A cheap draft q proposes k tokens; the target p reads them all in *one* pass, as in training. Each
is kept or not; the first that is not is replaced by a draw from what q gave too little, and the
rest is thrown away. If all are kept, the same pass pays for one more token. What comes out is
distributed as p, whatever q is: a bad draft costs time, never quality.

Lesson: notebooks/15_four_paradigm_landscape.ipynb
Sources: Leviathan, Kalman and Matias 2023 (arXiv:2211.17192), algorithm 1, eq. 1, theorems 3.5 and
3.8, appendix A.1; Chen et al. 2023 (arXiv:2302.01318), algorithm 2 and theorem 1.
"""

import itertools
import math
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple, final

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

    Args:
        p: the target's law of the next token, rows sum to 1.
        q: the draft's, like `p`.

    Returns:
        In [0, 1]; 1 exactly when the laws are equal.

    Example:
        >>> acceptance(torch.tensor([0.5, 0.5]), torch.tensor([0.9, 0.1]))
        tensor(0.6000)

    Source: Leviathan et al. 2023 (arXiv:2211.17192), definition 3.1 and theorem 3.5.
    Lesson: notebooks/15_four_paradigm_landscape.ipynb
    """
    return torch.minimum(p, q).sum(-1)


def residual(p: Probs, q: Probs) -> Probs:
    r"""Law of the token that replaces one that was not kept: what q gave too little.

    $$p'(x) = \frac{\max\big(p(x) - q(x), 0\big)}{\sum_y \max\big(p(y) - q(y), 0\big)}$$

    The kept tokens carry $\min(p, q)$; p' carries, in all, exactly the rest of p. A draw from p
    itself would count twice what the draft already offered.

    Args:
        p: the target's law, rows sum to 1.
        q: the draft's, like `p`.

    Returns:
        Like `p`, rows sum to 1; p itself where the laws are equal, and nothing is ever replaced.

    Example:
        >>> residual(torch.tensor([0.5, 0.3, 0.2]), torch.tensor([0.9, 0.1, 0.0]))
        tensor([0.0000, 0.5000, 0.5000])

    Source: Leviathan et al. 2023 (arXiv:2211.17192), algorithm 1; Chen et al. 2023
        (arXiv:2302.01318), eq. 2.
    Lesson: notebooks/15_four_paradigm_landscape.ipynb
    """
    left = (p - q).clamp(min=0)
    mass = left.sum(-1, keepdim=True)
    return torch.where(mass > 0, left / mass.clamp(min=torch.finfo(p.dtype).tiny), p)


def expected_tokens(rate: float, k: int) -> float:
    r"""Tokens that one pass of the target yields on average, if each draft is kept alike.

    $$\mathbb E[n] = 1 + a + a^2 + \dots + a^k = \frac{1 - a^{k+1}}{1 - a}$$

    Args:
        rate: a, chance that a drafted token is kept, independent of the others.
        k: drafted tokens in a round; 0 is ordinary decoding.

    Returns:
        Between 1 (nothing is kept) and k + 1 (everything is).

    Raises:
        ValueError: a chance outside [0, 1], or a negative k.

    Example:
        >>> expected_tokens(0.5, 2), expected_tokens(1.0, 4)
        (1.75, 5.0)

    Source: Leviathan et al. 2023 (arXiv:2211.17192), eq. 1.
    Lesson: notebooks/15_four_paradigm_landscape.ipynb
    """
    if not 0 <= rate <= 1 or k < 0:
        raise ValueError(f"expected 0 <= rate <= 1 and k >= 0, got {rate} and {k}")
    return float(k + 1) if rate == 1 else (1 - rate ** (k + 1)) / (1 - rate)


def speedup(rate: float, k: int, draft_cost: float) -> float:
    r"""How much sooner a text is done, if a pass over k + 1 tokens takes as long as over one.

    $$\frac{1 - a^{k+1}}{(1 - a)\,(1 + c\,k)}$$

    Args:
        rate: a, chance that a drafted token is kept.
        k: drafted tokens in a round.
        draft_cost: c, time of a draft's pass in units of a target's.

    Returns:
        Below 1 where speculation does not pay.

    Raises:
        ValueError: a negative cost, or as `expected_tokens`.

    Example:
        >>> round(speedup(0.8, 4, 0.05), 2)
        2.8

    Source: Leviathan et al. 2023 (arXiv:2211.17192), theorem 3.8.
    Lesson: notebooks/15_four_paradigm_landscape.ipynb
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

    Args:
        drafted: k tokens $x_0, \dots, x_{k-1}$, each drawn from its `q`.
        q: the laws that they were drawn from.
        p: the target's laws at the same places, and at the one after: n = k + 1 of them.
        u_keep: uniform in [0, 1), one for each drafted token.
        u_draw: uniform in [0, 1), for the added token.

    Returns:
        `(b, k + 1)` tokens and `(b,)` how many of them were drafted, 0..k. The next one is the
        added token; what stands behind it is padding.

    Raises:
        ValueError: not one law more than drafted tokens.

    Example:
        >>> p = torch.tensor([[[0.5, 0.5], [0.0, 1.0]]])
        >>> q, x = torch.tensor([[[1.0, 0.0]]]), torch.tensor([[0]])
        >>> verify(x, q, p, torch.tensor([[0.4]]), torch.tensor([0.9]))  # kept, and one more
        (tensor([[0, 1]]), tensor([1]))
        >>> verify(x, q, p, torch.tensor([[0.6]]), torch.tensor([0.9]))  # replaced
        (tensor([[1, 0]]), tensor([0]))

    Source: Leviathan et al. 2023 (arXiv:2211.17192), algorithm 1.
    Lesson: notebooks/15_four_paradigm_landscape.ipynb
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

    Args:
        p_of: the target.
        q_of: the draft.
        k: tokens to draft.
        start: the text so far.

    Returns:
        New tokens, 1 to k + 1 of them, to probabilities that sum to 1.

    Example:
        >>> p, q = torch.tensor([0.5, 0.5]), torch.tensor([1.0, 0.0])
        >>> round_outcomes(lambda text: p, lambda text: q, 1)
        {(1,): 0.5, (0, 0): 0.25, (0, 1): 0.25}

    Source: Leviathan et al. 2023 (arXiv:2211.17192), appendix A.1.
    Lesson: notebooks/15_four_paradigm_landscape.ipynb
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
    """Law of the first n tokens, when what a round left open is filled up by the target.

    Args:
        outcomes: of `round_outcomes` from an empty text.
        p_of: the target.
        n: at least as many tokens as the longest outcome has.

    Returns:
        Probabilities, n axes.
    """
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

    Args:
        logits_of: the target.
        draft: proposes.
        tokens: the prompts.
        n_new: tokens to add to each.
        k: tokens to draft in a round, at least 1.
        generator: source of the uniform numbers.

    Returns:
        Shares over all rounds of all texts; a round is one pass of the target for one text.

    Raises:
        ValueError: nothing is drafted.

    Example:
        >>> from genlab.autoregressive.speculative import draft_from
        >>> after = lambda x: 99.0 * torch.nn.functional.one_hot((x + 1) % 5, 5)
        >>> measure_speculation(after, draft_from(after), torch.tensor([[3]]), 8, k=3)
        Speculation(first_kept=1.0, tokens_per_pass=4.0, predicted=4.0)

    Lesson: notebooks/15_four_paradigm_landscape.ipynb
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
