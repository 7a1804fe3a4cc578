"""Read a student's DSLX: does it parse, and do its types fit?"""

from __future__ import annotations

from lablib.hls.errors import ToolFailed, ToolTimeout
from lablib.hls.source_errors import SourceRefused
from lablib.hls.xls_step import SECONDS, fault, step

__all__ = ["check_dslx"]


def check_dslx(source: str) -> None:
    """Raise `SourceRefused` unless a DSLX module parses and its types fit.

    XLS stops at the first error, so there is one.

    Examples
    --------
    >>> check_dslx("fn twice(x: s8) -> s8 { x + x }")
    """
    try:
        step({"step": "check", "source": source}, "checking DSLX", SECONDS)
    except ToolTimeout:
        raise
    except ToolFailed as error:
        raise SourceRefused("The DSLX source", source, [fault(error.output)]) from None
