"""The command line: `genlab train NAME` makes the weights that ship, `genlab systems` lists them.

Lesson: notebooks/15_four_paradigm_landscape.ipynb
"""

import dataclasses
import json
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from genlab.atlas import league
from genlab.atlas.cheatsheet import cheat_sheet
from genlab.atlas.reader import read_release
from genlab.atlas.report import as_lines
from genlab.atlas.report import load as load_release
from genlab.atlas.rule_table import as_text, rule_table
from genlab.atlas.text import UnreadableError
from genlab.core.weights import read_card
from genlab.course import copies, demos, links
from genlab.course.handout import handout
from genlab.course.start import begin
from genlab.systems.figures import Figures, agree
from genlab.systems.training import Training, load, measured, train
from genlab.systems.zoo import TRAININGS, find
from genlab.train import Record, parallel

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
out, err = Console(), Console(stderr=True)

Name = Annotated[str | None, typer.Argument(help="which one; without it they are listed")]


TRAIN = """Train a model of the course from its recipe, and write its weights with a card.

Killed and repeated, it goes on where it was and ends with the same bits. Several processes share
each batch under: torchrun --nproc-per-node 2 -m genlab.cli train NAME"""
LEAGUE = "Every family on the same digits: bits per dimension, distance, speed, and what each pays."
SYSTEMS = "List the models that ship, with the held-out figures on their cards."


@app.command("train", help=TRAIN)
def train_command(
    name: Name = None,
    place: Annotated[
        Path, typer.Option("--out", help="folder, or file that ends in .safetensors")
    ] = Path("weights"),
    steps: Annotated[int | None, typer.Option(help="instead of the recipe's number")] = None,
    force: Annotated[bool, typer.Option("--force", help="replace a file that is there")] = False,
    every: Annotated[float, typer.Option(help="seconds between checkpoints")] = 10.0,
) -> None:
    """Run `genlab train`.

    Args:
        name: of the model.
        place: where the weights go.
        steps: number of steps.
        force: whether an existing file may be replaced.
        every: seconds between checkpoints.
    """
    if name is None:
        out.print(_trainings())
        return
    with _complaints():
        training = find(name)
        path = place if place.suffix == ".safetensors" else place / f"{name}.safetensors"
        with _bar(training) as watch:
            card = train(training, path, n_steps=steps, force=force, every=every, watch=watch)
        if card is not None:
            out.print(f"wrote {path} and its card: {_figures(card['metrics'])}", soft_wrap=True)
        elif watch.stopped:
            err.print(f"stopped at step {watch.step}; the same command goes on from there")
            raise typer.Exit(130)


@app.command("systems", help=SYSTEMS)
def systems_command(
    as_json: Annotated[bool, typer.Option("--json", help="print the cards as JSON")] = False,
    verify: Annotated[bool, typer.Option("--verify", help="measure every figure again")] = False,
) -> None:
    """Run `genlab systems`.

    Args:
        as_json: a list of objects instead of a table.
        verify: measure the figures again; exit status 1 when one differs.
    """
    with _complaints():
        rows = [_row(training, verify) for training in TRAININGS]
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
    else:
        table = Table("name", "held-out figures", "kB", "minutes", *(["again"] if verify else []))
        for row in rows:
            again = [_figures(row["measured"])] if verify else []
            size, minutes = f"{row['bytes'] / 1000:.0f}", f"{row['minutes']:.1f}"
            table.add_row(row["name"], _figures(row["metrics"]), size, minutes, *again)
        out.print(table)
    if not all(row.get("agrees", True) for row in rows):
        raise typer.Exit(1)


@app.command("league", help=LEAGUE)
def league_command(
    as_json: Annotated[bool, typer.Option("--json", help="print the rows as JSON")] = False,
    again: Annotated[bool, typer.Option("--remake", help="measure every row again")] = False,
) -> None:
    """Run `genlab league`.

    Args:
        as_json: a list of objects instead of a table.
        again: measure, and replace the table that ships.
    """
    with _complaints():
        if again:
            league.write(league.remake(lambda row: err.print(row.name)))
        rows = league.load_league()
    if as_json:
        typer.echo(json.dumps([dataclasses.asdict(row) for row in rows], indent=2))
        return
    table = Table(*league.COLUMNS)
    for row in rows:
        table.add_row(*league.cells(row))
    out.print(table)


@app.command("rules", help="Print every rule by which a release is read: one table.")
def rules_command() -> None:
    """Run `genlab rules`."""
    typer.echo(as_text(rule_table()))


@app.command("read", help="Place a release on the map, and say which phrases put it there.")
def read_command(
    file: Annotated[str, typer.Argument(help="text of a release; - reads standard input")],
    as_json: Annotated[bool, typer.Option("--json", help="print the reading as JSON")] = False,
) -> None:
    """Run `genlab read`.

    Args:
        file: a path, or - for standard input.
        as_json: an object instead of lines.
    """
    try:
        reading = read_release(load_release(file))
    except UnreadableError as error:
        err.print(f"genlab: {error}", soft_wrap=True, markup=False, highlight=False)
        raise typer.Exit(2) from None
    if as_json:
        typer.echo(json.dumps(reading.as_dict(), indent=2, ensure_ascii=False))
        return
    for label, value in as_lines(reading):
        out.print(f"{label:<11}{value}", soft_wrap=True, markup=False, highlight=False)


@app.command("handout", help="Copy lessons and labs into a new folder, to hand out.")
def handout_command(
    folder: Annotated[Path, typer.Argument(help="a new folder")],
    instructor: Annotated[
        bool, typer.Option("--instructor", help="with outputs and worked solutions")
    ] = False,
) -> None:
    """Run `genlab handout`.

    Args:
        folder: where to.
        instructor: which edition.
    """
    with _complaints():
        written = handout(folder, instructor=instructor)
    edition = "instructor's" if instructor else "students'"
    out.print(f"{len(written)} notebooks of the {edition} edition in {folder}", soft_wrap=True)


@app.command("start", help="Make your working copies in my/, and the start page that lists them.")
def start_command() -> None:
    """Run `genlab start`."""
    with _complaints():
        page, prepared = begin(copies.own_folder())
    said = ((prepared.new, "new"), (prepared.renewed, "renewed"), (prepared.outdated, "outdated"))
    counts = ", ".join(f"{len(names)} {word}" for names, word in said if names)
    out.print(f"{page}: {counts or 'nothing new'}", soft_wrap=True, markup=False)


@app.command("reset", help="Take a fresh working copy of a lesson; the old one is kept, dated.")
def reset_command(
    lesson: Annotated[str, typer.Argument(help="number of a lesson, or name of a lab")],
) -> None:
    """Run `genlab reset`.

    Args:
        lesson: which one.
    """
    with _complaints():
        copy, kept = copies.reset(lesson, copies.own_folder())
    out.print(f"fresh: {copy}", soft_wrap=True, markup=False)
    if kept is not None:
        out.print(f"kept:  {kept}", soft_wrap=True, markup=False)


@app.command("demo", help="Serve the instructor's pages: one a lesson and lab, large, no code.")
def demo_command(
    folder: Annotated[Path, typer.Argument(help="for the pages; made anew each time")] = Path(
        "build/demo"
    ),
    port: Annotated[int, typer.Option(help="of the server, on this machine only")] = 8866,
    browser: Annotated[bool, typer.Option(help="open the index in a browser")] = True,
    serve: Annotated[bool, typer.Option(help="or only write the pages")] = True,
) -> None:
    """Run `genlab demo`.

    Args:
        folder: where the pages are written.
        port: to serve at.
        browser: whether to open one.
        serve: whether to go on after the pages are written.
    """
    with _complaints():
        written = demos.write_demos(folder)
        out.print(f"{len(written)} pages in {folder}", soft_wrap=True)
        if serve:
            out.print(f"http://127.0.0.1:{port}/   (Ctrl-C ends it)", soft_wrap=True)
            raise typer.Exit(demos.serve(folder, port, browser=browser))


@app.command("link", help="Print the nbgitpuller link that brings the course into a JupyterHub.")
def link_command(
    hub: Annotated[str, typer.Argument(help="address of the hub")],
    repository: Annotated[str, typer.Option(help="any that git clones")] = links.REPOSITORY,
    branch: Annotated[str, typer.Option(help="of the repository")] = links.BRANCH,
    page: Annotated[str, typer.Option(help="to open, relative to it")] = links.FIRST,
) -> None:
    """Run `genlab link`.

    Args:
        hub: address of the hub.
        repository: what is pulled.
        branch: of the repository.
        page: what is opened.
    """
    with _complaints():
        typer.echo(links.pull_link(hub, page, repository, branch))


@app.command("cheatsheet", help="Print the course on one page, as Markdown.")
def cheatsheet_command() -> None:
    """Run `genlab cheatsheet`."""
    with _complaints():
        typer.echo(cheat_sheet(), nl=False)


def _row(training: Training, verify: bool) -> dict[str, Any]:
    """Return what is printed of one model."""
    card = read_card(training.path)
    row = {
        "name": training.name,
        "metrics": card["metrics"],
        "minutes": round(card["seconds"] / 60, 2),
        "bytes": card["bytes"],
    }
    if verify:
        row["measured"] = measured(training, load(training), training.dtype)
        row["agrees"] = agree(card["metrics"], row["measured"])
    return row


def _trainings() -> Table:
    """Return the table of everything that can be trained."""
    table = Table("name", "what", "lesson", "parameters", "seconds on two cores")
    for t in TRAININGS:
        numbers = sum(p.numel() for p in t.build(t.settings).parameters())
        table.add_row(t.name, t.what, f"{t.lesson:02d}", f"{numbers:,}", f"about {t.seconds:.0f}")
    return table


def _figures(metrics: Figures) -> str:
    """Write figures in one line, three digits each."""
    return ", ".join(
        f"{name} {value:.3f}" if isinstance(value, float) else f"{name} {value}"
        for name, value in metrics.items()
    )


class _Watch:
    """Moves the bar, and says when to stop."""

    def __init__(self, training: Training, progress: Progress) -> None:
        self.progress, self.stopped, self.step = progress, False, 0
        self.bar = progress.add_task(training.name, total=None, losses="")

    def __call__(self, record: Record, n_steps: int, _: float) -> bool:
        self.step = record.step
        losses = "  ".join(f"{name} {value:.4f}" for name, value in record.losses.items())
        self.progress.update(self.bar, completed=record.step, total=n_steps, losses=losses)
        return self.stopped

    def stop(self, _: int, __: FrameType | None) -> None:
        self.stopped = True


@contextmanager
def _bar(training: Training) -> Iterator[_Watch]:
    """Show a progress bar; the first Ctrl-C ends the training between two steps."""
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
        TextColumn("{task.fields[losses]}"),
    )  # fmt: skip
    signals = (signal.SIGINT, signal.SIGTERM) if parallel.expected() == 1 else ()
    with Progress(*columns, console=err, disable=parallel.expected_rank() > 0) as progress:
        watch = _Watch(training, progress)
        before = [(number, signal.signal(number, watch.stop)) for number in signals]
        try:
            yield watch
        finally:
            for number, handler in before:
                signal.signal(number, handler)


@contextmanager
def _complaints() -> Iterator[None]:
    """Print what is wrong as one sentence, and exit with status 1."""
    try:
        yield
    except (ValueError, FileExistsError, FileNotFoundError, FloatingPointError) as error:
        err.print(f"genlab: {error}", soft_wrap=True, markup=False, highlight=False)
        raise typer.Exit(1) from None


if __name__ == "__main__":
    sys.exit(app())
