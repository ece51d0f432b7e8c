"""What a shipped model is, as one row of plain data, and the loops that most rows train by."""

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import torch
from torch import Generator, Tensor, nn

from genlab.core.weights import load_weights, read_card
from genlab.train import EMA, Hooks, Run, cosine, fit, fit_adversarial, minibatches
from genlab.train.fit import Rate
from genlab.zoo import WEIGHTS
from genlab.zoo.cards import Figures, default_dtype


@dataclass(frozen=True)
class Plan:
    """How long a training lasts and how it steps: arguments of `fit` or `fit_adversarial`."""

    n_steps: int
    batch_size: int
    lr: Rate | tuple[Rate, Rate]  # of a game, also the discriminator's and the generator's
    warmup: int = 0  # steps in which a cosine rises
    clip: float | None = None  # the largest norm of a gradient
    weight_decay: float = 0.0
    average: float | EMA | None = None  # decay of the averaged weights
    bfloat16: bool = False
    seed: int = 0  # of the order of the data, and of noise
    loss: Callable[..., Tensor] | None = None  # in the place of the model's
    hooks: Hooks = field(default_factory=Hooks)

    def scaled_by(self, factor: Callable[[int], float]) -> "Plan":
        """The same with the rate `lr * factor(k)` at step k."""
        lr = self.constant
        return replace(self, lr=lambda step: lr * factor(step))

    def cosine(self) -> Callable[[int], float]:
        """The rate that falls along a cosine, after at most `warmup` steps in which it rises."""
        return cosine(self.constant, self.n_steps, warmup=min(self.warmup, self.n_steps))

    @property
    def constant(self) -> float:
        """The rate, where it is one number; ValueError where it is not."""
        if isinstance(self.lr, tuple) or callable(self.lr):
            raise ValueError(f"lr must be one number here, got {self.lr}")
        return self.lr

    @property
    def each_lr(self) -> tuple[Rate, Rate]:
        """The rates of the two players of a game."""
        return self.lr if isinstance(self.lr, tuple) else (self.lr, self.lr)

    @property
    def numbers(self) -> dict[str, Any]:
        """Those that a card states: all that are not the default."""
        stated = {f.name: getattr(self, f.name) for f in fields(self) if f.name in NUMBERS}
        default = {f.name: f.default for f in fields(self)}
        return {name: value for name, value in stated.items() if value != default[name]}


NUMBERS = tuple(f.name for f in fields(Plan) if f.name not in ("seed", "loss", "hooks"))


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Draw from torch's global noise as after `manual_seed(seed)`, and then put it back."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


def by_loss(
    model: Any,
    x: Tensor,
    cond: Tensor | None = None,
    *,
    plan: Plan,
    change: Callable[[Any, Generator], Any] | None = None,
    optimizer: torch.optim.Optimizer | None = None,
) -> Run:
    """Run `fit` on minibatches, `lr` falling along a cosine; the model ends in evaluation mode.

    One generator, from the plan's seed, draws the order, then for `change`, then the loss's noise.
    ValueError: a warmup beside a rate that is a function of the step already.
    """
    if callable(plan.lr) and plan.warmup:
        raise ValueError(f"warmup={plan.warmup} changes nothing: lr is a function of the step")
    generator = Generator().manual_seed(plan.seed)
    batches = minibatches(x, plan.batch_size, cond=cond, generator=generator, change=change)
    lr = plan.lr if callable(plan.lr) else plan.cosine()
    model.train()
    return fit(
        model, batches, n_steps=plan.n_steps, lr=lr, generator=generator, clip=plan.clip,
        weight_decay=plan.weight_decay, optimizer=optimizer, bfloat16=plan.bfloat16,
        loss=plan.loss, average=plan.average, hooks=ending(model, plan.hooks),
    )  # fmt: skip


def ending(model: nn.Module, hooks: Hooks) -> Hooks:
    """The hooks of a run after which the model is in evaluation mode."""

    def finish() -> None:
        model.eval()
        hooks.finish()

    return replace(hooks, finish=finish)


def by_game(model: Any, x: Tensor, *, plan: Plan, n_critic: int, betas: tuple[float, float]) -> Run:
    """Run `fit_adversarial` on minibatches; one generator, from the seed, draws everything.

    ValueError: the plan has a setting that a game does not take.
    """
    unused = plan.numbers.keys() - {"n_steps", "batch_size", "lr", "average"}
    unused |= set() if plan.loss is None else {"loss"}
    if unused:
        raise ValueError(f"a game takes no {', '.join(sorted(unused))}")
    generator = Generator().manual_seed(plan.seed)
    return fit_adversarial(
        model, minibatches(x, plan.batch_size, generator=generator), n_steps=plan.n_steps,
        lr=plan.lr, betas=betas, n_critic=n_critic, generator=generator, average=plan.average,
        hooks=plan.hooks,
    )  # fmt: skip


@dataclass(frozen=True)
class Recipe:
    """A shipped model: how it is built, trained and measured."""

    name: str  # of its file, and on the command line
    what: str  # one line: which model of what
    lesson: int  # where it is explained
    seconds: float  # of the training, about: processor seconds, one thread
    seed: int  # of weights, order of the data, and noise
    build: Callable[..., nn.Module]  # (**sizes) -> untrained, drawing from torch's global noise
    sizes: dict[str, Any]
    data: Callable[[], tuple[Any, ...]]  # () -> what the loop trains on: x, or x and cond
    source: str  # these data, in words
    digest: Callable[[], str]  # and named by their content
    plan: Plan
    measure: Callable[[Any], Figures]  # trained model in double precision -> held-out figures
    loop: Callable[..., Run] = by_loss  # (model, *data, plan=plan, **more) -> its training
    more: dict[str, Any] = field(default_factory=dict)  # numbers that this loop takes beside them
    dtype: torch.dtype = torch.float16  # of the file
    dial: dict[str, dict[str, Any]] = field(default_factory=dict)  # settings of "S", "M", ...
    turned: str = ""  # to which of them
    ships: bool = True  # with its weights

    @property
    def path(self) -> Path:
        return WEIGHTS / f"{self.name}.safetensors"

    @property
    def settings(self) -> dict[str, Any]:
        """Every setting that `but` can change; what a loop fixes by itself is not among them."""
        return self.sizes | self.plan.numbers | self.more | {"seed": self.seed}

    @property
    def size(self) -> int:
        """How many numbers the training decides."""
        return sum(p.numel() for p in self.untrained().parameters())

    def but(self, **changes: Any) -> "Recipe":
        """The same with other settings; ValueError for a name that it has not."""
        if unknown := changes.keys() - {*self.sizes, *self.more, *NUMBERS, "seed"}:
            raise ValueError(f"{self.name} has no {', '.join(sorted(unknown))}")
        sizes, more = (
            {k: changes.get(k, v) for k, v in d.items()} for d in (self.sizes, self.more)
        )
        plan = replace(self.plan, **{k: v for k, v in changes.items() if k in NUMBERS})
        seed = changes.get("seed", self.seed)
        return replace(self, sizes=sizes, more=more, plan=plan, seed=seed)

    def at(self, size: str) -> "Recipe":
        """The same in another size of its dial."""
        if size not in self.dial:
            raise ValueError(f"{self.name} has the sizes {', '.join(self.dial)}, not {size}")
        return replace(self.but(**self.dial[size]), turned=size)

    def untrained(self) -> Any:
        """The model before training; torch's global noise is left as it was."""
        with seeded(self.seed):
            return self.build(**self.sizes)

    def train(self, model: Any, *data: Any) -> Run:
        """The run that trains it, on its own data unless others are given."""
        plan = replace(self.plan, seed=self.seed)
        return self.loop(model, *(data or self.data()), plan=plan, **self.more)

    def load(self, path: Path | None = None, *, dtype: torch.dtype | None = None) -> Any:
        """The trained model, of the shipped file or of another, to evaluate, without gradients."""
        path = path or self.path
        dtype = dtype or torch.get_default_dtype()
        recipe = f"genlab train {self.name} --force --out {path.parent}"
        with default_dtype(dtype):
            model = load_weights(self.untrained(), path, dtype=dtype, recipe=recipe)
        return model.requires_grad_(False)

    def card(self) -> dict[str, Any]:
        return read_card(self.path)

    def figures(self, model: nn.Module, dtype: torch.dtype | None = None) -> Figures:
        """Its held-out figures, in double precision, once its weights are rounded to `dtype`."""
        with default_dtype(torch.float64):
            rounded = copy.deepcopy(model).to("cpu", dtype or self.dtype).to(torch.float64)
            return self.measure(rounded.eval().requires_grad_(False))
