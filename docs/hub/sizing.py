"""What a class needs, from what was measured: python docs/hub/sizing.py prints the table.

Read from docs/measurements.md: the median learner of a class on one hub, and the memory of every
notebook. `docs/hub/values.yaml`, `jupyterhub_config.py` and README.md hold what follows; a test
compares them. Memory is in MB of 2^20 bytes, as JupyterHub and Kubernetes count their M and Mi.
"""

import math
import re
from pathlib import Path

MEASURED = Path(__file__).resolve().parents[1] / "measurements.md"
CLASSES = (10, 25, 50, 100)
PATIENCE = 120  # seconds from "Run All", pressed by everybody at once, to the last cell


def rows(heading, text=None):
    """Return the rows of the first table under a heading, as {first cell: the others}."""
    text = MEASURED.read_text(encoding="utf-8") if text is None else text
    lines = text.split(f"\n## {heading}\n")[1].split("\n## ")[0].splitlines()
    start = next(k for k, line in enumerate(lines) if line.startswith("|---")) + 1
    table = []
    for line in lines[start:]:
        if not line.startswith("|"):
            break
        table.append([cell.strip() for cell in line.strip("|").split("|")])
    return {first: rest for first, *rest in table}


def up_to(step, value):
    """Round up to a multiple of `step`."""
    return step * math.ceil(round(value / step, 6))


def needs(text=None):
    """Return what one server is promised and may take at most: memory in MB, cores.

    Promised is what the median learner used with lesson 01, and what the hungriest notebook takes
    more than that one: a class has the same lesson open. At most: a server with the hungriest
    notebook and a second one left open from the last session.
    """
    *_, work, server, kernel, both = map(float, rows("A class on one hub", text)["median"])
    lessons = rows("Lessons: seconds and memory", text)
    peaks = {name: float(peak) for name, (_, peak) in lessons.items()}
    hungriest = max(peaks.values())
    return {
        "memory_guarantee": up_to(64, both + hungriest - peaks["01_four_paradigm_map"]),
        "memory_limit": up_to(256, server + hungriest + kernel),
        "cpu_guarantee": round(up_to(0.05, work / PATIENCE), 2),
        "cpu_limit": 1,
    }


def own(text=None):
    """Return what hub, proxy and culler took together, in MB."""
    text = MEASURED.read_text(encoding="utf-8") if text is None else text
    return float(re.search(r"hub, proxy\s+and\s+culler (\d+) MB", text)[1])


def table():
    """Return the lines of the table in README.md."""
    one = needs()
    columns = ("learners", "memory, one notebook open each", "memory, all at their limit", "cores")
    lines = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    for n in CLASSES:
        promised, most = (
            math.ceil((n * one[key] + own()) / 1024) for key in ("memory_guarantee", "memory_limit")
        )
        cores = math.ceil(round(n * one["cpu_guarantee"], 6))
        lines.append(f"| {n} | {promised} GB | {most} GB | {cores} |")
    return lines


if __name__ == "__main__":
    print("\n".join([str(needs()), "", *table()]))
