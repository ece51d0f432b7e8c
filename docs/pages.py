"""Write the pages of docs/ that are made from the course itself: python docs/pages.py.

`often_stated.md` collects the boxes in which the lessons contradict a well-known sentence,
`equations.md` every displayed equation with the function under it, `glossary.md` every symbol and
term with the section that derives it, `errata.md` what literature prints wrongly with the tests
that hold what is right, `cheatsheet.md` the course on one page. A test makes them again and
compares.
"""

import importlib
import inspect
import pkgutil
import re
import tomllib
from pathlib import Path

import genlab
from genlab.map import LESSONS, SYSTEMS
from genlab_course.cheatsheet import cheat_sheet, equation, title

HERE = Path(__file__).parent
SOURCES = HERE.parent / "notebooks"
BOX = re.compile(r"\*\*(?:Often (?:stated|printed|done), but|A common misconception)")


def boxes(source):
    """Yield the boxes of a lesson's text, each as one paragraph of Markdown."""
    for cell in source.read_text(encoding="utf-8").split("\n# %%"):
        if not cell.lstrip().startswith("[markdown]"):
            continue
        lines = [line.removeprefix("#").removeprefix(" ") for line in cell.splitlines()[1:]]
        for paragraph in re.split(r"\n\s*\n", "\n".join(lines)):
            text = re.sub(r"^> ?", "", paragraph.strip(), flags=re.MULTILINE)
            if BOX.match(text):
                yield text


def names():
    """Yield (title, link from docs/, text) of each lesson and lab."""
    for number, name in LESSONS.items():
        for source in sorted((SOURCES / "src").glob(f"{number:02d}_*.py")):
            yield f"{number:02d} {name}", f"../notebooks/{source.stem}.ipynb", source
    for lab, (name, _) in SYSTEMS.items():
        source = SOURCES / "systems" / "src" / f"{lab}.py"
        if (SOURCES / "systems" / f"{lab}.ipynb").exists():
            yield name, f"../notebooks/systems/{lab}.ipynb", source


def often_stated():
    """Return the page of contradicted sentences."""
    parts = [
        "# Often stated, but",
        "Sentences that circulate and are wrong, or printed with a wrong digit; each is taken up "
        "in the lesson that it is listed under, where a cell that runs checks the right version. "
        "Made by `docs/pages.py` from the lessons themselves. You found another? Please report it.",
    ]
    for name, link, source in names():
        found = list(boxes(source))
        if found:
            parts += [f"## [{name}]({link})", *found]
    return "\n\n".join(parts) + "\n"


def kernels():
    """Yield (lesson or lab, path in genlab) of each function whose docstring shows an equation."""
    for module in pkgutil.walk_packages(genlab.__path__, "genlab."):
        if module.name.split(".")[1] in ("widgets", "course", "cli", "atlas"):
            continue
        for name, found in vars(importlib.import_module(module.name)).items():
            own = inspect.isfunction(found) and found.__module__ == module.name
            doc = (found.__doc__ or "") if own and not name.startswith("_") else ""
            where = re.search(r"Lesson: notebooks/(?:systems/)?(\w+)\.ipynb", doc)
            if where and "$$" in doc:
                yield where[1], f"{module.name.removeprefix('genlab.')}.{name}"


def equations():
    """Return the page of all equations, by the lesson that derives them."""
    by_lesson = {}
    for lesson, path in sorted(set(kernels())):
        by_lesson.setdefault(lesson, []).append(path)
    parts = [
        "# Every equation, and the function under it",
        "A glossary by lesson: what a function is, its equation, and where it is derived. Made by "
        "`docs/pages.py` from the docstrings. The symbols stand in a table in "
        "[lesson 01](../notebooks/01_four_paradigm_map.ipynb).",
    ]
    for name, link, source in names():
        paths = by_lesson.get(source.stem, [])
        if paths:
            rows = [f"- **{title(p)}**, `genlab.{p}`\n\n  $${equation(p)}$$" for p in paths]
            parts += [f"## [{name}]({link})", *rows]
    return "\n\n".join(parts) + "\n"


def lesson_of(key):
    """Return (name, link from docs/, text) of a lesson ("04") or a lab; None while unwritten."""
    for name, link, source in names():
        if key in (source.stem, source.stem[:2]):
            return name, link, source
    return None


def anchor(heading):
    """Return the part of an address after # that Jupyter and GitHub make of a heading."""
    return re.sub(r"\s+", "-", heading.replace("$", "").replace("(", "%28").replace(")", "%29"))


def sections(source):
    """Return {heading: text under it, deeper headings included} of a lesson."""
    found, above = {}, []
    for line in source.read_text(encoding="utf-8").splitlines():
        if mark := re.match(r"# (#{1,4}) (.+)$", line):
            depth, heading = len(mark[1]), mark[2].strip()
            above = [*((d, h) for d, h in above if d < depth), (depth, heading)]
            found.setdefault(heading, "")
        for _, heading in above:
            found[heading] += line + "\n"
    return found


def entries(kind):
    """Yield (name, symbol, says, lesson, heading, word to look for) of the glossary's table."""
    table = tomllib.loads((HERE / "glossary.toml").read_text(encoding="utf-8"))[kind]
    for name, symbol, says, key, heading, *word in table:
        yield name, symbol, says, key, heading, *(word or [name])


def glossary():
    """Return the page of symbols and terms, each linked to where it is derived."""
    parts = [
        "# Glossary",
        "Every symbol and term in one line, and the section that derives it. Made by "
        "`docs/pages.py` from `glossary.toml`. Every equation: [equations.md](equations.md).",
    ]
    for kind, head in (("symbols", "Symbols"), ("terms", "Terms")):
        rows = ["| | | what it is | derived in |", "|---|---|---|---|"]
        listed = list(entries(kind))
        if kind == "terms":
            listed.sort(key=lambda row: row[0].lower().lstrip("$"))
        for name, symbol, says, key, heading, _ in listed:
            lesson = lesson_of(key)
            where = "" if key.isdigit() else f"{SYSTEMS[key][0]}: {heading}"
            if lesson is not None:
                where = f"[{lesson[0]}: {heading}]({lesson[1]}#{anchor(heading)})"
            rows.append("| " + " | ".join((name, symbol, says, where)) + " |")
        parts += [f"## {head}", "\n".join(row.replace("|  |", "| |") for row in rows)]
    return "\n\n".join(parts) + "\n"


def errata():
    """Return the page of errors in the literature, each with the tests that hold what is right."""
    table = tomllib.loads((HERE / "errata.toml").read_text(encoding="utf-8"))
    parts = [
        "# Errata of the literature",
        "What texts about generative models print or state wrongly, what is right, and the tests "
        "of this repository that say so each time they run. Made by `docs/pages.py` from "
        "`errata.toml`; the lessons explain: [often_stated.md](often_stated.md). Errors of *this* "
        "course are most welcome as issues; what was corrected stands in the "
        "[changelog](../CHANGELOG.md).",
    ]
    for kind, head in (("rounding", "Digits"), ("substance", "Sentences")):
        rows = ["| stated or printed | right | lesson | held by |", "|---|---|---|---|"]
        for stated, right, key, tests in table[kind]:
            name, link, _ = lesson_of(key)
            held = ", ".join(
                f"[{t.partition('::')[2] or t}](../tests/{t.partition('::')[0]})" for t in tests
            )
            rows.append(f"| {stated} | {right} | [{name}]({link}) | {held} |")
        parts += [f"## {head}", "\n".join(rows)]
    return "\n\n".join(parts) + "\n"


PAGES = {
    "glossary.md": glossary,
    "errata.md": errata,
    "often_stated.md": often_stated,
    "equations.md": equations,
    "cheatsheet.md": cheat_sheet,
}


def main():
    """Write every page."""
    for name, make in PAGES.items():
        (HERE / name).write_text(make(), encoding="utf-8")


if __name__ == "__main__":
    main()
