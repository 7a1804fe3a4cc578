"""A place where a hand-in can do little harm: no network, no files but its own, limits on what it takes.

bubblewrap gives the process its own user, process, network and file-system namespaces. It sees this Python with its
packages, lablib and a folder of its own, all but the last read-only: no gradebook, no other hand-in, no solution.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import lablib
from autograder.errors import AutograderError

HOME = "/home/student"
KINDS = ("bubblewrap", "none")
_SYSTEM = ("/usr", "/lib", "/lib64", "/bin", "/sbin", "/etc/alternatives", "/etc/ld.so.cache")
_SCRATCH_BYTES = 2 * 2**30


class SandboxError(AutograderError):
    """There is no sandbox here; the message says what to do."""


def command(argv: Sequence[str], folder: Path, kind: str = KINDS[0]) -> list[str]:
    """The command line that runs ``argv`` in the sandbox.

    Parameters
    ----------
    argv
        Program and arguments. Paths of files in ``folder`` are relative to it.
    folder
        Where it starts. The sandbox sees it as ``/home/student``, its only folder outside memory that can be written.
    kind
        ``"bubblewrap"``, or ``"none"`` to run without a sandbox, in ``folder``.

    Raises
    ------
    SandboxError
        If bubblewrap is missing or may not make namespaces, or the kind is unknown.
    """
    require(kind)
    if kind == "none":
        return list(argv)
    own = (sys.base_prefix, sys.prefix, str(Path(lablib.__file__).parent))
    bindings = [word for path in (*_SYSTEM, *own) for word in ("--ro-bind-try", path, path)]
    return [
        "bwrap", "--unshare-all", "--die-with-parent", "--new-session",
        "--uid", "65534", "--gid", "65534", "--cap-drop", "ALL", "--clearenv",
        "--size", str(_SCRATCH_BYTES), "--tmpfs", "/tmp", *bindings, "--proc", "/proc", "--dev", "/dev",
        "--bind", str(folder), HOME, "--remount-ro", "/", "--chdir", HOME, *_environment(), *argv,
    ]  # fmt: skip


def require(kind: str) -> None:
    """Raise `SandboxError` unless hand-ins can run in a sandbox of this kind."""
    if kind not in KINDS:
        raise SandboxError(f"unknown sandbox {kind!r}: expected one of {', '.join(KINDS)}")
    if kind != "none" and refusal():
        raise SandboxError(f"hand-ins are graded in {kind}, but {refusal()}; `--sandbox none` grades without")


def _environment() -> list[str]:
    variables = {
        "HOME": HOME,
        "USER": "student",
        "PATH": f"{sys.prefix}/bin:/usr/bin:/bin",
        "PYTHONPATH": str(Path(lablib.__file__).parents[1]),  # of which only lablib is there to see
        "LANG": "C.UTF-8",
        "XDG_CACHE_HOME": "/tmp/cache",
        "OMP_NUM_THREADS": "1",
    }
    return [word for name, value in variables.items() for word in ("--setenv", name, value)]


@cache
def refusal() -> str:
    """Why there is no sandbox here, or an empty string."""
    if shutil.which("bwrap") is None:
        return "it is not installed: install the package bubblewrap"
    tried = subprocess.run(
        ["bwrap", "--ro-bind", "/", "/", "--unshare-all", "--die-with-parent", "true"], capture_output=True, text=True
    )
    return "" if tried.returncode == 0 else f"it does not work here ({tried.stderr.strip()})"
