"""Exercises that a page without a kernel judges by itself: numbers, words and choices.

The right answer and each named mistake are exported as salted hashes, and the sentences are written
so that nobody reads them by accident in a page's source; it is no secret, since solutions are
public. No function runs there; a function's exercise leads to the notebook. `page.js` has the same
hash, and a browser test holds its replies to those of the course.
"""

import base64
import html
import itertools
import json
import math

from genlab_course.differences import FACTORS, numbers
from genlab_course.grading import assess, find_exercise, find_prediction, is_prediction, tolerance

WORD = 0xFFFFFFFF
MOST_SUBSETS = 6  # elements of a set that can be chosen


def hashed(text, seed=0):
    """Return 32 bits of a text: FNV-1a, and the last steps of Murmur3."""
    h = (0x811C9DC5 ^ seed) & WORD
    for byte in text.encode():
        h = (h ^ byte) * 0x01000193 & WORD
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        h = (h ^ h >> shift) * factor & WORD
    return h ^ h >> 16


def locked(text, key):
    """Return a sentence that nobody reads by accident in a page's source."""
    plain = text.encode()
    pad = b"".join(hashed(key, 1 + k).to_bytes(4, "big") for k in range(len(plain) // 4 + 1))
    return base64.b64encode(bytes(a ^ b for a, b in zip(plain, pad, strict=False))).decode()


def said(reply):
    """Return a reply of the course without its verdict, and without calls that need a kernel."""
    why = reply.partition(": ")[2].partition("course.hint")[0]
    return why.removesuffix("; try ").removesuffix(" Try ")


def cells(id, place, value, within):
    """Return the hashes of the cells, an eighth of the tolerance wide, that agree with a number.

    A power of two is the width, which tells how large the number is and no more.
    """
    tolerance = within.atol + within.rtol * abs(value)
    width = 2.0 ** math.floor(math.log2(tolerance / 4))
    first, last = (math.floor((value + side * tolerance) / width) for side in (-1, 1))
    return {"width": width, "cells": [hashed(f"{id}|{place}|{k}") for k in range(first, last + 1)]}


def entry(task, answer, wanted):
    """Return what a page keeps of one answer and of the reply to it."""
    reply = assess(task, answer)
    if wanted in ("word", "set"):
        key = (
            str(answer).strip().lower() if wanted == "word" else ",".join(map(str, sorted(answer)))
        )
        parts = [{"cells": [hashed(f"{task.id}|0|{key}")]}]
    else:
        values = numbers(answer).ravel()
        within = tolerance(task, values)
        parts = [cells(task.id, k, float(value), within) for k, value in enumerate(values)]
    verdict = {"right": 1} if reply == "right" else {"says": locked(said(reply), task.id)}
    return {"parts": parts, **verdict}


def kind(task):
    """Return what a page can ask for: "number", "numbers", "word", "set", or "" for the rest."""
    if task.cases is not None:
        return ""
    if isinstance(task.right, str):
        return "word"
    if isinstance(task.right, list) and {len(m.wrong) for m in task.mistakes} - {len(task.right)}:
        return "set"
    try:
        values = numbers(task.right)
    except (TypeError, ValueError):
        return ""
    return "number" if values.size == 1 else "numbers"


def entries(task, wanted):
    """Return what a page knows of an exercise, the right answer first."""
    wrong = [m.wrong for m in task.mistakes]
    if wanted == "set":
        members = sorted({member for answer in (task.right, *wrong) for member in answer})
        assert len(members) <= MOST_SUBSETS, task.id
        sizes = range(1, len(members) + 1)
        wrong = [list(s) for n in sizes for s in itertools.combinations(members, n)]
    elif wanted == "number":
        wrong += [factor * float(numbers(task.right)) for factor, _ in FACTORS]
    return [entry(task, answer, wanted) for answer in (task.right, *wrong)]


def choices(name, options, many=False):
    """Return the options as buttons of which one, or any number, can be chosen."""
    type_ = "checkbox" if many else "radio"
    return "".join(
        f'<label class="choice"><input type="{type_}" name="{html.escape(name)}" '
        f'value="{html.escape(str(option))}"><span>{html.escape(str(option))}</span></label>'
        for option in options
    )


def box(task, wanted):
    """Return where the answer is given: choices, or a line to write into."""
    wrong = [m.wrong for m in task.mistakes]
    if wanted == "word":
        return choices(task.id, sorted({str(answer) for answer in (task.right, *wrong)}))
    if wanted == "set":
        members = {member for answer in (task.right, *wrong) for member in answer}
        return choices(task.id, sorted(members), many=True)
    size = numbers(task.right).size
    asked = "a number" if size == 1 else f"{size} numbers, commas between"
    return (
        '<input class="line" type="text" autocomplete="off" '
        f'aria-label="{asked}" placeholder="{asked}">'
    )


def predict(id):
    """Return a prediction as a form that keeps what is chosen or written."""
    task = find_prediction(id)
    unit = f'<span class="unit">{html.escape(task.unit)}</span>' if task.unit else ""
    if task.choices:
        asked = choices(id, task.choices) + unit
    else:
        low, high = task.between
        bounds = "" if math.isinf(high - low) else f' min="{low:g}" max="{high:g}"'
        asked = (
            f'<input class="line" type="number" step="any"{bounds} aria-label="your guess">{unit}'
            '<button type="submit">Keep it</button>'
        )
    return (
        f'<form class="predict" data-id="{html.escape(id)}" data-unit="{html.escape(task.unit)}">'
        f"<fieldset><legend>Your guess</legend>{asked}</fieldset><output></output></form>"
    )


def predicted(id, here):
    """Return what a lesson finds, beside a place for what was predicted."""
    task = find_prediction(id)
    shown = ""
    if task.choices:
        shown = "".join(
            f'<span data-choice="{html.escape(c)}">{html.escape(c)}</span>' for c in task.choices
        )
        shown = f'<span class="marks">{shown}</span>'
    elif not math.isinf(task.between[1] - task.between[0]):
        low, high = task.between
        shown = f'<span class="scale" data-low="{low:g}" data-high="{high:g}"></span>'
    return (
        f'<div class="predicted" data-id="{html.escape(id)}" data-here="{html.escape(here)}" '
        f'data-unit="{html.escape(task.unit)}">'
        f'<p><b>You predicted</b> <span class="guess">nothing yet</span></p>{shown}'
        f"<p><b>Here it is</b> {html.escape(here)}</p></div>"
    )


def card(id, rendered, *, links="", worked="", answers=True):
    """Return an exercise or a prediction as a page without a kernel has it.

    `rendered` turns Markdown into HTML, `links` lead to where code runs, `worked` to a solution;
    without `answers` no hash and no hint is on the page.
    """
    if is_prediction(id):
        return predict(id)
    task = find_exercise(id)
    name = html.escape(id)
    wanted = kind(task) if answers else ""
    helps = [
        f'<details class="hint"><summary>hint {k}</summary>{rendered(hint)}</details>'
        for k, hint in enumerate(task.hints.splitlines() if answers else (), 1)
    ]
    if worked:
        helps.append(f'<a class="worked" href="{worked}">a worked solution</a>')
    if wanted:
        known = html.escape(json.dumps(entries(task, wanted), separators=(",", ":")))
        asked = (
            f'<form data-kind="{wanted}" data-id="{name}" data-known="{known}">'
            f"<fieldset><legend>Your answer</legend>{box(task, wanted)}"
            '<button type="submit">Check</button></fieldset>'
            '<output aria-live="polite"></output></form>'
        )
    else:
        asked = f"<p>Your code runs {f'in {links}' if links else 'in the notebook'}.</p>"
    shown = f'{asked}<div class="helps">{"".join(helps)}</div>'
    return f'<div class="task" data-task="{name}">{shown}</div>'
