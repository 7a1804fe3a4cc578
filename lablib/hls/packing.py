"""Integers in wires: arrays of values to the bits of a port and back.

A wide port carries several elements, element 0 in its lowest bits, as in ``x[8*i +: 8]``.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from lablib.hls.errors import HardwareError
from lablib.hls.verilog import Port

__all__ = ["pack", "unpack", "word_count"]


def word_count(port: Port) -> int:
    """How many 32-bit words hold the port."""
    return -(-port.bits // 32)


def pack(port: Port, values: Any) -> np.ndarray:
    """The words that put values on a port.

    Parameters
    ----------
    port
        Where they go.
    values
        Integers, shape (n,) for one value a vector or (n, k) for k elements of ``bits / k`` bits each. Elements are
        signed if any of them is negative.

    Returns
    -------
    numpy.ndarray
        Shape (n, words), uint32.

    Raises
    ------
    HardwareError
        They are not integers, do not divide the port, or do not fit.

    Examples
    --------
    >>> pack(Port("x", "input", 16), [[1, -1]])
    array([[65281]], dtype=uint32)
    """
    array = np.asarray(values)
    if array.dtype == bool:
        array = array.astype(np.int64)
    if array.dtype.kind not in "iu" or array.ndim not in (1, 2):
        raise HardwareError(
            f"{port.name} takes integers of shape (vectors,) or (vectors, elements): "
            f"it got {array.dtype} of shape {array.shape}."
        )
    elements = array if array.ndim == 2 else array[:, None]
    bits = _element_bits(port, elements.shape[1])
    _check_range(port, elements, bits)
    words = elements.astype(np.uint64)  # two's complement
    spread = (words[:, :, None] >> np.arange(bits, dtype=np.uint64)) & np.uint64(1)
    flat = np.zeros((len(array), word_count(port) * 32), dtype=np.uint8)
    flat[:, : port.bits] = spread.reshape(len(array), port.bits)
    return np.packbits(flat, axis=1, bitorder="little").view("<u4")


def unpack(port: Port, words: np.ndarray, element: str | None = None) -> np.ndarray:
    """The values that a port had.

    Parameters
    ----------
    port
        Where they were read.
    words
        Shape (n, words), uint32.
    element
        Type of one element, ``"s8"`` or ``"u12"``; without it the port is one value, signed as it is declared.

    Returns
    -------
    numpy.ndarray
        int64 (uint64 for 64 unsigned bits), shape (n,), or (n, elements) if ``element`` is given.

    Examples
    --------
    >>> unpack(Port("y", "output", 16), np.array([[65281]], dtype=np.uint32), "s8")
    array([[ 1, -1]])
    """
    signed, bits = _element(port, element)
    raw = np.ascontiguousarray(words, dtype="<u4").view(np.uint8)
    spread = np.unpackbits(raw, axis=1, bitorder="little", count=port.bits)
    spread = spread.reshape(len(words), port.bits // bits, bits).astype(np.uint64)
    values = (spread << np.arange(bits, dtype=np.uint64)).sum(axis=2, dtype=np.uint64)
    if signed:
        shift = np.int64(64 - bits)
        values = (values << np.uint64(shift)).view(np.int64) >> shift
    elif bits < 64:
        values = values.astype(np.int64)
    return values if element else values[:, 0]


def _element_bits(port: Port, count: int) -> int:
    if count == 0 or port.bits % count:
        raise HardwareError(f"{port.name} has {port.bits} bits, which {count} elements do not divide.")
    if port.bits // count > 64:
        raise HardwareError(
            f"{port.name} has {port.bits} bits, more than one value can have: give it an array (vectors, elements)."
        )
    return port.bits // count


def _check_range(port: Port, elements: np.ndarray, bits: int) -> None:
    if not elements.size:
        return
    low, high = int(elements.min()), int(elements.max())
    signed = low < 0 or (port.signed and bits == port.bits)
    least, most = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    if low < least or high > most:
        got = f"{low} to {high}" if low < high else str(low)
        kind = f"{'signed' if signed else 'unsigned'} {bits}-bit"
        raise HardwareError(f"{port.name} takes {kind} elements, {least} to {most}: it got {got}.")


def _element(port: Port, element: str | None) -> tuple[bool, int]:
    if element is None:
        if port.bits > 64:
            raise HardwareError(
                f"{port.name} has {port.bits} bits, more than one value: say how they are cut, "
                f'elements={{"{port.name}": "s8"}} for example.'
            )
        return port.signed, port.bits
    form = re.fullmatch(r"([su])([1-9]\d?)", element)
    if form is None or int(form[2]) > 64 or port.bits % int(form[2]):
        raise HardwareError(
            f"{element!r} does not cut the {port.bits} bits of {port.name}: expected s (signed) or u (unsigned) "
            "and a number of bits up to 64 that divides them, such as s8."
        )
    return form[1] == "s", int(form[2])
