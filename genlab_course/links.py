"""Addresses that open the course on somebody else's machine: mybinder.org, or a JupyterHub.

Lesson: docs/hub/README.md
"""

from urllib.parse import quote, urlencode, urlsplit

REPOSITORY = "https://github.com/genlab-course/genlab"
BRANCH = "main"
FIRST = "docs/hub/START.ipynb"  # of a fresh clone: it makes the working copies
MINE = "my/START.ipynb"  # the start page itself, where a server has made them
BINDER = "https://mybinder.org/v2/gh"


def binder_link(page: str = MINE, repository: str = REPOSITORY, branch: str = BRANCH) -> str:
    """Return the address that opens a repository of GitHub on mybinder.org.

    Args:
        page: what is opened, relative to the repository.
        repository: its address.
        branch: of the repository.

    Raises:
        ValueError: the repository is not one of GitHub.

    Example:
        >>> binder_link()
        'https://mybinder.org/v2/gh/genlab-course/genlab/main?urlpath=lab/tree/my/START.ipynb'
    """
    parts = urlsplit(repository)
    if parts.netloc != "github.com" or parts.path.strip("/").count("/") != 1:
        raise ValueError(f"expected https://github.com/OWNER/NAME, got {repository!r}")
    name = parts.path.strip("/").removesuffix(".git")
    return f"{BINDER}/{name}/{quote(branch, safe='')}?urlpath=lab/tree/{quote(page)}"


def pull_link(
    hub: str, page: str = FIRST, repository: str = REPOSITORY, branch: str = BRANCH
) -> str:
    """Return the nbgitpuller address that brings a repository into one's folder of a hub.

    Who follows it logs in, gets a clone (or what is new in it; their own edits are kept), and sees
    the page. The hub's servers must have nbgitpuller.

    Args:
        hub: address of the JupyterHub.
        page: what is opened, relative to the repository.
        repository: any address that `git clone` takes.
        branch: of the repository.

    Raises:
        ValueError: the hub is no http address.

    Example:
        >>> pull_link("https://hub.example.org", "01.ipynb", "https://git.example.org/a/class")
        'https://hub.example.org/hub/user-redirect/git-pull?repo=https%3A%2F%2Fgit.example.org%2Fa%2Fclass&branch=main&urlpath=lab%2Ftree%2Fclass%2F01.ipynb'
    """
    if urlsplit(hub).scheme not in {"http", "https"} or not urlsplit(hub).netloc:
        raise ValueError(f"expected the address of a JupyterHub, https://..., got {hub!r}")
    repository = repository.rstrip("/")
    folder = repository.rpartition("/")[2]  # what nbgitpuller calls the clone, .git and all
    asked = {"repo": repository, "branch": branch, "urlpath": f"lab/tree/{folder}/{page}"}
    return (
        f"{hub.rstrip('/')}/hub/user-redirect/git-pull?{urlencode(asked, quote_via=quote, safe='')}"
    )
