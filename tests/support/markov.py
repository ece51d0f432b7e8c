"""A Markov chain whose every number is known: what a causal model is held against."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from genlab.core import entropy, last


@dataclass(frozen=True)
class MarkovChain:
    r"""Sequences of a fixed length in which each token depends on the one before.

    ValueError: the shapes do not fit, a row is no distribution, or `length` is below 1.
    """

    initial: Float[Tensor, " k"]
    transition: Float[Tensor, " k k"]
    length: int

    def __post_init__(self) -> None:
        k = self.initial.numel()
        if self.initial.shape != (k,) or self.transition.shape != (k, k):
            raise ValueError(
                f"MarkovChain: initial has shape {tuple(self.initial.shape)} and transition "
                f"{tuple(self.transition.shape)}, expected (k,) and (k, k)"
            )
        if self.length < 1:
            raise ValueError(f"MarkovChain: length is {self.length}, expected at least 1")
        entropy(self.initial)  # refuses what is not a distribution
        entropy(self.transition)

    @property
    def event_shape(self) -> tuple[int, ...]:
        """Shape of one example: `(length,)`."""
        return (self.length,)

    def next_probs(self, x: Int[Tensor, " b n"]) -> Float[Tensor, " b n k"]:
        r"""$P(x_i \mid x_{<i})$ for every position: what a perfect causal model outputs."""
        first = self.initial.expand(len(x), 1, -1)
        return torch.cat([first, self.transition[x[:, :-1]]], dim=1)

    def log_prob(self, x: Int[Tensor, " b n"]) -> Float[Tensor, " b"]:
        r"""Log-probability of whole sequences, `(b,)`, summed over the tokens, in nats."""
        chosen = self.next_probs(x).gather(2, x[..., None]).squeeze(2)
        return chosen.log().sum(1)

    def steps(self, n: int, *, generator: torch.Generator | None = None) -> Iterator[Tensor]:
        """Grow `n` sequences token by token: yields `(n, 1)`, `(n, 2)`, ... `(n, length)`."""
        probs = self.initial.expand(n, -1)
        x = torch.empty(n, 0, dtype=torch.long, device=self.initial.device)
        for _ in range(self.length):
            token = torch.multinomial(probs, 1, generator=generator)
            x = torch.cat([x, token], dim=1)
            probs = self.transition[token.squeeze(1)]
            yield x

    def sample(
        self, n: int, *, generator: torch.Generator | None = None
    ) -> Int[Tensor, " n length"]:
        """Draw `n` sequences; there is nothing to condition on."""
        return last(self.steps(n, generator=generator))

    def stationary(self) -> Float[Tensor, " k"]:
        r"""What one step leaves unchanged: $\rho A = \rho$, $\sum_a \rho_a = 1$."""
        k = len(self.initial)
        eye = torch.eye(k, dtype=self.transition.dtype, device=self.transition.device)
        ones = torch.ones(1, k, dtype=self.transition.dtype, device=self.transition.device)
        system = torch.cat([self.transition.T - eye, ones])
        target = torch.cat([torch.zeros(k).to(ones), torch.ones(1).to(ones)])
        solution: Tensor = torch.linalg.lstsq(system, target[:, None]).solution
        return solution.squeeze(1)

    def entropy_rate(self) -> Float[Tensor, ""]:
        r"""Nats per token of a long sequence: $\sum_a \rho_a H(A_{a\cdot})$."""
        return (self.stationary() * entropy(self.transition)).sum()

    def entropy(self) -> Float[Tensor, ""]:
        r"""Entropy of a whole sequence of this length, in nats, started from `initial`."""
        total, marginal = entropy(self.initial), self.initial
        for _ in range(self.length - 1):
            total = total + marginal @ entropy(self.transition)
            marginal = marginal @ self.transition
        return total
