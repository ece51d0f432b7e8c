"""What students hand in: as it arrives, damaged, and made to hurt whoever opens it."""

import io
import json
import os
import signal
import struct
import tracemalloc
import zipfile

import pytest

from genlab_course.places import MARK
from genlab_course.roster import MOST, roster

LINE = json.dumps({"id": "02.loss", "right": True, "at": 1})
OTHER = json.dumps({"id": "02.pairs", "right": False, "at": 2})


def zipped(files, method=zipfile.ZIP_DEFLATED):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method) as file:
        for name, text in files.items():
            file.writestr(name, text)
    return packed.getvalue()


def put(folder, files):
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data if isinstance(data, bytes) else data.encode())


ARRIVES = {
    "a folder of copies": ({"anna/progress.jsonl": LINE, f"anna/{MARK}": "{}"}, "anna"),
    "the folder in a folder": ({"anna/my/progress.jsonl": LINE}, "anna"),
    "a file": ({"anna.jsonl": LINE}, "anna"),
    "a download": (
        {"genlab-anna-2026-12-01T13-59-00.zip": zipped({"progress.jsonl": LINE})},
        "anna",
    ),
    "a download without a name": (
        {"genlab-2026-12-01T13-59-00.zip": zipped({"progress.jsonl": LINE})},
        "genlab-2026-12-01T13-59-00",
    ),
    "Moodle's folder": (
        {"Dora Doe_123_assignsubmission_file/genlab-x.zip": zipped({"progress.jsonl": LINE})},
        "Dora Doe",
    ),
    "Moodle's file": (
        {"Dora Doe_123_assignsubmission_file_x.zip": zipped({"progress.jsonl": LINE})},
        "Dora Doe",
    ),
    "zipped by a file manager": (
        {
            "emil.zip": zipped(
                {"my/progress.jsonl": LINE, "__MACOSX/my/progress.jsonl": OTHER, "my/a.ipynb": "{}"}
            )
        },
        "emil",
    ),
    "hidden files beside": ({"anna.jsonl": LINE, ".DS_Store": "x", "Thumbs.db": "x"}, "anna"),
}


@pytest.mark.parametrize(("files", "name"), ARRIVES.values(), ids=ARRIVES)
def test_what_arrives_is_found_at_whatever_depth(tmp_path, files, name):
    put(tmp_path, files)
    assert roster(tmp_path) == ({name: [json.loads(LINE)]}, {})


def test_what_was_handed_in_twice_counts_once_and_what_was_done_twice_twice(tmp_path):
    put(tmp_path, {"anna/my/progress.jsonl": f"{LINE}\n{OTHER}\n{OTHER}"})
    put(tmp_path, {"anna/genlab.zip": zipped({"progress.jsonl": f"{LINE}\n{OTHER}"})})
    (entries,) = roster(tmp_path)[0].values()
    assert entries == [json.loads(LINE), json.loads(OTHER), json.loads(OTHER)]


def test_no_two_learners_become_one(tmp_path):
    put(tmp_path, {"Dora Doe_1_assignsubmission_file/progress.jsonl": LINE})
    put(tmp_path, {"Dora Doe_2_assignsubmission_file/progress.jsonl": OTHER, "Dora Doe.jsonl": ""})
    assert len(roster(tmp_path)[0]) == 3


def damaged():
    data = bytearray(zipped({"progress.jsonl": LINE * 50}))
    start = 30 + len("progress.jsonl")
    data[start : start + 8] = b"\xff" * 8
    return bytes(data)


def encrypted():
    data = bytearray(zipped({"progress.jsonl": LINE}))
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):  # the bit that says so
        at = data.index(mark) + offset
        data[at : at + 2] = struct.pack("<H", 1)
    return bytes(data)


UNREAD = {
    "gina.zip": (b"PK\x03\x04 broken", "damaged: not a zip archive"),
    "gina2.zip": (damaged(), "damaged: "),
    "ida.zip": (encrypted(), "encrypted: it has a password"),
    "fred.ipynb": ("{}", "expected a folder, a .zip or a .jsonl file"),
    "empty/notes.txt": ("", "no progress.jsonl in it"),
    "nothing.zip": (zipped({"a.txt": "x"}), "no progress.jsonl in it"),
    "all.zip": (
        zipped({"A_1_assignsubmission_file/progress.jsonl": LINE}),
        "Moodle's download of a whole class: unpack it first",
    ),
}


@pytest.mark.parametrize("name", UNREAD)
def test_what_cannot_be_read_is_named_with_the_reason_and_costs_nobody_elses_row(tmp_path, name):
    data, why = UNREAD[name]
    put(tmp_path, {name: data, "anna.jsonl": LINE})
    learners, unread = roster(tmp_path)
    assert list(learners) == ["anna"]
    ((who, said),) = unread.items()
    assert who == name.split("/")[0]
    assert said.startswith(why)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_named_pipe_keeps_nobody_waiting(tmp_path):
    put(tmp_path, {"anna.jsonl": LINE, "carl/my/x.txt": ""})
    os.mkfifo(tmp_path / "x.jsonl")
    os.mkfifo(tmp_path / "carl" / "progress.jsonl")
    signal.alarm(20)  # or this process ends
    learners, unread = roster(tmp_path)
    signal.alarm(0)
    assert list(learners) == ["anna"]
    assert unread["x.jsonl"].startswith("not a regular file, but a pipe")
    assert unread["carl"] == "no progress.jsonl in it"


def lies(data, size):
    """The same zip, whose head and directory say that the first file is small."""
    data = bytearray(data)
    for mark, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        at = data.index(mark) + offset
        data[at : at + 4] = struct.pack("<I", size)
    return bytes(data)


def bomb():
    return zipped({"progress.jsonl": b"\n" * 100_000_000})


TOO_MUCH = "more than 10 MB of progress, the limit for one learner"
BOMBS = {
    "a zip bomb": ("b.zip", bomb, TOO_MUCH),
    "a bomb that lies": ("b.zip", lambda: lies(bomb(), 9_000_000), "damaged: Bad CRC-32"),
    "one line": ("b.jsonl", lambda: b"x" * (MOST + 1), TOO_MUCH),
    "many files": (
        "b.zip",
        lambda: zipped({f"{k}/progress.jsonl": f"{k}" * (MOST // 2) for k in range(3)}),
        TOO_MUCH,
    ),
}


@pytest.mark.parametrize(("name", "data", "why"), BOMBS.values(), ids=BOMBS)
def test_no_more_is_read_of_one_learner_than_ten_megabytes(tmp_path, name, data, why):
    put(tmp_path, {name: data(), "anna.jsonl": LINE})
    tracemalloc.start()
    learners, unread = roster(tmp_path)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert list(learners) == ["anna"]
    assert list(unread) == [name]
    assert unread[name].startswith(why)
    assert most < 6 * MOST


def test_a_name_cannot_command_a_terminal(tmp_path):
    put(
        tmp_path, {"\x1b]0;title\x07\x1b[2Janna.jsonl": LINE, "\u202egnp.txt": "", "be\nrt.txt": ""}
    )
    learners, unread = roster(tmp_path)
    names = "".join((*learners, *unread, *unread.values()))
    assert names.isprintable()
    assert "anna" in names


def test_a_folder_in_which_nobody_can_be_read_says_why(tmp_path):
    put(tmp_path, {"gina.zip": b"broken"})
    with pytest.raises(FileNotFoundError, match=r"no learner in .*gina\.zip \(damaged: not a zip"):
        roster(tmp_path)
