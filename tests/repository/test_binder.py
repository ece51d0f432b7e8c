"""mybinder.org would build what we mean: repo2docker's own build packs render our Dockerfile here.

No Docker and no network are used, so this proves detection and wiring only. It does not prove that
the conda environment solves or that the image builds."""

import os
from pathlib import Path

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


def test_the_conda_pack_is_chosen(rendered):
    pack, _ = rendered
    assert type(pack).__name__ == "CondaBuildPack"


def test_the_environment_file_is_the_one_in_binder(rendered):
    pack, dockerfile = rendered
    assert Path(pack.environment_yaml_path).as_posix() == "binder/environment.yml"
    assert "binder/environment.yml" in dockerfile


def test_python_is_3_11(rendered):
    pack, _ = rendered
    assert pack.python_version == "3.11"


def test_genlab_is_installed_after_the_repository_is_copied(rendered):
    _, dockerfile = rendered
    copied = dockerfile.index("COPY --chown=1000:1000 src/ ${REPO_DIR}/")
    assert copied < dockerfile.index("RUN ./binder/postBuild")


def test_the_server_starts_through_our_script(rendered):
    _, dockerfile = rendered
    assert 'ENV R2D_ENTRYPOINT="${REPO_DIR}/binder/start"' in dockerfile


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("postBuild", "pip install --no-deps -e ."),
        ("start", "export OMP_NUM_THREADS=1"),
        ("start", 'exec "$@"'),
    ],
)
def test_the_scripts_can_be_run_and_do_their_part(name, line):
    path = ROOT / "binder" / name
    assert os.access(path, os.X_OK)
    assert line in path.read_text().splitlines()


def test_only_one_folder_holds_the_configuration():
    # repo2docker refuses a repository with both.
    assert not (ROOT / ".binder").exists()
