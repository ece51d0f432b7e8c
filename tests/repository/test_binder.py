"""mybinder.org would build what we mean: repo2docker's own build packs render our Dockerfile here.

No Docker and no network are used, so this proves detection and wiring only. It does not prove that
the conda environment solves or that the image builds."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import urljoin

import pytest

ROOT = Path(__file__).resolve().parents[2]
repo2docker = pytest.importorskip("repo2docker.app", reason="jupyter-repo2docker is not installed")


@pytest.fixture(scope="module")
def rendered():
    """The build pack that repo2docker chooses for this repository, and its Dockerfile."""
    before = Path.cwd()
    os.chdir(ROOT)
    try:
        app = repo2docker.Repo2Docker()
        for kind in app.buildpacks:
            pack = kind(base_image=app.base_image)
            if pack.detect():
                pack.platform = "linux/amd64"
                return pack, pack.render({"NB_UID": "1000", "NB_USER": "jovyan"})
    finally:
        os.chdir(before)
    pytest.fail("no build pack takes this repository")


def test_the_dockerfile_installs_our_environment_then_the_course_then_starts(rendered):
    pack, dockerfile = rendered
    assert all(os.access(ROOT / "binder" / name, os.X_OK) for name in ("postBuild", "start"))
    assert type(pack).__name__ == "CondaBuildPack"
    assert pack.python_version == "3.11"
    assert Path(pack.environment_yaml_path).as_posix() == "binder/environment.yml"
    copied = dockerfile.index("COPY --chown=1000:1000 src/ ${REPO_DIR}/")
    assert dockerfile.index("binder/environment.yml") < copied
    assert copied < dockerfile.index("RUN ./binder/postBuild")
    assert 'ENV R2D_ENTRYPOINT="${REPO_DIR}/binder/start"' in dockerfile


def test_an_image_whose_living_figures_cannot_be_imported_is_not_built():
    built = (ROOT / "binder" / "postBuild").read_text(encoding="utf-8").splitlines()
    assert "set -euo pipefail" in built
    (guard,) = [n for n, line in enumerate(built) if "import genlab_course.widgets.living" in line]
    assert built.index("pip install --no-deps -e .") < guard < built.index("genlab start")


@pytest.mark.slow
def test_the_server_starts_with_working_copies_or_else_without(tmp_path):
    (tmp_path / "blocked").write_text("a file where the folder should be")
    for name in ("my", "blocked"):
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        environment = {**os.environ, "GENLAB_MY": str(tmp_path / name), "PATH": path}
        environment.pop("JUPYTERLAB_WORKSPACES_DIR", None)
        said = 'echo "panels: ${JUPYTERLAB_WORKSPACES_DIR:-}"; echo the server'
        command = [ROOT / "binder" / "start", "bash", "-c", said]
        run = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        panels = f"panels: {tmp_path / 'my/.jupyterlab'}" if name == "my" else "panels: "
        assert run.stdout.splitlines()[-2:] == [panels, "the server"]
    assert (tmp_path / "my" / "START.ipynb").exists()


@pytest.mark.slow
@pytest.mark.verify
def test_the_demo_pages_are_written_where_the_badge_leads(tmp_path):
    """`postBuild` with stand-ins for pip, python and `genlab start`."""
    pytest.importorskip("voila", reason="Voila is not installed")
    programs, build = tmp_path / "bin", tmp_path / "clone"
    programs.mkdir()
    build.mkdir()
    genlab = f'[ "$1" = start ] || exec "{sys.executable}" -m genlab_course.cli "$@"'
    for name, does in (("pip", "exit 0"), ("python", "exit 0"), ("genlab", genlab)):
        (programs / name).write_text(f"#!/bin/bash\n{does}\n")
        (programs / name).chmod(0o755)
    prefix = tmp_path / "prefix"
    path = f"{programs}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "NB_PYTHON_PREFIX": str(prefix)}
    subprocess.run(
        [ROOT / "binder" / "postBuild"], cwd=build, env=environment, check=True, capture_output=True
    )
    template = prefix / "share/jupyter/voila/templates/genlab_demo"
    said = json.loads((prefix / "etc/jupyter/jupyter_server_config.json").read_text())
    assert said["VoilaConfiguration"]["template"] == template.name
    links = re.findall(r'href="([^"]+\.ipynb)', (template / "tree.html").read_text())
    tree = "/voila/tree/demo/pages"
    assert f"urlpath={tree[1:]}\n" in (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(links) > 20
    for link in links:
        page = build / urljoin(tree, link).removeprefix("/voila/render/")
        (back,) = re.findall(r"\[all pages\]\(([^)]+)\)", page.read_text(encoding="utf-8"))
        assert urljoin(urljoin(tree, link), back) == tree
