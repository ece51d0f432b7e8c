r"""The language model: bytes to tokens, tokens to a transformer, logits to text.

$$\text{text} \xrightarrow{\text{BPE}} x_{1:n} \xrightarrow{\text{transformer}}
p(x_{i+1} \mid x_{\le i}) \xrightarrow{\text{reshape, draw}} x_{n+1} \to \dots
\xrightarrow{\text{BPE}^{-1}} \text{text}$$

Three kernels of the autoregressive paradigm, put together: a byte-level tokenizer whose merges
travel with the weights, a causal transformer with rotary positions, grouped queries and a gated
MLP, and decoding with a cache of keys and values. What is measured is bits per byte: nats summed
over tokens, divided by log 2 and by the *bytes* of the text, so that two tokenizers, or a model and
a file compressor, can be compared.

Lesson: notebooks/systems/language_model.ipynb
Sources: Radford et al. 2019 ("Language models are unsupervised multitask learners"), section 2;
    Touvron et al. 2023 (arXiv:2302.13971), section 2.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import final

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor, nn

from genlab.autoregressive.decoding import Reshape, reshape_logits
from genlab.autoregressive.likelihood import bits_per_byte
from genlab.autoregressive.lm import TransformerLM
from genlab.autoregressive.tokens import BPE, N_BYTES, Pair, windowed_log_probs
from genlab.nn.transformer import TransformerConfig


@lru_cache(maxsize=8)
def _tokenizer(merges: tuple[Pair, ...]) -> BPE:
    return BPE(merges)


@final
class LanguageModel(nn.Module):
    r"""A tokenizer and a causal transformer over its tokens.

    Args:
        n_tokens: size of the vocabulary, 256 bytes and merges.
        context: longest window, in tokens, that it is trained on.
        config: sizes of the transformer.

    Example:
        >>> config = TransformerConfig(d_model=8, n_layer=1, n_head=2, n_kv_head=1)
        >>> model = LanguageModel(256, 16, config)
        >>> model.tokenizer.encode("ab").tolist(), next(model.complete("ab", 1))[:2]
        ([97, 98], 'ab')

    Source: Radford et al. 2019, section 2.
    Lesson: notebooks/systems/language_model.ipynb
    """

    merges: Int[Tensor, " m 2"]

    def __init__(self, n_tokens: int, context: int, config: TransformerConfig) -> None:
        super().__init__()
        self.lm = TransformerLM(n_tokens, context, config)
        self.register_buffer("merges", torch.zeros(n_tokens - N_BYTES, 2, dtype=torch.int64))
        self.context, self.event_shape = context, (context,)
        self.train_length = context  # windows are cut into pieces of this length by the loss

    @property
    def tokenizer(self) -> BPE:
        """The tokenizer that the merges describe."""
        return _tokenizer(tuple((a, b) for a, b in self.merges.tolist()))

    def loss(
        self, x: Int[Tensor, " b n"], *, generator: Generator | None = None
    ) -> Float[Tensor, ""]:
        """Next-token cross-entropy, nats per token; each piece begins with the begin token.

        Args:
            x: windows, cut into pieces of `train_length` tokens first.
            generator: not used: dropout draws from torch's global noise.
        """
        return self.lm.loss(x.reshape(-1, self.train_length))

    def log_prob(self, x: Int[Tensor, " b n"]) -> Float[Tensor, " b"]:
        """Exact log-probability of token sequences, each from its beginning, `(b,)`, nats."""
        return self.lm.log_prob(x)

    def sample(self, n: int, *, generator: Generator | None = None) -> Int[Tensor, " n length"]:
        """Draw `n` windows of `context` tokens, with the cache."""
        return self.lm.sample(n, generator=generator)

    def token_nats(self, text: str, *, stride: int | None = None) -> Float[Tensor, " n"]:
        """Surprise of every token of a text of any length, nats.

        Args:
            text: any.
            stride: new tokens for each window after the first; a quarter of the context when None.
        """
        x = self.tokenizer.encode(text).to(self.merges.device)
        return -windowed_log_probs(self.lm.logits, x, self.context, stride or self.context // 4)

    def bits_per_byte(self, text: str, *, stride: int | None = None) -> float:
        """Bits that an ideal coder would need for each byte of a text.

        Args:
            text: at least one character.
            stride: as for `token_nats`.
        """
        nats = self.token_nats(text, stride=stride).sum()
        return float(bits_per_byte(-nats, len(text.encode())))

    def prompt(self, text: str, n_new: int = 0) -> Int[Tensor, " 1 t"]:
        """Tokens of a prompt, without those that would push the end out of the context.

        Args:
            text: any, also none.
            n_new: tokens that are to follow.
        """
        tokens = self.tokenizer.encode(text)[None].to(self.merges.device)
        return tokens[:, max(0, tokens.shape[1] - max(1, self.context - n_new)) :]

    @torch.no_grad()
    def next_logits(self, text: str) -> Float[Tensor, " k"]:
        """Logits of the token that follows a text."""
        tokens = torch.cat([self.lm.begin(1), self.prompt(text, 1)], dim=1)
        return self.lm.next_logits(tokens)[0, -1]

    def complete(
        self,
        text: str,
        n_new: int,
        *,
        reshape: Reshape = reshape_logits,
        generator: Generator | None = None,
    ) -> Iterator[str]:
        """Go on with a text, token by token, with the cache.

        Args:
            text: the prompt; its beginning is forgotten where the context is too short for all.
            n_new: tokens to add, below the context.
            reshape: changes the logits before each draw (temperature, top-k, top-p).
            generator: source of the draws.

        Yields:
            The prompt with one token more, with two more, ...

        Raises:
            ValueError: more new tokens than the context can hold.
        """
        if n_new >= self.context:
            raise ValueError(f"n_new must be below the context of {self.context}, got {n_new}")
        prompt = self.prompt(text, n_new)
        for grown in self.lm.continue_text(prompt, n_new, reshape=reshape, generator=generator):
            yield text + self.tokenizer.decode(grown[0, prompt.shape[1] :])
