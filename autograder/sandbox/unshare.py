"""A sandbox by util-linux's `unshare`, which every Linux has; `autograder.sandbox.new_root` makes its files."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict

from autograder.sandbox.layout import Entry

PROGRAM = "unshare"
PACKAGE = "util-linux"


def command(entries: Sequence[Entry], capabilities: Sequence[str], program: Sequence[str]) -> list[str]:
    """The command line that runs `program` with these capabilities only, and `entries` for files."""
    words = ["setpriv", "--pdeathsig", "KILL", PROGRAM, "--mount", "--pid", "--net", "--ipc", "--uts"]
    words += ["--fork", "--kill-child"]
    if os.geteuid() != 0:
        words += ["--user", "--map-current-user", "--keep-caps"]
    layout = json.dumps([asdict(entry) for entry in entries])
    words += [sys.executable, "-P", "-m", "autograder.sandbox.new_root", layout]
    bounding = ",".join(["-all", *(f"+{capability}" for capability in capabilities)])
    words += ["setpriv", "--no-new-privs", "--bounding-set", bounding, "--inh-caps=-all", "--ambient-caps=-all"]
    return [*words, *program]
