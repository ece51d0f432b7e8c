"""From captions to what a network reads of them: text, then tokens, then one state a token.

Tokens are rows of word numbers. States are what `TextEncoder` answers; a network reads them by
cross-attention, as its `context`.
"""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from genlab.core.checked import check_public
from genlab.nn.transformer import TransformerBody, TransformerConfig, init_weights

Captions = Sequence[str] | Int[Tensor, " b s"] | Float[Tensor, " b s d"]  # text, tokens, states


class TextEncoder(nn.Module):
    """Rows of token numbers to one state a token: embeddings, learned positions, a transformer.

    Every token sees every other one (Nichol et al. 2021 (arXiv:2112.10741), section 4).
    """

    def __init__(
        self, n_tokens: int, length: int, *, d: int = 64, n_layer: int = 1, n_head: int = 4
    ) -> None:
        super().__init__()
        config = TransformerConfig(
            d, n_layer, n_head, n_head, d_hidden=2 * d, causal=False, n_positions=length
        )
        self.d = d
        self.body = TransformerBody(config)
        self.apply(init_weights)
        self.words = nn.Embedding(n_tokens, d)
        self.positions = nn.Parameter(torch.randn(length, d))

    def forward(self, rows: Int[Tensor, " b t"]) -> Float[Tensor, " b t c"]:
        """Encode captions; padding is a token like any other, with a state of its own."""
        return self.body(self.words(rows) + self.positions)[0]


class NoCaption(nn.Module):
    """What dropped captions are replaced by, learned (Ho and Salimans 2022, algorithm 1)."""

    def __init__(self, d: int) -> None:
        super().__init__()
        self.state = nn.Parameter(torch.zeros(d))

    def forward(
        self, states: Float[Tensor, " b t c"], hidden: Bool[Tensor, " b"]
    ) -> Float[Tensor, " b t c"]:
        """Replace all states of the `hidden` rows by one."""
        return torch.where(hidden[:, None, None], self.state, states)


def encode_captions(
    captions: Captions,
    text_encoder: Callable[[Int[Tensor, " b s"]], Float[Tensor, " b s d"]] | None,
    *,
    tokenize: Callable[[Sequence[str]], Int[Tensor, " b s"]],
    like: Tensor,
) -> Float[Tensor, " b s d"]:
    """States of captions, on the device of `like`; those that are states already come back.

    ValueError: an unknown word, or text or tokens where there is no `text_encoder`.
    """
    tokens = captions if isinstance(captions, Tensor) else tokenize(captions)
    if tokens.is_floating_point():
        return tokens
    if text_encoder is None:
        raise ValueError("this model has no text encoder: pass the states of captions")
    return text_encoder(tokens.to(like.device))


check_public(__name__)
