"""The command line: `genlab train NAME` makes the weights that ship, `genlab systems` lists them.

Each command imports what it needs when it is called: `genlab --help` waits for no torch.
"""

import io
import json
import os
import signal
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from typer.core import TyperGroup

from genlab import __version__


class _Group(TyperGroup):
    """Answers what goes wrong in a command with one sentence and exit status 1."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        for stream in (sys.stdout, sys.stderr):  # a terminal of ASCII shows "?" for an "é"
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(errors="replace")
        return super().main(*args, **kwargs)

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # who read the output has seen enough
            raise
        except (ValueError, OSError, FloatingPointError) as error:
            said = str(error)
            if isinstance(error, OSError) and error.strerror and error.filename:
                said = f"{error.strerror}: {error.filename}"
            err.quiet = False
            complain(f"genlab: {said}")
            raise typer.Exit(1) from None


app = typer.Typer(
    cls=_Group, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False
)
out = Console()
err = Console(stderr=True)
EXAMPLE = "a red seven left of a blue three"
PICTURES = (".png", ".jpg", ".jpeg", ".webp")  # kinds of files that `sample` writes
MORE: list[Callable[[], list[Any]]] = []  # rows of a package beside the library, made when asked


def complain(sentence: str) -> None:
    """Print a sentence on standard error, as it is."""
    err.print(sentence, soft_wrap=True, markup=False, highlight=False)


def refuse(sentence: str) -> NoReturn:
    """End the command before its work, with status 2: it was called in a way that cannot be."""
    complain(f"genlab: {sentence}")
    raise typer.Exit(2)


def _beside() -> list[Any]:
    return [row for more in MORE for row in more()]


def _rows() -> list[Any]:
    from genlab.zoo import recipes

    return [*recipes(), *_beside()]


def _print_version(asked: bool) -> bool:
    if asked:
        typer.echo(f"genlab {__version__}")
        raise typer.Exit
    return asked


@app.callback(help="Generative models from first principles: train, list, and learn.")
def _main(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="print the version"),
    ] = False,
) -> None:
    pass


@app.command()
def train(
    name: Annotated[str | None, typer.Argument(help="which; without it they are listed")] = None,
    place: Annotated[
        Path, typer.Option("--out", help="folder, or file that ends in .safetensors")
    ] = Path("weights"),
    steps: Annotated[int | None, typer.Option(min=1, help="instead of the row's number")] = None,
    force: Annotated[bool, typer.Option("--force", help="replace a file that is there")] = False,
    every: Annotated[float, typer.Option(min=0, help="seconds between checkpoints")] = 10.0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps")] = "cpu",
    bfloat16: Annotated[bool, typer.Option("--bfloat16", help="half the bits in the loss")] = False,
    size: Annotated[str | None, typer.Option(help="S, M, L or XL, where a row has sizes")] = None,
) -> None:
    """Train a model of the course from its row, and write its weights with a card.

    Killed and repeated, it goes on where it was and ends with the same bits. A row with sizes is
    trained by all processes that `torchrun` or `accelerate launch` starts.
    """
    several = os.environ.get("WORLD_SIZE", "1") != "1"
    out.quiet = err.quiet = several and os.environ.get("RANK") != "0"
    from genlab.zoo import find
    from genlab.zoo.train import train as train_row

    if name is None:
        listed = table("name", "what", "lesson", "parameters", "seconds")
        for m in _rows():
            listed.add_row(m.name, m.what, f"{m.lesson:02d}", f"{m.size:,}", f"{m.seconds:.0f}")
        listed.caption = "seconds: about, of processor time on one thread"
        out.print(listed)
        return
    row = find(name, _beside())
    if (several or size is not None) and not getattr(row, "dial", {}):
        having = ", ".join(m.name for m in _rows() if getattr(m, "dial", {}))
        raise ValueError(f"{name} has one size, and one process trains it; only {having} has sizes")
    row = row if size is None else row.at(size)
    if place.suffix not in ("", ".safetensors") and not place.is_dir():
        raise ValueError(f"expected a folder or a file that ends in .safetensors, got {place}")
    path = place if place.suffix == ".safetensors" else place / f"{name}.safetensors"
    with _bar(name) as bar:
        make = getattr(row, "make", partial(train_row, row))
        if hasattr(row, "make") and (device, bfloat16) != ("cpu", False):
            raise ValueError(f"{name} is made on the CPU, without --device and --bfloat16")
        how: dict[str, Any] = {"device": _device(device), "bfloat16": bfloat16}
        try:
            card = make(path, n_steps=steps, force=force, every=every, watch=bar, **how)
        except KeyboardInterrupt:
            stand, kept = path.with_suffix(".checkpoint"), "nothing is saved"
            if stand.exists():
                kept = f"the training so far is saved in {stand}; run the same command to resume"
            complain(f"stopped; {kept}")
            raise typer.Exit(130) from None
    if card is None:
        err.print(f"stopped at step {bar.step}; run the same command to resume")
        raise typer.Exit(130)
    if card:
        out.print(f"wrote {path} and its card: {_figures(card['metrics'])}", soft_wrap=True)


@app.command(help="List the models that ship, with the held-out figures on their cards.")
def systems(
    name: Annotated[str | None, typer.Argument(help="print all figures of this one")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print the cards as JSON")] = False,
    verify: Annotated[
        bool, typer.Option("--verify", help="measure every figure again: some twenty minutes")
    ] = False,
) -> None:
    """Print a row for each model; with --verify, exit status 1 when a figure differs."""
    from genlab.zoo import find
    from genlab.zoo.cards import differing

    listed = table("name", "held-out figures", "kB", "minutes", *(["again"] if verify else []))
    rows: list[dict[str, Any]] = []
    shipped = [row for row in _rows() if row.ships] if name is None else []
    chosen = shipped if name is None else [find(name, _beside())]
    for model in chosen:
        card = model.card()
        metrics = card["metrics"]
        minutes = round(card["seconds"] / 60, 2)
        row = {"name": model.name, "metrics": metrics, "minutes": minutes, "bytes": card["bytes"]}
        cells = [_figures(metrics, most=len(metrics) if name else 3)]
        cells += [f"{card['bytes'] / 1000:.0f}", f"{minutes:.1f}"]
        if verify:
            complain(f"measuring {model.name}: {len(rows) + 1} of {len(chosen)}")
            row["measured"] = model.figures(model.load())
            odd = differing(metrics, row["measured"])
            row["agrees"] = not odd
            cells.append(_figures(odd) if odd else "the same")
        rows.append(row)
        listed.add_row(model.name, *cells)
    listed.caption = None if name else "all figures of one: genlab systems NAME"
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
    else:
        out.print(listed)
    if not all(row.get("agrees", True) for row in rows):
        raise typer.Exit(1)


@app.command()
def sample(
    name: Annotated[str, typer.Argument(help="which model, for example latent_diffusion")],
    caption: Annotated[str, typer.Argument(help=f'as in "{EXAMPLE}"')],
    n: Annotated[int, typer.Option("-n", min=1, help="how many pictures")] = 8,
    guidance: Annotated[float, typer.Option("--guidance", help="scale w; 1 is plain")] = 3.0,
    seed: Annotated[int, typer.Option(min=0, help="of the noise")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps")] = "cpu",
    place: Annotated[Path, typer.Option("--out", help="file of the picture")] = Path("sample.png"),
    force: Annotated[bool, typer.Option("--force", help="replace a file that is there")] = False,
) -> None:
    """Draw what a caption says with a shipped model, `n` times side by side, into one file."""
    from genlab.files import replace_file, require_room

    if not caption.strip():
        refuse(f'the caption is empty: say what to draw, as in "{EXAMPLE}"')
    if place.is_dir():
        refuse(f"{place} is a folder: expected the name of a file")
    if place.suffix.lower() not in PICTURES:
        kinds = f"{', '.join(PICTURES[:-1])} or {PICTURES[-1]}"
        refuse(f"expected a file that ends in {kinds}, got {place}")
    if place.exists() and not force:
        refuse(f"{place} exists: --force replaces it, --out names another place")
    require_room(place, n * 5000)  # what noise would take as PNG

    import torch
    from matplotlib.image import imsave

    from genlab.systems.latent_diffusion import LatentDiffusion
    from genlab.zoo import find

    model = find(name, _beside()).load(dtype=torch.float32).to(_device(device))
    if not isinstance(model, LatentDiffusion):
        raise ValueError(f"{name} does not take a caption; latent_diffusion and latent_dit do")
    generator = torch.Generator().manual_seed(seed)
    x = model.draw([caption] * n, guidance_scale=guidance, generator=generator)
    row = torch.nn.functional.pad(x, (2, 2, 2, 2), value=1.0).permute(2, 0, 3, 1).flatten(1, 2)
    large = row.repeat_interleave(4, 0).repeat_interleave(4, 1)
    picture = io.BytesIO()
    imsave(picture, large.clamp(0, 1).cpu().numpy(), format=place.suffix[1:].lower())
    replace_file(place, picture.getvalue())
    out.print(f"wrote {place}", soft_wrap=True, markup=False)


def _device(name: str) -> str:
    """The device of that name; "auto" is the fastest that is there."""
    import torch

    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        return next((device for device, is_there in there.items() if is_there), "cpu")
    found = ["auto", "cpu", *(device for device, is_there in there.items() if is_there)]
    if name not in found:
        raise ValueError(f"--device must be one of {', '.join(found)} here, got {name}")
    return name


def table(*headings: str) -> Table:
    """An empty table that is as narrow as can be and never cuts a name or a number."""
    empty = Table(box=None, pad_edge=False, collapse_padding=True, caption_justify="left")
    for heading in headings:
        long = heading in ("what", "held-out figures", "again")
        empty.add_column(heading, no_wrap=not long, overflow="fold")
    return empty


def _figures(metrics: dict[str, Any], most: int = sys.maxsize) -> str:
    """Figures in one line, three digits each, and how many more there are."""
    said = [f"{k} {v:.3f}" if isinstance(v, float) else f"{k} {v}" for k, v in metrics.items()]
    more = [f"and {len(said) - most} more"] if len(said) > most else []
    return ", ".join(said[:most] + more)


class _Bar:
    """A progress bar; an interrupt ends a training between two steps, and all else at once."""

    def __init__(self, name: str) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        more = (TimeRemainingColumn(), TextColumn("{task.fields[losses]}"))
        self.progress, self.step = Progress(*columns, *more, console=err), 0
        self.training = self.stopped = False
        self.task = self.progress.add_task(name, total=None, losses="", visible=False)

    def __call__(self, record: Any, n_steps: int, _: float) -> bool:
        self.step, self.training = record.step, record.step < n_steps
        losses = "  ".join(f"{name} {value:.4f}" for name, value in record.losses.items())
        now = {"completed": record.step, "total": n_steps, "losses": losses}
        self.progress.update(self.task, visible=True, **now)
        return self.stopped

    def stop(self, *_: Any) -> None:
        if not self.training:
            raise KeyboardInterrupt
        self.stopped = True


@contextmanager
def _bar(name: str) -> Iterator[_Bar]:
    bar = _Bar(name)
    with warnings.catch_warnings(), bar.progress:
        warnings.showwarning = lambda message, *_, **__: complain(f"genlab: {message}")
        before = [(n, signal.signal(n, bar.stop)) for n in (signal.SIGINT, signal.SIGTERM)]
        try:
            yield bar
        finally:
            for number, handler in before:
                signal.signal(number, handler)


if __name__ == "__main__":
    app()
