"""DSLX types, as XLS itself inferred and prints them: ``sN[8][16]`` for an array of 16 signed bytes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from lablib.hls.bits import WIDEST, BitsType
from lablib.hls.errors import HardwareError

__all__ = ["DslxType", "OtherType", "TupleType", "arrays_of", "parse_type", "values_of"]


@dataclass(frozen=True)
class TupleType:
    """Several values of different types."""

    elements: tuple[DslxType, ...]

    @property
    def width(self) -> int:
        """Bits of all elements."""
        return sum(element.width for element in self.elements)

    def __str__(self) -> str:
        return f"({', '.join(map(str, self.elements))})"


@dataclass(frozen=True)
class OtherType:
    """A struct, an enum or an array of tuples: hardware has them, numpy does not."""

    name: str
    width: int = 0

    def __str__(self) -> str:
        return self.name


DslxType = BitsType | TupleType | OtherType

_BITS = re.compile(r"(u|s)N\[(\d+)\]((?:\[\d+\])*)")


def parse_type(text: str) -> DslxType:
    """Read a type as XLS prints it.

    Examples
    --------
    >>> parse_type("(sN[8][16], uN[1])")
    TupleType(elements=(BitsType(bits=8, signed=True, shape=(16,)), BitsType(bits=1, signed=False, shape=())))
    """
    text = text.strip()
    bits = _BITS.fullmatch(text)
    if bits:
        shape = tuple(int(n) for n in reversed(re.findall(r"\d+", bits[3])))
        return BitsType(int(bits[2]), bits[1] == "s", shape)
    if text.startswith("(") and text.endswith(")"):
        return TupleType(tuple(parse_type(part) for part in _parts(text[1:-1])))
    return OtherType(text)


def _parts(text: str) -> list[str]:
    """Split at the commas that are in no bracket."""
    parts, depth = [""], 0
    for character in text:
        depth += (character in "([{") - (character in ")]}")
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return [part for part in parts if part.strip()]


def values_of(array: np.ndarray, kind: BitsType) -> list[Any]:
    """XLS values of a batch of one parameter."""
    from xls import Value as value

    make = value.make_sbits if kind.signed else value.make_ubits

    def built(part: np.ndarray) -> Any:
        return make(kind.bits, int(part)) if part.ndim == 0 else value.make_array([built(one) for one in part])

    return [built(one) for one in array]


def arrays_of(values: list[Any], kind: DslxType, batch: tuple[int, ...], name: str) -> Any:
    """Numpy arrays of a batch of XLS values."""
    if isinstance(kind, TupleType):
        columns = [[value.get_element(i) for value in values] for i in range(len(kind.elements))]
        return tuple(arrays_of(one, part, batch, name) for one, part in zip(columns, kind.elements, strict=True))
    if not isinstance(kind, BitsType) or kind.bits > WIDEST:
        raise HardwareError(
            f"{name} gives {kind}: numpy can hold integers of up to 64 bits, arrays and tuples of them."
        )

    def read(value: Any, depth: int) -> Any:
        if depth:
            return [read(value.get_element(i), depth - 1) for i in range(value.get_element_count())]
        return value.get_bits().to_int64() if kind.signed else value.get_bits().to_uint64()

    numbers = [read(value, len(kind.shape)) for value in values]
    return np.array(numbers, dtype=kind.dtype).reshape((*batch, *kind.shape))
