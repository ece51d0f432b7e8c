"""Files that are either the old one or the new one, never half of a new one; without torch."""

import contextlib
import os
import platform
import stat
import tempfile
from collections.abc import Mapping
from pathlib import Path


def replace_file(path: Path, data: bytes) -> None:
    """Write a file beside its place, then move it there: a kill leaves the earlier file whole.

    A new file is as private as the umask says; one that is replaced keeps its mode. A symbolic link
    stays, and what it leads to is replaced.
    """
    replace_files({path: data})


def replace_files(contents: Mapping[Path, bytes]) -> None:
    """Write files that belong together: all are on the disk before the first is moved."""
    written: dict[Path, Path] = {}
    try:
        for path, data in contents.items():
            place = path.resolve() if path.is_symlink() else path
            place.parent.mkdir(parents=True, exist_ok=True)
            _remove_left_over(place)
            beside = written[place] = place.with_name(f"{_beside(place)}{os.getpid()}")
            try:
                _write(beside, data, like=place)
            except OSError as error:  # named is the file that is wanted, and not the one beside it
                raise OSError(error.errno, error.strerror, str(path)) from None
        for place, beside in written.items():
            beside.replace(place)
    finally:
        for beside in written.values():
            with contextlib.suppress(OSError):  # moved, or the error on its way says more
                beside.unlink()


def _write(path: Path, data: bytes, *, like: Path) -> None:
    """Write a file that is not there yet to the disk, with the mode of another that is there."""
    mode = stat.S_IMODE(like.stat().st_mode) if like.is_file() else None
    path.unlink(missing_ok=True)  # of a killed process that had our number
    with open(path, "xb", opener=lambda name, flags: os.open(name, flags, mode or 0o666)) as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    if mode is not None:
        path.chmod(mode)


def require_room(path: Path, n_bytes: int) -> None:
    """Raise OSError now, and not after an hour, where a file of this size cannot be written."""
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


def _beside(path: Path) -> str:
    """How the name begins under which this machine writes a file: that of its process is added."""
    return f".{path.name}.{platform.node()}."


def _remove_left_over(path: Path) -> None:
    """Remove what a process of this machine that was killed while it wrote has left beside."""
    prefix = _beside(path)
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
