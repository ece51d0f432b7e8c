"""The course's commands, beside those of the library: `genlab start`, `read`, `league`, ..."""

import dataclasses
import json
import os
import sys
import sysconfig
import textwrap
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer
from rich.text import Text

from genlab.cli import MORE, app, complain, out, table


def _reader() -> list[Any]:
    from genlab_course.rows import READER

    return [READER]


if _reader not in MORE:
    MORE.append(_reader)


@app.command(help="Place the text of a release on the map, with the phrases that put it there.")
def read(
    file: Annotated[Path, typer.Argument(help="a text; - is the standard input")],
    as_json: Annotated[bool, typer.Option("--json", help="print the reading as JSON")] = False,
) -> None:
    """Print a line for each question, or all as JSON with what the map adds."""
    from genlab.map import PAYS
    from genlab_course import reader

    piped = str(file) == "-"
    data = sys.stdin.buffer.read() if piped else file.read_bytes()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        place = "the standard input" if piped else file
        raise ValueError(f"{place} is not UTF-8 text ({error.reason})") from None
    reading = reader.read(text, lambda families: {f: PAYS[f][0] for f in families})
    if as_json:
        typer.echo(json.dumps(reading.as_dict(), indent=2, ensure_ascii=False))
        return
    for field in reader.FIELDS:
        a = getattr(reading, field)
        value = reader.in_words(reading, field)
        why = "; ".join(" ".join(p.text.split()) for p in a.evidence) or "no phrase says so"
        typer.echo(f"{field}: {value} (confidence {a.confidence:.2f}): {why}")


@app.command(help="Every family on the same digits: bits, distance, speed, and what each pays.")
def league(
    as_json: Annotated[bool, typer.Option("--json", help="print the rows as JSON")] = False,
) -> None:
    """Print the league."""
    from genlab_course import league

    rows = league.load_league()
    if as_json:
        typer.echo(json.dumps([dataclasses.asdict(row) for row in rows], indent=2))
        return
    for columns in ((0, 1, 9, 10), (0, *range(2, 6)), (0, *range(6, 9))):  # each fits 80
        part = table(*(league.COLUMNS[k] for k in columns))
        for row in rows:
            cells = league.cells(row)
            part.add_row(*(cells[k] for k in columns))
        out.print(part)


@app.command(help="Copy lessons and labs into a new folder, to hand out.")
def handout(
    folder: Annotated[Path, typer.Argument(help="a new folder")],
    instructor: Annotated[
        bool, typer.Option("--instructor", help="with outputs and worked solutions")
    ] = False,
) -> None:
    """Copy one of the two editions."""
    from genlab_course.copies import handout

    written = handout(folder, instructor=instructor)
    edition = "instructor's" if instructor else "students'"
    out.print(f"{len(written)} notebooks of the {edition} edition in {folder}", soft_wrap=True)


@app.command(help="Make your working copies in my/, and the start page that lists them.")
def start() -> None:
    """Make what is missing."""
    from genlab_course.places import MARK, other_folder, own_folder, remember
    from genlab_course.start_page import begin, notices

    mine = own_folder()
    other = None if (mine / MARK).is_file() else other_folder(mine)
    page, prepared = begin(mine)
    said = [f"{len(names)} {word}" for word, names in vars(prepared).items() if names]
    out.print(f"{page}: {', '.join(said) or 'nothing new'}", soft_wrap=True, markup=False)
    for sentence in notices(prepared):
        complain(sentence)
    if "GENLAB_MY" not in os.environ:  # which says what is meant
        if other is not None:
            where = f"your answers are in another folder, {other}"
            complain(f"{where}: open the copies there to go on with them")
        remember(mine)


@app.command(context_settings={"ignore_unknown_options": True})
def lab(
    arguments: Annotated[list[str] | None, typer.Argument(help="passed on to JupyterLab")] = None,
) -> None:
    """Open your working copies in JupyterLab, at the start page."""
    from genlab_course.places import own_folder
    from genlab_course.start_page import LAYOUTS, PAGE

    try:
        from jupyterlab.labapp import main
    except ImportError:
        raise FileNotFoundError("no JupyterLab here: pip install jupyterlab") from None
    start()
    found = sysconfig.get_path("scripts"), os.environ.get("PATH", os.defpath)
    os.environ["PATH"] = os.pathsep.join(found)  # a terminal is to find `genlab`
    mine = own_folder().resolve()
    said = [
        f"--ServerApp.root_dir={mine.parent}",
        f"--LabApp.default_url=/lab/tree/{quote(mine.name)}/{PAGE}",
        f"--LabApp.app_settings_dir={Path(__file__).with_name('data')}",
    ]
    layouts = [f"--LabApp.workspaces_dir={mine / LAYOUTS}"]
    said += [] if "JUPYTERLAB_WORKSPACES_DIR" in os.environ else layouts
    if os.name == "posix":  # a shell that is named is no login shell, which sets the path afresh
        said += [f"--ServerApp.terminado_settings=shell_command={[os.environ.get('SHELL', 'sh')]}"]
        said += ["--allow-root"] if os.geteuid() == 0 else []  # the usual user in a container
    main([*said, *(arguments or [])])


@app.command(help="Take a fresh working copy of a lesson; the old one is kept, dated.")
def reset(
    lesson: Annotated[str, typer.Argument(help="number of a lesson, or name of a lab")],
    keep_answers: Annotated[
        bool, typer.Option("--keep-answers", help="put your answers into the fresh copy")
    ] = False,
) -> None:
    """Put a fresh copy in place of yours."""
    from genlab_course.copies import reset_here

    reset_here(lesson, keep_answers=keep_answers)


@app.command(help="Serve the instructor's pages: one a notebook, large, no code.")
def demo(
    folder: Annotated[Path, typer.Argument(help="for the pages; made anew each time")] = Path(
        "build/demo"
    ),
    port: Annotated[
        int, typer.Option(min=1, max=65535, help="of the server, on this machine only")
    ] = 8866,
    browser: Annotated[bool, typer.Option(help="open the index in a browser")] = True,
    serve: Annotated[bool, typer.Option(help="or only write the pages")] = True,
) -> None:
    """Write the pages and serve them."""
    from genlab_course import demos

    written = demos.write_demos(folder)
    out.print(f"{len(written)} pages in {folder}", soft_wrap=True)
    if serve:
        raise typer.Exit(demos.serve(folder, port, browser=browser))


@app.command(help="Print the course on two pages, as Markdown; or its equations.")
def cheatsheet(
    equations: Annotated[bool, typer.Option("--equations", help="of every lesson")] = False,
) -> None:
    """Print one of the two sheets."""
    from genlab_course.cheatsheet import cheat_sheet, equation_sheet

    typer.echo(equation_sheet() if equations else cheat_sheet(), nl=False)


Lesson = Annotated[str, typer.Argument(help="number of a lesson, or name of a lab")]


@app.command(help="Write a lesson's exercises as an assignment for otter-grader.")
def assignment(
    lesson: Lesson,
    folder: Annotated[Path, typer.Argument(help="for the notebook that `otter assign` takes")],
) -> None:
    """Write the notebook."""
    from genlab_course import classroom

    out.print(str(classroom.assignment(lesson, folder)), soft_wrap=True, markup=False)


@app.command(help="Write a lesson's quiz in GIFT, the form that Moodle imports.")
def gift(lesson: Lesson, file: Annotated[Path, typer.Argument(help="a new file")]) -> None:
    """Write all questions with their explanations."""
    from genlab_course import classroom, quiz
    from genlab_course.places import find_lesson, key_of

    key = key_of(find_lesson(lesson))
    asked = quiz.questions(int(key) if key.isdecimal() else key)
    classroom.write_new(file, classroom.as_gift(key, asked).encode())
    out.print(f"{len(asked)} questions: {file}", soft_wrap=True, markup=False)


@app.command()
def speedrun(
    task: Annotated[str, typer.Argument(help="digits16: 16 x 16 digits of MNIST")],
    seed: Annotated[int, typer.Option(min=0, help="of weights, batches and noise")] = 0,
    seconds: Annotated[float, typer.Option(min=1e-3, help="processor seconds to train")] = 180.0,
    n: Annotated[int, typer.Option("-n", min=40, max=1000, help="digits to be evaluated")] = 1000,
    report: Annotated[bool, typer.Option("--report", help="ask evaluator B too")] = False,
    place: Annotated[Path, typer.Option("--out", help="file")] = Path("speedrun.safetensors"),
    force: Annotated[bool, typer.Option("--force", help="replace a file that is there")] = False,
) -> None:
    """Train the speed-run recipe for a given time, and score its samples with a frozen classifier.

    Seconds are the processor's: 180 are 90 on two cores. Tune with evaluator A; B is for reports.
    """
    from genlab_course import speedrun

    if task != "digits16":
        raise ValueError(f"the only speed-run is digits16, got {task!r}")
    letters = "ab" if report else "a"
    try:
        for line in speedrun.play(seed, seconds, place, n, letters, force=force):
            out.print(line, soft_wrap=True, highlight=False)
    except KeyboardInterrupt:
        complain("stopped; nothing was saved, because a timed run cannot be resumed")
        raise typer.Exit(130) from None


@app.command("class", help="Show what each learner has done, and how often each mistake was made.")
def of_class(
    folder: Annotated[Path, typer.Argument(help="of learners' folders, .zip or .jsonl files")],
    as_csv: Annotated[bool, typer.Option("--csv", help="print the rows alone, as CSV")] = False,
) -> None:
    """Print a row for each learner, then the named mistakes; status 1 if something was not read."""
    from genlab_course import classroom
    from genlab_course.roster import roster

    learners, unread = roster(folder)
    if as_csv:
        typer.echo(classroom.as_csv(learners), nl=False)
        complain(NOTE)
    else:
        _print_class(learners)
        out.print(NOTE)
    for name, why in unread.items():
        complain(f"not read: {name} ({why})")
    if unread:
        raise typer.Exit(1)


NOTE = (
    "Learners can edit these files, and an opened hint or solution is not recorded: do not grade "
    "on them alone."
)
NAME = 24  # columns of a pseudonym in a table


def _print_class(learners: dict[str, Any]) -> None:
    from genlab_course import classroom

    names = [Text(who) for who in learners]  # as they stand: no markup of theirs is obeyed
    for name in names:
        name.truncate(NAME, overflow="ellipsis")
    rows = [classroom.standing(entries) for entries in learners.values()]
    room = out.width - max(name.cell_len for name in names)
    for keys in _in_tables(classroom.begun(learners), room):
        part = table("learner", *keys)
        for name, row in zip(names, rows, strict=True):
            part.add_row(name, *("{}/{}".format(*row[key]) for key in keys))
        out.print(part)
    for id, says, times, people in classroom.mistakes(learners):
        said = f"{id} (times: {times}, learners: {people}): {textwrap.shorten(says, 80)}"
        out.print(said, soft_wrap=True, markup=False)


def _in_tables(keys: list[str], width: int) -> list[list[str]]:
    """The columns of each of as many tables as it takes: none is wider than the terminal."""
    tables: list[list[str]] = [[]]
    left = width
    for key in keys:
        needs = max(len(key), len("10/10")) + 2
        if tables[-1] and needs > left:
            tables.append([])
            left = width
        tables[-1].append(key)
        left -= needs
    return tables


if __name__ == "__main__":
    app()
