r"""A mixture of categorical pixels: a latent with K values, so the likelihood is a short sum.

$$z \sim \pi, \qquad x_j \mid z \sim \mathrm{Categorical}(p_{zj}) \ \text{independently}, \qquad
\log p(x) = \log\sum_z \pi_z \prod_j p_{zj}(x_j)$$

The same model is here twice. `CategoricalMixture` sums over z and knows $\log p(x)$.
`AmortizedMixture` refuses the sum and lets a network guess z, as a VAE has to: it knows a bound.

Lesson: notebooks/05_latent_variables_and_elbo.ipynb
Source: Bishop, Pattern Recognition and Machine Learning, section 9.3.3 (for two levels).
"""

from typing import final

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Generator, Tensor, nn

from genlab.core.guards import require_index
from genlab.core.shapes import PerExample

from .discrete import LogJoint, discrete_elbo, log_marginal


def one_hot_levels(x: Int[Tensor, " n *event"], n_levels: int) -> Float[Tensor, " n dl"]:
    """Write each pixel as L numbers, 1 for its level and 0 elsewhere, all in one row an example.

    Args:
        x: integers in 0..L-1, `(n, *event)`.
        n_levels: L.

    Returns:
        `(n, D * L)`, torch's default dtype.

    Raises:
        ValueError: a level is outside 0..L-1.

    Example:
        >>> one_hot_levels(torch.tensor([[1, 0]]), n_levels=2)
        tensor([[0., 1., 1., 0.]])
    """
    require_index(n_levels, x=x)
    return F.one_hot(x, n_levels).flatten(1).to(torch.get_default_dtype())


@final
class CategoricalMixture(nn.Module):
    r"""K components, each a table of pixel probabilities; the likelihood by enumeration.

    Args:
        log_weights: $\log\pi_k$ up to a constant, `(k,)`.
        log_probs: $\log p_{kj\ell}$ up to a constant for each pixel, `(k, *event, levels)`.

    Raises:
        ValueError: the shapes do not fit.

    Example:
        >>> mixture = CategoricalMixture(torch.zeros(3), torch.zeros(3, 2, 5))
        >>> mixture.log_prob(torch.zeros(1, 2, dtype=torch.long)).exp()
        tensor([0.0400], grad_fn=<ExpBackward0>)

    Lesson: notebooks/05_latent_variables_and_elbo.ipynb
    """

    def __init__(self, log_weights: Tensor, log_probs: Tensor) -> None:
        super().__init__()
        if log_weights.ndim != 1 or log_probs.ndim < 3 or len(log_probs) != len(log_weights):
            raise ValueError(
                f"CategoricalMixture: log_weights {tuple(log_weights.shape)} and log_probs "
                f"{tuple(log_probs.shape)}, expected (k,) and (k, *event, levels)"
            )
        self.event_shape: tuple[int, ...] = tuple(log_probs.shape[1:-1])
        self.n_levels = log_probs.shape[-1]
        self.log_weights = nn.Parameter(log_weights.detach().clone())
        self.log_probs = nn.Parameter(log_probs.detach().clone())

    def log_prior(self) -> Float[Tensor, " k"]:
        r"""Log-probability of each component, $\log\pi$, in nats."""
        return self.log_weights.log_softmax(0)

    def cond_log_prob(self, x: Int[Tensor, " n *event"]) -> LogJoint:
        r"""$\log p(x\mid z)$ for every z, `(n, k)`, summed over the pixels, in nats."""
        table = self.log_probs.log_softmax(-1).clamp_min(_LOG_ZERO).flatten(1)
        return one_hot_levels(x, self.n_levels).to(table) @ table.T

    def log_joint(self, x: Int[Tensor, " n *event"]) -> LogJoint:
        r"""$\log p(x, z)$ for every z, `(n, k)`, in nats."""
        return self.cond_log_prob(x) + self.log_prior()

    def log_prob(self, x: Int[Tensor, " n *event"]) -> PerExample:
        r"""Exact $\log p(x)$, `(n,)`, in nats."""
        return log_marginal(self.log_joint(x))

    def loss(
        self, x: Tensor, *, cond: Tensor | None = None, generator: Generator | None = None
    ) -> Float[Tensor, ""]:
        """Negative log-likelihood, mean over the batch, nats. `cond` must be None."""
        _refuse(cond)
        return -self.log_prob(x).mean()

    @torch.no_grad()
    def sample(
        self, n: int, *, cond: Tensor | None = None, generator: Generator | None = None
    ) -> Int[Tensor, " n *event"]:
        """Draw a component (or take `cond`, `(n,)`, as the choice), then each pixel by itself."""
        z = cond
        if z is None:
            z = torch.multinomial(self.log_prior().exp(), n, True, generator=generator)
        probs = self.log_probs.softmax(-1)[z].flatten(0, -2)
        return torch.multinomial(probs, 1, generator=generator).reshape(n, *self.event_shape)


@final
class AmortizedMixture(nn.Module):
    r"""The same mixture seen through a network that guesses z: a bound instead of a likelihood.

    $$\mathrm{ELBO}_\beta = \mathbb E_{q(z|x)}\log p(x\mid z)
      - \beta\,\mathrm{KL}\big(q(z\mid x)\,\|\,\pi\big)$$

    Args:
        mixture: the model.
        encoder: one-hot pixels `(n, D * L)` to `(n, k)` logits of $q(z\mid x)$.
        beta: weight of the divergence in `loss`; 1 for the bound. `elbo` always uses 1.

    Lesson: notebooks/05_latent_variables_and_elbo.ipynb
    """

    def __init__(self, mixture: CategoricalMixture, encoder: nn.Module, beta: float = 1.0) -> None:
        super().__init__()
        self.mixture, self.encoder, self.beta = mixture, encoder, beta
        self.event_shape = mixture.event_shape

    def encode(self, x: Int[Tensor, " n *event"]) -> LogJoint:
        r"""Guess $q(z\mid x)$: probabilities, `(n, k)`."""
        logits: Tensor = self.encoder(one_hot_levels(x, self.mixture.n_levels))
        return logits.softmax(-1)

    def elbo(self, x: Tensor, *, generator: Generator | None = None) -> PerExample:
        """Bound on log p(x), `(n,)`, nats; the expectation over z is a sum, so nothing is drawn."""
        return discrete_elbo(self.encode(x), self.mixture.log_joint(x))

    def loss(
        self, x: Tensor, *, cond: Tensor | None = None, generator: Generator | None = None
    ) -> Float[Tensor, ""]:
        """Negative bound with the divergence weighted by beta, mean over the batch, nats."""
        _refuse(cond)
        q = self.encode(x)
        recon = (q * self.mixture.cond_log_prob(x)).sum(-1)
        return (self.beta * (recon - discrete_elbo(q, self.mixture.log_joint(x))) - recon).mean()

    def sample(
        self, n: int, *, cond: Tensor | None = None, generator: Generator | None = None
    ) -> Int[Tensor, " n *event"]:
        """Draw from the mixture: the encoder plays no part in sampling."""
        return self.mixture.sample(n, cond=cond, generator=generator)


_LOG_ZERO = -1e4  # stands for log 0: 0 * log 0 must be 0 in a product with one-hot rows


def _refuse(cond: Tensor | None) -> None:
    if cond is not None:
        raise ValueError("the mixture is unconditional: cond must be None")
