"""The values of C++ expressions that clang can work out while compiling."""

from __future__ import annotations

import ctypes
from typing import Any

__all__ = ["evaluated"]

_INTEGER, _FLOAT = 1, 2  # libclang's CXEvalResultKind


def evaluated(node: Any) -> int | float | None:
    """The value of an expression; None where it has none before the program runs.

    Parameters
    ----------
    node
        libclang's cursor. Its Python module does not have this function of the library.
    """
    from clang import cindex

    library: Any = cindex.conf.lib
    evaluate, dispose = library.clang_Cursor_Evaluate, library.clang_EvalResult_dispose
    evaluate.argtypes, evaluate.restype = [cindex.Cursor], ctypes.c_void_p
    ask_integer, ask_float = library.clang_EvalResult_getAsLongLong, library.clang_EvalResult_getAsDouble
    ask_integer.restype, ask_float.restype = ctypes.c_longlong, ctypes.c_double
    for function in (library.clang_EvalResult_getKind, ask_integer, ask_float, dispose):
        function.argtypes = [ctypes.c_void_p]
    result = evaluate(node)
    if not result:
        return None
    kind = library.clang_EvalResult_getKind(result)
    value = ask_integer(result) if kind == _INTEGER else ask_float(result) if kind == _FLOAT else None
    dispose(result)
    return value
