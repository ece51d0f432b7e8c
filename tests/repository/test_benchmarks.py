"""What `make bench` wrote: every row is there, and the page and the picture say what was found."""

import json
import re

import pytest

from benchmarks import bench

RESULTS = json.loads((bench.HERE / "results.json").read_text(encoding="utf-8"))


def test_every_row_has_a_result_and_every_result_a_row():
    assert [r["name"] for r in RESULTS] == [row.name for row in bench.ROWS]
    assert [r["aim"] for r in RESULTS] == [row.aim for row in bench.ROWS]


@pytest.mark.parametrize("r", RESULTS, ids=lambda r: r["name"])
def test_a_result_says_what_it_compares_and_under_which_conditions(r):
    wanted = {"name", "ours", "peer", "unit", "ratio", "aim", "versions", "threads", "machine"}
    assert wanted <= set(r)
    assert r["ratio"] == pytest.approx(r["ours"] / r["peer"], abs=1e-2)  # three digits are stored
    assert "torch" in r["versions"]
    assert r["turns"] >= 3


def test_the_table_and_the_picture_are_those_of_the_results():
    page = (bench.HERE / "README.md").read_text(encoding="utf-8")
    written = f"{bench.table(RESULTS)}\n\n{bench.conditions(RESULTS)}"
    assert bench.between_marks(page, written) == page
    drawn = (bench.HERE / "results.svg").read_text(encoding="utf-8")
    labels = set(re.findall(r"<!-- (.+?) -->", drawn))
    assert {r["name"] for r in RESULTS} | {f"{r['ratio']:.2f}" for r in RESULTS} <= labels
