"""Links to Binder and for nbgitpuller: what is asked for arrives, whatever its letters."""

from urllib.parse import parse_qs, urlsplit

import pytest

from genlab_course.links import BRANCH, FIRST, REPOSITORY, binder_link, pull_link


def asked(link):
    """What nbgitpuller reads out of an address."""
    return {name: values[0] for name, values in parse_qs(urlsplit(link).query).items()}


def test_a_pull_link_carries_repository_branch_and_page():
    link = pull_link("https://hub.example.org/")
    assert link.startswith("https://hub.example.org/hub/user-redirect/git-pull?repo=https%3A%2F%2F")
    assert asked(link) == {
        "repo": REPOSITORY,
        "branch": BRANCH,
        "urlpath": f"lab/tree/genlab/{FIRST}",
    }


def test_what_would_end_a_part_of_an_address_is_encoded():
    link = pull_link(
        "http://127.0.0.1:8000/jupyter", "week 1/01&02?.ipynb", "https://x.org/a b/c.git", "two#2"
    )
    assert urlsplit(link).path == "/jupyter/hub/user-redirect/git-pull"
    assert urlsplit(link).fragment == ""
    assert asked(link) == {
        "repo": "https://x.org/a b/c.git",
        "branch": "two#2",
        "urlpath": "lab/tree/c.git/week 1/01&02?.ipynb",
    }


@pytest.mark.parametrize("hub", ["hub.example.org", "ftp://hub.example.org", "https://", ""])
def test_what_is_no_hub_is_refused(hub):
    with pytest.raises(ValueError, match=r"https://\.\.\."):
        pull_link(hub)


def test_a_binder_link_opens_the_start_page_of_a_branch():
    link = binder_link(repository="https://github.com/you/yours.git", branch="for/class")
    assert link == (
        "https://mybinder.org/v2/gh/you/yours/for%2Fclass?urlpath=lab/tree/my/START.ipynb"
    )


@pytest.mark.parametrize("where", ["https://gitlab.com/a/b", "https://github.com/a", "a/b"])
def test_binder_links_are_for_github_only(where):
    with pytest.raises(ValueError, match="OWNER/NAME"):
        binder_link(repository=where)
