r"""Noise-contrastive estimation: learn the constant by telling data from noise.

Mix every example with $\nu$ draws from a noise law q that you know. If $-E(x) - \log Z$ were the
data's log-density, the log-odds that x is data would be

$$G(x) = -E(x) - \log Z - \log q(x) - \log\nu ,$$

and logistic regression on the label is minimised there and nowhere else. So $\log Z$ may be a
parameter like any other; maximum likelihood would send it to minus infinity.

Lesson: notebooks/10_energy_based_models.ipynb
Sources: Gutmann and Hyvarinen 2010, AISTATS, eqs. 1 to 3; 2012, JMLR 13, theorems 1 and 2.
"""

import math
from typing import Protocol, final, runtime_checkable

import torch
from jaxtyping import Float
from torch import Generator, Tensor, nn
from torch.nn.functional import softplus

from genlab.core.guards import require_alike, require_positive
from genlab.core.shapes import Event, PerExample


def nce_logits(
    log_model: Float[Tensor, " *b"], log_noise: Float[Tensor, " *b"], *, ratio: float
) -> Float[Tensor, " *b"]:
    r"""Log-odds that an example came from the data and not from the noise.

    $$G = \log p_\theta(x) - \log q(x) - \log\nu$$

    Args:
        log_model: $-E_\theta(x) - \log Z$ with the present guess of $\log Z$, `(*b,)`.
        log_noise: $\log q(x)$, `(*b,)`.
        ratio: $\nu$, noise draws for each example, positive.

    Returns:
        `(*b,)`, in nats.

    Raises:
        ValueError: the ratio is not positive.

    Example:
        >>> nce_logits(torch.zeros(1), torch.zeros(1), ratio=1.0)
        tensor([0.])

    Source: Gutmann and Hyvarinen 2012, eq. 4 and 5.
    Lesson: notebooks/10_energy_based_models.ipynb
    """
    require_positive(ratio=ratio)
    require_alike(log_model=log_model, log_noise=log_noise)
    return log_model - log_noise - math.log(ratio)


def nce_loss(logits_data: PerExample, logits_noise: Float[Tensor, " b nu"]) -> PerExample:
    r"""Logistic loss of one example and its $\nu$ draws of noise.

    $$-\log\sigma(G(x)) - \sum_{j=1}^{\nu}\log\big(1-\sigma(G(\tilde x_j))\big)$$

    Minimised, in expectation, by the data's density *with* its constant, wherever q > 0.

    Args:
        logits_data: $G(x)$, `(b,)`.
        logits_noise: $G(\tilde x_j)$, `(b, nu)`.

    Returns:
        `(b,)`, nats of the label, not of x.

    Example:
        >>> nce_loss(torch.zeros(1), torch.zeros(1, 3))  # 4 log 2
        tensor([2.7726])

    Source: Gutmann and Hyvarinen 2012, eq. 8.
    Lesson: notebooks/10_energy_based_models.ipynb
    """
    require_alike(logits_data=logits_data, rows_of_noise=logits_noise.shape[:-1])
    return softplus(-logits_data) + softplus(logits_noise).sum(1)


@runtime_checkable
class Noise(Protocol):
    """A law that can be drawn from and evaluated."""

    def log_prob(self, x: Tensor) -> Tensor:
        """Log-density of each example."""

    def sample(self, n: int, *, generator: Generator | None = None) -> Tensor:
        """Draw `n` examples."""


@final
class NCE(nn.Module):
    r"""An energy network and a number that learns to be $\log Z$.

    `log_z` is right only at the optimum, so there is no `log_prob`: write
    `-model.energy(x) - model.log_z` where an estimate is meant.

    Args:
        energy_net: `(b, *event) -> (b, 1)`.
        noise: q, drawn from and evaluated; it must not vanish where there is data.
        ratio: $\nu$, noise draws for each example, at least 1.

    Raises:
        ValueError: the ratio is less than 1.
    """

    def __init__(self, energy_net: nn.Module, noise: Noise, *, ratio: int = 1) -> None:
        super().__init__()
        if ratio < 1:
            raise ValueError(f"ratio is {ratio}, expected at least 1")
        self.energy_net, self.noise, self.ratio = energy_net, noise, ratio
        self.log_z = nn.Parameter(torch.zeros(()))

    def energy(self, x: Event) -> PerExample:
        """Energy of each example, `(b,)`."""
        out: Tensor = self.energy_net(x)
        return out.squeeze(1)

    def logits(self, x: Event) -> PerExample:
        """Log-odds that each example is data, `(b,)`."""
        log_model = -self.energy(x) - self.log_z
        return nce_logits(log_model, self.noise.log_prob(x), ratio=self.ratio)

    def loss(
        self, x: Event, *, cond: Tensor | None = None, generator: Generator | None = None
    ) -> Float[Tensor, ""]:
        """Logistic loss against fresh noise, mean over the batch; nats of the label."""
        if cond is not None:
            raise ValueError("this model is unconditional: cond must be None")
        noise = self.noise.sample(self.ratio * len(x), generator=generator).to(x)
        return nce_loss(self.logits(x), self.logits(noise).reshape(len(x), self.ratio)).mean()
