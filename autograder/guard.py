"""Refuse answers what the lab withholds, where they run in one process with the tests.

In grading the sandbox does not have it. Here it is a help for authors, and no more: whoever tries gets around it.
"""

from __future__ import annotations

import builtins
import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

from autograder.inside.withheld import refusal
from autograder.master import Lab


@contextlib.contextmanager
def guarding(lab: Lab) -> Iterator[None]:
    """Let an import statement fail that names a withheld module, unless a test is at work."""
    if not lab.withheld:
        yield
        return
    plain = builtins.__import__

    def guarded(name: str, globals: Any = None, locals: Any = None, fromlist: Any = (), level: int = 0) -> Any:
        asked = {name, *(f"{name}.{part}" for part in fromlist or ())} if level == 0 else set()
        for module in lab.withheld:
            if any(f"{one}.".startswith(f"{module}.") for one in asked) and not _for_a_test(lab, sys._getframe(1)):
                raise refusal(module)
        return plain(name, globals, locals, fromlist, level)

    builtins.__import__ = guarded
    try:
        yield
    finally:
        builtins.__import__ = plain


def _for_a_test(lab: Lab, frame: FrameType | None) -> bool:
    """Whether the code of a test asks, be it through functions of setup cells and of lablib."""
    roles = {cell.id: cell.role for cell in lab.cells}
    seen = ""
    while frame is not None:
        file = Path(frame.f_code.co_filename)
        if file.parts[0] == lab.name:
            seen = roles[file.stem]
            if seen in ("solution", "test"):
                return seen == "test"
        frame = frame.f_back
    return not seen
