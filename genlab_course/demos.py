"""Which widgets an instructor shows, and what is asked before they are moved."""

import html
import importlib.util
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genlab.core.weights import replace_file
from genlab.map import LESSONS, SYSTEMS
from genlab.zoo import MODELS

LOAD = "from genlab.zoo import load_model\n"
JUDGE = f"{LOAD}from genlab.systems.evaluation import digit_evaluator\n"


@dataclass(frozen=True)
class Demo:
    """One widget, and the question that the class answers before it is moved."""

    question: str  # Markdown
    code: str  # its last line is the widget


@dataclass(frozen=True)
class Page:
    """The page of a lesson or a lab."""

    key: int | str  # number of a lesson, or name of a lab
    demos: tuple[Demo, ...]
    needs: tuple[str, ...] = ()  # models that must have been shipped

    @property
    def name(self) -> str:
        """Of its file: "04", "glide"."""
        return self.key if isinstance(self.key, str) else f"{self.key:02d}"

    @property
    def title(self) -> str:
        """As on the map: "04 Normalizing flows", "Language model"."""
        key = self.key
        return SYSTEMS[key][0] if isinstance(key, str) else f"{self.name} {LESSONS[key]}"


FIVE = """\
from genlab.core import last
from genlab_course import lesson_01
from genlab.data.toys import GaussianRing
def five():
    data = GaussianRing().sample(10_000)
    runs = {name: lesson_01.learn(name, data) for name in lesson_01.RECIPES}
    for _, run in runs.values():
        last(run)
    return widgets.five_samplers({name: model for name, (model, _) in runs.items()})
widgets.later("Train the five models now: half a minute", five)"""

DECODING = """\
from genlab.autoregressive.tokens import CharTokenizer
from genlab.zoo.lessons import ALPHABET
from genlab.zoo import load_model
writer, tokenizer = load_model("text_transformer"), CharTokenizer(ALPHABET)
contexts = ["the val", "Py", "If the ", "class "]
with torch.no_grad():
    rows = [torch.cat([writer.begin(1), tokenizer.encode(c)[None]], 1) for c in contexts]
    after = torch.cat([writer.next_logits(row)[:, -1] for row in rows])
letters = ["\\\\n" if c == "\\n" else "␣" if c == " " else c for c in tokenizer.alphabet]
widgets.decoding(after, letters, contexts)"""

STYLES = """\
from genlab.adversarial import attribute_direction
from genlab.core.stats import ink, slant
from genlab.zoo import load_model
from genlab.systems.stylegan import grey
gan, g = load_model("stylegan"), torch.Generator().manual_seed(8)
net = gan.generator_net
with torch.no_grad():
    w = net.mapping(torch.randn(2000, net.d_latent, generator=g))
    x = grey(net.synthesis(net.every_layer(w), net.draw_noise(2000, g)))
styles = {name: attribute_direction(w, f(x)) for name, f in (("slant", slant), ("ink", ink))}
widgets.style_mixer(gan, styles)"""

GLIDE = f"""\
{JUDGE}from genlab.systems.glide import Glide
glide = Glide(load_model("glide_base"), load_model("glide_upsampler"))
widgets.caption_sampler(glide, digit_evaluator())"""

PAGES: tuple[Page, ...] = (
    Page(1, (
        Demo('Set the sampler to "one-pass". Which *one* clue more leaves one family?',
             "widgets.paradigm_map()"),
        Demo("After half of its work, which of the five already resembles the data, and which "
             "has one coordinate and no idea of the other?", FIVE),
    )),
    Page(2, (
        Demo("How many layers of two stacks does the last pixel need before the first one can "
             "influence it?", "widgets.receptive_field()"),
        Demo("How low must the temperature be before one letter holds 99 %?", DECODING),
    )),
    Page(3, (
        Demo("Keep the width small and walk from one mode to the other: what does the reverse "
             "divergence do in between?", "widgets.kl_fit()"),
    )),
    Page(4, (
        Demo("Each layer moves one coordinate. After how many of four will there be two arms?",
             "widgets.flow_warp()"),
    )),
    Page(5, (
        Demo("Move $q(z{=}1)$ to where the *reconstruction* is best. Is the ELBO best there?",
             "widgets.elbo_gap()"),
        Demo("Turn the latent space until $q$ can be right. How wide does $q$ become?",
             "widgets.posterior_ellipse()"),
    )),
    Page(6, (
        Demo("Walk from the ones to the zeros. Through which digits do you pass?",
             "widgets.latent_plane()"),
    )),
    Page(7, (
        Demo("Is there a rate at which simultaneous steps settle without $\\gamma$?",
             "widgets.game_orbit()"),
        Demo("At which mean is the minimax slope largest, and what has become of it at 6?",
             "widgets.gan_game()"),
    )),
    Page(8, (
        Demo("At which shift does JS stop moving when the bumps are twice as wide?",
             "widgets.earth_mover()"),
    )),
    Page(9, (
        Demo("Which metric notices noise first, and which notices the missing digits?",
             "widgets.metric_room()"),
    )),
    Page(10, (
        Demo("Raise the step without Metropolis: which goes wrong first, the width of the "
             "valleys or their shares of mass?", "widgets.langevin_bias()"),
    )),
    Page(11, (
        Demo("The red line is the watershed. Where does it go as $\\sigma$ rises?",
             "widgets.score_field()"),
    )),
    Page(12, (
        Demo("At which step does the observer cease to know the digit, for both schedules? And"
             " at which log SNR?", "widgets.forward_process()"),
    )),
    Page(13, (
        Demo("With 8 passes, where do DDIM's trajectories leave the exact ones: in the noise, "
             "or near the data?", "widgets.sampler_steps()"),
        Demo("Raise $w$ from 1. Which moves first, the samples' mean or their width?",
             "widgets.guidance()"),
    )),
    Page(14, (
        Demo("Turn the noise up from 0. Which of the two pictures changes?", "widgets.sde_paths()"),
    )),
    Page(15, (
        Demo("Place a release of this week: which phrase decides?",
             "widgets.release_reader()"),
        Demo("Is there a pair of columns in which a single model is unbeaten?",
             "widgets.league_picture()"),
    )),
    Page("language_model", (
        Demo("At which temperature does the text stop being grammatical? With top-k 1, what "
             "does `draw` change?",
             LOAD + 'widgets.prompt_box(load_model("language_model", dtype=torch.float32))'),
    ), ("language_model",)),
    Page("latent_diffusion", (
        Demo("After which step can you tell which digit it will be, and after which where?",
             LOAD + 'names = "latent_diffusion", "scene_evaluator"\n'
             "widgets.latent_sampler(*map(load_model, names))"),
    ), ("latent_diffusion", "scene_evaluator")),
    Page("glide", (
        Demo("At which guidance do the three pictures begin to look like one?", GLIDE),
    ), ("glide_base", "glide_upsampler",)),
    Page("stylegan", (
        Demo("Lower the truncation: what is gained, and what is lost?", STYLES),
    ), ("stylegan",)),
    Page("text_to_video", (
        Demo("Make the frames each alone. What is lost, though every frame is right?",
             LOAD + 'widgets.video_frames(load_model("text_to_video"))'),
    ), ("text_to_video",)),
    Page("language_and_image", (
        Demo("Type a beginning. What does the prompt fix, and what is drawn anew each time?",
             LOAD + 'widgets.write_and_draw(load_model("language_and_image"))'),
    ), ("language_and_image",)),
    Page("flow_density_estimator", (
        Demo("An epidemic that dies out: is its posterior narrower or wider than that of a "
             "full wave?", LOAD + 'widgets.epidemic_posterior(load_model("npe_epidemic"))'),
    ), ("npe_epidemic",)),
)  # fmt: skip


TEMPLATE = Path(__file__).with_name("demo_pages")
NAME = "genlab_demo"  # of the template, as Voila knows it
WIDGETS = ("@jupyter-widgets/jupyterlab-manager", "@voila-dashboards/widgets-manager8")
MARK = "genlab-demo.json"  # stands in a folder that this module has written
BEGIN = (
    "import torch\nimport genlab_course as course\nfrom genlab_course import widgets\n"
    "course.begin({key!r})\nwidgets.project()"
)


def ready(pages: tuple[Page, ...] = PAGES) -> tuple[Page, ...]:
    """Those of some pages whose models ship."""
    shipped = {t.name for t in MODELS if t.path.exists()}
    return tuple(p for p in pages if shipped.issuperset(p.needs))


def notebook(page: Page, before: str = "", after: str = "") -> dict[str, Any]:
    """The notebook that Voila turns into a page: title, ways on, then question and widget in turn.

    `before` and `after` are the names of its neighbours, "" where there is none.
    """
    ways = [
        *([f"[← {before}]({before}.ipynb)"] if before else []),
        "[all pages](../../)",
        *([f"[{after} →]({after}.ipynb)"] if after else []),
    ]
    cells = [
        ("markdown", f"# {page.title}\n\n{' · '.join(ways)}"),
        ("code", BEGIN.format(key=page.key)),
    ]
    for demo in page.demos:
        cells += [("markdown", demo.question), ("code", demo.code)]
    kernel = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}
    unrun: dict[str, dict[str, Any]] = {"code": {"outputs": [], "execution_count": None}}
    return {
        "cells": [
            {"cell_type": kind, "id": f"cell-{k}", "metadata": {}, "source": text}
            | unrun.get(kind, {})
            for k, (kind, text) in enumerate(cells)
        ],
        "metadata": {"kernelspec": kernel, "title": page.title},
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def index(pages: tuple[Page, ...]) -> str:
    """The list of pages as HTML, lessons before labs."""
    parts = []
    for heading, kind in (("Lessons", int), ("Labs", str)):
        rows = [
            f'<li><a href="voila/render/{page.name}.ipynb">{html.escape(page.title)}</a></li>'
            for page in pages
            if isinstance(page.key, kind)
        ]
        parts += [f"<h2>{heading}</h2>", "<ul>", *rows, "</ul>"] if rows else []
    return "\n".join(parts)


def write_demos(folder: Path, pages: tuple[Page, ...] | None = None) -> list[Path]:
    """Write pages (those that are `ready`) and their template into a folder; return the notebooks.

    Its own folder is made anew; FileExistsError for one that holds something else.
    """
    used = folder.exists() and (not folder.is_dir() or any(folder.iterdir()))
    if used and not (folder / MARK).exists():
        why = "holds something already and nothing is replaced: name a new folder"
        raise FileExistsError(f"{folder} {why}")
    pages = ready() if pages is None else pages
    shutil.rmtree(folder, ignore_errors=True)
    replace_file(folder / MARK, json.dumps([page.name for page in pages]).encode())
    target = folder / "jupyter" / "voila" / "templates" / NAME
    shutil.copytree(TEMPLATE, target)
    tree = (target / "tree.html").read_text(encoding="utf-8").replace("PAGES", index(pages))
    for name in ("tree.html", "tree-lab.html"):
        replace_file(target / name, tree.encode())
    names, written = ["", *(page.name for page in pages), ""], []
    for page, before, after in zip(pages, names, names[2:], strict=False):
        path = folder / "pages" / f"{page.name}.ipynb"
        replace_file(path, json.dumps(notebook(page, before, after), indent=1).encode())
        written.append(path)
    return written


def voila_command(folder: Path, port: int, *, browser: bool = False) -> list[str]:
    """The command that serves a folder of pages on this machine, at this port and no other.

    FileNotFoundError where Voila is not installed, or the folder holds no pages.
    """
    if importlib.util.find_spec("voila") is None:
        raise FileNotFoundError("the demo pages need Voila: pip install 'genlab[demo]'")
    if not (folder / MARK).exists():
        raise FileNotFoundError(f"no demo pages in {folder}: `genlab demo` writes them")
    return [
        *(sys.executable, "-m", "voila", str(folder / "pages")),
        *(f"--port={port}", "--Voila.port_retries=0", "--Voila.ip=127.0.0.1"),
        *(f"--template={NAME}", "--strip_sources=True"),
        *(f"--VoilaConfiguration.extension_allowlist={name}" for name in WIDGETS),
        *([] if browser else ["--no-browser"]),
    ]


def voila_environment(folder: Path) -> dict[str, str]:
    """The environment in which Voila finds the template of a folder of pages."""
    own = str((folder / "jupyter").resolve())
    path = os.pathsep.join(filter(None, [own, os.environ.get("JUPYTER_PATH")]))
    return {**os.environ, "JUPYTER_PATH": path}


def require_free(port: int) -> None:
    """OSError where another program listens at a port of this machine."""
    with socket.socket() as probe:
        if os.name == "posix":  # a connection that has just ended is in nobody's way
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            why = f"port {port} cannot be had ({error.strerror})"
            raise OSError(f"{why}: --port names another") from None


def serve(folder: Path, port: int, *, browser: bool = True) -> int:
    """Serve a folder of pages until it is interrupted; return the exit status."""
    command = voila_command(folder, port, browser=browser)
    require_free(port)
    print(f"http://127.0.0.1:{port}/   (Ctrl-C ends it)", flush=True)
    running: list[subprocess.Popen[bytes]] = []

    def end(*_: object) -> None:
        for process in running:  # nothing, when it has ended
            process.terminate()

    before = signal.signal(signal.SIGTERM, end)
    try:
        running.append(subprocess.Popen(command, env=voila_environment(folder)))
        return running[0].wait()
    except KeyboardInterrupt:
        return 0
    finally:
        signal.signal(signal.SIGTERM, before)
        end()
        for process in running:
            process.wait()
