"""Where the working copies lie."""

from pathlib import Path

import pytest

import genlab_course as course
from genlab_course.places import MARK, NOTEBOOKS, folder, own_folder


@pytest.fixture
def copies(tmp_path):
    """A folder of working copies."""
    (tmp_path / "my" / "systems").mkdir(parents=True)
    (tmp_path / "my" / MARK).write_text("{}")
    return tmp_path / "my"


def test_a_place_lies_in_the_nearest_folder_of_copies(copies):
    assert folder(copies) == folder(copies / "systems") == copies
    assert folder(copies.parent) is None


@pytest.mark.parametrize("packed", [False, True], ids=["clone", "wheel"])
def test_copies_belong_to_the_clone_or_else_to_where_one_works(copies, monkeypatch, packed):
    monkeypatch.delenv("GENLAB_MY", raising=False)
    monkeypatch.setattr("genlab_course.places.PACKED", NOTEBOOKS if packed else None)
    found = []
    for place in (copies.parent, copies / "systems"):
        monkeypatch.chdir(place)
        found.append(own_folder())
    clone = NOTEBOOKS.parent / "my"
    assert found == ([copies.parent / "my", copies] if packed else [clone, clone])
    monkeypatch.setenv("GENLAB_MY", "~/mine")
    assert own_folder() == Path("~/mine").expanduser()


def test_a_home_that_is_not_there_is_said_in_a_sentence(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GENLAB_MY", "~nosuch-user/my")
    with pytest.raises(FileNotFoundError, match="GENLAB_MY is '~nosuch-user/my', and no user"):
        own_folder()
    assert folder() is None
    with pytest.raises(FileNotFoundError, match="the folder is '~nosuch-user/d', and no user"):
        course.keep("~nosuch-user/d")
