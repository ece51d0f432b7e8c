"""Freed memory stays with the process."""

import platform
import subprocess
import sys

import pytest

from genlab.core import memory

PAGES = """\
import resource, sys, torch
from genlab.core.memory import keep_freed_memory
if sys.argv[1] == "keep":
    assert keep_freed_memory()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    [torch.ones(500_000) for _ in range(10)]  # 20 MB, freed at once
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def pages_asked_for(how):
    """How many pages the system gives to a process that uses the same 20 MB ten times."""
    run = [sys.executable, "-c", PAGES, how]
    return int(subprocess.run(run, capture_output=True, text=True, check=True).stdout)


@pytest.mark.slow
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc knows how")
def test_what_is_freed_is_used_again():
    assert pages_asked_for("keep") < 10_000  # once: 20 MB are some 5,000 pages


def test_another_c_library_is_left_alone(monkeypatch):
    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))
    monkeypatch.setattr(memory.ctypes, "CDLL", None)  # not even opened
    assert memory.keep_freed_memory() is False
