r"""Training as a generator: one record a step, so that a bar, a curve or a test can watch it.

Two loops, because there are two kinds of objective: `fit` minimises a loss, `fit_adversarial`
plays a game. Neither knows which paradigm it trains. Lesson: every lesson from 01 on.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple, Protocol, TypeAlias, runtime_checkable

import torch
from torch import Generator, Tensor, nn

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

    def critic_loss(self, x: Tensor, *, generator: Generator | None = None) -> Tensor:
        """The critic's loss."""

    def generator_loss(self, x: Tensor, *, generator: Generator | None = None) -> Tensor:
        """The generator's loss."""

    def critic_parameters(self) -> Iterable[nn.Parameter]:
        """What the critic's step changes."""

    def generator_parameters(self) -> Iterable[nn.Parameter]:
        """What the generator's step changes."""


def minibatches(
    x: Tensor, batch_size: int, *, cond: Tensor | None = None, generator: Generator | None = None
) -> Iterator[Any]:
    """Yield shuffled minibatches for ever, epoch after epoch; a last short batch is left out.

    Args:
        x: the data, `(n, *event)`.
        batch_size: examples in a batch, 1..n.
        cond: conditions `(n, ...)`; then pairs `(x, cond)` are yielded.
        generator: decides the order; kept on the CPU.

    Yields:
        `(batch_size, *event)`, or a pair.

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
    return _minibatches(x, batch_size, cond, generator)


def _minibatches(
    x: Tensor, batch_size: int, cond: Tensor | None, generator: Generator | None
) -> Iterator[Batch]:
    while True:
        order = torch.randperm(len(x), generator=generator)
        for start in range(0, len(x) - batch_size + 1, batch_size):
            rows = order[start : start + batch_size]
            yield x[rows] if cond is None else (x[rows], cond[rows])


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


def _step(
    optimizer: torch.optim.Optimizer,
    loss: Tensor,
    parameters: list[nn.Parameter],
    rate: float,
    clip: float | None,
) -> float:
    for group in optimizer.param_groups:
        group["lr"] = rate
    optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    limit = math.inf if clip is None else clip
    norm = float(nn.utils.clip_grad_norm_(parameters, limit))
    if not math.isfinite(norm):
        raise FloatingPointError(
            f"gradient norm is {norm} (loss {loss.item():g}): lower the learning rate or set clip"
        )
    optimizer.step()
    return norm


def fit(
    model: TrainableModule,
    batches: Iterable[Any],
    *,
    n_steps: int,
    lr: Rate = 1e-3,
    generator: Generator | None = None,
    clip: float | None = None,
    weight_decay: float = 0.0,
) -> Iterator[Record]:
    """Minimise `model.loss` with AdamW; one record after each step.

    Nothing happens until the records are consumed, and stopping early keeps what was learned.

    Args:
        model: has `loss(x, generator=...)`, or `loss(x, cond=..., generator=...)` for pairs.
        batches: minibatches, at least `n_steps` of them.
        n_steps: gradient steps.
        lr: a rate, or a function of the step index such as `cosine(...)`.
        generator: randomness of the loss (noise, dropout of conditions, ...).
        clip: largest gradient norm, or None.
        weight_decay: decoupled weight decay of AdamW.

    Yields:
        `Record` with `losses = {"loss": ...}`.

    Raises:
        ValueError: `n_steps` is not positive.
        FloatingPointError: the gradient became infinite or not a number.

    Source: Loshchilov and Hutter 2019 (arXiv:1711.05101), algorithm 2, by `torch.optim.AdamW`.
    """
    if n_steps < 1:
        raise ValueError(f"n_steps must be at least 1, got {n_steps}")
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=1.0, weight_decay=weight_decay)
    rate = lr if callable(lr) else lambda _: lr

    def records() -> Iterator[Record]:
        for step, batch in zip(range(n_steps), batches, strict=False):
            arguments: dict[str, Any] = {"generator": generator}
            if isinstance(batch, tuple):
                batch, arguments["cond"] = batch
            loss = model.loss(batch, **arguments)
            norm = _step(optimizer, loss, parameters, rate(step), clip)
            yield Record(step + 1, {"loss": loss.item()}, norm)

    return records()


def fit_adversarial(
    model: AdversarialModule,
    batches: Iterable[Tensor],
    *,
    n_steps: int,
    lr: float | tuple[float, float] = 1e-3,
    betas: tuple[float, float] = (0.5, 0.9),
    n_critic: int = 1,
    generator: Generator | None = None,
) -> Iterator[Record]:
    """Play the game: `n_critic` steps of the critic, then one of the generator.

    Args:
        model: two losses and two sets of parameters, which must not overlap.
        batches: real data, at least `n_steps * n_critic` minibatches.
        n_steps: generator steps.
        lr: one learning rate, or (critic's, generator's).
        betas: Adam's averaging; the first is small because the target moves.
        n_critic: critic steps for each generator step.
        generator: randomness of both losses.

    Yields:
        `Record` with `losses = {"critic": ..., "generator": ...}`; the norm is the generator's.

    Raises:
        ValueError: the players share parameters, or `n_steps`, `n_critic` is not positive.
        FloatingPointError: a gradient became infinite or not a number.

    Source: Goodfellow et al. 2014 (arXiv:1406.2661), algorithm 1.
    """
    if n_steps < 1 or n_critic < 1:
        raise ValueError(f"n_steps and n_critic must be >= 1, got {n_steps} and {n_critic}")
    critic, generating = list(model.critic_parameters()), list(model.generator_parameters())
    if {id(p) for p in critic} & {id(p) for p in generating}:
        raise ValueError("critic and generator share parameters: each step would move both")
    lr_critic, lr_generator = lr if isinstance(lr, tuple) else (lr, lr)
    adam_critic = torch.optim.Adam(critic, betas=betas)
    adam_generator = torch.optim.Adam(generating, betas=betas)

    def records() -> Iterator[Record]:
        stream = iter(batches)
        for step in range(n_steps):
            for _ in range(n_critic):
                x = next(stream)
                loss_critic = model.critic_loss(x, generator=generator)
                _step(adam_critic, loss_critic, critic, lr_critic, None)
            loss_generator = model.generator_loss(x, generator=generator)
            norm = _step(adam_generator, loss_generator, generating, lr_generator, None)
            losses = {"critic": loss_critic.item(), "generator": loss_generator.item()}
            yield Record(step + 1, losses, norm)

    return records()
