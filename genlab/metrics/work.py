r"""How much arithmetic does a picture cost? Counted while it is made, never estimated.

$$\text{convolution: } h\,w\;c_{\text{in}}c_{\text{out}}\,k^2, \qquad
\text{matrix product } (n\times m)(m\times p): n\,m\,p$$

A multiply-add is one product and one addition to a sum. The count is exact and the same on every
machine, which a time is not; but memory traffic, and the overhead of small calls, are not in it.

Lesson: notebooks/systems/latent_diffusion.ipynb
"""

from collections.abc import Callable

from torch.utils.flop_counter import FlopCounterMode


def multiply_adds(run: Callable[[], object]) -> int:
    r"""Count the multiply-adds of all convolutions and matrix products that `run()` performs.

    Sums, norms, nonlinearities and everything else that grows only with the number of activations
    are left out, as in published counts.

    Args:
        run: does anything with tensors.

    Returns:
        A whole number; half of the "floating point operations" that PyTorch counts.

    Example:
        >>> import torch
        >>> net = torch.nn.Conv2d(2, 3, 3, padding=1)
        >>> multiply_adds(lambda: net(torch.zeros(5, 2, 8, 8)))  # 5 * 64 * 2 * 3 * 9
        17280

    Lesson: notebooks/systems/latent_diffusion.ipynb
    """
    with FlopCounterMode(display=False) as counter:
        run()
    total: int = counter.get_total_flops()
    return total // 2
