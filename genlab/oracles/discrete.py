r"""A joint distribution of a few tokens as a table of $v^n$ entries: every answer by summing.

$$p(x_i \mid x_O) = \frac{\sum_{x_j,\ j \notin O \cup \{i\}} p(x)}{\sum_{x_j,\ j \notin O} p(x)}$$
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from genlab.core.checked import check_public
from genlab.core.stats import entropy
from genlab.core.tensors import Rng, draw_indices


def total_correlation(joint: Tensor) -> Float[Tensor, ""]:
    r"""How far variables are from independent, nats (Watanabe 1960, eq. 2).

    $$\mathrm{TC} = \sum_i H(x_i) - H(x_1, \dots, x_n)
      = \mathrm{KL}\Big(p(x)\,\Big\|\,\prod_i p(x_i)\Big) \ge 0$$
    """
    axes = range(joint.ndim)
    margins = [joint.sum([a for a in axes if a != i]) if joint.ndim > 1 else joint for i in axes]
    apart = sum((entropy(m) for m in margins), joint.new_zeros(()))
    return apart - entropy(joint.flatten())


@dataclass(frozen=True)
class TokenTable:
    """The joint distribution of n tokens of v values each; the value v stands for "hidden"."""

    joint: Tensor

    def __post_init__(self) -> None:
        if len(set(self.joint.shape)) != 1:
            raise ValueError(f"axes must be equally long, got {tuple(self.joint.shape)}")
        entropy(self.joint.flatten())  # refuses what does not sum to 1

    @property
    def event_shape(self) -> tuple[int, ...]:
        """Shape of one example."""
        return (self.joint.ndim,)

    @property
    def n_tokens(self) -> int:
        """Values of a token, v; also the number that stands for a hidden one."""
        return self.joint.shape[0]

    def states(self) -> Int[Tensor, " s n"]:
        """Every sequence, in the order of `joint.flatten()`."""
        values = torch.arange(self.n_tokens, device=self.joint.device)
        return torch.cartesian_prod(*[values] * self.joint.ndim).reshape(-1, self.joint.ndim)

    def log_prob(self, x: Int[Tensor, " b *event"]) -> Float[Tensor, " b"]:
        return self.joint[tuple(x.T)].log()

    def sample(self, n: int, *, generator: Rng = None) -> Int[Tensor, " n k"]:
        p = self.joint.flatten()
        return self.states()[draw_indices(p, n, generator=generator)]

    def given(self, x: Int[Tensor, " *event"]) -> Tensor:
        """Joint distribution of the hidden tokens of one sequence, given the others."""
        seen = tuple(slice(None) if v == self.n_tokens else v for v in x.tolist())
        part: Tensor = self.joint[seen]
        return part / part.sum()

    def conditionals(self, x: Int[Tensor, " b *event"]) -> Float[Tensor, " b n v"]:
        """Distribution of every token given those that are not hidden: one-hot for the latter."""
        states = self.states()
        p = self.joint.flatten()
        fits = ((x[:, None] == states) | (x[:, None] == self.n_tokens)).all(-1)
        weight = fits * p
        weight = weight / weight.sum(1, keepdim=True)
        one_hot = torch.nn.functional.one_hot(states, self.n_tokens).to(p)
        return torch.einsum("bs,snv->bnv", weight, one_hot)


check_public(__name__)
