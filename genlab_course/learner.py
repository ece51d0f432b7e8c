"""A learner's folder: working copies, what was answered in them, and the start page.

`genlab start` copies the lessons once, renews copies in which nobody has written, and never
writes over one that holds answers. Where the imports of such a copy are gone it is kept, with its
date, and its answers are carried over into a fresh one. Each answer is a line of `progress.jsonl`,
forced to the disk: a kernel that is killed loses nothing.
"""

import ast
import base64
import contextlib
import hashlib
import html
import importlib
import json
import os
import re
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import metadata
from pathlib import Path
from typing import Any

from genlab.map import FRONTIER, LESSONS, SYSTEMS
from genlab_course.quiz import questions

PACKED = Path(__file__).resolve().with_name("lessons")  # in a wheel: setup.py puts them there
NOTEBOOKS = PACKED if PACKED.is_dir() else PACKED.parents[1] / "notebooks"  # of the clone
LOG = "progress.jsonl"
MARK = ".genlab-copies.json"  # of a folder of working copies: which version each is made from
BACKUPS = "backups"
KEEP = "keep-output"  # tag of a cell whose pictures are shown before it has run

Notebook = dict[str, Any]


@dataclass(frozen=True)
class Answered:
    """What is known of one exercise or question."""

    right: bool  # it has been right once
    tries: int


def folder(start: Path | None = None) -> Path | None:
    """The folder of working copies that GENLAB_MY names, or a place (this one) lies in; or None."""
    with contextlib.suppress(OSError):  # the directory may be gone
        place = (start or Path.cwd()).resolve()
        named = os.environ.get("GENLAB_MY") if start is None else None
        first = [Path(named).expanduser().resolve()] if named else []
        for candidate in (*first, place, *place.parents):
            if (candidate / MARK).is_file():
                return candidate
    return None


def record(id: str, right: bool, place: Path | None = None, mistake: str = "") -> None:
    """Keep an answer to an exercise or question ("02.quiz.3"); a full disk stops no lesson."""
    with contextlib.suppress(OSError):
        place = folder() if place is None else place
        if place is not None:
            more = {"mistake": mistake} if mistake else {}
            _append(place / LOG, {"id": id, "right": right, "at": round(time.time())} | more)


def _append(path: Path, entry: dict[str, object]) -> None:
    """Add one line in one write: two kernels never mix theirs."""
    line = f"\n{json.dumps(entry)}\n"  # the first break ends a line that was cut short
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(file, line.encode())
        os.fsync(file)
    finally:
        os.close(file)


def entries(log: Any) -> Iterator[dict[str, Any]]:
    """All that was answered, as it was kept; lines that cannot be read are skipped."""
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return
    for line in lines:
        with contextlib.suppress(ValueError, TypeError, KeyError, RecursionError):
            entry = json.loads(line)
            if isinstance(entry["id"], str) and "right" in entry:
                yield entry


def answered(place: Path) -> dict[str, Answered]:
    """All that was answered, by id, retired ids too."""
    found: dict[str, Answered] = {}
    for entry in entries(place / LOG):
        before = found.get(entry["id"], Answered(False, 0))
        right = before.right or entry["right"] is True
        found[entry["id"]] = Answered(right, before.tries + 1)
    return found


def own_folder() -> Path:
    """What GENLAB_MY names, or the clone's my/; else the folder that one is in, or ./my."""
    if named := os.environ.get("GENLAB_MY"):
        return Path(named).expanduser()
    return folder() or Path.cwd() / "my" if NOTEBOOKS == PACKED else NOTEBOOKS.parent / "my"


def shipped(source: Path = NOTEBOOKS) -> dict[str, Path]:
    """The lessons and labs by their path in the course; FileNotFoundError without any."""
    places = ("[0-9][0-9]_*.ipynb", "systems/*.ipynb", "frontier/*.ipynb")
    found = [path for place in places for path in sorted(source.glob(place))]
    if not found:
        raise FileNotFoundError(f"no lessons in {source}: install the course again")
    return {path.relative_to(source).as_posix(): path for path in found}


def key_of(name: str) -> str:
    """What a lesson or lab is called by: "04", "glide"."""
    stem = Path(name).stem
    return stem[:2] if stem[:2].isdigit() else stem


def find_lesson(lesson: str, source: Path = NOTEBOOKS) -> str:
    """The path in the course of a lesson ("4", "04") or lab ("glide"); ValueError lists them."""
    by_key = {key_of(name): name for name in shipped(source)}
    key = f"{int(lesson):02d}" if lesson.isdecimal() else Path(lesson).stem
    name = by_key.get(key) or by_key.get(key[:2])
    if name is None:
        raise ValueError(f"no lesson or lab {lesson!r}; there are: {', '.join(by_key)}")
    return name


def fresh(notebook: Path) -> Notebook:
    """A notebook before its first run: only the pictures of cells tagged `keep-output` stay.

    Nothing that a cell prints stays, so no answer is given away.
    """
    content: Notebook = json.loads(notebook.read_text(encoding="utf-8"))
    for cell in content["cells"]:
        if cell["cell_type"] == "code":
            kept = KEEP in cell["metadata"].get("tags", ())
            shown = [o for o in cell["outputs"] if o.get("data", {}).keys() - {"text/plain"}]
            cell["outputs"] = shown if kept else []  # pictures, or a page that stands for a widget
            for counted in (c for c in (cell, *cell["outputs"]) if "execution_count" in c):
                counted["execution_count"] = None
    content["metadata"].pop("widgets", None)
    return content


def replace_file(path: Path, data: bytes) -> None:
    """Write beside its place, then move: a kill leaves the earlier file whole; without torch."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with beside.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def as_bytes(content: Notebook) -> bytes:
    """A notebook's file as Jupyter writes it."""
    return f"{json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False)}\n".encode()


def handout(target: Path, *, instructor: bool = False, source: Path = NOTEBOOKS) -> list[Path]:
    """Copy lessons and labs into a new folder, fresh; for instructors with outputs and solutions.

    Nothing is ever replaced: FileExistsError where the folder holds something already.
    """
    notebooks = list(shipped(source).values())
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise FileExistsError(f"{target} holds something, which is not replaced: name a new folder")
    notebooks += sorted(source.glob("solutions/*.ipynb")) if instructor else []
    copies = [target / notebook.relative_to(source) for notebook in notebooks]
    for notebook, copy in zip(notebooks, copies, strict=True):
        replace_file(copy, notebook.read_bytes() if instructor else as_bytes(fresh(notebook)))
    return copies


@dataclass(frozen=True)
class Prepared:
    """What `prepare` did, as paths relative to the folder of copies."""

    new: tuple[str, ...] = ()
    renewed: tuple[str, ...] = ()  # nobody had written in them
    carried: tuple[str, ...] = ()  # written in, and their imports were gone: answers carried over
    outdated: tuple[str, ...] = ()  # written in, and the course has a newer version
    unreadable: tuple[str, ...] = ()  # no notebook stands in the copy's place


def prepare(mine: Path, source: Path = NOTEBOOKS) -> Prepared:
    """Make the copies that are missing, renew the untouched, and rescue those that cannot run."""
    known = versions(mine)
    done: dict[str, list[str]] = {what: [] for what in vars(Prepared())}
    for name, path in shipped(source).items():
        copy, content = mine / name, fresh(path)
        want, made_from = digest(content), known.get(name)
        if not os.path.lexists(copy):
            what = "new"
        elif (have := read_copy(copy)) is None:
            what = "unreadable"
        elif digest(have) == want:
            known[name] = want
            continue
        elif made_from == want:
            continue  # written in, and made from this version
        elif made_from == digest(have):
            what = "renewed"
        elif imports_gone(have):
            what = "carried"
            replace_file(dated(copy, copy.parent), copy.read_bytes())
            carry_over(have, content)
        else:
            what = "outdated"
        done[what].append(name)
        if what not in ("outdated", "unreadable"):
            _write(copy, content)
            known[name] = want
    mark(mine, known)
    return Prepared(**{what: tuple(names) for what, names in done.items()})


def imports_gone(content: Notebook) -> bool:
    """Whether a notebook imports from the course what the course no longer has."""
    for node in (node for cell in _code(content) for node in ast.walk(_parsed(cell["source"]))):
        if not isinstance(node, ast.Import | ast.ImportFrom):
            continue
        for alias in node.names:
            module = alias.name if isinstance(node, ast.Import) else node.module or ""
            if module.partition(".")[0] in ("genlab", "genlab_course"):
                try:
                    found = importlib.import_module(module)
                    if isinstance(node, ast.ImportFrom) and not hasattr(found, alias.name):
                        importlib.import_module(f"{module}.{alias.name}")
                except ImportError:
                    return True
    return False


def carry_over(old: Notebook, new: Notebook) -> list[str]:
    """Put the cells of an old copy that hold answers in the place of a new one's same exercises.

    Returns the ids of these exercises. Cells are matched by the ids that they ask for; a cell with
    as many blanks as the new one holds no answer.
    """
    answers = {id: cell for cell in _code(old) for id in _asks(cell)}
    carried = []
    for cell in _code(new):
        mine = next((answers[id] for id in _asks(cell) if id in answers), None)
        if mine is not None and _blanks(mine["source"]) < _blanks(cell["source"]):
            cell["source"] = mine["source"]
            carried += _asks(cell)
    return carried


def _code(content: Notebook) -> Iterator[dict[str, Any]]:
    return (cell for cell in content["cells"] if cell["cell_type"] == "code")


def _asks(cell: dict[str, Any]) -> list[str]:
    """The ids of the exercises that a cell hands in."""
    return re.findall(r"\bcourse\.exercise\(\s*[\"']([\w.-]+)[\"']", "".join(cell["source"]))


def _parsed(source: str | list[str]) -> ast.Module:
    lines = "".join(source).splitlines()
    try:
        return ast.parse("\n".join(line for line in lines if line[:1] not in ("%", "!")))
    except SyntaxError:  # half written
        return ast.Module([], [])


def _blanks(source: str | list[str]) -> int:
    """Count empty answers: `x = None`, `def f(): return ...`, `course.exercise(id, ...)`."""

    def empty(node: ast.stmt) -> bool:
        if isinstance(node, ast.FunctionDef):
            return all(map(empty, node.body[ast.get_docstring(node) is not None :]))
        value = getattr(node, "value", None)
        given = value.args if isinstance(value, ast.Call) else [value]
        return any(isinstance(v, ast.Constant) and v.value in (None, ...) for v in given)

    return sum(map(empty, _parsed(source).body))


def reset(lesson: str, mine: Path, source: Path = NOTEBOOKS) -> tuple[Path, Path | None]:
    """Take a fresh copy of a lesson ("4", "04") or lab ("glide"), and say where the old one is."""
    name = find_lesson(lesson, source)
    known, copy, kept = versions(mine), mine / name, None
    if os.path.lexists(copy):
        kept = dated(copy, mine / BACKUPS)
        if copy.is_file():
            replace_file(kept, copy.read_bytes())  # on the disk before anything is replaced
        else:
            kept.parent.mkdir(parents=True, exist_ok=True)
            copy.rename(kept)
    content = fresh(source / name)
    _write(copy, content)
    mark(mine, known | {name: digest(content)})
    return copy, kept


def dated(copy: Path, place: Path) -> Path:
    """A name for an old copy that does not exist yet: two resets may fall into one second."""
    stem = f"{copy.stem}.{time.strftime('%Y-%m-%dT%H-%M-%S')}"
    tries = (place / f"{stem}{end}.ipynb" for end in ("", *(f"-{k}" for k in range(2, 1000))))
    return next(path for path in tries if not path.exists())


def _write(copy: Path, content: Notebook) -> None:
    """Write a copy with what JupyterLab would add on opening, so that it does not open unsaved."""
    version = sys.version.split()[0]  # as the kernel of this environment gives it
    content["metadata"].setdefault("language_info", {})["version"] = version
    replace_file(copy, as_bytes(content))


def read_copy(copy: Path) -> Notebook | None:
    """Return the notebook that stands in a copy's place, or None when there is none to read."""
    try:
        content: Notebook = json.loads(copy.read_text(encoding="utf-8"))
        content["metadata"].get("language_info"), digest(content)
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    return content


def digest(content: Notebook) -> str:
    """Return a digest of what was written: the type and the source of each cell."""
    cells = [(cell["cell_type"], "".join(cell["source"])) for cell in content["cells"]]
    return hashlib.sha256(json.dumps(cells).encode()).hexdigest()


def mark(mine: Path, known: dict[str, str]) -> None:
    """Make a folder one of working copies, and keep which version each is made from."""
    replace_file(mine / MARK, json.dumps(known, indent=1).encode())


def versions(mine: Path) -> dict[str, str]:
    """Return which version each copy was made from; nothing when that cannot be read."""
    if mine.exists() and not mine.is_dir():
        raise NotADirectoryError(f"{mine} is a file: expected a folder for the working copies")
    try:
        read = json.loads((mine / MARK).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return {str(k): str(v) for k, v in read.items()} if isinstance(read, dict) else {}


PAGE = "START.ipynb"
HEAD = re.compile(
    r"About (\d+) minutes(?: to read, about|, exercises included; the cells run in) (\d+) seconds"
)
LAYOUTS = (
    ".jupyterlab"  # in a folder of copies: which panels JupyterLab has open, first the contents
)
LAYOUT = Path(__file__).parent / "data" / "default-37a8.jupyterlab-workspace"
HELLO = (Path(__file__).parent / "data" / "start.md").read_text(encoding="utf-8").strip()
HERO = Path(__file__).parent / "data" / "hero.webp"
THUMBNAILS = HERO.with_name("thumbnails")  # written by docs/images/thumbnails.py
HERO_ALT = (
    "Animation: five families of generative models turn noise into the same ring of eight "
    "clusters, each in its own number of network evaluations"
)
GROUPS = {  # on start page and site: a heading, and how the names of its notebooks begin
    "One map, and likelihood": ("01_", "02_", "03_", "04_"),
    "Latent variables, and the adversarial game": ("05_", "06_", "07_", "08_", "09_"),
    "Energies, scores and diffusion": ("10_", "11_", "12_", "13_", "14_"),
    "The landscape": ("15_",),
    "Labs: the systems in use": ("systems/",),
    "Frontier": ("frontier/",),
}
BUTTON = (
    "display:inline-block;padding:12px 28px;margin-right:12px;border-radius:8px;font-size:22px;"
    "font-weight:bold;color:white;background-color:#0072B2;text-decoration:none"
)
GRID = "display:flex;flex-wrap:wrap;gap:12px"
CARD = "width:155px;padding:6px;border-radius:8px;line-height:1.35"
SAYS = {  # what was done with some copies: the sentence about them
    "carried": "The course has moved, and the imports of these copies were gone: {names}. Your "
    "answers were carried over into fresh ones; the old ones are kept beside them, with the date.",
    "outdated": "The course has newer versions of: {names}. Yours are as you left them; `genlab "
    "reset` takes the new one and keeps yours.",
    "unreadable": "What stands in the place of these copies is no notebook that can be read: "
    "{names}. Nothing was changed there; `genlab reset` takes a fresh one and keeps what is there.",
}
CELL = "import genlab_course as course\n\ncourse.progress()"
WORK = 'course.download()  # your work as one file\n# course.restore("the file")  # puts it back'


@dataclass(frozen=True)
class Asked:
    """What one lesson or lab asks, by the ids of exercises and questions."""

    title: str
    name: str  # of the notebook, relative to the working copies
    minutes: int  # to read, as the head of the lesson says; 0 when it says nothing
    exercises: list[str]
    quiz: list[str]


def asked(source: Path = NOTEBOOKS) -> dict[str, Asked]:
    """What every lesson and then every lab asks, by what it is called ("04", "glide")."""
    notebooks = {key_of(name): name for name in shipped(source)}
    titles = {key: title for key, (title, _) in (SYSTEMS | FRONTIER).items()}
    keys: tuple[int | str, ...] = (*LESSONS, *SYSTEMS, *FRONTIER)
    found = {}
    for key in keys:
        short = key if isinstance(key, str) else f"{key:02d}"
        if name := notebooks.get(short):
            text = (source / name).read_text(encoding="utf-8")
            head = HEAD.search(text)
            exercises = [id for cell in _code(json.loads(text)) for id in _asks(cell)]
            quiz = [f"{short}.quiz.{n}" for n, _ in enumerate(questions(key), 1)]
            title = titles[key] if isinstance(key, str) else f"{short} {LESSONS[key]}"
            found[short] = Asked(title, name, int(head[1]) if head else 0, exercises, quiz)
    return found


@dataclass(frozen=True)
class Standing:
    """How far a learner is with one lesson or lab."""

    title: str
    name: str
    minutes: int
    exercises: tuple[int, int]  # right, all
    quiz: tuple[int, int]

    @property
    def done(self) -> bool:
        """Every exercise and every question has been right once."""
        return self.exercises[0] == self.exercises[1] and self.quiz[0] == self.quiz[1]

    @property
    def begun(self) -> bool:
        """Something has been right."""
        return self.exercises[0] + self.quiz[0] > 0


def standings(mine: Path, source: Path = NOTEBOOKS) -> list[Standing]:
    """How far a learner is, lesson by lesson, then lab by lab."""
    right = {id for id, known in answered(mine).items() if known.right}
    return [
        Standing(a.title, a.name, a.minutes, counts(a.exercises, right), counts(a.quiz, right))
        for a in asked(source).values()
    ]


def counts(ids: Sequence[str], right: set[str]) -> tuple[int, int]:
    """How many of some ids have been right, and how many there are."""
    return len(right.intersection(ids)), len(ids)


def table(rows: list[Standing]) -> str:
    """Write the standings as HTML: a button for what is next, then a card for each notebook."""
    following = next((row for row in rows if not row.done), None)
    hours = max(1, round(sum(row.minutes for row in rows if not row.done) / 60))
    parts = ["<p>Everything is answered. What would you build now?</p>"]
    if following is not None:
        say = f"▶ {'Go on with' if following.begun else 'Next'}: {html.escape(following.title)}"
        left = f"; about {hours} hour{'s' if hours > 1 else ''} are left"
        left = f"{following.minutes} minutes{left if any(row.begun for row in rows) else ''}"
        parts = [f'<p><a href="{following.name}" style="{BUTTON}">{say}</a> {left}</p>']
    for heading, starts in GROUPS.items():
        cards = [_card(r, r is following) for r in rows if r.name.startswith(starts)]
        parts += [f"<h3>{heading}</h3>", f'<div style="{GRID}">', *cards, "</div>"] if cards else []
    return "\n".join(parts)


def _card(row: Standing, following: bool) -> str:
    picture, sign = "", "✓ " if row.done else "… " if row.begun else ""
    if (small := THUMBNAILS / f"{key_of(row.name)}.webp").is_file():
        data = base64.b64encode(small.read_bytes()).decode()
        picture = f'<img src="data:image/webp;base64,{data}" alt="" style="width:100%">'
    parts = ("{} of {}".format(*counted) for counted in (row.exercises, row.quiz))
    counted = "{} min<br>exercises {}<br>quiz {}".format(row.minutes, *parts)
    edge = "3px solid #0072B2" if following else "1px solid #999999"
    return (
        f'<div style="{CARD};border:{edge}"><a href="{row.name}" style="text-decoration:none">'
        f"{picture}<br><b>{sign}{html.escape(row.title)}</b></a><br><small>{counted}</small></div>"
    )


def notices(prepared: Prepared) -> list[str]:
    """What a learner should know about the copies, a sentence or two each."""
    keys = {what: ", ".join(f"`{key_of(n)}`" for n in getattr(prepared, what)) for what in SAYS}
    return [sentence.format(names=keys[what]) for what, sentence in SAYS.items() if keys[what]]


def write_start(mine: Path, prepared: Prepared, source: Path = NOTEBOOKS) -> Path:
    """Write the start page into a folder of working copies."""
    head = "\n\n".join(["# genlab: generative models from first principles", *notices(prepared)])
    shown = {"text/html": table(standings(mine, source)), "text/plain": "the table"}
    picture = {"image/webp": base64.b64encode(HERO.read_bytes()).decode(), "text/plain": HERO_ALT}
    width = {"image/webp": {"width": 880, "alt": HERO_ALT}}
    how = HELLO.replace("SLUG", slug())
    outputs = [
        {"output_type": "display_data", "data": picture, "metadata": width},
        {"output_type": "display_data", "data": shown, "metadata": {}},
    ]
    code = {"cell_type": "code", "id": "progress", "metadata": {}, "source": CELL}
    page = fresh(next(iter(shipped(source).values())))  # for its kernel and its language
    page["cells"] = [
        {"cell_type": "markdown", "id": "start", "metadata": {}, "source": head},
        code | {"outputs": outputs, "execution_count": None},
        {"cell_type": "markdown", "id": "how", "metadata": {}, "source": how},
        code | {"id": "work", "source": WORK, "outputs": [], "execution_count": None},
    ]
    _write(mine / PAGE, page)
    return mine / PAGE


def slug() -> str:
    """Owner and name of the repository, as pyproject.toml told the installed package."""
    urls: list[str] = metadata("genlab").get_all("Project-URL", [])
    return next(u for u in urls if u.startswith("Repository")).partition("github.com/")[2]


def begin(mine: Path, source: Path = NOTEBOOKS) -> tuple[Path, Prepared]:
    """Make or renew the working copies, then the start page that lists them."""
    prepared, layout = prepare(mine, source), mine / LAYOUTS / LAYOUT.name
    if not layout.exists():  # later it is the learner's own
        replace_file(layout, LAYOUT.read_bytes())
    return write_start(mine, prepared, source), prepared


def progress() -> None:
    """Show how far you are, in a notebook of the working copies; FileNotFoundError elsewhere."""
    mine = folder()
    if mine is None:
        raise FileNotFoundError("progress is kept for working copies: `genlab start` makes them")
    from IPython.display import HTML, display  # not for `genlab start`, which is to be quick

    display(HTML(table(standings(mine))))


def reset_here(lesson: str | int) -> None:
    """Take a fresh copy of a lesson or lab, as `genlab reset` does, and print where it went."""
    copy, kept = reset(str(lesson), folder() or own_folder())
    print(f"fresh: {copy} (if it is open: File, Reload Notebook from Disk)")
    if kept is not None:
        print(f"kept:  {kept}")
