"""Masked diffusion: noise that hides tokens, and a network that guesses all of them at once.

Sahoo et al. 2024 (arXiv:2406.07524, alpha = 1 - t); Hoogeboom et al. 2022 (arXiv:2110.02037).
"""

import math
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from genlab.core import Event, Level, PerExample, Rng, drawn, expand, last, sum_event
from genlab.core.checked import check_public
from genlab.core.tensors import (
    draw,
    require_alike,
    require_between,
    require_finite,
    require_index,
    require_positive,
)

Filler: TypeAlias = Callable[[Tensor], Tensor]  # tokens (b, *event) to logits (b, *event, v)


def mask_count(
    x0: Int[Tensor, " b *event"], count: Int[Tensor, " b"], u: Event, *, mask: int
) -> Int[Tensor, " b *event"]:
    """The noise: hide exactly `count` tokens of each example, those with the smallest uniform u.

    A count drawn evenly from 1..n hides like a time drawn evenly from (0, 1).
    """
    _require_unmasked(x0, mask)
    require_finite(u=u)
    rank = u.flatten(1).argsort(1).argsort(1).reshape(x0.shape)
    return torch.where(rank < expand(count, rank), mask, x0)


def masked_nll(
    logits: Float[Tensor, " b *event v"],
    x0: Int[Tensor, " b *event"],
    hidden: Bool[Tensor, " b *event"],
    t: Level,
) -> PerExample:
    r"""One term of the bound in nats: cross-entropy of the hidden tokens, weighted by 1/t.

    $$\ell = \frac1t \sum_{i\ \text{hidden}} -\log p_\theta(x_0^i \mid x_t)$$

    Averaged over an even t and its masks it is at least $-\log p_\theta(x_0)$, with equality for
    the conditionals of one joint distribution (Sahoo et al. 2024, section 3.5).
    """
    require_positive(t=t)
    require_between(0, 1, t=t)
    require_alike(x0=x0, logits=logits.shape[:-1])  # a filler's, which no annotation reaches
    log_p = logits.log_softmax(-1).gather(-1, x0[..., None]).squeeze(-1)
    return sum_event(torch.where(hidden, -log_p, 0)) / t


def turns_log_prob(
    model: Filler, x0: Int[Tensor, " b *event"], turn: Int[Tensor, " b *event"], *, mask: int
) -> PerExample:
    r"""Log-probability in nats of tokens that appear in given turns, those of one turn together.

    $$\log p(x_0 \mid \text{turns}) = \sum_k \sum_{i:\ \text{turn}_i = k}
      \log p_\theta(x_0^i \mid x_0^j,\ \text{turn}_j < k)$$

    Its mean over even turns 0..K-1 is the bound of K steps (Hoogeboom et al. 2022, eq. 2 and 3.1).
    """
    require_between(0, math.inf, turn=turn)
    _require_unmasked(x0, mask)
    total = torch.zeros(len(x0), device=x0.device)
    one = torch.ones(len(x0), device=x0.device)
    for k in sorted(set(turn.flatten().tolist())):  # turns with no token cost nothing
        logits = model(torch.where(turn < k, x0, mask))
        total = total - masked_nll(logits, x0, turn == k, one)
    return total


def unmask_step(
    x_t: Int[Tensor, " b *event"],
    logits: Float[Tensor, " b *event v"],
    u_when: Event,
    u_what: Event,
    t: float,
    s: float,
    *,
    mask: int,
    check: bool = True,
) -> Int[Tensor, " b *event"]:
    r"""One reverse step, from a fraction t hidden to a fraction s, given two uniforms a token.

    $$x_s^i = \begin{cases} x_t^i & \text{not hidden}\\
      \sim p_\theta(\cdot \mid x_t) & \text{hidden, with probability } (t-s)/t\\
      \text{mask} & \text{hidden, otherwise}\end{cases}$$

    (Sahoo et al. 2024, section 3.2). ValueError unless 0 <= s < t <= 1 and `mask` has no logit;
    `check` is that of `draw`.
    """
    if not 0 <= s < t <= 1:
        raise ValueError(f"expected 0 <= s < t <= 1, got t = {t} and s = {s}")
    if 0 <= mask < logits.shape[-1]:
        raise ValueError(f"mask is {mask}, expected a number outside 0..{logits.shape[-1] - 1}")
    new = draw(logits, u_what, check=check)
    appears = (x_t == mask) & (u_when < (t - s) / t)
    return torch.where(appears, new, x_t)


def within_budget(
    logits: Float[Tensor, " b *event v"], hidden: Bool[Tensor, " b *event"], budget: float
) -> Bool[Tensor, " b *event"]:
    r"""Which hidden tokens may appear together: the surest ones, at a price of at most `budget`.

    $$\mathrm{TC}(x_G) \le \sum_{i\in G} H_i - \max_{i\in G} H_i \le \text{budget, in nats}$$

    At least one of each example while any is hidden (Ben-Hamu et al. 2025, arXiv:2505.24857).
    """
    log_p = logits.double().log_softmax(-1)
    entropy = -torch.special.xlogy(log_p.exp(), log_p.exp()).sum(-1)
    require_between(0, math.inf, entropy=entropy, budget=budget)
    rising, order = torch.where(hidden, entropy, math.inf).flatten(1).sort(dim=1, stable=True)
    before = torch.cat([torch.zeros_like(rising[:, :1]), rising[:, :-1].cumsum(1)], 1)
    chosen = (before <= budget) & rising.isfinite()
    return torch.zeros_like(chosen).scatter(1, order, chosen).reshape(hidden.shape)


@torch.no_grad()
def masked_sample(
    model: Filler, x_T: Int[Tensor, " b *event"], n_steps: int, *, mask: int, generator: Rng = None
) -> Iterator[Int[Tensor, " b *event"]]:
    """Sampler: yield the state after each of K even steps; no token of the last one is hidden.

    ValueError: `x_T` holds what is neither a token nor `mask`.
    """
    require_between(1, math.inf, n_steps=n_steps)
    x = x_T
    here: dict[str, Any] = {"device": x_T.device, "generator": generator}
    for k in range(n_steps, 0, -1):
        u_when, u_what = drawn(torch.rand, (2, *x.shape), dtype=torch.float64, **here)
        logits = model(x)
        t = k / n_steps
        s = (k - 1) / n_steps
        first = k == n_steps
        if first:
            require_index(logits.shape[-1], x_T=torch.where(x_T == mask, 0, x_T))
        x = unmask_step(x, logits, u_when, u_what, t, s, mask=mask, check=first)
        yield x


def _require_unmasked(x0: Tensor, mask: int) -> None:
    if not x0.is_meta and bool((x0 == mask).any()):
        raise ValueError(f"mask is {mask}, which x0 holds: expected a number that is no token")


class PixelFiller(nn.Module):
    """Logits of all pixels from the visible ones: level, hidden or not, paper or not."""

    def __init__(self, net: nn.Module, event_shape: tuple[int, ...], n_levels: int) -> None:
        super().__init__()
        self.net, self.n_levels = net, n_levels
        self.offset = nn.Parameter(torch.zeros(*event_shape, n_levels))

    def forward(self, x: Int[Tensor, " b 1 h w"]) -> Float[Tensor, " b 1 h w k"]:
        hidden, dtype = x == self.n_levels, self.offset.dtype
        level = (x.to(dtype) * (2 / (self.n_levels - 1)) - 1).masked_fill(hidden, 0)
        channels = torch.cat([level, hidden.to(dtype), (x == 0).to(dtype)], 1)
        out = self.net(channels, hidden.to(dtype).mean((1, 2, 3)))
        return out.permute(0, 2, 3, 1)[:, None] + self.offset


class MaskedDiffusion(nn.Module):
    """Diffusion of tokens by hiding them: trains on random counts, samples in parallel steps.

    `filler` maps tokens, some hidden (the value `n_tokens`), to logits `(b, *event, n_tokens)`.
    """

    def __init__(
        self, filler: nn.Module, *, event_shape: tuple[int, ...], n_tokens: int, n_steps: int = 16
    ) -> None:
        super().__init__()
        self.filler, self.event_shape = filler, event_shape
        self.n_tokens, self.n_steps = n_tokens, n_steps

    def nll_term(self, x: Int[Tensor, " b *event"], *, generator: Rng = None) -> PerExample:
        """One random term of the bound for each example, nats; counts spread over the batch."""
        require_between(0, self.n_tokens - 1, x=x)
        n = x[0].numel()
        b = len(x)
        here: dict[str, Any] = {"device": x.device, "generator": generator}
        place = (drawn(torch.rand, (), **here) + torch.arange(b, device=x.device) / b) % 1
        count = (place * n).long() + 1  # place < 1, so that no rounding reaches n
        count = count[drawn(torch.randperm, b, **here)]
        u = drawn(torch.rand, x.shape, **here)
        x_t = mask_count(x, count, u, mask=self.n_tokens)
        logits = self.filler(x_t)
        return masked_nll(logits, x, x_t == self.n_tokens, count.to(logits) / n)

    def loss(self, x: Int[Tensor, " b *event"], *, generator: Rng = None) -> Float[Tensor, ""]:
        """Minus the bound per token, in nats, mean over the batch."""
        return self.nll_term(x, generator=generator).mean() / x[0].numel()

    def elbo(self, x: Int[Tensor, " b *event"], *, generator: Rng = None) -> PerExample:
        """Bound on log p(x) in nats, over 4 masks, of the sampler that reveals token by token."""
        terms = [self.nll_term(x, generator=generator) for _ in range(4)]
        return -torch.stack(terms).mean(0)

    @torch.no_grad()
    def sample(
        self, n: int, *, generator: Rng = None, n_steps: int | None = None
    ) -> Int[Tensor, " b *event"]:
        like = next(self.parameters(), torch.empty(()))  # a table has none
        hidden = like.new_full((n, *self.event_shape), self.n_tokens, dtype=torch.int64)
        n_steps = n_steps or self.n_steps
        steps = masked_sample(self.filler, hidden, n_steps, mask=self.n_tokens, generator=generator)
        return last(steps)


check_public(__name__)
