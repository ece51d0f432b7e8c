"""`genlab train`: from a row to its file, whatever stops the process on the way."""

import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from genlab.core.weights import read_card, save_weights
from genlab.files import require_room
from genlab.train import Record, Run
from genlab.train.distributed import World
from genlab.train.fit import keep_freed_memory
from genlab.train.resume import restore, store
from genlab.zoo.recipe import Recipe, seeded


def train(
    row: Recipe,
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
    stand = path.with_suffix(".checkpoint")
    card_path = path.with_suffix(".json")
    unfinished = stand.exists() and not card_path.exists()
    if path.exists() and not path.is_dir() and not force and not unfinished:
        raise FileExistsError(f"{path} exists: --force replaces it, --out names another place")
    if not every >= 0:
        raise ValueError(f"every must be at least 0 seconds, got {every}")
    if bfloat16 and not hasattr(row.untrained(), "loss"):
        raise ValueError(f"bfloat16 is for models that are trained by one loss; {row.name} is not")
    used = row if n_steps is None else row.but(n_steps=n_steps)
    used = replace(used, plan=replace(used.plan, bfloat16=True)) if bfloat16 else used
    identity = {"name": row.name, **used.settings}
    world = World(device)
    identity |= {"data": row.digest(), "torch": torch.__version__}
    identity |= {} if str(device) == "cpu" else {"device": str(device)}
    identity |= {"--size": row.turned} if row.turned else {}
    identity |= {"processes": world.size} if world.size > 1 else {}
    with _one_thread(), seeded(row.seed):  # dropout draws from torch's global noise
        model = used.untrained().to(world.device)
        joined = world.fit_arguments(model, used.plan.average)
        run = replace(used, plan=replace(used.plan, **joined)).train(model)
        width = torch.finfo(row.dtype).bits // 8
        require_room(path, width * sum(w.numel() for w in model.state_dict().values()))
        seconds = world.same(restore(run, stand, identity))
        written = time.process_time()  # when the run was last kept
        start = written - seconds
        checkpoints = _Checkpoints(stand, identity, world.rank == 0)
        for record in run:
            seconds = (now := time.process_time()) - start
            due = world.rank == 0 and now - written >= every
            stopped, due = world.any(watch(record, run.n_steps, seconds) is True, due)
            if stopped or due or run.step == run.n_steps:
                checkpoints.keep(run, seconds, stopped)
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


@dataclass
class _Checkpoints:
    """Where a run stands, written now and then."""

    path: Path
    identity: dict[str, Any]
    write: bool  # one of several processes does
    said: bool = False  # that one could not be written: once a run is enough

    def keep(self, run: Run, seconds: float, stopped: bool) -> None:
        """Store a run; a run that could go on without does not end for it."""
        try:
            store(run, self.path, self.identity, seconds, write=self.write)
        except OSError as error:
            if stopped:
                raise OSError(f"step {run.step} could not be kept ({error})") from error
            if not self.said:
                warnings.warn(f"no checkpoint of step {run.step}: {error}", stacklevel=3)
            self.said = True


def _card(used: Recipe, row: Recipe, model: nn.Module, seconds: float) -> dict[str, Any]:
    """What the card says, less what `save_weights` adds."""
    size = f" --size {row.turned}" if row.turned else ""
    steps = "" if used.plan.n_steps == row.plan.n_steps else f" --steps {used.plan.n_steps}"
    half = " --bfloat16" if used.plan.bfloat16 and not row.plan.bfloat16 else ""
    card = {
        "name": row.name, "what": row.what, "recipe": f"genlab train {row.name}{size}{steps}{half}",
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
