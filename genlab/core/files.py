"""Files that are either the old one or the new one, never half of a new one.

Lesson: `genlab train` writes its checkpoints and weights through here.
"""

import contextlib
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path


def replace_file(path: Path, data: bytes) -> None:
    """Write a file beside its place, then move it there in one step.

    A process that is killed, or a disk that fills up, leaves the earlier file as it was.

    Args:
        path: where the file belongs; its folder is made when it is missing.
        data: all of its bytes.
    """
    replace_files({path: data})


def replace_files(contents: Mapping[Path, bytes]) -> None:
    """Write files that belong together: all are on the disk before the first is moved into place.

    What killed processes left beside them is removed.

    Args:
        contents: the bytes of each file, in the order in which they are moved.
    """
    written: dict[Path, Path] = {}
    try:
        for path, data in contents.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            _remove_left_over(path)
            beside = written[path] = path.with_name(f".{path.name}.{os.getpid()}")
            with beside.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            beside.chmod(0o644)
        for path, beside in written.items():
            beside.replace(path)
    finally:
        for beside in written.values():
            with contextlib.suppress(OSError):  # the error that is on its way says more
                beside.unlink(missing_ok=True)


def require_room(path: Path, n_bytes: int) -> None:
    """Find out now, and not after an hour, whether a file of some size can be written.

    Args:
        path: where it will be; its folder is made when it is missing.
        n_bytes: its size.

    Raises:
        OSError: it cannot: a folder of that name, no right to write, no room left.
    """
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder: expected the name of a file")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path.parent) as file:
            file.write(bytes(n_bytes))
            file.flush()
    except FileExistsError:  # `mkdir` says no more than that of a file in the folder's place
        raise NotADirectoryError(f"{path.parent} is a file: expected a folder") from None
    except OSError as error:  # named is not the file that was tried, but where
        raise OSError(error.errno, error.strerror, str(path.parent)) from None


def _remove_left_over(path: Path) -> None:
    """Remove what a process that was killed while it wrote this file has left beside it."""
    prefix = f".{path.name}."
    for beside in path.parent.iterdir():
        pid = beside.name.removeprefix(prefix)
        if beside.name != pid and pid.isdecimal() and not _runs(int(pid)):
            with contextlib.suppress(OSError):
                beside.unlink()


def _runs(pid: int) -> bool:
    """Say whether a process runs; where that cannot be told, it does."""
    if os.name != "posix":
        return True
    try:
        os.kill(pid, 0)  # sends nothing
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        pass
    return True
