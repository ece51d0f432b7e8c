"""What `pip install` gives: library, course, weights, and lessons that run offline."""

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from genlab_course.places import shipped

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.slow
MB = 2**20
# Sockets of this machine stay: a notebook talks with its kernel through them.
GUARD = """
import socket
connect = socket.socket.connect
def guarded(self, address):
    if self.family != socket.AF_UNIX and address[0] not in ("127.0.0.1", "::1", "localhost"):
        raise OSError(f"no network here: {address}")
    return connect(self, address)
socket.socket.connect = guarded
"""
RUN = """
import nbformat, sys
from nbclient import NotebookClient
lesson = nbformat.read(sys.argv[1], as_version=4)
NotebookClient(lesson, timeout=300, kernel_name="python3", resources={
    "metadata": {"path": sys.argv[2]}}).execute()
nbformat.write(lesson, sys.argv[1])
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """A wheel, built from a copy of what git keeps: a build leaves files where it runs."""
    place = tmp_path_factory.mktemp("wheel")
    names = subprocess.run(
        ["git", "ls-files", "-z"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    for name in filter(None, names.split("\0")):
        if (ROOT / name).is_file():
            (place / "source" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, place / "source" / name)
    build = "from setuptools import build_meta; import sys; build_meta.build_wheel(sys.argv[1])"
    subprocess.run(
        [sys.executable, "-c", build, place], cwd=place / "source", check=True, capture_output=True
    )
    (made,) = place.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def installed(wheel):
    """The Python of an environment with the wheel and this one's packages, but for the checkout."""
    place = wheel.parent / "environment"
    venv.create(place, symlinks=os.name != "nt")
    paths = {"base": str(place), "platbase": str(place)}
    packages = Path(sysconfig.get_path("purelib", "venv", paths))
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(packages)
    # A path file in a folder that another path file names is not read: no editable install.
    (packages / "others.pth").write_text(sysconfig.get_path("purelib"))
    (packages / "sitecustomize.py").write_text(GUARD)
    kernel = place / "share" / "jupyter" / "kernels" / "python3"
    kernel.mkdir(parents=True)
    python = Path(sysconfig.get_path("scripts", "venv", paths)) / Path(sys.executable).name
    command = [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    (kernel / "kernel.json").write_text(json.dumps({"argv": command, "display_name": "3"}))
    return python


def call(python, *arguments, cwd):
    """What a call of the environment's Python printed, without the checkout in sight."""
    kept = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "GENLAB_MY")}
    home = {"HOME": str(cwd), "JUPYTER_PLATFORM_DIRS": "0", "IPYTHONDIR": str(cwd / ".ipython")}
    done = subprocess.run(
        [python, *map(str, arguments)], cwd=cwd, env=kept | home, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def test_the_wheel_carries_the_lessons_without_outputs_and_nothing_of_ours_alone(wheel):
    with zipfile.ZipFile(wheel) as packed:
        sizes = {i.filename: i.compress_size for i in packed.infolist()}
        lessons = {
            name.removeprefix("genlab_course/lessons/"): json.loads(packed.read(name))
            for name in sizes
            if name.endswith(".ipynb") and not name.startswith("genlab_course/demo_pages/")
        }
    assert set(lessons) == set(shipped())
    cells = [cell for lesson in lessons.values() for cell in lesson["cells"]]
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in cells)
    assert {name.split("/")[0] for name in sizes} <= {"genlab", "genlab_course"} | {
        name.split("/")[0] for name in sizes if ".dist-info" in name
    }
    assert not [name for name in sizes if re.search(r"solutions/|(^|/)tests?[/_]", name)]
    data = {"zoo/weights/digit_vae.safetensors", "data/manual.json", "data/manual.md"}
    assert {f"genlab/{name}" for name in data} | {"genlab_course/data/overrides.json"} <= set(sizes)
    assert sum(size for name, size in sizes.items() if "/lessons/" in name) < 0.8 * MB
    assert sum(sizes.values()) < 40 * MB


@pytest.mark.verify
def test_in_an_empty_folder_a_lesson_opens_and_runs_without_network(installed, tmp_path):
    where = call(installed, "-c", "import genlab; print(genlab.__file__)", cwd=tmp_path)
    assert Path(where.strip()).is_relative_to(installed.parents[1].resolve())
    tried = "import socket; socket.create_connection(('192.0.2.1', 80), 5)"
    with pytest.raises(AssertionError, match="no network here"):
        call(installed, "-c", tried, cwd=tmp_path)
    said = call(installed, "-m", "genlab_course.cli", "start", cwd=tmp_path)
    assert f"{len(shipped())} new" in said
    (lesson,) = (tmp_path / "my").glob("03_*.ipynb")
    call(installed, "-c", RUN, lesson, lesson.parent, cwd=tmp_path)
    cells = [c for c in json.loads(lesson.read_text(encoding="utf-8"))["cells"] if "outputs" in c]
    outputs = [output for cell in cells for output in cell["outputs"]]
    assert all(cell["execution_count"] for cell in cells)
    assert len(outputs) > 10
    assert not [output for output in outputs if output["output_type"] == "error"]
    again = call(installed, "-m", "genlab_course.cli", "start", cwd=tmp_path / "my" / "systems")
    assert "nothing new" in again
