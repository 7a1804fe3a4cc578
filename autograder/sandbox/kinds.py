"""The kinds of sandbox, and whether one works here."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

from autograder.errors import AutograderError
from autograder.sandbox.launch import BACKENDS, NONE, launch

KINDS = (*BACKENDS, NONE)
_PROBE_SECONDS = 60


class SandboxError(AutograderError):
    """There is no sandbox of this kind here; the message says what to do."""


def require(kind: str) -> None:
    """Raise `SandboxError` unless hand-ins can run in a sandbox of this kind."""
    if kind not in KINDS:
        raise SandboxError(f"unknown sandbox {kind!r}: expected one of {', '.join(KINDS)}")
    problem = refusal(kind)
    if problem:
        other = next(other for other in BACKENDS if other != kind)
        raise SandboxError(
            f"hand-ins are graded in {kind}, but {problem}; `--sandbox {other}` (make: `SANDBOX={other}`) is another "
            f"way, and `--sandbox {NONE}` (make: `SANDBOX={NONE}`) grades without protection"
        )


@cache
def refusal(kind: str = KINDS[0]) -> str:
    """Why there is no sandbox of this kind here, or an empty string: it is tried out, once."""
    if kind == NONE:
        return ""
    if shutil.which(BACKENDS[kind].PROGRAM) is None:
        return f"it is not installed: install the package {BACKENDS[kind].PACKAGE}"
    with (
        tempfile.TemporaryDirectory() as folder,
        launch("autograder.inside.probe", (), kind, (), Path(folder)) as tried,
    ):
        try:
            said = tried.communicate(timeout=_PROBE_SECONDS)[1].decode(errors="replace").strip()
        except subprocess.TimeoutExpired:
            tried.kill()
            return f"it did not answer within {_PROBE_SECONDS} s"
    reason = said.splitlines()[-1] if said else f"it ended with status {tried.returncode}"
    return "" if tried.returncode == 0 else f"it does not work here ({reason})"
