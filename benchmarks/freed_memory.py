"""Milliseconds of a step of the digits' diffusion model, when freed memory is kept and when not.

    python benchmarks/freed_memory.py

Each in a process of its own, in turn; the ratio of the medians is printed.
"""

import statistics
import subprocess
import sys
import time

N_STEPS, ROUNDS = 100, 3


def milliseconds(how):
    """Return the median ms of processor time of a step in this process."""
    import torch

    from genlab.train.fit import keep_freed_memory
    from genlab.zoo import find

    torch.set_num_threads(1)
    if how == "kept":
        keep_freed_memory()
    row = find("digit_diffusion")
    run = row.train(row.untrained())
    taken = []
    for _ in range(N_STEPS):
        start = time.process_time()
        next(run)
        taken.append(1000 * (time.process_time() - start))
    return statistics.median(taken)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(milliseconds(sys.argv[1]))
        sys.exit()
    seen = {"kept": [], "returned": []}
    for _ in range(ROUNDS):
        for how, values in seen.items():
            run = [sys.executable, __file__, how]
            out = subprocess.run(run, capture_output=True, text=True, check=True).stdout
            values.append(float(out))
    kept, returned = (statistics.median(seen[how]) for how in ("kept", "returned"))
    print(f"{kept:.1f} ms a step with freed memory kept, {returned:.1f} ms without: "
          f"{kept / returned:.2f} of it")  # fmt: skip
