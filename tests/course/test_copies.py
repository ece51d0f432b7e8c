"""Working copies: made once, renewed while untouched, and never written over."""

import json

import pytest

from genlab.course import copies
from genlab.course.copies import BACKUPS, prepare, reset
from genlab.course.progress import MARK


@pytest.fixture
def source(tmp_path):
    """A small course of two lessons and a lab."""
    folder = tmp_path / "notebooks"
    (folder / "systems").mkdir(parents=True)
    for name in ("01_first.ipynb", "02_second.ipynb", "systems/glide.ipynb"):
        (folder / name).write_text(f"{name}, version 1")
    return folder


@pytest.fixture
def mine(tmp_path):
    return tmp_path / "my"


def test_the_first_time_everything_is_copied(source, mine):
    made = prepare(mine, source)
    assert made.new == ("01_first.ipynb", "02_second.ipynb", "systems/glide.ipynb")
    assert (mine / "systems/glide.ipynb").read_text() == "systems/glide.ipynb, version 1"
    assert prepare(mine, source) == copies.Prepared((), (), ())


def test_an_update_renews_what_is_untouched_and_leaves_what_was_edited(source, mine):
    prepare(mine, source)
    (mine / "02_second.ipynb").write_text("my answers")
    for name in ("01_first.ipynb", "02_second.ipynb"):
        (source / name).write_text("version 2")
    assert prepare(mine, source) == copies.Prepared((), ("01_first.ipynb",), ("02_second.ipynb",))
    assert (mine / "01_first.ipynb").read_text() == "version 2"
    assert (mine / "02_second.ipynb").read_text() == "my answers"
    assert prepare(mine, source).outdated == ("02_second.ipynb",)  # it says so until it is reset


def test_an_edited_copy_of_the_newest_version_is_not_called_outdated(source, mine):
    prepare(mine, source)
    (mine / "01_first.ipynb").write_text("my answers")
    assert prepare(mine, source) == copies.Prepared((), (), ())
    assert (mine / "01_first.ipynb").read_text() == "my answers"


@pytest.mark.parametrize("damage", ["", "[]", "{"])
def test_without_its_record_nothing_is_replaced(source, mine, damage):
    prepare(mine, source)
    (mine / "01_first.ipynb").write_text("my answers")
    (mine / MARK).write_text(damage)
    assert prepare(mine, source).outdated == ("01_first.ipynb",)
    assert (mine / "01_first.ipynb").read_text() == "my answers"
    assert "02_second.ipynb" in json.loads((mine / MARK).read_text())


def test_a_copy_that_was_thrown_away_is_made_again(source, mine):
    prepare(mine, source)
    (mine / "01_first.ipynb").unlink()
    assert prepare(mine, source).new == ("01_first.ipynb",)


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        ("1", "01_first.ipynb"),
        ("01", "01_first.ipynb"),
        ("01_first", "01_first.ipynb"),
        ("01_first.ipynb", "01_first.ipynb"),
        ("glide", "systems/glide.ipynb"),
    ],
)
def test_a_reset_keeps_the_old_copy_with_its_date(source, mine, asked, name):
    prepare(mine, source)
    (mine / name).write_text("my answers")
    copy, kept = reset(asked, mine, source)
    assert copy == mine / name
    assert copy.read_text() == f"{name}, version 1"
    assert kept.parent == mine / BACKUPS
    assert kept.read_text() == "my answers"
    assert prepare(mine, source) == copies.Prepared((), (), ())


def test_two_resets_in_one_second_keep_both(source, mine, monkeypatch):
    monkeypatch.setattr("time.strftime", lambda _: "now")
    kept = []
    for text in ("first", "second", "third"):
        prepare(mine, source)
        (mine / "01_first.ipynb").write_text(text)
        kept.append(reset("1", mine, source)[1])
    assert [path.read_text() for path in kept] == ["first", "second", "third"]


def test_a_reset_of_what_was_never_copied_makes_it(source, mine):
    copy, kept = reset("2", mine, source)
    assert (copy.exists(), kept) == (True, None)


def test_a_lesson_that_does_not_exist_is_answered_with_those_that_do(source, mine):
    with pytest.raises(ValueError, match="there are: 01, 02, glide"):
        reset("7", mine, source)
    assert not mine.exists()


def test_without_the_notebooks_it_says_so(tmp_path, mine):
    with pytest.raises(FileNotFoundError, match="from a clone"):
        prepare(mine, tmp_path / "elsewhere")


def test_the_folder_can_be_named(monkeypatch, tmp_path):
    monkeypatch.delenv("GENLAB_MY", raising=False)
    assert copies.own_folder() == copies.NOTEBOOKS.parent / "my"
    monkeypatch.setenv("GENLAB_MY", str(tmp_path))
    assert copies.own_folder() == tmp_path
