"""Work in another process that shares nothing afterwards: it may be killed, or join a group."""

import os
import traceback


def start(work):
    """Fork a process that does `work()` and nothing else; return its number."""
    pid = os.fork()
    if pid:
        return pid
    try:
        work()
        os._exit(0)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(1)


def wait(pid):
    """Return a process's exit status when it ends, minus the signal when one ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
