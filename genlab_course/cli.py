"""The command line: `genlab train NAME` makes the weights that ship, `genlab systems` lists them.

Each command imports what it needs when it is called: `genlab --help` waits for no torch.
Lesson: notebooks/15_four_paradigm_landscape.ipynb
"""

import dataclasses
import json
import signal
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from typer.core import TyperGroup

from genlab import __version__

if TYPE_CHECKING:
    from genlab.train import Record
    from genlab.zoo.cards import Figures
    from genlab.zoo.train import Training


class _Group(TyperGroup):
    """Answers what goes wrong in a command with one sentence and exit status 1."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # who read the output has seen enough
            raise
        except (ValueError, OSError, FloatingPointError) as error:
            said = str(error)
            if isinstance(error, OSError) and error.strerror and error.filename:
                said = f"{error.strerror}: {error.filename}"
            err.print(f"genlab: {said}", soft_wrap=True, markup=False, highlight=False)
            raise typer.Exit(1) from None


app = typer.Typer(
    cls=_Group, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False
)
out, err = Console(), Console(stderr=True)

Name = Annotated[str | None, typer.Argument(help="which one; without it they are listed")]
OTHERS = (".pt", ".pth", ".ckpt", ".bin", ".pkl", ".npz", ".onnx", ".h5", ".json")  # no folders


def _print_version(asked: bool) -> bool:
    """Print the version and end there, when it was asked for."""
    if asked:
        typer.echo(f"genlab {__version__}")
        raise typer.Exit
    return asked


@app.callback(help="Generative models from first principles: train, list, read, and learn.")
def main(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="print the version"),
    ] = False,
) -> None:
    """Run `genlab`.

    Args:
        version: print it and do nothing else.
    """


TRAIN = """Train a model of the course from its recipe, and write its weights with a card.

Killed and repeated, it goes on where it was and ends with the same bits.

Several processes share each batch: torchrun --nproc-per-node 2 -m genlab_course.cli train NAME"""
LEAGUE = "Every family on the same digits: bits per dimension, distance, speed, and what each pays."
SYSTEMS = "List the models that ship, with the held-out figures on their cards."


@app.command("train", help=TRAIN)
def train_command(
    name: Name = None,
    place: Annotated[
        Path, typer.Option("--out", help="folder, or file that ends in .safetensors")
    ] = Path("weights"),
    steps: Annotated[int | None, typer.Option(min=1, help="instead of the recipe's number")] = None,
    force: Annotated[bool, typer.Option("--force", help="replace a file that is there")] = False,
    every: Annotated[float, typer.Option(min=0, help="seconds between checkpoints")] = 10.0,
) -> None:
    """Run `genlab train`.

    Args:
        name: of the model.
        place: where the weights go.
        steps: number of steps.
        force: whether an existing file may be replaced.
        every: seconds between checkpoints.
    """
    from genlab.zoo.registry import find
    from genlab.zoo.train import train

    if name is None:
        out.print(_trainings())
        return
    training = find(name)
    if place.suffix in OTHERS and not place.is_dir():
        raise ValueError(f"expected a folder or a file that ends in .safetensors, got {place}")
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
    name: Annotated[str | None, typer.Argument(help="print all figures of this one")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print the cards as JSON")] = False,
    verify: Annotated[bool, typer.Option("--verify", help="measure every figure again")] = False,
) -> None:
    """Run `genlab systems`.

    Args:
        name: of one model; all of them when None.
        as_json: a list of objects instead of a table.
        verify: measure the figures again; exit status 1 when one differs.
    """
    from genlab.zoo.registry import TRAININGS, find

    chosen = TRAININGS if name is None else [find(name)]
    rows = [_row(training, verify) for training in chosen]
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
    else:
        table = _table("name", "held-out figures", "kB", "minutes", *(["again"] if verify else []))
        for row in rows:
            size, minutes = f"{row['bytes'] / 1000:.0f}", f"{row['minutes']:.1f}"
            shown = _figures(row["metrics"], most=len(row["metrics"]) if name else 3)
            table.add_row(row["name"], shown, size, minutes, *([_again(row)] if verify else []))
        table.caption = None if name else "all figures of one: genlab systems NAME"
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
    from genlab_course import league

    if again:
        league.write(league.remake(lambda row: err.print(row.name)))
    rows = league.load_league()
    if as_json:
        typer.echo(json.dumps([dataclasses.asdict(row) for row in rows], indent=2))
        return
    for columns in (range(6), (0, *range(6, len(league.COLUMNS)))):  # each fits into 80 columns
        table = _table(*(league.COLUMNS[k] for k in columns))
        for row in rows:
            cells = league.cells(row)
            table.add_row(*(cells[k] for k in columns))
        out.print(table)


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
    from genlab_course.learner import handout

    written = handout(folder, instructor=instructor)
    edition = "instructor's" if instructor else "students'"
    out.print(f"{len(written)} notebooks of the {edition} edition in {folder}", soft_wrap=True)


@app.command("start", help="Make your working copies in my/, and the start page that lists them.")
def start_command() -> None:
    """Run `genlab start`."""
    from genlab_course import learner
    from genlab_course.learner import begin

    page, prepared = begin(learner.own_folder())
    said = [f"{len(names)} {word}" for word, names in vars(prepared).items() if names]
    out.print(f"{page}: {', '.join(said) or 'nothing new'}", soft_wrap=True, markup=False)
    if prepared.unreadable:
        names = ", ".join(map(learner.key_of, prepared.unreadable))
        err.print(f"no notebook that can be read: {names}; `genlab reset` keeps what is there")


@app.command("reset", help="Take a fresh working copy of a lesson; the old one is kept, dated.")
def reset_command(
    lesson: Annotated[str, typer.Argument(help="number of a lesson, or name of a lab")],
) -> None:
    """Run `genlab reset`.

    Args:
        lesson: which one.
    """
    from genlab_course import learner

    copy, kept = learner.reset(lesson, learner.own_folder())
    out.print(f"fresh: {copy}", soft_wrap=True, markup=False)
    if kept is not None:
        out.print(f"kept:  {kept}", soft_wrap=True, markup=False)


@app.command("demo", help="Serve the instructor's pages: one a lesson and lab, large, no code.")
def demo_command(
    folder: Annotated[Path, typer.Argument(help="for the pages; made anew each time")] = Path(
        "build/demo"
    ),
    port: Annotated[
        int, typer.Option(min=1, max=65535, help="of the server, on this machine only")
    ] = 8866,
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
    from genlab_course import demos

    written = demos.write_demos(folder)
    out.print(f"{len(written)} pages in {folder}", soft_wrap=True)
    if serve:
        raise typer.Exit(demos.serve(folder, port, browser=browser))


@app.command("cheatsheet", help="Print the course on one page, as Markdown.")
def cheatsheet_command() -> None:
    """Run `genlab cheatsheet`."""
    from genlab_course.cheatsheet import cheat_sheet

    typer.echo(cheat_sheet(), nl=False)


def _row(training: "Training", verify: bool) -> dict[str, Any]:
    """Return what is printed of one model."""
    from genlab.core.weights import read_card
    from genlab.zoo.cards import agree
    from genlab.zoo.train import load, measured

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


def _again(row: dict[str, Any]) -> str:
    """Say whether the figures of a model came out again, and which did not."""
    from genlab.zoo.cards import agree

    stated, found = row["metrics"], row["measured"]
    odd = {
        name: found.get(name, "gone")
        for name in stated | found
        if name not in stated or not agree({name: stated[name]}, {name: found.get(name)})
    }
    return _figures(odd) if odd else "the same"


def _trainings() -> Table:
    """Return the table of everything that can be trained."""
    from genlab.zoo.registry import TRAININGS

    table = _table("name", "what", "lesson", "parameters", "seconds")
    for t in TRAININGS:
        numbers = sum(p.numel() for p in t.build(t.settings).parameters())
        table.add_row(t.name, t.what, f"{t.lesson:02d}", f"{numbers:,}", f"{t.seconds:.0f}")
    table.caption = "seconds: about, on two cores"
    return table


def _table(*headings: str) -> Table:
    """Return an empty table that is as narrow as can be and never cuts a name or a number."""
    table = Table(box=None, pad_edge=False, collapse_padding=True, caption_justify="left")
    for heading in headings:
        long = heading in ("what", "held-out figures", "again")
        table.add_column(heading, no_wrap=not long, overflow="fold")
    return table


def _figures(metrics: "Figures", most: int = sys.maxsize) -> str:
    """Write figures in one line, three digits each, and say how many more there are."""
    said = [
        f"{name} {value:.3f}" if isinstance(value, float) else f"{name} {value}"
        for name, value in metrics.items()
    ]
    more = [f"and {len(said) - most} more"] if len(said) > most else []
    return ", ".join(said[:most] + more)


class _Watch:
    """Moves the bar, and says when to stop."""

    def __init__(self, training: "Training", progress: Progress) -> None:
        self.progress, self.stopped, self.step = progress, False, 0
        self.bar = progress.add_task(training.name, total=None, losses="", visible=False)

    def __call__(self, record: "Record", n_steps: int, _: float) -> bool:
        self.step = record.step
        losses = "  ".join(f"{name} {value:.4f}" for name, value in record.losses.items())
        self.progress.update(
            self.bar, visible=True, completed=record.step, total=n_steps, losses=losses
        )
        return self.stopped

    def stop(self, _: int, __: FrameType | None) -> None:
        self.stopped = True


@contextmanager
def _bar(training: "Training") -> Iterator[_Watch]:
    """Show a progress bar; the first Ctrl-C ends the training between two steps."""
    from genlab.train import parallel

    def warn(message: Warning | str, *_: Any, **__: Any) -> None:
        err.print(f"genlab: {message}", soft_wrap=True, markup=False, highlight=False)

    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
        TextColumn("{task.fields[losses]}"),
    )  # fmt: skip
    signals = (signal.SIGINT, signal.SIGTERM) if parallel.expected() == 1 else ()
    hidden = parallel.expected_rank() > 0
    with warnings.catch_warnings(), Progress(*columns, console=err, disable=hidden) as progress:
        warnings.showwarning = warn
        watch = _Watch(training, progress)
        before = [(number, signal.signal(number, watch.stop)) for number in signals]
        try:
            yield watch
        finally:
            for number, handler in before:
                signal.signal(number, handler)


if __name__ == "__main__":
    sys.exit(app())
