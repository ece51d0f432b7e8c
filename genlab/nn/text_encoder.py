r"""A small text encoder: words in, states for cross-attention and one pooled vector out.

$$h = \mathrm{Transformer}\big(E_{w_1}, \dots, E_{w_s}\big), \qquad
\text{states} = h, \qquad \text{pooled} = \frac{\sum_j m_j h_j}{\max(1, \sum_j m_j)}$$

Every word sees every other. Short captions are filled up with a padding piece, whose embedding is
*learned* and which is attended to like a word, so no mask is needed anywhere downstream; only the
pooled mean leaves it out ($m_j = 0$). For classifier-free guidance some rows must be told nothing:
`NoCaption` puts one learned state in the place of all of theirs.

Lesson: notebooks/systems/glide.ipynb
Source: Nichol et al. 2021 (arXiv:2112.10741), section 4 (text encoder, learned padding, dropped
    captions).
"""

from typing import NamedTuple, final

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from genlab.nn.transformer import TransformerBody, TransformerConfig, init_weights

PADDING = 0  # the piece that fills up a row


class Text(NamedTuple):
    """What an image network reads of a caption."""

    states: Float[Tensor, " b s d"]  # one for each piece, for cross-attention
    pooled: Float[Tensor, " b d"]  # one for the whole, to be added to the time's embedding


@final
class TextEncoder(nn.Module):
    """Rows of word numbers to states and a pooled vector.

    Args:
        n_words: size of the table of words, with the padding piece 0 in front.
        d: width of the states.
        n_layer: blocks of the transformer.
        n_head: heads; divides `d`, with an even quotient.

    Example:
        >>> encoder = TextEncoder(11, d=8, n_layer=1, n_head=2)
        >>> text = encoder(torch.tensor([[1, 4, 0], [1, 2, 3]]))
        >>> text.states.shape, text.pooled.shape
        (torch.Size([2, 3, 8]), torch.Size([2, 8]))

    Source: Nichol et al. 2021 (arXiv:2112.10741), section 4, with a mean over the words for its
        last state.
    """

    def __init__(self, n_words: int, *, d: int = 64, n_layer: int = 2, n_head: int = 4) -> None:
        super().__init__()
        config = TransformerConfig(
            d_model=d, n_layer=n_layer, n_head=n_head, n_kv_head=n_head, d_hidden=2 * d,
            causal=False, rope_base=100.0,
        )  # fmt: skip
        self.d = d
        self.embedding = nn.Embedding(n_words, d)
        self.body = TransformerBody(config)
        self.apply(init_weights)
        nn.init.normal_(self.embedding.weight)

    def forward(self, rows: Int[Tensor, " b s"]) -> Text:
        """Read captions.

        Args:
            rows: `(b, s)`, indices into the table; 0 fills up.

        Returns:
            States `(b, s, d)` and pooled `(b, d)`.
        """
        states: Tensor = self.body(self.embedding(rows))[0]
        word = (rows != PADDING).to(states)[:, :, None]
        return Text(states, (word * states).sum(1) / word.sum(1).clamp(min=1))


@final
class NoCaption(nn.Module):
    """One learned state that stands for "told nothing": what dropped captions are replaced by.

    Args:
        d: width of the states and of the pooled vector.

    Example:
        >>> text = Text(torch.ones(2, 3, 4), torch.ones(2, 4))
        >>> hidden = NoCaption(4)(text, torch.tensor([True, False]))
        >>> hidden.states[:, 0, 0].tolist(), hidden.pooled[:, 0].tolist()
        ([0.0, 1.0], [0.0, 1.0])

    Source: Ho and Salimans 2022 (arXiv:2207.12598), algorithm 1, line 3.
    """

    def __init__(self, d: int) -> None:
        super().__init__()
        self.state = nn.Parameter(torch.zeros(d))
        self.pooled = nn.Parameter(torch.zeros(d))

    def forward(self, text: Text, hidden: Bool[Tensor, " b"]) -> Text:
        """Hide the captions of some rows.

        Args:
            text: of all rows.
            hidden: which rows are told nothing.

        Returns:
            Like `text`. Attention over equal states returns that state, however many there are.
        """
        return Text(
            torch.where(hidden[:, None, None], self.state, text.states),
            torch.where(hidden[:, None], self.pooled, text.pooled),
        )
