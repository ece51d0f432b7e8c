"""Read releases: a box that marks the phrases that weigh, and a clinic that keeps your score."""

import html
import random
import re
from collections import Counter

import ipywidgets

from genlab_course.exercises.lesson_15 import EITHER
from genlab_course.reader import FIELDS, Reading, highlight, in_words, read, releases, truth
from genlab_course.widgets.explorer import Stored

EXAMPLE = (
    "Unlike GANs, our model has no discriminator. An autoencoder maps pictures to latents, and a "
    "network denoises the latents in 30 steps."
)
# The marks are light on any theme, so the letters on them must be dark.
STYLE = "<style>.genlab-reading mark { color: #222222; }</style>"


def _row(field: str, reading: Reading) -> str:
    value = in_words(reading, field)
    sure = f"<td>{getattr(reading, field).confidence:.0%}</td>"
    return f"<tr><td>{field}</td><td><b>{html.escape(value)}</b></td>{sure}</tr>"


def as_html(text: str) -> str:
    """The four answers with their confidence, above the text with its evidence marked."""
    reading = read(text)
    rows = "".join(_row(field, reading) for field in FIELDS)
    shown = f"<table>{rows}</table><p>{highlight(text, reading)}</p>"
    return f"{STYLE}<div class='genlab-reading'>{shown}</div>"


class ReleaseReader(Stored):
    """A box to type in above the reading; `read(text)` drives it, `reading.value` is on show."""

    def __init__(self, text: str = EXAMPLE) -> None:
        layout = ipywidgets.Layout(width="44em", height="9em", max_width="100%")
        self.box = ipywidgets.Textarea(value=text, layout=layout, placeholder="Paste an abstract")
        self.box.tooltip = "text of a release, in English"
        self.reading = ipywidgets.HTML()
        self.box.observe(lambda change: self._show(change["new"]), names="value")
        self._show(text)
        super().__init__([self.box, self.reading])

    def _show(self, text: str) -> None:
        try:
            self.reading.value = as_html(text)
        except ValueError as error:
            self.reading.value = f"<p role='status'>{html.escape(str(error))}</p>"

    def _still(self) -> dict[str, str]:
        """The reading on show."""
        words = "Run this cell to read another text."
        shown = f"<p><em>{words}</em></p>{self.reading.value}"
        return {"text/plain": f"The reading of a release. {words}", "text/html": shown}

    def read(self, text: str) -> None:
        """Type a text, as a hand would."""
        self.box.value = text


release_reader = ReleaseReader
STEPS = dict(zip(("objective", "sampling", "likelihood", "paradigms"), "1234", strict=True))
DEALT, MOST = ("retold", "plain"), 14  # texts like a release; answers to choose from


def _said(value: tuple[str, ...] | str) -> str:
    return value if isinstance(value, str) else " + ".join(value) or "none of the map's"


class Clinic(Stored):
    """Deals labelled texts; the key opens once all four steps are answered, and the score stays."""

    def __init__(self, seed: int = 0) -> None:
        rows = [row for row in releases("train") if row["source"] in DEALT]
        pairs = [(row["text"], {s: _said(truth(row, s)) for s in STEPS}) for row in rows]
        count = {s: Counter(key[s] for _, key in pairs).most_common(MOST) for s in STEPS}
        words = {step: sorted(word for word, _ in count[step]) for step in STEPS}
        self._pile = [(t, k) for t, k in pairs if all(k[step] in words[step] for step in STEPS)]
        random.Random(seed).shuffle(self._pile)
        self.right = Counter[str]()
        self.taken = Counter[str]()
        self.dealt = 0
        self.text = ipywidgets.HTML()
        self.reply = ipywidgets.HTML()
        self.blanks = {
            step: ipywidgets.Dropdown(
                options=words[step], value=None, description=f"{number}. {step}",
                layout=ipywidgets.Layout(width="26em"), tooltip=f"step {number}: {step}",
            )
            for step, number in STEPS.items()
        }  # fmt: skip
        self.button = ipywidgets.Button(description="Compare", tooltip="compare with the key")
        self.button.on_click(lambda _: self.press())
        super().__init__([self.text, *self.blanks.values(), self.button, self.reply])
        self._deal()

    def _deal(self) -> None:
        said, self._key = self._pile[self.dealt % len(self._pile)]
        plain = re.sub(r"(?m)^#+ |\*\*|\*(?=\w)|(?<=\w)\*", "", said)  # Markdown's marks
        style = "max-width:46em; white-space:pre-line"
        self.text.value = f"<p style='{style}'>{html.escape(plain)}</p>"
        self.button.description = "Compare"
        for blank in self.blanks.values():
            blank.value, blank.disabled = None, False

    def press(self) -> None:
        """Compare the four answers with the key, or deal the next text, as a click does."""
        if self.button.description != "Compare":
            return self._deal()
        given = {step: blank.value for step, blank in self.blanks.items()}
        if open_ := [step for step, value in given.items() if value is None]:
            self.reply.value = f"<p role='status'>Still to answer: {', '.join(open_)}.</p>"
            return None
        self.dealt += 1
        lines = []
        for step, value in given.items():
            key = self._key[step]
            codec = "latent-variable" in (made := self._key["paradigms"]) and "+" in made
            ok = value == key or (codec and step == "likelihood" and {value, key} == EITHER)
            self.right[step] += ok
            self.taken.update([f"{key} taken for {value}"] * (not ok))
            mark = "right" * ok or f"the key says {key}"
            mark += f", too (the key says {key})" * (ok and value != key)
            lines.append(f"{step}: {mark} ({self.right[step]} of {self.dealt} so far)")
        lines += [f"most often: {what} ({n})" for what, n in self.taken.most_common(1)]
        self.reply.value = f"<p role='status'>{'<br>'.join(map(html.escape, lines))}</p>"
        self.button.description = "Next text"
        for blank in self.blanks.values():
            blank.disabled = True
        return None

    def _still(self) -> dict[str, str]:
        """The text on show without its key."""
        words = "Run this cell to answer and to keep score."
        shown = f"{self.text.value}<p><em>{words}</em></p>"
        return {"text/plain": f"A release to place in four steps. {words}", "text/html": shown}


clinic = Clinic
