"""An error inside an interpreted kernel, told by its line, without the interpreter's own frames."""

from __future__ import annotations

import linecache
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

__all__ = ["KernelError", "call"]


class KernelError(RuntimeError):
    """A kernel stopped in the interpreter; the message has its line and the cause."""


def call(function: Callable[..., Any], args: tuple, kwargs: dict[str, Any]) -> Any:
    """Call ``function(*args, **kwargs)``; an error inside one of its kernels comes out short.

    Raises
    ------
    KernelError
        If a kernel stopped, with the line of the kernel that did it.
    NotImplementedError
        If a kernel is still a stub.
    """
    try:
        return function(*args, **kwargs)
    except Exception as error:
        inner: BaseException = error
        while type(inner).__name__ == "InterpreterError" and inner.__cause__ is not None:
            inner = inner.__cause__
        if inner is error:
            raise
        raised = inner if isinstance(inner, NotImplementedError) else KernelError(_describe(inner))
    raise raised.with_traceback(None)


def _describe(error: BaseException) -> str:
    """Where the student's code stopped, and why."""
    text = f"{type(error).__name__}: {error}"
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        line = linecache.getline(frame.filename, frame.lineno or 0).strip()
        ours = frame.filename.startswith((str(Path(__file__).parent), "<frozen")) or "site-packages" in frame.filename
        if line and not ours:
            return f"the kernel {frame.name} stopped at `{line}`. {text}"
    return text
