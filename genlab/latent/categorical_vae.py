r"""A VAE of discrete pixels: the decoder gives each pixel a table of probabilities.

$$z\sim\mathcal N(0, I),\qquad p(x\mid z) = \prod_j \mathrm{softmax}\big(l_j(z, x_{<j})\big)_{x_j}$$

Without `causal` the tables depend on z alone. With it they also see the pixels before: a decoder
so strong that it can do without z, and then posterior collapse is a choice of the optimiser.

Lesson: notebooks/06_vae_in_practice.ipynb
Sources: Kingma and Welling 2013 (arXiv:1312.6114); Gulrajani et al. 2016 (arXiv:1611.05013), for
the decoder that sees earlier pixels.
"""

from typing import final

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor, nn

from genlab.core.rng import randn
from genlab.core.shapes import PerExample

from .collapse import free_bits, kl_per_unit
from .decoders import categorical_log_prob
from .elbo import elbo, importance_bound
from .reparameterize import reparameterize


@final
class CategoricalVAE(nn.Module):
    r"""Gaussian codes, categorical pixels; its bounds are in nats of the *discrete* data.

    Args:
        encoder: images scaled to [-1, 1], `(b, *event) -> (b, 2 * latent_dim)`, means first, then
            $\log\sigma^2$.
        decoder: `(b, latent_dim) -> (b, D, r)`, r features of each pixel.
        head: `(b, D, r) -> (b, D, levels)`, the same for every pixel.
        latent_dim: numbers in a code.
        event_shape: shape of one image, D pixels.
        causal: images scaled likewise, `(b, *event) -> (b, r, ...)`, r features of each pixel
            from the pixels *before* it; None for a decoder that sees z alone.

    Example:
        >>> parts = nn.Linear(2, 6), nn.Linear(3, 4), nn.Linear(2, 5)
        >>> decoder = nn.Sequential(parts[1], nn.Unflatten(1, (2, 2)))
        >>> vae = CategoricalVAE(parts[0], decoder, parts[2], latent_dim=3, event_shape=(2,))
        >>> vae.elbo(torch.zeros(5, 2, dtype=torch.long)).shape, vae.sample(4).shape
        (torch.Size([5]), torch.Size([4, 2]))
    """

    def __init__(
        self,
        encoder: nn.Module,
        decoder: nn.Module,
        head: nn.Linear,
        *,
        latent_dim: int,
        event_shape: tuple[int, ...],
        causal: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.encoder, self.decoder, self.head, self.causal = encoder, decoder, head, causal
        self.latent_dim, self.event_shape = latent_dim, event_shape
        self.beta, self.floor = 1.0, 0.0  # of `loss` only: `elbo` is always the bound

    def encode(
        self, x: Int[Tensor, " b *event"]
    ) -> tuple[Float[Tensor, " b k"], Float[Tensor, " b k"]]:
        r"""Return $\mu(x)$ and $\log\sigma^2(x)$ of the proposal $q(z\mid x)$."""
        mu, log_var = self.encoder(self._scaled(x)).chunk(2, dim=1)
        return mu, log_var

    def logits(
        self, z: Float[Tensor, " b k"], x: Int[Tensor, " b *event"] | None = None
    ) -> Float[Tensor, " b *event levels"]:
        """Tables of every pixel. `x` is needed, and read, only by a decoder with `causal`."""
        features: Tensor = self.decoder(z)
        if self.causal is not None:
            if x is None:
                raise ValueError("this decoder sees earlier pixels: logits needs x, got None")
            seen: Tensor = self.causal(self._scaled(x))
            features = features + seen.flatten(2).transpose(1, 2)
        tables: Tensor = self.head(features)
        return tables.view(len(z), *self.event_shape, -1)

    def decoder_log_prob(self, x: Int[Tensor, " b *event"], z: Float[Tensor, " b k"]) -> PerExample:
        r"""Log-probability $\log p(x\mid z)$ in nats, summed over the pixels."""
        return categorical_log_prob(x, self.logits(z, x))

    def elbo(
        self, x: Int[Tensor, " b *event"], *, generator: Generator | None = None
    ) -> PerExample:
        """One-draw bound on log p(x), `(b,)`, nats, whatever `beta` and `floor` are."""
        mu, log_var = self.encode(x)
        eps = randn(mu.shape, like=mu, generator=generator)
        return elbo(x, mu, log_var, eps, decoder_log_prob=self.decoder_log_prob)

    def importance_bound(
        self, x: Int[Tensor, " b *event"], n_draws: int, *, generator: Generator | None = None
    ) -> PerExample:
        """Tighter bound from `n_draws` weighted draws for each example, `(b,)`, nats."""
        mu, log_var = self.encode(x)
        eps = randn((n_draws, *mu.shape), like=mu, generator=generator)
        return importance_bound(x, mu, log_var, eps, decoder_log_prob=self.decoder_log_prob)

    def loss(
        self, x: Tensor, *, cond: Tensor | None = None, generator: Generator | None = None
    ) -> Float[Tensor, ""]:
        """Minus reconstruction plus `beta` times the divergence above `floor`, batch mean, nats."""
        _refuse(cond)
        mu, log_var = self.encode(x)
        z = reparameterize(mu, log_var, randn(mu.shape, like=mu, generator=generator))
        recon = self.decoder_log_prob(x, z).mean()
        return self.beta * free_bits(kl_per_unit(mu, log_var), self.floor) - recon

    @torch.no_grad()
    def decode(
        self, z: Float[Tensor, " b k"], *, generator: Generator | None = None
    ) -> Int[Tensor, " b *event"]:
        """Draw images given codes: all pixels at once, or one after another if causal."""
        x = torch.zeros(len(z), *self.event_shape, dtype=torch.int64)
        n_pixels = x[0].numel()
        for j in range(n_pixels if self.causal is not None else 1):
            probs = self.logits(z, x).flatten(1, -2).softmax(-1)
            draw = torch.multinomial(probs.flatten(0, 1), 1, generator=generator)
            draw = draw.view(len(z), n_pixels)
            if self.causal is None:
                return draw.view_as(x)
            x.flatten(1)[:, j] = draw[:, j]
        return x

    def mean_image(self, z: Float[Tensor, " b k"]) -> Float[Tensor, " b *event"]:
        r"""Mean level $\mathbb E[x\mid z]$ of each pixel; only for a decoder without `causal`."""
        probs = self.logits(z).softmax(-1)
        return probs @ torch.arange(probs.shape[-1], dtype=probs.dtype)

    @torch.no_grad()
    def sample(
        self, n: int, *, cond: Tensor | None = None, generator: Generator | None = None
    ) -> Int[Tensor, " n *event"]:
        """Draw codes from the prior, then every pixel from its table."""
        _refuse(cond)
        z = randn((n, self.latent_dim), like=self.head.weight, generator=generator)
        return self.decode(z, generator=generator)

    def _scaled(self, x: Int[Tensor, " b *event"]) -> Float[Tensor, " b *event"]:
        return x.to(self.head.weight.dtype) * (2 / (self.head.out_features - 1)) - 1


def _refuse(cond: Tensor | None) -> None:
    if cond is not None:
        raise ValueError("this VAE is unconditional: cond must be None")
