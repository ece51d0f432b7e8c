"""English prose: Python's reference manual, which `help()` shows.

It is shipped, as of Python 3.11.7, since every release has another one (`manual.md` names its
licence). Below, a `Grammar`: sentences with exact probabilities.
"""

import json
import math
import re
from bisect import bisect_right
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from itertools import accumulate
from pathlib import Path

import torch
from jaxtyping import Float, Int
from torch import Tensor

from genlab.core.checked import check_public
from genlab.core.tensors import Rng, require_between

SPLITS = ("train", "val", "test")
MANUAL = Path(__file__).parent / "manual.json"


def unique_paragraphs(texts: list[str]) -> list[str]:
    r"""Paragraphs in order of first appearance, each once; spacing does not make a difference."""
    seen: dict[str, str] = {}
    for text in texts:
        for paragraph in re.split(r"\n\s*\n", text):
            key = " ".join(paragraph.split())
            if key:
                seen.setdefault(key, paragraph.strip("\n"))
    return list(seen.values())


def load_topics() -> dict[str, str]:
    """The manual of Python 3.11.7 as it is: the text of each topic by its name."""
    topics: dict[str, str] = json.loads(MANUAL.read_text(encoding="utf-8"))
    return topics


@cache
def paragraphs() -> tuple[str, ...]:
    """All paragraphs of the manual, each once, topics in alphabetical order."""
    topics = load_topics()
    return tuple(unique_paragraphs([topics[name] for name in sorted(topics)]))


def part_of(paragraph: str) -> str:
    r"""The part of the text that a paragraph belongs to, whatever else is in the manual.

    $$k = \text{sha256}(w_1 \ldots w_8)_{0:32} \bmod 20, \qquad
    \text{val if } k = 9,\ \text{test if } k = 19,\ \text{else train}$$

    Only the first eight words count: near repetitions would leak as well.
    """
    first = " ".join(paragraph.split()[:8])
    number = int.from_bytes(sha256(first.encode()).digest()[:4], "big")
    return {9: "val", 19: "test"}.get(number % 20, "train")


def load_text(split: str = "train") -> str:
    """One part of the manual: whole paragraphs, separated by blank lines, only printable ASCII."""
    if split not in SPLITS:
        raise ValueError(f"split must be one of {SPLITS}, got {split!r}")
    chosen = [p for p in paragraphs() if part_of(p) == split]
    return re.sub(r"[^\n -~]", "?", "\n\n".join(chosen))


Rule = tuple[float, tuple[str, ...]]  # probability, right-hand side

END = "."


def agreement_rules(depth: int) -> dict[str, tuple[Rule, ...]]:
    """The rules of the course's grammar, with `depth` relative clauses inside one another."""
    require_between(0, math.inf, depth=depth)
    rules: dict[str, tuple[Rule, ...]] = {
        "Det.s": ((0.5, ("the",)), (0.4, ("a",)), (0.1, ("every",))),
        "Det.p": ((0.6, ("the",)), (0.25, ("some",)), (0.15, ("two",))),
        "N.s": ((0.4, ("cat",)), (0.3, ("dog",)), (0.2, ("bird",)), (0.1, ("child",))),
        "N.p": ((0.4, ("cats",)), (0.3, ("dogs",)), (0.2, ("birds",)), (0.1, ("children",))),
        "Rest.s": ((0.7, ("sleeps",)), (0.3, ("sings",))),
        "Rest.p": ((0.7, ("sleep",)), (0.3, ("sing",))),
        "Act.s": ((0.6, ("sees",)), (0.4, ("hears",))),
        "Act.p": ((0.6, ("see",)), (0.4, ("hear",))),
        "S": tuple((0.5, (f"NP.{n}{depth}", f"VP.{n}{depth}", END)) for n in "sp"),
    }
    for d in range(depth + 1):
        rules[f"Obj{d}"] = ((0.5, (f"NP.s{d}",)), (0.5, (f"NP.p{d}",)))
        for n in "sp":
            plain = (f"Det.{n}", f"N.{n}")
            relative = (*plain, "that", f"VP.{n}{d - 1}")
            rules[f"NP.{n}{d}"] = ((1.0, plain),) if d == 0 else ((0.6, plain), (0.4, relative))
            rules[f"VP.{n}{d}"] = ((0.4, (f"Rest.{n}",)), (0.6, (f"Act.{n}", f"Obj{d}")))
    return rules


@dataclass(frozen=True)
class Grammar:
    r"""A probabilistic grammar in which the next word always tells which rule was used."""

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

    def encode(self, sentences: list[str]) -> Int[Tensor, " b n"]:
        """Sentences as rows of word numbers, filled up with "." (number 0)."""
        number = {w: i for i, w in enumerate(self.words)}
        rows = [[number[w] for w in sentence.split()] for sentence in sentences]
        return torch.tensor([row + [number[END]] * (self.max_length - len(row)) for row in rows])

    def decode(self, x: Int[Tensor, " b n"]) -> list[str]:
        """Each row as text, up to and including its first full stop."""
        texts = [[self.words[i] for i in row] for row in x.tolist()]
        return [" ".join(t[: t.index(END) + 1] if END in t else t) for t in texts]

    def sample(self, n: int, *, generator: Rng = None) -> Int[Tensor, " n max_length"]:
        uniform = iter(torch.rand(n * 8 * self.max_length, generator=generator).tolist())

        def rewrite(symbol: str) -> list[str]:
            if symbol not in self.rules:
                return [symbol]
            u = next(uniform)
            choices = self.rules[symbol]
            cumulative = list(accumulate(p for p, _ in choices))
            chosen = min(bisect_right(cumulative, u), len(choices) - 1)
            return [word for b in choices[chosen][1] for word in rewrite(b)]

        return self.encode([" ".join(rewrite(self.start)) for _ in range(n)])

    def log_prob(self, x: Int[Tensor, " b n"]) -> Float[Tensor, " b"]:
        """Exact log-probability of encoded sentences, nats; minus infinity if ungrammatical."""
        return torch.tensor([self._log_prob_of(s.split()) for s in self.decode(x)])

    def next_probs(self, x: Int[Tensor, " b n"]) -> Float[Tensor, " b n k"]:
        r"""$P(x_i \mid x_{<i})$ for every position: what a perfect causal model outputs.

        After the sentence's end only "." follows. After words that start no sentence, all zero.
        """
        number = {w: i for i, w in enumerate(self.words)}
        rows: dict[tuple[str, ...], Tensor] = {}
        out = torch.empty(*x.shape, len(number))
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
        parses = self._parses(self.start, tuple(words))
        complete = [p for p, rest, needed in parses if not rest and needed is None]
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


check_public(__name__)
