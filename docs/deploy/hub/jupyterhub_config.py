"""A JupyterHub for one class on one machine: `make hub`, as root. README.md says what has to be there.

Everybody has an account of the machine, and a server of their own under it. The instructor's opens formgrader on the
repository. A student's has the labs to read, and fetches, hands in and gets feedback through nbgrader's exchange.
"""

from __future__ import annotations

import importlib.util
import json
import os
import pwd
import shutil
import stat
import sys
from pathlib import Path

# Adapt these lines to your machine and class.
INSTRUCTOR = "instructor"  # owns the repository, and alone can read it
STUDENTS = "students"  # the group of all students
REPOSITORY = Path("/srv/adls")
LABS = Path("/srv/adls-labs")  # what `make student` packs, for everybody to read
EXCHANGE = Path("/srv/adls-exchange")
STATE = Path("/srv/adls-hub")
ADDRESS = "http://127.0.0.1:8000"  # behind a web server that has a certificate: passwords come this way

# A proxy in Python. As it comes it forwards ten requests at a time, and gives each up after 20 seconds.
PROXY = """from configurable_http_proxy.cli import main
from tornado.httpclient import AsyncHTTPClient
AsyncHTTPClient.configure(None, max_clients=1000)
main()
"""
PROXY_SECONDS = 1800  # what formgrader waits for a judge
GRADING = {name: value for name, value in os.environ.items() if name.startswith(("ADLS_", "DASK_"))}
ENVIRONMENT = Path(sys.prefix).resolve()  # which students must be able to enter, so not below the repository
SETTINGS = STATE / "students"  # what Jupyter reads in a student's server
NOT_FOR_STUDENTS = [f"@jupyter/nbgrader:{name}" for name in ("course-list", "create-assignment", "formgrader")]
STUDENT_SETTINGS = {
    "nbgrader_config.json": {"Exchange": {"root": str(EXCHANGE)}},
    "jupyter_server_config.json": {
        "ServerApp": {
            "jpserver_extensions": {
                "jupyterlab": True,
                "nbgrader.server_extensions.assignment_list": True,
                "nbgrader.server_extensions.course_list": False,
                "nbgrader.server_extensions.formgrader": False,
                "nbgrader.server_extensions.validate_assignment": True,
            }
        }
    },
    "labconfig/page_config.json": {"disabledExtensions": dict.fromkeys(NOT_FOR_STUDENTS, True)},
}


def require(good: bool, sentence: str) -> None:
    """End with one sentence unless this machine is as it must be."""
    if not good:
        sys.exit(f"jupyterhub_config.py: {sentence}")


def check() -> None:
    """What would otherwise fail later and say less, or show the solutions to students."""
    require(os.geteuid() == 0, "JupyterHub starts servers for other users: run it as root")
    packaged = importlib.util.find_spec("configurable_http_proxy")
    cure = f"`{sys.executable} -m pip install configurable-http-proxy`"
    require(packaged is not None, f"the proxy is missing: {cure}")
    require((REPOSITORY / "solutions").is_dir(), f"expected the repository, with solutions/, in {REPOSITORY}")
    owner = pwd.getpwuid(REPOSITORY.stat().st_uid).pw_name
    require(owner == INSTRUCTOR, f"{REPOSITORY} must belong to {INSTRUCTOR}, not to {owner}")
    away = REPOSITORY not in ENVIRONMENT.parents
    require(away, f"students cannot enter {ENVIRONMENT}: install into {LABS}/.venv, and link {REPOSITORY}/.venv to it")
    closed = stat.S_IMODE(REPOSITORY.stat().st_mode) & 0o077 == 0
    require(closed, f"students can read the solutions: `chmod 700 {REPOSITORY}`")
    require((LABS / "labs").is_dir(), f"expected what `make student` packs in {LABS}")
    require(not (LABS / "solutions").exists(), f"{LABS} has solutions/: unpack there what `make student` packs")


def prepare() -> None:
    """Make the exchange, and write down the settings of students' servers."""
    EXCHANGE.mkdir(exist_ok=True)
    EXCHANGE.chmod(0o1777)  # everybody hands in here, and nobody takes away what is another's
    STATE.mkdir(mode=0o711, exist_ok=True)
    (STATE / "private").mkdir(mode=0o700, exist_ok=True)
    shutil.rmtree(SETTINGS, ignore_errors=True)
    for name, content in STUDENT_SETTINGS.items():
        (SETTINGS / name).parent.mkdir(parents=True, exist_ok=True)
        (SETTINGS / name).write_text(json.dumps(content), encoding="utf-8")
    for path in (SETTINGS, *SETTINGS.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)


def before_start(spawner) -> None:
    """Give a server its folder, its Python path and its settings."""
    teaches = spawner.user.name == INSTRUCTOR
    code, settings = (REPOSITORY, REPOSITORY) if teaches else (LABS, SETTINGS)
    home = Path(pwd.getpwnam(spawner.user.name).pw_dir)
    link = home / LABS.name
    if not teaches and not os.path.lexists(link):
        link.symlink_to(LABS)
    spawner.notebook_dir = str(REPOSITORY if teaches else home)
    # JupyterHub forbids frames, in which JupyterLab would show formgrader; its own page is better anyway.
    spawner.default_url = "/formgrader" if teaches else "/lab"
    spawner.args = [f"--LabApp.app_settings_dir={code / 'lablib' / 'jupyter' / 'settings'}"]
    spawner.environment = (GRADING if teaches else {}) | {
        "ADLS_EXCHANGE": str(EXCHANGE),
        "JUPYTER_CONFIG_PATH": f"{settings}{os.pathsep}{code / 'lablib' / 'jupyter'}",
        "PATH": f"{ENVIRONMENT / 'bin'}{os.pathsep}{os.defpath}",
        "PYTHONPATH": str(code),
    }


check()
prepare()
# JupyterHub gives this function to its configuration file.
c = get_config()  # noqa: F821  # pyright: ignore[reportUndefinedVariable]
c.JupyterHub.bind_url = ADDRESS
c.JupyterHub.db_url = f"sqlite:///{STATE / 'private' / 'jupyterhub.sqlite'}"
c.JupyterHub.cookie_secret_file = str(STATE / "private" / "cookie_secret")
python = str(ENVIRONMENT / "bin" / "python")
c.ConfigurableHTTPProxy.command = [python, "-c", PROXY, f"--proxy-timeout={PROXY_SECONDS * 1000}"]
c.ConfigurableHTTPProxy.pid_file = str(STATE / "private" / "proxy.pid")
c.JupyterHub.authenticator_class = "pam"
c.Authenticator.allowed_users = {INSTRUCTOR}
c.PAMAuthenticator.allowed_groups = {STUDENTS}
c.Spawner.cmd = [python, "-m", "jupyterhub.singleuser"]
c.Spawner.pre_spawn_hook = before_start
c.Spawner.start_timeout = 120
