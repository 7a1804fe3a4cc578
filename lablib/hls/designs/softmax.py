"""Softmax in fixed point: a table for the exponential, one division, one multiplier.

    p[n] = exp(x[n] - m) / sum_k exp(x[k] - m)      m = max x

Subtracting the maximum leaves distances of 0 to 255 steps, so the exponential is a table of 256 entries of 16 bits:
one block RAM of an iCE40. One reciprocal of the sum, 16 cycles of long division, replaces N divisions:

    x ──> block RAM ──> m - x ──> table ──┬──> sum ──> 2^30 / sum
                                          └──────────> multiply ──> p        the vector is read a second time

An entry of the table is half a step of 2^-15 off at most, and the reciprocal and the product are cut off: each
probability is within (N + 5) 2^-16 of the float one, if all roundings of the sum conspire. In fact it is within 2^-13.
"""

from __future__ import annotations

import numpy as np

from lablib.hls.bits import BitsType, checked
from lablib.hls.designs import Design
from lablib.hls.designs.dense import INT8
from lablib.hls.designs.texts import cpp_text, memory_text, software_of, verilog_text
from lablib.hls.errors import HardwareError

__all__ = ["FRACTION", "softmax"]

FRACTION = 15
"""Bits of a probability behind the binary point: 1 is 32768."""

STAGES = 4  # read the vector; read the table; multiply; cut
WAIT = 3  # cycles from the last element's read to the complete sum
DIVISION = 16  # cycles


def softmax(n: int = 10, fraction: int = 4) -> Design:
    """Softmax of n int8 logits.

    Parameters
    ----------
    n
        Logits of a vector, 2 to 256.
    fraction
        Bits of a logit behind the binary point, 0 to 7: with 4, int8 holds -8 to 7.9375.

    Returns
    -------
    Design
        A stream: ``x`` takes the n logits, ``y`` gives their probabilities in units of 2^-15.

    Raises
    ------
    HardwareError
        A number is out of range.

    Examples
    --------
    >>> (softmax(n=3).golden([[0, 16, 32]]) / 2**FRACTION).round(4).tolist()
    [[0.09, 0.2447, 0.6652]]
    """
    if not 2 <= n <= 256 or not 0 <= fraction <= 7:
        raise HardwareError(
            f"softmax takes 2 to 256 logits with 0 to 7 bits behind the binary point: it got {n} with {fraction}."
        )
    table = np.rint(2**FRACTION * np.exp(-np.arange(256) / 2**fraction)).astype(np.int64)
    source = cpp_text("softmax", {"N": n, "EXPONENTIALS": table})
    vector = BitsType(INT8.bits, True, (n,))

    def golden(x: np.ndarray) -> np.ndarray:
        x = checked(x, vector, "x")
        exponentials = table[x.max(axis=-1, keepdims=True) - x]
        reciprocal = 2 ** (2 * FRACTION) // exponentials.sum(axis=-1, keepdims=True)
        return exponentials * reciprocal >> FRACTION

    return Design(
        "softmax",
        verilog_text("softmax", {"N": n}),
        golden=golden,
        software=software_of(source, "softmax"),
        source=source,
        inputs={"x": vector},
        output=("y", BitsType(16, False, (n,))),
        latency=3 * n + WAIT + DIVISION + STAGES - 1,
        ii=3 * n + WAIT + DIVISION,
        files={"exponentials.hex": memory_text(table, 16)},
    )
