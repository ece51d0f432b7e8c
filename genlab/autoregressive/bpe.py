r"""Byte pair encoding: a vocabulary of frequent pieces, grown from the 256 bytes by merging.

Start with bytes. Count how often each pair of neighbours occurs, give the most frequent pair a
number of its own, replace it everywhere, and repeat:

$$(a, b)^* = \arg\max_{(a, b)} \#\{i : t_i = a,\ t_{i+1} = b\}, \qquad
(a, b)^* \to 256 + k, \quad k = 0, 1, \dots$$

The list of merges, in this order, is the tokenizer. Every byte is a token, so every text can be
spelled, and `decode(encode(text)) == text`. Words are cut out first and no merge crosses their
borders; a space belongs to the word behind it, as in GPT-2.

Lesson: notebooks/systems/language_model.ipynb
Sources: Gage 1994 (C Users Journal 12); Sennrich, Haddow and Birch 2016 (arXiv:1508.07909),
    algorithm 1; Radford et al. 2019 ("Language models are unsupervised multitask learners"),
    section 2.2; Provilkov, Emelianenko and Voita 2020 (arXiv:1910.13267), algorithm 1 (dropout).
"""

import random
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import final

import torch
from jaxtyping import Int
from torch import Generator, Tensor

N_BYTES = 256
Pair = tuple[int, int]
WORD = re.compile(
    r"'(?:[sdmt]|ll|ve|re)| ?[^\W\d_]+| ?\d+| ?(?:[^\s\w]|_)+|\s+(?!\S)|\s+"
)  # GPT-2's, in the classes of Python's re


def words(text: str) -> list[str]:
    r"""Cut a text into words that merges must not cross; joined, they are the text again.

    Args:
        text: any.

    Returns:
        Runs of letters, of digits, of other marks, each with one space before it if there is one;
        and the rest of the white space.

    Example:
        >>> words("It's  4 %s;\n")
        ['It', "'s", ' ', ' 4', ' %', 's', ';', '\n']

    Source: Radford et al. 2019, section 2.2, in the pattern of its code.
    """
    return WORD.findall(text)


def merge(tokens: Sequence[int], pair: Pair, new: int) -> list[int]:
    r"""Replace a pair by one token, from left to right, wherever it occurs.

    Args:
        tokens: of one word.
        pair: $(a, b)$.
        new: the number of the merged token.

    Returns:
        A list, shorter by the number of replacements.

    Example:
        >>> merge([1, 1, 1, 2], (1, 1), 9)
        [9, 1, 2]
    """
    out: list[int] = []
    i = 0
    while i < len(tokens):
        found = tuple(tokens[i : i + 2]) == pair
        out.append(new if found else tokens[i])
        i += 2 if found else 1
    return out


def train_bpe(text: str, n_tokens: int) -> tuple[Pair, ...]:
    r"""Learn merges: at each turn the pair that occurs most often becomes a token.

    $$\mathrm{count}(a, b) = \sum_{w} \#w\ \#\{i : w_i = a,\ w_{i+1} = b\}$$

    Only words that hold the merged pair are counted again. Among equals the smallest pair is taken,
    so the result does not depend on the order of a dictionary.

    Args:
        text: what to learn from: the training part alone, for held-out bits must know nothing of
            what they are measured on.
        n_tokens: size of the vocabulary, at least 256.

    Returns:
        `n_tokens - 256` pairs, or fewer when every word has become one token.

    Raises:
        ValueError: a vocabulary of fewer than 256 tokens.

    Example:
        >>> train_bpe("aaabdaaabac", 259)  # Wikipedia's: Z = aa, Y = ab, X = ZY
        ((97, 97), (97, 98), (256, 257))

    Source: Sennrich, Haddow and Birch 2016 (arXiv:1508.07909), algorithm 1.
    Lesson: notebooks/systems/language_model.ipynb
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
    while len(merges) < n_tokens - N_BYTES:
        best = max(counts, key=lambda pair: (counts[pair], -pair[0], -pair[1]), default=(0, 0))
        if counts[best] < 1:
            break
        for i in where.pop(best):
            count(i, -1)
            spelled[i] = (merge(spelled[i][0], best, N_BYTES + len(merges)), spelled[i][1])
            count(i, +1)
        del counts[best]
        merges.append(best)
    return tuple(merges)


@final
class BPE:
    r"""Byte-level tokenizer given by its merges.

    Args:
        merges: pair k becomes token 256 + k; both of its parts must exist by then.

    Raises:
        ValueError: a merge of tokens that do not exist yet.

    Example:
        >>> tokenizer = BPE(train_bpe("low low lower lowest", 260))
        >>> tokenizer.encode("lowest").tolist(), tokenizer.decode([108, 257])
        ([257, 101, 115, 116], 'llow')

    Source: Sennrich, Haddow and Birch 2016 (arXiv:1508.07909), section 3.2.
    Lesson: notebooks/systems/language_model.ipynb
    """

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
        r"""Tokens of one word: of all merges that apply, the earliest learned comes first.

        Args:
            word: without borders inside.
            drop: probability to overlook a merge where it applies; 0 gives the usual spelling, 1
                the bytes. A word then has many spellings, and a model that is trained on them has
                seen its parts.
            noise: decides which are overlooked; needed if `drop` is positive.
        """
        tokens = list(word.encode())
        while len(tokens) > 1:
            open_ = [
                (self.rank[pair], i)
                for i, pair in enumerate(pairwise(tokens))
                if pair in self.rank and (noise is None or noise.random() >= drop)
            ]
            if not open_:
                break
            k, i = min(open_)
            tokens[i : i + 2] = [N_BYTES + k]
        return tokens

    def encode(
        self, text: str, *, drop: float = 0.0, generator: Generator | None = None
    ) -> Int[Tensor, " n"]:
        """Spell a text, word by word.

        Args:
            text: any.
            drop: probability to overlook a merge where it applies, in [0, 1].
            generator: seeds what is overlooked.

        Returns:
            Tokens 0..n_tokens-1.

        Raises:
            ValueError: `drop` is no probability.
        """
        if not 0 <= drop <= 1:
            raise ValueError(f"drop must lie in [0, 1], got {drop}")
        tokens: list[int] = []
        if drop > 0:
            seed = int(torch.randint(2**62, (), generator=generator))
            noise = random.Random(seed)
            for word in words(text):
                tokens += self.spell(word, drop=drop, noise=noise)
        else:
            for word in words(text):
                if word not in self._known:
                    self._known[word] = self.spell(word)
                tokens += self._known[word]
        return torch.tensor(tokens, dtype=torch.int64)

    def decode(self, tokens: Iterable[int] | Tensor) -> str:
        """The text again; bytes that are no valid UTF-8 become replacement marks."""
        return b"".join(self.pieces[int(t)] for t in tokens).decode(errors="replace")
