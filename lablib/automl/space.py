"""The search space: cells of four nodes whose six edges each carry one of a few operations.

            ┌──────────(0,3)──────────┐
            │     ┌────(0,2)────┐     │
    input ─ 0 ─(0,1)─ 1 ─(1,2)─ 2 ─(2,3)─ 3 ─ output          and (1,3)

A node is the sum of what its edges bring. A cell is the tuple of its operations in the order of `EDGES`, and its
number is that tuple read as digits.

Source of the form: Dong and Yang, "NAS-Bench-201", arXiv:2001.00326, section 2.1; our operations and sizes differ.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product

__all__ = ["CELLS", "EDGES", "NODES", "OPERATIONS", "cells", "check", "number", "of_number"]

NODES = 4
"""Node 0 is the cell's input, the last one its output."""

OPERATIONS = ("none", "skip", "pool", "conv1", "conv3")
"""Nothing; the input itself; a 3 × 3 mean; ReLU, 1 × 1 or 3 × 3 convolution and batch norm."""

EDGES = tuple((source, target) for target in range(1, NODES) for source in range(target))
"""(source, target) of each edge: (0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3)."""

CELLS = len(OPERATIONS) ** len(EDGES)
"""How many cells there are."""


def check(cell: Sequence[int]) -> tuple[int, ...]:
    """Return ``cell`` as a tuple.

    Raises
    ------
    ValueError
        If it is not one operation's number for each edge.

    Examples
    --------
    >>> check([1, 0, 3, 1, 2, 0])
    (1, 0, 3, 1, 2, 0)
    """
    found = tuple(int(operation) for operation in cell)
    if len(found) != len(EDGES) or not all(0 <= operation < len(OPERATIONS) for operation in found):
        raise ValueError(
            f"A cell is {len(EDGES)} numbers of operations, each 0 to {len(OPERATIONS) - 1} "
            f"(lablib.automl.space.OPERATIONS); this is {found}."
        )
    return found


def number(cell: Sequence[int]) -> int:
    """Number of a cell, 0 to `CELLS` − 1; the first edge is the most significant digit.

    Examples
    --------
    >>> number((0, 0, 0, 0, 1, 2))
    7
    """
    value = 0
    for operation in check(cell):
        value = value * len(OPERATIONS) + operation
    return value


def of_number(value: int) -> tuple[int, ...]:
    """The cell of a number: the inverse of `number`.

    Examples
    --------
    >>> of_number(7)
    (0, 0, 0, 0, 1, 2)
    """
    if not 0 <= value < CELLS:
        raise ValueError(f"The cells are numbered 0 to {CELLS - 1}; this is {value}.")
    digits = []
    for _ in EDGES:
        value, digit = divmod(value, len(OPERATIONS))
        digits.append(digit)
    return tuple(reversed(digits))


def cells() -> Iterator[tuple[int, ...]]:
    """Every cell, in the order of their numbers."""
    return product(range(len(OPERATIONS)), repeat=len(EDGES))
