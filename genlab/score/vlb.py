r"""The bound in nats behind the noise-prediction loss: a diffusion chain is a deep latent model.

$$-\log p(x_0) \le \underbrace{\mathrm{KL}(q(x_T\mid x_0)\,\|\,p(x_T))}_{\text{prior}}
 + \sum_{t\ge1} \mathrm{KL}\big(q(x_{t-1}\mid x_t,x_0)\,\|\,p(x_{t-1}\mid x_t)\big)
 \underbrace{-\log p(x_0\mid x_1)}_{\text{last step}}$$

in expectation over the noise. The distribution that is bounded is that of the *ancestral chain*;
deterministic samplers on the same network define another one. For grey levels the last step can
be an integral over the bin of a level (`discretized.py`), and the bound is then one on log P.

Lesson: notebooks/12_diffusion_i.ipynb
Sources: Ho, Jain and Abbeel 2020 (arXiv:2006.11239), eq. 5, 8 and 12.
"""

import math
from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from genlab.core.guards import require_alike, require_index
from genlab.core.shapes import Event, PerExample, sum_event
from genlab.core.stats import kl_diag_normal

from .discretized import Bins, bin_log_prob
from .paths import add_noise
from .schedules import Table, alphas_bar_from_betas, posterior_variances

EpsModel = Callable[[Tensor, Tensor], Tensor]


def ddpm_vlb_term(
    eps_model: EpsModel,
    x0: Event,
    t: Int[Tensor, " b"],
    eps: Event,
    *,
    betas: Table,
    variances: Table,
) -> PerExample:
    r"""The term of one step, in nats.

    $$\frac{\beta_t^2}{2 v_t \alpha_t (1-\bar\alpha_t)}\lVert\epsilon-\epsilon_\theta\rVert^2 + c_t,
      \quad c_t = \tfrac D2\Big(\tfrac{\tilde\beta_t}{v_t} - 1
      - \log\tfrac{\tilde\beta_t}{v_t}\Big), \quad c_0 = \tfrac D2\log 2\pi v_0$$

    The noise-prediction loss is the same square without its weight and without the constant.

    Args:
        eps_model: $(x_t, t) \mapsto \hat\epsilon$.
        x0: data, `(b, *event)`.
        t: step index, `(b,)`, 0..T-1; index 0 is the last step of sampling.
        eps: standard normal noise, like `x0`.
        betas: `(T,)`.
        variances: $v$, `(T,)`, positive: the model's step variances.

    Returns:
        `(b,)`, nats; a divergence for t > 0, a negative log-density for t = 0.

    Example:
        >>> x, t = torch.zeros(1, 2), torch.tensor([1])
        >>> betas = torch.tensor([0.5, 0.5])
        >>> ddpm_vlb_term(lambda x, t: x, x, t, x, betas=betas, variances=betas)
        tensor([0.0721])

    Source: Ho, Jain and Abbeel 2020 (arXiv:2006.11239), eq. 12, with its constant written out.
    Lesson: notebooks/12_diffusion_i.ipynb
    """
    require_index(len(betas), t=t)
    alphas_bar, v = alphas_bar_from_betas(betas), variances
    a = alphas_bar[t]
    eps_hat = eps_model(add_noise(x0, a.sqrt(), (1 - a).sqrt(), eps), t)
    weight = betas**2 / (2 * v * (1 - betas) * (1 - alphas_bar))
    ratio = posterior_variances(betas) / v
    constant = 0.5 * (ratio - 1 - ratio.log())
    constant = torch.cat([0.5 * (2 * math.pi * v[:1]).log(), constant[1:]])
    require_alike(eps=eps, eps_hat=eps_hat)
    n_dims = math.prod(x0.shape[1:])
    return weight[t] * sum_event((eps - eps_hat) ** 2) + n_dims * constant[t]


def ddpm_vlb_terms(
    eps_model: EpsModel,
    x0: Event,
    eps: Float[Tensor, " n b *event"],
    *,
    betas: Table,
    variances: Table,
    bins: Bins | None = None,
) -> Float[Tensor, " terms b"]:
    r"""Every term of the bound, in the order of the steps, the prior's last.

    $$L_0,\ L_1,\ \dots,\ L_{T-1},\ \mathrm{KL}(q(x_T\mid x_0)\,\|\,\mathcal N(0, I))$$

    Args:
        eps_model: $(x_t, t) \mapsto \hat\epsilon$.
        x0: data, `(b, *event)`.
        eps: standard normal noise, one draw for each step, `(T, b, *event)`.
        betas: `(T,)`.
        variances: $v$, `(T,)`, positive.
        bins: for grey levels: $L_0 = -\log P(x_0\mid x_1)$ is then that of the level's bin. Without
            it, $L_0$ belongs to a density, and can be negative.

    Returns:
        `(T + 1, b)`, nats; everything but the first row is a divergence.

    Raises:
        ValueError: the draws are not as many as the steps, or a variance is not positive.

    Example:
        >>> betas = torch.tensor([0.5, 0.5])
        >>> ddpm_vlb_terms(lambda x, t: x, torch.zeros(1, 2), torch.zeros(2, 1, 2),
        ...                betas=betas, variances=betas).squeeze(1)
        tensor([1.1447, 0.0721, 0.0377])

    Source: Ho, Jain and Abbeel 2020 (arXiv:2006.11239), eq. 5.
    Lesson: notebooks/12_diffusion_i.ipynb
    """
    if len(eps) != len(betas):
        raise ValueError(f"expected one draw of eps for each of {len(betas)} steps, got {len(eps)}")
    if not bool((variances > 0).all()):
        raise ValueError(f"variances must be positive, smallest is {variances.min()}")
    rows = []
    for k, e in enumerate(eps):
        t = torch.full((len(x0),), k, device=x0.device)
        if k == 0 and bins is not None:
            rows.append(_last_step(eps_model, x0, e, betas[0], variances[0], bins))
        else:
            rows.append(ddpm_vlb_term(eps_model, x0, t, e, betas=betas, variances=variances))
    left = alphas_bar_from_betas(betas)[-1]
    rows.append(kl_diag_normal(left.sqrt() * x0, (1 - left).log().expand_as(x0)))
    return torch.stack(rows)


def ddpm_vlb(
    eps_model: EpsModel,
    x0: Event,
    eps: Float[Tensor, " n b *event"],
    *,
    betas: Table,
    variances: Table,
    bins: Bins | None = None,
) -> PerExample:
    r"""Bound on $\log p(x_0)$ of the ancestral chain: every step's term and the prior's.

    $$-\mathrm{KL}(q(x_T\mid x_0)\,\|\,\mathcal N(0, I)) - \sum_{t=0}^{T-1} L_t$$

    Its mean over `eps` never exceeds $\log p(x_0)$; T network passes. With `bins` it bounds the
    probability of the grey levels, $\log P(x_0)$.

    Args:
        eps_model: $(x_t, t) \mapsto \hat\epsilon$.
        x0: data, `(b, *event)`.
        eps: standard normal noise, one draw for each step, `(T, b, *event)`.
        betas: `(T,)`.
        variances: $v$, `(T,)`, positive.
        bins: the grey levels' bins, or None for a density.

    Returns:
        `(b,)`, nats.

    Raises:
        ValueError: the draws are not as many as the steps, or a variance is not positive.

    Example:
        >>> betas = torch.tensor([0.5, 0.5])
        >>> ddpm_vlb(lambda x, t: x, torch.zeros(1, 2), torch.zeros(2, 1, 2),
        ...          betas=betas, variances=betas)
        tensor([-1.2545])

    Source: Ho, Jain and Abbeel 2020 (arXiv:2006.11239), eq. 5.
    Lesson: notebooks/12_diffusion_i.ipynb
    """
    terms = ddpm_vlb_terms(eps_model, x0, eps, betas=betas, variances=variances, bins=bins)
    return -terms.sum(0)


def _last_step(
    eps_model: EpsModel, x0: Event, eps: Event, beta: Tensor, variance: Tensor, bins: Bins
) -> PerExample:
    """Make x_1, take the model's last step from it, and integrate that over the level's bin."""
    x_1 = add_noise(x0, (1 - beta).sqrt(), beta.sqrt(), eps)
    eps_hat = eps_model(x_1, torch.zeros(len(x0), dtype=torch.long, device=x0.device))
    mean = (x_1 - beta.sqrt() * eps_hat) / (1 - beta).sqrt()
    return -bin_log_prob(x0, mean, variance.sqrt(), bins)
