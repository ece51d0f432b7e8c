r"""Guidance: push every step towards the condition, harder than the data would.

$$\hat\epsilon = \epsilon_u + w\,(\epsilon_c - \epsilon_u)$$

$w = 0$ ignores the condition, $w = 1$ obeys it, $w > 1$ exaggerates. At each noise level the blend
is the score of $p_t(x)^{1-w}\,p_t(x\mid c)^w$; but these do *not* belong to the noising of one law,
so the sampler does not arrive at $p(x)^{1-w}\,p(x\mid c)^w$: see `guided_laws`.

Lesson: notebooks/13_diffusion_ii.ipynb
Sources: Dhariwal and Nichol 2021 (arXiv:2105.05233), algorithm 2; Ho and Salimans 2022
(arXiv:2207.12598), eq. 6, whose w is ours minus 1; Bradley and Nakkiran 2024 (arXiv:2408.09000).
"""

import math
from collections.abc import Callable
from typing import Protocol, TypeAlias, runtime_checkable

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from genlab.core.stats import integrate
from genlab.core.tensors import Event, expand, require_between, require_rows
from genlab.oracles.continuous import Gaussian
from genlab.score.diffusion import EpsModel

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


@runtime_checkable
class HasLogDensity(Protocol):
    """A law with a density."""

    def log_prob(self, x: Tensor) -> Tensor:
        """Log-density of `(b, d)`, `(b,)`."""


def tilted_density(
    law: HasLogDensity,
    of_class: HasLogDensity,
    x: Float[Tensor, " n"],
    *,
    guidance_scale: float,
) -> Float[Tensor, " n"]:
    r"""The sharpened law on a grid of the line, normalised by quadrature.

    $$\frac{p(x)^{1-w}\,p(x\mid c)^w}{\int p^{1-w}\,p(\cdot\mid c)^w}$$

    Args:
        law: p.
        of_class: $p(\cdot\mid c)$.
        x: a rising grid that holds all of the result's mass.
        guidance_scale: w.

    Returns:
        Density at the grid points, `(n,)`.

    Raises:
        ValueError: the density is still large at an end of the grid.

    Example:
        >>> x = torch.linspace(-5, 7, 1201)
        >>> normal = lambda m, v: Gaussian(torch.tensor([m]), torch.tensor([[v]]))
        >>> p = tilted_density(normal(0.0, 1.0), normal(1.0, 0.25), x, guidance_scale=3.0)
        >>> round(float(integrate(x * p, x)), 4)
        1.2

    Source: the definition.
    Lesson: notebooks/13_diffusion_ii.ipynb
    """
    log_p, log_c = law.log_prob(x[:, None]), of_class.log_prob(x[:, None])
    tilt = log_p + guidance_scale * (log_c - log_p)
    density = (tilt - tilt.max()).exp()
    if max(float(density[0]), float(density[-1])) > 1e-3:
        raise ValueError(f"the grid {float(x[0])} to {float(x[-1])} cuts off part of the law")
    return density / integrate(density, x)


def tilted_gaussian(mean: float, variance: float, *, guidance_scale: float) -> Gaussian:
    r"""What guidance is often said to sample: $p(x)^{1-w}\,p(x\mid c)^w$, normalised.

    $$p = \mathcal N(0, 1),\ p(\cdot\mid c) = \mathcal N(m, v)\ \Rightarrow\
      \mathcal N\Big(\frac{w m}{w + (1-w) v},\ \frac{v}{w + (1-w) v}\Big)$$

    Args:
        mean: m of the class.
        variance: v of the class, in (0, 1].
        guidance_scale: w, at least 0.

    Returns:
        A normal law on the line.

    Raises:
        ValueError: a variance outside (0, 1], or a negative scale.

    Example:
        >>> law = tilted_gaussian(1.0, 0.25, guidance_scale=3.0)
        >>> law.mean, law.cov
        (tensor([1.2000]), tensor([[0.1000]]))

    Source: the product of normal densities, completed to a square.
    Lesson: notebooks/13_diffusion_ii.ipynb
    """
    _require_class(variance, guidance_scale)
    precision = guidance_scale / variance + 1 - guidance_scale
    centre = guidance_scale * mean / variance / precision
    return Gaussian(torch.tensor([centre]), torch.tensor([[1 / precision]]))


def guided_gaussian(
    mean: float, variance: float, *, guidance_scale: float, n_nodes: int = 2001
) -> Gaussian:
    r"""What noiseless guided sampling really arrives at, in the same setting, with fine steps.

    $$p = \mathcal N(0, 1),\ p(\cdot\mid c) = \mathcal N(m, v)\ \Rightarrow\
      \mathcal N\Big(w m\int_0^1 \big(v + (1-v)u^2\big)^{(w-1)/2} du,\ v^w\Big)$$

    Args:
        mean: m of the class.
        variance: v of the class, in (0, 1].
        guidance_scale: w, at least 0.
        n_nodes: of the quadrature of the integral.

    Returns:
        A normal law on the line.

    Raises:
        ValueError: a variance outside (0, 1], or a negative scale.

    Example:
        >>> law = guided_gaussian(1.0, 0.25, guidance_scale=3.0)
        >>> law.mean, law.cov
        (tensor([1.5000]), tensor([[0.0156]]))

    Source: derived in the lesson; the case of two normals is in Bradley and Nakkiran 2024
        (arXiv:2408.09000), section 3.
    Lesson: notebooks/13_diffusion_ii.ipynb
    """
    _require_class(variance, guidance_scale)
    require_between(2, math.inf, n_nodes=n_nodes)
    w, v = guidance_scale, variance
    u = torch.linspace(0, 1, n_nodes, dtype=torch.float64)
    share = float(integrate((v + (1 - v) * u**2) ** ((w - 1) / 2), u))
    return Gaussian(torch.tensor([w * mean * share]), torch.tensor([[v**w]]))


def _require_class(variance: float, guidance_scale: float) -> None:
    if not 0 < variance <= 1:
        raise ValueError(f"variance must lie in (0, 1], got {variance}")
    if not guidance_scale >= 0:
        raise ValueError(f"guidance_scale must be at least 0, got {guidance_scale}")


def dynamic_threshold(guess: Event, *, p: float = 0.995) -> Event:
    r"""Scale each guess by a high quantile of its absolute values, where that exceeds 1.

    $$\hat x \leftarrow \frac{\mathrm{clip}(\hat x, -s, s)}{s}, \qquad
      s = \max\big(1, \mathrm{quantile}_p |\hat x|\big)$$

    Args:
        guess: of the data, which lie in [-1, 1], `(b, *event)`.
        p: share of the values that must fit, in (0, 1]; 1 only rescales.

    Returns:
        Like `guess`, in [-1, 1]; a guess that fits already is returned as it is, up to the share
        of its values above the quantile, which are cut off at 1.

    Raises:
        ValueError: `p` outside (0, 1].

    Example:
        >>> dynamic_threshold(torch.tensor([[0.5, -4.0], [0.5, -0.2]]), p=1.0)
        tensor([[ 0.1250, -1.0000],
                [ 0.5000, -0.2000]])

    Source: Saharia et al. 2022 (arXiv:2205.11487), section 2.3, "dynamic thresholding".
    Lesson: notebooks/systems/glide.ipynb
    """
    if not 0 < p <= 1:
        raise ValueError(f"p must lie in (0, 1], got {p}")
    require_rows(guess=guess)
    size = guess.flatten(1).abs()
    s = expand(torch.quantile(size, p, dim=1).clamp(min=1), guess)
    return torch.maximum(torch.minimum(guess, s), -s) / s
