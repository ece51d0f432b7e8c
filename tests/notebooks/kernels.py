"""Kernels for the notebooks: this interpreter, this checkout of genlab, no network.

`Kitchen` keeps a process warm that forks them (warm.py); where it cannot, a fresh one is started.
"""

import contextlib
import json
import os
import subprocess
import sys
import time
from importlib.metadata import EntryPoint
from pathlib import Path

import ipykernel.kernelspec
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.provisioning import KernelProvisionerFactory, LocalProvisioner

ROOT = Path(__file__).resolve().parents[2]
GUARD = Path(__file__).with_name("guard.py")
WARM = Path(__file__).with_name("warm.py")

# One expression, run silently before the first cell: it leaves no name behind in the notebook.
STARTUP = f"__import__('runpy').run_path({str(GUARD)!r})['block_network']()"


class CurrentInterpreter(KernelSpecManager):
    """Gives, whatever the notebook asks for, a kernel of the interpreter that runs this code."""

    def get_kernel_spec(self, kernel_name):
        """Return the specification of a kernel of the current interpreter."""
        return KernelSpec(
            resource_dir=ipykernel.kernelspec.RESOURCES, **ipykernel.kernelspec.get_kernel_dict()
        )


class Warm(CurrentInterpreter):
    """Gives the same, started by `Provisioner`."""

    def get_kernel_spec(self, kernel_name):
        """Return the specification of a kernel that a warm process forks."""
        spec = super().get_kernel_spec(kernel_name)
        spec.metadata = {**spec.metadata, "kernel_provisioner": {"provisioner_name": "warm"}}
        place = f"{__name__}:{Provisioner.__name__}"
        known = KernelProvisionerFactory.instance().provisioners
        known["warm"] = EntryPoint("warm", place, KernelProvisionerFactory.GROUP_NAME)
        return spec


class Provisioner(LocalProvisioner):
    """Asks the kitchen for a kernel, and starts a fresh one when it has none."""

    async def launch_kernel(self, cmd, **kwargs):
        """Start the kernel whose connection file stands at the end of `cmd`."""
        self.process = Kitchen.open().forked(cmd[-1], kwargs["cwd"], kwargs["env"])
        if self.process is None:
            return await super().launch_kernel(cmd, **kwargs)
        self.pid = self.pgid = self.process.pid
        self.cwd = kwargs["cwd"]
        return self.connection_info


class Kitchen:
    """The warm process of this one."""

    CAN_BE = Path("/proc/self/task").is_dir()  # it counts its threads there
    one = None

    @classmethod
    def open(cls):
        """Return it, started when it is first asked for."""
        cls.one = cls.one or cls()
        return cls.one

    @classmethod
    def close(cls):
        """End it, and the kernels that it has forked with it."""
        if cls.one:
            cls.one.process.communicate()  # closes its input, and waits
            cls.one = None

    def __init__(self, *libraries):  # others than those of warm.py
        command, pipe = [sys.executable, str(WARM), *libraries], subprocess.PIPE
        self.process = subprocess.Popen(
            command, stdin=pipe, stdout=pipe, text=True, env=environment()
        )
        # A child has one thread only: what another one was at would stand still in it for ever.
        self.can_fork = self.process.stdout.readline() == "1\n"

    def forked(self, connection_file, folder, environment):
        """Return a kernel that was forked, or None: there is no fork here, or the process died."""
        if not self.can_fork:
            return None
        request = {"connection_file": connection_file, "folder": folder, "environment": environment}
        try:
            print(json.dumps(request), file=self.process.stdin, flush=True)
            return Forked(int(self.process.stdout.readline()), self.process.pid)
        except (OSError, ValueError):
            self.can_fork = False
            return None


class Forked:
    """Another process's child, with what a manager of kernels asks of a `Popen`."""

    stdin = stdout = stderr = None

    def __init__(self, pid, parent):
        self.pid, self.parent = pid, parent

    def poll(self):
        """Return None while it runs."""
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return 0
        return None

    def wait(self):
        """Return when it has ended."""
        while self.poll() is None:
            time.sleep(0.02)

    def send_signal(self, signum):
        """Send it a signal, unless it has ended."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signum)


def environment():
    """Return the kernel's environment: this checkout's genlab comes before any installed one."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    return {**os.environ, "PYTHONPATH": path}


def peak_megabytes(process):
    """Peak resident memory of a kernel in MB (VmHWM), or None on a system without /proc.

    Files that the warm process has read are counted too where the kernel has not touched them yet.
    """
    peak = _megabytes(process.pid, "VmHWM")
    if peak is not None and isinstance(process, Forked):
        there, here = (_megabytes(pid, "RssFile") or 0 for pid in (process.parent, process.pid))
        peak += max(0, there - here)
    return peak


def _megabytes(pid, field):
    """What the system says of process `pid` under the name `field`, in MB."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return None
    line = next((line for line in status.splitlines() if line.startswith(f"{field}:")), None)
    return None if line is None else int(line.split()[1]) / 1024
