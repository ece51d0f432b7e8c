"""The command line, as a learner uses it: in the same process, killed, and in two processes."""

import functools
import json
import os
import signal
import subprocess
import sys
import time

import pytest
import torch
from safetensors.torch import load_file
from typer.testing import CliRunner

import genlab.cli
from genlab.cli import app
from genlab.core.weights import read_card
from genlab.course.links import pull_link
from genlab.systems.zoo import TRAININGS


def run(*arguments):
    """Call the command line in this process."""
    return CliRunner().invoke(app, [str(a) for a in arguments])


def said(result):
    """What was printed, in one line."""
    return " ".join((result.stdout + result.stderr).split())


@pytest.fixture
def no_figures(monkeypatch):
    """Figures cost time and are tested elsewhere."""
    monkeypatch.setattr("genlab.systems.training.measured", lambda *_: {"frechet": 0.5})


def test_without_a_name_the_trainings_are_listed_with_their_times():
    result = run("train")
    assert result.exit_code == 0
    for training in TRAININGS:
        assert training.name[:12] in result.stdout
    assert "seconds" in result.stdout


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
    ("arguments", "sentence"),
    [
        (["digit_gna"], "no model is named 'digit_gna'; did you mean digit_gan?"),
        (["digit_gan", "--steps", "0"], "must be >= 1, got 0"),
    ],
    ids=["name", "steps"],
)
def test_a_mistake_is_answered_in_one_sentence(tmp_path, arguments, sentence):
    result = run("train", *arguments, "--out", tmp_path)
    assert result.exit_code == 1
    assert sentence in said(result)
    assert "Traceback" not in said(result)


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
    assert [row["name"] for row in rows] == [training.name for training in TRAININGS]
    assert all({"metrics", "minutes", "bytes"} <= row.keys() for row in rows)


@pytest.mark.parametrize(("off", "status"), [(1.0, 0), (1.2, 1)])
def test_figures_that_do_not_come_out_again_are_an_error(monkeypatch, off, status):
    def again(training, *_):
        stated = read_card(training.path)["metrics"]
        return {k: v * off if isinstance(v, float) else v for k, v in stated.items()}

    monkeypatch.setattr(genlab.cli, "measured", again)
    result = run("systems", "--verify", "--json")
    assert result.exit_code == status, said(result)


def command(*arguments):
    """The command line in a process of its own."""
    return [sys.executable, "-m", "genlab.cli", *map(str, arguments)]


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
        ("digit_vae", signal.SIGKILL),
        ("digit_gan", signal.SIGKILL),
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
    assert killed.returncode == (-signal.SIGKILL if number == signal.SIGKILL else 130)
    assert number == signal.SIGKILL or "the same command goes on from there" in complaint
    assert not path.exists()
    again = subprocess.run(arguments, env=ENVIRONMENT, capture_output=True, text=True)
    assert again.returncode == 0, again.stderr
    assert path.read_bytes() == whole(name)
    assert not path.with_suffix(".checkpoint").exists()


@pytest.mark.slow
def test_torchrun_trains_one_model_in_two_processes(tmp_path):
    arguments = ["train", "text_transformer", "--steps", 4, "--out"]
    alone = subprocess.run(
        command(*arguments, tmp_path / "alone"), env=ENVIRONMENT, capture_output=True, text=True
    )
    assert alone.returncode == 0, alone.stderr
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    module = ["--nproc-per-node", "2", "-m", "genlab.cli"]
    two = subprocess.run(
        [*torchrun, *module, *map(str, arguments), tmp_path / "two"],
        env=ENVIRONMENT, capture_output=True, text=True,
    )  # fmt: skip
    assert two.returncode == 0, two.stderr
    first, second = (
        load_file(tmp_path / f / "text_transformer.safetensors") for f in ("alone", "two")
    )
    for name, weight in first.items():
        # four steps in single precision, gradients summed in another order
        torch.testing.assert_close(second[name], weight, rtol=1e-3, atol=1e-4)
    assert read_card(tmp_path / "two" / "text_transformer.safetensors")["processes"] == 2


def test_the_demo_pages_are_written_and_served(tmp_path, monkeypatch):
    served = []
    monkeypatch.setattr("genlab.course.demos.serve", lambda *a, **k: served.append((a, k)) or 3)
    result = run("demo", tmp_path / "site", "--no-browser", "--port", 99)
    assert result.exit_code == 3
    assert served == [((tmp_path / "site", 99), {"browser": False})]
    assert (tmp_path / "site" / "pages" / "01.ipynb").exists()
    (tmp_path / "mine.txt").write_text("my work")
    result = run("demo", tmp_path, "--no-serve")
    assert (result.exit_code, len(served)) == (1, 1)
    assert "name a new folder" in said(result)


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
    result = run("reset", 4)
    assert (result.exit_code, lesson.read_bytes()) == (0, fresh)
    (kept,) = (tmp_path / "my" / "backups").iterdir()
    assert kept.read_text() == "my answers"
    assert kept.name in "".join(result.stdout.split())
    result = run("reset", "40")
    assert result.exit_code == 1
    assert "no lesson or lab" in said(result)


def test_a_link_for_a_hub_is_printed_in_one_line():
    result = run("link", "https://hub.example.org", "--branch", "2027", "--page", "01.ipynb")
    assert result.exit_code == 0
    assert result.stdout == pull_link("https://hub.example.org", "01.ipynb", branch="2027") + "\n"
    result = run("link", "my hub")
    assert result.exit_code == 1
    assert "address of a JupyterHub" in said(result)
