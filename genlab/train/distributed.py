"""One training by several processes: the loss of a rank is on its rows of the global batch."""

import os
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_map_only

from genlab.train.fit import EMA, Hooks

SHARD = 20_000_000  # parameters from which they are sharded


class LocalRows(TorchFunctionMode):
    """Inside, a generator draws for the global batch of `n` examples, and `rows` are kept."""

    def __init__(self, rows: slice, n: int) -> None:
        super().__init__()
        self.rows, self.n = rows, n

    def __torch_function__(self, func: Any, _: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if kwargs.get("generator") is None:
            return func(*args, **kwargs)
        if func not in (torch.rand, torch.randn, torch.randint):
            raise ValueError(f"several processes cannot divide the noise of {func.__name__}")
        *before, shape = (args,) if isinstance(args[-1], int) else args
        if tuple(shape[:1]) != (self.rows.stop - self.rows.start,):
            return func(*args, **kwargs)  # not a number for each example
        return func(*before, (self.n, *shape[1:]), **kwargs)[self.rows]


class World:
    """The `size` processes that `torchrun` or `accelerate launch` started; this one is `rank`.

    Each holds all weights (DDP; Li et al. 2020, arXiv:2006.15704); from `SHARD` parameters on
    weights, moments and averages are sharded (FSDP2; Zhao et al. 2023, arXiv:2304.11277).
    """

    def __init__(self, device: torch.device | str) -> None:
        self.size, self.rank = int(os.environ.get("WORLD_SIZE", "1")), 0
        self.device = torch.device(device)
        if self.size > 1:
            try:
                from accelerate import Accelerator
            except ImportError:
                raise ValueError("several processes need `pip install 'genlab[scale]'`") from None
            self._all = Accelerator(cpu=self.device.type == "cpu", mixed_precision="no")
            self.rank, self.device = self._all.process_index, self._all.device

    def any(self, *flags: bool) -> list[bool]:
        """For each flag, whether any process raises it."""
        if self.size == 1:
            return list(flags)
        raised = torch.tensor(flags, dtype=torch.float32, device=self.device)
        return self._all.reduce(raised).bool().tolist()

    def same(self, seconds: float) -> float:
        """Return `seconds`; ValueError if only some processes found a checkpoint (0: none)."""
        if all(self.any(seconds > 0, seconds == 0)):
            raise ValueError("not all processes see the checkpoint: --out must be a shared folder")
        return seconds

    def fit_arguments(self, model: Any, average: float | EMA | None = None) -> dict[str, Any]:
        r"""Arguments by which `fit` follows the gradient of the global batch, in n equal parts.

        $$\nabla\frac1B\sum_{i=1}^{B}\ell_i
        = \frac1n\sum_{r=1}^{n}\nabla\,\frac nB\sum_{i\in\text{part }r}\ell_i$$
        """
        if self.size == 1:
            return {}
        model.forward = model.loss  # where DDP and FSDP2 wait for it
        sharded = sum(p.numel() for p in model.parameters()) >= SHARD
        joined = self._sharded(model, average) if sharded else {}
        wrapped = model if sharded else self._all.prepare(model)

        def loss(batch: Tensor, *, generator: Any, **more: Tensor) -> Tensor:
            own, left = divmod(len(batch), self.size)
            if left:
                raise ValueError(f"{len(batch)} examples cannot form {self.size} equal parts")
            rows = slice(self.rank * own, (self.rank + 1) * own)
            more = {name: x[rows] for name, x in more.items()}
            with LocalRows(rows, len(batch)):
                part: Tensor = wrapped(batch[rows], generator=generator, **more)
            mean = self._all.reduce(part.detach(), "mean")
            return part + (mean - part).detach()  # the global value, and the gradient of this part

        return joined | {"loss": loss}

    def _sharded(self, model: Any, average: float | EMA | None) -> dict[str, Any]:
        """Shard model and average; what a `Run` stores is gathered, what it loads is sharded."""
        from torch.distributed.device_mesh import init_device_mesh
        from torch.distributed.fsdp import fully_shard
        from torch.distributed.tensor import DTensor, Shard, distribute_tensor

        mesh = init_device_mesh(self.device.type, (self.size,))
        ema = EMA(model, average) if isinstance(average, float) else average
        for root in (model, *([ema.average] if ema else [])):
            for name, module in reversed(list(root.named_modules())):
                if name.rpartition(".")[2].isdigit() or module is root:  # a block of a list
                    fully_shard(module, mesh=mesh)

        def shard(w: Tensor) -> Tensor:
            if w.ndim == 0 or not w.is_floating_point():
                return w
            return distribute_tensor(w.to(self.device), mesh, [Shard(0)], src_data_rank=None)

        pack = partial(tree_map_only, DTensor, lambda w: w.full_tensor().cpu())
        hooks = Hooks(pack=pack, unpack=partial(tree_map_only, Tensor, shard))
        return {"average": ema, "hooks": hooks}
