"""StyleGAN in miniature: styles, noise, and a non-saturating game with a lazy penalty.

Karras et al. 2019 (arXiv:1812.04948), 2020 (arXiv:1912.04958).
"""

from collections.abc import Iterator
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from genlab.adversarial import StyleDiscriminator, StyleGenerator, mix_styles, r1_penalty, truncate
from genlab.adversarial.gan import discriminator_loss, lazy_weight, non_saturating_generator_loss
from genlab.core.tensors import Event, PerExample, Rng, drawn, randn

N_MEAN = 10_000  # latent draws whose mean style truncation draws towards


class StyleGAN(nn.Module):
    r"""A style-based generator and its discriminator.

    The $R_1$ penalty enters as $\gamma/2$ at every `interval`-th step; a fraction `mixing` of the
    generated training examples has two styles.
    """

    def __init__(
        self,
        generator_net: StyleGenerator,
        discriminator: StyleDiscriminator,
        *,
        gamma: float = 1.0,
        interval: int = 8,
        mixing: float = 0.5,
    ) -> None:
        super().__init__()
        if gamma < 0 or not 0 <= mixing <= 1:
            raise ValueError(f"expected gamma >= 0 and mixing in [0, 1], got {gamma} and {mixing}")
        self.generator_net, self.discriminator = generator_net, discriminator
        self.gamma, self.interval, self.mixing = gamma, interval, mixing
        self.event_shape = (1, 16, 16)
        self.at_step(0)

    def at_step(self, step: int) -> None:
        """Say which step the discriminator is at: every `interval`-th pays the penalty."""
        self.lazy = lazy_weight(step, self.interval)

    def logits(self, x: Event, *, hold: bool = False) -> PerExample:
        return self.discriminator(x, hold=hold).squeeze(1)

    def styles(self, n: int, generator: Rng = None) -> Float[Tensor, " n d"]:
        like = self.generator_net.constant
        z = randn((n, self.generator_net.d_latent), like=like, generator=generator)
        return self.generator_net.mapping(z)

    def synthesise(self, styles: Float[Tensor, " b layers d"], generator: Rng = None) -> Event:
        """Pictures of these styles, with fresh noise."""
        noise = self.generator_net.draw_noise(len(styles), generator)
        return self.generator_net.synthesis(styles, noise)

    def _fake(self, n: int, generator: Rng) -> Event:
        """Training samples, a fraction of them with two styles."""
        layers = self.generator_net.n_layers
        two = self.styles(2 * n, generator)
        here: dict[str, Any] = {"device": two.device, "generator": generator}
        crossover = drawn(torch.randint, 1, layers, (n,), **here)
        single = drawn(torch.rand, n, **here) >= self.mixing
        crossover = torch.where(single, layers, crossover)
        return self.synthesise(mix_styles(two[:n], two[n:], crossover, layers), generator)

    def penalty(self, x: Event) -> PerExample:
        r"""$R_1$ of each real example, the batch's spread held fixed."""
        x = x.detach().requires_grad_(True)
        with torch.enable_grad():
            return r1_penalty(self.logits(x, hold=True), x)

    def discriminator_loss(self, x: Event, *, generator: Rng = None) -> Float[Tensor, ""]:
        """Loss of the discriminator, mean over the batch, with the penalty where it is due."""
        with torch.no_grad():
            fake = self._fake(len(x), generator)
        loss = discriminator_loss(self.logits(x), self.logits(fake))
        if self.gamma > 0 and self.lazy > 0:
            loss = loss + 0.5 * self.gamma * self.lazy * self.penalty(x)
        return loss.mean()

    def generator_loss(self, x: Event, *, generator: Rng = None) -> Float[Tensor, ""]:
        return non_saturating_generator_loss(self.logits(self._fake(len(x), generator))).mean()

    def discriminator_parameters(self) -> Iterator[nn.Parameter]:
        return self.discriminator.parameters()

    def generator_parameters(self) -> Iterator[nn.Parameter]:
        return (p for p in self.generator_net.parameters() if p.requires_grad)

    @torch.no_grad()
    def set_mean_style(self, generator: Rng = None) -> None:
        """Store the mean style of 10,000 draws, which truncation needs."""
        self.generator_net.mean_style.copy_(self.styles(N_MEAN, generator).mean(0))

    @torch.no_grad()
    def sample(
        self, n: int, *, generator: Rng = None, truncation: float = 1.0
    ) -> Float[Tensor, " n 1 16 16"]:
        """Draw `n` pictures, about -1 (paper) to 1 (ink); `psi` pulls styles towards their mean."""
        w = truncate(self.styles(n, generator), self.generator_net.mean_style, truncation)
        return self.synthesise(self.generator_net.every_layer(w), generator)


def grey(x: Float[Tensor, " n 1 h w"]) -> Float[Tensor, " n h w"]:
    """The model's pictures as grey values in [0, 1], what lies outside clipped."""
    return ((x[:, 0] + 1) / 2).clamp(0, 1)
