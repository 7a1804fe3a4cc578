"""The only files that a hand-in can write: its home, /tmp and /dev/shm, in memory, together of limited size."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path

from autograder.inside import linux

HOME = "/home/student"
_WRITABLE = {"home": HOME, "tmp": "/tmp", "shm": "/dev/shm"}
_SMALLEST_FILE = 16 * 2**10  # so many bytes of scratch allow one file more


def mount_scratch(size: int) -> str:
    """Mount a file system of `size` bytes on the places that can be written, and return the home.

    Python or the lab may be mounted below one of them: such mounts stay in view.
    """
    kept = [(target, os.open(target, os.O_PATH)) for target in _mounts_below(*_WRITABLE.values())]
    flags = linux.MS_NOSUID | linux.MS_NODEV
    linux.mount("scratch", HOME, "tmpfs", flags, f"size={size},nr_inodes={max(64, size // _SMALLEST_FILE)},mode=755")
    parts = {name: Path(HOME, name) for name in _WRITABLE}
    for part in parts.values():
        part.mkdir()
        part.chmod(0o777)
    for name in ("tmp", "shm", "home"):  # home last: it hides the others
        linux.mount(str(parts[name]), _WRITABLE[name], flags=linux.MS_BIND)
    for target, descriptor in kept:
        Path(target).mkdir(parents=True)
        linux.mount(f"/proc/self/fd/{descriptor}", target, flags=linux.MS_BIND | linux.MS_REC)
        os.close(descriptor)
    return HOME


def _mounts_below(*places: str) -> list[str]:
    """Mount points below these places, but none below another."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    # A character that would break the line, such as a space, is written as \040.
    targets = {re.sub(r"\\(\d{3})", lambda octal: chr(int(octal[1], 8)), line.split()[4]) for line in lines}
    below = [target for target in sorted(targets) if any(target.startswith(f"{place}/") for place in places)]
    return [target for target in below if not any(target.startswith(f"{other}/") for other in below)]


def temporary_scratch() -> str:
    """Make a folder, where nothing can be mounted, to serve as home and /tmp."""
    home = tempfile.mkdtemp(prefix="hand-in-")
    os.environ.update(HOME=home, TMPDIR=home)
    tempfile.tempdir = None  # it keeps what TMPDIR was
    return home


def link(lab: str, home: str) -> None:
    """Show everything that lies in the folder `lab` under the same name in `home`."""
    for entry in os.scandir(lab):
        os.symlink(entry.path, Path(home, entry.name))
