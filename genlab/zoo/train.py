"""What a shipped model is, as one row of plain data, and `genlab train`: from a row to its file."""

import copy
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Generator, Tensor, nn

from genlab.core.weights import load_weights, read_card, save_weights
from genlab.files import require_room
from genlab.train import Record, Run, cosine, fit, fit_adversarial, minibatches
from genlab.train.distributed import World
from genlab.train.fit import keep_freed_memory
from genlab.train.resume import restore, store
from genlab.zoo.cards import Figures, default_dtype

SHIPPED = Path(__file__).parent / "weights"


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
    n_steps: int,
    batch_size: int,
    lr: float | Callable[[int], float],
    seed: int,
    warmup: int = 0,
    change: Callable[[Any, Generator], Any] | None = None,
    **options: Any,
) -> Run:
    """Run `fit` on minibatches, `lr` falling along a cosine; the model ends in evaluation mode.

    One generator, from `seed`, draws the order, then for `change`, then the noise of the loss.
    """
    generator = Generator().manual_seed(seed)
    changed = None if change is None else lambda batch: change(batch, generator)
    batches = minibatches(x, batch_size, cond=cond, generator=generator, change=changed)
    rate = lr if callable(lr) else cosine(lr, n_steps, warmup=min(warmup, n_steps))
    options = {"generator": generator, "finish": model.eval} | options
    model.train()
    return fit(model, batches, n_steps=n_steps, lr=rate, **options)


def by_game(model: Any, x: Tensor, *, batch_size: int, seed: int, **options: Any) -> Run:
    """Run `fit_adversarial` on minibatches; one generator, from `seed`, draws everything."""
    generator = Generator().manual_seed(seed)
    batches = minibatches(x, batch_size, generator=generator)
    return fit_adversarial(model, batches, generator=generator, **options)


@dataclass(frozen=True)
class Model:
    """A shipped model: how it is built, trained and measured."""

    name: str  # of its file, and on the command line
    what: str  # one line: which model of what
    lesson: int  # where it is explained
    seconds: float  # of the training, about, on two cores
    seed: int  # of weights, order of the data, and noise
    build: Callable[..., nn.Module]  # (**sizes) -> untrained, drawing from torch's global noise
    sizes: dict[str, Any]
    data: Callable[[], tuple[Any, ...]]  # () -> what the loop trains on: x, or x and cond
    source: str  # these data, in words
    digest: Callable[[], str]  # and named by their content
    fit: dict[str, Any]  # n_steps, batch_size, lr, ...
    measure: Callable[[Any], Figures]  # trained model in double precision -> held-out figures
    loop: Callable[..., Run] = by_loss  # (model, *data, seed=seed, **fit) -> the run that trains it
    dtype: torch.dtype = torch.float16  # of the file
    dial: dict[str, dict[str, Any]] = field(default_factory=dict)  # settings of "S", "M", ...
    turned: str = ""  # to which of them

    @property
    def path(self) -> Path:
        return SHIPPED / f"{self.name}.safetensors"

    @property
    def settings(self) -> dict[str, Any]:
        """Every number that decides what the trained model is."""
        return self.sizes | self.fit | {"seed": self.seed}

    @property
    def size(self) -> int:
        """How many numbers the training decides."""
        return sum(p.numel() for p in self.untrained().parameters())

    def but(self, **changes: Any) -> "Model":
        """The same with other settings; ValueError for a name that it has not."""
        if unknown := changes.keys() - self.settings.keys():
            raise ValueError(f"{self.name} has no {', '.join(sorted(unknown))}")
        sizes, fit = ({k: changes.get(k, v) for k, v in d.items()} for d in (self.sizes, self.fit))
        return replace(self, sizes=sizes, fit=fit, seed=changes.get("seed", self.seed))

    def at(self, size: str) -> "Model":
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
        return self.loop(model, *(data or self.data()), seed=self.seed, **self.fit)

    def load(self, path: Path | None = None, *, dtype: torch.dtype | None = None) -> Any:
        """The trained model, of the shipped file or of another, to evaluate, without gradients."""
        path, dtype = path or self.path, dtype or torch.get_default_dtype()
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


def train(
    row: Model,
    path: Path,
    *,
    n_steps: int | None = None,
    force: bool = False,
    every: float = 10.0,
    device: torch.device | str = "cpu",
    bfloat16: bool = False,
    watch: Callable[[Record, int, float], object] = lambda *_: None,
) -> dict[str, Any] | None:
    """Train from where the last attempt stood, and write weights and card; return the card.

    `NAME.checkpoint` is written beside `path` every `every` processor seconds. If `watch(record,
    n_steps, seconds)` returns True no card comes, and the next call continues. With `force`, or if
    a killed process left it without its card, a file that is there is replaced. The noise is drawn
    on the CPU, and so the same on every `device`; `bfloat16` is for models with one loss. Of
    several processes the first writes, and the others return {}.
    """
    stand, card_path = path.with_suffix(".checkpoint"), path.with_suffix(".json")
    unfinished = stand.exists() and not card_path.exists()
    if path.exists() and not path.is_dir() and not force and not unfinished:
        raise FileExistsError(f"{path} exists: --force replaces it, --out names another place")
    if not every >= 0:
        raise ValueError(f"every must be at least 0 seconds, got {every}")
    if bfloat16 and not hasattr(row.untrained(), "loss"):
        raise ValueError(f"bfloat16 is for models that are trained by one loss; {row.name} is not")
    used = row if n_steps is None else row.but(n_steps=n_steps)
    used = replace(used, fit=used.fit | {"bfloat16": True}) if bfloat16 else used
    identity, world = {"name": row.name, **used.settings}, World(device)
    identity |= {"data": row.digest(), "torch": torch.__version__}
    identity |= {} if str(device) == "cpu" else {"device": str(device)}
    identity |= {"--size": row.turned} if row.turned else {}
    identity |= {"processes": world.size} if world.size > 1 else {}
    with _one_thread(), seeded(row.seed):  # dropout draws from torch's global noise
        model = used.untrained().to(world.device)
        hooks = world.hooks(model, used.fit.get("average"))
        run = replace(used, fit=used.fit | hooks).train(model)
        width = torch.finfo(row.dtype).bits // 8
        require_room(path, width * sum(w.numel() for w in model.state_dict().values()))
        seconds, start = world.same(restore(run, stand, identity)), time.process_time()
        written, start = start, start - seconds
        for record in run:
            seconds = (now := time.process_time()) - start
            due = world.rank == 0 and now - written >= every
            stopped, due = world.any(watch(record, run.n_steps, seconds) is True, due)
            if stopped or due or run.step == run.n_steps:
                _keep(run, stand, identity, seconds, stopped, world.rank == 0)
                written = time.process_time()
            if stopped:
                return None
        if world.size > 1:
            weights = run.state_dict()["parts"]["model"]  # gathered
            (model := used.untrained()).load_state_dict(weights)
        if world.rank > 0:
            return {}
        try:
            save_weights(model, path, _card(used, row, model, seconds), dtype=row.dtype)
        except OSError as error:
            again = "make room there and repeat the command: it goes on from its last checkpoint"
            raise OSError(f"the weights could not be written ({error}); {again}") from error
        stand.unlink(missing_ok=True)
        return read_card(path)


def _keep(
    run: Run, path: Path, identity: dict[str, Any], seconds: float, stopped: bool, write: bool
) -> None:
    """Store a run; a run that could go on without does not end for it."""
    try:
        store(run, path, identity, seconds, write=write)
    except OSError as error:
        if stopped:
            raise OSError(f"step {run.step} could not be kept ({error})") from error
        warnings.warn(f"no checkpoint of step {run.step}: {error}", stacklevel=2)


def _card(used: Model, row: Model, model: nn.Module, seconds: float) -> dict[str, Any]:
    """What the card says, less what `save_weights` adds."""
    size = f" --size {row.turned}" if row.turned else ""
    steps = "" if used.settings == row.settings else f" --steps {used.fit['n_steps']}"
    card = {
        "name": row.name, "what": row.what, "recipe": f"genlab train {row.name}{size}{steps}",
        "settings": used.settings, "seed": row.seed, "data": row.source,
        "data_sha256": row.digest(), "metrics": row.figures(model), "seconds": round(seconds, 1),
    }  # fmt: skip
    if row.dtype == torch.float16:  # what the rounding costs
        card["metrics_in_float32"] = row.figures(model, torch.float32)
    return card


@contextmanager
def _one_thread() -> Iterator[None]:
    """Compute on one thread: networks this small are slower when threads wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    keep_freed_memory()
    try:
        yield
    finally:
        torch.set_num_threads(threads)
