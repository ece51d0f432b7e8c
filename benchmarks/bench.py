"""Ours beside the library that one would take instead: milliseconds, ratios and aims.

    make bench                  # all rows, at most a quarter of an hour; writes what follows
    make bench ROWS=decoding    # only the rows whose names hold a word; prints them

Ours and every peer take turns in one process, and who goes first changes from turn to turn; the
ratio is that of the medians. Written are results.json, the table in README.md, and results.svg.
"""

import argparse
import json
import os
import platform
import statistics
import sys
import time
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent)]

from benchmarks.side_by_side import flows, images, numbers, text  # noqa: E402
from benchmarks.side_by_side.row import Row  # noqa: E402

ROWS = (*text.ROWS, *flows.ROWS, *images.ROWS, *numbers.ROWS)
LEAST, MOST = int(os.environ.get("BENCH_TURNS", 7)), 200  # turns of a row
SECONDS = float(os.environ.get("BENCH_SECONDS", 20))  # for the turns of one row


def clock():
    """Seconds: of this process where it has one thread, which other programs do not lengthen."""
    import torch

    return time.process_time() if torch.get_num_threads() == 1 else time.perf_counter()


def timed(run) -> float:
    """Milliseconds of one run; a run that measures by itself (another process) returns them."""
    start = clock()
    own = run()
    return own if isinstance(own, float) else 1000 * (clock() - start)


def measure(row: Row) -> dict:
    """One object of results.json: medians of turns that are taken one after the other."""
    runs = row.build()
    took = {name: [] for name in runs}
    for run in runs.values():
        run()
    end = time.perf_counter() + SECONDS
    for turn in range(MOST):
        if turn >= LEAST and time.perf_counter() > end:
            break
        for name in [*runs][:: 1 if turn % 2 else -1]:
            took[name].append(timed(runs[name]))
    median = {name: statistics.median(values) for name, values in took.items()}
    best = min((name for name in runs if name != "ours"), key=median.__getitem__)
    return {
        "name": row.name,
        "ours": round(median["ours"], 3),
        "peer": round(median[best], 3),
        "unit": "ms",
        "ratio": round(median["ours"] / median[best], 3),
        "ratio_of_fastest": round(min(took["ours"]) / min(took[best]), 3),
        "aim": row.aim,
        "peer_name": best,
        "turns": len(took["ours"]),
        "versions": {name: version(name) for name in sorted({"torch", *row.libraries})},
    } | machine()


def machine() -> dict:
    """Threads, and what the figures were taken on."""
    import torch

    loads = [f"{load:.1f}" for load in os.getloadavg()] if hasattr(os, "getloadavg") else []
    return {
        "threads": torch.get_num_threads(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "load": " ".join(loads[:1]),
    }


def table(results: list[dict]) -> str:
    """The table of README.md."""
    lines = [
        "| what | ours, ms | peer, ms | ours / peer | aim | peer | what is compared |",
        "|---|---:|---:|---:|---:|---|---|",
    ]
    says = {row.name: row.says for row in ROWS}
    for r in results:
        reached = f"**{r['ratio']:.2f}**" if r["ratio"] <= r["aim"] else f"{r['ratio']:.2f}"
        lines.append(
            f"| {r['name']} | {r['ours']:.3g} | {r['peer']:.3g} | {reached} | {r['aim']:g} "
            f"| {r['peer_name']} | {says[r['name']]} |"
        )
    return "\n".join(lines)


def conditions(results: list[dict]) -> str:
    """The line under the table: threads, machine, versions."""
    found = {name: v for r in results for name, v in r["versions"].items()}
    libraries = ", ".join(f"{name} {found[name]}" for name in sorted(found))
    first = results[0]
    loads = [float(r["load"]) for r in results if r["load"]]
    load = f", its load {min(loads):.1f} to {max(loads):.1f} while this ran" if loads else ""
    return f"Threads: {first['threads']}. Machine: {first['machine']}{load}. {libraries}."


def between_marks(page: str, text: str, name: str = "table") -> str:
    """The page with `text` between two marks that bear a name."""
    start, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
    before, after = page.split(start)[0], page.split(end)[1]
    return f"{before}{start}{text}\n{end}{after}"


def draw(results: list[dict], path: Path) -> None:
    """Ratios on a logarithmic axis: a dot, its aim a bar; left of the line at 1 we are faster."""
    import matplotlib
    from matplotlib.figure import Figure

    matplotlib.rcParams["svg.hashsalt"] = "bench"
    fig = Figure(figsize=(8, 0.3 * len(results) + 1.1), layout="constrained")
    ax = fig.subplots()
    for y, r in enumerate(reversed(results)):
        x = max(r["ratio"], 0.05)
        reached = r["ratio"] <= r["aim"]
        colour = "#0072b2" if reached else "#d55e00"
        ax.plot([x, 1], [y, y], color=colour, alpha=0.35, lw=3, solid_capstyle="butt")
        ax.plot(x, y, "o" if reached else "s", color=colour, ms=7, zorder=3)
        ax.plot([r["aim"]] * 2, [y - 0.38, y + 0.38], color="black", lw=1.6, zorder=2)
        at = ax.get_yaxis_transform()
        ax.text(1.02, y, f"{r['ratio']:.2f}", transform=at, va="center", color=colour, fontsize=9)
    ax.set_xscale("log")
    ticks = [0.05, 0.1, 0.2, 0.5, 1, 2, 5]
    ax.set_xticks(ticks, [f"{t:g}" for t in ticks])
    ax.minorticks_off()
    ax.set_xlim(0.035, 1.2 * max(2, *(r["ratio"] for r in results)))
    ax.axvline(1, color="black", lw=0.8)
    ax.set_yticks(range(len(results)), [r["name"] for r in reversed(results)])
    ax.set_xlabel("our time / the peer's\ncircle: aim reached, square: missed, bar: the aim")
    ax.grid(axis="x", alpha=0.3)
    ax.spines[["top", "right"]].set_visible(False)
    fig.savefig(path, metadata={"Date": None})


def write(results: list[dict]) -> None:
    """Results, page and picture."""
    lines = ",\n".join(json.dumps(r) for r in results)
    (HERE / "results.json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")
    page = (HERE / "README.md").read_text(encoding="utf-8")
    filled = between_marks(page, f"{table(results)}\n\n{conditions(results)}")
    (HERE / "README.md").write_text(filled, encoding="utf-8")
    draw(results, HERE / "results.svg")


def main() -> None:
    """Measure and print; write when all rows were asked for, or with --keep those that were."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("words", nargs="*", help="only rows whose names hold one of these")
    parser.add_argument("--keep", action="store_true", help="renew these rows of results.json")
    options = parser.parse_args()
    rows = [r for r in ROWS if not options.words or any(w in r.name for w in options.words)]
    if not rows:
        parser.error(f"no row holds {options.words}; there are: {', '.join(r.name for r in ROWS)}")
    import torch

    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", torch.get_num_threads())))
    print(f"threads: {torch.get_num_threads()}; torch {torch.__version__}", flush=True)
    found = {}
    for row in rows:
        r = found[row.name] = measure(row)
        print(
            f"{row.name:<38} ours {r['ours']:>9.3f} ms  peer {r['peer']:>9.3f} ms  "
            f"{r['ratio']:.2f} (fastest {r['ratio_of_fastest']:.2f}, aim {r['aim']:g})  "
            f"{r['peer_name']}",
            flush=True,
        )
    if not options.words or options.keep:
        stored = HERE / "results.json"
        old = json.loads(stored.read_text(encoding="utf-8")) if stored.exists() else []
        found = {r["name"]: r for r in old} | found
        write([found[row.name] for row in ROWS if row.name in found])


if __name__ == "__main__":
    main()
