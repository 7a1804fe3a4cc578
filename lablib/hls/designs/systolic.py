"""An output-stationary systolic array: a grid of cells that multiplies two matrices.

    Y = A B

           b[0]  b[1]  …        Operands move one cell a cycle, those of A to the right, those of B down. Each cell
            │     │             multiplies what it holds, adds the product to its own sum, and passes both on. Row i
    a[0] ─ cell ─ cell ─        and column i begin i cycles late, so that A[i, k] and B[k, j] meet in cell (i, j).
            │     │
    a[1] ─ cell ─ cell ─        Every operand is fetched once and used in `size` cells.

Source: H. T. Kung, "Why Systolic Architectures?", IEEE Computer 15 (1), 1982.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lablib.hls.bits import BitsType
from lablib.hls.designs import Design
from lablib.hls.designs.texts import cpp_text, software_of, verilog_text
from lablib.hls.errors import HardwareError

__all__ = ["Cells", "systolic", "systolic_trace"]


def systolic(size: int = 4, depth: int = 8, bits: int = 8) -> Design:
    """A grid of ``size`` × ``size`` cells for products of (size, depth) by (depth, size) matrices.

    A product takes ``depth`` cycles to enter, 2 size − 1 until the last sum is complete, and ``size`` to leave.

    Parameters
    ----------
    size
        Rows and columns of cells, 2 to 16.
    depth
        Columns of A and rows of B, 2 to 4096.
    bits
        Bits of an operand, signed, 2 to 16.

    Returns
    -------
    Design
        Inputs ``a``, shape (depth, size), the columns of A, and ``b``, shape (depth, size), the rows of B; output
        ``y``, shape (size, size).

    Raises
    ------
    HardwareError
        A size is out of range.

    Examples
    --------
    >>> A, B = np.array([[1, 2], [3, 4]]), np.array([[5, 6], [7, 8]])
    >>> systolic(size=2, depth=2).golden(A.T, B)
    array([[19, 22],
           [43, 50]])
    """
    if not (2 <= size <= 16 and 2 <= depth <= 4096 and 2 <= bits <= 16):
        raise HardwareError(
            f"systolic takes 2 to 16 rows of cells, a depth of 2 to 4096 and 2 to 16 bits: "
            f"it got {size}, {depth} and {bits}."
        )
    wide = 2 * bits + (depth - 1).bit_length()
    sizes = {"SIZE": size, "DEPTH": depth, "BITS": bits}
    source = cpp_text("systolic", {**sizes, "WIDE": wide})
    operands = BitsType(bits, True, (depth, size))
    return Design(
        "systolic",
        verilog_text("systolic", sizes),
        golden=_product,
        software=software_of(source, "systolic"),
        source=source,
        inputs={"a": operands, "b": operands},
        output=("y", BitsType(wide, True, (size, size))),
        latency=depth + 3 * size - 2,
        ii=depth + 3 * size - 1,
    )


def _product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.swapaxes(np.asarray(a, dtype=np.int64), -1, -2) @ np.asarray(b)


@dataclass(frozen=True)
class Cells:
    """What every cell holds in every cycle, cycle 0 being that in which the first operands are taken.

    Attributes
    ----------
    a, b, sum
        int64 of shape (cycles, size, size). ``sum[t + 1] = sum[t] + a[t] * b[t]``, until the sums leave at the top:
        then ``sum[t + 1, i] = sum[t, i + 1]``. In the Verilog they are ``row[i].column[j].at.a`` and so on.
    """

    a: np.ndarray
    b: np.ndarray
    sum: np.ndarray


def systolic_trace(a: np.ndarray, b: np.ndarray) -> Cells:
    """Step the array through one product, cycle by cycle, as the Verilog does.

    Parameters
    ----------
    a
        The matrix A, integers of shape (size, depth).
    b
        The matrix B, integers of shape (depth, size).

    Returns
    -------
    Cells
        Over depth + 3 size cycles, in the last of which the cells are empty again.

    Examples
    --------
    >>> cells = systolic_trace(np.array([[1, 2], [3, 4]]), np.array([[5, 6], [7, 8]]))
    >>> cells.a[2].tolist(), cells.b[2].tolist(), cells.sum[5].tolist()
    ([[2, 1], [3, 0]], [[7, 6], [5, 0]], [[19, 22], [43, 50]])
    """
    a, b = np.asarray(a, dtype=np.int64), np.asarray(b, dtype=np.int64)
    if a.ndim != 2 or a.shape != b.shape[::-1]:
        raise HardwareError(
            f"systolic_trace takes matrices of shape (size, depth) and (depth, size): it got {a.shape} and {b.shape}."
        )
    size, depth = a.shape
    complete = depth + 2 * size - 1
    cells = Cells(*(np.zeros((complete + size + 1, size, size), np.int64) for _ in range(3)))
    for t in range(complete + size):
        cells.a[t + 1, :, 1:] = cells.a[t, :, :-1]
        cells.b[t + 1, 1:] = cells.b[t, :-1]
        for i in range(size):
            if 0 <= t - i < depth:
                cells.a[t + 1, i, 0], cells.b[t + 1, 0, i] = a[i, t - i], b[t - i, i]
        if t < complete:
            cells.sum[t + 1] = cells.sum[t] + cells.a[t] * cells.b[t]
        else:
            cells.sum[t + 1, :-1] = cells.sum[t, 1:]
    return cells
