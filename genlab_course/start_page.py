"""The start page of a folder of working copies, which `genlab start` makes anew each time."""

import base64
from importlib.metadata import metadata
from pathlib import Path

from genlab.files import replace_file
from genlab_course.copies import Prepared, fresh, prepare, write_copy
from genlab_course.places import NOTEBOOKS, key_of, shipped
from genlab_course.standings import DATA, standings, table

PAGE = "START.ipynb"
# in a folder of copies: which panels JupyterLab has open, first the contents
LAYOUTS = ".jupyterlab"
LAYOUT = DATA / "default-37a8.jupyterlab-workspace"
HELLO = (DATA / "start.md").read_text(encoding="utf-8").strip()
HERO = DATA / "hero.webp"
HERO_ALT = (
    "Animation: five families of generative models turn noise into the same ring of eight "
    "clusters; four are done after one or two network evaluations, diffusion takes a hundred"
)
SAYS = {  # what was done with some copies: the sentence about them
    "carried": "The course has moved, and the imports of these copies were gone: {names}. Your "
    "answers were carried over into fresh ones; notes and cells of your own were not: the old ones "
    "are kept beside them, with the date.",
    "outdated": "The course has newer versions of: {names}. Yours are as you left them. `genlab "
    "reset LESSON --keep-answers` takes the new one with your answers in it and keeps yours in "
    "`backups/`, where notes and cells of your own stay.",
    "unreadable": "What stands in the place of these copies is no notebook that can be read: "
    "{names}. Nothing was changed there; `genlab reset` takes a fresh one and keeps what is there.",
}
CELL = "import genlab_course as course\n\ncourse.progress()"
WORK = 'course.download()  # your work as one file\n# course.restore("the file")  # puts it back'


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
    write_copy(mine / PAGE, page)
    return mine / PAGE


def slug() -> str:
    """Owner and name of the repository, as pyproject.toml told the installed package."""
    urls: list[str] = metadata("genlab").get_all("Project-URL", [])
    return next(u for u in urls if u.startswith("Repository")).partition("github.com/")[2]


def begin(mine: Path, source: Path = NOTEBOOKS) -> tuple[Path, Prepared]:
    """Make or renew the working copies, then the start page that lists them."""
    prepared = prepare(mine, source)
    layout = mine / LAYOUTS / LAYOUT.name
    if not layout.exists():  # later it is the learner's own
        replace_file(layout, LAYOUT.read_bytes())
    return write_start(mine, prepared, source), prepared
