"""A file is the old one or the new one, whatever happens in between."""

import os
from pathlib import Path

import processes
import pytest

from genlab.core.files import replace_file, replace_files, require_room


def test_the_new_file_takes_the_place_of_the_old(tmp_path):
    path = tmp_path / "deep" / "a.txt"
    replace_file(path, b"old")
    replace_file(path, b"new")
    assert path.read_bytes() == b"new"
    assert [p.name for p in path.parent.iterdir()] == ["a.txt"]


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "a.txt"
    replace_file(path, b"old")

    def full(_):
        raise OSError("no space left")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no space left"):
        replace_file(path, b"new")
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_the_error_that_is_told_is_the_first(tmp_path, monkeypatch):
    def read_only(self, *_, **__):
        raise OSError(30, "Read-only file system")

    def no_less(self, *_, **__):
        raise OSError(1, "the clean-up failed")

    monkeypatch.setattr(Path, "open", read_only)
    monkeypatch.setattr(Path, "unlink", no_less)
    with pytest.raises(OSError, match="Read-only"):
        replace_file(tmp_path / "a.txt", b"new")


def test_of_files_that_belong_together_none_is_moved_before_all_are_written(tmp_path, monkeypatch):
    first, second = tmp_path / "a", tmp_path / "b"
    replace_files({first: b"1", second: b"2"})
    calls = iter([None, OSError(28, "No space left on device")])

    def full(_):
        if error := next(calls):
            raise error

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        replace_files({first: b"3", second: b"4"})
    assert (first.read_bytes(), second.read_bytes()) == (b"1", b"2")
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_what_a_killed_process_left_is_removed_and_what_a_running_one_writes_is_not(tmp_path):
    ended = processes.start(lambda: None)
    processes.wait(ended)
    for name in (f".a.{ended}", f".a.{os.getppid()}", ".a.txt", f".other.{ended}"):
        (tmp_path / name).write_bytes(b"half")
    replace_file(tmp_path / "a", b"new")
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"a", f".a.{os.getppid()}", ".a.txt", f".other.{ended}"}


def test_a_place_that_can_be_written_is_left_as_it_was(tmp_path):
    require_room(tmp_path / "new" / "a", 1000)
    replace_file(tmp_path / "new" / "a", b"old")
    require_room(tmp_path / "new" / "a", 1000)
    assert [p.read_bytes() for p in (tmp_path / "new").iterdir()] == [b"old"]


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(NotADirectoryError, match="file is a file: expected a folder"):
        require_room(tmp_path / "file" / "a", 1)
    with pytest.raises(NotADirectoryError):
        require_room(tmp_path / "file" / "deeper" / "a", 1)
    with pytest.raises(IsADirectoryError, match="is a folder: expected the name of a file"):
        require_room(tmp_path, 1)
