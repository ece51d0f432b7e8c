"""How far a learner is with each lesson and lab, and the cards that show it."""

import base64
import html
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template

from genlab.map import FRONTIER, LESSONS, SYSTEMS
from genlab_course.answers import answered
from genlab_course.copies import asked_in, code_cells
from genlab_course.places import NOTEBOOKS, folder, key_of, shipped
from genlab_course.predictions import is_prediction
from genlab_course.quiz import questions

DATA = Path(__file__).with_name("data")
HEAD = re.compile(  # minutes, of one sitting or of two
    r"(?:About (\d+)|Two\s+sittings\s+of\s+about\s+(\d+)\s+and\s+(\d+))\s+minutes"
    r"(?: to read, about|,\s+exercises\s+included;\s+the\s+cells\s+run\s+in)\s+\d+\s+seconds"
)
GROUPS = {  # on start page and site: a heading, and how the names of its notebooks begin
    "One map, and likelihood": ("01_", "02_", "03_", "04_"),
    "Latent variables, and the adversarial game": ("05_", "06_", "07_", "08_", "09_"),
    "Energies, scores and diffusion": ("10_", "11_", "12_", "13_", "14_"),
    "The landscape": ("15_",),
    "Labs: the systems in use": ("systems/",),
    "Frontier": ("frontier/",),
}
THUMBNAILS = DATA / "thumbnails"  # written by docs/images/thumbnails.py
NEXT, CARD = (
    Template((DATA / f"{part}.html").read_text(encoding="utf-8")) for part in ("next", "card")
)
CARDS = '<div style="display:flex; flex-wrap:wrap; gap:12px">\n{}</div>'


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
            minutes = sum(map(int, filter(None, head.groups()))) if head else 0
            ids = [id for cell in code_cells(json.loads(text)) for id in asked_in(cell)]
            exercises = [id for id in ids if not is_prediction(id)]
            quiz = [f"{short}.quiz.{n}" for n, _ in enumerate(questions(key), 1)]
            title = titles[key] if isinstance(key, str) else f"{short} {LESSONS[key]}"
            found[short] = Asked(title, name, minutes, exercises, quiz)
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
    parts = ["<p>Everything is answered. What would you build now?</p>"]
    if following is not None:
        hours = max(1, round(sum(row.minutes for row in rows if not row.done) / 60))
        left = f"; about {hours} hour{'s' if hours > 1 else ''} are left"
        parts = [
            NEXT.substitute(
                name=following.name,
                verb="Go on with" if following.begun else "Next",
                title=html.escape(following.title),
                left=f"{following.minutes} minutes{left if any(r.begun for r in rows) else ''}",
            )
        ]
    for heading, starts in GROUPS.items():
        cards = [_card(row, row is following) for row in rows if row.name.startswith(starts)]
        parts += [f"<h3>{heading}</h3>", CARDS.format("".join(cards))] if cards else []
    return "\n".join(parts)


def _card(row: Standing, following: bool) -> str:
    picture = ""
    if (small := THUMBNAILS / f"{key_of(row.name)}.webp").is_file():
        data = base64.b64encode(small.read_bytes()).decode()
        picture = f'<img src="data:image/webp;base64,{data}" alt="" style="width:100%">'
    return CARD.substitute(
        name=row.name,
        edge="3px solid #0072B2" if following else "1px solid #999999",
        picture=picture,
        sign="✓ " if row.done else "… " if row.begun else "",
        title=html.escape(row.title),
        minutes=row.minutes,
        exercises="{} of {}".format(*row.exercises),
        quiz="{} of {}".format(*row.quiz),
    )


def progress() -> None:
    """Show how far you are, in a notebook of the working copies; FileNotFoundError elsewhere."""
    mine = folder()
    if mine is None:
        raise FileNotFoundError("progress is kept for working copies: `genlab start` makes them")
    from IPython.display import HTML, display  # not for `genlab start`, which is to be quick

    display(HTML(table(standings(mine))))
