"""Variational autoencoders: what the decoder's output means, the models, what their codes say.

VAE = Kingma and Welling 2013 (arXiv:1312.6114); LDM = Rombach et al. 2022 (arXiv:2112.10752).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor, nn

from genlab.core import Event, PerExample, Rng, randn, sum_event
from genlab.core.checked import check_public
from genlab.core.stats import kl_diag_normal, normal_log_prob
from genlab.core.tensors import (
    draw_indices,
    require_alike,
    require_between,
    require_finite,
    require_index,
    require_positive,
    require_rows,
)
from genlab.latent.elbo import elbo, importance_bound, reparameterize


def bernoulli_log_prob(x: Event, logits: Event) -> PerExample:
    r"""Log-probability of black-and-white pixels, summed over the event, nats (VAE, eq. 11).

    $$\log p(x) = \sum_j x_j \log \pi_j + (1 - x_j)\log(1 - \pi_j),
      \qquad \pi = \frac{1}{1 + e^{-l}}$$
    """
    require_alike(x=x, logits=logits)  # a decoder's, when a bound calls this
    if not bool(((x == 0) | (x == 1)).all()):
        odd = x[(x != 0) & (x != 1)][0].item()
        raise ValueError(f"bernoulli_log_prob: a pixel is {odd:g}, expected 0 or 1")
    return sum_event(F.logsigmoid((2 * x - 1) * logits))


def categorical_log_prob(
    x: Int[Tensor, " b *event"], logits: Float[Tensor, " b *event levels"]
) -> PerExample:
    r"""Log-probability of pixels with L levels, summed over the event, nats.

    $$\log p(x) = \sum_j \Big(l_{j, x_j} - \log\sum_{\ell} e^{l_{j\ell}}\Big)$$
    """
    require_alike(x=x, logits=logits.shape[:-1])  # a decoder's, when a bound calls this
    require_index(logits.shape[-1], x=x)
    chosen = logits.gather(-1, x.unsqueeze(-1)).squeeze(-1)
    return sum_event(chosen - logits.logsumexp(-1))


class VAE(nn.Module):
    r"""Gaussian codes and Gaussian pixels of one learned scale $s$; subclasses have other pixels.

    $$z \sim \mathcal N(0, I), \qquad x\mid z \sim \mathcal N(m(z), s^2 I), \qquad
    q(z\mid x) = \mathcal N\big(\mu(x), \sigma^2(x)\big)$$
    """

    def __init__(
        self,
        encoder: nn.Module,
        decoder: nn.Module,
        *,
        latent_dim: int,
        event_shape: tuple[int, ...],
        log_scale: float | None = 0.0,
    ) -> None:
        super().__init__()
        require_positive(latent_dim=latent_dim)
        self.encoder, self.decoder = encoder, decoder
        self.latent_dim, self.event_shape = latent_dim, event_shape
        self.latent_shape: tuple[int, ...] = (latent_dim,)
        if log_scale is not None:
            self.log_scale = nn.Parameter(torch.tensor(log_scale, dtype=torch.get_default_dtype()))

    def encode(
        self, x: Shaped[Tensor, " b *event"]
    ) -> tuple[Float[Tensor, " b *latent"], Float[Tensor, " b *latent"]]:
        r"""Return $\mu(x)$ and $\log\sigma^2(x)$."""
        mu, log_var = self.encoder(x).chunk(2, dim=1)
        return mu, log_var.clamp(-20, 20)

    def scale(self) -> Tensor | float:
        """Standard deviation s of a pixel given the code."""
        return self.log_scale.exp()

    def decoder_log_prob(
        self, x: Shaped[Tensor, " b *event"], z: Float[Tensor, " b *latent"]
    ) -> PerExample:
        r"""$\log p(x\mid z)$, summed over the event, nats."""
        return normal_log_prob(x, self.decoder(z), self.scale())

    def elbo(self, x: Shaped[Tensor, " b *event"], *, generator: Rng = None) -> PerExample:
        """One-draw bound on log p(x), nats; its expectation never exceeds log p(x)."""
        mu, log_var = self.encode(x)
        eps = randn(mu.shape, like=mu, generator=generator)
        return elbo(x, mu, log_var, eps, decoder_log_prob=self.decoder_log_prob)

    def importance_bound(
        self, x: Shaped[Tensor, " b *event"], n_draws: int, *, generator: Rng = None
    ) -> PerExample:
        """Tighter bound from `n_draws` weighted draws for each example, nats."""
        mu, log_var = self.encode(x)
        eps = randn((n_draws, *mu.shape), like=mu, generator=generator)
        return importance_bound(x, mu, log_var, eps, decoder_log_prob=self.decoder_log_prob)

    def loss(self, x: Shaped[Tensor, " b *event"], *, generator: Rng = None) -> Float[Tensor, ""]:
        """Negative ELBO, mean over the batch, nats."""
        return -self.elbo(x, generator=generator).mean()

    def draw(
        self, z: Float[Tensor, " b *latent"], *, generator: Rng = None
    ) -> Shaped[Tensor, " b *event"]:
        """Draw x given codes: the decoder's mean and the pixels' own noise."""
        mean = self.decoder(z)
        return mean + self.scale() * randn(mean.shape, like=mean, generator=generator)

    @torch.no_grad()
    def sample(self, n: int, *, generator: Rng = None) -> Shaped[Tensor, " b *event"]:
        like = next(self.parameters())
        z = randn((n, *self.latent_shape), like=like, generator=generator)
        return self.draw(z, generator=generator)


class CategoricalVAE(VAE):
    """Categorical pixels: the bounds are in nats of the *discrete* data.

    `head` turns features into logits of the levels, `causal` adds those of the pixels before.
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
        super().__init__(
            encoder, decoder, latent_dim=latent_dim, event_shape=event_shape, log_scale=None
        )
        self.head, self.causal = head, causal

    def encode(
        self, x: Int[Tensor, " b *event"]
    ) -> tuple[Float[Tensor, " b *latent"], Float[Tensor, " b *latent"]]:
        return super().encode(self._scaled(x))

    def logits(
        self, z: Float[Tensor, " b *latent"], x: Int[Tensor, " b *event"] | None = None
    ) -> Float[Tensor, " b *event levels"]:
        """Logits of every pixel. `x` is needed, and read, only by a decoder with `causal`."""
        return self._from_features(self.decoder(z), x)

    def _from_features(
        self, features: Tensor, x: Int[Tensor, " b *event"] | None
    ) -> Float[Tensor, " b *event levels"]:
        if self.causal is not None:
            if x is None:
                raise ValueError("this decoder sees earlier pixels: logits needs x, got None")
            features = features + self.causal(self._scaled(x)).flatten(2).transpose(1, 2)
        return self.head(features).view(len(features), *self.event_shape, -1)

    def decoder_log_prob(
        self, x: Int[Tensor, " b *event"], z: Float[Tensor, " b *latent"]
    ) -> PerExample:
        r"""$\log p(x\mid z)$, summed over the pixels, nats."""
        return categorical_log_prob(x, self.logits(z, x))

    def loss(
        self,
        x: Int[Tensor, " b *event"],
        *,
        beta: float = 1.0,
        floor: float = 0.0,
        generator: Rng = None,
    ) -> Float[Tensor, ""]:
        """Minus reconstruction plus `beta` times the divergence above `floor`, batch mean, nats."""
        mu, log_var = self.encode(x)
        z = reparameterize(mu, log_var, randn(mu.shape, like=mu, generator=generator))
        recon = self.decoder_log_prob(x, z).mean()
        return beta * free_bits(kl_per_unit(mu, log_var), floor) - recon

    @torch.no_grad()
    def draw(
        self, z: Float[Tensor, " b *latent"], *, generator: Rng = None
    ) -> Shaped[Tensor, " b *event"]:
        """Draw images given codes: all pixels at once, or one after another if causal."""
        if self.causal is None:
            probs = self.logits(z).flatten(0, -2).softmax(-1)
            return draw_indices(probs, 1, generator=generator).view(len(z), *self.event_shape)
        x = z.new_zeros(len(z), *self.event_shape, dtype=torch.int64)
        pixels = x.flatten(1)
        features = self.decoder(z)
        for j in range(pixels.shape[1]):
            probs = self._from_features(features, x).flatten(1, -2)[:, j].softmax(-1)
            pixels[:, j] = draw_indices(probs, 1, generator=generator)[:, 0]
        return x

    def mean_image(self, z: Float[Tensor, " b *latent"]) -> Float[Tensor, " b *event"]:
        r"""Mean level $\mathbb E[x\mid z]$ of each pixel; only for a decoder without `causal`."""
        probs = self.logits(z).softmax(-1)
        levels = torch.arange(probs.shape[-1]).to(probs)
        return probs @ levels

    def _scaled(self, x: Int[Tensor, " b *event"]) -> Float[Tensor, " b *event"]:
        return x.to(self.head.weight.dtype) * (2 / (self.head.out_features - 1)) - 1


def active_units(mu: Float[Tensor, " n k"], threshold: float = 0.01) -> Bool[Tensor, " k"]:
    r"""Which latents move when x does (Burda et al. 2015, arXiv:1509.00519, section 5.2).

    $$\operatorname{Var}_x\big(\mathbb E_{q(z|x)}\,z_j\big) > \delta$$
    """
    require_rows(2, mu=mu)
    require_finite(mu=mu)
    require_between(0, math.inf, threshold=threshold)
    return mu.var(0) > threshold


def kl_per_unit(mu: Float[Tensor, " n k"], log_var: Float[Tensor, " n k"]) -> Float[Tensor, " n k"]:
    r"""Divergence of each latent from the prior, not summed, nats (VAE, appendix B).

    $$\tfrac12\big(\mu_j^2 + \sigma_j^2 - 1 - \log\sigma_j^2\big)$$
    """
    return 0.5 * (mu**2 + torch.expm1(log_var) - log_var)


def code_information(
    mu: Float[Tensor, " n k"], log_var: Float[Tensor, " n k"], eps: Float[Tensor, " n k"]
) -> Float[Tensor, " n"]:
    r"""What each code says about which example it is, nats (Hoffman and Johnson 2016).

    $$I_q(x; z) = \frac1n\sum_i \mathbb E_{q(z|x_i)}\Big[\log q(z\mid x_i)
      - \log\frac1n\sum_j q(z\mid x_j)\Big] \le \log n$$
    """
    z = reparameterize(mu, log_var, eps)
    distance = (z[:, None] - mu) ** 2 * (-log_var).exp()  # of draw i from the centre of q j
    log_q = -0.5 * (distance + log_var).sum(-1)  # the constant cancels
    return log_q.diagonal() - (log_q.logsumexp(1) - math.log(len(mu)))


def free_bits(kl: Float[Tensor, " n k"], floor: float) -> Float[Tensor, ""]:
    r"""A divergence of which $\lambda$ nats of each latent are free (Kingma et al. 2016, eq. 27).

    $$\sum_j \max\Big(\lambda,\ \frac1n\sum_i \mathrm{KL}_{ij}\Big)$$
    """
    require_between(0, math.inf, floor=floor)
    require_rows(kl=kl)
    return kl.mean(0).clamp_min(floor).sum()


def kl_annealing(n_warm: int, beta: float = 1.0) -> Callable[[int], float]:
    r"""Weight $\beta\min(1, k/n)$ of the divergence in step k (Bowman et al. 2015)."""
    require_between(0, math.inf, n_warm=n_warm)
    return lambda step: beta * (min(1.0, max(0.0, step / n_warm)) if n_warm else 1.0)


@dataclass(frozen=True)
class ImageVAEConfig:
    """Sizes of the VAE, and how well a pixel is known."""

    channels: int = 3  # of an image
    size: int = 32  # pixels on a side; a multiple of 4
    latent_channels: int = 4  # of a code, which has size / 4 positions on a side
    width: int = 24  # features at half of the size; twice as many at a quarter
    pixel_std: float = 0.03  # s, of a pixel given the code; the divergence weighs 2 s^2


def weighted_error(
    x: Event,
    mean: Event,
    mu: Float[Tensor, " b *latent"],
    log_var: Float[Tensor, " b *latent"],
    *,
    pixel_std: float,
) -> PerExample:
    r"""Squared error of an image plus the weighted divergence of its code, summed, **not** nats.

    $$\lVert x - m\rVert^2 + 2 s^2\,\mathrm{KL}\big(\mathcal N(\mu, \sigma^2)\,\|\,
      \mathcal N(0, I)\big) = -2 s^2\,\mathrm{ELBO} - D s^2\log(2\pi s^2)$$

    A weight w against the *sum* of squares assumes $s = \sqrt{w/2}$ (VAE, eq. 7; LDM, appendix G).
    """
    require_positive(pixel_std=pixel_std)
    return sum_event((x - mean) ** 2) + 2 * pixel_std**2 * kl_diag_normal(mu, log_var)


class Residual(nn.Module):
    """Two convolutions with a shortcut around them; the second starts at zero."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm_1 = nn.GroupNorm(8, width)
        self.conv_1 = nn.Conv2d(width, width, 3, padding=1)
        self.norm_2 = nn.GroupNorm(8, width)
        self.conv_2 = nn.Conv2d(width, width, 3, padding=1)
        nn.init.zeros_(self.conv_2.weight)

    def forward(self, x: Float[Tensor, " b c h w"]) -> Float[Tensor, " b c h w"]:
        h = self.conv_1(F.silu(self.norm_1(x)))
        return x + self.conv_2(F.silu(self.norm_2(h)))


class ImageVAE(VAE):
    r"""Convolutions, and pixels of a fixed scale $s$ (LDM, section 3.1, by squared error alone)."""

    def __init__(self, config: ImageVAEConfig) -> None:
        if config.size % 4 or config.width % 8:
            raise ValueError(f"need size % 4 and width % 8 = 0, got {config.size}, {config.width}")
        k, w = config.latent_channels, config.width
        encoder = nn.Sequential(  # two halvings, then mean and log-variance of each position
            nn.Conv2d(config.channels, w, 4, stride=2, padding=1),
            nn.SiLU(),
            nn.Conv2d(w, 2 * w, 4, stride=2, padding=1),
            Residual(2 * w),
            nn.GroupNorm(8, 2 * w),
            nn.SiLU(),
            nn.Conv2d(2 * w, 2 * k, 1),
        )
        decoder = nn.Sequential(  # two doublings, each turning four channels into a 2 x 2 block
            nn.Conv2d(k, 2 * w, 3, padding=1),
            Residual(2 * w),
            nn.Conv2d(2 * w, 4 * w, 3, padding=1),
            nn.PixelShuffle(2),
            Residual(w),
            nn.GroupNorm(8, w),
            nn.SiLU(),
            nn.Conv2d(w, 4 * config.channels, 3, padding=1),
            nn.PixelShuffle(2),
            nn.Sigmoid(),
        )
        shape = (config.channels, config.size, config.size)
        super().__init__(encoder, decoder, latent_dim=k, event_shape=shape, log_scale=None)
        self.config, self.latent_shape = config, (k, config.size // 4, config.size // 4)

    def decode(self, z: Float[Tensor, " b *latent"]) -> Float[Tensor, " b c h w"]:
        """Mean of the image given its code, every pixel in (0, 1)."""
        return self.decoder(z)

    def scale(self) -> float:
        return self.config.pixel_std

    def loss(self, x: Shaped[Tensor, " b *event"], *, generator: Rng = None) -> Float[Tensor, ""]:
        mu, log_var = self.encode(x)
        z = reparameterize(mu, log_var, randn(mu.shape, like=mu, generator=generator))
        return weighted_error(x, self.decoder(z), mu, log_var, pixel_std=self.scale()).mean()


check_public(__name__)
