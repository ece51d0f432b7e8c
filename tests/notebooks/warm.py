"""One process imports what most lessons import, then forks a kernel for each: kernels.py starts it.

A fresh kernel takes four processor-seconds to import torch, what torch's first optimiser asks for,
matplotlib and scipy: more than most solutions compute. Here they are imported once. Nothing of the
course is, so a notebook that forgets to import a module of it still fails. No thread runs before
the fork, so a notebook computes what it would in a fresh kernel.
"""

import gc
import importlib
import json
import os
import signal
import sys

# None of these looks, when it is imported, for the IPython that runs it; ipywidgets does.
LIBRARIES = (
    "ipykernel.kernelapp",
    "matplotlib.pyplot",
    "scipy.stats",
    "sklearn.datasets",
    "torch._dynamo",
)
INLINE = "module://matplotlib_inline.backend_inline"  # as a kernel sets it, before matplotlib comes


def serve(libraries):
    """Say how many threads there are; then fork a kernel for each line that is read, say its id."""
    del sys.path[0]  # the folder of this file, which no kernel has
    os.environ.setdefault("MPLBACKEND", INLINE)
    for name in libraries:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()  # what is shared stays shared
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody here waits for a kernel that has ended
    print(len(os.listdir("/proc/self/task")), flush=True)
    for request in sys.stdin:
        print(os.fork() or become_a_kernel(**json.loads(request)), flush=True)


def become_a_kernel(connection_file, folder, environment):
    """Be what `python -m ipykernel_launcher -f connection_file` is in `folder`."""
    from ipykernel.kernelapp import IPKernelApp

    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    parent = os.getppid()
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nothing, standard)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    seed_anew()
    sys.argv[:] = ["ipykernel_launcher.py", "-f", connection_file]
    IPKernelApp.launch_instance([*sys.argv[1:], f"--IPKernelApp.parent_handle={parent}"])
    os._exit(0)


def seed_anew():
    """Let generators that nobody seeds differ from those of the kernel's siblings."""
    if numpy := sys.modules.get("numpy"):
        numpy.random.seed()
    if torch := sys.modules.get("torch"):
        torch.default_generator.seed()


if __name__ == "__main__":
    serve(sys.argv[1:] or LIBRARIES)
