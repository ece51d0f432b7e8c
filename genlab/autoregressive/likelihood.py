r"""The chain rule: a joint probability as a product of next-piece probabilities.

$$p(x_{1:n}) = \prod_{i=1}^n p(x_i \mid x_{<i}), \qquad
-\log p(x_{1:n}) = -\sum_{i=1}^n \log p(x_i \mid x_{<i})$$

An identity, not an approximation, in whatever order the pieces are numbered. A network that
outputs one distribution per position, each computed from the positions before it only, is
therefore a normalised model of whole sequences, and its exact likelihood is one sum.

Lesson: notebooks/02_autoregressive.ipynb
Source: Bengio, Ducharme, Vincent and Jauvin 2003 (JMLR 3), eq. 1.
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
    r"""Log-probability that a model gave to each piece, at its turn.

    $$\ell_i = \log p(x_i \mid x_{<i}) = a_{i, x_i} - \log \sum_{k} e^{a_{i k}}$$

    Args:
        logits: $a$, `(b, n, k)`; row i holds the unnormalised log-probabilities of piece i,
            computed from the pieces before it.
        x: the pieces, `(b, n)`, integers in 0..k-1.

    Returns:
        `(b, n)`, nats, at most 0.

    Raises:
        ValueError: a piece is outside 0..k-1, or there is not one row of logits for each piece.

    Example:
        >>> token_log_probs(torch.zeros(1, 2, 4), torch.tensor([[0, 3]]))
        tensor([[-1.3863, -1.3863]])

    Lesson: notebooks/02_autoregressive.ipynb
    """
    require_alike(x=x, logits=logits.shape[:-1])
    require_index(logits.shape[-1], x=x)
    return logits.log_softmax(dim=-1).gather(-1, x[..., None]).squeeze(-1)


def sequence_log_prob(
    logits: Float[Tensor, " b n k"], x: Int[Tensor, " b n"]
) -> Float[Tensor, " b"]:
    r"""Exact log-probability of whole sequences: the chain rule.

    $$\log p(x_{1:n}) = \sum_{i=1}^n \log p(x_i \mid x_{<i})$$

    If `logits[:, i]` depends on `x[:, :i]` only, the probabilities of all sequences sum to 1. If
    it also reads `x[:, i]` or later pieces, they need not, and the number is no log-probability.

    Args:
        logits: `(b, n, k)`, row i computed from the pieces before i.
        x: `(b, n)`, integers in 0..k-1.

    Returns:
        `(b,)`, summed over the pieces, in nats, at most 0.

    Raises:
        ValueError: as for `token_log_probs`.

    Example:
        >>> logits = torch.log(torch.tensor([[[0.5, 0.4, 0.1], [0.5, 0.3, 0.2], [0.1, 0.3, 0.6]]]))
        >>> sequence_log_prob(logits, torch.tensor([[1, 0, 2]])).exp()
        tensor([0.1200])

    Source: Bengio, Ducharme, Vincent and Jauvin 2003 (JMLR 3), eq. 1.
    Lesson: notebooks/02_autoregressive.ipynb
    """
    return token_log_probs(logits, x).sum(dim=-1)


def perplexity(log_prob: Float[Tensor, " *b"], n_tokens: int) -> Float[Tensor, " *b"]:
    r"""Effective number of equally likely choices per piece.

    $$\mathrm{PPL} = \exp\Big(-\tfrac1n \log p(x_{1:n})\Big) = p(x_{1:n})^{-1/n}$$

    Args:
        log_prob: log-probabilities of whole sequences, nats.
        n_tokens: pieces in one sequence, at least 1.

    Returns:
        Like `log_prob`, at least 1; k for a uniform model over k outcomes.

    Raises:
        ValueError: `n_tokens` is below 1.

    Example:
        >>> perplexity(torch.tensor(0.12).log(), 3)
        tensor(2.0274)

    Source: Jelinek, Mercer, Bahl and Baker 1977 (J. Acoust. Soc. Am. 62, S63).
    Lesson: notebooks/02_autoregressive.ipynb
    """
    if n_tokens < 1:
        raise ValueError(f"n_tokens must be at least 1, got {n_tokens}")
    return torch.exp(-log_prob / n_tokens)


def bits_per_byte(log_prob: Float[Tensor, " *b"], n_bytes: int) -> Float[Tensor, " *b"]:
    r"""Nats of a text as bits per byte: what an ideal compressor would need.

    $$\frac{-\log p(x)}{n_{\text{bytes}} \log 2}$$

    The unit does not depend on how the text was cut into tokens, which perplexity does.

    Args:
        log_prob: log-probabilities of whole texts, nats.
        n_bytes: length of one text in bytes, at least 1.

    Returns:
        Like `log_prob`; 8 for a model that knows nothing.

    Raises:
        ValueError: `n_bytes` is below 1.

    Example:
        >>> bits_per_byte(torch.tensor(1 / 256).log(), 1)
        tensor(8.)

    Lesson: notebooks/02_autoregressive.ipynb
    """
    if n_bytes < 1:
        raise ValueError(f"n_bytes must be at least 1, got {n_bytes}")
    return -log_prob / (n_bytes * math.log(2))


def all_sequences(n_tokens: int, length: int) -> Int[Tensor, " m n"]:
    r"""Every sequence of a small vocabulary: the honest way to check that a model sums to 1.

    Args:
        n_tokens: size of the vocabulary k.
        length: n.

    Returns:
        `(k ** n, n)`, in dictionary order.

    Raises:
        ValueError: a size below 1, or more than a million sequences.

    Example:
        >>> all_sequences(2, 2).tolist()
        [[0, 0], [0, 1], [1, 0], [1, 1]]

    Lesson: notebooks/02_autoregressive.ipynb
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

    Args:
        logits_of: maps `(m, n)` sequences to `(m, n, k)` logits.
        n_tokens: k.
        length: n.

    Returns:
        A scalar; any value other than 1 shows a model that looks ahead.

    Example:
        >>> peeking = lambda x: 4.0 * torch.nn.functional.one_hot(x, 2)
        >>> total_probability(peeking, 2, 3) > 7
        tensor(True)

    Lesson: notebooks/02_autoregressive.ipynb
    """
    x = all_sequences(n_tokens, length)
    return sequence_log_prob(logits_of(x), x).exp().sum()


def dependence(f: Callable[[Tensor], Tensor], x: Float[Tensor, " n d"]) -> Float[Tensor, " m n"]:
    r"""How strongly each row of the output responds to each row of the input.

    $$J_{ij} = \sum_{a, b} \Big| \frac{\partial f_{i a}(x)}{\partial x_{j b}} \Big|$$

    Args:
        f: maps `(n, d)` pieces to `(m, k)` outputs.
        x: where to differentiate; a generic (random) point.

    Returns:
        `(m, n)`, non-negative; exactly 0 where there is no path from input j to output i.

    Example:
        >>> dependence(lambda x: x.cumsum(0), torch.ones(3, 1))
        tensor([[1., 0., 0.],
                [1., 1., 0.],
                [1., 1., 1.]])

    Lesson: notebooks/02_autoregressive.ipynb
    """
    jacobian: Tensor = torch.autograd.functional.jacobian(f, x)  # type: ignore[no-untyped-call]
    return jacobian.abs().sum(dim=(1, 3))


def peeks(j: Float[Tensor, " n n"]) -> int:
    r"""Number of forbidden connections: pairs with $j \ge i$ and $J_{ij} \ne 0$; 0 if causal.

    Args:
        j: from `dependence`, with rows and columns in the order in which pieces are visited.

    Returns:
        A count between 0 and n (n + 1) / 2.

    Example:
        >>> peeks(torch.tensor([[0.0, 0.0], [1.0, 0.0]])), peeks(torch.ones(2, 2))
        (0, 3)

    Lesson: notebooks/02_autoregressive.ipynb
    """
    return int((j.triu() != 0).sum())


def seen_pixels(
    stack: Callable[[Tensor], Tensor], row: int, column: int, size: int = 8
) -> Bool[Tensor, " h w"]:
    r"""The measured receptive field: which pixels reach the features at one place.

    $$\text{seen}_{rc} = \Big[ \frac{\partial}{\partial x_{rc}} \sum_a f_a(x)_{\text{row, column}}
    \ne 0 \Big]$$

    Args:
        stack: maps `(1, 1, size, size)` to features of the same height and width.
        row: of the output.
        column: of the output.
        size: height and width.

    Returns:
        `(size, size)`, true where the output depends on the pixel.

    Example:
        >>> seen_pixels(torch.nn.AvgPool2d(3, 1, 1), 1, 1, size=4).int().sum()
        tensor(9)

    Lesson: notebooks/02_autoregressive.ipynb
    """
    x = torch.linspace(-1, 1, size * size).reshape(1, 1, size, size).requires_grad_()
    (gradient,) = torch.autograd.grad(stack(x)[0, :, row, column].sum(), x)
    return gradient[0, 0] != 0
