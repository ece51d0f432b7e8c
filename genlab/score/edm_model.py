r"""A raw network with EDM's scales around it, told a class or not: loss, score, guided samples.

$$D_w(x,\sigma) = D(x,\sigma,\varnothing) + w\,\big(D(x,\sigma,c) - D(x,\sigma,\varnothing)\big)$$

Guidance blends guesses of the data as it blends predictions of the noise: one is a linear function
of the other. Noise levels of training are log-normal, where there is something to learn.

Lesson: notebooks/13_diffusion_ii.ipynb
Source: Karras, Aittala, Aila and Laine 2022 (arXiv:2206.00364), eq. 7 and table 1.
"""

from typing import final

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor, nn

from genlab.core.iterate import last
from genlab.core.rng import randn
from genlab.core.shapes import Event, PerExample, expand

from .edm import Denoiser, edm_sample, edm_sigmas
from .guidance import cfg_eps, drop_condition
from .preconditioning import edm_denoise, edm_loss


@final
class EDM(nn.Module):
    r"""A diffusion model in EDM's terms: trains on log-normal levels, samples by Heun's method.

    Args:
        net: F, $(c_{\text{in}} x, c_{\text{noise}}) \mapsto$ like x; with `null`, also told labels.
        event_shape: shape of one example.
        sigma_data: standard deviation of the data.
        null: the label that stands for "no class"; None for a network that is told no class.
        p_drop: share of labels withheld in training.
        n_steps: of the sampler.

    Example:
        >>> from genlab.nn.unet import UNet, UNetConfig
        >>> net = UNet(UNetConfig(width=8, n_classes=10))
        >>> edm = EDM(net, event_shape=(1, 8, 8), sigma_data=0.5, null=10, n_steps=2)
        >>> edm.sample(2, cond=torch.tensor([3, 7]), guidance_scale=2.0).shape
        torch.Size([2, 1, 8, 8])
    """

    P_MEAN, P_STD = -1.2, 1.2  # of log sigma in training

    def __init__(
        self,
        net: nn.Module,
        *,
        event_shape: tuple[int, ...],
        sigma_data: float,
        null: int | None = None,
        p_drop: float = 0.1,
        n_steps: int = 18,
    ) -> None:
        super().__init__()
        self.net, self.event_shape, self.sigma_data = net, event_shape, sigma_data
        self.null, self.p_drop, self.n_steps = null, p_drop, n_steps

    def raw(self, cond: Int[Tensor, " b"] | None) -> Denoiser:
        """The network F for given labels; all "no class" when None."""
        if self.null is None:
            if cond is not None:
                raise ValueError("this EDM is told no class: cond must be None")
            return self.net
        null = self.null

        def told(x: Tensor, c_noise: Tensor) -> Tensor:
            label = torch.full((len(x),), null, device=x.device) if cond is None else cond
            out: Tensor = self.net(x, c_noise, label)
            return out

        return told

    def denoiser(
        self, cond: Int[Tensor, " b"] | None = None, *, guidance_scale: float = 1.0
    ) -> Denoiser:
        r"""Guess of the clean data at any level: what `edm_sample` drives.

        Args:
            cond: the label of each row, or None.
            guidance_scale: w; anything but 1 needs labels and costs two passes.

        Returns:
            $(x, \sigma) \mapsto \hat x_0$.

        Raises:
            ValueError: guidance without labels.
        """
        if guidance_scale != 1 and cond is None:
            raise ValueError(f"guidance_scale is {guidance_scale}, but there is no cond")

        def told(x: Event, sigma: PerExample) -> Event:
            guess = edm_denoise(self.raw(cond), x, sigma, sigma_data=self.sigma_data)
            if guidance_scale == 1:
                return guess
            free = edm_denoise(self.raw(None), x, sigma, sigma_data=self.sigma_data)
            return cfg_eps(free, guess, guidance_scale=guidance_scale)

        return told

    def score(self, x: Event, t: PerExample) -> Event:
        """Slope of the log-density of data with noise of standard deviation `t` added."""
        return (self.denoiser()(x, t) - x) / expand(t, x) ** 2

    def loss(
        self, x: Event, *, cond: Tensor | None = None, generator: Generator | None = None
    ) -> Float[Tensor, ""]:
        """Weighted denoising loss, mean over the batch; not nats."""
        sigma = (self.P_MEAN + self.P_STD * randn((len(x),), like=x, generator=generator)).exp()
        eps = randn(x.shape, like=x, generator=generator)
        if cond is not None and self.null is not None and self.training:
            u = torch.rand(len(x), generator=generator)
            cond = drop_condition(cond, u.to(x.device), p_drop=self.p_drop, null=self.null)
        return edm_loss(self.raw(cond), x, sigma, eps, sigma_data=self.sigma_data).mean()

    @torch.no_grad()
    def sample(
        self,
        n: int,
        *,
        cond: Int[Tensor, " n"] | None = None,
        generator: Generator | None = None,
        guidance_scale: float = 1.0,
    ) -> Event:
        """Draw `n` examples by Heun's method: 2 n_steps - 1 passes, twice that with guidance."""
        sigmas = edm_sigmas(self.n_steps)
        like = next(self.net.parameters())
        x_T = sigmas[0] * randn((n, *self.event_shape), like=like, generator=generator)
        return last(edm_sample(self.denoiser(cond, guidance_scale=guidance_scale), x_T, sigmas))
