"""A systolic array that steps: operands that move from cell to cell, and sums that grow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from lablib.viz.svg import titled
from lablib.viz.systolic_picture import SLOTS, Frame, systolic_picture
from lablib.viz.view import View, read

_MOST = 6


class SystolicView(View):
    """The widget that `systolic_array` returns; its summary says how long the product takes and how busy it is."""

    _esm = read("view.js", "systolic.js")
    _css = read("view.css", "systolic.css")


@dataclass(frozen=True)
class _Run:
    """What follows from the operands and sums: arrays of shape (cycles, size, size).

    Attributes
    ----------
    filled
        Where a cell holds a pair of operands; zeros that are no operands fill nothing.
    leaves
        The cycle in which the sums begin to move up, and out at the top; the number of cycles where they stay.
    """

    a: np.ndarray
    b: np.ndarray
    sum: np.ndarray
    filled: np.ndarray
    leaves: int

    @property
    def cycles(self) -> int:
        return len(self.a)

    @property
    def size(self) -> int:
        return self.a.shape[1]

    def complete(self, cycle: int) -> np.ndarray:
        """Which cells have their whole sum: it had operands before, and gets none any more."""
        return np.logical_and(self.filled[:cycle].any(axis=0), ~self.filled[cycle:].any(axis=0))


def systolic_array(cells: Any, title: str = "How does a systolic array multiply two matrices?") -> SystolicView:
    """Step through an output-stationary systolic array, Y = A B.

    Operands of A move right and those of B down, a cell a cycle; each cell adds the product of the two that it holds
    to its sum. Left of the array and above it stand the operands that come in next.

    Parameters
    ----------
    cells
        What `lablib.hls.designs.systolic.systolic_trace` gives: has ``a``, ``b`` and ``sum``, integers of shape
        (cycles, size, size), size 2 to 6. In cycle t cell (i, j) holds ``a[t, i, j]`` and ``b[t, i, j]``, and
        ``sum[t + 1] = sum[t] + a[t] * b[t]``, until the sums move up.
    title
        The question that the picture answers.

    Returns
    -------
    SystolicView
        Displays in Jupyter; ``to_html()`` gives a page of its own, ``picture`` one cycle as SVG.

    Raises
    ------
    ValueError
        Shapes do not fit, or there are no operands.

    Examples
    --------
    >>> from types import SimpleNamespace as Cells
    >>> a = np.zeros((5, 2, 2), int)
    >>> a[1, 0, 0], a[2] = 3, [[0, 3], [5, 0]]
    >>> a[3, 1, 1] = 5
    >>> b = a.transpose(0, 2, 1)
    >>> systolic_array(Cells(a=a, b=b, sum=np.cumsum(a * b, axis=0) - a * b))
    2 × 2 cells, 5 cycles. 4 products, at most 2 of 4 cells multiply in a cycle; the last sum is complete in cycle 4.
    """
    run = _read(cells)
    frames = [_frame(run, cycle) for cycle in range(run.cycles)]
    sentences = [_sentence(run, cycle) for cycle in range(run.cycles)]
    busy = run.filled.sum(axis=(1, 2))
    first = int(busy.argmax())
    last = int(np.flatnonzero(busy)[-1]) + 1
    summary = (
        f"{run.size} × {run.size} cells, {run.cycles} cycles. {busy.sum()} products, at most {busy.max()} of "
        f"{run.size**2} cells multiply in a cycle; the last sum is complete in cycle {last}."
    )
    picture, geometry = systolic_picture(run.size, frames[first], f"{title} {summary} {sentences[first]}")
    content = {
        "title": title, "subtitle": summary, "svg": picture, "first": first, **geometry,
        "frames": frames, "cycles": sentences, "up": [cycle > run.leaves for cycle in range(run.cycles)],
    }  # fmt: skip
    still = titled(title, summary, picture, geometry["width"], geometry["height"])
    return SystolicView(content, summary, still)


def _read(cells: Any) -> _Run:
    a, b, total = (np.asarray(getattr(cells, name)) for name in ("a", "b", "sum"))
    if a.ndim != 3 or a.shape[1] != a.shape[2] or not (a.shape == b.shape == total.shape):
        shapes = f"{a.shape}, {b.shape} and {total.shape}"
        raise ValueError(f"a, b and sum must all have the shape (cycles, size, size); got {shapes}")
    if not 2 <= a.shape[1] <= _MOST:
        raise ValueError(f"a systolic array of 2 to {_MOST} rows can be drawn; got {a.shape[1]}")
    t, i, j = np.indices(a.shape)
    age = np.asarray(t - i - j)  # the same for all pairs that came in with the first operands of their row and column
    used = age[(a != 0) | (b != 0)]
    if not used.size:
        raise ValueError("every operand is 0 in every cycle: there is nothing to show")
    filled = (age >= used.min()) & (age <= used.max())
    moved = (total[1:] != total[:-1] + a[:-1] * b[:-1]).any(axis=(1, 2))
    return _Run(a, b, total, filled, int(moved.argmax()) if moved.any() else len(a))


def _frame(run: _Run, cycle: int) -> Frame:
    frame: Frame = {}
    complete = run.complete(cycle)
    for i, j in np.ndindex(run.size, run.size):
        filled = bool(run.filled[cycle, i, j])
        a, b = run.a[cycle, i, j], run.b[cycle, i, j]
        there = i + max(0, cycle - run.leaves) < run.size  # the lowest row is empty once the sums have moved up
        state = "works" if filled else "complete" if there and complete[i, j] else "idle"
        frame[f"cell-{i}-{j}"] = ["", state]
        frame[f"a-{i}-{j}"] = [_number(a), "on" if filled else "off"]
        frame[f"b-{i}-{j}"] = [_number(b), "on" if filled else "off"]
        frame[f"product-{i}-{j}"] = [_number(a * b, "+") if filled else "", "on"]
        frame[f"sum-{i}-{j}"] = [_number(run.sum[cycle, i, j]), "on"]
    for lane in range(run.size):
        for ahead in range(1, SLOTS + 1):
            soon = cycle + ahead
            comes = soon < run.cycles and run.filled[soon, lane, 0]
            frame[f"left-{lane}-{ahead}"] = [_number(run.a[soon, lane, 0]) if comes else "", "on" if comes else "off"]
            frame[f"above-{lane}-{ahead}"] = [_number(run.b[soon, 0, lane]) if comes else "", "on" if comes else "off"]
    return frame


def _sentence(run: _Run, cycle: int) -> str:
    working, complete = int(run.filled[cycle].sum()), int(run.complete(cycle).sum())
    row = cycle - run.leaves
    if 0 <= row < run.size:
        values = ", ".join(map(_number, run.sum[cycle, 0]))
        return f"all sums are complete; row {row} of Y leaves at the top: {values}."
    if row >= run.size:
        return "the array is empty again."
    return f"{working} of {run.size**2} cells multiply; complete: {complete} of the sums."


def _number(value: int, sign: str = "") -> str:
    return f"{int(value):{sign}d}".replace("-", "−")
