"""One's work goes with one: a zip of it, and back, and a place of one's own for the progress."""

import base64
import json
import os
import re
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

import genlab_course as course
from genlab_course import work
from genlab_course.answers import LOG, answered, record
from genlab_course.copies import prepare
from genlab_course.places import BACKUPS, MARK, folder
from genlab_course.roster import roster
from genlab_course.start_page import PAGE

CELL = {"cell_type": "markdown", "id": "a", "metadata": {}, "source": "as shipped"}


def notebook(text):
    content = {"cells": [CELL | {"source": text}], "metadata": {}, "nbformat": 4}
    return json.dumps(content | {"nbformat_minor": 5})


@pytest.fixture
def shipped(tmp_path):
    source = tmp_path / "course"
    (source / "systems").mkdir(parents=True)
    (source / "04_flows.ipynb").write_text(notebook("four"))
    (source / "systems" / "glide.ipynb").write_text(notebook("glide"))
    return source


@pytest.fixture
def mine(tmp_path, shipped, monkeypatch):
    monkeypatch.delenv("GENLAB_MY", raising=False)
    prepare(tmp_path / "my", shipped)
    monkeypatch.chdir(tmp_path / "my")
    return tmp_path / "my"


@pytest.fixture
def elsewhere(tmp_path, shipped, monkeypatch):
    """Move to another machine, with fresh copies."""

    def go():
        prepare(tmp_path / "other", shipped)
        monkeypatch.chdir(tmp_path / "other")
        return tmp_path / "other"

    return go


def downloaded(tmp_path, monkeypatch):
    """The zip behind the link that `download` shows."""
    seen = []
    monkeypatch.setattr(work, "display", seen.append)
    course.download()
    name, data = re.search(
        r'download="(.+?)" href="data:application/zip;base64,(.+?)"', seen[0].data
    ).groups()
    (tmp_path / name).write_bytes(base64.b64decode(data))
    return tmp_path / name


def test_work_moves_to_another_machine(tmp_path, mine, elsewhere, monkeypatch, capsys):
    (mine / "04_flows.ipynb").write_text(notebook("my answer"))
    (mine / "own.ipynb").write_text(notebook("my own"))
    (mine / PAGE).write_text(notebook("start"))
    (mine / ".ipynb_checkpoints").mkdir()
    (mine / ".ipynb_checkpoints" / "x.ipynb").write_text("{}")
    record("02.loss", True)
    file = downloaded(tmp_path, monkeypatch)
    inside = {"04_flows.ipynb", "own.ipynb", "systems/glide.ipynb", LOG, MARK}
    assert set(zipfile.ZipFile(file).namelist()) == inside
    other = elsewhere()
    course.restore(file)
    assert "my answer" in (other / "04_flows.ipynb").read_text()
    assert "my own" in (other / "own.ipynb").read_text()
    assert sorted(p.name for p in other.glob("*.ipynb")) == ["04_flows.ipynb", "own.ipynb"]
    assert answered(other)["02.loss"].tries == 1
    assert "put back: 2 notebooks; added: 1 answers" in capsys.readouterr().out
    course.restore(file)
    assert answered(other)["02.loss"].tries == 1
    assert "put back: 0 notebooks; added: 0 answers" in capsys.readouterr().out


def test_a_copy_with_other_answers_is_kept_beside(tmp_path, mine, elsewhere, monkeypatch, capsys):
    (mine / "04_flows.ipynb").write_text(notebook("monday"))
    file = downloaded(tmp_path, monkeypatch)
    other = elsewhere()
    (other / "04_flows.ipynb").write_text(notebook("tuesday"))
    (other / "systems" / "glide.ipynb").write_text(notebook("tuesday, too"))
    course.restore(file)
    (kept,) = other.glob("04_flows.2*.ipynb")
    assert "tuesday" in kept.read_text()
    assert "monday" in (other / "04_flows.ipynb").read_text()
    assert "tuesday" in (other / "systems" / "glide.ipynb").read_text()  # monday's held no answer
    assert kept.name in capsys.readouterr().out


def test_a_restored_copy_is_known_by_the_version_that_it_was_made_from(
    tmp_path, shipped, mine, elsewhere, monkeypatch
):
    (mine / "04_flows.ipynb").write_text(notebook("monday"))
    made_from = json.loads((mine / MARK).read_text())["04_flows.ipynb"]
    file = downloaded(tmp_path, monkeypatch)
    (shipped / "04_flows.ipynb").write_text(notebook("four, revised"))
    other = elsewhere()
    assert json.loads((other / MARK).read_text())["04_flows.ipynb"] != made_from
    course.restore(file)
    assert json.loads((other / MARK).read_text())["04_flows.ipynb"] == made_from


def test_outputs_alone_make_no_second_copy_and_what_cannot_be_read_is_kept(
    tmp_path, mine, elsewhere, monkeypatch
):
    (mine / "04_flows.ipynb").write_text(notebook("monday"))
    (mine / "systems" / "glide.ipynb").write_text(notebook("my glide"))
    file = downloaded(tmp_path, monkeypatch)
    other = elsewhere()
    (other / "04_flows.ipynb").write_text(notebook("monday") + "\n")
    (other / "systems" / "glide.ipynb").write_text("half a file")
    course.restore(file)
    assert not list(other.glob("04_flows.2*"))
    (kept,) = (other / "systems").glob("glide.2*.ipynb")
    assert kept.read_text() == "half a file"
    assert "my glide" in (other / "systems" / "glide.ipynb").read_text()


@pytest.mark.parametrize(
    "name", ["../evil.ipynb", "/evil.ipynb", "a/../../evil.ipynb", "../my-evil/x.ipynb"]
)
def test_a_zip_that_leaves_the_folder_is_refused_whole(tmp_path, mine, name):
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as file:
        file.writestr("04_flows.ipynb", notebook("theirs"))
        file.writestr(name, "{}")
    with pytest.raises(ValueError, match="outside"):
        course.restore(tmp_path / "bad.zip")
    assert "four" in (mine / "04_flows.ipynb").read_text()
    assert not (tmp_path / "evil.ipynb").exists()


def test_a_link_in_the_folder_leads_nowhere(tmp_path, mine):
    (tmp_path / "secret").mkdir()
    (mine / "way").symlink_to(tmp_path / "secret")
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as file:
        file.writestr("way/evil.ipynb", "{}")
    with pytest.raises(ValueError, match="outside"):
        course.restore(tmp_path / "bad.zip")


def zip_of(path, files):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, text in files.items():
            file.writestr(name, text)
    return path


def test_what_cannot_be_put_back_is_named_and_the_rest_is(tmp_path, mine, capsys):
    long = "b" * 300
    packed = {
        "a.ipynb": notebook("a"), "a.ipynb/x.ipynb": notebook("x"), f"{long}.ipynb": notebook("b"),
        "no.ipynb": "not json", "04_flows.ipynb": notebook("monday"),
    }  # fmt: skip
    course.restore(zip_of(tmp_path / "odd.zip", packed))
    said = capsys.readouterr().out
    assert "not put back: a.ipynb/x.ipynb (" in said
    assert f"not put back: {long}.ipynb (File name too long)" in said
    assert "not put back: no.ipynb (no notebook)" in said
    assert "put back: 2 notebooks" in said
    assert "monday" in (mine / "04_flows.ipynb").read_text()
    assert not (mine / "no.ipynb").exists()


def test_a_zip_is_unpacked_up_to_a_bound(tmp_path, mine, monkeypatch):
    bomb = zip_of(tmp_path / "bomb.zip", {"04_flows.ipynb": b" " * 3_000_000})
    monkeypatch.setattr(work, "MOST_UNPACKED", 2_000_000)
    with pytest.raises(ValueError, match=r"bomb\.zip: 3,000,000 bytes are packed in it; at most"):
        course.restore(bomb)
    other = zip_of(tmp_path / "b.zip", {"data.bin": b" " * 3_000_000, "own.ipynb": notebook("o")})
    course.restore(other)  # what is no notebook is not unpacked
    assert (mine / "own.ipynb").is_file()
    assert not (mine / "data.bin").exists()


def test_a_damaged_zip_is_said_in_a_sentence(tmp_path, mine):
    data = bytearray(zip_of(tmp_path / "a.zip", {"04_flows.ipynb": notebook("a")}).read_bytes())
    data[60:70] = b"\xff" * 10
    (tmp_path / "a.zip").write_bytes(data)
    with pytest.raises(ValueError, match=r"a\.zip: expected a zip that .* made \("):
        course.restore(tmp_path / "a.zip")
    assert "four" in (mine / "04_flows.ipynb").read_text()


@pytest.mark.parametrize(
    ("name", "start"),
    [("heron", "genlab-heron-2"), ('Dörte "x"/../<b>', "genlab-Dörte-x-..-b-2"), ("", "genlab-2")],
)
def test_a_download_carries_a_name_that_a_class_is_shown(mine, monkeypatch, name, start):
    seen = []
    monkeypatch.setattr(work, "display", seen.append)
    course.download(name)
    (file,) = re.findall(r'download="([^"]+)"', seen[0].data)
    assert file.startswith(start)
    assert file.endswith(".zip")
    record("02.loss", True)
    (mine / "class").mkdir()
    (mine / "class" / file).write_bytes(work.pack(mine))
    assert list(roster(mine / "class")[0]) == [start[7:-2] if name else file.removesuffix(".zip")]


def test_what_is_no_zip_is_said(tmp_path, mine):
    (tmp_path / "no.zip").write_text("text")
    with pytest.raises(ValueError, match="expected a zip that"):
        course.restore(tmp_path / "no.zip")


def test_large_backups_stay_and_a_large_zip_becomes_a_file(mine, monkeypatch):
    (mine / BACKUPS).mkdir()
    (mine / BACKUPS / "04.ipynb").write_text(notebook("old"))
    assert b"backups/04.ipynb" in work.pack(mine)
    monkeypatch.setattr(work, "MOST_BACKUPS", 10)
    assert b"backups/04.ipynb" not in work.pack(mine)
    monkeypatch.setattr(work, "MOST_LINK", 10)
    seen = []
    monkeypatch.setattr(work, "display", seen.append)
    course.download()
    (file,) = mine.glob("genlab-*.zip")
    assert zipfile.ZipFile(file).testzip() is None
    assert file.name in seen[0]._repr_html_()


def test_the_link_of_an_earlier_download_is_not_taken_along(mine):
    (mine / "04_flows.ipynb").write_text(notebook("data:application/zip;base64,UEsDBB+/8A== end"))
    (mine / "zip").write_bytes(work.pack(mine))
    text = zipfile.ZipFile(mine / "zip").read("04_flows.ipynb").decode()
    assert "UEsDBB" not in text
    assert json.loads(text)["cells"][0]["source"] == " end"


def test_without_copies_there_is_nothing_to_download(tmp_path, monkeypatch):
    monkeypatch.delenv("GENLAB_MY", raising=False)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match="genlab start"):
        course.download()


def test_progress_is_kept_where_it_was_pointed(tmp_path, mine, monkeypatch, capsys):
    monkeypatch.setenv("GENLAB_MY", str(mine))  # and put back afterwards
    record("02.loss", True)
    drive = tmp_path / "drive" / "genlab"
    course.keep(drive)
    record("02.pairs", True)
    assert answered(drive).keys() == {"02.loss", "02.pairs"}
    assert answered(mine).keys() == {"02.loss"}
    assert str(drive) in capsys.readouterr().out
    course.keep(drive)
    assert answered(drive)["02.loss"].tries == 1
    assert folder() == drive.resolve()


def test_on_a_machine_without_copies_too(tmp_path, monkeypatch):
    monkeypatch.setenv("GENLAB_MY", "")
    monkeypatch.chdir(tmp_path)
    course.keep("drive")
    record("02.pairs", True)
    assert answered(tmp_path / "drive").keys() == {"02.pairs"}
    assert os.environ["GENLAB_MY"] == str((tmp_path / "drive").resolve())


lines = st.lists(st.text("ab\u00e9 {}", min_size=1).filter(str.strip))


@given(lines, lines)
def test_lines_are_added_once_and_none_is_lost(tmp_path_factory, ours, theirs):
    log = tmp_path_factory.mktemp("log") / LOG
    log.write_text("\n".join(ours), encoding="utf-8")
    source = log.with_name("theirs")
    source.write_text("\n".join(theirs), encoding="utf-8")
    added = work.merge(source, log)
    after = [line for line in log.read_text(encoding="utf-8").splitlines() if line]
    assert after == [*ours, *(t for t in theirs if t not in ours)]
    assert added == len(after) - len(ours)
    assert work.merge(source, log) == 0
