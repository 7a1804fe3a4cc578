"""Start a Python module in a sandbox, without asking whether it works here."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from autograder.inside.scratch import HOME
from autograder.inside.settings import FIRST_USER, USERS, Settings
from autograder.sandbox import bubblewrap, unshare
from autograder.sandbox.cgroups import open_cgroups
from autograder.sandbox.layout import layout
from autograder.withholding import REPOSITORY, paths_of

NONE = "none"
BACKENDS = {"bubblewrap": bubblewrap, "unshare": unshare}

# Root's parent makes each hand-in's namespaces and gives it a user of its own; anyone else's needs nothing for that.
# A container's root needs setfcap to map itself.
_ROOT_CAPABILITIES = ("sys_admin", "setuid", "setgid", "setpcap", "setfcap")
_SANDBOXES_WITH_OWN_USERS = (2**31 - FIRST_USER) // USERS


def launch(
    module: str,
    arguments: Sequence[str],
    kind: str,
    fds: Sequence[int],
    folder: Path,
    gpu: bool = False,
    withhold: Sequence[str] = (),
) -> subprocess.Popen[bytes]:
    """Start ``python -m module arguments``; see `autograder.sandbox.start`."""
    cgroups = [] if kind == NONE else open_cgroups()
    settings = Settings(
        isolated=kind != NONE,
        first_user=FIRST_USER + os.getpid() % _SANDBOXES_WITH_OWN_USERS * USERS,
        cgroups=tuple(cgroups),
    )
    try:
        return subprocess.Popen(
            _found(_command([sys.executable, "-P", "-m", module, *arguments], kind, folder, gpu, withhold)),
            cwd=folder if kind == NONE else None,
            env=_environment(HOME if settings.isolated else str(Path.home())) | settings.to_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            pass_fds=(*fds, *cgroups),
            start_new_session=True,  # an interrupt at the terminal is for the grader alone
        )
    finally:
        for descriptor in cgroups:
            os.close(descriptor)


def _command(program: list[str], kind: str, folder: Path, gpu: bool, withhold: Sequence[str]) -> list[str]:
    if kind == NONE:
        return ["setpriv", "--pdeathsig", "KILL", *program]
    capabilities = _ROOT_CAPABILITIES if os.geteuid() == 0 else ()
    return BACKENDS[kind].command(layout(folder.resolve(), gpu, paths_of(withhold)), capabilities, program)


def _found(command: list[str]) -> list[str]:
    """The same command, its program where this process finds it and not where the sandbox would."""
    return [shutil.which(command[0]) or command[0], *command[1:]]


def _environment(home: str) -> dict[str, str]:
    """Of the grader's own environment, which may hold secrets, only where the machine's libraries are."""
    libraries = {name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ}
    return libraries | {
        "HOME": home,
        "USER": "student",
        "PATH": f"{sys.prefix}/bin:/usr/local/bin:/usr/bin:/bin",
        "PYTHONPATH": str(REPOSITORY),  # of which the sandbox shows what hand-ins may see
        "PYTHONHASHSEED": "0",  # the same hand-in runs the same way again
        "LANG": "C.UTF-8",
        "XDG_CACHE_HOME": "/tmp/cache",
        "TRITON_CACHE_DIR": "/tmp/triton",
        "OMP_NUM_THREADS": "1",
        "OMP_THREAD_LIMIT": "1",  # threads of a parallel region do not survive the fork, and the child would wait
    }
