"""What one line of the table is made of."""

from collections.abc import Callable
from typing import NamedTuple

import torch

Runs = dict[str, Callable[[], object]]  # "ours", and each peer by its name: one run of each


class Row(NamedTuple):
    """One comparison."""

    name: str
    aim: float  # our time over the fastest peer's
    libraries: tuple[str, ...]  # the peers, as pip calls them
    says: str  # one sentence: what is compared
    build: Callable[[], Runs]  # checks what can be checked, and returns the runs


def n_parameters(module: torch.nn.Module) -> int:
    """Parameters, shared ones counted once."""
    return sum(p.numel() for p in module.parameters())


def alike(ours: torch.nn.Module, theirs: torch.nn.Module, within: float = 0.0) -> None:
    """Refuse a comparison of networks that differ in size by more than a fraction."""
    a, b = n_parameters(ours), n_parameters(theirs)
    assert abs(a - b) <= within * b, f"ours has {a} parameters, the peer {b}"


def training_step(module: torch.nn.Module, loss: Callable[[], torch.Tensor]) -> Callable[[], None]:
    """Loss, gradients and one step of AdamW: the same loop around ours and the peer's."""
    optimizer = torch.optim.AdamW(module.parameters(), lr=1e-4, fused=True)

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        loss().backward()
        optimizer.step()

    return step
