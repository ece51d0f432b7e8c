"""Runs that survive: a file says where the run stands, and the next process goes on from there.

The file is replaced in one step, so that a kill at any moment, also while it is being written,
leaves a whole one. What is lost is the time since it was written, never a digit of the result.
Lesson: `genlab train`
"""

import hashlib
import io
import json
import pickle
import time
import warnings
from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from typing import Any, final

import torch

from genlab.core.weights import replace_file
from genlab.train.fit import Record, Run


@final
class Checkpoint:
    """The place of a run's state, and which run it is of.

    Args:
        path: the file.
        identity: what must be the same in the process that goes on: recipe, number of steps,
            seed, ... by name; values that JSON can hold.
    """

    def __init__(self, path: Path, identity: Mapping[str, Any]) -> None:
        self.path = path
        self.identity: dict[str, Any] = json.loads(json.dumps(dict(identity)))  # plain values only
        self.seconds = 0.0  # what the run had taken when it was last written or restored

    def write(self, run: Run, seconds: float) -> None:
        """Write where the run stands, in place of what was written before.

        Args:
            run: at rest between two steps.
            seconds: time that it has taken so far.
        """
        buffer = io.BytesIO()
        state = {"identity": self.identity, "seconds": seconds, "run": run.state_dict()}
        torch.save(state, buffer)
        data = buffer.getvalue()
        replace_file(self.path, hashlib.sha256(data).digest() + data)
        self.seconds = seconds

    def restore(self, run: Run) -> float:
        """Take a run to where it was written last; without a file it stays at its start.

        Args:
            run: built in the same way as the one that was written.

        Returns:
            Seconds that it had taken; 0 without a file.

        Raises:
            ValueError: the file is damaged, belongs to a run of another identity, or is a folder.
            OSError: it cannot be read.
        """
        if self.path.is_dir():
            raise ValueError(f"{self.path} is a folder, expected a checkpoint or nothing")
        if not self.path.exists():
            return 0.0
        digest, data = (file := self.path.read_bytes())[:32], file[32:]
        state = _unpack(data) if hashlib.sha256(data).digest() == digest else None
        if state is None:
            raise ValueError(f"{self.path.name} is damaged: delete it to start from the beginning")
        stored = state["identity"]
        names = self.identity | stored
        odd = [name for name in names if stored.get(name) != self.identity.get(name)]
        if odd:
            differ = "; ".join(
                f"{name}: {stored.get(name)} there, {self.identity.get(name)} here" for name in odd
            )
            raise ValueError(
                f"{self.path.name} belongs to another run ({differ}): repeat that one to its end, "
                "or delete the file to start from the beginning"
            )
        run.load_state_dict(state["run"])
        self.seconds = float(state["seconds"])
        return self.seconds

    def remove(self) -> None:
        """Delete the file, when what it was kept for has been written elsewhere."""
        self.path.unlink(missing_ok=True)


def resumable(
    run: Run,
    checkpoint: Checkpoint,
    *,
    every: float = 10.0,
    writes: bool = True,
    clock: Callable[[], float] = time.monotonic,
) -> Generator[tuple[Record, float], None, None]:
    """Take a run's remaining steps; write a checkpoint now and then, and when the caller stops.

    The last step is written too, before what follows the run: to measure a model takes a while. A
    checkpoint that cannot be written does not end a run that could go on: it warns and goes on.

    Args:
        run: at its start; it is taken to where the checkpoint says.
        checkpoint: read first; the caller removes it in the end.
        every: seconds between two writings; 0 for one after each step.
        writes: False in processes that must not write (all but one of a group).
        clock: tells the time in seconds.

    Yields:
        Each record, and the seconds that all steps so far have taken, in all processes that took
        part one after the other.

    Raises:
        ValueError: as `Checkpoint.restore`, or `every` is negative.
        OSError: the caller stops, and where it stopped cannot be written.
    """
    if not every >= 0:
        raise ValueError(f"every must be at least 0 seconds, got {every}")
    start = clock() - checkpoint.restore(run)
    written = clock()
    for record in run:
        try:
            yield record, clock() - start
        except GeneratorExit:  # between two steps: nothing is half done
            if writes:
                try:
                    checkpoint.write(run, clock() - start)
                except OSError as error:
                    raise OSError(f"step {run.step} could not be kept ({error})") from error
            raise
        if writes and (clock() - written >= every or run.step == run.n_steps):
            try:
                checkpoint.write(run, clock() - start)
            except OSError as error:
                warnings.warn(f"no checkpoint of step {run.step}: {error}", stacklevel=2)
            written = clock()


def _unpack(data: bytes) -> dict[str, Any] | None:
    """Return what was written, or None when that cannot be read."""
    try:
        state = torch.load(io.BytesIO(data), weights_only=True)
    except (RuntimeError, pickle.UnpicklingError, EOFError):
        return None
    return state if isinstance(state, dict) else None
