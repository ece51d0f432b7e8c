r"""Pixels as tokens: the causal transformer on images, in raster order or any other.

$$p(x) = \prod_{i=1}^{hw} p\big(x_{\pi(i)} \mid x_{\pi(1)}, \dots, x_{\pi(i-1)}\big)$$

The chain rule holds for every order $\pi$, so the transformer may visit the pixels as it likes;
what changes is how hard the conditionals are to learn. Unlike a convolution, attention reaches
every earlier pixel in one step, and must learn from data which of them are neighbours.

Lesson: notebooks/02_autoregressive.ipynb
Source: Chen et al. 2020 ("Generative pretraining from pixels", ICML), section 3.
"""

from collections.abc import Iterator, Sequence
from typing import final

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor, nn

from genlab.autoregressive.chain_rule import sequence_log_prob
from genlab.autoregressive.decoding import Reshape, generate_cached, reshape_logits
from genlab.core import last
from genlab.nn.transformer import Cache, TransformerBody, TransformerConfig, init_weights


@final
class ImageTransformer(nn.Module):
    r"""Exact discrete image model on one-channel images.

    At turn $i$ the network reads the grey level seen last, as a table entry plus a multiple of one
    learned vector (levels are ordered, and 17 separate entries would have to learn that), and a
    learned vector for the pixel that is to be predicted.

    Args:
        n_levels: grey levels, 17 for the digits; level `n_levels` means "begin".
        event_shape: `(1, h, w)`.
        config: sizes of the transformer.
        order: the pixel visited at each turn; None: raster order.

    Raises:
        ValueError: `order` is not a permutation of the pixels.

    Example:
        >>> config = TransformerConfig(d_model=8, n_layer=1, n_head=2, n_kv_head=2)
        >>> model = ImageTransformer(17, (1, 4, 4), config)
        >>> model.log_prob(torch.zeros(2, 1, 4, 4, dtype=torch.int64)).shape, model.sample(3).shape
        (torch.Size([2]), torch.Size([3, 1, 4, 4]))

    Source: Chen et al. 2020 ("Generative pretraining from pixels", ICML), section 3.
    Lesson: notebooks/02_autoregressive.ipynb
    """

    order: Tensor

    def __init__(
        self,
        n_levels: int,
        event_shape: tuple[int, int, int],
        config: TransformerConfig,
        order: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        n = event_shape[1] * event_shape[2]
        order = list(range(n)) if order is None else list(order)
        if sorted(order) != list(range(n)):
            raise ValueError(f"order must be a permutation of 0..{n - 1}, got {order}")
        self.n_levels, self.event_shape = n_levels, event_shape
        self.register_buffer("order", torch.tensor(order))
        self.embedding = nn.Embedding(n_levels + 1, config.d_model)
        self.body = TransformerBody(config)
        self.head = nn.Linear(config.d_model, n_levels)
        self.apply(init_weights)
        self.brightness = nn.Parameter(0.2 * torch.randn(config.d_model))
        self.place = nn.Parameter(0.2 * torch.randn(n, config.d_model))
        self.offset = nn.Parameter(torch.zeros(n, n_levels))

    def sequence(self, x: Int[Tensor, " b 1 h w"]) -> Int[Tensor, " b n"]:
        """The pixels in the order in which they are visited."""
        return x.flatten(1)[:, self.order]

    def image(self, tokens: Int[Tensor, " b n"]) -> Int[Tensor, " b 1 h w"]:
        """The inverse of `sequence`."""
        flat = torch.empty_like(tokens)
        flat[:, self.order] = tokens
        return flat.reshape(-1, *self.event_shape)

    def begin(self, n: int) -> Int[Tensor, " n 1"]:
        """`n` sequences that hold nothing but the begin token."""
        return torch.full((n, 1), self.n_levels, device=self.order.device)

    def extend(self, tokens: Int[Tensor, " b t"], cache: Cache = ()) -> tuple[Tensor, Cache]:
        """Logits after each new token (the first of all is "begin"), given the cache; new cache."""
        n_past = cache[0].k.shape[2] if cache else 0
        turns = self.order[n_past : n_past + tokens.shape[1]]
        level = (tokens.to(self.place.dtype) * (2 / (self.n_levels - 1)) - 1)[..., None]
        h = self.embedding(tokens) + level * self.brightness + self.place[turns]
        h, cache = self.body(h, cache)
        return self.head(h) + self.offset[turns], cache

    def next_logits(self, tokens: Int[Tensor, " b t"]) -> Float[Tensor, " b t k"]:
        """Logits after each token, the whole sequence read at once."""
        return self.extend(tokens)[0]

    def logits(self, x: Int[Tensor, " b 1 h w"]) -> Float[Tensor, " b n k"]:
        """Logits of the pixel visited at each turn; row i is computed from earlier turns only."""
        tokens = torch.cat([self.begin(len(x)), self.sequence(x)[:, :-1]], dim=1)
        return self.next_logits(tokens)

    def log_prob(self, x: Int[Tensor, " b 1 h w"]) -> Float[Tensor, " b"]:
        """Exact log-probability of whole images, `(b,)`, in nats."""
        return sequence_log_prob(self.logits(x), self.sequence(x))

    def loss(
        self,
        x: Int[Tensor, " b 1 h w"],
        *,
        cond: Tensor | None = None,
        generator: Generator | None = None,
    ) -> Float[Tensor, ""]:
        """Mean negative log-probability per pixel, nats."""
        if cond is not None:
            raise ValueError("ImageTransformer.loss: cond is given, expected None")
        return -self.log_prob(x).mean() / len(self.order)

    def steps(
        self, n: int, *, reshape: Reshape = reshape_logits, generator: Generator | None = None
    ) -> Iterator[Tensor]:
        """Draw `n` images pixel by pixel, cached; yields the tokens so far, "begin" first."""
        yield from generate_cached(
            self.extend, self.begin(n), len(self.order), reshape=reshape, generator=generator
        )

    def sample(
        self, n: int, *, cond: Tensor | None = None, generator: Generator | None = None
    ) -> Int[Tensor, " n 1 h w"]:
        """Draw `n` images from the model as it is."""
        if cond is not None:
            raise ValueError("ImageTransformer.sample: cond is given, expected None")
        return self.image(last(self.steps(n, generator=generator))[:, 1:])
