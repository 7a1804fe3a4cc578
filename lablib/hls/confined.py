"""C++ and DSLX from somebody else, before a compiler of ours reads it.

A grader compiles hand-ins where they were not written. `csim` would run them, so a grader never calls it; it compiles
to RTL, which is a simulation of gates whatever the text says. Four doors remain: a preprocessor that opens any file
that it is told to, macros that double one another until memory ends, names that Verilog takes for its own system tasks,
and DSLX's attribute for foreign Verilog. `confined` and `confined_dslx` close them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from lablib.hls.errors import HardwareError

__all__ = ["confined", "confined_dslx"]

_MOST = 200_000  # characters, and names and numbers after the macros
_DIRECTIVE = re.compile(
    r'\s*#\s*(?:include\s*(["<])(?:ap_int|ap_fixed|hls_math|hls_stream)\.h[">]\s*|pragma\s+HLS\b.*'
    r"|define\s+(?P<macro>\w+)(?![\w(])(?P<text>[^#]*))"
)


def confined(source: object) -> str:
    """Return C++ text unless it reaches beyond itself.

    Parameters
    ----------
    source
        HLS C++ as a string.

    Raises
    ------
    HardwareError
        It is no text, it is too long, with its macros or without, it includes other files than the HLS headers, it
        defines macros with parameters, or it has characters that C++ does not need and Verilog would read differently:
        the message names the line.

    Examples
    --------
    >>> confined("void twice(int x, int &y) { y = 2 * x; }")
    'void twice(int x, int &y) { y = 2 * x; }'
    >>> confined('#include "/etc/passwd"')
    Traceback (most recent call last):
        ...
    lablib.hls.errors.HardwareError: Line 1: #include "/etc/passwd" is not allowed: expected #include of ap_int.h, ap_fixed.h, hls_math.h or hls_stream.h, #pragma HLS or #define of a name.
    """  # noqa: E501
    lengths: dict[str, int] = {}  # of every word so far, with macros written out
    total = 0
    for number, line in _lines(source, "C++"):
        # %: and ??= are other spellings of #; a comment could hide a directive, so no # is left unread.
        directive = _DIRECTIVE.fullmatch(line)
        if ("#" in line or "%:" in line or "??" in line) and not directive:
            expected = "#include of ap_int.h, ap_fixed.h, hls_math.h or hls_stream.h, #pragma HLS or #define of a name"
            raise HardwareError(f"Line {number}: {line.strip()[:80]} is not allowed: expected {expected}.")
        macro, text = directive.group("macro", "text") if directive else (None, line)
        words = re.findall(r"\w+", text or "")
        length = sum(lengths.setdefault(word, 1) for word in words)
        total += length
        if macro in lengths:
            raise HardwareError(f"Line {number}: {macro} is in use before this line defines it: define it once, first.")
        if macro:
            lengths[macro] = length
        if total > _MOST:
            raise HardwareError(f"Line {number}: with its macros written out the text exceeds {_MOST:,} words.")
    return str(source)


def confined_dslx(source: object) -> str:
    """Return DSLX text unless it imports modules or has attributes, which may carry Verilog.

    Raises
    ------
    HardwareError
        As `confined`.

    Examples
    --------
    >>> confined_dslx("fn twice(x: s8) -> s8 { x + x }")
    'fn twice(x: s8) -> s8 { x + x }'
    """
    for number, line in _lines(source, "DSLX"):
        if "#" in line or re.search(r"\bimport\b", line):
            raise HardwareError(f"Line {number}: {line.strip()[:80]} is not allowed: expected no import and no #.")
    return str(source)


def _lines(source: object, language: str) -> Iterator[tuple[int, str]]:
    """The lines of a text of bounded length in plain characters, numbered from 1."""
    if type(source) is not str:
        raise HardwareError(f"Expected the {language} as one string, got {type(source).__name__}.")
    if len(source) > _MOST:
        raise HardwareError(f"Expected at most {_MOST:,} characters of {language}, got {len(source):,}.")
    for number, line in enumerate(re.split(r"\r\n|\r|\n", source), 1):
        odd = re.search(r"[^\t -~]|[$\\`]", line)
        if odd:
            what = "letters, digits and signs of ASCII, without $, ` and backslash"
            raise HardwareError(f"Line {number}: {odd[0]!r} is not allowed: expected {what}.")
        yield number, line
