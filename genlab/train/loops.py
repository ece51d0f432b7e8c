"""Two training loops, because there are two kinds of objective.

`fit` minimises a loss, `fit_adversarial` plays a game. Neither knows which paradigm it trains.
Lesson: every lesson from 01 on.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Generator, Tensor, nn

from genlab.train import parallel
from genlab.train.records import AdversarialModule, Rate, Record, Stateful, TrainableModule
from genlab.train.run import Hook, Run


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
    critic, generating = list(model.critic_parameters()), list(model.generator_parameters())
    if {id(p) for p in critic} & {id(p) for p in generating}:
        raise ValueError("critic and generator share parameters: each step would move both")
    rate_critic, rate_generator = map(_rate, lr if isinstance(lr, tuple) else (lr, lr))
    adam_critic = torch.optim.Adam(critic, betas=betas)
    adam_generator = torch.optim.Adam(generating, betas=betas)
    noise, stream = parallel.seeds(generator), iter(batches)

    def advance(step: int) -> Record:
        for _ in range(n_critic):
            x = parallel.share(next(stream))
            loss_critic = model.critic_loss(x, generator=parallel.own_noise(noise))
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
