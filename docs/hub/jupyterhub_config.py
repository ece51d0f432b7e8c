"""A JupyterHub for a class on this machine: README.md beside this file says how to start it.

Each learner has a server of their own, in a folder of their own (learners/NAME), with working
copies in learners/NAME/my and one thread. All servers run as the user who starts the hub, so this
is for a trial, or for a room of people who trust each other.

    GENLAB_HUB           folder of the hub's database and of the learners' folders; the current one
    GENLAB_HUB_ADDRESS   where to listen, http://127.0.0.1:8000
    GENLAB_HUB_PASSWORD  the class's password; needed for any address but this machine's own
"""

import asyncio
import os
import re
import shutil
import sys
from pathlib import Path
from urllib.parse import urlsplit

from genlab_course.learner import PAGE, begin

COURSE = Path(__file__).resolve().parents[2]
STATE = Path(os.environ.get("GENLAB_HUB", ".")).expanduser().resolve()
LEARNERS = STATE / "learners"
ADDRESS = os.environ.get("GENLAB_HUB_ADDRESS", "http://127.0.0.1:8000")
PASSWORD = os.environ.get("GENLAB_HUB_PASSWORD", "")
BIN = Path(sys.executable).parent  # not resolved: the environment's folder, not the system's
PICTURE = Path("docs", "images", "map.png")  # the start page shows it
HELD = 'ulimit -d "$((MEM_LIMIT / 1024))"; exec "$@"'  # each process of a server, on Linux
NAME = r"[a-z0-9](?:[a-z0-9_-]{0,30}[a-z0-9])?"  # nothing that leads out of a folder

c = get_config()  # noqa: F821 - JupyterHub gives it


def folder_of(name, learners=LEARNERS):
    """Return a learner's folder; two names never share one, and none lies elsewhere."""
    if not re.fullmatch(NAME, name):
        raise ValueError(f"a learner's name is of a-z, 0-9, _ and -, at most 32: got {name!r}")
    return learners / name


def make_folder(name, learners=LEARNERS):
    """Make a learner's folder with working copies; what they have edited is never replaced."""
    folder = folder_of(name, learners)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not (folder / PICTURE).exists():
        (folder / PICTURE).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(COURSE / PICTURE, folder / PICTURE)
    begin(folder / "my")
    return folder


async def before_the_server(spawner):
    """Make the folder in a thread: copying must not hold up the others' log-in."""
    await asyncio.to_thread(make_folder, spawner.user.name)


def own_copies(spawner):
    """Return the folder that `genlab start` and `genlab reset` work on."""
    return str(folder_of(spawner.user.name) / "my")


# --- Who may come in. Dummy takes any name and any password: for a trial, on this machine only.

c.JupyterHub.bind_url = ADDRESS
c.Authenticator.allow_all = True
c.Authenticator.username_pattern = f"^{NAME}$"
if PASSWORD:
    c.JupyterHub.authenticator_class = "shared-password"
    c.SharedPasswordAuthenticator.user_password = PASSWORD
elif urlsplit(ADDRESS).hostname in {"127.0.0.1", "localhost", "::1"}:
    c.JupyterHub.authenticator_class = "dummy"
else:
    raise ValueError(f"set GENLAB_HUB_PASSWORD: without one nobody may be let in at {ADDRESS}")

# --- One server a learner. This spawner needs no system users and separates nobody.

c.JupyterHub.spawner_class = "simple"
c.SimpleLocalProcessSpawner.home_dir_template = str(LEARNERS / "{username}")
c.Spawner.cmd = ["/bin/sh", "-c", HELD, "sh", sys.executable, "-m", "jupyterhub.singleuser"]
c.Spawner.pre_spawn_hook = before_the_server
c.Spawner.default_url = f"/lab/tree/my/{PAGE}"
c.Spawner.environment = {
    "OMP_NUM_THREADS": "1",
    "GENLAB_MY": own_copies,
    "PATH": f"{BIN}{os.pathsep}{os.environ.get('PATH', '')}",
}
c.Spawner.start_timeout = 300  # a whole class may press the button in the same second
c.Spawner.http_timeout = 300

# --- How much each may use: docs/hub/sizing.py derives these from what was measured.

c.Spawner.mem_guarantee = "832M"
c.Spawner.mem_limit = "1536M"  # a cell that wants more is told that there is none
c.Spawner.cpu_limit = 1

# --- What nobody uses is stopped: a kernel an hour after its page was closed, a server after two.

c.Spawner.args = [
    "--MappingKernelManager.cull_idle_timeout=3600",
    "--MappingKernelManager.cull_interval=300",
]
if os.getuid() == 0:  # in a container; Jupyter wants to be told
    c.Spawner.args.append("--allow-root")
c.JupyterHub.load_roles = [
    {
        "name": "idle-culler",
        "scopes": ["list:users", "read:users:activity", "read:servers", "delete:servers"],
        "services": ["idle-culler"],
    }
]
c.JupyterHub.services = [
    {
        "name": "idle-culler",
        "command": [sys.executable, "-m", "jupyterhub_idle_culler", "--timeout=7200"],
    }
]

# --- Where the hub keeps its own things.

c.JupyterHub.db_url = f"sqlite:///{STATE / 'jupyterhub.sqlite'}"
c.JupyterHub.cookie_secret_file = str(STATE / "jupyterhub_cookie_secret")
c.ConfigurableHTTPProxy.pid_file = str(STATE / "proxy.pid")
if (BIN / "configurable-http-proxy").exists():
    c.ConfigurableHTTPProxy.command = [str(BIN / "configurable-http-proxy")]
