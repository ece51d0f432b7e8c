"""The network guard of notebook kernels: anything that is not this machine raises.

A notebook of the course must run offline. The kernel executes `block_network()` before the first
cell, so a lesson that reaches for the network fails where it does so instead of passing on a
connected machine."""

import socket

LOOPBACK = ("127.", "localhost", "::1")


class NetworkBlockedError(RuntimeError):
    """A notebook tried to reach another machine."""


def _is_local(host):
    """Whether `host` names this machine; `None` and "" are its wildcards."""
    name = host.decode() if isinstance(host, bytes) else host
    return not name or name.startswith(LOOPBACK)


def _refuse_outside(function, position):
    """Wrap a method of `socket.socket` whose argument number `position` is an address."""

    def guarded(self, *args):
        address = args[position]
        if self.family in (socket.AF_INET, socket.AF_INET6) and not _is_local(address[0]):
            raise NetworkBlockedError(
                f"a notebook must run offline, and this one reached for {address[0]!r}"
            )
        return function(self, *args)

    return guarded


def block_network():
    """Let this process talk to itself and to loopback only; name look-ups are refused as well."""
    look_up = socket.getaddrinfo

    def local_look_up(host, *args, **kwargs):
        if not _is_local(host):
            raise NetworkBlockedError(
                f"a notebook must run offline, and this one looked up {host!r}"
            )
        return look_up(host, *args, **kwargs)

    socket.getaddrinfo = local_look_up
    for name, position in (("connect", 0), ("connect_ex", 0), ("sendto", -1)):
        setattr(socket.socket, name, _refuse_outside(getattr(socket.socket, name), position))
