r"""Inception score: classes should be certain for each sample and spread over all of them.

$$\mathrm{IS} = \exp \mathbb E_x\,\mathrm{KL}\big(p(y\mid x)\,\|\,p(y)\big)
= \exp I(x; y), \qquad p(y) = \mathbb E_x\,p(y\mid x)$$

It never looks at real data, and inside a class it cannot tell one picture from a thousand.

Lesson: notebooks/09_evaluation.ipynb
Sources: Salimans et al. 2016 (arXiv:1606.03498), section 4; Barratt and Sharma 2018
(arXiv:1801.01973), eq. 1.
"""

from jaxtyping import Float
from torch import Tensor

from genlab.core.guards import as_real
from genlab.core.stats import kl_categorical


def inception_kl(probs: Float[Tensor, " n k"]) -> Float[Tensor, " n"]:
    r"""How far each sample's class probabilities are from their average over the samples.

    $$\mathrm{KL}\big(p(y\mid x_i)\,\|\,\hat p(y)\big), \qquad
    \hat p(y) = \tfrac1n\sum_i p(y\mid x_i)$$

    Args:
        probs: class probabilities of a classifier, each row sums to 1.

    Returns:
        `(n,)`, in nats, between 0 and $\log k$ on average.

    Raises:
        ValueError: no rows, or rows that are not distributions.

    Example:
        >>> import torch
        >>> inception_kl(torch.eye(2))
        tensor([0.6931, 0.6931])

    Source: Salimans et al. 2016 (arXiv:1606.03498), section 4.
    Lesson: notebooks/09_evaluation.ipynb
    """
    if len(probs) == 0:
        raise ValueError("inception_kl: no samples, expected at least one row of probabilities")
    probs = as_real(probs)
    return kl_categorical(probs, probs.mean(0).expand_as(probs))


def inception_score(probs: Float[Tensor, " n k"]) -> Float[Tensor, ""]:
    r"""Exponential of the mean divergence of the samples' classes from their average.

    $$\mathrm{IS} = \exp\Big(\tfrac1n\sum_i
    \mathrm{KL}\big(p(y\mid x_i)\,\|\,\hat p(y)\big)\Big) \in [1, k]$$

    1 when every sample gets the same probabilities; k when each is certain and all k classes
    are equally frequent. From few samples it is biased downwards.

    Args:
        probs: class probabilities of a classifier, each row sums to 1.

    Returns:
        A scalar without unit: an effective number of classes.

    Raises:
        ValueError: no rows, or rows that are not distributions.

    Example:
        >>> import torch
        >>> round(float(inception_score(torch.eye(3))), 4)
        3.0

    Source: Salimans et al. 2016 (arXiv:1606.03498), section 4.
    Lesson: notebooks/09_evaluation.ipynb
    """
    return inception_kl(probs).mean().exp()
