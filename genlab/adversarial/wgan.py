r"""The Wasserstein GAN: a critic that measures a distance, instead of a judge that votes.

$$W_1(p, q) = \sup_{\lVert f\rVert_L\le1}\; \mathbb E_p f - \mathbb E_q f$$

The critic climbs towards this supremum under a constraint on its slope, so that minus its loss
is an estimate of the distance, and the generator walks downhill on it even where the two laws
share no point.

Lesson: notebooks/08_wgan_gradient_penalty.ipynb
Sources: Arjovsky, Chintala and Bottou 2017 (arXiv:1701.07875), eq. 2 and algorithm 1; Gulrajani
et al. 2017 (arXiv:1704.00028), eq. 3 and algorithm 1.
"""

from collections.abc import Iterator
from typing import final

import torch
from jaxtyping import Float
from torch import Generator, Tensor, nn

from genlab.core.guards import require_alike
from genlab.core.rng import randn
from genlab.core.shapes import Event, PerExample

from .lipschitz import clip_weights
from .penalties import gradient_penalty


def wgan_critic_loss(f_real: PerExample, f_fake: PerExample) -> PerExample:
    r"""What the critic minimises: minus the gap between its means.

    $$-\big(f(x) - f(\tilde x)\big)$$

    Over 1-Lipschitz critics its smallest expectation is $-W_1(p, q)$.

    Args:
        f_real: critic on real examples, `(b,)`; a number without unit of probability.
        f_fake: critic on as many generated ones, `(b,)`.

    Returns:
        `(b,)`, in the unit of the data when the critic is 1-Lipschitz.

    Example:
        >>> wgan_critic_loss(torch.tensor([3.0]), torch.tensor([0.0]))
        tensor([-3.])

    Source: Arjovsky, Chintala and Bottou 2017 (arXiv:1701.07875), eq. 2.
    Lesson: notebooks/08_wgan_gradient_penalty.ipynb
    """
    require_alike(f_real=f_real, f_fake=f_fake)
    return f_fake - f_real


def wgan_generator_loss(f_fake: PerExample) -> PerExample:
    r"""What the generator minimises: minus the critic on its own samples.

    $$-f(G(z))$$

    Args:
        f_fake: critic on generated examples, `(b,)`.

    Returns:
        `(b,)`; only its differences mean anything.

    Example:
        >>> wgan_generator_loss(torch.tensor([2.0]))
        tensor([-2.])

    Source: Arjovsky, Chintala and Bottou 2017 (arXiv:1701.07875), algorithm 1, line 10.
    Lesson: notebooks/08_wgan_gradient_penalty.ipynb
    """
    return -f_fake


@final
class WGAN(nn.Module):
    r"""A generator and a Lipschitz critic, held by a penalty, by clipping, or by its own layers.

    Args:
        generator_net: `(b, latent_dim) -> (b, *event)`.
        critic: `(b, *event) -> (b, 1)`; no batch normalisation, which would tie examples.
        latent_dim: numbers in a latent draw.
        event_shape: shape of one example.
        penalty: $\lambda$ of the gradient penalty; 0 turns it off.
        clip: half-width of the weight box, applied before each critic loss; None turns it off.

    Raises:
        ValueError: a negative penalty.

    Example:
        >>> wgan = WGAN(nn.Linear(3, 2), nn.Linear(2, 1), latent_dim=3, event_shape=(2,))
        >>> wgan.sample(4).shape, hasattr(wgan, "log_prob")
        (torch.Size([4, 2]), False)
    """

    def __init__(
        self,
        generator_net: nn.Module,
        critic: nn.Module,
        *,
        latent_dim: int,
        event_shape: tuple[int, ...],
        penalty: float = 10.0,
        clip: float | None = None,
    ) -> None:
        super().__init__()
        if not penalty >= 0:
            raise ValueError(f"penalty must not be negative, got {penalty}")
        self.generator_net, self.critic = generator_net, critic
        self.latent_dim, self.event_shape = latent_dim, event_shape
        self.penalty, self.clip = penalty, clip

    def f(self, x: Event) -> PerExample:
        """The critic's value of each example, `(b,)`; only differences mean anything."""
        out: Tensor = self.critic(x)
        return out.squeeze(1)

    def _fake(self, n: int, generator: Generator | None) -> Event:
        like = next(self.generator_net.parameters())
        z = randn((n, self.latent_dim), like=like, generator=generator)
        out: Tensor = self.generator_net(z)
        return out

    def critic_loss(self, x: Event, *, generator: Generator | None = None) -> Float[Tensor, ""]:
        """Minus the estimated distance plus the penalty, mean over the batch."""
        if self.clip is not None:
            clip_weights(self.critic.parameters(), self.clip)
        with torch.no_grad():
            fake = self._fake(len(x), generator)
        loss = wgan_critic_loss(self.f(x), self.f(fake))
        if self.penalty > 0:
            u = torch.rand(len(x), generator=generator).to(x)
            loss = loss + self.penalty * gradient_penalty(self.f, x, fake, u)
        return loss.mean()

    def generator_loss(self, x: Event, *, generator: Generator | None = None) -> Float[Tensor, ""]:
        """Minus the critic's mean over as many fresh draws as `x` has examples."""
        return wgan_generator_loss(self.f(self._fake(len(x), generator))).mean()

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
            raise ValueError("this WGAN is unconditional: cond must be None")
        return self._fake(n, generator)
