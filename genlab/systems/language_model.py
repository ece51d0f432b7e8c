"""The language model: bytes to tokens, tokens to a transformer, logits to text; in bits per *byte*.

Radford et al. 2019, section 2; Touvron et al. 2023 (arXiv:2302.13971), section 2.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor, nn

from genlab.autoregressive.decoding import Reshape, reshape_logits
from genlab.autoregressive.likelihood import bits_per_byte
from genlab.autoregressive.lm import TransformerLM
from genlab.autoregressive.tokens import BPE, N_BYTES, Pair, windowed_log_probs
from genlab.core.tensors import Rng
from genlab.nn.transformer import TransformerConfig


@lru_cache(maxsize=8)
def _tokenizer(merges: tuple[Pair, ...]) -> BPE:
    return BPE(merges)


class LanguageModel(nn.Module):
    """A byte-level tokenizer, whose merges travel with the weights, and a causal transformer."""

    merges: Int[Tensor, " m 2"]

    def __init__(self, n_tokens: int, context: int, config: TransformerConfig) -> None:
        super().__init__()
        self.lm = TransformerLM(n_tokens, context, config)
        self.register_buffer("merges", torch.zeros(n_tokens - N_BYTES, 2, dtype=torch.int64))
        self.context, self.event_shape = context, (context,)

    @property
    def tokenizer(self) -> BPE:
        return _tokenizer(tuple((a, b) for a, b in self.merges.tolist()))

    def loss(
        self, x: Int[Tensor, " b n"], *, length: int | None = None, generator: Rng = None
    ) -> Float[Tensor, ""]:
        """Next-token cross-entropy, nats per token, of pieces of `length` tokens (the context)."""
        return self.lm.loss(x.reshape(-1, length or self.context))

    def log_prob(self, x: Int[Tensor, " b n"]) -> Float[Tensor, " b"]:
        """Exact log-probability of token sequences, each from its beginning, nats."""
        return self.lm.log_prob(x)

    def sample(self, n: int, *, generator: Rng = None) -> Int[Tensor, " n length"]:
        return self.lm.sample(n, generator=generator)

    def token_nats(self, text: str, *, stride: int | None = None) -> Float[Tensor, " n"]:
        """Surprise of every token of a text of any length, nats; windows advance by `stride`."""
        x = self.tokenizer.encode(text).to(self.merges.device)
        return -windowed_log_probs(self.lm.logits, x, self.context, stride or self.context // 4)

    def bits_per_byte(self, text: str, *, stride: int | None = None) -> float:
        nats = self.token_nats(text, stride=stride).sum()
        return float(bits_per_byte(-nats, len(text.encode())))

    def prompt(self, text: str, n_new: int = 0) -> Int[Tensor, " 1 t"]:
        """Tokens of a prompt, its beginning cut so that `n_new` more tokens fit in the context."""
        tokens = self.tokenizer.encode(text)[None].to(self.merges.device)
        return tokens[:, max(0, tokens.shape[1] - max(1, self.context - n_new)) :]

    @torch.no_grad()
    def next_logits(self, text: str) -> Float[Tensor, " k"]:
        """Logits of the token that follows a text."""
        tokens = torch.cat([self.lm.begin(1), self.prompt(text, 1)], dim=1)
        return self.lm.next_logits(tokens)[0, -1]

    def complete(
        self, text: str, n_new: int, *, reshape: Reshape = reshape_logits, generator: Rng = None
    ) -> Iterator[str]:
        """Go on with a text by `n_new` tokens, with the cache: yields it with one more, two, ..."""
        if n_new >= self.context:
            raise ValueError(f"n_new must be below the context of {self.context}, got {n_new}")
        prompt = self.prompt(text, n_new)
        for grown in self.lm.continue_text(prompt, n_new, reshape=reshape, generator=generator):
            yield text + self.tokenizer.decode(grown[0, prompt.shape[1] :])


class SpelledWindows(Iterator[Tensor]):
    """Endless batches of windows of a text that is spelled anew at every reading (BPE dropout).

    Merges are overlooked with probability `drop` (Provilkov et al. 2020, arXiv:1910.13267).
    """

    def __init__(
        self,
        text: str,
        tokenizer: BPE,
        context: int,
        batch_size: int,
        drop: float,
        generator: Generator,
    ) -> None:
        self.text, self.tokenizer, self.context = text, tokenizer, context
        self.batch_size, self.drop, self.generator = batch_size, drop, generator
        self._start = generator.get_state()  # where the noise stood before this reading
        self._rows, self._next = torch.empty(0, context, dtype=torch.int64), 0

    def __next__(self) -> Int[Tensor, " b n"]:
        if self._next + self.batch_size > len(self._rows):
            self._start = self.generator.get_state()
            self._rows, self._next = self._read(), 0
        batch = self._rows[self._next : self._next + self.batch_size]
        self._next += self.batch_size
        return batch

    def _read(self) -> Int[Tensor, " m n"]:
        """Spell the text and cut it into windows, in a random order; the ends are left out."""
        n, g = self.context, self.generator
        tokens = self.tokenizer.encode(self.text, drop=self.drop, generator=g)
        tokens = tokens[int(torch.randint(n, (), generator=g)) :]
        rows = tokens[: len(tokens) // n * n].reshape(-1, n)
        return rows[torch.randperm(len(rows), generator=g)]

    def state_dict(self) -> dict[str, Any]:
        """Where the noise stood before this reading, and the place in it."""
        return {"start": self._start, "next": self._next, "begun": len(self._rows) > 0}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.generator.set_state(state_dict["start"])
        self._start = state_dict["start"]
        self._next = state_dict["next"]
        if state_dict["begun"]:
            self._rows = self._read()
