r"""The variational autoencoder: an encoder proposes codes, a decoder explains the data by them.

$$z \sim \mathcal N(0, I), \qquad x \mid z \sim \mathcal N\big(\mathrm{dec}(z),\, s^2 I\big), \qquad
q(z\mid x) = \mathcal N\big(\mu(x), \operatorname{diag}\sigma^2(x)\big)$$

It can sample, and it can bound its log-likelihood; it has no `log_prob`.

Lesson: notebooks/06_vae_in_practice.ipynb
Sources: Kingma and Welling 2013 (arXiv:1312.6114), section 3; Rezende, Mohamed and Wierstra 2014
(arXiv:1401.4082).
"""

from typing import final

import torch
from jaxtyping import Float
from torch import Generator, Tensor, nn

from genlab.core.rng import randn
from genlab.core.shapes import Event, PerExample
from genlab.core.stats import normal_log_prob

from .elbo import elbo, importance_bound


@final
class VAE(nn.Module):
    r"""Gaussian encoder and Gaussian decoder with one learned scale $s$.

    Args:
        encoder: `(b, *event) -> (b, 2 * latent_dim)`, means first, then $\log\sigma^2$.
        decoder: `(b, latent_dim) -> (b, *event)`, the mean of $x$.
        latent_dim: numbers in a code.
        event_shape: shape of one example.
        log_scale: where $\log s$ starts.

    Example:
        >>> vae = VAE(nn.Linear(2, 6), nn.Linear(3, 2), latent_dim=3, event_shape=(2,))
        >>> vae.elbo(torch.zeros(5, 2)).shape, vae.sample(4).shape
        (torch.Size([5]), torch.Size([4, 2]))
    """

    def __init__(
        self,
        encoder: nn.Module,
        decoder: nn.Module,
        *,
        latent_dim: int,
        event_shape: tuple[int, ...],
        log_scale: float = 0.0,
    ) -> None:
        super().__init__()
        if latent_dim < 1:
            raise ValueError(f"latent_dim must be at least 1, got {latent_dim}")
        self.encoder, self.decoder = encoder, decoder
        self.latent_dim, self.event_shape = latent_dim, event_shape
        self.log_scale = nn.Parameter(torch.tensor(log_scale, dtype=torch.get_default_dtype()))

    def encode(self, x: Event) -> tuple[Float[Tensor, " b k"], Float[Tensor, " b k"]]:
        r"""Return $\mu(x)$ and $\log\sigma^2(x)$ of the proposal $q(z\mid x)$."""
        mu, log_var = self.encoder(x).chunk(2, dim=1)
        return mu, log_var

    def decoder_log_prob(self, x: Event, z: Float[Tensor, " b k"]) -> PerExample:
        r"""Log-density $\log p(x\mid z)$ in nats, summed over the event."""
        return normal_log_prob(x, self.decoder(z), self.log_scale.exp())

    def elbo(self, x: Event, *, generator: Generator | None = None) -> PerExample:
        """One-draw bound on log p(x) in nats; its expectation never exceeds log p(x)."""
        mu, log_var = self.encode(x)
        eps = randn(mu.shape, like=mu, generator=generator)
        return elbo(x, mu, log_var, eps, decoder_log_prob=self.decoder_log_prob)

    def importance_bound(
        self, x: Event, n_draws: int, *, generator: Generator | None = None
    ) -> PerExample:
        """Tighter bound from `n_draws` weighted draws for each example, in nats."""
        mu, log_var = self.encode(x)
        eps = randn((n_draws, *mu.shape), like=mu, generator=generator)
        return importance_bound(x, mu, log_var, eps, decoder_log_prob=self.decoder_log_prob)

    def loss(
        self, x: Event, *, cond: Tensor | None = None, generator: Generator | None = None
    ) -> Float[Tensor, ""]:
        """Negative ELBO, mean over the batch, nats. `cond` must be None: nothing is conditioned."""
        _refuse(cond)
        return -self.elbo(x, generator=generator).mean()

    @torch.no_grad()
    def sample(
        self, n: int, *, cond: Tensor | None = None, generator: Generator | None = None
    ) -> Event:
        """Draw `n` examples: one prior draw, one decoder pass, and the decoder's own noise."""
        _refuse(cond)
        z = randn((n, self.latent_dim), like=self.log_scale, generator=generator)
        mean: Tensor = self.decoder(z)
        return mean + self.log_scale.exp() * randn(mean.shape, like=mean, generator=generator)


def _refuse(cond: Tensor | None) -> None:
    if cond is not None:
        raise ValueError("this VAE is unconditional: cond must be None")
