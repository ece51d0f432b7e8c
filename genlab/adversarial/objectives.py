r"""The adversarial game: a critic tells real from fake, a generator makes it fail.

$$\min_G \max_D\; V(D, G) = \mathbb E_{x\sim p}\log D(x) + \mathbb E_{x\sim q}\log(1 - D(x)),
\qquad q = \text{law of } G(z)$$

Everything is written on the critic's *logits* $l$, with $D = \mathrm{sigmoid}(l)$, so that
$-\log D = \mathrm{softplus}(-l)$ is finite however sure the critic is.

Lesson: notebooks/07_gans_minimax.ipynb
Sources: Goodfellow et al. 2014 (arXiv:1406.2661), eq. 1, proposition 1, theorem 1.
"""

from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import softplus

from genlab.core.guards import require_alike
from genlab.core.shapes import PerExample
from genlab.core.stats import kl_categorical


def critic_loss(logits_real: PerExample, logits_fake: PerExample) -> PerExample:
    r"""What the critic minimises: the negative value of the game.

    $$-\log D(x) - \log\big(1 - D(G(z))\big)
      = \mathrm{softplus}(-l_x) + \mathrm{softplus}(l_{G(z)})$$

    At the best critic its expectation is $\log 4 - 2\,\mathrm{JS}(p\,\|\,q)$.

    Args:
        logits_real: $l$ on real examples, `(b,)`.
        logits_fake: $l$ on as many generated ones, `(b,)`.

    Returns:
        `(b,)` nats, positive.

    Example:
        >>> import torch
        >>> critic_loss(torch.zeros(1), torch.zeros(1))  # log 4
        tensor([1.3863])

    Source: Goodfellow et al. 2014 (arXiv:1406.2661), eq. 1.
    Lesson: notebooks/07_gans_minimax.ipynb
    """
    require_alike(logits_real=logits_real, logits_fake=logits_fake)
    return softplus(-logits_real) + softplus(logits_fake)


def minimax_generator_loss(logits_fake: PerExample) -> PerExample:
    r"""What the generator minimises in the game as first stated; saturates against a sure critic.

    $$\log\big(1 - D(G(z))\big) = -\mathrm{softplus}(l), \qquad \frac{d}{dl} = -D$$

    Args:
        logits_fake: $l$ on generated examples, `(b,)`.

    Returns:
        `(b,)` nats, negative; the slope vanishes where the critic is sure ($D\to0$).

    Example:
        >>> import torch
        >>> minimax_generator_loss(torch.zeros(1))
        tensor([-0.6931])

    Source: Goodfellow et al. 2014 (arXiv:1406.2661), eq. 1.
    Lesson: notebooks/07_gans_minimax.ipynb
    """
    return -softplus(logits_fake)


def non_saturating_generator_loss(logits_fake: PerExample) -> PerExample:
    r"""What the generator minimises in practice: it keeps its slope where it is losing.

    $$-\log D(G(z)) = \mathrm{softplus}(-l), \qquad \frac{d}{dl} = -(1 - D)$$

    Args:
        logits_fake: $l$ on generated examples, `(b,)`.

    Returns:
        `(b,)` nats, positive.

    Example:
        >>> import torch
        >>> non_saturating_generator_loss(torch.zeros(1))
        tensor([0.6931])

    Source: Goodfellow et al. 2014 (arXiv:1406.2661), section 3.
    Lesson: notebooks/07_gans_minimax.ipynb
    """
    return softplus(-logits_fake)


def optimal_logits(log_p: PerExample, log_q: PerExample) -> PerExample:
    r"""The best critic against a fixed generator is the log-ratio of the two densities.

    $$l^*(x) = \log p(x) - \log q(x), \qquad D^* = \mathrm{sigmoid}(l^*) = \frac{p}{p+q}$$

    Args:
        log_p: log-density of the data, `(b,)` nats.
        log_q: log-density of the generator's samples, `(b,)` nats.

    Returns:
        `(b,)`.

    Example:
        >>> import torch
        >>> optimal_logits(torch.tensor([0.5]).log(), torch.tensor([0.7]).log()).sigmoid()
        tensor([0.4167])

    Source: Goodfellow et al. 2014 (arXiv:1406.2661), proposition 1.
    Lesson: notebooks/07_gans_minimax.ipynb
    """
    require_alike(log_p=log_p, log_q=log_q)
    return log_p - log_q


def jensen_shannon(p: Float[Tensor, " *b k"], q: Float[Tensor, " *b k"]) -> Float[Tensor, " *b"]:
    r"""Jensen-Shannon divergence between distributions over k outcomes.

    $$\mathrm{JS}(p\,\|\,q) = \tfrac12\mathrm{KL}(p\,\|\,m) + \tfrac12\mathrm{KL}(q\,\|\,m),
      \qquad m = \tfrac12(p + q)$$

    Zero exactly when $p = q$; $\log 2$ exactly when they share no outcome.

    Args:
        p: probabilities, `(*b, k)`, each row sums to 1.
        q: probabilities, `(*b, k)`, each row sums to 1.

    Returns:
        `(*b,)` nats, in $[0, \log 2]$.

    Raises:
        ValueError: a probability is negative or a row does not sum to 1.

    Example:
        >>> import torch
        >>> jensen_shannon(torch.tensor([0.5, 0.5]), torch.tensor([0.7, 0.3]))
        tensor(0.0210)

    Source: Goodfellow et al. 2014 (arXiv:1406.2661), eq. 6.
    Lesson: notebooks/07_gans_minimax.ipynb
    """
    m = (p + q) / 2
    return (kl_categorical(p, m) + kl_categorical(q, m)) / 2
