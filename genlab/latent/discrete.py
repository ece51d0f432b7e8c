r"""A latent variable with finitely many values: nothing has to be estimated, everything is a sum.

The model is its table of joint log-probabilities $\log p(x, z)$, one column for each value of z.
From that table follow the marginal, the posterior and the bound of any guess $q(z\mid x)$:

$$\log p(x) = \underbrace{\sum_z q(z\mid x)\log\frac{p(x,z)}{q(z\mid x)}}_{\mathrm{ELBO}}
  + \mathrm{KL}\big(q(z\mid x)\,\|\,p(z\mid x)\big).$$

Lesson: notebooks/05_latent_variables_and_elbo.ipynb
Sources: Bishop, Pattern Recognition and Machine Learning, eqs. 9.70 to 9.72; Hoffman and Johnson
2016, "ELBO surgery" (NIPS workshop on advances in approximate Bayesian inference).
"""

import torch
from jaxtyping import Float
from torch import Tensor

from genlab.core.shapes import PerExample
from genlab.core.stats import kl_categorical

LogJoint = Float[Tensor, " b k"]


def log_marginal(log_joint: LogJoint) -> PerExample:
    r"""Exact log-likelihood by enumeration of the latent.

    $$\log p(x) = \log \sum_z p(x, z)$$

    Args:
        log_joint: $\log p(x, z)$, one column for each value of z, `(b, k)`.

    Returns:
        `(b,)` nats.

    Example:
        >>> log_marginal(torch.tensor([[0.1, 0.4]]).log())
        tensor([-0.6931])

    Source: Bishop, Pattern Recognition and Machine Learning, eq. 9.12.
    Lesson: notebooks/05_latent_variables_and_elbo.ipynb
    """
    return log_joint.logsumexp(-1)


def discrete_posterior(log_joint: LogJoint) -> LogJoint:
    r"""Posterior of the latent, by Bayes' rule; the E-step of EM.

    $$p(z\mid x) = \frac{p(x, z)}{\sum_{z'} p(x, z')}$$

    It is the one q whose bound equals $\log p(x)$.

    Args:
        log_joint: $\log p(x, z)$, `(b, k)`.

    Returns:
        `(b, k)` probabilities, rows sum to 1.

    Example:
        >>> discrete_posterior(torch.tensor([[0.1, 0.4]]).log())
        tensor([[0.2000, 0.8000]])

    Source: Bishop, Pattern Recognition and Machine Learning, eq. 9.13.
    Lesson: notebooks/05_latent_variables_and_elbo.ipynb
    """
    return log_joint.softmax(-1)


def discrete_elbo(q: LogJoint, log_joint: LogJoint) -> PerExample:
    r"""The bound of any guess q, with the expectation as a sum over every value of z.

    $$\mathrm{ELBO} = \sum_z q(z\mid x)\,\big[\log p(x, z) - \log q(z\mid x)\big],
      \qquad 0\log 0 = 0$$

    Short of $\log p(x)$ by exactly $\mathrm{KL}(q(z\mid x)\,\|\,p(z\mid x))$.

    Args:
        q: probabilities $q(z\mid x)$, `(b, k)`, rows sum to 1.
        log_joint: $\log p(x, z)$, `(b, k)`.

    Returns:
        `(b,)` nats.

    Raises:
        ValueError: a row of `q` is not a distribution.

    Example:
        >>> discrete_elbo(torch.tensor([[0.3, 0.7]]), torch.tensor([[0.1, 0.4]]).log())
        tensor([-0.7213])

    Source: Bishop, Pattern Recognition and Machine Learning, eq. 9.71.
    Lesson: notebooks/05_latent_variables_and_elbo.ipynb
    """
    _require_rows(q, "discrete_elbo")
    return (q * log_joint - torch.xlogy(q, q)).sum(-1)


def aggregated_posterior(q: LogJoint) -> Float[Tensor, " k"]:
    r"""How the codes of a whole data set are spread: $q(z) = \tfrac1n\sum_i q(z\mid x_i)$.

    Args:
        q: $q(z\mid x_i)$ of each example, `(n, k)`, rows sum to 1.

    Returns:
        `(k,)` probabilities; equal to the prior when model, data and posterior agree.

    Raises:
        ValueError: a row of `q` is not a distribution.

    Example:
        >>> aggregated_posterior(torch.eye(2))
        tensor([0.5000, 0.5000])

    Source: Hoffman and Johnson 2016, "ELBO surgery".
    Lesson: notebooks/05_latent_variables_and_elbo.ipynb
    """
    _require_rows(q, "aggregated_posterior")
    return q.mean(0)


def mutual_information(q: LogJoint) -> Float[Tensor, ""]:
    r"""How much the code says about which example it came from; 0 is posterior collapse.

    $$I_q(x; z) = \frac1n \sum_{i=1}^n \mathrm{KL}\big(q(z\mid x_i)\,\|\,q(z)\big)$$

    Args:
        q: $q(z\mid x_i)$ of each of n equally likely examples, `(n, k)`, rows sum to 1.

    Returns:
        One number in nats, between 0 and $\log \min(n, k)$.

    Raises:
        ValueError: a row of `q` is not a distribution.

    Example:
        >>> mutual_information(torch.eye(2)), mutual_information(torch.full((2, 2), 0.5))
        (tensor(0.6931), tensor(0.))

    Source: Hoffman and Johnson 2016, "ELBO surgery", the term called index-code mutual
    information.
    Lesson: notebooks/05_latent_variables_and_elbo.ipynb
    """
    return kl_categorical(q, aggregated_posterior(q).expand_as(q)).mean()


def _require_rows(q: Tensor, name: str) -> None:
    worst = float((q.detach().sum(-1) - 1).abs().max()) if q.numel() else 0.0
    if worst > 1e-4 or bool((q < 0).any()):
        raise ValueError(
            f"{name}: a row of q is off 1 by {worst:.3g} or holds a negative number, expected "
            f"probabilities that sum to 1"
        )
