"""The suite itself: no network, double precision, warnings as errors, annotations checked."""

import socket
import subprocess
import sys
import warnings

import pytest
import torch
from jaxtyping import TypeCheckError
from pytest_socket import SocketConnectBlockedError

from genlab.core.tensors import make_generator


@pytest.mark.filterwarnings("ignore:A test tried to use socket")  # it says so before it raises
def test_no_test_reaches_another_machine():
    with socket.socket() as client, pytest.raises(SocketConnectBlockedError):
        client.connect(("192.0.2.1", 80))  # an address kept for documentation


def test_numbers_are_doubles():
    assert torch.zeros(1).dtype == torch.float64


def test_a_warning_is_an_error():
    with pytest.raises(UserWarning, match="on purpose"):
        warnings.warn("on purpose", UserWarning, stacklevel=1)


def test_annotations_are_checked_at_run_time():
    with pytest.raises(TypeCheckError):
        make_generator("three")


def test_a_test_that_hangs_ends_the_run_and_says_where(tmp_path):
    (tmp_path / "test_hangs.py").write_text("import time\n\ndef test_it():\n    time.sleep(60)\n")
    settings = ("-o", "faulthandler_timeout=1", "-o", "faulthandler_exit_on_timeout=true")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *settings, str(tmp_path)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=50)
    assert done.returncode != 0
    assert "Timeout" in done.stderr
    assert "in test_it" in done.stderr


def test_this_suite_has_such_a_limit(pytestconfig):
    assert float(pytestconfig.getini("faulthandler_timeout")) == 1800
    assert pytestconfig.getini("faulthandler_exit_on_timeout")
