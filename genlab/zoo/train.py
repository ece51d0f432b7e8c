"""A training with a name: what `genlab train NAME` does, from a seed to a file with its card.

Lesson: notebooks/15_four_paradigm_landscape.ipynb
"""

import copy
import dataclasses
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import torch
from torch import nn

from genlab.core.weights import load_weights, read_card, require_room, save_weights
from genlab.train import Checkpoint, Record, Run, parallel, resumable
from genlab.train.fit import keep_freed_memory
from genlab.zoo.cards import Figures, default_dtype

SHIPPED = Path(__file__).parent / "weights"

Watch = Callable[[Record, int, float], object]  # record, number of steps, processor seconds


@final
@dataclass(frozen=True)
class Training:
    """A recipe with everything that a file of weights and its card need."""

    name: str  # of the file, and on the command line
    what: str  # one line: which model of what
    lesson: int  # where it is explained
    seconds: float  # stated time of the training on two cores
    settings: Any  # the paradigm's frozen `Recipe`, with `n_steps` and `seed`
    build: Callable[[Any], nn.Module]  # settings -> untrained model, seeded
    start: Callable[[Any, Any], Run]  # model, settings -> the run that trains it
    measure: Callable[[Any], Figures]  # trained model in double precision -> its held-out figures
    data: str  # what it was trained on
    digest: Callable[[], str]  # names these data by their content
    dtype: torch.dtype = torch.float32  # precision of the file
    folder: Path = SHIPPED  # where the shipped file lies

    @property
    def path(self) -> Path:
        """The shipped file."""
        return self.folder / f"{self.name}.safetensors"


def load(training: Training, path: Path | None = None, *, dtype: torch.dtype | None = None) -> Any:
    """Load a trained model, ready to evaluate, without gradients of its weights.

    Args:
        training: which one.
        path: another file than the shipped one.
        dtype: its precision; torch's default when None.

    Returns:
        The model.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is damaged, or holds another model.
    """
    path = path or training.path
    recipe = f"genlab train {training.name} --force --out {path.parent}"
    with default_dtype(dtype or torch.get_default_dtype()):
        model = training.build(training.settings)
        dtype = dtype or torch.get_default_dtype()
        return load_weights(model, path, dtype=dtype, recipe=recipe).requires_grad_(False)


def measured(training: Training, model: nn.Module, dtype: torch.dtype) -> Figures:
    """Measure a model's held-out figures, as it will be when its weights are rounded.

    Args:
        training: says how.
        model: trained; a copy is rounded and measured.
        dtype: precision of the weights.

    Returns:
        Figures by name.
    """
    with default_dtype(torch.float64):
        rounded = copy.deepcopy(model).to(dtype).to(torch.float64)
        return training.measure(rounded.eval().requires_grad_(False))


def train(
    training: Training,
    path: Path,
    *,
    n_steps: int | None = None,
    force: bool = False,
    every: float = 10.0,
    watch: Watch | None = None,
) -> dict[str, Any] | None:
    """Train from where the last attempt stood, measure, and write the weights with their card.

    Args:
        training: which one.
        path: `NAME.safetensors`; `NAME.checkpoint` lies beside it until it is finished.
        n_steps: another number of steps than the recipe's.
        force: may replace a file that is there.
        every: seconds between two checkpoints; like the card's, they are the processor's, which
            other programs on the machine do not lengthen. One that cannot be written is a warning.
        watch: called after each step; the training stops there when it returns True, and the next
            call goes on.

    Returns:
        The card; None when it was stopped, and in every process of a group but the first.

    Raises:
        FileExistsError: there is such a file, and `force` is False. Weights without a card beside
            an unfinished checkpoint are what a killed process left: they are made again.
        ValueError: the checkpoint is damaged or of another recipe, or `n_steps` or `every` is out
            of its range.
        OSError: the file cannot be written there, which is tried before the first step.
        FloatingPointError: the training diverged.
    """
    checkpoint_path, card_path = path.with_suffix(".checkpoint"), path.with_suffix(".json")
    unfinished = checkpoint_path.exists() and not card_path.exists()
    if path.exists() and not path.is_dir() and not force and not unfinished:
        raise FileExistsError(f"{path} exists: --force replaces it, --out names another place")
    settings = training.settings
    if n_steps is not None:
        settings = dataclasses.replace(settings, n_steps=n_steps)
    with parallel.group(), _one_thread(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)  # dropout draws from torch's global noise
        model = training.build(settings)
        parallel.agree(model)
        run = training.start(model, settings)
        checkpoint = Checkpoint(checkpoint_path, _identity(training, settings))
        first = parallel.rank() == 0
        if first:
            width = torch.finfo(training.dtype).bits // 8
            require_room(path, width * sum(w.numel() for w in model.state_dict().values()))
        left = resumable(run, checkpoint, every=every, writes=first, clock=time.process_time)
        with closing(left) as steps:
            for record, seconds in steps:
                checkpoint.seconds = seconds
                if watch is not None and watch(record, run.n_steps, seconds) is True:
                    return None
        if not first:
            return None
        try:
            _write(training, model, path, settings, checkpoint.seconds)
        except OSError as error:
            again = "make room there and repeat the command: it goes on from its last checkpoint"
            raise OSError(f"the weights could not be written ({error}); {again}") from error
        checkpoint.remove()
        return read_card(path)


def _write(training: Training, model: nn.Module, path: Path, settings: Any, seconds: float) -> None:
    """Measure a trained model and write its weights and its card."""
    steps = "" if settings == training.settings else f" --steps {settings.n_steps}"
    card = {
        "name": training.name,
        "what": training.what,
        "recipe": f"genlab train {training.name}{steps}",
        "settings": dataclasses.asdict(settings),
        "seed": settings.seed,
        "data": training.data,
        "data_sha256": training.digest(),
        "metrics": measured(training, model, training.dtype),
        "seconds": round(seconds, 1),
        "processes": parallel.size(),
    }
    if training.dtype == torch.float16:  # what the rounding costs
        card["metrics_in_float32"] = measured(training, model, torch.float32)
    save_weights(model, path, card, dtype=training.dtype)


def _identity(training: Training, settings: Any) -> dict[str, Any]:
    """Return what must be the same in a process that goes on."""
    return {
        "name": training.name,
        **dataclasses.asdict(settings),
        "data": training.digest(),
        "processes": parallel.size(),
        "torch": torch.__version__,
    }


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
