r"""Several processes, one training: each takes its share of a batch, and gradients are averaged.

$$\nabla \frac1B\sum_{i=1}^B \ell_i = \frac1W\sum_{r=1}^W \nabla \frac{W}{B}\sum_{i \in
\text{share } r} \ell_i$$

With equal shares the mean of the processes' gradients *is* the gradient of the joint batch, so W
processes take the steps of one, up to the rounding of a sum in another order. Every process draws
the same order of the data; only the noise of the loss is its own. Outside a group of processes
each function here does nothing. Lesson: `torchrun ... genlab train`
"""

import contextlib
import os
from collections.abc import Iterator, Sequence
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Generator, Tensor, nn

B = TypeVar("B", Tensor, tuple[Tensor, Tensor])


@contextlib.contextmanager
def group() -> Iterator[None]:
    """Join the processes that `torchrun` started; alone, do nothing.

    Processes talk through gloo on the CPU.
    """
    if expected() == 1:
        yield
        return
    dist.init_process_group("gloo")
    try:
        yield
        dist.barrier()  # nobody leaves while another still writes
    finally:
        dist.destroy_process_group()


def expected() -> int:
    """Return how many processes `torchrun` started, 1 without it, before they have joined."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def expected_rank() -> int:
    """Return the number that `torchrun` gave this process, 0 without it."""
    return int(os.environ.get("RANK", "0"))


def size() -> int:
    """Return how many processes train together, 1 outside a group."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """Return the number of this process, 0 for the one that writes files."""
    return dist.get_rank() if size() > 1 else 0


def share(batch: B) -> B:
    """Take this process's rows of a batch: every W-th, beginning with its own number.

    Args:
        batch: a tensor `(b, ...)`, or a pair of them.

    Returns:
        The same kind, b / W rows.

    Raises:
        ValueError: the batch cannot be divided evenly.
    """
    if size() == 1:
        return batch
    if isinstance(batch, tuple):
        return share(batch[0]), share(batch[1])
    if len(batch) % size():
        raise ValueError(f"a batch of {len(batch)} cannot be shared evenly by {size()} processes")
    return batch[rank() :: size()]


def seeds(generator: Generator | None) -> Generator | None:
    """Return where the seeds of `own_noise` come from, in the same state in every process.

    Args:
        generator: of the loss, seeded alike everywhere; it is left alone, so that an order of the
            data that is drawn from it stays the order of a process that trains alone.

    Returns:
        The same generator outside a group, else a new one with its seed (0 without one).
    """
    if size() == 1:
        return generator
    return Generator().manual_seed(0 if generator is None else generator.initial_seed())


def own_noise(source: Generator | None) -> Generator | None:
    """Return the noise of this process for one loss; torch's global noise is seeded likewise.

    Args:
        source: from `seeds`; it moves on by one draw in every process, so that they stay together.

    Returns:
        The same generator outside a group, else a fresh one.
    """
    if size() == 1 or source is None:
        return source
    seed = int(torch.randint(2**62, (), generator=source)) + rank()
    torch.manual_seed(seed)
    return Generator().manual_seed(seed)


def average(tensors: Sequence[Tensor]) -> None:
    """Replace tensors by their means over the processes, in place and in one message.

    Args:
        tensors: as many, of the same shapes, in every process.
    """
    if size() == 1:
        return
    joint = torch.cat([t.reshape(-1) for t in tensors])
    dist.all_reduce(joint)
    sizes = [t.numel() for t in tensors]
    for t, mean in zip(tensors, torch.split(joint, sizes), strict=True):
        t.copy_((mean / size()).view_as(t))


def agree(module: nn.Module) -> None:
    """Give every process the weights and buffers of the first.

    Args:
        module: of the same shape in every process.
    """
    if size() > 1:
        for tensor in module.state_dict().values():
            dist.broadcast(tensor, src=0)
