r"""What the decoder's output means: three likelihoods $\log p(x\mid z)$, in nats.

$$\text{two levels: Bernoulli},\qquad \text{L levels: categorical},\qquad
\text{real numbers: Gaussian}.$$

The first two are probabilities of discrete data, and their nats become bits per dimension by a
division. The third is a density. For grey levels it needs dequantised data, a bin width ($\log L$
nats a pixel, `bits_per_dim(..., levels=L)`), and is then a bound once more.

Kingma and Welling 2013 (arXiv:1312.6114), appendix C; Theis, van den Oord and Bethge 2015
(arXiv:1511.01844), section 3.1.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Generator, Tensor, nn

from genlab.core.stats import kl_diag_normal, normal_log_prob
from genlab.core.tensors import (
    Event,
    PerExample,
    randn,
    require_alike,
    require_between,
    require_finite,
    require_index,
    sum_event,
)
from genlab.latent.elbo import Latent, elbo, importance_bound, reparameterize


def bernoulli_log_prob(x: Event, logits: Event) -> PerExample:
    r"""Log-probability of black-and-white pixels, summed over the event, nats, never positive.

    $$\log p(x) = \sum_j x_j \log \pi_j + (1 - x_j)\log(1 - \pi_j),
      \qquad \pi = \frac{1}{1 + e^{-l}}$$

    Its exponential sums to 1 over all $2^D$ images. Values between 0 and 1 are refused: with them
    the formula still has a value, but it is the logarithm of no distribution.

    Kingma and Welling 2013 (arXiv:1312.6114), eq. 11. ValueError: a pixel is neither 0 nor 1.
    """
    if not bool(((x == 0) | (x == 1)).all()):
        odd = x[(x != 0) & (x != 1)][0].item()
        raise ValueError(f"bernoulli_log_prob: a pixel is {odd:g}, expected 0 or 1")
    return sum_event(F.logsigmoid((2 * x - 1) * logits))


def categorical_log_prob(
    x: Int[Tensor, " b *event"], logits: Float[Tensor, " b *event levels"]
) -> PerExample:
    r"""Log-probability of pixels with L levels, one table of logits for each pixel.

    $$\log p(x) = \sum_j \Big(l_{j, x_j} - \log\sum_{\ell} e^{l_{j\ell}}\Big)$$

    Its exponential sums to 1 over all $L^D$ images.

    Summed over the event, nats, never positive. Salimans et al. 2017 (arXiv:1701.05517), section
    2.1, on the softmax over levels. ValueError: a level is outside 0..L-1.
    """
    levels = logits.shape[-1]
    require_index(levels, x=x)
    require_alike(x=x, logits=logits.shape[:-1])
    chosen = logits.gather(-1, x.unsqueeze(-1)).squeeze(-1)
    return sum_event(chosen - logits.logsumexp(-1))


def gaussian_log_prob(x: Event, mean: Event, log_scale: Tensor) -> PerExample:
    r"""Log-density of real pixels around the decoder's output, with a scale $s$.

    $$\log p(x) = -\frac{\lVert x - m\rVert^2}{2 s^2} - D\log s - \tfrac D2\log 2\pi$$

    The best $s^2$ is the mean square error. With $s = 1$ held fixed only half the squared error is
    left, and the reconstruction weighs far too little against the divergence.

    Summed over the event, nats; positive where the density exceeds 1. Kingma and Welling 2013
    (arXiv:1312.6114), eq. 12; Rybkin, Daniilidis and Levine 2021 (arXiv:2006.13202), section 3, on
    the learned scale.
    """
    return normal_log_prob(x, mean, log_scale.exp())


class VAE(nn.Module):
    r"""Gaussian encoder and Gaussian decoder with one learned scale $s$."""

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


Codes = Float[Tensor, " n k"]


def active_units(mu: Codes, threshold: float = 0.01) -> Bool[Tensor, " k"]:
    r"""Which latents move when x does (Burda et al. 2015 (arXiv:1509.00519), section 5.2).

    $$\operatorname{Var}_x\big(\mathbb E_{q(z|x)}\,z_j\big) > \delta$$

    ValueError: fewer than two examples.
    """
    if len(mu) < 2:
        raise ValueError(f"active_units: {len(mu)} examples, expected at least two")
    require_finite(mu=mu)
    require_between(0, math.inf, threshold=threshold)
    return mu.var(0) > threshold


def kl_per_unit(mu: Codes, log_var: Codes) -> Codes:
    r"""Price of each latent by itself, not summed, nats.

    $$\tfrac12\big(\mu_j^2 + \sigma_j^2 - 1 - \log\sigma_j^2\big)$$

    Kingma and Welling 2013 (arXiv:1312.6114), appendix B.
    """
    return 0.5 * (mu**2 + torch.expm1(log_var) - log_var)


def code_information(mu: Codes, log_var: Codes, eps: Codes) -> Float[Tensor, " n"]:
    r"""What the code of each example says about which example it is; the mean estimates I.

    $$I_q(x; z) = \frac1n\sum_i \mathbb E_{q(z|x_i)}\Big[\log q(z\mid x_i)
      - \log\frac1n\sum_j q(z\mid x_j)\Big]$$

    Zero when every q is the same. The mean is unbiased for these n examples, and at most $\log n$:
    on a larger data set the information may be larger.

    Nats, one term for each example. Hoffman and Johnson 2016, "ELBO surgery", the index-code mutual
    information.
    """
    z = mu + (0.5 * log_var).exp() * eps
    distance = (z[:, None] - mu) ** 2 * (-log_var).exp()  # of draw i from the centre of q j
    log_q = -0.5 * (distance + log_var).sum(-1)  # the constant cancels
    return log_q.diagonal() - (log_q.logsumexp(1) - math.log(len(mu)))


def free_bits(kl: Codes, floor: float) -> Float[Tensor, ""]:
    r"""A divergence of which the first $\lambda$ nats of each latent are free.

    $$\sum_j \max\Big(\lambda,\ \frac1n\sum_i \mathrm{KL}_{ij}\Big)$$

    At $\lambda = 0$ it is the mean divergence. Below the floor there is no gradient, so nothing
    pushes a latent to zero; nothing pushes it to *information* either.

    Kingma et al. 2016 (arXiv:1606.04934), appendix C.8, eq. 27. ValueError: a negative floor.
    """
    if not floor >= 0:
        raise ValueError(f"free_bits: floor is {floor}, expected at least 0 nats")
    return kl.mean(0).clamp_min(floor).sum()


def kl_annealing(n_warm: int, beta: float = 1.0) -> Callable[[int], float]:
    r"""Weight of the divergence that rises from 0 to $\beta$ and stays.

    $$\beta_k = \beta\,\min(1,\ k / n)$$

    Bowman et al. 2015 (arXiv:1511.06349), section 3.1. ValueError: a negative number of steps.
    """
    if n_warm < 0:
        raise ValueError(f"kl_annealing: n_warm is {n_warm}, expected at least 0")
    return lambda step: beta * (min(1.0, max(0.0, step / n_warm)) if n_warm else 1.0)


class CategoricalVAE(nn.Module):
    r"""Gaussian codes, categorical pixels; its bounds are in nats of the *discrete* data."""

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


Images = Float[Tensor, " b c h w"]
Codes_image_vae = Float[Tensor, " b k i j"]


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

    Hence a divergence that weighs w beside the *sum* of squares assumes pixels with $s =
    \sqrt{w/2}$, and beside the *mean* of squares $s = \sqrt{wD/2}$.

    Summed over event and latent; squared units of a pixel, **not** nats. Kingma and Welling 2013
    (arXiv:1312.6114), eq. 7; the weight as in Rombach et al. 2022 (arXiv:2112.10752), appendix G,
    which does not say that it is a variance. ValueError: `pixel_std` is not positive.
    """
    if not pixel_std > 0:
        raise ValueError(f"pixel_std must be positive, got {pixel_std}")
    return sum_event((x - mean) ** 2) + 2 * pixel_std**2 * kl_diag_normal(mu, log_var)


def code_std(mu: Latent, log_var: Latent) -> Float[Tensor, ""]:
    r"""Standard deviation of a number in a code, over pictures, places, channels and draws.

    $$\sigma_z^2 = \mathrm{Var}(\mu) + \mathbb E[\sigma^2]$$

    By this number codes are divided before they are diffused: the schedule's signal-to-noise ratio
    holds for data of variance 1, and would be $\sigma_z^2$ times too high otherwise.

    Rombach et al. 2022 (arXiv:2112.10752), appendix G, there the standard deviation of the first
    batch. ValueError: fewer than two pictures.
    """
    if len(mu) < 2:
        raise ValueError(f"code_std: {len(mu)} pictures, expected at least two")
    require_alike(mu=mu, log_var=log_var)
    return (mu.var(correction=0) + log_var.exp().mean()).sqrt()


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
        return x + self.conv_2(F.silu(self.norm_2(h)))


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


class ImageVAE(nn.Module):
    r"""Encoder, decoder, and a Gaussian likelihood of fixed scale $s$ on pixels in [0, 1].

    Rombach et al. 2022 (arXiv:2112.10752), section 3.1, without the perceptual and the adversarial
    term. ValueError: a size that is no multiple of 4, or a width that is none of 8.
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

    def encode(self, x: Images) -> tuple[Codes_image_vae, Codes_image_vae]:
        r"""Return $\mu(x)$ and $\log\sigma^2(x)$ of $q(z\mid x)$, each `(b, k, h/4, w/4)`."""
        mu, log_var = self.encoder(x).chunk(2, dim=1)
        return mu, log_var.clamp(-20, 20)

    def decode(self, z: Codes_image_vae) -> Images:
        """Mean of the picture given its code, every pixel in (0, 1)."""
        return self.decoder(z)

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
    r"""What `weighted_error` and the bound differ by: $-D s^2\log(2\pi s^2)$."""
    return -d * pixel_std**2 * math.log(2 * math.pi * pixel_std**2) + 0.0
