"""Integers of a given width, and how numpy arrays travel on wires.

Hardware has no dtype for numpy to guess: a port has a number of bits, and a sign or none. A value that does not fit is
refused, where hardware would drop its upper bits without a word.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from lablib.hls.errors import HardwareError

__all__ = ["BitsType", "bits_for", "checked"]

WIDEST = 64  # numpy's widest integer


@dataclass(frozen=True)
class BitsType:
    """An integer, or an array of integers of one width.

    Attributes
    ----------
    bits
        Width of one integer.
    signed
        Whether it is two's complement.
    shape
        Shape of the array, ``()`` for one integer.

    Examples
    --------
    >>> byte = BitsType(8, signed=True, shape=(16,))
    >>> str(byte), byte.low, byte.high, byte.width
    ('s8[16]', -128, 127, 128)
    """

    bits: int
    signed: bool
    shape: tuple[int, ...] = ()

    @property
    def low(self) -> int:
        """The lowest value."""
        return -(1 << (self.bits - 1)) if self.signed else 0

    @property
    def high(self) -> int:
        """The highest value."""
        return (1 << (self.bits - self.signed)) - 1

    @cached_property
    def width(self) -> int:
        """Bits of the whole array."""
        return self.bits * int(np.prod(self.shape, dtype=int))

    @property
    def dtype(self) -> type[np.integer[Any]]:
        """What numpy holds it in: int64, or uint64 where the top bit is a value's."""
        return np.uint64 if self.bits == WIDEST and not self.signed else np.int64

    def __str__(self) -> str:
        # DSLX writes the innermost dimension first: s8[2][3] holds 3 arrays of 2.
        return f"{'s' if self.signed else 'u'}{self.bits}" + "".join(f"[{n}]" for n in reversed(self.shape))


def bits_for(low: int, high: int) -> BitsType:
    """The narrowest signed type that holds `low` to `high`.

    Examples
    --------
    >>> str(bits_for(-128, 128))
    's9'
    """
    return BitsType(
        1 + max((-low - 1 if low < 0 else low).bit_length(), (-high - 1 if high < 0 else high).bit_length()), True
    )


def checked(value: object, kind: object, name: str) -> np.ndarray:
    """The value as an array of shape ``(*batch, *kind.shape)`` that fits its type.

    Parameters
    ----------
    value
        Array-like of integers, of shape ``kind.shape`` with any number of batch dimensions before it.
    kind, name
        The parameter's type and name.

    Raises
    ------
    HardwareError
        It has another shape, is no integer, or an element does not fit; the message names the element.
    """
    if not isinstance(kind, BitsType) or kind.bits > WIDEST:
        raise HardwareError(
            f"{name} has type {kind}: numpy can give integers of up to {WIDEST} bits and arrays of them."
        )
    try:
        array = np.asarray(value)
    except ValueError:
        raise HardwareError(
            f"{name} has type {kind}: expected an array of integers, got rows of unequal length."
        ) from None
    if array.dtype.kind in "fO" and not isinstance(value, np.ndarray | np.generic):
        exact = np.asarray(value, dtype=object)  # 2**63 beside -1 makes numpy choose floats
        array = exact if all(isinstance(one, int | np.integer) for one in exact.flat) else array
    if array.dtype.kind not in "iub" and not (array.dtype == object and array.size and isinstance(array.flat[0], int)):
        raise HardwareError(f"{name} has type {kind}: expected integers, got {array.dtype}.")
    rank = len(kind.shape)
    if array.ndim < rank or array.shape[array.ndim - rank :] != kind.shape:
        expected = f"shape (…, {', '.join(map(str, kind.shape))})" if rank else "integers"
        raise HardwareError(f"{name} has type {kind}: expected {expected}, got shape {array.shape}.")
    outside = (array < kind.low) | (array > kind.high)
    if outside.any():
        index = tuple(int(i) for i in np.argwhere(outside)[0])
        where = f"{name}[{', '.join(map(str, index))}]" if index else name
        raise HardwareError(f"{where} is {array[index]}: {kind} takes {kind.low} to {kind.high} only.")
    return array.astype(kind.dtype)
