r"""Noise-conditional score network: one network that knows the score at every noise level.

$$\min_\theta\ \frac1L\sum_{i=1}^L \lambda(\sigma_i)\; \mathbb E\,\tfrac12
\Big\lVert s_\theta(x_0+\sigma_i\epsilon,\ \sigma_i) + \frac{\epsilon}{\sigma_i}\Big\rVert^2$$

With $\lambda = \sigma^2$ every level asks for its noise with the same voice. The top of the ladder
is then heard too little: almost all of a very noisy input *is* noise, and what the data add to
the answer is a small remainder. The factor $1 + \sigma^2/s_d^2$ gives it its size back.

Lesson: notebooks/11_score_matching.ipynb
Sources: Song and Ermon 2019 (arXiv:1907.05600), eq. 5 and 6 and algorithm 1.
"""

import math
from typing import final

import torch
from jaxtyping import Float
from torch import Generator, Tensor, nn

from genlab.core.guards import require_positive
from genlab.core.iterate import last
from genlab.core.rng import randn
from genlab.core.shapes import Event, PerExample, expand
from genlab.nn.embedding import time_embedding

from .annealed_langevin import LevelScore, annealed_langevin
from .matching import dsm_loss


def ncsn_loss(
    score: LevelScore,
    x0: Event,
    eps: Event,
    *,
    sigma: Float[Tensor, " b"],
    data_std: float = math.inf,
) -> PerExample:
    r"""Denoising score matching at the row's own level, weighted.

    $$\ell = \lambda(\sigma)\cdot\tfrac12\lVert s(x_0+\sigma\epsilon, \sigma)
      + \epsilon/\sigma\rVert^2, \qquad \lambda = \sigma^2\,(1 + \sigma^2/s_d^2)$$

    With $s_d = \infty$ it is noise prediction, $\tfrac12\lVert\sigma s + \epsilon\rVert^2$, and the
    floor for $\mathcal N(0, s^2 I)$ data is $D s^2/2(s^2+\sigma^2)$: nothing at the top. With
    $s_d = s$ the floor is D/2 at every level.

    Args:
        score: $(x, \sigma) \mapsto s$, `sigma` of shape `(b,)`.
        x0: clean examples, `(b, *event)`.
        eps: standard normal noise, like `x0`.
        sigma: noise levels, `(b,)`, positive.
        data_std: $s_d$, root mean square of a number of the data; infinity for the classic weight.

    Returns:
        `(b,)`, summed over the event; no unit.

    Raises:
        ValueError: a noise level is not positive.

    Example:
        >>> x, sigma = torch.zeros(2, 1), torch.tensor([0.1, 10.0])
        >>> ncsn_loss(lambda x, s: 0 * x, x, torch.ones(2, 1), sigma=sigma)
        tensor([0.5000, 0.5000])

    Source: Song and Ermon 2019 (arXiv:1907.05600), eq. 5 and 6, with lambda = sigma^2; the other
        weight is that of Karras et al. 2022 (arXiv:2206.00364), table 1, for a score.
    Lesson: notebooks/11_score_matching.ipynb
    """
    require_positive(data_std=data_std)
    weight = sigma**2 * (1 + sigma**2 / data_std**2)
    return weight * dsm_loss(lambda x_t: score(x_t, sigma), x0, eps, sigma=sigma)


@final
class LevelMLP(nn.Module):
    r"""A residual perceptron that is told the noise level.

    $$h_{k+1} = h_k + W_k\,\phi\big(V_k\,\phi(h_k) + U_k\, e(\log\sigma)\big)$$

    Args:
        d: numbers in an example.
        width: units of each block.
        depth: residual blocks.
        d_emb: features of the level.

    Raises:
        ValueError: an event that does not hold d numbers.

    Example:
        >>> LevelMLP(4, width=8, depth=1)(torch.zeros(3, 1, 2, 2), torch.ones(3)).shape
        torch.Size([3, 1, 2, 2])
    """

    def __init__(self, d: int, *, width: int = 128, depth: int = 3, d_emb: int = 32) -> None:
        super().__init__()
        self.d, self.d_emb, self.act = d, d_emb, nn.SiLU()
        self.inp, self.out = nn.Linear(d, width), nn.Linear(width, d)
        self.reads = nn.ModuleList(nn.Linear(width, width) for _ in range(depth))
        self.hears = nn.ModuleList(nn.Linear(d_emb, width) for _ in range(depth))
        self.writes = nn.ModuleList(nn.Linear(width, width) for _ in range(depth))

    def forward(self, x: Event, sigma: Float[Tensor, " b"]) -> Event:
        """Map scaled noisy examples at their levels to events of the same shape."""
        flat = x.flatten(1)
        if flat.shape[1] != self.d:
            raise ValueError(f"an event holds {flat.shape[1]} numbers, expected {self.d}")
        level = time_embedding(sigma.log(), self.d_emb, max_period=100.0, scale=4.0)
        h = self.inp(flat)
        for read, hear, write in zip(self.reads, self.hears, self.writes, strict=True):
            h = h + write(self.act(read(self.act(h)) + hear(level)))
        out: Tensor = self.out(h)
        return out.reshape(x.shape)


@final
class NCSN(nn.Module):
    r"""A score at every level of a ladder, sampled by annealed Langevin. No likelihood.

    $$s_\theta(x, \sigma) = -\frac{x}{v} + \frac{s_d}{\sigma\sqrt v}\,
      f_\theta\big(x/\sqrt v,\, \sigma\big), \qquad v = \sigma^2 + s_d^2$$

    The first part is the exact score if the data were $\mathcal N(0, s_d^2 I)$; the network learns
    only the rest, with inputs and outputs of size 1 at every level. Left to itself, it would have
    to copy its input to one part in $\sigma$ at the top of the ladder.

    Args:
        net: $f_\theta$, $(x, \sigma) \mapsto$ like $x$.
        sigmas: the ladder, `(l,)`, falling.
        event_shape: shape of one example.
        data_std: $s_d$, root mean square of a number of the data.
        rate: r of the sampler, step size over $\sigma_i^2$.
        n_steps: Langevin steps at each level.

    Source: Song and Ermon 2019 (arXiv:1907.05600), algorithm 1; instead of their $f_\theta/\sigma$
        the parts of Karras et al. 2022 (arXiv:2206.00364), table 1, written as a score.
    Lesson: notebooks/11_score_matching.ipynb
    """

    sigmas: Tensor

    def __init__(
        self,
        net: nn.Module,
        sigmas: Float[Tensor, " l"],
        *,
        event_shape: tuple[int, ...],
        data_std: float = 1.0,
        rate: float = 0.1,
        n_steps: int = 10,
    ) -> None:
        super().__init__()
        self.net, self.event_shape, self.rate, self.n_steps = net, event_shape, rate, n_steps
        self.data_std = data_std
        self.register_buffer("sigmas", sigmas)

    def score(self, x: Event, t: Float[Tensor, " b"]) -> Event:
        r"""Slope of the log-density of the data noised at level `t` $= \sigma$, like `x`."""
        sigma = expand(t, x)
        v = sigma**2 + self.data_std**2
        rest: Tensor = self.net(x / v.sqrt(), t)
        return self.data_std / (sigma * v.sqrt()) * rest - x / v

    def loss(
        self, x: Event, *, cond: Tensor | None = None, generator: Generator | None = None
    ) -> Float[Tensor, ""]:
        """Weighted denoising loss at random rungs, mean over the batch; not nats."""
        _refuse(cond)
        device = generator.device if generator else x.device
        rung = torch.randint(len(self.sigmas), (len(x),), generator=generator, device=device)
        eps = randn(x.shape, like=x, generator=generator)
        sigma = self.sigmas[rung.to(x.device)]
        return ncsn_loss(self.score, x, eps, sigma=sigma, data_std=self.data_std).mean()

    @torch.no_grad()
    def sample(
        self, n: int, *, cond: Tensor | None = None, generator: Generator | None = None
    ) -> Event:
        """Draw `n` examples: one network pass for each step at each level, and one to denoise."""
        _refuse(cond)
        noise = randn((n, *self.event_shape), like=self.sigmas, generator=generator)
        run = annealed_langevin(
            self.score, self.sigmas[0] * noise, self.sigmas, rate=self.rate,
            n_steps=self.n_steps, denoise=True, generator=generator,
        )  # fmt: skip
        return last(run)


def _refuse(cond: Tensor | None) -> None:
    if cond is not None:
        raise ValueError("this network is unconditional: cond must be None")
