r"""The chain rule: a joint probability as a product of next-piece probabilities.

$$p(x_{1:n}) = \prod_{i=1}^n p(x_i \mid x_{<i}), \qquad
-\log p(x_{1:n}) = -\sum_{i=1}^n \log p(x_i \mid x_{<i})$$

An identity, not an approximation, in whatever order the pieces are numbered. A network that outputs
one distribution per position, each computed from the positions before it only, is therefore a
normalised model of whole sequences, and its exact likelihood is one sum.

Bengio, Ducharme, Vincent and Jauvin 2003 (JMLR 3), eq. 1.
"""

import math
from collections.abc import Callable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from genlab.core.tensors import require_alike, require_index


def token_log_probs(
    logits: Float[Tensor, " b n k"], x: Int[Tensor, " b n"]
) -> Float[Tensor, " b n"]:
    r"""Log-probability that a model gave to each piece, at its turn, nats, at most 0.

    $$\ell_i = \log p(x_i \mid x_{<i}) = a_{i, x_i} - \log \sum_{k} e^{a_{i k}}$$

    ValueError: a piece is outside 0..k-1, or there is not one row of logits for each piece.
    """
    require_alike(x=x, logits=logits.shape[:-1])
    require_index(logits.shape[-1], x=x)
    return logits.log_softmax(dim=-1).gather(-1, x[..., None]).squeeze(-1)


def sequence_log_prob(
    logits: Float[Tensor, " b n k"], x: Int[Tensor, " b n"]
) -> Float[Tensor, " b"]:
    r"""Exact log-probability of whole sequences: the chain rule.

    $$\log p(x_{1:n}) = \sum_{i=1}^n \log p(x_i \mid x_{<i})$$

    If `logits[:, i]` depends on `x[:, :i]` only, the probabilities of all sequences sum to 1. If it
    also reads `x[:, i]` or later pieces, they need not, and the number is no log-probability.

    Summed over the pieces, in nats, at most 0. Bengio, Ducharme, Vincent and Jauvin 2003 (JMLR 3),
    eq. 1. ValueError: as for `token_log_probs`.
    """
    return token_log_probs(logits, x).sum(dim=-1)


def perplexity(log_prob: Float[Tensor, " *b"], n_tokens: int) -> Float[Tensor, " *b"]:
    r"""Effective number of equally likely choices per piece.

    $$\mathrm{PPL} = \exp\Big(-\tfrac1n \log p(x_{1:n})\Big) = p(x_{1:n})^{-1/n}$$

    Jelinek, Mercer, Bahl and Baker 1977 (J. Acoust. Soc. Am. 62, S63). ValueError: `n_tokens` is
    below 1.
    """
    if n_tokens < 1:
        raise ValueError(f"n_tokens must be at least 1, got {n_tokens}")
    return torch.exp(-log_prob / n_tokens)


def bits_per_byte(log_prob: Float[Tensor, " *b"], n_bytes: int) -> Float[Tensor, " *b"]:
    r"""Nats of a text as bits per byte: what an ideal compressor would need.

    $$\frac{-\log p(x)}{n_{\text{bytes}} \log 2}$$

    The unit does not depend on how the text was cut into tokens, which perplexity does.

    ValueError: `n_bytes` is below 1.
    """
    if n_bytes < 1:
        raise ValueError(f"n_bytes must be at least 1, got {n_bytes}")
    return -log_prob / (n_bytes * math.log(2))


def all_sequences(n_tokens: int, length: int) -> Int[Tensor, " m n"]:
    r"""Every sequence of a small vocabulary: the honest way to check that a model sums to 1.

    ValueError: a size below 1, or more than a million sequences.
    """
    if n_tokens < 1 or length < 1 or n_tokens**length > 1_000_000:
        raise ValueError(f"cannot list {n_tokens} ** {length} sequences (at most a million)")
    return torch.cartesian_prod(*[torch.arange(n_tokens)] * length).reshape(-1, length)


def total_probability(
    logits_of: Callable[[Tensor], Tensor], n_tokens: int, length: int
) -> Float[Tensor, ""]:
    r"""Sum of the "probabilities" of every sequence: 1 for every causal model.

    $$\sum_{x \in \{1..k\}^n} \prod_i p(x_i \mid \text{what the model looked at})$$

    The converse is false. A model that reads only later pieces also sums to 1, and so do some
    models that are causal in no order. So a total other than 1 proves that a model looks ahead, but
    a total of 1 does not prove that it is causal: look at what each logit may read.
    """
    x = all_sequences(n_tokens, length)
    return sequence_log_prob(logits_of(x), x).exp().sum()


def dependence(f: Callable[[Tensor], Tensor], x: Float[Tensor, " n d"]) -> Float[Tensor, " m n"]:
    r"""How strongly each row of the output responds to each row of the input.

    $$J_{ij} = \sum_{a, b} \Big| \frac{\partial f_{i a}(x)}{\partial x_{j b}} \Big|$$
    """
    jacobian: Tensor = torch.autograd.functional.jacobian(f, x)  # type: ignore[no-untyped-call]
    return jacobian.abs().sum(dim=(1, 3))


def peeks(j: Float[Tensor, " n n"]) -> int:
    r"""Number of forbidden connections: pairs with $j \ge i$ and $J_{ij} \ne 0$; 0 if causal."""
    return int((j.triu() != 0).sum())


def seen_pixels(
    stack: Callable[[Tensor], Tensor], row: int, column: int, size: int = 8
) -> Bool[Tensor, " h w"]:
    r"""The measured receptive field: which pixels reach the features at one place.

    $$\text{seen}_{rc} = \Big[ \frac{\partial}{\partial x_{rc}} \sum_a f_a(x)_{\text{row, column}}
    \ne 0 \Big]$$
    """
    x = torch.linspace(-1, 1, size * size).reshape(1, 1, size, size).requires_grad_()
    (gradient,) = torch.autograd.grad(stack(x)[0, :, row, column].sum(), x)
    return gradient[0, 0] != 0
