"""Minibatches, learning rates, averaged weights, and the loops `fit` and `fit_adversarial`."""

import copy
import ctypes
import math
import platform
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Generator, Tensor, nn

from genlab.core.tensors import require_between, require_finite

Rate = float | Callable[[int], float]  # a learning rate, or one for each step 0, 1, ...


class Record(NamedTuple):
    """What happened in one step."""

    step: int  # 1, 2, ...
    losses: dict[str, float]  # by name; no unit is promised
    grad_norm: float  # Euclidean norm of all gradients, before clipping

    @property
    def loss(self) -> float:
        """The loss, where there is only one."""
        (value,) = self.losses.values()
        return value


class minibatches(Iterator[Any]):  # noqa: N801  # as enumerate
    """Shuffled minibatches for ever, epoch after epoch; a last short batch is left out.

    `change(batch, generator)` maps each batch; a resumed stream repeats what it draws.
    """

    def __init__(
        self,
        x: Tensor,
        batch_size: int,
        *,
        cond: Tensor | None = None,
        generator: Generator | None = None,
        change: Callable[[Any, Any], Any] | None = None,
    ) -> None:
        if not 1 <= batch_size <= len(x):
            raise ValueError(f"batch_size must be in 1..{len(x)} (the data), got {batch_size}")
        if cond is not None and len(cond) != len(x):
            raise ValueError(f"{len(x)} examples but {len(cond)} conditions")
        self._x, self._batch_size, self._cond = x, batch_size, cond
        self._generator, self._change = generator, change
        self._order, self._start = torch.empty(0, dtype=torch.int64), 0

    def __next__(self) -> Any:
        if self._start + self._batch_size > len(self._order):
            self._order, self._start = torch.randperm(len(self._x), generator=self._generator), 0
        rows = self._order[self._start : self._start + self._batch_size]
        self._start += self._batch_size
        batch: Any = self._x[rows]
        if self._cond is not None:
            batch = (batch, self._cond[rows])
        return batch if self._change is None else self._change(batch, self._generator)

    def state_dict(self) -> dict[str, Any]:
        """This epoch's order, the place in it, and the generator's state."""
        noise = None if self._generator is None else self._generator.get_state()
        return {"order": self._order.clone(), "start": self._start, "generator": noise}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        order = state_dict["order"]
        if len(order) not in (0, len(self._x)):
            raise ValueError(f"the stored order is of {len(order)} examples, not of {len(self._x)}")
        self._order = order.clone()
        self._start = state_dict["start"]
        if self._generator is not None:
            self._generator.set_state(state_dict["generator"])


def cosine(lr: float, n_steps: int, *, warmup: int = 0, hold: int = 0) -> Callable[[int], float]:
    r"""Learning rate at step k, after `hold` steps (Loshchilov and Hutter 2017, arXiv:1608.03983).

    $$\eta_k = \eta\,\min(1, k / w)\,\tfrac12\bigl(1 + \cos(\pi k / n)\bigr)$$
    """
    require_between(1, math.inf, n_steps=n_steps)
    require_between(0, math.inf, warmup=warmup, hold=hold)
    require_finite(lr=lr)

    def rate(step: int) -> float:
        k = min(max(0, step - hold), n_steps)
        rise = min(1.0, (k + 1) / warmup) if warmup else 1.0
        return lr * rise * 0.5 * (1 + math.cos(math.pi * k / n_steps))

    return rate


class EMA:
    r"""Exponential moving average of a module's weights: `average` is the module to sample with.

    $$\bar\theta \leftarrow d_k\,\bar\theta + (1 - d_k)\,\theta, \qquad
    d_k = \min\Big(d,\ \frac{1+k}{10+k}\Big)$$

    Integer buffers are copied. Ho et al. 2020 (arXiv:2006.11239), appendix B.
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        if not 0 <= decay < 1:
            raise ValueError(f"decay must lie in [0, 1), got {decay}")
        self.average: Any = copy.deepcopy(module).requires_grad_(False).eval()
        self.decay, self.n_updates = decay, 0

    @torch.no_grad()
    def update(self, module: nn.Module) -> None:
        """Move the average a little towards the weights of `module`: once after each step."""
        keep = min(self.decay, (1 + self.n_updates) / (10 + self.n_updates))
        now = module.state_dict()
        seen = set[int | str]()
        for name, mean in self.average.state_dict().items():
            place = mean.data_ptr() or name  # a sharded weight has no place
            if place in seen:
                continue  # a second name of a tied weight: once is enough
            seen.add(place)
            if mean.is_floating_point():
                mean.lerp_(now[name], 1 - keep)
            else:
                mean.copy_(now[name])
        self.n_updates += 1

    @torch.no_grad()
    def copy_to(self, module: nn.Module) -> None:
        """Overwrite the weights of `module` by their average."""
        module.load_state_dict(self.average.state_dict())

    def state_dict(self) -> dict[str, Any]:
        return {"average": self.average.state_dict(), "n_updates": self.n_updates}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.average.load_state_dict(state_dict["average"])
        self.n_updates = state_dict["n_updates"]


def _nothing(*_: Any) -> None:
    pass


def _same(state: Any) -> Any:
    return state


@dataclass(frozen=True)
class Hooks:
    """What else is done while a `Run` takes its steps."""

    before: Callable[[int], object] = _nothing  # before(k), ahead of step k = 0, 1, ...
    after: Callable[[int], object] = _nothing  # after(k), when k = 1, 2, ... steps are taken
    finish: Callable[[], object] = _nothing  # once, when no step is left
    keep: dict[str, Any] = field(default_factory=dict)  # what else a resumed run needs back
    pack: Callable[[Any], Any] = _same  # changes the state on its way out,
    unpack: Callable[[Any], Any] = _same  # and this on its way in


class Run(Iterator[Record]):
    """The steps of a training, taken one by one as their records are asked for.

    `advance(k)` changes the `parts`, by name, and the `generator`; `average` is the decay of an
    `EMA` of `module`.
    """

    def __init__(
        self,
        advance: Callable[[int], Record],
        n_steps: int,
        parts: dict[str, Any],
        generator: Generator | None = None,
        module: Any = None,
        *,
        average: float | EMA | None = None,
        hooks: Hooks = Hooks(),  # frozen
    ) -> None:
        self.step, self.n_steps = 0, n_steps  # steps taken, and of how many
        self._advance, self._parts, self._generator = advance, parts | hooks.keep, generator
        self._hooks, self._finish = hooks, hooks.finish
        self._module, self._average = module, None
        if average is not None:
            made = average if isinstance(average, EMA) else EMA(module, average)
            self._average = self._parts["average"] = made

    def __next__(self) -> Record:
        if self.step >= self.n_steps:
            self._end()
        self._hooks.before(self.step)
        try:
            record = self._advance(self.step)
        except StopIteration:  # fewer batches than steps
            self._end()
        self.step += 1
        if self._average is not None:
            self._average.update(self._module)
        self._hooks.after(self.step)
        return record

    def _end(self) -> None:
        if self._average is not None:
            self._average.copy_to(self._module)
            self._module.eval()
        self._finish()
        self._finish, self._average = _nothing, None
        raise StopIteration

    def state_dict(self) -> dict[str, Any]:
        """Copies of the state of every part, of the generator, and of torch's global noise."""
        stuck = [name for name, part in self._parts.items() if not hasattr(part, "load_state_dict")]
        if stuck:
            raise ValueError(
                f"{', '.join(stuck)} cannot be resumed: batches must come from minibatches(...), "
                "and everything kept needs state_dict and load_state_dict"
            )
        state = {
            "step": self.step,
            "parts": copy.deepcopy({name: p.state_dict() for name, p in self._parts.items()}),
            "generator": None if self._generator is None else self._generator.get_state(),
            "noise": torch.get_rng_state(),
        }
        return self._hooks.pack(state)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue where `state_dict` was called on a run that was built in the same way."""
        state_dict = self._hooks.unpack(state_dict)
        if (found := set(state_dict["parts"])) != set(self._parts):
            raise ValueError(f"the stored run has the parts {sorted(found)}, not this run's")
        for name, part in self._parts.items():
            part.load_state_dict(state_dict["parts"][name])
        if self._generator is not None:
            self._generator.set_state(state_dict["generator"])
        torch.set_rng_state(state_dict["noise"])
        self.step = state_dict["step"]


def fit(
    model: Any,
    batches: Iterable[Any],
    *,
    n_steps: int,
    lr: Rate = 1e-3,
    generator: Generator | None = None,
    clip: float | None = None,
    weight_decay: float = 0.0,
    optimizer: torch.optim.Optimizer | None = None,
    bfloat16: bool = False,
    loss: Callable[..., Tensor] | None = None,
    average: float | EMA | None = None,
    hooks: Hooks = Hooks(),  # frozen
) -> Run:
    """Minimise `model.loss(x, generator=...)`, with `cond=...` for pairs, by AdamW.

    Batches are moved to the model's device; with `bfloat16` the loss is computed under autocast.
    `clip` is the largest gradient norm; `average=0.99` leaves averaged weights.
    Nothing happens until the records are consumed, and stopping early keeps what was learned;
    `loss` may stand in for the model's (arXiv:1711.05101). ValueError: `weight_decay` beside an
    `optimizer`, which has its own.
    """
    require_between(1, math.inf, n_steps=n_steps)
    if optimizer is not None and weight_decay:
        name = type(optimizer).__name__
        raise ValueError(f"weight_decay={weight_decay} changes nothing: give it to {name}(...)")
    parameters = [p for p in model.parameters() if p.requires_grad]
    chosen = optimizer or torch.optim.AdamW(parameters, lr=1.0, weight_decay=weight_decay)
    stream = iter(batches)
    device = parameters[0].device
    loss_of = loss or model.loss

    def advance(step: int) -> Record:
        batch, extra = next(stream), {}
        if isinstance(batch, tuple):
            batch, extra["cond"] = batch[0], batch[1].to(device)
        with torch.autocast(device.type, torch.bfloat16) if bfloat16 else nullcontext():
            value = loss_of(batch.to(device), **extra, generator=generator)
        norm = _step(chosen, value, parameters, lr, step, clip)
        return Record(step + 1, {"loss": value.item()}, norm)

    parts = {"model": model, "optimizer": chosen, "batches": stream}
    return Run(advance, n_steps, parts, generator, model, average=average, hooks=hooks)


def fit_adversarial(
    model: Any,
    batches: Iterable[Tensor],
    *,
    n_steps: int,
    lr: Rate | tuple[Rate, Rate] = 1e-3,
    betas: tuple[float, float] = (0.5, 0.9),
    n_critic: int = 1,
    generator: Generator | None = None,
    average: float | EMA | None = None,
    hooks: Hooks = Hooks(),  # frozen
) -> Run:
    """Minimise `discriminator_loss` `n_critic` times, then `generator_loss` once, by Adam.

    `lr` is one rate, or (discriminator's, generator's); `average` is of `model.generator_net`.
    Goodfellow et al. 2014 (arXiv:1406.2661), algorithm 1.
    """
    require_between(1, math.inf, n_steps=n_steps, n_critic=n_critic)
    playing = list(model.discriminator_parameters())
    generating = list(model.generator_parameters())
    if {id(p) for p in playing} & {id(p) for p in generating}:
        raise ValueError("discriminator and generator share parameters: each step would move both")
    lr_d, lr_generator = lr if isinstance(lr, tuple) else (lr, lr)
    adam_d = torch.optim.Adam(playing, betas=betas)
    adam_generator = torch.optim.Adam(generating, betas=betas)
    stream = iter(batches)

    def advance(step: int) -> Record:
        for _ in range(n_critic):
            x = next(stream).to(playing[0].device)
            loss_d = model.discriminator_loss(x, generator=generator)
            _step(adam_d, loss_d, playing, lr_d, step)
        loss_generator = model.generator_loss(x, generator=generator)
        norm = _step(adam_generator, loss_generator, generating, lr_generator, step)
        losses = {"discriminator": loss_d.item(), "generator": loss_generator.item()}
        return Record(step + 1, losses, norm)

    parts = {"model": model, "discriminator's Adam": adam_d, "generator's Adam": adam_generator}
    parts["batches"] = stream
    module = getattr(model, "generator_net", None)
    return Run(advance, n_steps, parts, generator, module, average=average, hooks=hooks)


def _step(
    optimizer: torch.optim.Optimizer,
    loss: Tensor,
    parameters: list[nn.Parameter],
    lr: Rate,
    step: int,
    clip: float | None = None,
) -> float:
    """Move the parameters down the loss; return the gradient's norm."""
    for group in optimizer.param_groups:
        group["lr"] = lr(step) if callable(lr) else lr
    optimizer.zero_grad(set_to_none=True)
    sharded = hasattr(parameters[0], "full_tensor")  # then the graph has their gathered copies
    inputs = None if sharded else parameters  # the other player's gradients are unneeded
    loss.backward(inputs=inputs)  # type: ignore[no-untyped-call]
    norm = float(nn.utils.clip_grad_norm_(parameters, math.inf if clip is None else clip))
    if not math.isfinite(norm):
        raise FloatingPointError(
            f"gradient norm is {norm} (loss {loss.item():g}): lower the learning rate or set clip"
        )
    optimizer.step()
    return norm


def keep_freed_memory() -> bool:
    """Ask glibc to keep 512 MiB of freed memory, in blocks of up to 32 MiB; True if it will."""
    if platform.libc_ver()[0] != "glibc":
        return False
    m_trim_threshold, m_mmap_threshold = -1, -3  # <malloc.h>
    c = ctypes.CDLL(None)
    settings = ((m_mmap_threshold, 32 * 2**20), (m_trim_threshold, 512 * 2**20))
    return all(c.mallopt(name, value) == 1 for name, value in settings)
