r"""A draw from the encoder's Gaussian, written so that gradients can pass through it.

$$z = \mu + \sigma \odot \epsilon, \qquad \epsilon \sim \mathcal N(0, I)$$

The randomness is in $\epsilon$, which has no parameters; $z$ is then an ordinary differentiable
function of $\mu$ and $\log\sigma^2$.

Lesson: notebooks/06_vae_in_practice.ipynb
Sources: Kingma and Welling 2013 (arXiv:1312.6114), section 2.4.
"""

from jaxtyping import Float
from torch import Tensor

Latent = Float[Tensor, " b *latent"]


def reparameterize(mu: Latent, log_var: Latent, eps: Latent) -> Latent:
    r"""Turn standard normal noise into a draw from $\mathcal N(\mu, \sigma^2)$.

    $$z = \mu + e^{\frac12\log\sigma^2} \odot \epsilon$$

    Mean $\mu$ and standard deviation $\sigma$, whatever the parameters;
    $\partial z/\partial\mu = 1$ and $\partial z/\partial\log\sigma^2 = \tfrac12\sigma\epsilon$.

    Args:
        mu: means, `(b, *latent)`.
        log_var: $\log\sigma^2$, like `mu`; any real number.
        eps: standard normal noise, like `mu`.

    Returns:
        Like `mu`.

    Example:
        >>> import torch
        >>> mu, eps = torch.tensor([[0.5]]), torch.tensor([[-0.3]])
        >>> reparameterize(mu, torch.zeros(1, 1), eps)
        tensor([[0.2000]])

    Source: Kingma and Welling 2013 (arXiv:1312.6114), section 2.4.
    Lesson: notebooks/06_vae_in_practice.ipynb
    """
    return mu + (0.5 * log_var).exp() * eps
