"""Cells of HLS C++ and of DSLX in a notebook.

``%load_ext lablib.hls.magics`` adds two magics. Their cell is kept as text under a name, checked, and shown with its
errors at their lines:

    %%hls_cpp dense_cpp
    void dense(int x[4], int y[4]) { ... }

and then, in the next cell, ``csim(dense_cpp, "dense")``. Outside a notebook `hls_cpp` and `dslx` do the same.
"""

from __future__ import annotations

import keyword
from collections.abc import Callable, MutableMapping
from typing import Any

from lablib.hls.cpp_source import check_source
from lablib.hls.dslx_source import check_dslx
from lablib.hls.errors import EngineMissing, HardwareError, ToolFailed
from lablib.hls.source_errors import SourceRefused
from lablib.hls.source_listing import SourceListing

__all__ = ["dslx", "hls_cpp", "load_ipython_extension"]


def hls_cpp(name: str, source: str, namespace: MutableMapping[str, Any]) -> SourceListing:
    """Keep HLS C++ under a name, and check it.

    Parameters
    ----------
    name, source
        The variable's name, and its text.
    namespace
        Where the variable is: ``globals()``.

    Returns
    -------
    SourceListing
        The text with its errors; a notebook shows it highlighted. The text is kept even if it has errors.

    Raises
    ------
    HardwareError
        The name is not a variable's.

    Examples
    --------
    >>> kept = {}
    >>> print(hls_cpp("twice_cpp", "int twice(int x) { return x + y; }", kept))
    twice_cpp: C++, 1 error.
       1  int twice(int x) { return x + y; }
       >>  line 1: use of undeclared identifier 'y'
    """
    return _keep("%%hls_cpp", "C++", check_source, name, source, namespace)


def dslx(name: str, source: str, namespace: MutableMapping[str, Any]) -> SourceListing:
    """Keep DSLX under a name, and check it; as `hls_cpp`.

    Examples
    --------
    >>> print(dslx("twice_x", "fn twice(x: s8) -> s8 { x + x }", {}))
    twice_x: DSLX, no errors.
       1  fn twice(x: s8) -> s8 { x + x }
    """
    return _keep("%%dslx", "DSLX", check_dslx, name, source, namespace)


def load_ipython_extension(shell: Any) -> None:
    """Add the magics to an IPython shell; ``%load_ext lablib.hls.magics`` calls it."""

    def magic(keep: Callable[..., SourceListing]) -> Callable[[str, str], SourceListing]:
        # An empty line stands for the magic's own, so that a line has the number that the cell's editor shows.
        return lambda line, cell: keep(line.strip(), f"\n{cell}", shell.user_ns)

    shell.register_magic_function(magic(hls_cpp), "cell", "hls_cpp")
    shell.register_magic_function(magic(dslx), "cell", "dslx")


def _keep(
    magic: str,
    language: str,
    check: Callable[[str], None],
    name: str,
    source: str,
    namespace: MutableMapping[str, Any],
) -> SourceListing:
    if not name.isidentifier() or keyword.iskeyword(name):
        raise HardwareError(f"{magic} takes the name of a variable for the source, such as dense_source; got {name!r}.")
    namespace[name] = source
    try:
        check(source)
    except SourceRefused as error:
        return SourceListing(name, language, source, error.errors)
    except (EngineMissing, ToolFailed) as error:
        return SourceListing(name, language, source, note=str(error))
    return SourceListing(name, language, source)
