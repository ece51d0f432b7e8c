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

import torch
from jaxtyping import Float, Int
from torch import Tensor

from .decoding import draw

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
