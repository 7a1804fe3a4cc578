"""A sandbox by bubblewrap, which distributions package and Flatpak rests on."""

from __future__ import annotations

import os
from collections.abc import Sequence

from autograder.sandbox.layout import LAB, Entry

PROGRAM = "bwrap"
PACKAGE = "bubblewrap"
_OPTIONS = {
    "bind": "--ro-bind",
    "device": "--dev-bind",
    "link": "--symlink",
    "folder": "--dir",
    "hidden": "--tmpfs",
    "tmp": "--tmpfs",
    "proc": "--proc",
}


def command(entries: Sequence[Entry], capabilities: Sequence[str], program: Sequence[str]) -> list[str]:
    """The command line that runs `program` with these capabilities only, and `entries` for files."""
    words = [PROGRAM, "--die-with-parent", "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts"]
    words += ["--cap-drop", "ALL"]
    words += [word for capability in capabilities for word in ("--cap-add", f"CAP_{capability.upper()}")]
    if os.geteuid() != 0:
        words.append("--unshare-user")
    for entry in entries:
        words += [_OPTIONS[entry.kind], *filter(None, [entry.source]), entry.target]
    for entry in entries:
        if entry.kind == "hidden":
            words += ["--remount-ro", entry.target]
    return [*words, "--remount-ro", "/", "--chdir", LAB, *program]
