"""The command line, as a learner uses it: in the same process, and killed."""

import functools
import importlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import warnings

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from typer.testing import CliRunner

import genlab
from genlab.core.weights import read_card, replace_file
from genlab.map import PAYS, SCORE
from genlab.zoo import MODELS, find
from genlab_course import reader
from genlab_course.cli import app
from genlab_course.league import COLUMNS, cells, load_league
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
    monkeypatch.setattr("genlab.zoo.train.Model.figures", lambda *_: {"frechet": 0.5})


def rows(result):
    """The lines that begin with the name of a model, cut into words, by this name."""
    lines = [line.split() for line in result.stdout.splitlines() if not line.startswith(" ")]
    assert all(len(line) <= 80 for line in result.stdout.splitlines())
    assert "…" not in result.stdout
    return {words[0]: words[1:] for words in lines if words and words[0] in NAMES}


NAMES = [*(row.name for row in MODELS), "reader"]


def test_without_a_name_the_trainings_are_listed_whole_in_80_columns():
    result = run("train", columns=80)
    assert result.exit_code == 0
    assert list(found := rows(result)) == NAMES
    for row in MODELS:
        assert found[row.name][-1] == f"{row.seconds:.0f}"
        assert all(word in result.stdout.split() for word in row.what.split())
    assert "seconds" in result.stdout


def test_the_league_shows_every_name_heading_and_number_in_80_columns():
    result = run("league", columns=80)
    assert result.exit_code == 0
    league = load_league()
    assert list(rows(result)) == [row.name for row in league]
    assert all(heading in result.stdout for heading in COLUMNS)
    for row in league:
        lines = [line for line in result.stdout.splitlines() if line.startswith(f"{row.name} ")]
        assert all(any(cell in line for line in lines) for cell in cells(row))


def test_the_systems_are_listed_whole_in_80_columns_and_one_with_all_its_figures():
    result = run("systems", columns=80)
    assert list(rows(result)) == NAMES
    assert len(result.stdout.splitlines()) <= 2 * len(NAMES) + 2
    stated = read_card(find("glide_base").path)["metrics"]
    assert f"and {len(stated) - 3} more" in said(result)
    whole = run("systems", "glide_base", columns=80)
    assert list(rows(whole)) == ["glide_base"]
    assert all(name in whole.stdout for name in stated)


@pytest.mark.parametrize("name", ["train", "league", "systems"])
def test_a_list_that_is_piped_is_as_whole(name):
    environment = {k: v for k, v in os.environ.items() if k != "COLUMNS"}
    piped = subprocess.run(command(name), env=environment, capture_output=True, text=True)
    assert piped.returncode == 0, piped.stderr
    expected = [row.name for row in load_league()] if name == "league" else NAMES
    assert list(rows(piped)) == expected


HEAVY = ("torch", "numpy", "matplotlib", "sklearn", "scipy", "genlab.systems", "genlab.zoo")


@pytest.mark.parametrize("arguments", [["--help"], ["train", "--help"], ["--version"]])
def test_help_waits_for_no_torch(arguments):
    program = (
        "import sys; from genlab_course.cli import app\n"
        "try: app(sys.argv[1:])\n"
        f"finally: print([name for name in {HEAVY} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=True
    )
    assert done.stderr.strip() == "[]"
    assert done.stdout


def test_the_version_is_that_of_the_package():
    assert run("--version").stdout == f"genlab {genlab.__version__}\n"


@pytest.mark.usefixtures("no_figures")
def test_a_training_writes_weights_and_card_where_it_is_told(tmp_path):
    torch.set_default_dtype(torch.float32)
    result = run("train", "digit_gan", "--steps", 2, "--out", tmp_path / "mine")
    assert result.exit_code == 0, said(result)
    assert "frechet 0.500" in said(result)
    card = read_card(tmp_path / "mine" / "digit_gan.safetensors")
    assert card["recipe"] == "genlab train digit_gan --steps 2"


@pytest.mark.usefixtures("no_figures")
def test_the_place_may_be_a_file(tmp_path):
    result = run("train", "digit_gan", "--steps", 1, "--out", tmp_path / "a.safetensors")
    assert result.exit_code == 0, said(result)
    assert (tmp_path / "a.safetensors").exists()


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
        (["digit_gan", "--out", "a.pt"], 1, "file that ends in .safetensors, got a.pt"),
        (["digit_gan", "--out", __file__], 1, "ends in .safetensors, got"),
        (["digit_gan", "--out", "/proc/none"], 1, "No such file or directory: '/proc/none'"),
        (["digit_gan", "--steps", "0"], 2, "Invalid value for '--steps'"),
        (["digit_gan", "--every", "-1"], 2, "Invalid value for '--every'"),
    ],
    ids=["name", "ending", "file", "nowhere", "steps", "every"],
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
        ("genlab.zoo.train.read_card", ["systems"]),
        ("genlab_course.league.load_league", ["league"]),
        ("genlab_course.learner.handout", ["handout", "new"]),
        ("genlab_course.learner.begin", ["start"]),
        ("genlab_course.learner.reset", ["reset", "1"]),
        ("genlab_course.demos.write_demos", ["demo"]),
        ("genlab_course.cheatsheet.cheat_sheet", ["cheatsheet"]),
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


def full(path, data):
    """A disk without room for a checkpoint."""
    if path.suffix == ".checkpoint":
        raise OSError(28, "No space left on device", str(path))
    replace_file(path, data)


@pytest.mark.usefixtures("no_figures")
def test_a_checkpoint_that_cannot_be_written_is_said_and_ends_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr("genlab.train.resume.replace_file", full)
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        result = run("train", "digit_gan", "--steps", 2, "--every", 0, "--out", tmp_path)
    assert result.exit_code == 0, said(result)
    assert "genlab: no checkpoint of step 1: " in result.stderr
    assert "checkpoint.py" not in result.stderr
    assert (tmp_path / "digit_gan.safetensors").exists()


@pytest.mark.usefixtures("no_figures")
def test_a_damaged_checkpoint_is_answered_in_one_sentence(tmp_path):
    (tmp_path / "digit_gan.checkpoint").write_bytes(b"x")
    result = run("train", "digit_gan", "--steps", 2, "--out", tmp_path)
    assert result.exit_code == 1
    assert "digit_gan.checkpoint is damaged: delete it" in said(result)


def test_the_systems_are_listed_with_their_figures():
    result = run("systems")
    assert result.exit_code == 0, said(result)
    assert "bits_per_dim" in said(result)


def test_the_list_is_also_for_machines():
    rows = json.loads(run("systems", "--json").stdout)
    assert [row["name"] for row in rows] == NAMES
    assert all({"metrics", "minutes", "bytes"} <= row.keys() for row in rows)


@pytest.mark.parametrize(("off", "status"), [(1.0, 0), (1.2, 1)])
def test_figures_that_do_not_come_out_again_are_an_error(monkeypatch, off, status):
    def again(row, *_):
        stated = row.card()["metrics"]
        return {k: v * off if isinstance(v, float) else v for k, v in stated.items()}

    for row in ("genlab.zoo.train.Model", "genlab_course.rows.ReaderRow"):
        monkeypatch.setattr(f"{row}.figures", again)
        monkeypatch.setattr(f"{row}.load", lambda row: None)
    result = run("systems", "--verify", "--json")
    assert result.exit_code == status, said(result)
    shown = said(run("systems", "digit_gan", "--verify", columns=80))
    assert ("the same" in shown) == (status == 0)


def command(*arguments):
    """The command line in a process of its own."""
    return [sys.executable, "-m", "genlab_course.cli", *map(str, arguments)]


N_STEPS = 40  # a second and more: time to be killed after the first checkpoint
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "200"}


def wait_for(path, process, seconds=120):
    """Wait until a file is there and the process still runs."""
    end = time.monotonic() + seconds
    while not path.exists():
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The file that an uninterrupted training of some steps writes, by the model's name."""

    @functools.cache
    def train(name):
        folder = tmp_path_factory.mktemp("whole")
        done = subprocess.run(
            command("train", name, "--steps", N_STEPS, "--out", folder),
            env=ENVIRONMENT, capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return (folder / f"{name}.safetensors").read_bytes()

    return train


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("digit_vae", KILL),
        ("digit_gan", KILL),
        ("digit_vae", signal.SIGINT),
        ("digit_vae", signal.SIGTERM),
    ],
)
def test_a_training_that_was_killed_ends_as_if_it_had_not_been(tmp_path, whole, name, number):
    path = tmp_path / f"{name}.safetensors"
    arguments = command("train", name, "--steps", N_STEPS, "--every", 0, "--out", tmp_path)
    killed = subprocess.Popen(
        arguments, env=ENVIRONMENT, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    )
    wait_for(path.with_suffix(".checkpoint"), killed)
    killed.send_signal(number)
    _, complaint = killed.communicate(timeout=60)
    assert killed.returncode == (-KILL if number == KILL else 130)
    assert number == KILL or "the same command goes on from there" in complaint
    assert not path.exists()
    again = subprocess.run(arguments, env=ENVIRONMENT, capture_output=True, text=True)
    assert again.returncode == 0, again.stderr
    assert path.read_bytes() == whole(name)
    assert not path.with_suffix(".checkpoint").exists()


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="limits are POSIX's")
def test_a_disk_that_fills_up_ends_no_training_and_a_second_call_finishes_it(tmp_path, whole):
    """Files may have 100 kB: neither a checkpoint nor the weights can be written."""
    arguments = ["train", "digit_vae", "--steps", N_STEPS, "--every", 0, "--out", tmp_path]
    shell = ["/bin/bash", "-c", 'ulimit -f 100; trap "" XFSZ; exec "$@"', "bash"]
    limited = subprocess.run(
        [*shell, *command(*arguments)], env=ENVIRONMENT, capture_output=True, text=True
    )
    assert limited.returncode == 1
    assert "Traceback" not in limited.stderr
    assert "File too large" in limited.stderr
    assert list(tmp_path.iterdir()) == []
    again = subprocess.run(command(*arguments), env=ENVIRONMENT, capture_output=True, text=True)
    assert again.returncode == 0, again.stderr
    assert (tmp_path / "digit_vae.safetensors").read_bytes() == whole("digit_vae")


def test_the_demo_pages_are_written_and_served(tmp_path, monkeypatch):
    served = []
    monkeypatch.setattr("genlab_course.demos.serve", lambda *a, **k: served.append((a, k)) or 3)
    (tmp_path / "notes.txt").write_text("my work")
    result = run("demo", tmp_path / "notes.txt")
    assert (result.exit_code, served) == (1, [])
    assert "name a new folder" in said(result)
    result = run("demo", tmp_path / "site", "--no-browser", "--port", 99)
    assert result.exit_code == 3
    assert served == [((tmp_path / "site", 99), {"browser": False})]
    assert (tmp_path / "site" / "pages" / "01.ipynb").exists()
    (tmp_path / "mine.txt").write_text("my work")
    result = run("demo", tmp_path, "--no-serve")
    assert (result.exit_code, len(served)) == (1, 1)
    assert "name a new folder" in said(result)


def test_no_link_is_printed_to_what_another_program_serves(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        result = run("demo", tmp_path / "site", "--no-browser", "--port", port)
    assert result.exit_code == 1
    assert f"port {port} cannot be had" in said(result)
    assert "--port names another" in said(result)
    assert "http://" not in said(result)


def test_the_place_of_the_working_copies_may_not_be_a_file(tmp_path, monkeypatch):
    (tmp_path / "my").write_text("mine")
    monkeypatch.setenv("GENLAB_MY", str(tmp_path / "my"))
    for arguments in (["start"], ["reset", "4"]):
        result = run(*arguments)
        assert result.exit_code == 1
        assert "my is a file: expected a folder" in said(result)


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
    result = run("start")
    assert "1 unreadable" in said(result)
    assert "no notebook that can be read: 04" in said(result)
    result = run("reset", 4)
    assert (result.exit_code, lesson.read_bytes()) == (0, fresh)
    (kept,) = (tmp_path / "my" / "backups").iterdir()
    assert kept.read_text() == "my answers"
    assert kept.name in "".join(result.stdout.split())
    result = run("reset", "40")
    assert result.exit_code == 1
    assert "no lesson or lab" in said(result)


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


def test_a_reading_as_json_adds_what_the_map_says_under_its_own_name(tmp_path):
    (tmp_path / "card.txt").write_text(RELEASE)
    reading = json.loads(run("read", tmp_path / "card.txt", "--json").stdout)
    assert reading["paradigms"] == [SCORE]
    assert reading["from_the_map"] == {"trade_offs": {SCORE: PAYS[SCORE][0]}}


@pytest.mark.parametrize(("data", "why"), [(b" ", "is empty"), (b"\xff\xfe\x00", "can't decode")])
def test_what_is_no_release_is_refused_in_one_sentence(tmp_path, data, why):
    (tmp_path / "card.txt").write_bytes(data)
    result = run("read", tmp_path / "card.txt")
    assert result.exit_code == 1
    assert why in said(result)
    assert len(result.stderr.splitlines()) == 1


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


@pytest.mark.slow
def test_the_figures_of_the_reader_come_out_again():
    result = run("systems", "reader", "--verify")
    assert result.exit_code == 0, said(result)
    assert "the same" in said(result)


def test_a_caption_is_drawn_into_a_file_and_another_model_refused(tmp_path):
    place = tmp_path / "drawn.png"
    result = run("sample", "latent_diffusion", "a red seven left of a blue three", "-n", 1,
                 "--out", place)  # fmt: skip
    assert result.exit_code == 0, said(result)
    assert place.read_bytes().startswith(b"\x89PNG")
    refused = run("sample", "digit_vae", "a red seven")
    assert refused.exit_code == 1
    assert "draws from no caption" in said(refused)
    assert "'pink' where one of" in said(run("sample", "latent_diffusion", "a pink seven"))
