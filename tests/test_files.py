"""A file is the old one or the new one, and as private as its owner has made it."""

import os
import platform
import stat

import processes
import pytest

from genlab.files import replace_file, replace_files, require_room

HOST = platform.node()


@pytest.fixture
def umask():
    """Set the umask, which is put back afterwards."""
    before = os.umask(0o022)
    yield os.umask
    os.umask(before)


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize(("mask", "wanted"), [(0o077, 0o600), (0o027, 0o640), (0o022, 0o644)])
def test_a_new_file_is_as_private_as_the_umask_says(tmp_path, umask, mask, wanted):
    umask(mask)
    replace_file(tmp_path / "a", b"answers")
    assert mode(tmp_path / "a") == wanted


@pytest.mark.parametrize("before", [0o600, 0o640, 0o664])
def test_a_file_that_is_replaced_keeps_its_mode(tmp_path, umask, before):
    umask(0o022)
    (tmp_path / "a").write_bytes(b"old")
    (tmp_path / "a").chmod(before)
    replace_file(tmp_path / "a", b"new")
    assert mode(tmp_path / "a") == before
    assert (tmp_path / "a").read_bytes() == b"new"


@pytest.mark.parametrize("there", [True, False], ids=["to a file", "to nothing yet"])
def test_a_symbolic_link_stays_and_what_it_leads_to_is_replaced(tmp_path, there):
    (tmp_path / "drive").mkdir()
    (tmp_path / "a").symlink_to("drive/b")
    if there:
        (tmp_path / "drive" / "b").write_bytes(b"old")
    replace_file(tmp_path / "a", b"new")
    assert (tmp_path / "a").is_symlink()
    assert (tmp_path / "drive" / "b").read_bytes() == b"new"
    assert [path.name for path in (tmp_path / "drive").iterdir()] == ["b"]


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_what_a_killed_process_left_goes_and_what_runs_or_is_of_another_machine_stays(tmp_path):
    ended = processes.start(lambda: None)
    processes.wait(ended)
    kept = {
        f".a.{HOST}.{os.getppid()}", f".a.elsewhere.{ended}", f".a.{ended}", ".a.txt",
        f".other.{HOST}.{ended}",
    }  # fmt: skip
    for name in (*kept, f".a.{HOST}.{ended}", f".a.{HOST}.{os.getpid()}"):
        (tmp_path / name).write_bytes(b"half")
    replace_file(tmp_path / "a", b"new")
    assert {path.name for path in tmp_path.iterdir()} == kept | {"a"}
    assert (tmp_path / "a").read_bytes() == b"new"


def test_a_write_that_fails_leaves_the_earlier_files_and_nothing_beside_them(tmp_path, monkeypatch):
    calls = []

    def full_at_the_second(_):
        calls.append(1)
        if len(calls) == 2:
            raise OSError(28, "No space left on device")

    (tmp_path / "a").write_text("old")
    monkeypatch.setattr(os, "fsync", full_at_the_second)
    with pytest.raises(OSError, match="No space"):
        replace_files({tmp_path / "a": b"new", tmp_path / "b": b"new"})
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_text() == "old"


def test_every_file_is_on_the_disk_before_the_first_is_moved(tmp_path, monkeypatch):
    done = []
    monkeypatch.setattr(os, "fsync", lambda _: done.append("on the disk"))
    monkeypatch.setattr(
        "pathlib.Path.replace", lambda a, b: (done.append("moved"), os.replace(a, b))
    )
    replace_files({tmp_path / "a": b"1", tmp_path / "b": b"2"})
    assert done == ["on the disk", "on the disk", "moved", "moved"]


def test_room_is_asked_for_before_an_hour_of_work(tmp_path):
    require_room(tmp_path / "new" / "a", 10)
    assert list((tmp_path / "new").iterdir()) == []
    with pytest.raises(IsADirectoryError, match="is a folder: expected the name of a file"):
        require_room(tmp_path, 10)
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError, match="is a file: expected a folder"):
        require_room(tmp_path / "file" / "a", 10)
