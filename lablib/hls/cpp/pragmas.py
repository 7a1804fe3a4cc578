"""The HLS pragmas of a source, from its tokens: clang itself drops what it does not know.

A pragma belongs to the innermost braces around it: the body of a loop, or that of a function.
"""

from __future__ import annotations

from typing import Any

from lablib.hls.cpp.refusal import refused
from lablib.hls.cpp.tree import Pragma

__all__ = ["IGNORED", "check", "pragmas_of"]

_OPTIONS = {
    "PIPELINE": {"II", "off", "style"},
    "UNROLL": {"factor", "skip_exit_check"},
    "ARRAY_PARTITION": {"variable", "type", "factor", "dim", "complete", "cyclic", "block"},
    "BIND_OP": {"variable", "op", "impl", "latency"},
    "ALLOCATION": {"operation", "instances", "limit"},
    "LOOP_FLATTEN": {"off"},
}
IGNORED = {"INLINE", "INTERFACE", "LOOP_TRIPCOUNT"}
"""Pragmas that change nothing here: calls are always inlined, ports are fixed, trip counts are known."""

_OF_LOOPS = {"UNROLL", "LOOP_FLATTEN", "LOOP_TRIPCOUNT"}


def pragmas_of(unit: Any, file: str) -> list[tuple[int, Pragma]]:
    """All HLS pragmas of a file, each with the offset at which it stands."""
    tokens = [token for token in unit.get_tokens(extent=unit.cursor.extent) if token.location.file.name == file]
    found = []
    for at in range(len(tokens) - 2):
        words = [token.spelling for token in tokens[at : at + 3]]
        if words[:2] == ["#", "pragma"] and words[2].upper() == "HLS":
            line = tokens[at].location.line
            rest = [token.spelling for token in tokens[at + 3 :] if token.location.line == line]
            found.append((tokens[at].location.offset, _pragma(line, rest)))
    return found


def _pragma(line: int, words: list[str]) -> Pragma:
    """Words such as ``UNROLL factor = 4``."""
    if not words:
        raise refused(line, "an HLS pragma without a name", "name one, PIPELINE for example")
    name, options, at = words[0].upper(), {}, 1
    while at < len(words):
        if words[at] == ",":
            at += 1
        elif at + 1 < len(words) and words[at + 1] == "=":
            if at + 2 == len(words):
                raise refused(line, f"{name} with an empty {words[at]}", f"give {words[at]} a value")
            options[words[at]] = words[at + 2]
            at += 3
        else:
            options[words[at]] = ""
            at += 1
    return Pragma(name, line, options)


def check(pragma: Pragma, in_loop: bool) -> None:
    """Refuse a pragma that is unknown, or has an unknown option, or stands where it means nothing."""
    if pragma.name in IGNORED:
        return
    if pragma.name == "DATAFLOW":
        what = "write the tasks as loops one after the other, or compile each as a kernel of its own"
        raise refused(pragma.line, "#pragma HLS DATAFLOW", what)
    if pragma.name not in _OPTIONS:
        known = ", ".join(_OPTIONS)
        raise refused(pragma.line, f"#pragma HLS {pragma.name}", f"use one of {known}")
    unknown = set(pragma.options) - _OPTIONS[pragma.name]
    if unknown:
        known = ", ".join(sorted(_OPTIONS[pragma.name]))
        raise refused(pragma.line, f"{pragma.name} with the option {sorted(unknown)[0]}", f"use one of {known}")
    if pragma.name == "ALLOCATION" and in_loop:
        raise refused(pragma.line, "ALLOCATION inside a loop", "write it in the function, outside of its loops")
    if pragma.name in _OF_LOOPS and not in_loop:
        where = "write it as the first line inside the loop's braces"
        raise refused(pragma.line, f"{pragma.name} outside of a loop", where)
