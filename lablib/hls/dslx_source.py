"""Read a student's DSLX: does it parse, and do its types fit?"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from lablib.hls.build import run
from lablib.hls.engines import Package
from lablib.hls.errors import ToolFailed, ToolTimeout
from lablib.hls.source_errors import SourceError, SourceRefused

__all__ = ["check_dslx"]

_XLS = Package("xls", "xls-python", "read DSLX")
_SECONDS = 30.0
# In a process of its own: what XLS aborts on ends no notebook.
_CHECK = """
import sys
from xls import dslx
try:
    dslx.parse_and_typecheck(sys.stdin.read(), "design.x", "design", dslx.ImportData.create())
except RuntimeError as error:
    sys.exit(str(error))
"""
_PLACE = re.compile(r"\bdesign\.x:(\d+):(\d+)-\d+:\d+ (.*)", re.DOTALL)


def check_dslx(source: str) -> None:
    """Raise `SourceRefused` unless a DSLX module parses and its types fit.

    XLS stops at the first error, so there is one.

    Examples
    --------
    >>> check_dslx("fn twice(x: s8) -> s8 { x + x }")
    """
    _XLS.require()
    try:
        run([sys.executable, "-c", _CHECK], Path("/"), _SECONDS, "checking DSLX", given=source)
    except ToolTimeout:
        raise
    except ToolFailed as error:
        raise SourceRefused("The DSLX source", source, [_error(error)]) from None


def _error(failure: ToolFailed) -> SourceError:
    found = _PLACE.search(failure.output)
    if found is None:
        return SourceError(0, failure.output.strip() or str(failure))
    message = re.sub(r"^\w+Error: ", "", " ".join(found[3].split()))
    return SourceError(int(found[1]), message, int(found[2]))
