r"""A denoiser around a raw network that never sees a number far from 1.

$$D(x,\sigma) = c_{\text{skip}}\,x + c_{\text{out}}\,F(c_{\text{in}}\,x,\ c_{\text{noise}}),
\qquad x = x_0 + \sigma\epsilon$$

The levels of a diffusion span four decades; networks train best on inputs and targets of unit
variance. The four scales see to both, and of all ways to do so they amplify the network's errors
least. A network trained with a variance-preserving schedule can be read in the same terms.

Lesson: notebooks/13_diffusion_ii.ipynb
Source: Karras, Aittala, Aila and Laine 2022 (arXiv:2206.00364), eq. 7, 8, table 1, appendix B.6.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from genlab.core.guards import require_alike, require_positive
from genlab.core.shapes import Event, PerExample, expand, mean_event

from .edm import Denoiser
from .paths import add_noise
from .schedules import Table
from .vlb import EpsModel


class Preconditioning(NamedTuple):
    """How the raw network is scaled at each level; all like `sigma`."""

    c_skip: Tensor  # of the noisy input in the guess
    c_out: Tensor  # of the network's output
    c_in: Tensor  # of the network's input
    c_noise: Tensor  # what the network is told about the level


def edm_precondition(sigma: Float[Tensor, " *b"], *, sigma_data: float) -> Preconditioning:
    r"""Scales that keep the raw network's input and target at unit variance for every level.

    $$c_{\text{skip}} = \frac{\sigma_d^2}{\sigma^2+\sigma_d^2},\quad
      c_{\text{out}} = \frac{\sigma\,\sigma_d}{\sqrt{\sigma^2+\sigma_d^2}},\quad
      c_{\text{in}} = \frac1{\sqrt{\sigma^2+\sigma_d^2}},\quad
      c_{\text{noise}} = \tfrac14\log\sigma$$

    Of all skips this one amplifies the network's errors least.

    Args:
        sigma: noise levels, positive.
        sigma_data: $\sigma_d$, standard deviation of the data.

    Returns:
        The four scales.

    Example:
        >>> [round(float(c), 4) for c in edm_precondition(torch.tensor(0.5), sigma_data=0.5)]
        [0.5, 0.3536, 1.4142, -0.1733]

    Source: Karras et al. 2022 (arXiv:2206.00364), table 1, derived in appendix B.6.
    Lesson: notebooks/13_diffusion_ii.ipynb
    """
    require_positive(sigma=sigma, sigma_data=sigma_data)
    total = sigma**2 + sigma_data**2
    c_skip, c_out = sigma_data**2 / total, sigma * sigma_data / total.sqrt()
    return Preconditioning(c_skip, c_out, 1 / total.sqrt(), sigma.log() / 4)


def edm_denoise(net: Denoiser, x: Event, sigma: PerExample, *, sigma_data: float) -> Event:
    r"""The denoiser around a raw network.

    $$D(x,\sigma) = c_{\text{skip}}\,x + c_{\text{out}}\,F(c_{\text{in}}\,x,\ c_{\text{noise}})$$

    With F = 0 it is the best denoiser of normal data of that width.

    Args:
        net: F, $(c_{\text{in}} x, c_{\text{noise}}) \mapsto$ like x.
        x: noisy data $x_0 + \sigma\epsilon$, `(b, *event)`.
        sigma: noise level of each, `(b,)`.
        sigma_data: $\sigma_d$.

    Returns:
        Guess of $x_0$, like `x`.

    Example:
        >>> edm_denoise(lambda x, c: 0 * x, torch.ones(1, 1), torch.tensor([0.5]), sigma_data=0.5)
        tensor([[0.5000]])

    Source: Karras et al. 2022 (arXiv:2206.00364), eq. 7.
    Lesson: notebooks/13_diffusion_ii.ipynb
    """
    c = edm_precondition(sigma, sigma_data=sigma_data)
    raw = net(expand(c.c_in, x) * x, c.c_noise)
    return expand(c.c_skip, x) * x + expand(c.c_out, x) * raw


def edm_loss(
    net: Denoiser, x0: Event, sigma: PerExample, eps: Event, *, sigma_data: float
) -> PerExample:
    r"""Denoising loss, weighted so that the raw network's squared error counts alike everywhere.

    $$\ell = \frac1D\,\frac{\sigma^2+\sigma_d^2}{(\sigma\,\sigma_d)^2}\,
      \lVert D(x_0+\sigma\epsilon, \sigma) - x_0\rVert^2$$

    A network that answers 0 has loss 1 on data of width $\sigma_d$, at every level.

    Args:
        net: the raw network F.
        x0: data, `(b, *event)`.
        sigma: noise level of each, `(b,)`, positive.
        eps: standard normal noise, like `x0`.
        sigma_data: $\sigma_d$.

    Returns:
        `(b,)`, mean over the D event dimensions; not nats.

    Example:
        >>> x0, sigma = torch.ones(1, 1), torch.ones(1)
        >>> edm_loss(lambda x, c: 0 * x, x0, sigma, torch.zeros(1, 1), sigma_data=1.0)
        tensor([0.5000])

    Source: Karras et al. 2022 (arXiv:2206.00364), eq. 8 and table 1, divided by D.
    Lesson: notebooks/13_diffusion_ii.ipynb
    """
    x = add_noise(x0, torch.ones_like(sigma), sigma, eps)
    guess = edm_denoise(net, x, sigma, sigma_data=sigma_data)
    require_alike(x0=x0, guess=guess)
    return (1 / sigma**2 + 1 / sigma_data**2) * mean_event((guess - x0) ** 2)


def denoiser_from_eps(eps_model: EpsModel, alphas_bar: Table) -> Denoiser:
    r"""Read a variance-preserving noise predictor as a denoiser at any level between.

    $$D(x, \sigma) = x - \sigma\,\epsilon_\theta\Big(\frac{x}{\sqrt{1+\sigma^2}},\ t(\sigma)\Big),
      \qquad \sigma\big(t\big)^2 = \frac{1-\bar\alpha_t}{\bar\alpha_t}$$

    The step index $t(\sigma)$ is a real number: linear in $\log\sigma$ between the entries of the
    table, the nearest end outside it.

    Args:
        eps_model: $(x_t, t) \mapsto \hat\epsilon$ that takes real `t`, such as a U-Net.
        alphas_bar: $\bar\alpha$, `(T,)`, decreasing.

    Returns:
        $(x, \sigma) \mapsto \hat x_0$ with `sigma` of shape `(b,)`.

    Example:
        >>> D = denoiser_from_eps(lambda x, t: x, torch.tensor([0.9, 0.5, 0.1]))
        >>> D(torch.ones(1, 1), torch.tensor([1.0]))
        tensor([[0.2929]])

    Source: Karras et al. 2022 (arXiv:2206.00364), table 1, column "VP".
    Lesson: notebooks/13_diffusion_ii.ipynb
    """
    known = 0.5 * ((-alphas_bar).log1p() - alphas_bar.log())

    def denoiser(x: Event, sigma: Shaped[Tensor, " b"]) -> Event:
        wanted = sigma.to(known).log().clamp(known[0], known[-1])
        low = (torch.searchsorted(known, wanted.contiguous()) - 1).clamp(0, len(known) - 2)
        t = low + (wanted - known[low]) / (known[low + 1] - known[low])
        scaled = x / expand((1 + sigma**2).sqrt(), x)
        return x - expand(sigma, x) * eps_model(scaled, t)

    return denoiser
