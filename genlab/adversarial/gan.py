r"""Two networks play: the losses of both, the penalties that settle the game, GAN and WGAN.

A discriminator says how likely an example is real, $D = \mathrm{sigmoid}(l)$; a *critic* prices it.
Goodfellow et al. 2014 (arXiv:1406.2661), Arjovsky et al. 2017 (arXiv:1701.07875).
"""

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import softplus
from torch.nn.utils import parametrize

from genlab.adversarial.games import jensen_shannon
from genlab.core import Event, PerExample, drawn, expand, randn, sum_event
from genlab.core.checked import check_public
from genlab.core.stats import normal_log_prob
from genlab.core.tensors import Rng, require_between, require_positive, require_rows


def discriminator_loss(logits_real: PerExample, logits_fake: PerExample) -> PerExample:
    r"""What the discriminator minimises: the negative value of the game, nats (Goodfellow, eq. 1).

    $$-\log D(x) - \log\big(1 - D(G(z))\big)
      = \mathrm{softplus}(-l_x) + \mathrm{softplus}(l_{G(z)})$$

    At the best discriminator its expectation is $\log 4 - 2\,\mathrm{JS}(p\,\|\,q)$.
    """
    return softplus(-logits_real) + softplus(logits_fake)


def minimax_generator_loss(logits_fake: PerExample) -> PerExample:
    r"""What the generator minimises in the game as first stated, nats (Goodfellow, eq. 1).

    $$\log\big(1 - D(G(z))\big) = -\mathrm{softplus}(l), \qquad \frac{d}{dl} = -D$$
    """
    return -softplus(logits_fake)


def non_saturating_generator_loss(logits_fake: PerExample) -> PerExample:
    r"""What the generator minimises in practice: it keeps its slope where it is losing.

    $$-\log D(G(z)) = \mathrm{softplus}(-l), \qquad \frac{d}{dl} = -(1 - D)$$

    Nats; Goodfellow et al. 2014, section 3.
    """
    return softplus(-logits_fake)


def optimal_logits(log_p: PerExample, log_q: PerExample) -> PerExample:
    r"""The best discriminator against a fixed generator is the log-ratio of the two densities.

    $$l^*(x) = \log p(x) - \log q(x), \qquad D^* = \mathrm{sigmoid}(l^*) = \frac{p}{p+q}$$

    Goodfellow et al. 2014, proposition 1.
    """
    return log_p - log_q


def r1_penalty(logits: PerExample, x: Event) -> PerExample:
    r"""Squared slope of the discriminator at each **real** example, without the factor $\gamma/2$.

    $$\lVert \nabla_x\, l(x) \rVert^2$$

    A linear discriminator $l = w\cdot x$ gives $\lVert w\rVert^2$ everywhere. Mescheder, Geiger and
    Nowozin 2018 (arXiv:1801.04406), eq. 9.
    """
    return sum_event(_slope(logits, x) ** 2)


def lazy_weight(step: int, interval: int) -> float:
    r"""How much a regulariser counts at one step when it is computed only now and then.

    $$\lambda_t = \begin{cases} K & t \equiv 0 \;(\mathrm{mod}\; K) \\ 0 & \text{else} \end{cases}
    \qquad\Longrightarrow\qquad \frac1K \sum_{t=0}^{K-1} \lambda_t = 1$$

    Karras et al. 2020 (arXiv:1912.04958), section 3.1 and appendix B.
    """
    require_between(1, math.inf, interval=interval)
    return 0.0 if step % interval else float(interval)


def _slope(logits: PerExample, x: Event) -> Float[Tensor, " b *event"]:
    if not x.requires_grad:
        raise ValueError("the penalty needs x.requires_grad, set before the logits are computed")
    (slope,) = torch.autograd.grad(logits.sum(), x, create_graph=True)
    return slope


class _TwoPlayers(nn.Module):
    """What GAN and WGAN share: a generator that turns a latent draw into an example."""

    def __init__(
        self, generator_net: nn.Module, *, latent_dim: int, event_shape: tuple[int, ...]
    ) -> None:
        super().__init__()
        self.generator_net = generator_net
        self.latent_dim, self.event_shape = latent_dim, event_shape

    def _fake(self, n: int, generator: Rng) -> Event:
        like = next(self.generator_net.parameters())
        return self.generator_net(randn((n, self.latent_dim), like=like, generator=generator))

    def generator_parameters(self) -> Iterator[nn.Parameter]:
        return self.generator_net.parameters()

    @torch.no_grad()
    def sample(self, n: int, *, generator: Rng = None) -> Event:
        """Draw `n` examples: one latent draw, one network evaluation."""
        return self._fake(n, generator)


class GAN(_TwoPlayers):
    """Non-saturating game with an $R_1$ penalty on the discriminator."""

    def __init__(
        self,
        generator_net: nn.Module,
        discriminator: nn.Module,
        *,
        latent_dim: int,
        event_shape: tuple[int, ...],
        gamma: float = 1.0,
    ) -> None:
        super().__init__(generator_net, latent_dim=latent_dim, event_shape=event_shape)
        require_between(0, math.inf, gamma=gamma)
        self.discriminator, self.gamma = discriminator, gamma

    def logits(self, x: Event) -> PerExample:
        """The discriminator's logit of "this example is real"."""
        return self.discriminator(x).squeeze(1)

    def discriminator_loss(self, x: Event, *, generator: Rng = None) -> Float[Tensor, ""]:
        """Loss of the discriminator, mean over the batch; moves no parameter of the generator."""
        with torch.no_grad():
            fake = self._fake(len(x), generator)
        x = x.detach().requires_grad_(self.gamma > 0)
        real = self.logits(x)
        loss = discriminator_loss(real, self.logits(fake))
        if self.gamma > 0:
            loss = loss + 0.5 * self.gamma * r1_penalty(real, x)
        return loss.mean()

    def generator_loss(self, x: Event, *, generator: Rng = None) -> Float[Tensor, ""]:
        """Loss of the generator, mean over as many fresh draws as `x` has examples."""
        return non_saturating_generator_loss(self.logits(self._fake(len(x), generator))).mean()

    def discriminator_parameters(self) -> Iterator[nn.Parameter]:
        return self.discriminator.parameters()


def wgan_critic_loss(f_real: PerExample, f_fake: PerExample) -> PerExample:
    r"""What the critic minimises: minus the gap between its means.

    $$-\big(f(x) - f(\tilde x)\big)$$

    Over 1-Lipschitz critics its smallest expectation is $-W_1(p, q)$ (Arjovsky, eq. 2).
    """
    return f_fake - f_real


def wgan_generator_loss(f_fake: PerExample) -> PerExample:
    r"""What the generator minimises: minus the critic on its samples, $-f(G(z))$ (algorithm 1)."""
    return -f_fake


def gradient_penalty(
    critic: Callable[[Tensor], PerExample], real: Event, fake: Event, u: PerExample
) -> PerExample:
    r"""How far the critic's slope is from 1 at a random point between each pair.

    $$\big(\lVert\nabla f(\hat x)\rVert - 1\big)^2, \qquad \hat x = u\,x + (1-u)\,\tilde x$$

    The norm is over the event, without the weight; a linear critic $f = w\cdot x$ gives $(\lVert
    w\rVert - 1)^2$. Gulrajani et al. 2017 (arXiv:1704.00028), eq. 3.
    """
    require_between(0, 1, u=u)
    between = expand(u, real) * real.detach() + (1 - expand(u, real)) * fake.detach()
    between.requires_grad_(True)
    slope = _slope(critic(between), between)
    return (sum_event(slope**2).clamp(min=1e-24).sqrt() - 1) ** 2


class WGAN(_TwoPlayers):
    """A generator and a Lipschitz critic, held by a penalty, by clipping, or by its own layers."""

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
        super().__init__(generator_net, latent_dim=latent_dim, event_shape=event_shape)
        require_between(0, math.inf, penalty=penalty)
        require_positive(clip=1.0 if clip is None else clip)
        self.critic, self.penalty, self.clip = critic, penalty, clip

    def f(self, x: Event) -> PerExample:
        """The critic's value of each example; only differences mean anything."""
        return self.critic(x).squeeze(1)

    def discriminator_loss(self, x: Event, *, generator: Rng = None) -> Float[Tensor, ""]:
        """Minus the critic's estimate of the distance plus the penalty, mean over the batch."""
        with torch.no_grad():
            if self.clip is not None:  # Arjovsky et al. 2017, algorithm 1, line 7
                for weights in self.critic.parameters():
                    weights.clamp_(-self.clip, self.clip)
            fake = self._fake(len(x), generator)
        loss = wgan_critic_loss(self.f(x), self.f(fake))
        if self.penalty > 0:
            u = drawn(torch.rand, len(x), device=x.device, generator=generator).to(x)
            loss = loss + self.penalty * gradient_penalty(self.f, x, fake, u)
        return loss.mean()

    def generator_loss(self, x: Event, *, generator: Rng = None) -> Float[Tensor, ""]:
        return wgan_generator_loss(self.f(self._fake(len(x), generator))).mean()

    def discriminator_parameters(self) -> Iterator[nn.Parameter]:
        return self.critic.parameters()


def power_iteration(
    w: Float[Tensor, " m n"], v: Float[Tensor, " n"]
) -> Iterator[tuple[Float[Tensor, ""], Float[Tensor, " n"]]]:
    r"""Approach the largest singular value of a matrix, one multiplication each way at a time.

    $$u = \frac{Wv}{\lVert Wv\rVert}, \qquad v \leftarrow \frac{W^\top u}{\lVert W^\top u\rVert},
    \qquad \hat\sigma = u^\top W v \le \sigma_1$$

    Each step shrinks the error of $v$ by $(\sigma_2/\sigma_1)^2$. Miyato et al. 2018
    (arXiv:1802.05957).
    """
    while True:
        u = nn.functional.normalize(w @ v, dim=0)
        v = nn.functional.normalize(w.T @ u, dim=0)
        yield u @ w @ v, v


class _DivideByNorm(nn.Module):
    """A weight divided by its largest singular value, refreshed by one step of power iteration."""

    v: Tensor

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        flat = weight.detach().flatten(1)
        self.register_buffer("v", torch.linalg.svd(flat, full_matrices=False).Vh[0].clone())

    def forward(self, weight: Tensor) -> Tensor:
        flat = weight.flatten(1)
        if self.training:
            _, v = next(power_iteration(flat.detach(), self.v))
            self.v = v
        u = nn.functional.normalize(flat.detach() @ self.v, dim=0)
        return weight / (u @ flat @ self.v)


def spectral_normalize(critic: nn.Module) -> nn.Module:
    r"""Divide each linear map of a network by its largest singular value, in place.

    $$\bar W = W / \sigma_1(W) \;\Rightarrow\; \lVert f\rVert_L \le
    \prod_\ell \lVert \bar W_\ell\rVert \cdot \lVert a_\ell\rVert_L \le 1$$

    for 1-Lipschitz activations, and for convolutions up to a constant. Miyato et al. 2018, eq. 7,
    8.
    """
    layers = [m for m in critic.modules() if isinstance(m, nn.Linear | nn.Conv2d)]
    if not layers:
        raise ValueError(f"{type(critic).__name__} has no Linear or Conv2d layer to normalise")
    for layer in layers:
        parametrize.register_parametrization(layer, "weight", _DivideByNorm(layer.weight))
    return critic


def slopes(f: Callable[[Tensor], PerExample], x: Float[Tensor, " b *event"]) -> PerExample:
    r"""Slope $\lVert\nabla f(x_i)\rVert$ at each point: the Lipschitz constant or less."""
    with torch.enable_grad():
        x = x.detach().requires_grad_(True)
        (gradient,) = torch.autograd.grad(f(x).sum(), x)
    return sum_event(gradient**2).sqrt()


def append_spread(
    h: Float[Tensor, " b c h w"], *, hold: bool = False
) -> Float[Tensor, " b c1 h w"]:
    r"""Append one channel that says how much the examples of a batch differ.

    $$s = \frac{1}{chw}\sum_{jyx} \sqrt{\tfrac1b\textstyle\sum_i (h_{ijyx} - \bar h_{jyx})^2}$$

    With `hold` no gradient goes through s. Karras et al. 2018 (arXiv:1710.10196), section 3.
    """
    require_rows(h=h)
    source = h.detach() if hold else h
    s = source.var(0, correction=0).clamp_min(1e-8).sqrt().mean()
    return torch.cat([h, s.expand(len(h), 1, *h.shape[2:])], 1)


class Duel(NamedTuple):
    """What the best discriminator knows about one generator, and which way it pushes."""

    p: Tensor  # density of the data on the cells
    q: Tensor  # density of the generator on the cells
    d: Tensor  # best discriminator's probability of "real" on the cells
    js: float  # nats
    saturating: float  # slope of the minimax loss in the generator's mean, discriminator held still
    non_saturating: float  # slope of the non-saturating loss, likewise


def gaussian_duel(mean: float, std: float, cells: Float[Tensor, " k"]) -> Duel:
    """N(0, 1) against the generator N(mean, std^2) and the best discriminator, summed on cells."""
    require_rows(cells=cells)
    log_p, log_q = (normal_log_prob(cells[:, None], m, s) for m, s in ((0.0, 1.0), (mean, std)))
    weights = log_q.exp() / log_q.exp().sum()
    shift = torch.zeros((), dtype=cells.dtype, requires_grad=True)
    moved = (cells + shift)[:, None]
    logits = optimal_logits(normal_log_prob(moved, 0.0, 1.0), normal_log_prob(moved, mean, std))
    slopes = [
        float(torch.autograd.grad(weights @ loss(logits), shift, retain_graph=True)[0])
        for loss in (minimax_generator_loss, non_saturating_generator_loss)
    ]
    js = float(jensen_shannon(log_p.exp() / log_p.exp().sum(), weights))
    return Duel(log_p.exp(), log_q.exp(), optimal_logits(log_p, log_q).sigmoid(), js, *slopes)


check_public(__name__)
