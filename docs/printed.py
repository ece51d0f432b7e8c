"""What the machine prints, as a page shows it: checks as chips, sentences as notes, tables as code.

The printed form of a check (genlab_course/checks.py) has all that a chip needs: the claim, the two
numbers or the interval, and the mistake that it would have caught.
"""

import html
import re

CHECK = re.compile(r"ok  +(?P<claim>\S.*?)(?:  +(?P<shown>\S.*))?")
MORE = re.compile(r"(\d+) more checks? holds?")
CAUGHT = re.compile(r"  \((?P<mistake>(?!(?:n = \d+|\d+ numbers)\)$)(?:(?!  \().)*)\)$")
PAIR = re.compile(r"(\S+)  vs  (\S+)(?:  \(n = (\d+)\))?")
RANGE = re.compile(r"(~?\S+)  in \[(.+), (.+)\]")
ARRAYS = re.compile(r"max \|difference\| <= (.+)  \((\d+) numbers\)")
YOURS = re.compile(r"\[.+\] what follows runs with (?:your answer|the worked solution)")
COLUMNS = re.compile(r"\S {2,}\S|^ ")
SHOWN = 4  # chips before the rest is folded
MOST = 5  # lines of sentences in a margin
NARROW = 72  # characters of a line that fit the column of text


def route(shown):
    """Return in a sentence what a check compared."""
    if found := PAIR.fullmatch(shown):
        left, right, n = found.groups()
        if n:
            return f"The mean of {n} draws is <b>{left}</b>; exact: <b>{right}</b>."
        return f"Two routes: <b>{left}</b> and <b>{right}</b>."
    if found := RANGE.fullmatch(shown):
        value, low, high = found.groups()
        return f"<b>{value}</b>, held between {low} and {high}."
    if found := ARRAYS.fullmatch(shown):
        bound, n = found.groups()
        plain = html.escape(re.sub(r"e-0?", "e-", bound))
        return f"Two routes agree in all {n} numbers, to {plain}."
    return html.escape(shown)


def caught(mistake):
    """Return in a sentence which mistake a check would have caught."""
    said, _, number = mistake.rpartition(": ")
    if mistake.startswith("unlike: "):
        said, number = mistake.removeprefix("unlike: "), ""
    wrong = f", which gives <b>{html.escape(number)}</b>" if said and number else ""
    return f"Would have caught: <em>{html.escape(said or number)}</em>{wrong}."


def chip(line):
    """Return the chip of a line that a check printed: tick and claim, the numbers beneath."""
    claim, shown = CHECK.fullmatch(line).group("claim", "shown")
    shown = shown or ""
    mistake = CAUGHT.search(f"  {shown}")
    if mistake:
        shown = f"  {shown}"[: mistake.start()].strip()
    parts = [route(shown)] * bool(shown) + ([caught(mistake["mistake"])] if mistake else [])
    summary = f"<summary>{html.escape(claim)}</summary>"
    why = "".join(f"<p>{part}</p>" for part in parts)
    return f'<details class="chip">{summary}<div class="why">{why}</div></details>'


def chips(lines):
    """Return the chips of several checks; beyond four the rest is folded."""
    made = [chip(line) for line in lines]
    if len(made) <= SHOWN + 1:
        return "".join(made)
    rest = f"<summary>{len(made) - SHOWN} more checks</summary>{''.join(made[SHOWN:])}"
    return f'{"".join(made[:SHOWN])}<details class="rest">{rest}</details>'


def table(lines):
    """Return lines that keep their columns; sentences among them may wrap."""
    shown = (
        f"{html.escape(line)}\n" if COLUMNS.search(line) else f"<span>{html.escape(line)}\n</span>"
        for line in lines
    )
    wide = max(map(len, lines)) > NARROW
    return f'<pre class="{"printed wide" if wide else "printed"}">{"".join(shown).rstrip()}</pre>'


def runs(text):
    """Yield (kind, lines) of a printed text: "ok", "more" or "said", in order."""
    kind, lines = "", []
    for line in text.strip("\n").splitlines():
        if YOURS.fullmatch(line):  # a kernel's word to its learner
            continue
        now = "ok" if CHECK.fullmatch(line) else "more" if MORE.fullmatch(line) else "said"
        if now != kind and lines:
            yield kind, lines
            lines = []
        kind = now
        lines.append(line)
    if lines:
        yield kind, lines


def printed(text):
    """Return a printed text as HTML: what keeps its columns, then an aside for the margin."""
    margin, column = [], []
    for kind, lines in runs(text):
        if kind == "ok":
            margin.append(chips(lines))
        elif kind == "more":
            margin += [f'<p class="chip">{html.escape(line)}</p>' for line in lines]
        elif len(lines) <= MOST and not any(map(COLUMNS.search, lines)):
            margin += [f'<p class="said">{html.escape(line)}</p>' for line in lines if line.strip()]
        else:
            column.append(table(lines))
    aside = f'<aside class="margin">{"".join(margin)}</aside>' if margin else ""
    return "".join(column) + aside
