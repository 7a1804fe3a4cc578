"""What a sandbox shows: Python with its packages, lablib, the side of the grader that runs inside, and the lab."""

from __future__ import annotations

import glob
import os
import sys
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from autograder.inside.scratch import HOME
from autograder.withholding import REPOSITORY

LAB = "/lab"
_CODE = ("lablib", "autograder/__init__.py", "autograder/inside")
_SYSTEM = ("/usr", "/lib", "/lib64", "/bin", "/sbin", "/etc/alternatives", "/etc/ld.so.cache")
_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
_GPU_DEVICES = ("/dev/nvidia*", "/dev/nvidia-caps/*", "/dev/dxg")  # the last: in WSL 2
_LINKS = {
    "/dev/fd": "/proc/self/fd",
    "/dev/stdin": "/proc/self/fd/0",
    "/dev/stdout": "/proc/self/fd/1",
    "/dev/stderr": "/proc/self/fd/2",
}


@dataclass(frozen=True)
class Entry:
    """One thing that the sandbox's file system has.

    Attributes
    ----------
    target : str
        Where it is in the sandbox.
    kind : str
        ``bind``: a file or folder of the machine, read-only. ``device``: a device of the machine. ``link``: a symbolic
        link. ``folder``: an empty folder. ``hidden``: an empty folder that hides what a ``bind`` around it shows.
        ``tmp``: a folder in memory that can be written. ``proc``: the processes of the sandbox.
    source : str
        What a ``bind`` or a ``device`` shows and where a ``link`` leads.
    """

    target: str
    kind: Literal["bind", "device", "link", "folder", "hidden", "tmp", "proc"]
    source: str = ""


def layout(folder: Path, gpu: bool = False, withheld: Collection[Path] = ()) -> list[Entry]:
    """Everything that the sandbox has, each after what it lies in.

    Parameters
    ----------
    folder : Path
        Whose content is shown in `LAB`.
    gpu : bool
        Whether the machine's NVIDIA devices, and what their driver reads, are shown too.
    withheld : collection of Path
        Files and folders of lablib that are left out.
    """
    system = (*_SYSTEM, sys.base_prefix, sys.prefix)
    devices = (*_DEVICES, *(_gpu_devices() if gpu else ()))
    entries = [
        Entry("/dev", "hidden"),
        Entry("/dev/shm", "folder"),
        Entry("/proc", "proc"),
        Entry("/tmp", "tmp"),
        Entry(HOME, "folder"),
        Entry(LAB, "folder"),
        *(_bind(path) for path in system if os.path.exists(path)),
        *(Entry(path, "device", path) for path in devices),
        *(Entry(path, "link", leads_to) for path, leads_to in _LINKS.items()),
        Entry(str(REPOSITORY), "hidden"),  # wherever it is: it has the masters and the gradebook
        *(entry for path in _CODE for entry in _shown(REPOSITORY / path, withheld)),
        *(_bind(str(path), f"{LAB}/{path.name}") for path in folder.iterdir()),
    ]
    # bubblewrap would make the folders around them as well, but some for root alone.
    around = [Entry(str(parent), "folder") for entry in entries for parent in Path(entry.target).parents[:-1]]
    placed = {entry.target: entry for entry in (*around, *entries)}
    return sorted(placed.values(), key=lambda entry: (entry.target.count("/"), entry.target))


def _shown(path: Path, withheld: Collection[Path]) -> Iterator[Entry]:
    """Everything of `path`, or what it has besides the withheld: no mount covers that, so none uncovers it."""
    if path in withheld:
        return
    if not any(path in one.parents for one in withheld):
        yield _bind(str(path))
        return
    yield Entry(str(path), "hidden")
    for inside in path.iterdir():
        if inside.name != "__pycache__":  # the withheld module's bytecode lies there
            yield from _shown(inside, withheld)


def _bind(path: str, target: str = "") -> Entry:
    return Entry(target or path, "bind", os.path.realpath(path))


def _gpu_devices() -> list[str]:
    return sorted(path for pattern in _GPU_DEVICES for path in glob.glob(pattern) if not os.path.isdir(path))
