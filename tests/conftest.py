"""Fixtures that every test shares: double precision, a seeded generator, examples that repeat."""

import gc
import os

import hypothesis
import jaxtyping
import pytest
import torch

os.environ.setdefault("MPLBACKEND", "agg")  # figures are drawn, and never shown
collect_ignore = ["notebooks/nbval_plugin.py"]  # many a pytest would load nbval with it

# The same examples on every machine and in every run: a red test can be repeated.
hypothesis.settings.register_profile(
    "repeatable", derandomize=True, deadline=None, max_examples=25, database=None
)
hypothesis.settings.load_profile("repeatable")


def pytest_sessionstart():
    from genlab.train.fit import keep_freed_memory  # not before its annotations are watched

    keep_freed_memory()


def pytest_collection_finish():
    """Look for garbage less often, and not among the thousands of tests: a tenth of the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


@pytest.fixture(autouse=True)
def _double_precision_and_a_seed():
    torch.set_default_dtype(torch.float64)
    torch.manual_seed(0)  # initial weights must not depend on which tests ran before
    yield
    torch.set_default_dtype(torch.float32)


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(0)


@pytest.fixture
def as_a_user(monkeypatch):
    """Annotations go unchecked, as in a notebook: for tests of what a wrong type is told."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
