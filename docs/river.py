"""The course as a river: the stations, labs and frontier of the first page, and its three proofs.

One line of fifteen stations; the five families part at the first, each comes to the bank where a
lesson is about it, and all meet again at the last. What a station says is read from the heads of
the notebooks, where it stands in the river from the map; the proofs and their numbers are those of
the repository. `site/river.css` draws it, `site/river.js` fills in what a reader has answered.
"""

import ast
import difflib
import html
import json
import re
import tomllib
from functools import cache
from itertools import pairwise
from pathlib import Path

import in_page
import nbformat
import printed

from genlab.map import FAMILIES, LESSONS, SYSTEMS, lit
from genlab_course import standings
from genlab_course.checks import CheckFailed, check
from genlab_course.grading import all_exercises, find_exercise
from genlab_course.places import key_of

ROOT = Path(__file__).resolve().parents[1]
NAMES = dict(
    zip(FAMILIES, ("autoregressive", "flow", "latent", "adversarial", "score"), strict=True)
)
SAID = {
    "autoregressive": "autoregressive", "flow": "flows", "latent": "latent variables",
    "adversarial": "adversarial", "score": "scores and diffusion",
}  # fmt: skip
ALL = ("map",)  # the colour of what is about all five
LANES, BANK, WIDE = (10, 26, 42, 58, 74), 116, 140  # where strands run and stations stand, pixels
NEEDS = re.compile(r"You\s+(?:also\s+)?need\s+(.*?)(?:;|\.\s|\.$|\n\n|$)", re.DOTALL)


@cache
def asked():
    """Return what each notebook asks, by its key; read once."""
    return standings.asked()


@cache
def head(name):
    """Return the Markdown of a notebook, by its name relative to the notebooks."""
    notebook = nbformat.read(ROOT / "notebooks" / name, as_version=4)
    return "\n\n".join(c.source for c in notebook.cells if c.cell_type == "markdown")


def needs(text):
    """Return the lessons that the head of a notebook asks for, and the notebooks that it links.

    >>> needs("You need lessons 11 to 13 (scores) and from lesson 04 flows; 02 helps.")
    ([4, 11, 12, 13], [])
    """
    lessons, links = set(), []
    for sentence in NEEDS.findall(text):
        for first, last in re.findall(r"\b(\d\d) to (\d\d)\b", sentence):
            lessons.update(range(int(first), int(last) + 1))
        lessons.update(int(n) for n in re.findall(r"\b(\d\d)\b", sentence) if int(n) in LESSONS)
        links += re.findall(r"\((?:\./)?(\w+)\.ipynb\)", sentence)
    return sorted(lessons), links


def time(minutes):
    """Return minutes as they are said: "60 min", "2 h 25".

    >>> time(60), time(120), time(145)
    ('60 min', '2 h', '2 h 25')
    """
    hours, rest = divmod(minutes, 60)
    if minutes < 100:
        return f"{minutes} min"
    return f"{hours} h {rest:02d}" if rest else f"{hours} h"


def judged_here(key, row, answers):
    """Return the ids of what a page of the site asks, as it keeps their answers."""
    tasks = [id for id in row.exercises if answers and in_page.kind(find_exercise(id))]
    shown = str(int(key)) if key.isdigit() else key
    return [*tasks, *(f"quiz.{shown}.{n}" for n in range(1, len(row.quiz) + 1))]


def families(key):
    """Return the names of the families that a lesson "04" or a lab is about, or `ALL`.

    >>> families("04"), families("flow_matching"), families("15")
    (('flow',), ('flow', 'score'), ('map',))
    """
    found = lit(int(key) if key.isdigit() else key)
    return ALL if found == FAMILIES else tuple(NAMES[family] for family in found)


def stop(key, row, href, answers):
    """Return one link of the river: where it leads, what it takes, what it needs."""
    lessons, links = needs(head(row.name))
    colours = families(key)
    about = "all five" if colours == ALL else ", ".join(SAID[family] for family in colours)
    named = [f"{n:02d}" for n in lessons] + [asked()[link].title for link in links]
    parts = [time(row.minutes), f"needs {', '.join(named)}" if named else "needs no lesson", about]
    if not key.isdigit():
        parts[2:] = []
        parts.insert(0, "lab" if key in SYSTEMS else "frontier")
    number, title = (key, row.title[3:]) if key.isdigit() else ("", row.title)
    shown = f"<b>{number}</b> " if number else ""
    ids = html.escape(json.dumps(judged_here(key, row, answers)))
    said = " ".join(f"<span>{html.escape(part)}</span>" for part in parts)
    second = f' data-second="{colours[1]}"' if len(colours) > 1 else ""
    return (
        f'<a href="{href}" data-asks="{ids}" data-family="{colours[0]}"{second}>'
        f'<i class="node"></i>'
        f'<span class="title">{shown}{html.escape(title)}</span>'
        f'<span class="about">{said}</span></a>'
    )


def places(lesson):
    """Return where each family runs beside a lesson: at the bank if it is about it."""
    at_bank = lit(lesson)
    first = BANK - 5 * (len(at_bank) - 1) / 2
    return [
        first + 5 * at_bank.index(f) if f in at_bank else lane
        for f, lane in zip(FAMILIES, LANES, strict=True)
    ]


def strands(lesson, after):
    """Return the five strands between two stations as a picture that stretches with the row."""
    paths = []
    for f, x, y in zip(FAMILIES, places(lesson), places(after), strict=True):
        kind = "strand on" if f in lit(lesson) and f in lit(after) else "strand"
        curve = f"M{x:g} 0C{x:g} 55 {y:g} 45 {y:g} 100"
        paths.append(f'<path class="{kind}" data-family="{NAMES[f]}" d="{curve}"/>')
    return (
        f'<svg viewBox="0 0 {WIDE} 100" preserveAspectRatio="none" aria-hidden="true">'
        f"{''.join(paths)}</svg>"
    )


def branches():
    """Return {key of a notebook: keys of those that branch off after it}, in their order.

    A lab or a frontier notebook lies after the last lesson, or the notebook, that it needs.
    """
    found = {}
    for key, row in asked().items():
        if not key.isdigit():
            lessons, links = needs(head(row.name))
            found.setdefault(links[-1] if links else f"{lessons[-1]:02d}", []).append(key)
    return found


def islands(key, linked, off):
    """Return the list of what branches off after a notebook; "" for nothing."""
    items = [
        f"<li>{linked[other]}{islands(other, linked, off)}</li>"
        for other in off.get(key, ())
        if other in linked
    ]
    return f'<ul class="islands">{"".join(items)}</ul>' if items else ""


def river(pages, answers=True):
    """Return the river of those notebooks that have a page; `pages` are (title, name, path)."""
    hrefs = {key_of(n): f"{n}.html" for _, n, *_ in pages if not n.startswith("solution_")}
    linked = {k: stop(k, r, hrefs[k], answers) for k, r in asked().items() if k in hrefs}
    off, rows = branches(), []
    stations = [n for n in LESSONS if f"{n:02d}" in linked]
    afters = dict(pairwise(stations))
    for n in stations:
        drawn = strands(n, afters[n]) if n in afters else ""
        rows.append(f"<li>{drawn}{linked[f'{n:02d}']}{islands(f'{n:02d}', linked, off)}</li>")
    after_none = [k for k in linked if not k.isdigit() and not any(k in row for row in rows)]
    if after_none:  # their station has no page here
        items = "".join(f"<li>{linked[k]}</li>" for k in after_none)
        rows.append(f'<li><ul class="islands">{items}</ul></li>')
    hours = round(sum(asked()[f"{n:02d}"].minutes for n in stations) / 60)
    legend = "".join(f'<li data-family="{k}">{said}</li>' for k, said in SAID.items())
    return (
        f"<p>One line, about {hours} hours. Five families part at its first station and meet again "
        "at its last; labs and the frontier lie where you have learned what they need.</p>"
        f'<ul class="families" aria-label="The five families">{legend}</ul>'
        f'<ol class="river">{"".join(rows)}</ol>'
    )


def counts():
    """Return how many checks, planted mistakes (tests, notebooks) and named mistakes there are.

    docs/assurance.md is held to the repository by a test of its own.
    """
    text = (ROOT / "docs/assurance.md").read_text(encoding="utf-8")
    planted = int(re.search(r"(\d+) mistakes are planted by hand", text)[1])
    checks, inside = re.search(
        r"Together (\d+) checks, \d+ told apart, (\d+) planted", text
    ).groups()
    return int(checks), planted, int(inside), sum(len(task.mistakes) for task in all_exercises())


def red_check(name):
    """Return (claim, number, other number, mistake, its number, what a failure says).

    It is the first check in a notebook's stored outputs whose mistake has a number.
    """
    notebook = nbformat.read(next((ROOT / "notebooks").glob(f"{name}_*.ipynb")), as_version=4)
    texts = (o.get("text", "") for c in notebook.cells for o in c.get("outputs", ()))
    for line in "".join(texts).splitlines():
        found = printed.CHECK.fullmatch(line)
        wrong = re.search(r"  \((?P<name>[^():]+): (?P<number>-?[\d.]+)\)$", line)
        pair = found and wrong and printed.PAIR.match(found["shown"] or "")
        if pair and "~" not in pair[0] and not pair[3]:
            left, right = pair.groups()[:2]
            try:
                check(found["claim"], float(wrong["number"]), float(right))
            except CheckFailed as failed:
                said = str(failed).partition(": ")[2].partition(" (")[0]
                return found["claim"], left, right, wrong["name"], wrong["number"], said
    raise ValueError(f"no check of lesson {name} prints two numbers and that of a mistake")


def planted(file, function):
    """Return (mistake, right line, wrong line, test) of the first planted in a function."""
    table = tomllib.loads((ROOT / "tests/mutants" / file).read_text(encoding="utf-8"))
    mutant = next(m for m in table["mutant"] if m["function"] == function)
    path, _, name = function.partition("::")
    source = (ROOT / path).read_text(encoding="utf-8")
    tree = next(n for n in ast.parse(source).body if getattr(n, "name", "") == name)
    right = [line.strip() for line in ast.get_source_segment(source, tree).splitlines()]
    wrong = [line.strip() for line in mutant["wrong"].strip().splitlines()]
    for line in wrong:
        if line not in right:
            near = difflib.get_close_matches(line, right, n=1, cutoff=0)[0]
            return mutant["mistake"], near, line, mutant["tests"][0]
    raise ValueError(f"{mutant['mistake']!r} changes no line of {function}")


def changed(right, wrong):
    """Return a line of code as HTML, with what a mistake takes out of it and puts in."""
    cut = re.compile(r"\w+|\W")
    a, b = cut.findall(right), cut.findall(wrong)
    parts = []
    for kind, i, j, k, m in difflib.SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        old, new = (html.escape("".join(part)) for part in (a[i:j], b[k:m]))
        if kind == "equal":
            parts.append(old)
        else:
            parts += [f"<del>{old}</del>"] * bool(old) + [f"<ins>{new}</ins>"] * bool(new)
    return "".join(parts)


def question(id, rendered):
    """Return the words of an exercise: the paragraph *Your turn* above its cell."""
    paths = (ROOT / "notebooks").glob(f"{id.partition('.')[0]}_*.ipynb")
    cells = nbformat.read(next(paths), as_version=4).cells
    asked = (k for k, cell in enumerate(cells) if f'course.exercise("{id}"' in cell.source)
    above = cells[next(asked) - 1].source
    found = re.search(
        r"\*\*Your turn [^*]*\*\* \*\([^*]*\)\*\.\s+(.*?)(?:\n\n|$)", above, re.DOTALL
    )
    if not found:
        raise ValueError(f"no paragraph above {id} begins with **Your turn**")
    return rendered(found[1])


def named_mistake(id, rendered, answers):
    """Return an exercise with a wrong answer in it, and what the course says to that."""
    task = find_exercise(id)
    mistake = task.mistakes[0]
    card = in_page.card(id, lambda hint: hint) if answers else ""
    form = re.sub(r'<div class="helps">.*', "", card, flags=re.DOTALL)
    form = form.replace('type="text"', f'type="text" value="{mistake.wrong:g}"', 1)
    form = form.replace("<form ", '<form data-verdict="wrong" ', 1)
    says = html.escape(mistake.says)
    form = form.replace("</output></form>", f"{says}</output></form></div>", 1)
    shown = form or f'<p class="red">{mistake.wrong:g}: {says}</p>'
    return f"{question(id, rendered)}{shown}"


def proofs(rendered, source, answers=True):
    """Return one living example of each kind of proof, with the counts of all."""
    checks, by_hand, inside, mistakes = counts()
    claim, left, right, wrong, _, failed = map(html.escape, red_check("12"))
    mistake, good, bad, test = planted("score.toml", "genlab/score/diffusion.py::ddpm_loss")
    file = f'<a href="{source}{test}">{Path(test).name}</a>'
    answer = named_mistake("08.js-of-thirds", rendered, answers)
    return f"""<div class="proofs">
<section class="proof"><h3>A check goes red</h3>
<p>Lesson 12 computes its loss by two routes.</p>
<div class="try"><p class="claim">{claim}</p>
<label><input type="checkbox"> make a mistake: {wrong}</label>
<div aria-live="polite"><p class="green">✓ {left} and {right}</p>
<p class="red">✗ {failed}</p></div></div>
<p class="count">{checks:,} checks run in the notebooks.</p></section>
<section class="proof"><h3>A wrong answer is named</h3>
{answer}
<p class="count">{mistakes:,} wrong answers have a reply of their own.</p></section>
<section class="proof"><h3>A planted mistake is caught</h3>
<p>{html.escape(mistake)}:</p>
<div class="try"><pre><code>{changed(good, bad)}</code></pre>
<label><input type="checkbox"> plant it</label>
<div aria-live="polite"><p class="green">✓ {file} passes</p>
<p class="red">✗ {file} fails</p></div></div>
<p class="count">{by_hand} mistakes are planted in the code, {inside} in the notebooks.</p>
</section></div>"""
