r"""How many network passes does a sample cost? Counted while it is made, never asserted.

$$\text{passes} = \max_{\text{layer}}\ \#\{\text{times the layer is used}\}$$

A sampler that applies a network T times uses each of its layers T times: the busiest layer counts
the passes, however many samples are made at once.
"""

from collections import Counter
from collections.abc import Callable

from torch import nn
from torch.utils.flop_counter import FlopCounterMode


def network_passes(model: nn.Module, run: Callable[[], object]) -> int:
    """Count the passes through `model` that `run()` makes."""
    layers = [m for m in model.modules() if list(m.parameters()) and m is not model]
    if not layers:
        raise ValueError(f"{type(model).__name__} has no layer with parameters to count")
    uses: Counter[int] = Counter()

    def count(module: nn.Module, *_: object) -> None:
        uses[id(module)] += 1

    handles = [layer.register_forward_hook(count) for layer in layers]
    try:
        run()
    finally:
        for handle in handles:
            handle.remove()
    return max(uses.values(), default=0)


def multiply_adds(run: Callable[[], object]) -> int:
    r"""Count the multiply-adds of all convolutions and matrix products that `run()` performs.

    Sums, norms, nonlinearities and everything else that grows only with the number of activations
    are left out, as in published counts.
    """
    with FlopCounterMode(display=False) as counter:
        run()
    total: int = counter.get_total_flops()
    return total // 2
