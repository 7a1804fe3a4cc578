"""How a C++ type spells a number in bits, and where it keeps its binary point.

Every value of the compiler is an exact integer; a `Format` says what a variable of that type can hold of it. It is
read from the type that clang gives to each expression, so that the rules of ap_int and ap_fixed for the widths of
intermediate results are the headers' own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

__all__ = ["BOOLEAN", "INT", "Format", "format_of"]

_SIGNED = {"CHAR_S", "SCHAR", "SHORT", "INT", "LONG", "LONGLONG"}
_UNSIGNED = {"CHAR_U", "UCHAR", "USHORT", "UINT", "ULONG", "ULONGLONG"}
_TEMPLATE = re.compile(r"ap_(u?)(int|fixed)(?:_base)?<(.*)>$")


@dataclass(frozen=True)
class Format:
    """What a type holds.

    Attributes
    ----------
    width, fraction
        Bits, and those of them behind the binary point: the integer i stands for i / 2^fraction.
    signed
        Two's complement, or not.
    rounding, overflow
        The modes of ap_fixed, which act when a value is assigned.
    fixed
        Whether it is an ap_fixed: it is cut towards zero where it becomes an integer.
    boolean
        C++'s bool: 1 for whatever is not 0.

    Examples
    --------
    >>> byte = Format(8)
    >>> byte.low, byte.high
    (-128, 127)
    """

    width: int
    fraction: int = 0
    signed: bool = True
    rounding: str = "AP_TRN"
    overflow: str = "AP_WRAP"
    fixed: bool = False
    boolean: bool = False

    @property
    def low(self) -> int:
        """The least integer."""
        return -(1 << self.width - 1) if self.signed else 0

    @property
    def high(self) -> int:
        """The greatest integer."""
        return (1 << self.width - self.signed) - 1

    def __str__(self) -> str:
        if self.boolean:
            return "bool"
        sign = "" if self.signed else "u"
        if not self.fixed:
            return f"ap_{sign}int<{self.width}>"
        modes = "" if (self.rounding, self.overflow) == ("AP_TRN", "AP_WRAP") else f", {self.rounding}, {self.overflow}"
        return f"ap_{sign}fixed<{self.width}, {self.width - self.fraction}{modes}>"


BOOLEAN = Format(1, signed=False, boolean=True)
INT = Format(32)


def format_of(kind: Any) -> Format | None:
    """The format of a type as libclang has it; None for what is no number of the subset."""
    kind = kind.get_canonical()
    if kind.kind.name in ("LVALUEREFERENCE", "RVALUEREFERENCE"):
        kind = kind.get_pointee().get_canonical()
    name = kind.kind.name
    if name == "BOOL":
        return BOOLEAN
    if name in _SIGNED | _UNSIGNED:
        return Format(8 * kind.get_size(), signed=name in _SIGNED)
    if name == "ENUM":
        return INT
    return _template(kind.spelling.replace("const ", "").replace("volatile ", ""))


def _template(spelling: str) -> Format | None:
    if spelling.startswith(("ap_bit_ref<", "af_bit_ref<")):
        return BOOLEAN
    found = _TEMPLATE.match(spelling)
    if found is None:
        return None
    words = [word.strip() for word in found[3].split(",")]
    base = "_base<" in spelling
    width, signed = int(words[0]), not found[1]
    if found[2] == "int":
        return Format(width, signed=words[1] == "true" if base and len(words) > 1 else signed)
    rest = words[2:]
    if base and rest and rest[0] in ("true", "false"):
        signed, rest = rest[0] == "true", rest[1:]
    rounding, overflow = (*rest[:2], *("AP_TRN", "AP_WRAP")[len(rest) :])
    return Format(width, width - int(words[1]), signed, rounding, overflow, fixed=True)
