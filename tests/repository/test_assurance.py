"""The page of assurance is what its script writes, and short enough to be read."""

import importlib.util
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"
spec = importlib.util.spec_from_file_location("assurance_of_docs", DOCS / "assurance.py")
assurance = importlib.util.module_from_spec(spec)


@pytest.mark.slow
def test_the_page_is_what_the_repository_says_today():
    spec.loader.exec_module(assurance)
    page = (DOCS / "assurance.md").read_text(encoding="utf-8")
    assert page == assurance.page(), "run: python docs/assurance.py"
    assert page.count("\n") < 250
