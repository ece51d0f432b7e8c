"""Files that are either the old one or the new one, never half of a new one.

Lesson: `genlab train` writes its checkpoints and weights through here.
"""

import os
from pathlib import Path


def replace_file(path: Path, data: bytes) -> None:
    """Write a file beside its place, then move it there in one step.

    A process that is killed, or a disk that fills up, leaves the earlier file as it was.

    Args:
        path: where the file belongs; its folder is made when it is missing.
        data: all of its bytes.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with beside.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        beside.chmod(0o644)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
