"""Dot product of two vectors: all products at once, or one after the other.

    y = sum_i x[i] w[i]

    dot    x, w ──> n multipliers ──register──> adders ──register──> y         a result every cycle
    mac    x[i], w[i] ──> multiplier ──register──> accumulator ──> y           a result every n cycles

`dot` buys its II of 1 with n multipliers; `mac` shares one over time.
"""

from __future__ import annotations

import numpy as np

from lablib.hls.bits import BitsType
from lablib.hls.designs import Design
from lablib.hls.designs.texts import cpp_text, software_of, verilog_text
from lablib.hls.errors import HardwareError

__all__ = ["dot", "mac"]

STAGES = 2  # multiply; add


def dot(n: int, bits: int = 8) -> Design:
    """A dot product with a multiplier for every element: latency 2, II 1.

    Parameters
    ----------
    n
        Elements of each vector.
    bits
        Bits of each element, signed.

    Returns
    -------
    Design
        Inputs ``x`` and ``w``, each of n elements side by side; output ``y`` of ``2 bits + ceil(log2 n)`` bits.

    Raises
    ------
    HardwareError
        A size is out of range.

    Examples
    --------
    >>> dot(4).golden([[1, 2, 3, 4]], [[1, 1, 1, -1]])
    array([2])
    """
    return _design("dot", n, 1, bits, latency=STAGES, ii=1)


def mac(n: int, bits: int = 8) -> Design:
    """A dot product on one multiplier: latency n + 1, II n.

    Parameters
    ----------
    n, bits
        As for `dot`; at least 2 elements.

    Returns
    -------
    Design
        Inputs ``x`` and ``w``, an element of each a cycle; output ``y`` as that of `dot`.

    Raises
    ------
    HardwareError
        A size is out of range.

    Examples
    --------
    >>> mac(4).cycles(vectors=10), dot(4).cycles(vectors=10)
    (41, 11)
    """
    return _design("mac", n, 2, bits, latency=n - 1 + STAGES, ii=n)


def _design(top: str, n: int, fewest: int, bits: int, latency: int, ii: int) -> Design:
    if n < fewest or not 2 <= bits <= 16:
        raise HardwareError(
            f"{top} takes at least {fewest} element{'s' * (fewest > 1)} of 2 to 16 bits: it got {n} of {bits}."
        )
    wide = 2 * bits + (n - 1).bit_length()
    source = cpp_text("dot", {"N": n, "BITS": bits, "WIDE": wide})
    vector = BitsType(bits, True, (n,))
    return Design(
        top,
        verilog_text(top, {"N": n, "BITS": bits}),
        golden=_dot,
        software=software_of(source, top),
        source=source,
        inputs={"x": vector, "w": vector},
        output=("y", BitsType(wide, True)),
        latency=latency,
        ii=ii,
    )


def _dot(x: np.ndarray, w: np.ndarray) -> np.ndarray:
    return (np.asarray(x, dtype=np.int64) * np.asarray(w)).sum(axis=-1)
