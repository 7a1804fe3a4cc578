"""A machine with a JupyterHub, set up by the guide's own commands in namespaces of its own.

Its accounts, homes and processes end with it, and this machine's stay as they are.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from autograder import labs
from tests.browser.server import free_port

ROOT = Path(__file__).resolve().parents[2]
GUIDE = ROOT / "docs" / "deploy" / "hub" / "README.md"
CODE = ("Makefile", "autograder", "docs", "lablib", "nbgrader_config.py", ".gitattributes", "jupytext.toml")
FILES_OF_MAKE = ("pyproject.toml", "requirements.lock")
REPOSITORY = "/srv/adls"
STAMP = ".ready"  # of the Makefile
PASSWORD = "for-one-test"
READY_SECONDS = 120

# What users of the hub must read may lie below a folder that only root may enter: that folder then has nothing else.
SHOW = """
show() {
    local number=0 hidden=$1 path
    shift
    for path in "$@"; do
        number=$((number + 1))
        mkdir "/srv/.kept$number"
        mount --bind "$path" "/srv/.kept$number"
    done
    mount -t tmpfs -o mode=755 tmpfs "$hidden"
    number=0
    for path in "$@"; do
        number=$((number + 1))
        mkdir -p "$path"
        mount --bind "/srv/.kept$number" "$path"
    done
}
"""


@dataclass(frozen=True)
class Hub:
    """A running JupyterHub: `url` has no slash at its end, `stage` holds its /etc, /home and /srv."""

    stage: Path
    url: str
    machine: int

    def path(self, inside: str) -> Path:
        """Where this machine has a file of the hub's."""
        return self.stage / inside.lstrip("/")

    def run(self, user: str, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command on the hub's machine as one of its users."""
        words = [*entered(self.machine), "runuser", "--user", user, "--", *command]
        return subprocess.run(words, capture_output=True, text=True, timeout=READY_SECONDS)


@contextmanager
def hub(students: Sequence[str], solutions: Path) -> Iterator[Hub]:
    """Set a hub up as the guide says, with these students and masters, and start it; its log is ``stage/log``."""
    with ExitStack() as stack:
        stage = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hub-", ignore_cleanup_errors=True)))
        stage.chmod(0o755)
        _lay_out(stage, solutions)
        url, between, proxy = (f"http://127.0.0.1:{free_port()}" for _ in range(3))
        options = f"--JupyterHub.bind_url={url} --JupyterHub.hub_bind_url={between} "
        options += f"--ConfigurableHTTPProxy.api_url={proxy}"
        script = stage / "machine.sh"
        script.write_text(_script(stage, students, options), encoding="utf-8")
        words = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "bash", str(script)]
        with (stage / "log").open("w") as log:
            process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
        stack.callback(process.wait)
        stack.callback(process.kill)
        _wait_until_up(url, process, stage / "log")
        yield Hub(stage, url, psutil.Process(process.pid).children()[0].pid)


def entered(machine: int) -> list[str]:
    """The start of a command line that runs on a hub's machine."""
    return ["nsenter", "--target", str(machine), "--mount", "--pid", "--wd=/"]


def _lay_out(stage: Path, solutions: Path) -> None:
    """The machine's folders, and the repository that it clones."""
    shutil.copytree("/etc", stage / "etc", symlinks=True)
    (stage / "home").mkdir()
    origin = stage / "srv" / "origin"
    origin.mkdir(parents=True)
    for name in (*CODE, *FILES_OF_MAKE):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, origin / name)
    shutil.copytree(solutions, origin / "solutions")
    labs.write(origin)


def _installed(stage: Path) -> list[str]:
    """Have this environment for the hub's own, as if `make` had just installed it there; the mounts that do it."""
    place = "/srv/adls-labs/.venv"
    inside = stage / place.lstrip("/")
    inside.mkdir(parents=True)
    mounts = []
    for entry in Path(sys.prefix).resolve().iterdir():
        if entry.is_symlink():
            (inside / entry.name).symlink_to(os.readlink(entry))
        elif entry.name != STAMP:
            (inside / entry.name).mkdir() if entry.is_dir() else (inside / entry.name).touch()
            mounts.append(shlex.join(["mount", "--bind", str(entry), f"{place}/{entry.name}"]))
    (inside / STAMP).touch()
    os.utime(inside / STAMP, (time.time() + 10**6,) * 2)  # later than what it is made from
    return mounts


def _script(stage: Path, students: Sequence[str], options: str) -> str:
    """What the machine does: mounts, then the guide's commands. Packages are not installed again."""
    mounts = [f"mount --bind {stage / name} /{name}" for name in ("etc", "home", "srv")] + _installed(stage)
    git = "git -C /srv/origin -c user.name=t -c user.email=t@localhost"
    environment = {"HOME": "/tmp", "URL": "/srv/origin", "ARGS": options}
    return "\n".join(
        [
            "set -euxo pipefail; PS4='+ $SECONDS '",
            SHOW,
            *mounts,
            *(shlex.join(["show", str(hidden), *map(str, paths)]) for hidden, paths in _closed().items()),
            *(f"export {name}={shlex.quote(value)}" for name, value in environment.items()),
            "cd /",
            "git init --quiet /srv/origin",
            f"{git} add .",
            f"{git} commit --quiet --message=.",
            f"students={shlex.quote(' '.join(students))}",
            f'passwd() {{ echo "$1:{PASSWORD}" | chpasswd; }}',  # it would ask
            *guide_commands(),
        ]
    )


def _closed() -> dict[Path, list[Path]]:
    """Folders that only their owner may enter, and what below them this Python needs."""
    found: dict[Path, list[Path]] = {}
    for needed in dict.fromkeys(Path(place).resolve() for place in (sys.prefix, sys.base_prefix)):
        for folder in reversed(needed.parents):
            if not folder.stat().st_mode & 0o001:
                found.setdefault(folder, []).append(needed)
                break
    return found


def guide_commands() -> list[str]:
    """The lines by which the guide sets a hub up and starts it."""
    (block,) = re.findall(r"<!-- hub -->\n+```sh\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    return block.splitlines()


def _wait_until_up(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urllib.request.urlopen(f"{url}/hub/login", timeout=10).close()
            return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.2)
    raise RuntimeError(f"JupyterHub did not start within {READY_SECONDS} s; its log:\n{log.read_text()[-4000:]}")
