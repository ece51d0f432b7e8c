r"""A small probabilistic grammar: text whose entropy is known exactly.

A symbol $A$ is rewritten by one of its rules, chosen with the rule's probability, until only words
are left. If no sentence has two derivations, the probability of a sentence is the product of the
rules used, and the entropy of what $A$ generates follows by recursion:

$$H(A) = \sum_{r:\, A \to B_1 \dots B_m} p_r \Big(-\log p_r + \sum_j H(B_j)\Big).$$

No model of any size can have a smaller cross-entropy on these sentences. The grammar below has one
more property that makes it a good test: the verb agrees in number with its noun *across* a relative
clause ("the cats that see a dog sleep"), which no model with a short memory can know.

Lesson: notebooks/02_autoregressive.ipynb
Source: Grenander 1967; see Cover and Thomas, Elements of Information Theory, 2nd ed., eq. 2.14, for
    the entropy of a choice followed by further choices.
"""

import math
from bisect import bisect_right
from dataclasses import dataclass, field
from itertools import accumulate
from typing import final

import torch
from jaxtyping import Float, Int
from torch import Tensor

from genlab.data.agreement import END, Rule, agreement_rules


@final
@dataclass(frozen=True)
class Grammar:
    r"""A probabilistic grammar in which the next word always tells which rule was used.

    Args:
        rules: for every symbol its rules; probabilities of a symbol sum to 1. What is no symbol is
            a word. No recursion, and sentences end with ".".
        start: the symbol of a sentence.

    Raises:
        ValueError: the probabilities of a symbol do not sum to 1.

    Example:
        >>> grammar = Grammar({"S": ((0.5, ("yes", ".")), (0.5, ("no", ".")))})
        >>> grammar.log_prob(grammar.encode(["no ."])).exp(), round(grammar.entropy(), 4)
        (tensor([0.5000]), 0.6931)

    Lesson: notebooks/02_autoregressive.ipynb
    """

    rules: dict[str, tuple[Rule, ...]] = field(default_factory=lambda: agreement_rules(1))
    start: str = "S"

    def __post_init__(self) -> None:
        for symbol, choices in self.rules.items():
            total = math.fsum(p for p, _ in choices)
            if abs(total - 1) > 1e-9:
                raise ValueError(f"probabilities of {symbol} sum to {total}, expected 1")

    @property
    def words(self) -> tuple[str, ...]:
        """The vocabulary in alphabetical order; "." comes first and also fills up short rows."""
        right = {b for choices in self.rules.values() for _, body in choices for b in body}
        return tuple(sorted(right - set(self.rules)))

    @property
    def max_length(self) -> int:
        """Words of the longest sentence, the final "." included."""
        return self._longest(self.start)

    @property
    def event_shape(self) -> tuple[int, ...]:
        """Shape of one encoded sentence."""
        return (self.max_length,)

    def _longest(self, symbol: str) -> int:
        if symbol not in self.rules:
            return 1
        return max(sum(map(self._longest, body)) for _, body in self.rules[symbol])

    def entropy(self, symbol: str | None = None) -> float:
        r"""Entropy of what a symbol generates, in nats; of whole sentences by default.

        $$H(A) = \sum_r p_r \Big(-\log p_r + \sum_j H(B_j)\Big)$$
        """
        choices = self.rules.get(self.start if symbol is None else symbol)
        if choices is None:
            return 0.0
        return math.fsum(p * (sum(map(self.entropy, body)) - math.log(p)) for p, body in choices)

    def mean_length(self, symbol: str | None = None) -> float:
        """Expected number of words that a symbol generates; of whole sentences by default."""
        choices = self.rules.get(self.start if symbol is None else symbol)
        if choices is None:
            return 1.0
        return math.fsum(p * sum(map(self.mean_length, body)) for p, body in choices)

    def encode(self, sentences: list[str]) -> Int[Tensor, " b n"]:
        """Sentences as rows of word numbers, filled up with "." (number 0)."""
        number = {w: i for i, w in enumerate(self.words)}
        rows = [[number[w] for w in sentence.split()] for sentence in sentences]
        return torch.tensor([row + [number[END]] * (self.max_length - len(row)) for row in rows])

    def decode(self, x: Int[Tensor, " b n"]) -> list[str]:
        """Each row as text, up to and including its first full stop."""
        texts = [[self.words[i] for i in row] for row in x.tolist()]
        return [" ".join(t[: t.index(END) + 1] if END in t else t) for t in texts]

    def sample(
        self, n: int, *, cond: Tensor | None = None, generator: torch.Generator | None = None
    ) -> Int[Tensor, " n max_length"]:
        """Draw `n` sentences by rewriting; there is nothing to condition on."""
        if cond is not None:
            raise ValueError("Grammar.sample: cond is given, expected None")
        uniform = iter(torch.rand(n * 8 * self.max_length, generator=generator).tolist())

        def rewrite(symbol: str) -> list[str]:
            if symbol not in self.rules:
                return [symbol]
            u, choices = next(uniform), self.rules[symbol]
            cumulative = list(accumulate(p for p, _ in choices))
            chosen = min(bisect_right(cumulative, u), len(choices) - 1)
            return [word for b in choices[chosen][1] for word in rewrite(b)]

        return self.encode([" ".join(rewrite(self.start)) for _ in range(n)])

    def log_prob(self, x: Int[Tensor, " b n"]) -> Float[Tensor, " b"]:
        """Exact log-probability of encoded sentences, nats; minus infinity if ungrammatical.

        The "." that fill a row up after the sentence's own have probability 1.
        """
        return torch.tensor([self._log_prob_of(s.split()) for s in self.decode(x)])

    def next_probs(self, x: Int[Tensor, " b n"]) -> Float[Tensor, " b n k"]:
        r"""$P(x_i \mid x_{<i})$ for every position: what a perfect causal model outputs.

        After the sentence's end only "." follows. After words that start no sentence, all zero.
        """
        number = {w: i for i, w in enumerate(self.words)}
        rows: dict[tuple[str, ...], Tensor] = {}
        out = torch.zeros(*x.shape, len(number))
        for b, sentence in enumerate(self.decode(x)):
            words = tuple(sentence.split())
            for i in range(x.shape[1]):
                prefix = words[:i]
                if prefix not in rows:
                    rows[prefix] = self._next_row(prefix, number)
                out[b, i] = rows[prefix]
        return out

    def _next_row(self, prefix: tuple[str, ...], number: dict[str, int]) -> Tensor:
        row = torch.zeros(len(number))
        found = self._parses(self.start, prefix)
        for p, rest, needed in found:
            if needed is not None:
                row[number[needed]] += p
            elif not rest:  # a whole sentence: from here on it is filled up
                row[number[END]] += p
        return row / row.sum() if row.sum() > 0 else row

    def _log_prob_of(self, words: list[str]) -> float:
        complete = [
            p
            for p, rest, needed in self._parses(self.start, tuple(words))
            if not rest and needed is None
        ]
        return math.log(complete[0]) if complete else -math.inf

    def _parses(
        self, symbol: str, words: tuple[str, ...]
    ) -> list[tuple[float, tuple[str, ...], str | None]]:
        """Every way to read `symbol` off the front of `words`.

        Each is (probability, words left over, None), or (probability, (), the word it needs next)
        where the words ran out first.
        """
        if symbol not in self.rules:
            if not words:
                return [(1.0, (), symbol)]
            return [(1.0, words[1:], None)] if words[0] == symbol else []
        found = []
        for p, body in self.rules[symbol]:
            partial: list[tuple[float, tuple[str, ...], str | None]] = [(p, words, None)]
            for b in body:
                partial = [
                    (q * r, left, needed)
                    for q, rest, waiting in partial
                    for r, left, needed in (
                        [(1.0, rest, waiting)] if waiting else self._parses(b, rest)
                    )
                ]
            found += partial
        return found
