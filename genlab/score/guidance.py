r"""Guidance: push every step towards the condition, harder than the data would.

$$\hat\epsilon = \epsilon_u + w\,(\epsilon_c - \epsilon_u)$$

$w = 0$ ignores the condition, $w = 1$ obeys it, $w > 1$ exaggerates. At each noise level the blend
is the score of $p_t(x)^{1-w}\,p_t(x\mid c)^w$; but these do *not* belong to the noising of one law,
so the sampler does not arrive at $p(x)^{1-w}\,p(x\mid c)^w$: see `guided_laws`.

Lesson: notebooks/13_diffusion_ii.ipynb
Sources: Dhariwal and Nichol 2021 (arXiv:2105.05233), algorithm 2; Ho and Salimans 2022
(arXiv:2207.12598), eq. 6, whose w is ours minus 1; Bradley and Nakkiran 2024 (arXiv:2408.09000).
"""

from collections.abc import Callable
from typing import TypeAlias

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from genlab.core.shapes import Event, expand

from .vlb import EpsModel

ConditionalEpsModel: TypeAlias = Callable[[Tensor, Tensor, Tensor], Tensor]


def cfg_eps(eps_u: Event, eps_c: Event, *, guidance_scale: float) -> Event:
    r"""Classifier-free guidance: continue the line from the unconditional to the conditional noise.

    $$\hat\epsilon = \epsilon_u + w\,(\epsilon_c - \epsilon_u)$$

    Args:
        eps_u: prediction without the condition, `(b, *event)`.
        eps_c: prediction with it, like `eps_u`.
        guidance_scale: w; 0 unconditional, 1 conditional, above 1 guided.

    Returns:
        Like `eps_u`.

    Example:
        >>> cfg_eps(torch.tensor([[0.6]]), torch.tensor([[1.0]]), guidance_scale=5.0)
        tensor([[2.6000]])

    Source: Ho and Salimans 2022 (arXiv:2207.12598), eq. 6, which writes (1 + w) for our w.
    Lesson: notebooks/13_diffusion_ii.ipynb
    """
    return eps_u + guidance_scale * (eps_c - eps_u)


def classifier_guided_eps(
    eps: Event, slope: Event, sigma: Float[Tensor, " *b"], *, guidance_scale: float
) -> Event:
    r"""Classifier guidance: an unconditional predictor and the slope of a classifier of noisy data.

    $$\hat\epsilon = \epsilon_u - w\,\sigma_t\,\nabla_{x_t}\log p(c\mid x_t)$$

    By Bayes' rule, an exact classifier makes this equal to `cfg_eps` with the same w.

    Args:
        eps: prediction without the condition, `(b, *event)`.
        slope: $\nabla_{x_t}\log p(c\mid x_t)$, like `eps`.
        sigma: noise scale $\sqrt{1-\bar\alpha_t}$, `(b,)` or a single number.
        guidance_scale: w.

    Returns:
        Like `eps`.

    Example:
        >>> one = torch.ones(1, 1)
        >>> classifier_guided_eps(one, one, torch.tensor(0.5), guidance_scale=4.0)
        tensor([[-1.]])

    Source: Dhariwal and Nichol 2021 (arXiv:2105.05233), eq. 14.
    Lesson: notebooks/13_diffusion_ii.ipynb
    """
    return eps - guidance_scale * expand(sigma, eps) * slope


def drop_condition(
    cond: Int[Tensor, " b"], u: Float[Tensor, " b"], *, p_drop: float, null: int
) -> Int[Tensor, " b"]:
    r"""Training's side of guidance: hide the label in some rows, so one network learns both.

    $$c_i \leftarrow \varnothing \quad\text{where}\quad u_i < p_{\text{drop}}$$

    Args:
        cond: labels, `(b,)`; not changed.
        u: uniform draws in [0, 1), one a row.
        p_drop: share of rows without a label.
        null: the label that stands for "no class".

    Returns:
        Like `cond`.

    Raises:
        ValueError: `p_drop` outside [0, 1].

    Example:
        >>> drop_condition(torch.tensor([3, 7]), torch.tensor([0.05, 0.5]), p_drop=0.1, null=10)
        tensor([10,  7])

    Source: Ho and Salimans 2022 (arXiv:2207.12598), algorithm 1, line 3.
    Lesson: notebooks/13_diffusion_ii.ipynb
    """
    if not 0 <= p_drop <= 1:
        raise ValueError(f"p_drop must lie in [0, 1], got {p_drop}")
    return torch.where(u < p_drop, null, cond)


def guided_eps_model(
    eps_model: ConditionalEpsModel,
    cond: Int[Tensor, " b"],
    *,
    null: int,
    guidance_scale: float,
    interval: tuple[float, float] | None = None,
) -> EpsModel:
    r"""Make of a conditional network a noise predictor that any sampler of the course can drive.

    Two passes a step, one where w is 0 or 1 or where the step lies outside the interval: there the
    prediction is the plain conditional one.

    Args:
        eps_model: $(x_t, t, c) \mapsto \hat\epsilon$.
        cond: the label of each row, `(b,)`.
        null: the label that stands for "no class".
        guidance_scale: w.
        interval: smallest and largest step index that is guided, both included; None for all.

    Returns:
        $(x_t, t) \mapsto \hat\epsilon$ for batches of as many rows as `cond`.

    Raises:
        ValueError: an interval that does not rise.

    Example:
        >>> net = lambda x, t, c: x + c[:, None]
        >>> guided = guided_eps_model(net, torch.tensor([3]), null=10, guidance_scale=2.0)
        >>> guided(torch.zeros(1, 1), torch.tensor([5]))
        tensor([[-4.]])

    Source: Ho and Salimans 2022 (arXiv:2207.12598), algorithm 2; interval: Kynkaanniemi et al.
        2024 (arXiv:2404.07724), eq. 5.
    Lesson: notebooks/13_diffusion_ii.ipynb
    """
    if interval is not None and interval[0] > interval[1]:
        raise ValueError(f"interval must rise, got {interval}")

    def guided(x_t: Event, t: Shaped[Tensor, " b"]) -> Event:
        inside = interval is None or interval[0] <= float(t[0]) <= interval[1]
        if guidance_scale == 1 or not inside:
            return eps_model(x_t, t, cond)
        eps_u = eps_model(x_t, t, torch.full_like(cond, null))
        if guidance_scale == 0:
            return eps_u
        return cfg_eps(eps_u, eps_model(x_t, t, cond), guidance_scale=guidance_scale)

    return guided


def rescale_guided(eps: Event, eps_c: Event, *, phi: float) -> Event:
    r"""Give a guided prediction back the spread that the conditional one had.

    $$\hat\epsilon \leftarrow \phi\,\frac{\mathrm{std}(\epsilon_c)}{\mathrm{std}(\hat\epsilon)}\,
      \hat\epsilon + (1-\phi)\,\hat\epsilon$$

    Args:
        eps: guided prediction, `(b, *event)`.
        eps_c: conditional prediction, like `eps`.
        phi: 0 leaves `eps` alone, 1 restores each example's standard deviation in full.

    Returns:
        Like `eps`.

    Raises:
        ValueError: `phi` outside [0, 1].

    Example:
        >>> rescale_guided(torch.tensor([[-4.0, 4.0]]), torch.tensor([[-1.0, 1.0]]), phi=1.0)
        tensor([[-1.,  1.]])

    Source: Lin et al. 2023 (arXiv:2305.08891), eq. 15 and 16.
    Lesson: notebooks/13_diffusion_ii.ipynb
    """
    if not 0 <= phi <= 1:
        raise ValueError(f"phi must lie in [0, 1], got {phi}")
    ratio = eps_c.flatten(1).std(1) / eps.flatten(1).std(1)
    return expand(phi * ratio + (1 - phi), eps) * eps
