r"""Denoising diffusion: learn to predict the noise, then remove it a little at a time.

$$x_{t} = \sqrt{\bar\alpha_t}\,x_0 + \sqrt{1-\bar\alpha_t}\,\epsilon, \qquad
\min_\theta\ \mathbb E\,\lVert\epsilon - \epsilon_\theta(x_t, t)\rVert^2$$

In this file $\alpha_t = 1-\beta_t$ as in the paper; elsewhere `alpha` is the signal scale
$\sqrt{\bar\alpha_t}$.

Lesson: notebooks/12_diffusion_i.ipynb
Sources: Ho, Jain and Abbeel 2020 (arXiv:2006.11239), algorithms 1 and 2.
"""

from collections.abc import Iterator
from typing import final

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor, nn

from genlab.core.guards import require_alike, require_index
from genlab.core.iterate import last
from genlab.core.rng import randn
from genlab.core.shapes import Event, PerExample, mean_event

from .discretized import Bins
from .paths import add_noise
from .schedules import Table, alphas_bar_from_betas
from .vlb import EpsModel, ddpm_vlb


def ddpm_loss(
    eps_model: EpsModel, x0: Event, t: Int[Tensor, " b"], eps: Event, *, alphas_bar: Table
) -> PerExample:
    r"""Noise-prediction loss, one value per example.

    $$\ell = \tfrac1D \lVert \epsilon -
      \epsilon_\theta(\sqrt{\bar\alpha_t}\,x_0 + \sqrt{1-\bar\alpha_t}\,\epsilon,\; t)\rVert^2$$

    Minimised, in expectation, by $\epsilon_\theta = -\sqrt{1-\bar\alpha_t}\,\nabla\log p_t(x_t)$,
    where it is positive: for standard normal data its floor is $\bar\alpha_t$.

    Args:
        eps_model: $(x_t, t) \mapsto \hat\epsilon$.
        x0: data, `(b, *event)`, scaled to about unit variance.
        t: step index, `(b,)`, integers in 0..T-1.
        eps: standard normal noise, like `x0`.
        alphas_bar: $\bar\alpha$, `(T,)`, decreasing in (0, 1).

    Returns:
        `(b,)`, mean over the D event dimensions, **not** nats: see `ddpm_vlb` for those.

    Raises:
        ValueError: t outside 0..T-1.

    Example:
        >>> x0, eps, t = torch.zeros(4, 2), torch.ones(4, 2), torch.arange(4)
        >>> ddpm_loss(lambda x, t: 0 * x, x0, t, eps, alphas_bar=torch.full((4,), 0.5))
        tensor([1., 1., 1., 1.])

    Source: Ho, Jain and Abbeel 2020 (arXiv:2006.11239), eq. 14, divided by D.
    Lesson: notebooks/12_diffusion_i.ipynb
    """
    require_index(len(alphas_bar), t=t)
    a = alphas_bar[t]
    x_t = add_noise(x0, a.sqrt(), (1 - a).sqrt(), eps)
    eps_hat = eps_model(x_t, t)
    require_alike(eps=eps, eps_hat=eps_hat)
    return mean_event((eps - eps_hat) ** 2)


def ddpm_step(
    x_t: Event,
    eps_hat: Event,
    z: Event,
    *,
    beta: Float[Tensor, ""],
    alpha_bar: Float[Tensor, ""],
    variance: Float[Tensor, ""],
) -> Event:
    r"""One ancestral step, from level t to t - 1.

    $$x_{t-1} = \frac1{\sqrt{1-\beta_t}}\Big(x_t
      - \frac{\beta_t}{\sqrt{1-\bar\alpha_t}}\,\hat\epsilon\Big) + \sqrt{v_t}\, z$$

    With the exact noise prediction its mean is exactly $\mathbb E[x_{t-1}\mid x_t]$; that the step
    is Gaussian around it is the approximation, good when $\beta_t$ is small.

    Args:
        x_t: state, `(b, *event)`.
        eps_hat: predicted noise, like `x_t`.
        z: fresh standard normal noise, like `x_t`; zeros at the last step.
        beta: $\beta_t$.
        alpha_bar: $\bar\alpha_t$.
        variance: $v_t$: either $\beta_t$ or $\tilde\beta_t$ of `posterior_variances`.

    Returns:
        Like `x_t`.

    Example:
        >>> x, beta = torch.tensor([[1.0]]), torch.tensor(0.19)
        >>> ddpm_step(x, 0 * x, 0 * x, beta=beta, alpha_bar=torch.tensor(0.5), variance=beta)
        tensor([[1.1111]])

    Source: Ho, Jain and Abbeel 2020 (arXiv:2006.11239), algorithm 2, line 4.
    Lesson: notebooks/12_diffusion_i.ipynb
    """
    mean = (x_t - beta / (1 - alpha_bar).sqrt() * eps_hat) / (1 - beta).sqrt()
    return mean + variance.sqrt() * z


def ddpm_sample(
    eps_model: EpsModel,
    x_T: Event,
    *,
    betas: Table,
    variances: Table,
    generator: Generator | None = None,
) -> Iterator[Event]:
    r"""Ancestral sampler: yield the state after each of T steps; no noise at the last one.

    Args:
        eps_model: $(x_t, t) \mapsto \hat\epsilon$ with `t` of shape `(b,)`.
        x_T: standard normal noise, `(b, *event)`.
        betas: `(T,)`.
        variances: `(T,)`: `betas`, or `posterior_variances(betas)`.
        generator: source of the fresh noise.

    Yields:
        States like `x_T`, one network pass each.

    Example:
        >>> betas = torch.tensor([0.1, 0.2])
        >>> steps = ddpm_sample(lambda x, t: x, torch.ones(3, 2), betas=betas, variances=betas)
        >>> len(list(steps))
        2

    Source: Ho, Jain and Abbeel 2020 (arXiv:2006.11239), algorithm 2.
    Lesson: notebooks/12_diffusion_i.ipynb
    """
    require_alike(betas=betas, variances=variances)
    x, alphas_bar = x_T, alphas_bar_from_betas(betas)
    for t in range(len(betas) - 1, -1, -1):
        with torch.no_grad():
            eps_hat = eps_model(x, torch.full((len(x),), t, device=x.device))
            z = randn(x.shape, like=x, generator=generator) if t > 0 else torch.zeros_like(x)
            x = ddpm_step(
                x, eps_hat, z, beta=betas[t], alpha_bar=alphas_bar[t], variance=variances[t]
            )
        yield x


@final
class DDPM(nn.Module):
    r"""A noise predictor with its schedule: samples by the ancestral chain, bounds its likelihood.

    The step variances are $\beta_t$ unless said otherwise, the right choice for smooth data
    ($\tilde\beta_t$ is right for a single point). The bound includes the noise of the last step,
    which the sampler, as usual, leaves out.

    Args:
        eps_net: $(x_t, t) \mapsto \hat\epsilon$, or $(x_t, t, c) \mapsto \hat\epsilon$.
        betas: `(T,)`.
        event_shape: shape of one example.
        conditional: whether the network reads a condition; then `cond` may be given everywhere,
            one for each example, and without it the network is called with two arguments.
        variances: of the steps back, `(T,)`, positive; `betas` when None.
        bins: when the data are grey levels on a line; the bound is then one on their probability.
    """

    betas: Tensor
    alphas_bar: Tensor
    variances: Tensor

    def __init__(
        self,
        eps_net: nn.Module,
        betas: Table,
        *,
        event_shape: tuple[int, ...],
        conditional: bool = False,
        variances: Table | None = None,
        bins: Bins | None = None,
    ) -> None:
        super().__init__()
        self.eps_net, self.event_shape = eps_net, event_shape
        self.conditional, self.bins = conditional, bins
        self.register_buffer("betas", betas)
        self.register_buffer("alphas_bar", alphas_bar_from_betas(betas))
        self.register_buffer("variances", betas.clone() if variances is None else variances)

    def eps_model(self, cond: Tensor | None = None) -> EpsModel:
        """Noise predictor of two arguments, with the condition of each example built in."""
        if cond is None:
            return self.eps_net
        if not self.conditional:
            raise ValueError("this DDPM is unconditional: cond must be None")
        return lambda x_t, t: self.eps_net(x_t, t, cond)

    def loss(
        self, x: Event, *, cond: Tensor | None = None, generator: Generator | None = None
    ) -> Float[Tensor, ""]:
        """Noise-prediction loss at random steps, mean over the batch; not nats."""
        device = generator.device if generator else x.device
        t = torch.randint(len(self.betas), (len(x),), generator=generator, device=device)
        eps = randn(x.shape, like=x, generator=generator)
        model = self.eps_model(cond)
        return ddpm_loss(model, x, t.to(x.device), eps, alphas_bar=self.alphas_bar).mean()

    def elbo(
        self, x: Event, *, cond: Tensor | None = None, generator: Generator | None = None
    ) -> PerExample:
        """Bound on log p(x), or log p(x | cond), of the ancestral chain in nats; T passes."""
        eps = randn((len(self.betas), *x.shape), like=x, generator=generator)
        return ddpm_vlb(
            self.eps_model(cond), x, eps, betas=self.betas, variances=self.variances, bins=self.bins
        )

    @torch.no_grad()
    def sample(
        self, n: int, *, cond: Tensor | None = None, generator: Generator | None = None
    ) -> Event:
        """Draw `n` examples by the ancestral chain: T network passes."""
        if cond is not None and len(cond) != n:
            raise ValueError(f"expected one condition for each of {n} examples, got {len(cond)}")
        x_T = randn((n, *self.event_shape), like=self.betas, generator=generator)
        return last(
            ddpm_sample(self.eps_model(cond), x_T, betas=self.betas, variances=self.variances,
                        generator=generator)
        )  # fmt: skip
