"""The chain rule: a joint probability by next-token ones (Bengio et al. 2003, JMLR 3, eq. 1)."""

import math
from collections.abc import Callable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from genlab.core.checked import check_public
from genlab.core.tensors import require_index, require_positive


def token_log_probs(
    logits: Float[Tensor, " b n k"], x: Int[Tensor, " b n"]
) -> Float[Tensor, " b n"]:
    r"""Log-probability that a model gave to each token at its turn, nats.

    $$\ell_i = \log p(x_i \mid x_{<i}) = a_{i, x_i} - \log \sum_{k} e^{a_{i k}}$$
    """
    require_index(logits.shape[-1], x=x)
    return logits.log_softmax(dim=-1).gather(-1, x[..., None]).squeeze(-1)


def sequence_log_prob(
    logits: Float[Tensor, " b n k"], x: Int[Tensor, " b n"]
) -> Float[Tensor, " b"]:
    r"""Exact log-probability of whole sequences in nats, summed over the tokens: the chain rule.

    $$\log p(x_{1:n}) = \sum_{i=1}^n \log p(x_i \mid x_{<i})$$

    A log-probability only if `logits[:, i]` depends on `x[:, :i]` alone. Bengio et al. 2003, eq. 1.
    """
    return token_log_probs(logits, x).sum(dim=-1)


def perplexity(log_prob: Float[Tensor, " *b"], n_tokens: int) -> Float[Tensor, " *b"]:
    r"""Effective number of equally likely choices per token.

    $$\mathrm{PPL} = \exp\Big(-\tfrac1n \log p(x_{1:n})\Big) = p(x_{1:n})^{-1/n}$$

    Jelinek, Mercer, Bahl and Baker 1977 (J. Acoust. Soc. Am. 62, S63).
    """
    require_positive(n_tokens=n_tokens)
    return torch.exp(-log_prob / n_tokens)


def bits_per_byte(log_prob: Float[Tensor, " *b"], n_bytes: int) -> Float[Tensor, " *b"]:
    r"""Nats of a text as bits per byte: what an ideal compressor would need.

    $$\frac{-\log p(x)}{n_{\text{bytes}} \log 2}$$
    """
    require_positive(n_bytes=n_bytes)
    return -log_prob / (n_bytes * math.log(2))


def seen_pixels(
    stack: Callable[[Tensor], Tensor], row: int, column: int, size: int = 8
) -> Bool[Tensor, " h w"]:
    """The measured receptive field: which pixels reach the features at one place."""
    x = torch.linspace(-1, 1, size * size).reshape(1, 1, size, size).requires_grad_()
    (gradient,) = torch.autograd.grad(stack(x)[0, :, row, column].sum(), x)
    return gradient[0, 0] != 0


check_public(__name__)
