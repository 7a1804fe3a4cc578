"""Recorded signals and schedules, written out by hand: a test can say what their picture must show."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np


def signal(bits: int, *changes: tuple[int, int]) -> Any:
    """A signal from (cycle, value) pairs, the first of cycle 0."""
    cycles, values = zip(*changes, strict=True)
    return SimpleNamespace(bits=bits, cycles=cycles, values=values)


def stream() -> Any:
    """Ten cycles of a stream: reset in 0 and 1, words in 3, 4, 7 and 8, one waits in 6."""
    signals = {
        "clk": signal(1, (0, 1)),
        "rst": signal(1, (0, 1), (2, 0)),
        "in_valid": signal(1, (0, 1), (2, 0), (3, 1), (5, 0), (6, 1), (9, 0)),
        "in_ready": signal(1, (0, 1), (6, 0), (7, 1)),
        "x": signal(8, (0, 0), (3, 5), (4, 250), (6, 128), (8, 1)),
        "WIDTH": signal(32, (0, 8)),
    }
    return SimpleNamespace(cycles=10, signals=signals)


def operation(name: str, start: int, cycles: int = 1, resource: str = "", line: int = 0) -> Any:
    return SimpleNamespace(name=name, kind=name, start=start, cycles=cycles, resource=resource, line=line)


def timeline(ii: int = 1, source: str = "", operations: Any = None) -> Any:
    """Two multiplications in cycle 1, a sum in cycle 2; the result is there in cycle 3."""
    operations = operations or [operation("mul", 1, line=2), operation("mul", 1, line=2), operation("sum", 2, line=3)]
    phases, bits = ("input", "stage 0", "stage 1", "output"), (None, 32, None)
    return SimpleNamespace(
        design="dot", operations=operations, latency=3, ii=ii, phases=phases, register_bits=bits, source=source
    )


def cells(a: np.ndarray, b: np.ndarray) -> Any:
    """An array's operands and sums by cycle, from its definition: A[i, k] is in cell (i, j) in cycle 1 + i + j + k."""
    size, depth = a.shape
    held = SimpleNamespace(**{name: np.zeros((depth + 3 * size, size, size), int) for name in ("a", "b", "sum")})
    for i, j, k in np.ndindex(size, size, depth):
        held.a[1 + i + j + k, i, j], held.b[1 + i + j + k, i, j] = a[i, k], b[k, j]
    for t in range(len(held.a) - 1):
        leaves = t >= depth + 2 * size - 1
        below = np.concatenate([held.sum[t, 1:], np.zeros((1, size), int)])
        held.sum[t + 1] = below if leaves else held.sum[t] + held.a[t] * held.b[t]
    return held
