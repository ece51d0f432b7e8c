"""How many network passes does a sample cost? The uses of the busiest layer are counted."""

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
    """Multiply-adds of the convolutions and matrix products that `run()` performs, no others."""
    with FlopCounterMode(display=False) as counter:
        run()
    total: int = counter.get_total_flops()
    return total // 2
