r"""The generative adversarial network: two players, two losses, and no density.

$$x = G(z), \qquad z \sim \mathcal N(0, I)$$

The class has no `log_prob`: the law of $G(z)$ exists but no formula evaluates it. It has two
losses that pull against each other, hence it is `Adversarial` and not `Trainable`.

Lesson: notebooks/07_gans_minimax.ipynb
Sources: Goodfellow et al. 2014 (arXiv:1406.2661), algorithm 1; Mescheder, Geiger and Nowozin 2018
(arXiv:1801.04406) for the penalty.
"""

from collections.abc import Iterator
from typing import final

import torch
from jaxtyping import Float
from torch import Generator, Tensor, nn

from genlab.core.rng import randn
from genlab.core.shapes import Event, PerExample

from .objectives import critic_loss, non_saturating_generator_loss
from .penalties import r1_penalty


@final
class GAN(nn.Module):
    r"""Non-saturating game with an $R_1$ penalty on the critic.

    Args:
        generator_net: `(b, latent_dim) -> (b, *event)`.
        critic: `(b, *event) -> (b, 1)` logits, positive for "real".
        latent_dim: numbers in a latent draw.
        event_shape: shape of one example.
        gamma: weight of the penalty, which enters the loss as $\gamma/2$; 0 turns it off.

    Example:
        >>> gan = GAN(nn.Linear(3, 2), nn.Linear(2, 1), latent_dim=3, event_shape=(2,))
        >>> gan.sample(4).shape, hasattr(gan, "log_prob")
        (torch.Size([4, 2]), False)
    """

    def __init__(
        self,
        generator_net: nn.Module,
        critic: nn.Module,
        *,
        latent_dim: int,
        event_shape: tuple[int, ...],
        gamma: float = 1.0,
    ) -> None:
        super().__init__()
        if not gamma >= 0:
            raise ValueError(f"gamma must not be negative, got {gamma}")
        self.generator_net, self.critic = generator_net, critic
        self.latent_dim, self.event_shape, self.gamma = latent_dim, event_shape, gamma

    def logits(self, x: Event) -> PerExample:
        """Critic's logit of "this example is real", `(b,)`."""
        out: Tensor = self.critic(x)
        return out.squeeze(1)

    def _fake(self, n: int, generator: Generator | None) -> Event:
        like = next(self.generator_net.parameters())
        out: Tensor = self.generator_net(
            randn((n, self.latent_dim), like=like, generator=generator)
        )
        return out

    def critic_loss(self, x: Event, *, generator: Generator | None = None) -> Float[Tensor, ""]:
        """Loss of the critic, mean over the batch; moves no parameter of the generator."""
        with torch.no_grad():
            fake = self._fake(len(x), generator)
        x = x.detach().requires_grad_(self.gamma > 0)
        real = self.logits(x)
        loss = critic_loss(real, self.logits(fake))
        if self.gamma > 0:
            loss = loss + 0.5 * self.gamma * r1_penalty(real, x)
        return loss.mean()

    def generator_loss(self, x: Event, *, generator: Generator | None = None) -> Float[Tensor, ""]:
        """Loss of the generator, mean over as many fresh draws as `x` has examples."""
        return non_saturating_generator_loss(self.logits(self._fake(len(x), generator))).mean()

    def critic_parameters(self) -> Iterator[nn.Parameter]:
        """What the critic's step changes."""
        return self.critic.parameters()

    def generator_parameters(self) -> Iterator[nn.Parameter]:
        """What the generator's step changes."""
        return self.generator_net.parameters()

    @torch.no_grad()
    def sample(
        self, n: int, *, cond: Tensor | None = None, generator: Generator | None = None
    ) -> Event:
        """Draw `n` examples: one latent draw, one generator pass. `cond` must be None."""
        if cond is not None:
            raise ValueError("this GAN is unconditional: cond must be None")
        return self._fake(n, generator)
