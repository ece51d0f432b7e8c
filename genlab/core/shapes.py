r"""The only helpers that line up or reduce tensors.

Everywhere in the course a tensor of data has shape `(b, *event)`: first the examples, then
whatever one example is made of (two coordinates, 8 x 8 pixels, 32 tokens). Quantities that
belong to an example, such as its noise level or its log-likelihood, have shape `(b,)`.
Three functions connect the two, so that no formula ever needs `[:, None, None, None]`:

$$\text{expand}: (b,) \to (b, 1, \dots, 1), \qquad
\text{sum\_event},\ \text{mean\_event}: (b, *\text{event}) \to (b,).$$

Lesson: notebooks/03_maximum_likelihood_and_kl.ipynb
"""

from typing import TypeAlias

from jaxtyping import Float
from torch import Tensor

from genlab.core.guards import as_real

Event: TypeAlias = Float[Tensor, " b *event"]
PerExample: TypeAlias = Float[Tensor, " b"]


def expand(a: Tensor, x: Tensor) -> Tensor:
    r"""Give a per-example quantity the trailing ones it needs to multiply `x`.

    $$a_i \cdot x_{i\,j\,k\dots} \quad\text{becomes}\quad \texttt{expand(a, x) * x}.$$

    Args:
        a: one number per example, `(b,)`, or a single number, `()`.
        x: the tensor to multiply, `(b, *event)`.

    Returns:
        A view of `a` with shape `(b, 1, ..., 1)` and as many axes as `x`.

    Raises:
        ValueError: `a` has more than one axis, or a length other than `b` or 1.

    Example:
        >>> import torch
        >>> expand(torch.ones(3), torch.zeros(3, 8, 8)).shape
        torch.Size([3, 1, 1])

    Lesson: notebooks/03_maximum_likelihood_and_kl.ipynb
    """
    if a.ndim == 0:
        return a
    if a.ndim != 1 or x.ndim == 0 or a.shape[0] not in (1, x.shape[0]):
        raise ValueError(
            f"expand: a has shape {tuple(a.shape)}, expected () or one number for each of the "
            f"examples of x, whose shape is {tuple(x.shape)}"
        )
    return a.reshape(a.shape[0], *([1] * (x.ndim - 1)))


def sum_event(x: Float[Tensor, " b *event"]) -> Float[Tensor, " b"]:
    r"""Sum over everything but the examples: $\sum_j x_{ij}$, as log-probabilities need.

    Args:
        x: `(b, *event)`.

    Returns:
        `(b,)`, in the unit of `x`: a sum of nats over D dimensions is in nats.

    Raises:
        ValueError: `x` has no axis of examples.

    Example:
        >>> import torch
        >>> sum_event(torch.ones(2, 3, 4))
        tensor([12., 12.])

    Lesson: notebooks/03_maximum_likelihood_and_kl.ipynb
    """
    _require_examples(x, "sum_event")
    return x if x.ndim == 1 else x.flatten(1).sum(1)


def mean_event(x: Float[Tensor, " b *event"]) -> Float[Tensor, " b"]:
    r"""Average over everything but the examples: $\tfrac1D\sum_j x_{ij}$.

    Args:
        x: `(b, *event)`.

    Returns:
        `(b,)`, the unit of `x` per dimension: never nats of the whole example.

    Raises:
        ValueError: `x` has no axis of examples.

    Example:
        >>> import torch
        >>> mean_event(torch.ones(2, 3, 4))
        tensor([1., 1.])

    Lesson: notebooks/03_maximum_likelihood_and_kl.ipynb
    """
    _require_examples(x, "mean_event")
    x = as_real(x)
    return x if x.ndim == 1 else x.flatten(1).mean(1)


def _require_examples(x: Tensor, name: str) -> None:
    if x.ndim == 0:
        raise ValueError(f"{name}: x is a single number, expected examples on the first axis")
