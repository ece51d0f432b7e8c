"""Text as integers, one for each character or for each byte pair, and counts of such integers."""

import random
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from jaxtyping import Float, Int
from torch import Tensor

from genlab.autoregressive.likelihood import token_log_probs
from genlab.core.checked import check_public
from genlab.core.tensors import Rng, require_between


@dataclass(frozen=True)
class CharTokenizer:
    """One token per character of a fixed alphabet, sorted by code point."""

    alphabet: str

    def __post_init__(self) -> None:
        if not self.alphabet or len(set(self.alphabet)) != len(self.alphabet):
            raise ValueError(f"the alphabet must hold distinct characters, got {self.alphabet!r}")

    @classmethod
    def of(cls, text: str) -> "CharTokenizer":
        return cls("".join(sorted(set(text))))

    @property
    def n_tokens(self) -> int:
        return len(self.alphabet)

    def encode(self, text: str) -> Int[Tensor, " n"]:
        """One number per character; a ValueError names those that are not in the alphabet."""
        number = {c: i for i, c in enumerate(self.alphabet)}
        strangers = sorted(set(text) - set(number))
        if strangers:
            raise ValueError(f"characters outside the alphabet: {''.join(strangers)!r}")
        return torch.tensor([number[c] for c in text], dtype=torch.int64)

    def decode(self, tokens: Iterable[int] | Tensor) -> str:
        return "".join(self.alphabet[int(t)] for t in tokens)


N_BYTES = 256
Pair = tuple[int, int]
# GPT-2's, in the classes of Python's re
WORD = re.compile(r"'(?:[sdmt]|ll|ve|re)| ?[^\W\d_]+| ?\d+| ?(?:[^\s\w]|_)+|\s+(?!\S)|\s+")


def words(text: str) -> list[str]:
    """Cut a text into words as GPT-2 does: merges do not cross them; joined, they are the text."""
    return WORD.findall(text)


def merge(tokens: Sequence[int], pair: Pair, new: int) -> list[int]:
    """Replace a pair by one token, from left to right, wherever it occurs."""
    out: list[int] = []
    i = 0
    while i < len(tokens):
        found = tuple(tokens[i : i + 2]) == pair
        out.append(new if found else tokens[i])
        i += 2 if found else 1
    return out


def train_bpe(text: str, n_tokens: int) -> tuple[Pair, ...]:
    r"""Learn merges: the commonest pair becomes a token (Sennrich et al. 2016, arXiv:1508.07909).

    $$\mathrm{count}(a, b) = \sum_{w} \#w\ \#\{i : w_i = a,\ w_{i+1} = b\}$$

    Among equals the smallest pair is taken.
    """
    if n_tokens < N_BYTES:
        raise ValueError(f"n_tokens must be at least {N_BYTES}, the bytes, got {n_tokens}")
    spelled = [(list(w.encode()), n) for w, n in Counter(words(text)).items()]
    counts: Counter[Pair] = Counter()
    where: defaultdict[Pair, set[int]] = defaultdict(set)  # words that may hold a pair

    def count(i: int, sign: int) -> None:
        tokens, n = spelled[i]
        for pair in pairwise(tokens):
            counts[pair] += sign * n
            where[pair].add(i)

    for i in range(len(spelled)):
        count(i, +1)
    merges: list[Pair] = []
    while counts and len(merges) < n_tokens - N_BYTES:
        best = max(counts, key=lambda pair: (counts[pair], -pair[0], -pair[1]))
        if counts[best] < 1:
            break
        for i in where.pop(best):
            count(i, -1)
            spelled[i] = (merge(spelled[i][0], best, N_BYTES + len(merges)), spelled[i][1])
            count(i, +1)
        del counts[best]
        merges.append(best)
    return tuple(merges)


class BPE:
    """Byte-level tokenizer given by its merges: Sennrich et al. 2016, section 3.2."""

    def __init__(self, merges: Iterable[Pair]) -> None:
        self.merges = tuple(merges)
        self.rank = {pair: k for k, pair in enumerate(self.merges)}
        self.pieces = [bytes([b]) for b in range(N_BYTES)]  # what every token stands for
        for a, b in self.merges:
            if not 0 <= min(a, b) <= max(a, b) < len(self.pieces):
                raise ValueError(f"merge ({a}, {b}) names a token that does not exist yet")
            self.pieces.append(self.pieces[a] + self.pieces[b])
        self.n_tokens = len(self.pieces)
        self._known: dict[str, list[int]] = {}

    def spell(
        self, word: str, *, drop: float = 0.0, noise: random.Random | None = None
    ) -> list[int]:
        """Tokens of one word: of all merges that apply, the earliest learned comes first."""
        tokens = list(word.encode())
        while open_ := [
            (self.rank[pair], i)
            for i, pair in enumerate(pairwise(tokens))
            if pair in self.rank and (noise is None or noise.random() >= drop)
        ]:
            k, i = min(open_)
            tokens[i : i + 2] = [N_BYTES + k]
        return tokens

    def encode(self, text: str, *, drop: float = 0.0, generator: Rng = None) -> Int[Tensor, " n"]:
        """Spell a text word by word, each merge overlooked with probability `drop`."""
        require_between(0, 1, drop=drop)
        tokens: list[int] = []
        noise = random.Random(int(torch.randint(2**62, (), generator=generator))) if drop else None
        for word in words(text):
            if noise is None and word not in self._known:
                self._known[word] = self.spell(word)
            tokens += self.spell(word, drop=drop, noise=noise) if noise else self._known[word]
        return torch.tensor(tokens, dtype=torch.int64)

    def decode(self, tokens: Iterable[int] | Tensor) -> str:
        """The text again; bytes that are no valid UTF-8 become replacement marks."""
        return b"".join(self.pieces[int(t)] for t in tokens).decode(errors="replace")


def _lookup(table: Tensor, values: Tensor, keys: Tensor) -> Tensor:
    """Values of `keys` in a sorted table, 0 where a key is missing."""
    place = torch.searchsorted(table, keys).clamp(max=len(table) - 1)
    return torch.where(table[place] == keys, values[place], torch.zeros_like(values[place]))


class NGram:
    r"""Counts of a token stream for all context lengths up to `order`, mixed by Witten and Bell.

    $$p(x \mid c_{1:k}) = \frac{n(c_{1:k}\,x) + T\,p(x \mid c_{2:k})}{n(c_{1:k}) + T}$$

    $T$ counts the distinct tokens seen after $c_{1:k}$ (Chen and Goodman 1996, section 2).
    """

    def __init__(self, tokens: Int[Tensor, " n"], n_tokens: int, order: int) -> None:
        if order < 0 or len(tokens) <= order:
            raise ValueError(f"order must be in 0..{len(tokens) - 1}, got {order}")
        if n_tokens ** (order + 1) > 2**63:
            raise ValueError(f"{n_tokens} ** {order + 1} contexts do not fit in 63 bits")
        self.n_tokens, self.order = n_tokens, order
        self.tables = [self._count(tokens, k) for k in range(order + 1)]

    def _keys(self, tokens: Tensor, k: int) -> Tensor:
        """Every run of k + 1 tokens as one number, the last token as its lowest digit."""
        runs = tokens.unfold(0, k + 1, 1)
        return (runs * self.n_tokens ** torch.arange(k, -1, -1, device=tokens.device)).sum(1)

    def _count(self, tokens: Tensor, k: int) -> tuple[Tensor, ...]:
        runs, n_runs = torch.unique(self._keys(tokens, k), return_counts=True)
        contexts, first = torch.unique(runs // self.n_tokens, return_inverse=True)
        kinds = torch.bincount(first)
        n_contexts = torch.zeros_like(kinds).index_add(0, first, n_runs)
        return runs, n_runs, contexts, n_contexts, kinds

    def token_log_probs(self, tokens: Int[Tensor, " n"]) -> Float[Tensor, " n"]:
        """Log-probability of every token of a stream given those before it, nats."""
        probs = tokens.new_full(tokens.shape, 1 / self.n_tokens, dtype=torch.float64)
        for k, table in enumerate(self.tables):
            runs, n_runs, contexts, n_contexts, kinds = (a.to(tokens.device) for a in table)
            if len(tokens) <= k:
                break
            keys = self._keys(tokens, k)
            seen = _lookup(contexts, n_contexts, keys // self.n_tokens)
            novel = _lookup(contexts, kinds, keys // self.n_tokens)
            mixed = (_lookup(runs, n_runs, keys) + novel * probs[k:]) / (seen + novel).clamp(min=1)
            probs[k:] = torch.where(seen > 0, mixed, probs[k:])
        return probs.log()


@torch.no_grad()
def windowed_log_probs(
    logits_of: Callable[[Tensor], Tensor], x: Int[Tensor, " n"], context: int, stride: int
) -> Float[Tensor, " n"]:
    """Log-probability of each token of a long text, each scored once, nats (arXiv:1809.10853, 4.4).

    `logits_of` gives the logits *of* the tokens of a window; a later one scores its last `stride`.
    """
    if not 1 <= stride <= context or len(x) < 1:
        raise ValueError(f"expected 1 <= {stride=} <= {context=} and a text, got {len(x)} tokens")
    parts, first, end = [], 0, min(context, len(x))
    while first < len(x):
        window = x[None, max(0, end - context) : end]
        parts.append(token_log_probs(logits_of(window), window)[0, first - end :])
        first, end = end, min(end + stride, len(x))
    return torch.cat(parts)


check_public(__name__)
