r"""A VAE that compresses pictures: from 3 x 32 x 32 numbers to a few channels of 8 x 8.

$$\ell(x) = \lVert x - m(z)\rVert^2 + 2 s^2\,\mathrm{KL}\big(q(z\mid x)\,\|\,\mathcal N(0, I)\big),
\qquad z = \mu(x) + \sigma(x)\,\epsilon$$

Latent diffusion needs codes from which pictures can be read off, not codes that are normal: the
divergence is given a small weight. That weight is no trick outside of the theory. It says how well
a pixel is known, since $\ell = -2s^2\,\mathrm{ELBO} + \text{const}$ for the likelihood
$x\mid z \sim \mathcal N(m(z), s^2 I)$.

Lesson: notebooks/systems/latent_diffusion.ipynb
Sources: Kingma and Welling 2013 (arXiv:1312.6114), eq. 7 and 10; Rombach et al. 2022
    (arXiv:2112.10752), section 3.1 and appendix G; Higgins et al. 2017, "beta-VAE", eq. 4.
"""

import math
from dataclasses import dataclass
from typing import final

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Generator, Tensor, nn

from genlab.core.guards import require_alike
from genlab.core.rng import randn
from genlab.core.shapes import Event, PerExample, sum_event
from genlab.core.stats import kl_diag_normal, normal_log_prob

from .elbo import elbo
from .reparameterize import Latent, reparameterize

Images = Float[Tensor, " b c h w"]
Codes = Float[Tensor, " b k i j"]


@final
@dataclass(frozen=True)
class ImageVAEConfig:
    """Sizes of the VAE, and how well a pixel is known."""

    channels: int = 3  # of a picture
    size: int = 32  # pixels on a side; a multiple of 4
    latent_channels: int = 4  # of a code, which has size / 4 places on a side
    width: int = 24  # features at half of the size; twice as many at a quarter
    pixel_std: float = 0.03  # s, of a pixel given the code; the divergence weighs 2 s^2


def weighted_error(
    x: Event, mean: Event, mu: Latent, log_var: Latent, *, pixel_std: float
) -> PerExample:
    r"""Squared error of a picture plus the weighted divergence of its code.

    $$\lVert x - m\rVert^2 + 2 s^2\,\mathrm{KL}\big(\mathcal N(\mu, \sigma^2)\,\|\,
      \mathcal N(0, I)\big) = -2 s^2\,\mathrm{ELBO} - D s^2\log(2\pi s^2)$$

    Hence a divergence that weighs w beside the *sum* of squares assumes pixels with
    $s = \sqrt{w/2}$, and beside the *mean* of squares $s = \sqrt{wD/2}$.

    Args:
        x: pictures, `(b, *event)`.
        mean: $m$, the decoder's, like `x`.
        mu: means of $q(z\mid x)$, `(b, *latent)`.
        log_var: its $\log\sigma^2$, like `mu`.
        pixel_std: $s$, positive; what a VAE with a Gaussian decoder would hold fixed.

    Returns:
        `(b,)`, summed over event and latent; squared units of a pixel, **not** nats.

    Raises:
        ValueError: `pixel_std` is not positive.

    Example:
        >>> x, zero = torch.ones(1, 3), torch.zeros(1, 2)
        >>> weighted_error(x, 0 * x, zero + 2, zero, pixel_std=0.5)
        tensor([5.])

    Source: Kingma and Welling 2013 (arXiv:1312.6114), eq. 7; the weight as in Rombach et al. 2022
        (arXiv:2112.10752), appendix G, which does not say that it is a variance.
    Lesson: notebooks/systems/latent_diffusion.ipynb
    """
    if not pixel_std > 0:
        raise ValueError(f"pixel_std must be positive, got {pixel_std}")
    return sum_event((x - mean) ** 2) + 2 * pixel_std**2 * kl_diag_normal(mu, log_var)


def code_std(mu: Latent, log_var: Latent) -> Float[Tensor, ""]:
    r"""Standard deviation of a number in a code, over pictures, places, channels and draws.

    $$\sigma_z^2 = \mathrm{Var}(\mu) + \mathbb E[\sigma^2]$$

    By this number codes are divided before they are diffused: the schedule's signal-to-noise ratio
    holds for data of variance 1, and would be $\sigma_z^2$ times too high otherwise.

    Args:
        mu: means of $q(z\mid x)$ of many pictures, `(n, *latent)`.
        log_var: its $\log\sigma^2$, like `mu`.

    Returns:
        One number, that of the draws $\mu + \sigma\epsilon$ about their common mean.

    Raises:
        ValueError: fewer than two pictures.

    Example:
        >>> mu = torch.tensor([[-3.0], [3.0]])
        >>> code_std(mu, torch.full_like(mu, 16.0).log())
        tensor(5.)

    Source: Rombach et al. 2022 (arXiv:2112.10752), appendix G, there the standard deviation of the
        first batch.
    Lesson: notebooks/systems/latent_diffusion.ipynb
    """
    if len(mu) < 2:
        raise ValueError(f"code_std: {len(mu)} pictures, expected at least two")
    require_alike(mu=mu, log_var=log_var)
    return (mu.var(correction=0) + log_var.exp().mean()).sqrt()


@final
class Residual(nn.Module):
    """Two convolutions beside a shortcut; the second starts at zero."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm_1, self.conv_1 = nn.GroupNorm(8, width), nn.Conv2d(width, width, 3, padding=1)
        self.norm_2, self.conv_2 = nn.GroupNorm(8, width), nn.Conv2d(width, width, 3, padding=1)
        nn.init.zeros_(self.conv_2.weight)

    def forward(self, x: Images) -> Images:
        """Features of the same shape."""
        h = self.conv_1(F.silu(self.norm_1(x)))
        out: Tensor = x + self.conv_2(F.silu(self.norm_2(h)))
        return out


def _encoder(config: ImageVAEConfig) -> nn.Module:
    """Two halvings by strided convolutions, then means and log-variances of each place."""
    w = config.width
    return nn.Sequential(
        nn.Conv2d(config.channels, w, 4, stride=2, padding=1),
        nn.SiLU(),
        nn.Conv2d(w, 2 * w, 4, stride=2, padding=1),
        Residual(2 * w),
        nn.GroupNorm(8, 2 * w),
        nn.SiLU(),
        nn.Conv2d(2 * w, 2 * config.latent_channels, 1),
    )


def _decoder(config: ImageVAEConfig) -> nn.Module:
    """Two doublings, each by turning four channels into a 2 x 2 block; pixels end in (0, 1)."""
    w = config.width
    return nn.Sequential(
        nn.Conv2d(config.latent_channels, 2 * w, 3, padding=1),
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


@final
class ImageVAE(nn.Module):
    r"""Encoder, decoder, and a Gaussian likelihood of fixed scale $s$ on pixels in [0, 1].

    Args:
        config: sizes and $s$.

    Raises:
        ValueError: a size that is no multiple of 4, or a width that is none of 8.

    Example:
        >>> vae = ImageVAE(ImageVAEConfig(width=8))
        >>> mu, log_var = vae.encode(torch.zeros(2, 3, 32, 32))
        >>> mu.shape, vae.decode(mu).shape
        (torch.Size([2, 4, 8, 8]), torch.Size([2, 3, 32, 32]))

    Source: Rombach et al. 2022 (arXiv:2112.10752), section 3.1, without the perceptual and the
        adversarial term.
    """

    def __init__(self, config: ImageVAEConfig) -> None:
        super().__init__()
        if config.size % 4 or config.width % 8:
            raise ValueError(
                f"size must be a multiple of 4 and width of 8, got {config.size}, {config.width}"
            )
        self.config = config
        self.event_shape = (config.channels, config.size, config.size)
        self.latent_shape = (config.latent_channels, config.size // 4, config.size // 4)
        self.encoder, self.decoder = _encoder(config), _decoder(config)

    def encode(self, x: Images) -> tuple[Codes, Codes]:
        r"""Return $\mu(x)$ and $\log\sigma^2(x)$ of $q(z\mid x)$, each `(b, k, h/4, w/4)`."""
        mu, log_var = self.encoder(x).chunk(2, dim=1)
        return mu, log_var.clamp(-20, 20)

    def decode(self, z: Codes) -> Images:
        """Mean of the picture given its code, every pixel in (0, 1)."""
        mean: Tensor = self.decoder(z)
        return mean

    def elbo(self, x: Images, *, generator: Generator | None = None) -> PerExample:
        """One-draw bound on the log-density of a picture, nats."""
        mu, log_var = self.encode(x)
        eps = randn(mu.shape, like=mu, generator=generator)

        def log_prob(x: Tensor, z: Tensor) -> Tensor:
            return normal_log_prob(x, self.decode(z), self.config.pixel_std)

        return elbo(x, mu, log_var, eps, decoder_log_prob=log_prob)

    def loss(
        self, x: Images, *, cond: Tensor | None = None, generator: Generator | None = None
    ) -> Float[Tensor, ""]:
        """Mean of `weighted_error` over the batch; `cond` must be None."""
        if cond is not None:
            raise ValueError("this VAE is unconditional: cond must be None")
        mu, log_var = self.encode(x)
        eps = randn(mu.shape, like=mu, generator=generator)
        mean = self.decode(reparameterize(mu, log_var, eps))
        return weighted_error(x, mean, mu, log_var, pixel_std=self.config.pixel_std).mean()

    @torch.no_grad()
    def sample(
        self, n: int, *, cond: Tensor | None = None, generator: Generator | None = None
    ) -> Images:
        """Decode codes from the prior: what this model draws alone, without diffusion."""
        if cond is not None:
            raise ValueError("this VAE is unconditional: cond must be None")
        like = next(self.parameters())
        mean = self.decode(randn((n, *self.latent_shape), like=like, generator=generator))
        return mean + self.config.pixel_std * randn(mean.shape, like=mean, generator=generator)


def loss_constant(d: int, pixel_std: float) -> float:
    r"""What `weighted_error` and the bound differ by: $-D s^2\log(2\pi s^2)$.

    Example:
        >>> loss_constant(2, (2 * math.pi) ** -0.5)
        0.0
    """
    return -d * pixel_std**2 * math.log(2 * math.pi * pixel_std**2) + 0.0
