"""What a notebook looks like: python tests/notebooks/anatomy.py notebooks/src/NN_slug.py ...

Prints where the minutes and the lines of a notebook go, section by section, and what keeps it from
the standard. Everything is counted from its text and from the outputs stored beside it. The core
is what stands before the line "The lesson ends here"; its price in minutes:

    words          130 a minute (of the summary, the words alone)
    displays       1.5 a displayed equation
    inline         4 s a formula in a sentence, 35 s one longer than 14 characters
    code           10 s a line in sight
    exercises      as announced
    look           1 a figure, 4 a widget with its questions
    ask            1 a prediction of Predict first, 1 a question of the quiz
    run            the seconds that the head states
"""

import re
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import nbformat

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from tests.notebooks import bite, build

REBUILT: tuple[str, ...] = (  # the notebooks that are held to this file
    "01_four_paradigm_map",
    "02_autoregressive",
    "03_maximum_likelihood_and_kl",
    "04_normalizing_flows",
    "05_latent_variables_and_elbo",
    "06_vae_in_practice",
    "07_gans_minimax",
    "08_wgan_gradient_penalty",
    "09_evaluation",
    "10_energy_based_models",
    "11_score_matching",
    "12_diffusion_i",
    "15_four_paradigm_landscape",
    "frontier/flow_matching",
    "frontier/few_step",
    "frontier/discrete_and_parallel",
    "frontier/speedrun",
    "systems/latent_diffusion",
    "frontier/predict_the_large_run",
)
LEVELS = ("compute", "derive", "build", "repair", "predict")
REQUIRED = ("build", "repair")
SITTING, SLACK = 75, 5  # minutes of a sitting at most, and how far the head may be off
EXERCISES = (5, 8)
LINES, FOLDED, WIDTH, IMPORTS, OK_LINES = 150, 25, 88, 12, 8
FIRST_PICTURE = 10  # minutes into the first section
LONG = 14  # characters of a formula that is read, not glanced at
PICTURES = ("image/png", "image/gif", "image/svg+xml", "image/webp")
PAUSE, END = "**Pause.**", "The lesson ends here"
MARK = re.compile(r"^(?=## |\*\*Pause\.\*\*|The lesson ends here)", re.MULTILINE)
KINDS = {  # of the sections whose titles are fixed; any other is a "section"
    "predict": re.compile(r"Predict first$"),
    "fails": re.compile(r"(It|Where it) fails"),
    "summary": re.compile(r"Summary"),
    "quiz": re.compile(r"Quiz"),
    "project": re.compile(r"Project"),
    "further": re.compile(r"Going further"),
    "production": re.compile(r"What production systems add"),
    "sources": re.compile(r"Sources"),
}
OPTIONAL = ("end", "further", "production", "sources")
ORDER = "predict( section)+ fails summary quiz project end( further){0,2}( production)? sources"
RUN = re.compile(r"the\s+cells\s+run\s+in\s+(\d+)\s+seconds")
HEAD = re.compile(
    r"Two\s+sittings\s+of\s+about\s+(\d+)\s+and\s+(\d+)\s+minutes,\s+exercises\s+included;\s+"
    + RUN.pattern
)
HEAD_PARTS = {  # in this order
    "the question": re.compile(r"\?"),
    "what the reader will be able to do ('- *derive* ...')": re.compile(r"^- \*\w+\*", re.M),
    "what is needed ('You need ...')": re.compile(r"You need"),
    "the minutes ('Two sittings of about 70 and 65 minutes, exercises included; the cells run in "
    "40 seconds')": HEAD,
}
TURN = re.compile(r"\*\*Your turn [^*]+\*\* \*\((\w+), (\d+) minutes\)\*")
ASKED = re.compile(r"course\.exercise\(\s*\"([^\"]+)\"")
PREDICTED = re.compile(r"course\.predicted\(\s*\"([^\"]+)\"")
DISPLAYED = re.compile(r"\$\$.+?\$\$", re.DOTALL)
INLINE = re.compile(r"(?<!\\)\$([^$]+)\$")
WORD = re.compile(r"[A-Za-z]{2,}")
ITEM = re.compile(r"^\d+\. ", re.MULTILINE)
OPTION = re.compile(r"^- .*\d+ minutes", re.MULTILINE)
WIDGET = re.compile(r"^widgets\.(?!quiz)\w+", re.MULTILINE)
QUESTION = re.compile(r"^\*\*\d+\.\*\*", re.MULTILINE)
OK = re.compile(r"^ok  ", re.MULTILINE)
SPENT = ("words", "displays", "inline", "code", "exercises", "look", "ask", "run")


@dataclass(frozen=True, eq=False)
class Piece:
    """A code cell, or a stretch of text that lies in one section and one sitting."""

    title: str  # of the section that it stands in
    kind: str
    sitting: int  # 1, or 2 after the pause
    text: str = ""
    cell: nbformat.NotebookNode | None = None

    @property
    def optional(self):
        """Whether it stands after the end of the lesson."""
        return self.kind in OPTIONAL

    @property
    def code(self):
        return self.cell.source if self.cell else ""

    @property
    def outputs(self):
        return self.cell.outputs if self.cell else []

    @property
    def folded(self):
        return self.cell is not None and folded(self.cell)

    @property
    def lines(self):
        return sum(bool(line.strip()) for line in self.code.splitlines())

    @property
    def pictures(self):
        return sum(map(is_picture, self.outputs))

    @property
    def ok_lines(self):
        return sum(len(OK.findall(out.get("text", ""))) for out in self.outputs)


@dataclass(frozen=True, eq=False)
class Turn:
    """An exercise and what the text above it announces."""

    piece: Piece
    id: str
    level: str
    minutes: int


def folded(cell):
    """Whether the source of a cell is hidden until it is asked for."""
    return bool(cell.metadata.get("jupyter", {}).get("source_hidden"))


def is_picture(output):
    """Whether an output of a cell is a picture or a widget's still."""
    return any(kind in output.get("data", {}) for kind in PICTURES)


def read(source):
    """Return the cells of the text `source`, with the stored outputs of those not edited since."""
    notebook = nbformat.read(build.notebook_path(source), as_version=4)
    stored = {cell.source: cell.outputs for cell in notebook.cells if cell.cell_type == "code"}
    cells = build.read_text(source).cells
    for cell in cells:
        if cell.cell_type == "code":
            cell.outputs = stored.get(cell.source, [])
    return cells


def kind_of(title):
    """Return the kind of a section, by its title."""
    plain = re.sub(r"^\d+\.\s+", "", title)
    return next((kind for kind, form in KINDS.items() if form.match(plain)), "section")


def pieces(cells):
    """Cut a notebook where a section, the pause or the optional part begins."""
    found = []
    title, kind, sitting = "(opening)", "opening", 1
    for cell in cells:
        if cell.cell_type == "code":
            found.append(Piece(title, kind, sitting, cell=cell))
            continue
        for text in filter(str.strip, MARK.split(cell.source)):
            if text.startswith("## "):
                title = text.partition("\n")[0].removeprefix("## ")
                kind = kind_of(title)
            if text.startswith(END):
                title, kind = END, "end"
            if text.startswith(PAUSE):
                sitting += 1
            found.append(Piece(title, kind, sitting, text=text))
    return found


def turns(pieces):
    """Return the exercises; those of Predict first are predictions and not among them."""
    found = []
    told = ("", 0)
    for piece in pieces:
        for announced in TURN.findall(piece.text):
            told = announced
        for id in ASKED.findall(piece.code) if piece.kind != "predict" else ():
            found.append(Turn(piece, id, told[0], int(told[1])))
            told = ("", 0)
    return found


def price_of_text(piece):
    """Return the minutes that a piece of text costs, by what they are spent on."""
    displays = DISPLAYED.findall(piece.text)
    rest = DISPLAYED.sub(" ", piece.text)
    formulas = INLINE.findall(rest)
    if piece.kind == "summary":
        displays, formulas = [], []
    seconds = sum(35 if len(formula) > LONG else 4 for formula in formulas)
    return {
        "words": len(WORD.findall(INLINE.sub(" ", rest))) / 130,
        "displays": 1.5 * len(displays),
        "inline": seconds / 60,
        "ask": len(ITEM.findall(piece.text)) if piece.kind == "predict" else 0,
        "run": sum(map(int, RUN.findall(piece.text))) / 60,
    }


def price_of_code(piece):
    """Return the minutes that a code cell costs, by what they are spent on."""
    n_widgets = len(WIDGET.findall(piece.code))
    shown = [output.get("data", {}).get("text/markdown", "") for output in piece.outputs]
    questions = QUESTION.findall("\n".join(shown)) if "widgets.quiz(" in piece.code else []
    return {
        "code": 0 if piece.folded else piece.lines / 6,
        "look": 4 * n_widgets or piece.pictures,
        "ask": len(questions),
    }


class Lesson:
    """A notebook in pieces, and what each of them costs."""

    def __init__(self, name, cells):
        self.name = name
        self.cells = cells
        self.pieces = pieces(cells)
        self.turns = turns(self.pieces)

    @property
    def core(self):
        return [piece for piece in self.pieces if not piece.optional]

    @property
    def core_turns(self):
        return [turn for turn in self.turns if not turn.piece.optional]

    def price(self, piece):
        """Return the minutes that `piece` costs, by what they are spent on."""
        paid = dict.fromkeys(SPENT, 0.0)
        if piece.optional or piece.kind == "project":
            return paid
        paid |= price_of_text(piece) if piece.cell is None else price_of_code(piece)
        paid["exercises"] = sum(turn.minutes for turn in self.turns if turn.piece is piece)
        return paid

    def spent(self, pieces):
        """Return the minutes that `pieces` cost together, by what they are spent on."""
        total = dict.fromkeys(SPENT, 0.0)
        for piece in pieces:
            for name, minutes in self.price(piece).items():
                total[name] += minutes
        return total

    def minutes(self, pieces):
        """Return the minutes that `pieces` cost together."""
        return sum(self.spent(pieces).values())

    def sitting(self, number):
        """Return the pieces of the core that are read in sitting 1 or 2."""
        return [piece for piece in self.core if piece.sitting == number]

    def start(self, piece):
        """Return the minute at which `piece` begins."""
        return self.minutes(self.core[: self.core.index(piece)])

    @cached_property
    def sections(self):
        """(title, kind) of each section, in order."""
        return list(dict.fromkeys((piece.title, piece.kind) for piece in self.pieces))


def complaints(name, cells):
    """Return what keeps a notebook from the standard, one sentence each."""
    lesson = Lesson(name, cells)
    bad = opening_complaints(lesson) + order_complaints(lesson) + time_complaints(lesson)
    bad += prediction_complaints(lesson) + exercise_complaints(lesson) + early_complaints(lesson)
    bad += core_code_complaints(lesson) + cell_complaints(cells)
    return [f"{name}: {sentence}" for sentence in bad]


def opening_complaints(lesson):
    """Return what is wrong above Predict first: a picture, and then four things in order."""
    opening = [piece for piece in lesson.pieces if piece.kind == "opening"]
    bad = []
    above = ""
    for piece in opening:
        if piece.pictures:
            break
        above += re.sub(r"\A# .*", "", piece.text).strip()
    else:
        above = "everything"
    if above:
        bad.append("words stand above the opening picture, or there is none")
    head = "\n\n".join(piece.text for piece in opening)
    place = 0
    for what, form in HEAD_PARTS.items():
        match = form.search(head, place)
        if match:
            place = match.end()
        else:
            bad.append(f"its head lacks {what}, or has it in another place of the order")
    return bad


def order_complaints(lesson):
    """Return what is wrong with the order of the sections, and with the list at the end."""
    kinds = " ".join(kind for _, kind in lesson.sections if kind != "opening")
    bad = []
    if not re.fullmatch(ORDER, kinds):
        bad.append(f"its sections are {kinds}, not {ORDER}")
    listed = sum(len(OPTION.findall(p.text)) for p in lesson.pieces if p.kind == "end")
    n_further = sum(kind == "further" for _, kind in lesson.sections)
    if listed != n_further:
        bad.append(f"{END!r} lists {listed} of its {n_further} optional sections with minutes")
    return bad


def time_complaints(lesson):
    """Return what is wrong with the two sittings and the minutes that the head promises."""
    n_pauses = max(piece.sitting for piece in lesson.pieces) - 1
    bad = []
    if n_pauses != 1:
        bad.append(f"{n_pauses or 'no'} pauses ({PAUSE!r} at the start of a line), not one")
    told = HEAD.search("\n\n".join(piece.text for piece in lesson.core))
    for sitting in (1, 2):
        minutes = lesson.minutes(lesson.sitting(sitting))
        if minutes > SITTING:
            bad.append(f"sitting {sitting} takes {minutes:.0f} minutes, more than {SITTING}")
        said = int(told.group(sitting)) if told else minutes
        if abs(said - minutes) > SLACK:
            prices = f"the prices {minutes:.0f}"
            bad.append(f"its head says {said} minutes for sitting {sitting}, {prices}")
    return bad


def prediction_complaints(lesson):
    """Return what is wrong with Predict first: three stored predictions, then the map."""
    section = [piece for piece in lesson.pieces if piece.kind == "predict"]
    guesses = [piece for piece in section for _ in ASKED.findall(piece.code)]
    maps = [piece for piece in lesson.pieces if "course.draw_map(" in piece.code]
    bad = []
    if len(guesses) != 3:
        bad.append(
            f"{len(guesses)} predictions of Predict first are stored by course.exercise, not 3"
        )
    later = [piece for piece in lesson.core if piece.kind != "predict"]
    shown = {id for piece in later for id in PREDICTED.findall(piece.code)}
    for id in (id for piece in section for id in ASKED.findall(piece.code)):
        if id not in shown:
            bad.append(f"the prediction {id} is not shown again (course.predicted)")
    after = section[section.index(guesses[-1]) + 1 :] if guesses else section
    if len(maps) != 1 or maps[0] not in after:
        bad.append("the map (course.draw_map) does not stand once, after the predictions")
    return bad


def exercise_complaints(lesson):
    """Return what is wrong with the exercises: how many, of which kinds, what they drive."""
    n_turns = len(lesson.core_turns)
    bad = level_complaints(lesson.turns)
    if not EXERCISES[0] <= n_turns <= EXERCISES[1]:
        bad.append(f"its core has {n_turns} exercises, not {EXERCISES[0]} to {EXERCISES[1]}")
    levels = {turn.level for turn in lesson.core_turns}
    bad += [f"no exercise asks to {level}" for level in REQUIRED if level not in levels]
    if not any("course.yours(" in piece.code for piece in lesson.core):
        bad.append("nothing that the learner writes drives what follows (course.yours)")
    return bad


def level_complaints(turns):
    """Return what is wrong with the levels and minutes of single exercises."""
    bad = []
    for turn in turns:
        if turn.level not in LEVELS:
            bad.append(f"{turn.id}: its level is {turn.level!r}, not one of {', '.join(LEVELS)}")
        if turn.minutes < (10 if turn.level == "build" else 3):
            bad.append(f"{turn.id}: {turn.minutes} minutes are too few to {turn.level}")
    return bad


def early_complaints(lesson):
    """Return what comes too late: the first exercise, the first picture of the reader's own."""
    bad = []
    whole = lesson.minutes(lesson.core)
    first = lesson.start(lesson.core_turns[0].piece) if lesson.core_turns else whole
    if first > whole / 3:
        bad.append(f"its first exercise comes after {first:.0f} of {whole:.0f} minutes")
    body = [piece for piece in lesson.core if piece.kind not in ("opening", "predict")]
    start = lesson.start(body[0]) if body else 0
    shown = [lesson.start(piece) - start for piece in body if piece.pictures]
    if not shown or shown[0] > FIRST_PICTURE:
        when = f"the first comes after {shown[0]:.0f}" if shown else "there is none"
        bad.append(
            f"no picture in the first {FIRST_PICTURE} minutes of its sections ({when}), so none"
            " of the reader's own"
        )
    return bad


def core_code_complaints(lesson):
    """Return what is wrong with the code: too much in sight, too much folded, too many ok."""
    bad = []
    in_sight = sum(piece.lines for piece in lesson.core if not piece.folded)
    if in_sight > LINES:
        bad.append(f"{in_sight} lines of code in sight in its core, more than {LINES}")
    for piece in lesson.pieces:
        if piece.folded and piece.lines > FOLDED:
            line = next(line for line in piece.code.splitlines() if line.strip())
            bad.append(f"a folded cell of {piece.lines} lines, more than {FOLDED}: {line[:50]}")
    ok_lines = sum(piece.ok_lines for piece in lesson.core)
    if ok_lines > OK_LINES:
        bad.append(f"{ok_lines} lines say ok in its core, more than {OK_LINES}")
    return bad


def cell_complaints(cells):
    """Return what is wrong in single cells: width, imports, pictures without words."""
    bad, imported = [], set()
    for index, cell in enumerate(cells):
        if cell.cell_type != "code":
            continue
        lines = cell.source.splitlines()
        wide = [line for line in lines if len(line) > WIDTH]
        bad += [f"cell {index} has a line of {len(line)} characters: {line[:40]}" for line in wide]
        modules = [m.group(1) for line in lines if (m := re.match(r"from (\S+) import", line))]
        bad += [f"cell {index} imports from {name} again" for name in modules if name in imported]
        imported |= set(modules)
        n_imports = sum(line.startswith(("import ", "from ")) for line in lines)
        if n_imports > IMPORTS and not folded(cell):
            bad.append(f"cell {index} has {n_imports} imports in sight, more than {IMPORTS}")
        for out in filter(is_picture, cell.outputs):
            words = out.data.get("text/plain", "")
            if not words or words.startswith("<"):
                bad.append(f"cell {index} shows a picture without an alt text")
    return bad


COLUMNS = (*SPENT, "minutes", "from", "in sight", "folded", "ok", "turns")


def rows(lesson):
    """Return (title, numbers in the order of COLUMNS) of each section, then of the core."""
    found = []
    start = 0.0
    for title, _ in lesson.sections:
        inside = [piece for piece in lesson.pieces if piece.title == title]
        found.append(row(lesson, title, inside, start))
        start += lesson.minutes(inside)
    for sitting in (1, 2):
        start = lesson.minutes(lesson.sitting(1)) if sitting == 2 else 0.0
        found.append(row(lesson, f"SITTING {sitting}", lesson.sitting(sitting), start))
    return [*found, row(lesson, "CORE", lesson.core, 0.0)]


def row(lesson, title, inside, start):
    """Return a title and its numbers: minutes, then lines of code, ok lines, exercises."""
    spent = lesson.spent(inside)
    in_sight = sum(piece.lines for piece in inside if not piece.folded)
    hidden = sum(piece.lines for piece in inside if piece.folded)
    ok_lines = sum(piece.ok_lines for piece in inside)
    n_turns = sum(turn.piece in inside for turn in lesson.turns)
    minutes = [*spent.values(), sum(spent.values()), start]
    return title, [round(number, 1) for number in minutes] + [in_sight, hidden, ok_lines, n_turns]


def table(lesson):
    """Return a table of a notebook: where its minutes and its lines go; nothing for a zero."""
    lines = [("", COLUMNS)] + [(t, [n or "" for n in numbers]) for t, numbers in rows(lesson)]
    widths = [max(len(name), 5) + 2 for name in COLUMNS]
    return "\n".join(
        f"{title[:30]:30}"
        + "".join(f"{value:>{width}}" for value, width in zip(values, widths, strict=True))
        for title, values in lines
    )


def main(paths):
    """Print the table of each text and what is wrong with it; return whether anything is."""
    bad = []
    for path in paths:
        lesson = Lesson(path.stem, read(path))
        found = complaints(path.stem, lesson.cells)
        print(table(lesson))
        print("\n".join(found) or f"{path.stem}: up to the standard", end="\n\n")
        bad += found
    return bool(bad)


if __name__ == "__main__":
    sources = bite.texts()
    sys.exit(main([*map(Path, sys.argv[1:])] or [sources[name] for name in REBUILT]))
