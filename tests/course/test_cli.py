"""The command line, as a learner uses it: in the same process, and killed."""

import functools
import importlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch
from processes import start
from safetensors.torch import load_file
from typer.testing import CliRunner

from genlab.core.weights import read_card
from genlab.map import PAYS, SCORE
from genlab.systems.latent_diffusion import LatentDiffusion
from genlab.zoo import find, recipes
from genlab.zoo.recipe import Recipe
from genlab_course import reader
from genlab_course.cli import app
from genlab_course.places import folder
from genlab_course.reader import FIELDS

KILL = getattr(signal, "SIGKILL", None)  # Windows has none


def run(*arguments, columns=200):
    """Call the command line in this process, in a terminal of so many columns."""
    environment = {"COLUMNS": str(columns)}
    return CliRunner().invoke(app, [str(a) for a in arguments], env=environment)


def said(result):
    """What was printed, in one line."""
    return " ".join((result.stdout + result.stderr).split())


@pytest.fixture
def no_figures(monkeypatch):
    """Figures cost time and are tested elsewhere."""
    monkeypatch.setattr("genlab.zoo.recipe.Recipe.figures", lambda *_: {"frechet": 0.5})


def rows(result):
    """The lines that begin with the name of a model, cut into words, by this name."""
    lines = [line.split() for line in result.stdout.splitlines() if not line.startswith(" ")]
    assert all(len(line) <= 80 for line in result.stdout.splitlines())
    assert "…" not in result.stdout
    return {words[0]: words[1:] for words in lines if words and words[0] in NAMES}


MODELS = [row for row in recipes() if row.ships]
NAMES = [*(row.name for row in recipes()), "reader"]
SHIPPED = [name for name in NAMES if name != "digits16"]


def test_without_a_name_the_trainings_are_listed_whole_in_80_columns():
    assert list(found := rows(run("train", columns=80))) == NAMES
    assert all(found[row.name][-1] == f"{row.seconds:.0f}" for row in MODELS)
    systems = run("systems", columns=80)
    assert list(rows(systems)) == SHIPPED
    stated = read_card(find("glide_base").path)["metrics"]
    assert f"and {len(stated) - 3} more" in said(systems)
    assert all(name in run("systems", "glide_base", columns=80).stdout for name in stated)


HEAVY = (
    "torch",
    "numpy",
    "IPython",
    "matplotlib",
    "sklearn",
    "scipy",
    "genlab.systems",
    "genlab.zoo",
)


@pytest.mark.parametrize(
    ("arguments", "heavy"),
    [
        (["--help"], HEAVY),
        (["train", "--help"], HEAVY),
        (["--version"], HEAVY),
        (["start"], HEAVY),
        (["gift", "02", "quiz.gift"], HEAVY),
        (["class", "handed in"], HEAVY),
        (["train", "nosuch"], ("sklearn", "matplotlib", "IPython")),
    ],
    ids=["help", "train", "version", "start", "gift", "class", "nosuch"],
)
def test_a_command_waits_for_nothing_that_it_does_not_need(tmp_path, arguments, heavy):
    (tmp_path / "handed in").mkdir()
    answer = {"id": "02.sequence-nll", "right": True, "at": 1}
    (tmp_path / "handed in" / "ada.jsonl").write_text(json.dumps(answer))
    program = (
        "import sys; from genlab_course.cli import app\n"
        "try: app(sys.argv[1:])\n"
        f"finally: print([name for name in {heavy} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, cwd=tmp_path,
        env={**os.environ, "GENLAB_MY": str(tmp_path / "my")},
    )  # fmt: skip
    assert done.stderr.splitlines()[-1] == "[]"
    assert done.returncode == ("nosuch" in arguments)


@pytest.mark.usefixtures("no_figures")
def test_a_training_writes_weights_and_card_where_it_is_told(tmp_path):
    torch.set_default_dtype(torch.float32)
    result = run("train", "digit_gan", "--steps", 2, "--out", tmp_path / "mine")
    assert result.exit_code == 0, said(result)
    assert "frechet 0.500" in said(result)
    card = read_card(tmp_path / "mine" / "digit_gan.safetensors")
    assert card["recipe"] == "genlab train digit_gan --steps 2"


@pytest.mark.usefixtures("no_figures")
def test_a_learners_file_is_kept_unless_force_is_given(tmp_path):
    path = tmp_path / "digit_gan.safetensors"
    path.write_text("mine")
    result = run("train", "digit_gan", "--steps", 1, "--out", tmp_path)
    assert result.exit_code == 1
    assert "--force replaces it" in said(result)
    assert path.read_text() == "mine"
    assert run("train", "digit_gan", "--steps", 1, "--out", tmp_path, "--force").exit_code == 0
    load_file(path)


@pytest.mark.parametrize(
    ("arguments", "status", "sentence"),
    [
        (["digit_gna"], 1, "no model is named 'digit_gna'; did you mean digit_gan?"),
        (["qqq"], 1, "no model is named 'qqq'; `genlab train` lists them all"),
        (["digit_gan", "--out", "a.pt"], 1, "file that ends in .safetensors, got a.pt"),
        (["digit_gan", "--out", "/proc/none"], 1, "No such file or directory: '/proc/none'"),
        (["digit_gan", "--steps", "0"], 2, "Invalid value for '--steps'"),
    ],
)
def test_a_mistake_is_answered_before_the_first_step(
    tmp_path, monkeypatch, arguments, status, sentence
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("genlab.train.Run.__next__", None)
    result = run("train", *arguments)
    assert result.exit_code == status
    assert sentence.replace("'", "") in said(result).replace("'", "")
    assert "Traceback" not in said(result)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("call", "arguments"),
    [
        ("genlab.zoo.train.train", ["train", "digit_gan"]),
        ("genlab_course.league.load_league", ["league"]),
        ("genlab_course.start_page.begin", ["start"]),
        ("genlab_course.copies.reset", ["reset", "1"]),
        ("genlab_course.demos.write_demos", ["demo"]),
    ],
)
def test_in_every_command_what_the_system_refuses_is_one_sentence(monkeypatch, call, arguments):
    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied", "/a/place")

    module, _, name = call.rpartition(".")
    monkeypatch.setattr(importlib.import_module(module), name, refuse)
    result = run(*arguments)
    assert result.exit_code == 1
    assert result.stderr.strip() == "genlab: Permission denied: /a/place"  # and no empty bar


def test_the_list_is_also_for_machines():
    rows = json.loads(run("systems", "--json").stdout)
    assert [row["name"] for row in rows] == SHIPPED
    assert all({"metrics", "minutes", "bytes"} <= row.keys() for row in rows)


@pytest.mark.parametrize(("off", "status"), [(1.0, 0), (1.2, 1)])
def test_figures_that_do_not_come_out_again_are_an_error(monkeypatch, off, status):
    def again(row, *_):
        stated = row.card()["metrics"]
        return {k: v * off if isinstance(v, float) else v for k, v in stated.items()}

    for row in ("genlab.zoo.recipe.Recipe", "genlab_course.rows.ReaderRow"):
        monkeypatch.setattr(f"{row}.figures", again)
        monkeypatch.setattr(f"{row}.load", lambda row: None)
    result = run("systems", "--verify", "--json")
    assert result.exit_code == status, said(result)
    shown = said(run("systems", "digit_gan", "--verify", columns=80))
    assert ("the same" in shown) == (status == 0)


N_STEPS = 40  # a second and more: time to be killed after the first checkpoint
ENVIRONMENT = {**os.environ, "COLUMNS": "200"}
FORKS = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


def begin(said, *arguments, figures=lambda *_: {"frechet": 0.5}):
    """Start the command line in a process of its own, forked: torch is imported there already."""

    def work():
        os.environ["COLUMNS"] = "200"
        torch.set_num_threads(1)
        torch.set_default_dtype(torch.float32)
        Recipe.figures = figures
        with said.open("w") as sys.stdout:
            sys.stderr = sys.stdout
            try:
                app([str(a) for a in arguments])
            except SystemExit as done:
                sys.stdout.flush()
                os._exit(done.code or 0)

    return psutil.Process(start(work))


def wait_for(path, process, said, seconds=120):
    """Wait until a file is there; the process may compute for so long, however busy the machine."""
    while not path.exists():
        assert process.status() != psutil.STATUS_ZOMBIE, said.read_text()
        used = process.cpu_times()
        assert used.user + used.system < seconds
        time.sleep(0.02)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The file that an uninterrupted training of some steps writes, by the model's name."""

    @functools.cache
    def train(name):
        folder = tmp_path_factory.mktemp("whole")
        said = folder / "said.txt"
        done = begin(said, "train", name, "--steps", N_STEPS, "--out", folder)
        assert done.wait() == 0, said.read_text()
        return (folder / f"{name}.safetensors").read_bytes()

    return train


@FORKS
@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("digit_vae", KILL),
        pytest.param("digit_gan", KILL, marks=pytest.mark.verify),
        ("digit_vae", signal.SIGINT),
        pytest.param("digit_vae", signal.SIGTERM, marks=pytest.mark.verify),
    ],
)
def test_a_training_that_was_killed_ends_as_if_it_had_not_been(tmp_path, whole, name, number):
    path, said = tmp_path / f"{name}.safetensors", tmp_path / "said.txt"
    arguments = "train", name, "--steps", N_STEPS, "--every", 0, "--out", tmp_path
    killed = begin(said, *arguments)
    wait_for(path.with_suffix(".checkpoint"), killed, said)
    killed.send_signal(number)
    assert killed.wait(60) == (-KILL if number == KILL else 130)
    assert number == KILL or "run the same command to resume" in said.read_text()
    assert not path.exists()
    assert begin(said, *arguments).wait() == 0, said.read_text()
    assert path.read_bytes() == whole(name)
    assert not path.with_suffix(".checkpoint").exists()


@FORKS
@pytest.mark.slow
def test_an_interrupt_ends_the_measuring_at_once_and_the_training_is_kept(tmp_path, whole):
    out, said, begun = tmp_path / "out", tmp_path / "said.txt", tmp_path / "begun"
    arguments = "train", "digit_vae", "--steps", N_STEPS, "--out", out

    def figures(*_):
        begun.touch()
        time.sleep(60)

    for _ in range(2):  # the second time nothing is left to train
        measuring = begin(said, *arguments, figures=figures)
        wait_for(begun, measuring, said)
        begun.unlink()
        measuring.send_signal(signal.SIGINT)
        assert measuring.wait(20) == 130  # of the minute that it would take
        checkpoint = out / "digit_vae.checkpoint"
        saved = f"the training so far is saved in {checkpoint}; run the same"
        assert saved in said.read_text()
        assert [path.name for path in out.iterdir()] == [checkpoint.name]
    assert begin(said, *arguments).wait() == 0, said.read_text()
    assert (out / "digit_vae.safetensors").read_bytes() == whole("digit_vae")


@pytest.mark.parametrize(
    ("called", "arguments", "sentence"),
    [
        ("genlab.zoo.recipe.Recipe.train", ["train", "digit_gan"], "stopped; nothing is saved"),
        ("genlab_course.speedrun.draw", ["speedrun", "digits16", "--seconds", 0.1, "-n", 40],
         "stopped; nothing was saved, because a timed run cannot be resumed"),
    ],
)  # fmt: skip
def test_an_interrupt_says_what_is_lost(tmp_path, monkeypatch, called, arguments, sentence):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    owner, _, name = called.rpartition(".")
    monkeypatch.setattr(f"{owner}.{name}", interrupted)
    result = run(*arguments, "--out", tmp_path / "a.safetensors")
    assert result.exit_code == 130
    assert said(result).endswith(sentence)
    assert list(tmp_path.iterdir()) == []


def test_measuring_again_says_where_it_is(monkeypatch):
    for row in ("genlab.zoo.recipe.Recipe", "genlab_course.rows.ReaderRow"):
        monkeypatch.setattr(f"{row}.figures", lambda row, *_: row.card()["metrics"])
        monkeypatch.setattr(f"{row}.load", lambda row: None)
    result = run("systems", "--verify", "--json")
    lines = [f"measuring {name}: {k} of {len(SHIPPED)}" for k, name in enumerate(SHIPPED, 1)]
    assert result.stderr.splitlines() == lines
    assert "twenty minutes" in said(run("systems", "--help"))


def test_the_demo_pages_are_written_and_served(tmp_path, monkeypatch):
    served = []
    monkeypatch.setattr("genlab_course.demos.serve", lambda *a, **k: served.append((a, k)) or 3)
    result = run("demo", tmp_path / "site", "--no-browser", "--port", 99)
    assert result.exit_code == 3
    assert served == [((tmp_path / "site", 99), {"browser": False})]
    assert (tmp_path / "site" / "pages" / "01.ipynb").exists()
    (tmp_path / "mine.txt").write_text("my work")
    assert run("demo", tmp_path, "--no-serve").exit_code == 1
    assert len(served) == 1


def test_working_copies_are_made_and_one_is_taken_afresh(tmp_path, monkeypatch):
    monkeypatch.setenv("GENLAB_MY", str(tmp_path / "my"))
    result = run("start")
    assert result.exit_code == 0, said(result)
    assert "START.ipynb" in said(result)
    assert " new" in said(result)
    assert "nothing new" in said(run("start"))
    lesson = next((tmp_path / "my").glob("04_*.ipynb"))
    fresh = lesson.read_bytes()
    lesson.write_text("my answers")
    assert "no notebook that can be read: `04`" in said(run("start"))
    result = run("reset", 4)
    assert (result.exit_code, lesson.read_bytes()) == (0, fresh)
    (kept,) = (tmp_path / "my" / "backups").iterdir()
    assert kept.read_text() == "my answers"
    assert kept.name in "".join(result.stdout.split())
    result = run("reset", "40")
    assert result.exit_code == 1
    assert "no lesson or lab" in said(result)


def test_a_handout_has_solutions_and_outputs_only_for_instructors(tmp_path):
    for name, options in (("class", ()), ("mine", ("--instructor",))):
        result = run("handout", tmp_path / name, *options)
        assert result.exit_code == 0, said(result)
    assert not (tmp_path / "class" / "solutions").exists()
    assert list((tmp_path / "mine" / "solutions").glob("*.ipynb"))
    lesson = "02_autoregressive.ipynb"
    ran = [(tmp_path / name / lesson).read_text().count('"execution_count": null')
           for name in ("class", "mine")]  # fmt: skip
    assert ran[0] > 0 == ran[1]
    again = run("handout", tmp_path / "class")
    assert again.exit_code == 1
    assert "not replaced" in said(again)


def test_a_second_folder_of_copies_is_told_of_the_first(tmp_path, monkeypatch):
    monkeypatch.delenv("GENLAB_MY", raising=False)
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "data"))
    places = {name: tmp_path / name / "my" for name in ("first", "second")}
    told = {}
    for name in ("first", "second", "second"):
        monkeypatch.setattr("genlab_course.places.own_folder", lambda name=name: places[name])
        told.setdefault(name, said(run("start")))
    assert "another folder" not in told["first"]
    assert f"your answers are in another folder, {places['first']}: open" in told["second"]
    assert "another folder" not in said(run("start"))  # it is no new folder any more
    shutil.rmtree(places["second"])
    monkeypatch.setattr("genlab_course.places.own_folder", lambda: places["first"])
    assert "another folder" not in said(run("start"))


RELEASE = "A masked diffusion language model fills in all hidden tokens in parallel, in 16 steps."


def test_a_release_is_read_in_four_lines_from_a_file_or_the_standard_input(tmp_path):
    (tmp_path / "card.txt").write_text(RELEASE)
    result = run("read", tmp_path / "card.txt")
    assert result.exit_code == 0, said(result)
    lines = result.stdout.splitlines()
    assert [line.split(":")[0] for line in lines] == list(FIELDS)
    found = re.fullmatch(r"paradigms: (.*) \(confidence (.*)\): (.*)", lines[0])
    assert found[1] == SCORE
    assert 0.5 < float(found[2]) <= 1
    assert all(phrase in RELEASE for phrase in found[3].split("; "))
    piped = CliRunner().invoke(app, ["read", "-"], input=RELEASE)
    assert piped.stdout == result.stdout
    reading = json.loads(run("read", tmp_path / "card.txt", "--json").stdout)
    assert reading["paradigms"] == [SCORE]
    assert reading["from_the_map"] == {"trade_offs": {SCORE: PAYS[SCORE][0]}}


def test_a_text_may_begin_with_the_mark_of_its_encoding_and_one_that_is_none_is_named(tmp_path):
    (tmp_path / "card.txt").write_text(RELEASE)
    (tmp_path / "notepad.txt").write_text(RELEASE, encoding="utf-8-sig")
    plain = run("read", tmp_path / "card.txt").stdout
    assert run("read", tmp_path / "notepad.txt").stdout == plain
    marked = (tmp_path / "notepad.txt").read_bytes()
    assert CliRunner().invoke(app, ["read", "-"], input=marked).stdout == plain
    (tmp_path / "model.bin").write_bytes(b"\x8e\x01\xff")
    refused = run("read", tmp_path / "model.bin")
    assert refused.exit_code == 1
    assert said(refused).startswith(f"genlab: {tmp_path / 'model.bin'} is not UTF-8 text")
    refused = CliRunner().invoke(app, ["read", "-"], input=b"\x8e\x01\xff")
    assert said(refused).startswith("genlab: the standard input is not UTF-8 text")


TEXTS = reader.releases("test")[:3]


def test_the_reader_is_a_row_that_is_listed_fitted_and_kept(tmp_path, monkeypatch):
    monkeypatch.setattr("genlab_course.reader.fit_reader", lambda seed: reader.model())
    monkeypatch.setattr("genlab_course.reader.releases", lambda split: TEXTS)
    result = run("train", "reader", "--out", tmp_path)
    assert result.exit_code == 0, said(result)
    path = tmp_path / "reader.safetensors"
    assert np.array_equal(reader.load(path).W, reader.model().W)
    written, shipped = read_card(path), read_card(reader.WEIGHTS)
    assert written.keys() == shipped.keys()
    assert set(written["metrics"]["paradigms"]) == set(reader.MEASURED)
    assert "--force replaces it" in said(run("train", "reader", "--out", tmp_path))
    assert "no --steps" in said(run("train", "reader", "--out", tmp_path, "--steps", 3))


CAPTION = "a red seven left of a blue three"


def test_a_caption_is_drawn_into_a_file_and_another_model_refused(tmp_path):
    place = tmp_path / "drawn.png"
    result = run("sample", "latent_diffusion", CAPTION, "-n", 1, "--out", place)
    assert result.exit_code == 0, said(result)
    assert place.read_bytes().startswith(b"\x89PNG")
    assert [path.name for path in tmp_path.iterdir()] == ["drawn.png"]
    refused = run("sample", "digit_vae", "a red seven", "--out", tmp_path / "other.png")
    assert refused.exit_code == 1
    assert "does not take a caption" in said(refused)
    pink = run("sample", "latent_diffusion", "a pink seven", "--out", tmp_path / "other.png")
    assert "'pink' where one of" in said(pink)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            [CAPTION, "--out", "a.xyz"],
            "expected a file that ends in .png, .jpg, .jpeg or .webp, got a.xyz",
        ),
        ([CAPTION, "--out", "a"], "expected a file that ends in .png, .jpg, .jpeg or .webp, got a"),
        ([CAPTION, "--out", "folder.png"], "folder.png is a folder"),
        ([CAPTION, "--out", "kept.png"], "kept.png exists: --force replaces it"),
        ([" ", "--out", "a.png"], f'the caption is empty: say what to draw, as in "{CAPTION}"'),
    ],
)
def test_what_is_wrong_with_a_picture_is_said_before_a_model_is_loaded(
    tmp_path, monkeypatch, arguments, sentence
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("genlab.zoo.find", None)
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "kept.png").write_text("mine")
    result = run("sample", "latent_diffusion", *arguments)
    assert result.exit_code == 2
    assert said(result).startswith(f"genlab: {sentence}")
    assert (tmp_path / "kept.png").read_text() == "mine"
    assert len(list(tmp_path.iterdir())) == 2


def test_a_picture_is_replaced_with_force_and_a_full_disk_leaves_the_old_one(tmp_path, monkeypatch):
    class Drawn(LatentDiffusion):
        def __init__(self):
            torch.nn.Module.__init__(self)

        def draw(self, captions, **_):
            return torch.zeros(len(captions), 3, 16, 16)

    monkeypatch.setattr("genlab.zoo.recipe.Recipe.load", lambda *_, **__: Drawn())
    place = tmp_path / "kept.png"
    place.write_text("mine")
    arguments = ["sample", "latent_diffusion", CAPTION, "--out", place, "--force"]

    def full(path, *_, **__):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("genlab.files._write", full)
        refused = run(*arguments)
    assert refused.exit_code == 1
    assert said(refused) == f"genlab: No space left on device: {place}"
    assert place.read_text() == "mine"
    assert run(*arguments).exit_code == 0
    assert place.read_bytes().startswith(b"\x89PNG")
    assert len(list(tmp_path.iterdir())) == 1


@pytest.fixture
def jupyterlab(monkeypatch, tmp_path):
    """What JupyterLab would be started with, and the path on which its terminals look."""
    monkeypatch.setenv("GENLAB_MY", str(tmp_path / "a class" / "my own"))
    monkeypatch.setenv("PATH", "elsewhere")
    monkeypatch.delenv("JUPYTERLAB_WORKSPACES_DIR", raising=False)
    started = []
    note = lambda arguments: started.append((arguments, os.environ["PATH"].split(os.pathsep)))
    monkeypatch.setattr("jupyterlab.labapp.main", note)
    return started


def test_lab_opens_jupyterlab_at_the_copies_and_passes_the_rest_on(jupyterlab, tmp_path):
    assert run("lab", "--no-browser", "--port", 8899, "--LabApp.x=1").exit_code == 0
    ((arguments, path),) = jupyterlab
    assert arguments[-4:] == ["--no-browser", "--port", "8899", "--LabApp.x=1"]
    given = dict(a.removeprefix("--").partition("=")[::2] for a in arguments[:-4])
    assert given["ServerApp.root_dir"] == str(tmp_path / "a class")
    assert given["LabApp.default_url"] == "/lab/tree/my%20own/START.ipynb"
    assert (tmp_path / "a class" / "my own" / "START.ipynb").is_file()
    assert list(Path(given["LabApp.workspaces_dir"]).glob("default-*.jupyterlab-workspace"))
    settings = Path(given["LabApp.app_settings_dir"]) / "overrides.json"
    shown = json.loads(settings.read_text(encoding="utf-8"))
    assert shown["@jupyterlab/apputils-extension:notification"]["fetchNews"] == "false"
    assert shutil.which("genlab", path=path[0])
    assert path[-1] == "elsewhere"


def test_a_place_of_ones_own_for_jupyterlabs_layouts_is_kept(jupyterlab, monkeypatch):
    monkeypatch.setenv("JUPYTERLAB_WORKSPACES_DIR", "/mine")
    assert run("lab").exit_code == 0
    assert not any("workspaces_dir" in argument for argument in jupyterlab[0][0])


@pytest.mark.skipif(os.name != "posix", reason="Windows has neither")
def test_only_root_is_told_that_it_may_and_no_terminal_is_a_login_shell(jupyterlab, monkeypatch):
    monkeypatch.setenv("SHELL", "/bin/a shell")
    for user in (0, 1000):
        monkeypatch.setattr(os, "geteuid", lambda user=user: user)
        assert run("lab").exit_code == 0
    roots = ["--allow-root" in arguments for arguments, _ in jupyterlab]
    assert roots == [True, False]
    assert "--ServerApp.terminado_settings=shell_command=['/bin/a shell']" in jupyterlab[0][0]


def test_without_jupyterlab_there_is_a_sentence_and_no_copy(jupyterlab, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "jupyterlab.labapp", None)
    result = run("lab")
    assert result.exit_code == 1
    assert said(result) == "genlab: no JupyterLab here: pip install jupyterlab"
    assert not jupyterlab
    assert not list(tmp_path.iterdir())


def test_the_league_is_whole_in_a_narrow_terminal():
    shown = run("league", columns=80).stdout
    assert all(name in shown for name in ("digit_masked_diffusion", "samples/s", "sequential"))
    assert max(map(len, shown.splitlines())) <= 80


def test_a_terminal_of_ascii_shows_what_it_can():
    calls = "league", "cheatsheet", "train"
    program = (
        f"from genlab_course.cli import app\nfor call in {calls}:\n"
        "    app([call], standalone_mode=False)\n    print('end of', call)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True,
        env={**ENVIRONMENT, "PYTHONIOENCODING": "ascii"},
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    *shown, rest = re.split(r"end of \w+\n", done.stdout)
    assert (len(shown), rest) == (3, "")
    assert all(len(text.splitlines()) > 20 for text in shown)


def test_equations_that_python_has_stripped_are_missed():
    done = subprocess.run(
        [sys.executable, "-OO", "-m", "genlab_course.cli", "cheatsheet", "--equations"],
        capture_output=True, text=True, env=ENVIRONMENT,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (1, "")
    assert "python -OO strips docstrings" in done.stderr


def test_a_home_that_is_nobodys_is_named(monkeypatch):
    monkeypatch.setenv("GENLAB_MY", "~nosuch/my")
    result = run("start")
    assert result.exit_code == 1
    assert said(result) == "genlab: GENLAB_MY is '~nosuch/my', and no user is called nosuch"
    assert folder() is None  # nor does a lesson stop
