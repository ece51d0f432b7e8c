"""The suite itself: no network, double precision, warnings as errors, annotations checked."""

import socket
import warnings

import pytest
import torch
from jaxtyping import TypeCheckError
from pytest_socket import SocketConnectBlockedError

from genlab.core.stats import std_normal_log_prob


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
        std_normal_log_prob(torch.zeros(3, 2, dtype=torch.int64))
