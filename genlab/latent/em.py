r"""Expectation-maximisation: climb one bound in two directions, one at a time.

The bound has two arguments, the guess q and the model. Improving each in turn can only raise it:

$$\text{E: } q \leftarrow p(z\mid x), \qquad
  \text{M: } p \leftarrow \arg\max_p\ \mathbb E_q \log p(x, z),$$

and after each E-step the bound *is* $\log p(x)$, so the likelihood never falls. The generator
here knows neither model nor data: it takes the two steps as functions.

Lesson: notebooks/05_latent_variables_and_elbo.ipynb
Sources: Dempster, Laird and Rubin 1977, J. R. Statist. Soc. B 39; Neal and Hinton 1998, "A view of
the EM algorithm that justifies incremental, sparse, and other variants"; Bishop, Pattern
Recognition and Machine Learning, sections 9.2 to 9.4.
"""

from collections.abc import Callable, Iterator
from typing import Generic, Literal, NamedTuple, TypeVar

from jaxtyping import Float, Int
from torch import Tensor

from genlab.oracles import GaussianMixture

from .mixture import CategoricalMixture, one_hot_levels

Q = TypeVar("Q")
M = TypeVar("M")


class HalfStep(NamedTuple, Generic[Q, M]):
    """Where the climb stands after one half of an iteration."""

    step: int  # 1, 2, ...: the iteration that this half belongs to
    half: Literal["E", "M"]  # which of the two was just improved
    q: Q  # the guess
    model: M  # the model


def gaussian_m_step(x: Float[Tensor, " n d"], q: Float[Tensor, " n k"]) -> GaussianMixture:
    r"""Best round Gaussian mixture for given responsibilities.

    $$N_k = \sum_i q_{ik}, \quad \pi_k = \frac{N_k}{n}, \quad
      m_k = \frac{1}{N_k}\sum_i q_{ik}x_i, \quad
      s_k^2 = \frac{1}{N_k d}\sum_i q_{ik}\lVert x_i - m_k\rVert^2$$

    Args:
        x: the data, `(n, d)`.
        q: responsibilities $q(z{=}k\mid x_i)$, `(n, k)`, rows sum to 1.

    Returns:
        The mixture. A component whose points coincide has no width: its likelihood has no maximum.

    Raises:
        ValueError: a component lost all its data, or its width is 0.

    Example:
        >>> import torch
        >>> x = torch.tensor([[-3.0], [-1.0], [2.0], [4.0]])
        >>> q = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
        >>> gaussian_m_step(x, q).means.flatten()
        tensor([-2.,  3.])

    Source: Bishop, Pattern Recognition and Machine Learning, eqs. 9.24 to 9.27, one variance for
    each component.
    Lesson: notebooks/05_latent_variables_and_elbo.ipynb
    """
    count = q.sum(0)
    means = q.T @ x / count[:, None]
    squared = ((x[:, None] - means) ** 2).sum(-1)
    variances = (q * squared).sum(0) / (count * x.shape[1])
    return GaussianMixture(count / len(x), means, variances.sqrt())


def categorical_m_step(
    x: Int[Tensor, " n *event"],
    q: Float[Tensor, " n k"],
    *,
    n_levels: int,
    pseudo_count: float = 0.0,
) -> CategoricalMixture:
    r"""Best mixture of independent categorical pixels for given responsibilities.

    $$\pi_k = \frac{N_k}{n}, \qquad
      p_{kj\ell} = \frac{a + \sum_i q_{ik}\,[x_{ij} = \ell]}{La + N_k}$$

    Counting, with each example shared out among the components. A grey level that a pixel of a
    component never showed has probability 0 unless $a > 0$; then what the step maximises is the
    bound plus $a\sum_{kj\ell}\log p_{kj\ell}$.

    Args:
        x: integers in 0..L-1, `(n, *event)`.
        q: responsibilities, `(n, k)`, rows sum to 1.
        n_levels: L.
        pseudo_count: a, imaginary sightings of each level in each pixel of each component.

    Returns:
        The mixture.

    Raises:
        ValueError: a level is outside 0..L-1, or the pseudo-count is negative.

    Example:
        >>> import torch
        >>> x, q = torch.tensor([[0], [0], [1], [1]]), torch.full((4, 1), 1.0)
        >>> categorical_m_step(x, q, n_levels=2).log_prob(x).exp()
        tensor([0.5000, 0.5000, 0.5000, 0.5000], grad_fn=<ExpBackward0>)

    Source: Bishop, Pattern Recognition and Machine Learning, eqs. 9.59 and 9.60, for L levels.
    Lesson: notebooks/05_latent_variables_and_elbo.ipynb
    """
    if not pseudo_count >= 0:
        raise ValueError(f"categorical_m_step: pseudo_count is {pseudo_count}, expected >= 0")
    seen = one_hot_levels(x, n_levels).to(q)
    counts = (q.T @ seen).reshape(q.shape[1], *x.shape[1:], n_levels) + pseudo_count
    log_probs = (counts / counts.sum(-1, keepdim=True)).log()
    return CategoricalMixture((q.mean(0)).log(), log_probs)


def em(
    model: M,
    e_step: Callable[[M], Q],
    m_step: Callable[[Q], M],
    *,
    n_steps: int,
) -> Iterator[HalfStep[Q, M]]:
    """Coordinate ascent on the bound; yields after *each half*, so that both can be watched.

    Args:
        model: where to start; EM only finds the top of the hill that it starts on.
        e_step: the best guess for a model, usually its exact posterior given the data.
        m_step: the best model for a guess.
        n_steps: iterations, each an E-step and an M-step.

    Yields:
        `HalfStep`, twice an iteration. After "E" the bound is tight; after "M" it has a gap again.

    Raises:
        ValueError: `n_steps` is not positive.

    Example:
        >>> halves = em(1.0, lambda m: m / 2, lambda q: q + 1, n_steps=2)
        >>> [(h.half, h.q, h.model) for h in halves]
        [('E', 0.5, 1.0), ('M', 0.5, 1.5), ('E', 0.75, 1.5), ('M', 0.75, 1.75)]

    Source: Neal and Hinton 1998, theorem 2.
    Lesson: notebooks/05_latent_variables_and_elbo.ipynb
    """
    if n_steps < 1:
        raise ValueError(f"em: n_steps is {n_steps}, expected at least 1")

    def halves() -> Iterator[HalfStep[Q, M]]:
        current = model
        for step in range(1, n_steps + 1):
            q = e_step(current)
            yield HalfStep(step, "E", q, current)
            current = m_step(q)
            yield HalfStep(step, "M", q, current)

    return halves()
