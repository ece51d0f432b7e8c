"""Kernels for the notebooks: this interpreter, this checkout of genlab, no network."""

import os
from pathlib import Path

import ipykernel.kernelspec
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager

ROOT = Path(__file__).resolve().parents[2]
GUARD = Path(__file__).with_name("guard.py")

# One expression, run silently before the first cell: it leaves no name behind in the notebook.
STARTUP = f"__import__('runpy').run_path({str(GUARD)!r})['block_network']()"


class CurrentInterpreter(KernelSpecManager):
    """Gives, whatever the notebook asks for, a kernel of the interpreter that runs this code."""

    def get_kernel_spec(self, kernel_name):
        """Return the specification of a kernel of the current interpreter."""
        return KernelSpec(
            resource_dir=ipykernel.kernelspec.RESOURCES, **ipykernel.kernelspec.get_kernel_dict()
        )


def environment():
    """Return the kernel's environment: this checkout's genlab comes before any installed one."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    return {**os.environ, "PYTHONPATH": path}


def peak_megabytes(pid):
    """Peak resident memory of process `pid` in MB (VmHWM), or None on a system without /proc."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return None
    line = next((line for line in status.splitlines() if line.startswith("VmHWM:")), None)
    return None if line is None else int(line.split()[1]) / 1024
