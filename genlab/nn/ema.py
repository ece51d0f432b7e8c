r"""Averaged weights: train the weights that move, use the weights that do not jitter.

$$\bar\theta_k = d_k\,\bar\theta_{k-1} + (1 - d_k)\,\theta_k$$

The gradient of a noise-prediction loss is noisy (a random step, a random noise for every example),
so the weights keep shaking around a good place. Their exponential moving average looks back over
about $1/(1-d)$ steps and shakes that much less. A network is *sampled* with the average and
*trained* without it. While fewer steps than that have been made, the average would mostly remember
the random start, so the decay is held down at the beginning.

Lesson: notebooks/12_diffusion_i.ipynb
Sources: Polyak and Juditsky 1992; Ho, Jain and Abbeel 2020 (arXiv:2006.11239), appendix B.
"""

import copy
from typing import Any, Generic, TypeVar, final

import torch
from torch import nn

M = TypeVar("M", bound=nn.Module)


def ema_decay(step: int, decay: float) -> float:
    r"""Share of the old average that is kept at an update; small while there is little to keep.

    $$d_k = \min\Big(d,\ \frac{1+k}{10+k}\Big)$$

    Args:
        step: $k$, number of updates already made, 0, 1, ...
        decay: $d$, the final share, in [0, 1).

    Returns:
        A share in [0, 1).

    Raises:
        ValueError: a negative step, or a decay outside [0, 1).

    Example:
        >>> [round(ema_decay(k, 0.99), 3) for k in (0, 90, 10_000)]
        [0.1, 0.91, 0.99]

    Source: the warm-up in TensorFlow's `ExponentialMovingAverage` and diffusers' `EMAModel`.
    Lesson: notebooks/12_diffusion_i.ipynb
    """
    if step < 0:
        raise ValueError(f"step must be at least 0, got {step}")
    if not 0 <= decay < 1:
        raise ValueError(f"decay must lie in [0, 1), got {decay}")
    return min(decay, (1 + step) / (10 + step))


@final
class EMA(Generic[M]):
    r"""A copy of a module that follows its weights slowly; `average` is the module to sample with.

    Floating-point tensors (weights and buffers) are averaged; integer buffers are copied.

    Args:
        module: what will be trained; it is copied, in evaluation mode and without gradients.
        decay: $d$, in [0, 1): the average looks back over about $1/(1-d)$ updates.

    Example:
        >>> net = torch.nn.Linear(1, 1, bias=False)
        >>> _ = torch.nn.init.zeros_(net.weight)
        >>> ema = EMA(net, decay=0.5)
        >>> _ = torch.nn.init.ones_(net.weight)
        >>> ema.update(net)  # the first update keeps a tenth of the start
        >>> round(ema.average.weight.item(), 6)
        0.9

    Source: Ho, Jain and Abbeel 2020 (arXiv:2006.11239), appendix B.
    Lesson: notebooks/12_diffusion_i.ipynb
    """

    def __init__(self, module: M, decay: float) -> None:
        ema_decay(0, decay)  # refuse a decay outside [0, 1) now
        self.average: M = copy.deepcopy(module).requires_grad_(False).eval()
        self.decay, self.n_updates = decay, 0

    @torch.no_grad()
    def update(self, module: M) -> None:
        """Move the average a little towards the weights of `module`: once after each step."""
        keep = ema_decay(self.n_updates, self.decay)
        now, seen = module.state_dict(), set[int]()
        for name, mean in self.average.state_dict().items():
            if mean.data_ptr() in seen:
                continue  # a second name of a tied weight: once is enough
            seen.add(mean.data_ptr())
            if mean.is_floating_point():
                mean.lerp_(now[name], 1 - keep)
            else:
                mean.copy_(now[name])
        self.n_updates += 1

    @torch.no_grad()
    def copy_to(self, module: M) -> None:
        """Overwrite the weights of `module` by their average: at the end of training."""
        module.load_state_dict(self.average.state_dict())

    def state_dict(self) -> dict[str, Any]:
        """The average and the number of updates: what a training that is taken up again needs."""
        return {"average": self.average.state_dict(), "n_updates": self.n_updates}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go back to where `state_dict` was called.

        Args:
            state_dict: of an average of such a module.
        """
        self.average.load_state_dict(state_dict["average"])
        self.n_updates = state_dict["n_updates"]
