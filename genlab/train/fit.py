"""Keep freed memory for the next step, instead of returning it to the system and asking again.

A step of training frees the tensors that the next step allocates. The C library hands large blocks
back at once, and the system clears every page before it gives it out again: a sixth of the time of
a small network's step. Nothing that is computed changes.
Lesson: notebooks/12_diffusion_i.ipynb
"""

import copy
import ctypes
import math
import platform
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Generic, NamedTuple, Protocol, TypeAlias, TypeVar, final, runtime_checkable

import torch
from torch import Generator, Tensor, nn

from genlab.train import parallel

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # names of the C library's settings, <malloc.h>
LARGEST_BLOCK, MOST_KEPT = 32 * 2**20, 512 * 2**20  # bytes


def keep_freed_memory() -> bool:
    """Ask the C library to keep up to 512 MiB of what is freed, in blocks of up to 32 MiB.

    Returns:
        Whether it will: only glibc (most of Linux) knows how; elsewhere nothing happens.

    Source: mallopt(3) of the Linux manual pages, M_TRIM_THRESHOLD and M_MMAP_THRESHOLD.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    c = ctypes.CDLL(None)
    settings = ((MMAP_THRESHOLD, LARGEST_BLOCK), (TRIM_THRESHOLD, MOST_KEPT))
    return all(c.mallopt(name, value) == 1 for name, value in settings)


Batch: TypeAlias = "Tensor | tuple[Tensor, Tensor]"
Rate: TypeAlias = "float | Callable[[int], float]"


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


@runtime_checkable
class TrainableModule(Protocol):
    """A module with a loss to minimise."""

    def loss(self, x: Any, *, generator: Generator | None = None) -> Tensor:
        """Scalar loss, mean over the batch."""

    def parameters(self) -> Iterator[nn.Parameter]:
        """What to train."""


@runtime_checkable
class AdversarialModule(Protocol):
    """Two players, each with a loss and parameters of its own."""

    def discriminator_loss(self, x: Tensor, *, generator: Generator | None = None) -> Tensor:
        """The critic's loss."""

    def generator_loss(self, x: Tensor, *, generator: Generator | None = None) -> Tensor:
        """The generator's loss."""

    def discriminator_parameters(self) -> Iterable[nn.Parameter]:
        """What the critic's step changes."""

    def generator_parameters(self) -> Iterable[nn.Parameter]:
        """What the generator's step changes."""


@runtime_checkable
class Stateful(Protocol):
    """Can say in numbers where it stands, and go back there: a module, an optimiser, a run."""

    def state_dict(self) -> dict[str, Any]:
        """Where it stands."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> Any:
        """Go back there."""


Change = Callable[[Any], Any]


@final
class Minibatches(Iterator[Any]):
    """An endless stream of shuffled minibatches: see `minibatches`."""

    def __init__(
        self,
        x: Tensor,
        batch_size: int,
        cond: Tensor | None,
        generator: Generator | None,
        change: Change | None,
    ) -> None:
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
        return batch if self._change is None else self._change(batch)

    def state_dict(self) -> dict[str, Any]:
        """This epoch's order, the place in it, and the generator's state."""
        noise = None if self._generator is None else self._generator.get_state()
        return {"order": self._order.clone(), "start": self._start, "generator": noise}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go back to where `state_dict` was called.

        Args:
            state_dict: of a stream over the same data.

        Raises:
            ValueError: the data had another size.
        """
        order = state_dict["order"]
        if len(order) not in (0, len(self._x)):
            raise ValueError(f"the stored order is of {len(order)} examples, not of {len(self._x)}")
        self._order, self._start = order.clone(), state_dict["start"]
        if self._generator is not None:
            self._generator.set_state(state_dict["generator"])


def minibatches(
    x: Tensor,
    batch_size: int,
    *,
    cond: Tensor | None = None,
    generator: Generator | None = None,
    change: Change | None = None,
) -> Minibatches:
    """Yield shuffled minibatches for ever, epoch after epoch; a last short batch is left out.

    Args:
        x: the data, `(n, *event)`.
        batch_size: examples in a batch, 1..n.
        cond: conditions `(n, ...)`; then pairs `(x, cond)` are yielded.
        generator: decides the order; kept on the CPU.
        change: what to do to each batch (scale it, add noise, withhold labels, ...); draws from
            `generator` if it draws, so that its noise too can be taken up again.

    Returns:
        An iterator of `(batch_size, *event)`, or of pairs, with `state_dict`.

    Raises:
        ValueError: a batch size that the data cannot fill, or conditions of another length.

    Example:
        >>> batches = minibatches(torch.arange(6), 2, generator=torch.Generator().manual_seed(0))
        >>> sorted(torch.cat([next(batches) for _ in range(3)]).tolist())
        [0, 1, 2, 3, 4, 5]
    """
    if not 1 <= batch_size <= len(x):
        raise ValueError(f"batch_size must be in 1..{len(x)} (the data's size), got {batch_size}")
    if cond is not None and len(cond) != len(x):
        raise ValueError(f"{len(x)} examples but {len(cond)} conditions")
    return Minibatches(x, batch_size, cond, generator, change)


def cosine(lr: float, n_steps: int, *, warmup: int = 0) -> Callable[[int], float]:
    r"""Learning rate that rises linearly, then falls to zero along half a cosine.

    $$\eta_k = \eta\,\min(1, k / w)\,\tfrac12\bigl(1 + \cos(\pi k / n)\bigr)$$

    Args:
        lr: the highest rate $\eta$.
        n_steps: number of steps $n$.
        warmup: steps $w$ of linear rise; 0 for none.

    Returns:
        A function of the step index 0, 1, ...

    Source: Loshchilov and Hutter 2017 (arXiv:1608.03983), eq. 5, without restarts.
    """

    def rate(step: int) -> float:
        rise = min(1.0, (step + 1) / warmup) if warmup else 1.0
        return lr * rise * 0.5 * (1 + math.cos(math.pi * min(step, n_steps) / n_steps))

    return rate


def hold_then_cosine(lr: float, n_hold: int, n_fall: int) -> Callable[[int], float]:
    r"""Learning rate that stays, and then falls to zero along half a cosine.

    $$\eta_k = \begin{cases} \eta & k \le h \\
    \eta\,\tfrac12\bigl(1 + \cos(\pi (k - h) / n)\bigr) & k > h \end{cases}$$

    A game circles its equilibrium at a distance that the rate decides: with the rate it falls.

    Args:
        lr: the rate $\eta$ at first.
        n_hold: steps $h$ at that rate.
        n_fall: steps $n$ of the fall.

    Returns:
        A function of the step index 0, 1, ...

    Raises:
        ValueError: a negative number of steps, or no step to fall.

    Source: Loshchilov and Hutter 2017 (arXiv:1608.03983), eq. 5, begun late.
    """
    if n_hold < 0 or n_fall < 1:
        raise ValueError(f"expected n_hold >= 0 and n_fall >= 1, got {n_hold} and {n_fall}")
    fall = cosine(lr, n_fall)
    return lambda step: fall(max(0, step - n_hold))


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


Hook = Callable[[int], object]


@final
class Run(Iterator[Record]):
    """Steps that are taken one by one, as they are asked for.

    Args:
        advance: takes step 0, 1, ... and returns its record.
        n_steps: how many there are.
        parts: what the steps change, by name.
        generators: the noise that they draw, beside torch's global one.
        before: called with the step's index before each step (a weight that warms up, ...).
        after: called with the number of steps taken after each step (an average, ...).
        finish: called once, when the last step has been taken and one more is asked for.
    """

    def __init__(
        self,
        advance: Callable[[int], Record],
        n_steps: int,
        parts: Mapping[str, object],
        *,
        generators: Sequence[Generator] = (),
        before: Hook | None = None,
        after: Hook | None = None,
        finish: Callable[[], object] | None = None,
    ) -> None:
        self._advance, self.n_steps, self._parts = advance, n_steps, dict(parts)
        self._generators = list(generators)
        self._before, self._after, self._finish = before, after, finish
        self.step = 0  # steps taken

    def __next__(self) -> Record:
        if self.step >= self.n_steps:
            self._end()
        if self._before is not None:
            self._before(self.step)
        try:
            record = self._advance(self.step)
        except StopIteration:  # fewer batches than steps
            self._end()
        self.step += 1
        if self._after is not None:
            self._after(self.step)
        return record

    def _end(self) -> None:
        if self._finish is not None:
            self._finish()
            self._finish = None
        raise StopIteration

    def state_dict(self) -> dict[str, Any]:
        """Say where the run stands.

        Returns:
            Tensors and plain values, all of them copies.

        Raises:
            ValueError: a part cannot say where it stands, such as a plain generator of batches.
        """
        stuck = [name for name, part in self._parts.items() if not isinstance(part, Stateful)]
        if stuck:
            raise ValueError(
                f"{', '.join(stuck)} cannot be taken up again: batches must come from "
                "minibatches(...), and everything kept needs state_dict and load_state_dict"
            )
        parts = {name: part.state_dict() for name, part in self._parts.items()}  # type: ignore[attr-defined]
        return {
            "step": self.step,
            "parts": copy.deepcopy(parts),
            "generators": [g.get_state() for g in self._generators],
            "noise": torch.get_rng_state(),
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go back to where `state_dict` was called on a run that was built in the same way.

        Args:
            state_dict: what it returned.

        Raises:
            ValueError: the run has other parts.
        """
        if (found := set(state_dict["parts"])) != set(self._parts):
            raise ValueError(f"the stored run has the parts {sorted(found)}, not this run's")
        for name, part in self._parts.items():
            part.load_state_dict(state_dict["parts"][name])  # type: ignore[attr-defined]
        for generator, state in zip(self._generators, state_dict["generators"], strict=True):
            generator.set_state(state)
        torch.set_rng_state(state_dict["noise"])
        self.step = state_dict["step"]


def fit(
    model: TrainableModule,
    batches: Iterable[Any],
    *,
    n_steps: int,
    lr: Rate = 1e-3,
    generator: Generator | None = None,
    clip: float | None = None,
    weight_decay: float = 0.0,
    before: Hook | None = None,
    after: Hook | None = None,
    finish: Callable[[], object] | None = None,
    keep: Mapping[str, Stateful] | None = None,
    optimizer: torch.optim.Optimizer | None = None,
) -> Run:
    """Minimise `model.loss`, with AdamW by default; one record after each step.

    Nothing happens until the records are consumed, and stopping early keeps what was learned.

    Args:
        model: has `loss(x, generator=...)`, or `loss(x, cond=..., generator=...)` for pairs.
        batches: minibatches, at least `n_steps` of them.
        n_steps: gradient steps.
        lr: a rate, or a function of the step index such as `cosine(...)`.
        generator: randomness of the loss (noise, dropout of conditions, ...).
        clip: largest gradient norm, or None.
        weight_decay: decoupled weight decay of AdamW.
        before: called with the step's index before each step.
        after: called with the number of steps taken after each.
        finish: called once after the last step.
        keep: what the hooks change and a resumed run must have back (averaged weights, ...).
        optimizer: another one than AdamW, over the model's parameters; `lr` sets its rates, and
            its own decay stands in place of `weight_decay`.

    Returns:
        A run that yields `Record` with `losses = {"loss": ...}`.

    Raises:
        ValueError: `n_steps` is not positive.
        FloatingPointError: the gradient became infinite or not a number (while it is consumed).

    Source: Loshchilov and Hutter 2019 (arXiv:1711.05101), algorithm 2, by `torch.optim.AdamW`.
    """
    if n_steps < 1:
        raise ValueError(f"n_steps must be at least 1, got {n_steps}")
    parameters = [p for p in model.parameters() if p.requires_grad]
    if optimizer is None:
        optimizer = torch.optim.AdamW(parameters, lr=1.0, weight_decay=weight_decay)
    rate = _rate(lr)
    chosen, noise, stream = optimizer, parallel.seeds(generator), iter(batches)

    def advance(step: int) -> Record:
        batch = parallel.share(next(stream))
        arguments: dict[str, Any] = {"generator": parallel.own_noise(noise)}
        if isinstance(batch, tuple):
            batch, arguments["cond"] = batch
        loss = model.loss(batch, **arguments)
        norm = _step(chosen, loss, parameters, rate(step), clip)
        return Record(step + 1, {"loss": loss.item()}, norm)

    parts = {"model": model, "optimizer": optimizer, "batches": stream, **(keep or {})}
    generators = [] if noise is None else [noise]
    return Run(
        advance, n_steps, parts, generators=generators, before=before, after=after, finish=finish
    )


def fit_adversarial(
    model: AdversarialModule,
    batches: Iterable[Tensor],
    *,
    n_steps: int,
    lr: "Rate | tuple[Rate, Rate]" = 1e-3,
    betas: tuple[float, float] = (0.5, 0.9),
    n_critic: int = 1,
    generator: Generator | None = None,
    before: Hook | None = None,
    after: Hook | None = None,
    finish: Callable[[], object] | None = None,
    keep: Mapping[str, Stateful] | None = None,
) -> Run:
    """Play the game: `n_critic` steps of the critic, then one of the generator.

    Args:
        model: two losses and two sets of parameters, which must not overlap.
        batches: real data, at least `n_steps * n_critic` minibatches.
        n_steps: generator steps.
        lr: one learning rate, or (critic's, generator's); each a number or a function of the step.
        betas: Adam's averaging; the first is small because the target moves.
        n_critic: critic steps for each generator step.
        generator: randomness of both losses.
        before: called with the step's index before each step.
        after: called with the number of steps taken after each.
        finish: called once after the last step.
        keep: what the hooks change and a resumed run must have back (averaged weights, ...).

    Returns:
        A run that yields `Record` with `losses = {"critic": ..., "generator": ...}`; the norm is
        the generator's.

    Raises:
        ValueError: the players share parameters, or `n_steps`, `n_critic` is not positive.
        FloatingPointError: a gradient became infinite or not a number (while it is consumed).

    Source: Goodfellow et al. 2014 (arXiv:1406.2661), algorithm 1.
    """
    if n_steps < 1 or n_critic < 1:
        raise ValueError(f"n_steps and n_critic must be >= 1, got {n_steps} and {n_critic}")
    critic, generating = list(model.discriminator_parameters()), list(model.generator_parameters())
    if {id(p) for p in critic} & {id(p) for p in generating}:
        raise ValueError("critic and generator share parameters: each step would move both")
    rate_critic, rate_generator = map(_rate, lr if isinstance(lr, tuple) else (lr, lr))
    adam_critic = torch.optim.Adam(critic, betas=betas)
    adam_generator = torch.optim.Adam(generating, betas=betas)
    noise, stream = parallel.seeds(generator), iter(batches)

    def advance(step: int) -> Record:
        for _ in range(n_critic):
            x = parallel.share(next(stream))
            loss_critic = model.discriminator_loss(x, generator=parallel.own_noise(noise))
            _step(adam_critic, loss_critic, critic, rate_critic(step), None)
        loss_generator = model.generator_loss(x, generator=parallel.own_noise(noise))
        norm = _step(adam_generator, loss_generator, generating, rate_generator(step), None)
        losses = {"critic": loss_critic.item(), "generator": loss_generator.item()}
        return Record(step + 1, losses, norm)

    parts = {"model": model, "critic's Adam": adam_critic, "generator's Adam": adam_generator}
    generators = [] if noise is None else [noise]
    return Run(
        advance,
        n_steps,
        {**parts, "batches": stream, **(keep or {})},
        generators=generators,
        before=before,
        after=after,
        finish=finish,
    )


def _rate(lr: Rate) -> Callable[[int], float]:
    return lr if callable(lr) else lambda _: lr


def _step(
    optimizer: torch.optim.Optimizer,
    loss: Tensor,
    parameters: list[nn.Parameter],
    rate: float,
    clip: float | None,
) -> float:
    """Move the parameters down the loss, averaged over processes; return the gradient's norm."""
    for group in optimizer.param_groups:
        group["lr"] = rate
    optimizer.zero_grad(set_to_none=True)
    loss.backward(inputs=parameters)  # type: ignore[no-untyped-call]  # the other player's: unneeded
    gradients = [p.grad for p in parameters if p.grad is not None]
    parallel.average([*gradients, loss.detach()])
    limit = math.inf if clip is None else clip
    norm = float(nn.utils.clip_grad_norm_(parameters, limit))
    if not math.isfinite(norm):
        raise FloatingPointError(
            f"gradient norm is {norm} (loss {loss.item():g}): lower the learning rate or set clip"
        )
    optimizer.step()
    return norm
