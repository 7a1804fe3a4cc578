"""The program that `unshare` runs: build a file system of a layout's entries, move there, and become the program.

    python -m autograder.sandbox.new_root LAYOUT PROGRAM [ARGUMENT ...]

It runs with the privileges that `unshare` gives, in namespaces of its own, and before anything of a hand-in.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from autograder.inside import linux
from autograder.sandbox.layout import LAB, Entry

_MACHINE = "/machine"  # where the machine's own files are while the new root is made
_READ_ONLY = linux.MOUNT_ATTR_RDONLY | linux.MOUNT_ATTR_NOSUID
_NOWHERE_ELSE = linux.MS_NOSUID | linux.MS_NODEV


def build(entries: list[Entry]) -> None:
    """Make `entries` this process's whole file system."""
    os.umask(0o022)
    linux.mount("root", "/tmp", "tmpfs", _NOWHERE_ELSE, "mode=755")
    Path("/tmp", _MACHINE[1:]).mkdir()
    linux.pivot_root("/tmp", "/tmp" + _MACHINE)
    os.chdir("/")
    for entry in entries:
        _place(entry)
    linux.unmount(_MACHINE)
    Path(_MACHINE).rmdir()
    for target in ["/", *(entry.target for entry in entries if entry.kind == "hidden")]:
        linux.set_mount_attributes(target, linux.MOUNT_ATTR_RDONLY)


def _place(entry: Entry) -> None:
    target = Path(entry.target)
    if entry.kind == "link":
        target.symlink_to(entry.source)
    elif entry.kind in ("bind", "device"):
        _bind(_MACHINE + entry.source, target, devices=entry.kind == "device")
    else:
        target.mkdir(parents=True, exist_ok=True)
        if entry.kind == "proc":
            linux.mount("proc", entry.target, "proc", _NOWHERE_ELSE | linux.MS_NOEXEC)
        elif entry.kind in ("hidden", "tmp"):
            linux.mount(entry.kind, entry.target, "tmpfs", _NOWHERE_ELSE, "mode=755")


def _bind(source: str, target: Path, devices: bool) -> None:
    if os.path.isdir(source):
        target.mkdir(parents=True, exist_ok=True)
    elif not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch()
    linux.mount(source, str(target), flags=linux.MS_BIND | linux.MS_REC)
    attributes = _READ_ONLY if devices else _READ_ONLY | linux.MOUNT_ATTR_NODEV
    linux.set_mount_attributes(str(target), attributes, recursive=True)


def main() -> None:
    layout, *program = sys.argv[1:]
    build([Entry(**entry) for entry in json.loads(layout)])
    os.chdir(LAB)
    os.execvp(program[0], program)


if __name__ == "__main__":
    main()
