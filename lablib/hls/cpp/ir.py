"""What a kernel becomes before anything has a time: regions of exact integer operations.

A `Region` is a `Block`, which runs from its first to its last cycle, or a `Loop` of regions. Within a block each value
is made once; what lives on from one block to the next is a `Variable`, which is a register, or lies in a `Memory`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from lablib.hls.bits import bits_for
from lablib.hls.cpp.formats import Format

__all__ = ["Block", "Counter", "Kernel", "Loop", "Memory", "Region", "Value", "Variable", "blocks", "loops", "reached"]


@dataclass(eq=False)
class Variable:
    """A register between blocks: a scalar, an element of a completely partitioned array, or a loop's counter.

    Attributes
    ----------
    port
        ``"in"`` if it is a parameter that the kernel only reads, ``"out"`` if its end is a result, else empty.
    """

    name: str
    format: Format
    port: str = ""


@dataclass(eq=False)
class Memory:
    """A bank of an array: one read port with a register behind it, and one write port.

    Attributes
    ----------
    array
        The array that it is a part of.
    depth
        Words.
    contents
        Of a table; None of a memory.
    port
        Whether it lies outside, behind ports of the kernel.
    """

    name: str
    array: str
    format: Format
    depth: int
    contents: tuple[int, ...] | None = None
    port: bool = False

    @property
    def address_bits(self) -> int:
        """Bits of an address."""
        return max((self.depth - 1).bit_length(), 1)


@dataclass(frozen=True, eq=False)
class Value:
    """An operation and its result, an exact integer.

    Attributes
    ----------
    kind
        ``const`` (data: the integer), ``add``, ``sub``, ``mul``, ``and``, ``or``, ``xor``, ``shl`` and ``shr`` (data:
        the distance), ``shlv`` and ``shrv`` (by a value), ``lt``, ``eq``, ``mux`` (condition, then, else), ``cut``
        (data: the `Format` that it wraps to), ``get`` (data: a `Variable`), ``load`` (address; data: a `Memory`); and
        without a result ``put`` (value; data: a `Variable`) and ``store`` (address, value, whether; data: a `Memory`).
    arguments, data
        What belongs to its kind.
    low, high
        The range of the result.
    line
        Of the source.
    """

    kind: str
    arguments: tuple[Value, ...]
    low: int
    high: int
    line: int
    data: Any = None

    @property
    def bits(self) -> int:
        """Bits of the result in two's complement."""
        return bits_for(self.low, self.high).bits

    @property
    def is_effect(self) -> bool:
        """Whether it changes a register or a memory."""
        return self.kind in ("put", "store")

    def __repr__(self) -> str:
        return f"{self.kind}({self.data if self.data is not None else ''})@{self.line}"


@dataclass(eq=False)
class Block:
    """Operations that are scheduled together.

    Attributes
    ----------
    accesses
        Its loads and stores in the order of the program.
    puts
        What it leaves in registers.
    bound
        Latency and implementation that BIND_OP gives to an operation.
    """

    name: str
    line: int
    accesses: list[Value] = field(default_factory=list)
    puts: list[Value] = field(default_factory=list)
    bound: dict[Value, tuple[int | None, str]] = field(default_factory=dict)

    @property
    def values(self) -> list[Value]:
        """All operations in an order that data and memories allow; constants are none."""
        return [each for each in reached(self.accesses + self.puts) if each.kind != "const"]


@dataclass(frozen=True)
class Counter:
    """A loop index: ``first``, ``first + step``, and so on, ``trip`` values."""

    variable: Variable
    first: int
    step: int
    trip: int

    @property
    def last(self) -> int:
        """Its value in the last iteration."""
        return self.first + self.step * (self.trip - 1)


@dataclass(eq=False)
class Loop:
    """Regions that are repeated.

    Attributes
    ----------
    counters
        The outermost first; several if a nest was flattened.
    ii
        The initiation interval that was asked for, 1 unless the pragma says otherwise; None if it is not pipelined.
    """

    name: str
    line: int
    counters: list[Counter]
    body: list[Region]
    ii: int | None = None

    @property
    def trip(self) -> int:
        """Iterations."""
        return math.prod(counter.trip for counter in self.counters)


Region = Block | Loop


@dataclass
class Kernel:
    """A kernel with everything in it.

    Attributes
    ----------
    name
        Of the function.
    variables, memories
        All registers and banks.
    regions
        In the order in which they run.
    limits
        By kind of operation, the number of units that ALLOCATION allows.
    arrays
        By parameter, where its elements are, in the order of C: a memory and an address, or a variable and 0.
    notes
        Sentences for the report.
    """

    name: str
    variables: list[Variable] = field(default_factory=list)
    memories: list[Memory] = field(default_factory=list)
    regions: list[Region] = field(default_factory=list)
    limits: dict[str, int] = field(default_factory=dict)
    arrays: dict[str, list[Any]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def blocks(regions: list[Region]) -> Iterator[Block]:
    """All blocks, those inside of loops too."""
    for region in regions:
        if isinstance(region, Block):
            yield region
        else:
            yield from blocks(region.body)


def loops(regions: list[Region]) -> Iterator[Loop]:
    """All loops, the outer one before those inside of it."""
    for region in regions:
        if isinstance(region, Loop):
            yield region
            yield from loops(region.body)


def reached(ends: list[Value]) -> list[Value]:
    """The values that these need, and these, each behind its arguments."""
    found: dict[Value, None] = {}
    stack = [(end, False) for end in reversed(ends)]
    while stack:
        value, ready = stack.pop()
        if ready:
            found[value] = None
        elif value not in found:
            stack.append((value, True))
            stack.extend((each, False) for each in reversed(value.arguments) if each not in found)
    return list(found)
