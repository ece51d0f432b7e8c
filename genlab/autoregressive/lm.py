r"""The causal transformer as a model of text: next-token cross-entropy.

$$p(x_{1:n}) = \prod_{i=1}^n
\mathrm{softmax}\big(f_\theta(\text{begin}, x_1, \dots, x_{i-1})\big)_{x_i}$$
"""

from collections.abc import Iterator

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from genlab.autoregressive.decoding import Reshape, generate_cached, reshape_logits
from genlab.autoregressive.likelihood import sequence_log_prob
from genlab.core import Rng, last
from genlab.core.checked import check_public
from genlab.core.tensors import require_index
from genlab.nn.attention import Cache
from genlab.nn.transformer import Transformer, TransformerConfig


class TransformerLM(nn.Module):
    """Exact model of sequences of `length` tokens, each in 0..n_tokens-1."""

    def __init__(self, n_tokens: int, length: int, config: TransformerConfig) -> None:
        super().__init__()
        self.n_tokens, self.event_shape = n_tokens, (length,)
        self.net = Transformer(n_tokens + 1, config)

    def begin(self, n: int) -> Int[Tensor, " n 1"]:
        return torch.full((n, 1), self.n_tokens, device=self.net.embedding.weight.device)

    def logits(self, x: Int[Tensor, " b n"]) -> Float[Tensor, " b n k"]:
        """Logits of every token of `x`; row i is computed from the tokens before i only."""
        return self.next_logits(torch.cat([self.begin(len(x)), x[:, :-1]], dim=1))

    def next_logits(self, tokens: Int[Tensor, " b t"]) -> Float[Tensor, " b t k"]:
        """Logits of the token *after* each of `tokens` (which may start with the begin token)."""
        return self.net(tokens)[..., : self.n_tokens]

    def extend(self, tokens: Int[Tensor, " b t"], cache: Cache = ()) -> tuple[Tensor, Cache]:
        """`next_logits` of new tokens, given the cache of those before; and the new cache."""
        out, cache = self.net.extend(tokens, cache)
        return out[..., : self.n_tokens], cache

    def log_prob(self, x: Int[Tensor, " b n"]) -> Float[Tensor, " b"]:
        require_index(self.n_tokens, x=x)
        return sequence_log_prob(self.logits(x), x)

    def loss(self, x: Int[Tensor, " b n"], *, generator: Rng = None) -> Float[Tensor, ""]:
        """Next-token cross-entropy: mean negative log-probability per token, nats."""
        return -self.log_prob(x).mean() / x.shape[1]

    def continue_text(
        self,
        prompt: Int[Tensor, " b t"],
        n_new: int,
        *,
        reshape: Reshape = reshape_logits,
        generator: Rng = None,
    ) -> Iterator[Tensor]:
        """Add tokens to prompts one at a time, with the cache; yields `(b, t + 1)` and longer."""
        tokens = torch.cat([self.begin(len(prompt)), prompt], dim=1)
        grown = generate_cached(self.extend, tokens, n_new, reshape=reshape, generator=generator)
        yield from (text[:, 1:] for text in grown)

    def sample(self, n: int, *, generator: Rng = None) -> Int[Tensor, " n length"]:
        empty = self.begin(n)[:, :0]
        return last(self.continue_text(empty, self.event_shape[0], generator=generator))


check_public(__name__)
