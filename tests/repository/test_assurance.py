"""The page of assurance is what its script writes, and short enough to be read."""

import pytest
from scripts import DOCS, script


@pytest.mark.slow
def test_the_page_is_what_the_repository_says_today():
    assurance = script("assurance")
    page = (DOCS / "assurance.md").read_text(encoding="utf-8")
    assert page == assurance.page(), "run: python docs/assurance.py"
    assert page.count("\n") < 250
