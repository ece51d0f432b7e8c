"""Keep freed memory for the next step, instead of returning it to the system and asking again.

A step of training frees the tensors that the next step allocates. The C library hands large blocks
back at once, and the system clears every page before it gives it out again: a sixth of the time of
a small network's step. Nothing that is computed changes.
Lesson: notebooks/12_diffusion_i.ipynb
"""

import ctypes
import platform

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # names of the C library's settings, <malloc.h>
LARGEST_BLOCK, MOST_KEPT = 32 * 2**20, 512 * 2**20  # bytes


def keep_freed_memory() -> bool:
    """Ask the C library to keep up to 512 MiB of what is freed, in blocks of up to 32 MiB.

    Returns:
        Whether it will: only glibc (most of Linux) knows how; elsewhere nothing happens.

    Source: mallopt(3) of the Linux manual pages, M_TRIM_THRESHOLD and M_MMAP_THRESHOLD.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    c = ctypes.CDLL(None)
    settings = ((MMAP_THRESHOLD, LARGEST_BLOCK), (TRIM_THRESHOLD, MOST_KEPT))
    return all(c.mallopt(name, value) == 1 for name, value in settings)
