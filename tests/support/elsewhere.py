"""A second device without hardware: tensors that say they live on a GPU, and compute here.

Inside `with Elsewhere():` what PyTorch refuses on a real GPU is refused: an operation on tensors
of two devices, and noise for the GPU from a generator of the CPU. Allowed, as there: a number
without dimensions and an index may come from the CPU. Values are kept, so that code may branch.
"""

from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map_only

GPU = torch.device("lazy", 0)  # a name that this build of PyTorch lets through
COPIES = ("_to_copy", "copy_", "_local_scalar_dense")
INDEXING = ("index", "index_put", "index_put_", "_unsafe_index")


class There(Tensor):
    """A tensor of the other device; `here` holds its numbers."""

    here: Tensor

    @staticmethod
    def __new__(cls, here: Tensor) -> "There":
        how: dict[str, Any] = {"dtype": here.dtype, "device": GPU, "strides": here.stride()}
        how |= {"storage_offset": here.storage_offset(), "requires_grad": here.requires_grad}
        return Tensor._make_wrapper_subclass(cls, here.size(), **how)

    def __init__(self, here: Tensor) -> None:
        self.here = here

    def new_tensor(self, data: Any, *, dtype: Any = None, **_: Any) -> Tensor:
        return torch.tensor(data, dtype=dtype or self.dtype).to(GPU)

    def tolist(self) -> Any:
        return self.here.tolist()

    def __repr__(self, **_: Any) -> str:  # type: ignore[override]
        return f"There({self.here})"

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return run(func, args, kwargs or {})


def run(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """Run one operation where its tensors live."""
    name = func._schema.name.split("::")[-1]
    inputs = [a for a in tree_flatten((args, kwargs))[0] if isinstance(a, Tensor)]
    there = [a for a in inputs if isinstance(a, There)]
    looked_up = inputs[:1] if name in INDEXING else inputs
    mixed = [a for a in looked_up if not isinstance(a, There) and a.ndim > 0]
    if there and mixed and name not in COPIES:
        raise RuntimeError(f"{name}: tensors on two devices, expected all on one")
    if name in INDEXING and there and not isinstance(inputs[0], There):
        raise RuntimeError(f"{name}: a tensor of the CPU is indexed by one of the GPU")
    target = kwargs.get("device")
    goes = bool(there) if target is None else torch.device(target).type == GPU.type
    if goes and getattr(kwargs.get("generator"), "device", GPU).type == "cpu":
        raise RuntimeError(f"{name}: noise for the GPU from a generator of the CPU")
    kwargs = {**kwargs, "device": torch.device("cpu")} if target is not None else kwargs
    args, kwargs = tree_map_only(There, lambda a: a.here, (args, kwargs))
    result = func(*args, **kwargs)
    if func._schema.is_mutable and name.endswith("_"):
        return inputs[0] if func._schema.returns else None
    return (
        tree_map_only(Tensor, There, result) if goes and name != "_local_scalar_dense" else result
    )


class Elsewhere(TorchDispatchMode):
    """Sees the tensors that are made from nothing, on either device."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return run(func, args, kwargs or {})
