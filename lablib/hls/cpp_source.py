"""Read a student's HLS C++: its errors, its functions and the types that they take.

libclang parses the source with the headers that hls4ml ships, and with g++'s own standard library.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import re
from functools import cache
from pathlib import Path
from typing import Any

from lablib.hls.build import built, run
from lablib.hls.cpp_types import Number, Parameter, Signature
from lablib.hls.cpp_writes import written
from lablib.hls.engines import CLANG, GXX, HLS4ML
from lablib.hls.errors import EngineMissing, HardwareError
from lablib.hls.source_errors import SourceError, SourceRefused

__all__ = ["FILE", "check_source", "flags", "function_of", "headers", "parsed", "signature_at", "signature_of"]

FILE = "kernel.cpp"
"""What libclang calls the student's source."""
_INCOMPLETE = 0x02  # libclang's CXTranslationUnit_Incomplete: a header is no whole program
_ERROR = 3  # libclang's severities: 3 is an error, 4 a fatal one
_BUILTIN = {
    "BOOL": ("integer", False), "CHAR_S": ("integer", True), "CHAR_U": ("integer", False), "SCHAR": ("integer", True),
    "UCHAR": ("integer", False), "SHORT": ("integer", True), "USHORT": ("integer", False), "INT": ("integer", True),
    "UINT": ("integer", False), "LONG": ("integer", True), "ULONG": ("integer", False), "LONGLONG": ("integer", True),
    "ULONGLONG": ("integer", False), "FLOAT": ("float", True), "DOUBLE": ("float", True),
}  # fmt: skip


def headers() -> Path:
    """The folder of ap_int.h, ap_fixed.h, hls_stream.h and hls_math.h; hls4ml itself takes seconds to import."""
    found = importlib.util.find_spec(HLS4ML.module)
    if found is None or found.origin is None:
        HLS4ML.require()
        raise EngineMissing("hls4ml has no folder of its own: run pip install hls4ml.")
    folder = Path(found.origin).parent / "templates" / "vivado" / "ap_types"
    if not (folder / "ap_fixed.h").is_file():
        raise EngineMissing("This hls4ml does not ship ap_fixed.h where it used to: run pip install hls4ml==1.3.0.")
    return folder


def flags() -> list[str]:
    """What both compilers are told. Signed overflow wraps, as bits do, and the headers' assertions are off."""
    return ["-std=c++17", "-fwrapv", "-DNDEBUG", "-Wno-unknown-pragmas", "-Werror=return-type", f"-I{headers()}"]


def check_source(source: str) -> None:
    """Raise `SourceRefused` unless C++ source compiles.

    Examples
    --------
    >>> check_source("void f(int x[4]) { x[0] = 1; }")
    """
    parsed(source)


def signature_of(source: str, top: str) -> Signature:
    """What the function `top` takes and gives.

    Parameters
    ----------
    source, top
        HLS C++, and the name of a function that it defines.

    Raises
    ------
    SourceRefused
        It does not compile.
    HardwareError
        There is no such function, or a parameter has a type that no array holds.

    Examples
    --------
    >>> print(signature_of("void scale(int x[4], int y[4]) { for (int i = 0; i < 4; i++) y[i] = 2 * x[i]; }", "scale"))
    scale(int x[4]) -> int y[4]
    """
    return signature_at(function_of(parsed(source), top))


def signature_at(function: Any) -> Signature:
    """What the function at a cursor takes and gives."""
    changed = written(function)
    parameters = tuple(_parameter(each, each.spelling in changed) for each in function.get_arguments())
    unnamed = [number for number, each in enumerate(parameters, 1) if not each.name]
    if unnamed:
        raise HardwareError(
            f"Line {function.location.line}: parameter {unnamed[0]} of {function.spelling} has no name."
        )
    returned = function.result_type
    void, what = returned.get_canonical().kind.name == "VOID", f"what {function.spelling} returns"
    return Signature(function.spelling, parameters, None if void else _number(returned, what, function.location.line))


def parsed(source: str) -> Any:
    """libclang's translation unit of C++ source.

    The headers that it includes before anything else are compiled once and kept: they take longer than all the rest.

    Raises
    ------
    SourceRefused
        It does not compile.
    """
    clang = CLANG.require()
    arguments = [*flags(), *(f"-isystem{folder}" for folder in _standard_folders(GXX.require()))]
    includes = _leading_includes(source)
    if includes:
        arguments += ["-include-pch", str(_precompiled(includes, arguments) / "headers.pch")]
    unit = clang.Index.create().parse(FILE, args=arguments, unsaved_files=[(FILE, source)])
    errors = [_error(each) for each in unit.diagnostics if each.severity >= _ERROR]
    if errors:
        raise SourceRefused("The C++ source", source, errors)
    return unit


def _leading_includes(source: str) -> str:
    """The headers of its first lines, as far as they are there: one that is missing is the source's own error."""
    found = []
    for line in source.splitlines():
        include = re.match(r'\s*#\s*include\s*([<"][\w./]+[>"])\s*$', line)
        if include is None and line.strip() and not line.strip().startswith("//"):
            break
        if include is not None:
            found.append(f"#include {include[1]}")
    return "\n".join(dict.fromkeys(found))


def _precompiled(includes: str, arguments: list[str]) -> Path:
    clang = CLANG.require()
    ages = {path.name: path.stat().st_mtime_ns for path in headers().glob("*.h")}

    # The text lies in a folder of its own: what is compiled names its file, which may not move.
    text = built("includes", {"includes": includes}, lambda folder: _write(folder / "headers.hpp", includes))

    def make(folder: Path) -> None:
        options = ["-x", "c++-header", *arguments]
        unit = clang.Index.create().parse(str(text / "headers.hpp"), args=options, options=_INCOMPLETE)
        unit.save(str(folder / "headers.pch"))

    version = importlib.metadata.version(CLANG.distribution)
    inputs = {
        "text": str(text),
        "arguments": repr(arguments),
        "version": version,
        "headers": repr(sorted(ages.items())),
    }
    return built("headers", inputs, make)


def _write(path: Path, text: str) -> None:
    path.write_text(text + "\n")


def _error(diagnostic: Any) -> SourceError:
    """An error inside a header is the student's where the student's line led there, which the last note tells."""
    for each in [diagnostic, *reversed(list(diagnostic.children))]:
        if each.location.file is not None and each.location.file.name == FILE:
            return SourceError(each.location.line, diagnostic.spelling, each.location.column)
    return SourceError(0, diagnostic.spelling)


@cache
def _standard_folders(compiler: str) -> tuple[str, ...]:
    """Where g++ has its standard library: libclang brings none."""
    said = run([compiler, "-E", "-x", "c++", "-v", "/dev/null"], Path("/"), 20.0, "asking g++ for its headers")
    listed = said.partition("#include <...> search starts here:")[2].partition("End of search list.")[0]
    return tuple(line.strip() for line in listed.splitlines() if line.strip())


def function_of(unit: Any, top: str) -> Any:
    """The cursor of the one function of that name with a body."""
    own = [each for each in unit.cursor.get_children() if each.location.file and each.location.file.name == FILE]
    if any(each.kind.name == "FUNCTION_DECL" and each.spelling == "main" for each in own):
        raise HardwareError("The source defines main: leave the testbench out, Python calls the kernel.")
    defined = [each for each in own if each.kind.name == "FUNCTION_DECL" and each.is_definition()]
    found = [each for each in defined if each.spelling == top]
    if len(found) == 1:
        return found[0]
    if found:
        lines = ", ".join(str(each.location.line) for each in found)
        raise HardwareError(f"{top} is defined {len(found)} times, on lines {lines}: the top function is one function.")
    if any(each.kind.name == "FUNCTION_TEMPLATE" and each.spelling == top for each in own):
        raise HardwareError(f"{top} is a template: the top function has fixed types.")
    names = ", ".join(dict.fromkeys(each.spelling for each in defined)) or "no function"
    raise HardwareError(f"The source defines no function {top!r}: it defines {names}.")


def _parameter(cursor: Any, changed: bool) -> Parameter:
    line, name = cursor.location.line, cursor.spelling
    kind = cursor.type.get_canonical()
    reference = kind.kind.name == "LVALUEREFERENCE"
    if reference:
        kind = kind.get_pointee()
    if kind.spelling.removeprefix("const ").startswith("hls::stream<"):
        if not reference:
            raise HardwareError(f"Line {line}: {name} is a stream by value: write hls::stream<...> &{name}.")
        return Parameter(name, _number(kind.get_template_argument_type(0), name, line), (), True, changed)
    shape: list[int] = []
    while kind.kind.name == "CONSTANTARRAY":
        shape.append(kind.element_count)
        kind = kind.element_type
    if kind.kind.name in ("POINTER", "INCOMPLETEARRAY"):
        raise HardwareError(
            f"Line {line}: {name} is {cursor.type.spelling}, which does not say how many elements it has: "
            f"write {name}[16] or the like."
        )
    # What is passed by value is the function's own copy, whatever it does with it.
    return Parameter(name, _number(kind, name, line), tuple(shape), False, changed and (reference or bool(shape)))


def _number(kind: Any, name: str, line: int) -> Number:
    kind = kind.get_canonical()
    declaration = kind.get_declaration()
    family, spelling = declaration.spelling, kind.spelling.removeprefix("const ")
    try:
        if kind.kind.name in _BUILTIN:
            family, signed = _BUILTIN[kind.kind.name]
            return Number(spelling, family, 1 if kind.kind.name == "BOOL" else 8 * kind.get_size(), 0, signed)
        if family in ("ap_int", "ap_uint"):
            return Number(spelling, "integer", declaration.get_template_argument_value(0), 0, family == "ap_int")
        if family in ("ap_fixed", "ap_ufixed"):
            width, whole = (declaration.get_template_argument_value(place) for place in (0, 1))
            return Number(spelling, "fixed", width, width - whole, family == "ap_fixed")
    except HardwareError as error:
        raise HardwareError(f"Line {line}, {name}: {error}") from None
    raise HardwareError(
        f"Line {line}: {name} is {spelling}: expected ap_int, ap_uint, ap_fixed, ap_ufixed, a C++ number, "
        "an array or an hls::stream of these."
    )
