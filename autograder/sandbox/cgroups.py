"""A cgroup for each sandbox, below which its hand-ins get theirs, where this machine lets us make one."""

from __future__ import annotations

import itertools
import os
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_NAME = "autograder"
_CONTROLLERS = ("memory", "pids", "cpu")  # the last without a limit: each hand-in gets the same share
_HIERARCHIES = Path("/sys/fs/cgroup")
_MEMBERSHIPS = Path("/proc/self/cgroup")
_numbers = itertools.count()


def open_cgroups() -> list[int]:
    """Make a cgroup for a new sandbox, or in version 1 one a controller, and open their folders.

    They stay when the sandbox ends; what starts a later one removes those that dead processes left.
    """
    opened = []
    for candidates in _candidates(_HIERARCHIES, _MEMBERSHIPS.read_text()):
        for enclosing in candidates:
            with suppress(OSError):  # not ours to change, or its own processes keep it from having limited parts
                opened.append(_open_new(enclosing))
                break
    return opened


def _candidates(hierarchies: Path, memberships: str) -> Iterator[list[Path]]:
    """For each hierarchy with a controller that we use, the cgroups to make ours in: the process's own comes first."""
    for line in memberships.splitlines():
        _, controllers, own = line.split(":", 2)
        for controller in _CONTROLLERS:
            if controller in controllers.split(","):  # version 1
                yield [hierarchies / controller / own.lstrip("/")]
        if not controllers and (hierarchies / "cgroup.controllers").exists():  # version 2
            folder = hierarchies / own.lstrip("/")
            yield [folder, *(parent for parent in folder.parents if parent.is_relative_to(hierarchies))]


def _open_new(enclosing: Path) -> int:
    _sweep(enclosing)
    _hand_down(enclosing)
    folder = enclosing / f"{_NAME}-{os.getpid()}-{next(_numbers)}"
    folder.mkdir()
    try:
        _hand_down(folder)
        _try(folder / "trial")
        return os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        folder.rmdir()
        raise


def _hand_down(folder: Path) -> None:
    """Let the parts of a cgroup have limits; in version 1 they always have."""
    control = folder / "cgroup.subtree_control"
    if control.exists():
        control.write_text(" ".join(f"+{controller}" for controller in _CONTROLLERS))


def _try(folder: Path) -> None:
    """Put a process into a cgroup made for it, and take both away again."""
    folder.mkdir()
    try:
        command = ["sh", "-c", 'echo 0 > "$1"', "sh", str(folder / "cgroup.procs")]
        if subprocess.run(command, capture_output=True).returncode:
            raise OSError(f"no process of this user can be put into {folder}")
    finally:
        folder.rmdir()


def _sweep(enclosing: Path) -> None:
    for folder in enclosing.glob(f"{_NAME}-*-*"):
        if not Path("/proc", folder.name.split("-")[1]).exists():
            for path in (*folder.glob("*/"), folder):
                with suppress(OSError):
                    path.rmdir()
