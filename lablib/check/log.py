"""What a call did, as plain data: its torch operations and kernel launches in order, on memory that has numbers.

A log says how a result came about without saying what it is. Whoever holds the inputs can run it again
(`lablib.check.rerun`), and then knows the result, the work and the memory without having to trust anyone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.utils._pytree import tree_leaves

__all__ = [
    "Log",
    "Operation",
    "Run",
    "Storage",
    "View",
    "allocated_bytes",
    "dtypes",
    "flops",
    "outside_bytes",
    "peak_bytes",
]


@dataclass(frozen=True)
class View:
    """A tensor as a place: ``shape`` and ``strides`` in elements over the memory with number ``storage``."""

    storage: int
    dtype: torch.dtype
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int


@dataclass(frozen=True)
class Storage:
    """A piece of memory.

    Attributes
    ----------
    nbytes
        Its size.
    origin
        ``"argument"``, ``"torch"`` (an operation of the log makes it) or ``"outside"`` (it was there, or came from
        something that is no torch operation).
    content
        Bytes of memory from outside, as the call first met them, uint8, shape (nbytes,); otherwise None.
    """

    nbytes: int
    origin: str
    content: torch.Tensor | None = None


@dataclass(frozen=True)
class Operation:
    """One torch operation, e.g. ``aten.mm.default``; tensors in ``args``, ``kwargs`` and ``result`` are views."""

    name: str
    args: Any
    kwargs: Any
    result: Any
    flops: int = 0


@dataclass(frozen=True)
class Run:
    """One launch of a kernel; ``arguments`` by parameter, tensors as views, ``source`` its module."""

    source: str
    kernel: str
    grid: tuple[int, int, int]
    arguments: dict[str, Any]
    options: dict[str, Any]


@dataclass
class Log:
    """Events in order, the memory that they use, and what the call returned."""

    storages: list[Storage] = field(default_factory=list)
    events: list[Operation | Run] = field(default_factory=list)
    value: Any = None


def views(tree: Any) -> Iterator[View]:
    """Every view in a nest of lists, tuples and dicts."""
    return (leaf for leaf in tree_leaves(tree) if isinstance(leaf, View))


def flops(log: Log) -> int:
    """Floating-point operations of the torch operations: matrix products, convolutions and attention.

    As `torch.utils.flop_counter` counts them: a multiplication and an addition are two.
    """
    return sum(event.flops for event in log.events if isinstance(event, Operation))


def allocated_bytes(log: Log) -> int:
    """Bytes that torch operations allocated, all together."""
    return sum(storage.nbytes for storage in log.storages if storage.origin == "torch")


def outside_bytes(log: Log) -> int:
    """Bytes of memory that neither an argument nor a torch operation brought."""
    return sum(storage.nbytes for storage in log.storages if storage.origin == "outside")


def dtypes(log: Log) -> list[str]:
    """Names of the dtypes that torch operations read and made, sorted."""
    operations = (event for event in log.events if isinstance(event, Operation))
    found = {view.dtype for one in operations for view in views((one.args, one.kwargs, one.result))}
    return sorted(str(dtype).removeprefix("torch.") for dtype in found)


def peak_bytes(log: Log) -> int:
    """The least memory in which the log can run: the most bytes that torch had to hold at once.

    Memory is needed from the event that makes it until the last one that uses it; what the call returns, to the end.
    Arguments are not counted, nor what an operation uses within itself.
    """
    first: dict[int, int] = {}
    last: dict[int, int] = {}
    for index, event in enumerate(log.events):
        trees = (event.args, event.kwargs, event.result) if isinstance(event, Operation) else event.arguments
        for view in views(trees):
            first.setdefault(view.storage, index)
            last[view.storage] = index
    for view in views(log.value):
        last[view.storage] = len(log.events)
    change = [0] * (len(log.events) + 2)
    for number, begin in first.items():
        if log.storages[number].origin == "torch":
            change[begin] += log.storages[number].nbytes
            change[last[number] + 1] -= log.storages[number].nbytes
    held = peak = 0
    for difference in change:
        held += difference
        peak = max(peak, held)
    return peak
