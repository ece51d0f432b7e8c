"""The bench (bench.js) in one page for all figures, and what was looked at on it: drawn/NAME.json.

`python -m tests.browser.living.bench [NAME ...]` draws the lists anew and prints what has changed:
read it, and look at the figure, before you commit it.
"""

import contextlib
import difflib
import json
import re
import sys
from pathlib import Path

from genlab_course.widgets import living
from tests.browser import lab
from tests.browser.living import replay

HERE = Path(__file__).parent
PLACE = re.compile(r"-?\d+,-?\d+")
WORD = re.compile(r'"([^"]*)"')
LIST = re.compile(r"\[[^\[\]\"{}]+\]")
SIZES = (760, 760, 360)  # of the three pictures of a figure: two at full width, one on a phone
STILL = {"digits_live": {"time": 58}}  # where the first settings say less than others


class Bench:
    """One figure at a time, drawn onto a pen that records."""

    def __init__(self, page):
        self.page = page
        page.set_content("<!doctype html><meta charset='utf-8'><body>")
        page.evaluate((HERE / "bench.js").read_text(encoding="utf-8"))

    def load(self, name, text=None):
        """Import a figure, or another text of it; return its controls."""
        script = living.data_script(name) if name in living.NETWORKS else ""
        call = "([text, script]) => bench.load(text, script)"
        self.controls = json.loads(self.page.evaluate(call, [text or living.source(name), script]))
        return self.controls

    def mathematics(self, cases):
        """What the figure computes for some settings."""
        return json.loads(self.page.evaluate("cases => bench.mathematics(cases)", cases))

    def open(self, settings, width=760):
        """Show the figure."""
        self.page.evaluate("([s, w]) => bench.open(s, w)", [settings, width])

    def settings(self):
        """What the figure's settings are now."""
        return json.loads(self.page.evaluate("bench.settings()"))

    def marks(self, kind):
        """What of one kind was drawn: "text", "dot", "line", ..."""
        return json.loads(self.page.evaluate("kind => bench.marks(kind)", kind))

    def do(self, what, *values):
        """Call one of the bench's other functions."""
        return self.page.evaluate(f"values => bench.{what}(...values)", list(values))


@contextlib.contextmanager
def opened(browser):
    """A bench in a page of its own, which fails if the page did."""
    page = browser.new_page(viewport={"width": 1000, "height": 900})
    troubles = []
    page.on("pageerror", lambda error: troubles.append(str(error)))
    yield Bench(page)
    page.close()
    assert troubles == []


def cases(name, controls):
    """Three settings of a figure: those of its still picture, and two at random."""
    first = {c["name"]: c["value"] for c in controls}
    golden = replay.golden(name)
    others = replay.settings(golden, controls, replay.DRAWN)[-2:]
    fewer = getattr(golden, "FEWER", {})  # of what takes long
    return [first | STILL.get(name, {}), *(other | fewer for other in others)]


def look(bench, name, settings, width):
    """What a figure draws and says."""
    bench.open(settings, width)
    return {"says": bench.do("says"), "draws": bench.do("drawn")}


def record(bench, name):
    """What a figure draws and says in its three settings, and how long its films take."""
    controls = bench.controls
    pictures = [
        {"settings": settings, "width": width} | look(bench, name, settings, width)
        for settings, width in zip(cases(name, controls), SIZES, strict=True)
    ]
    return {"seconds": seconds(bench), "pictures": pictures}


def seconds(bench):
    """For each play button, how long the film takes from the first value of its slider on."""
    took, names = {}, {c["name"] for c in bench.controls}
    for control in bench.controls:
        if "play" in control:
            fewer = {"many": 1, "steps": 2} if "many" in names else {}
            bench.open(fewer | {control["name"]: control["min"]})
            took[control["name"]] = round(bench.do("play", control["name"]), 1)
    return took


def changed(stored, found):
    """What has changed between records, as the lines of a diff; a pixel does not count."""
    if stored["seconds"] != found["seconds"]:
        yield f"seconds: {stored['seconds']} -> {found['seconds']}"
    for k, (old, new) in enumerate(zip(stored["pictures"], found["pictures"], strict=True)):
        if (old["settings"], old["width"]) != (new["settings"], new["width"]):
            yield f"picture {k}: other settings"
        a, b = [old["says"], *old["draws"]], [new["says"], *new["draws"]]
        if len(a) == len(b) and all(map(same, a, b)):
            continue
        yield from difflib.unified_diff(a, b, f"picture {k}", lineterm="", n=0)


def same(a, b):
    """Whether two lines of a picture say the same, places to a pixel."""
    if PLACE.sub("", a) != PLACE.sub("", b):
        return False
    one, other = (
        [int(v) for place in PLACE.findall(line) for v in place.split(",")] for line in (a, b)
    )
    return all(abs(p - q) <= 1 for p, q in zip(one, other, strict=True))


def words(draws):
    """The words in a picture, in the order of its lines."""
    return [word for line in draws if line.startswith("text") for word in WORD.findall(line)]


def path(name):
    """Where the record of a figure is kept."""
    return HERE / "drawn" / f"{name}.json"


def stored(name):
    """What a person has looked at."""
    return json.loads(path(name).read_text(encoding="utf-8"))


def main(names):
    """Write records anew, and print what has changed."""
    from playwright.sync_api import sync_playwright

    path("").parent.mkdir(exist_ok=True)
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=str(lab.CHROMIUM), args=lab.FLAGS)
        with opened(browser) as bench:
            for name in names:
                bench.load(name)
                found = record(bench, name)
                old = stored(name) if path(name).exists() else {"seconds": {}, "pictures": []}
                lines = list(changed(old, found)) if old["pictures"] else ["new"]
                print(f"{name}: {'as it was' if not lines else ''}", *lines, sep="\n  ")
                text = json.dumps(found, indent=1, ensure_ascii=False)
                text = LIST.sub(lambda m: " ".join(m[0].split()), text)  # numbers in one line
                path(name).write_text(text + "\n", encoding="utf-8")
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1:] or living.NAMES)
