"""The JupyterHub recipe: it loads, learners are apart, and its numbers follow from the measurement.

No hub is started here: `python docs/hub/measure.py` does that, with a class in it."""

import asyncio
import importlib.util
import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
import yaml
from packaging.requirements import Requirement
from traitlets.config import PyFileConfigLoader

from genlab_course.learner import shipped
from genlab_course.links import FIRST, binder_link, pull_link

ROOT = Path(__file__).resolve().parents[2]
HUB = ROOT / "docs" / "hub"
README = (HUB / "README.md").read_text(encoding="utf-8")
VALUES = yaml.safe_load((HUB / "values.yaml").read_text(encoding="utf-8"))
spec = importlib.util.spec_from_file_location("sizing", HUB / "sizing.py")
sizing = importlib.util.module_from_spec(spec)
spec.loader.exec_module(sizing)


@pytest.fixture
def load(monkeypatch, tmp_path):
    """Load the configuration under some environment."""

    def load(**environment):
        for name in ("GENLAB_HUB_ADDRESS", "GENLAB_HUB_PASSWORD"):
            monkeypatch.delenv(name, raising=False)
        for name, value in {"GENLAB_HUB": str(tmp_path), **environment}.items():
            monkeypatch.setenv(name, value)
        return PyFileConfigLoader("jupyterhub_config.py", path=str(HUB)).load_config()

    return load


def learner(name):
    """A spawner as the hook sees it."""
    return SimpleNamespace(user=SimpleNamespace(name=name))


def come_in(config, name):
    """Do what happens before a learner's server starts."""
    asyncio.run(config.Spawner.pre_spawn_hook(learner(name)))


def test_a_learner_finds_the_start_page_and_copies_of_their_own(load, tmp_path):
    config = load()
    come_in(config, "ada")
    mine = tmp_path / "learners" / "ada" / "my"
    assert {p.relative_to(mine).as_posix() for p in mine.rglob("[0-9]*_*.ipynb")} <= set(shipped())
    assert all((mine / name).exists() for name in shipped())
    assert config.Spawner.default_url == "/lab/tree/my/START.ipynb"
    assert (mine / "START.ipynb").exists()
    assert (mine / "../docs/images/map.png").resolve().is_relative_to(tmp_path / "learners/ada")
    assert stat.S_IMODE((tmp_path / "learners/ada").stat().st_mode) == 0o700
    assert config.Spawner.environment["GENLAB_MY"](learner("ada")) == str(mine)
    home = config.SimpleLocalProcessSpawner.home_dir_template.format(username="ada")
    assert Path(home) == tmp_path / "learners" / "ada"


def test_nobody_overwrites_somebody_elses_work_nor_loses_their_own(load, tmp_path):
    config = load()
    names, lesson = ("ada", "ada-1", "ad"), next(iter(shipped()))
    for name in names:
        come_in(config, name)
    paths = {name: tmp_path / "learners" / name / "my" / lesson for name in names}
    assert len({path.resolve() for path in paths.values()}) == len(names)
    for name, path in paths.items():
        path.write_text(f"answers of {name}")
    for name in names:  # they come back
        come_in(config, name)
    assert [path.read_text() for path in paths.values()] == [f"answers of {n}" for n in names]


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../ada", "a/b", "/etc", "Ada", "ada ", ".ada", "a" * 33, "ada\n", "å"]
)
def test_a_name_that_leads_elsewhere_is_refused(load, tmp_path, name):
    with pytest.raises(ValueError, match="a learner's name is"):
        come_in(load(), name)
    assert not (tmp_path / "learners").exists()


def test_every_server_has_one_thread_and_its_limits(load):
    config, needs = load(), sizing.needs()
    assert config.Spawner.environment["OMP_NUM_THREADS"] == "1"
    assert config.Spawner.mem_guarantee == f"{needs['memory_guarantee']}M"
    assert config.Spawner.mem_limit == f"{needs['memory_limit']}M"
    assert config.Spawner.cpu_limit == needs["cpu_limit"]


def test_a_process_of_a_server_is_held_to_its_limit(load):
    *shell, _, _, _ = load().Spawner.cmd
    code = "import resource; print(resource.getrlimit(resource.RLIMIT_DATA)[0])"
    run = subprocess.run(
        [*shell, sys.executable, "-c", code],
        env={**os.environ, "MEM_LIMIT": str(512 * 2**20)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(run.stdout) == 512 * 2**20


@pytest.mark.parametrize("address", ["http://0.0.0.0:8000", "http://:8000", "http://192.0.2.1"])
def test_without_a_password_nobody_is_let_in_from_elsewhere(load, address):
    assert load().JupyterHub.authenticator_class == "dummy"
    with pytest.raises(ValueError, match="GENLAB_HUB_PASSWORD"):
        load(GENLAB_HUB_ADDRESS=address)
    config = load(GENLAB_HUB_ADDRESS=address, GENLAB_HUB_PASSWORD="of the class")
    assert config.JupyterHub.authenticator_class == "shared-password"
    assert config.SharedPasswordAuthenticator.user_password == "of the class"
    assert config.JupyterHub.bind_url == address


def test_the_culler_may_do_what_it_needs_and_no_more(load):
    config = load()
    (role,), (service,) = config.JupyterHub.load_roles, config.JupyterHub.services
    assert role["services"] == [service["name"]]
    assert "delete:servers" in role["scopes"]
    assert not any(scope.startswith("admin") for scope in role["scopes"])


def test_jupyterhub_takes_every_setting(load):
    jupyterhub = pytest.importorskip("jupyterhub.app", reason="jupyterhub is not installed")
    pytest.importorskip("jupyterhub_idle_culler", reason="its culler is not installed")
    app = jupyterhub.JupyterHub()
    load()  # for the environment
    app.load_config_file(str(HUB / "jupyterhub_config.py"))
    assert app.spawner_class.__name__ == "SimpleLocalProcessSpawner"
    assert app.authenticator_class.__name__ == "DummyAuthenticator"
    known = {app.__class__, *app.classes, app.spawner_class, app.authenticator_class}
    known = {kind.__name__: kind for one in known for kind in one.mro()}
    for section, settings in app.config.items():
        assert [name for name in settings if name not in known[section].class_trait_names()] == []


def test_the_cluster_gives_what_was_measured():
    needs, one = sizing.needs(), VALUES["singleuser"]
    assert one["memory"] == {
        "guarantee": f"{needs['memory_guarantee']}M",
        "limit": f"{needs['memory_limit']}M",
    }
    assert one["cpu"] == {"guarantee": needs["cpu_guarantee"], "limit": needs["cpu_limit"]}
    assert one["extraEnv"]["OMP_NUM_THREADS"] == "1"


def test_the_clusters_disk_hides_only_the_learners_own_folder(load):
    one = VALUES["singleuser"]
    assert one["storage"]["homeMountPath"] == "/home/jovyan/my"
    assert one["defaultUrl"] == load().Spawner.default_url
    assert VALUES["cull"]["timeout"] == 7200
    assert "--timeout=7200" in load().JupyterHub.services[0]["command"]


TABLES = """
## Lessons: seconds and memory

| lesson | seconds | peak MB |
|---|---|---|
| 01_four_paradigm_map | 30 | 600 |
| 02 | 60 | 850 |

## A class on one hub

| learner | start page | first | last | core-seconds | server | kernel | both |
|---|---|---|---|---|---|---|---|
| a | 1 | 1 | 1 | 1 | 1 | 1 | 1 |
| median | 10 | 20 | 90 | 36 | 150 | 600 | 640 |

36 cells each; hub, proxy
and culler 512 MB pss
"""


def test_the_sizes_follow_from_the_tables():
    assert sizing.needs(TABLES) == {
        "memory_guarantee": 896,  # 640 + (850 - 600) = 890, up to the next multiple of 64
        "memory_limit": 1792,  # 150 + 850 + 600 = 1600, up to the next multiple of 256
        "cpu_guarantee": 0.3,  # 36 core-seconds in 120 s
        "cpu_limit": 1,
    }
    assert sizing.needs(TABLES.replace("640 |", "647 |"))["memory_guarantee"] == 960
    assert sizing.own(TABLES) == 512


def test_the_readme_has_the_table_and_the_link_that_are_made_now():
    assert "\n".join(sizing.table()) in README
    assert pull_link("https://hub.example.org") in README


def test_the_requirements_are_pinned_and_of_the_images_major_version():
    lines = (HUB / "hub-requirements.txt").read_text().splitlines()
    pins = {
        r.name: str(r.specifier) for line in lines if line[0] != "#" for r in [Requirement(line)]
    }
    assert all(pin.startswith("==") for pin in pins.values())
    assert pins["jupyterhub"].startswith("==5.")
    post_build = (ROOT / "binder" / "postBuild").read_text()
    assert f"pip install --no-deps nbgitpuller{pins['nbgitpuller']}" in post_build


def started(my):
    """What binder/start prints when the copies are to lie in the folder `my`."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    run = subprocess.run(
        [ROOT / "binder" / "start", "echo", "the server"],
        env={**os.environ, "GENLAB_MY": str(my), "PATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    return run.stdout.splitlines()


@pytest.mark.slow
def test_the_image_makes_the_copies_before_the_server_starts(tmp_path):
    assert started(tmp_path / "my")[-1] == "the server"
    assert (tmp_path / "my" / "START.ipynb").exists()


@pytest.mark.slow
def test_the_image_starts_its_server_without_copies_rather_than_not_at_all(tmp_path):
    (tmp_path / "my").write_text("a file where the folder should be")
    assert started(tmp_path / "my")[-1] == "the server"


@pytest.mark.slow
def test_a_fresh_clones_first_page_leads_to_the_start_page(tmp_path):
    page = nbformat.read(ROOT / FIRST, as_version=4)
    nbformat.validate(page)
    _, cell = page.cells
    assert (cell.outputs, cell.execution_count) == ([], None)
    run = subprocess.run(
        [sys.executable, "-c", cell.source.replace("Markdown(f", "print(f")],
        cwd=(ROOT / FIRST).parent,
        env={**os.environ, "GENLAB_MY": str(tmp_path / "my")},
        capture_output=True,
        text=True,
        check=True,
    )
    link = run.stdout.strip().rpartition("](")[2].rstrip(")*")
    assert ((ROOT / FIRST).parent / link).resolve() == (tmp_path / "my/START.ipynb").resolve()
    assert json.loads((tmp_path / "my/START.ipynb").read_text())["nbformat"] == 4


def test_the_readme_of_the_course_opens_binder_at_the_start_page():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert f"(https://mybinder.org/badge_logo.svg)]({binder_link()})" in readme
