"""The page that opens first: a notebook whose links lead somewhere."""

import json
import re
from base64 import b64decode

import nbformat
import pytest

from genlab_course.copies import Prepared, prepare
from genlab_course.places import shipped
from genlab_course.standings import GROUPS, standings, table
from genlab_course.start_page import LAYOUTS, begin, write_start


@pytest.fixture
def mine_start(tmp_path):
    prepare(tmp_path / "my")
    return tmp_path / "my"


def test_the_page_is_a_notebook_whose_links_lead_somewhere(mine_start):
    odd = Prepared(outdated=("04_normalizing_flows.ipynb",), unreadable=("systems/glide.ipynb",))
    page = write_start(mine_start, odd)
    notebook = nbformat.read(page, as_version=4)
    nbformat.validate(notebook)
    head, code, _, work = notebook.cells
    picture, standing = code.outputs
    assert b64decode(picture.data["image/webp"])[8:12] == b"WEBP"
    shown = standing.data["text/html"]
    assert shown == table(standings(mine_start))
    links = re.findall(r'<a href="([^"]+)"', shown)
    assert links[0] == links[1]  # what is next, then all
    assert sorted(links[1:]) == sorted(shipped())
    pictures = re.findall(r'<img src="data:image/webp;base64,([^"]+)" alt=""', shown)
    assert len(set(pictures)) == len(shipped())
    assert all(b64decode(data)[8:12] == b"WEBP" for data in pictures)
    assert all(f"<h3>{heading}</h3>" in shown for heading in GROUPS)
    assert page.stat().st_size < 400_000
    assert all((mine_start / link).exists() for link in links)
    assert "newer versions of: `04`" in head.source
    assert "no notebook that can be read: `glide`" in head.source
    assert "course.progress()" in code.source
    assert "course.download()" in work.source
    assert str(mine_start.parent) not in page.read_text()


def test_the_contents_are_open_at_first_and_what_a_learner_changes_stays(mine_start):
    begin(mine_start)
    (layout,) = (mine_start / LAYOUTS).iterdir()
    first = json.loads(layout.read_text())
    panels = first["data"]["layout-restorer:data"]["left"]
    assert panels["current"] in panels["widgets"]
    assert layout.name == f"{first['metadata']['id']}-37a8.jupyterlab-workspace"
    layout.write_text("mine")
    begin(mine_start)
    assert layout.read_text() == "mine"
