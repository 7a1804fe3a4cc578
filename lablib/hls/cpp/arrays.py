"""Where an element of an array lies: in which bank, at which address, or in a register of its own.

ARRAY_PARTITION cuts one dimension, or all of them (dim=0):

    complete    x[0] | x[1] | x[2] | x[3] ...         each element of the dimension is a bank
    cyclic 2    x[0] x[2] x[4] | x[1] x[3] x[5]       bank = index mod factor
    block 2     x[0] x[1] x[2] | x[3] x[4] x[5]       bank = index / size

Banks of one element are registers. An index whose bank is known while compiling uses the port of that bank alone; any
other uses a port of every bank that it may be in, and chooses among them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product

from lablib.hls.cpp.arithmetic import Arithmetic
from lablib.hls.cpp.formats import Format
from lablib.hls.cpp.ir import Counter, Memory, Value, Variable
from lablib.hls.cpp.refusal import refused
from lablib.hls.cpp.tree import Pragma

__all__ = ["Array", "Place", "affine", "cuts_of"]


@dataclass(frozen=True)
class Cut:
    """How one dimension is cut: into ``banks`` of ``size`` elements each."""

    kind: str
    extent: int
    factor: int = 1

    @property
    def size(self) -> int:
        """Elements of a bank."""
        return {"none": self.extent, "complete": 1}.get(self.kind, -(-self.extent // self.factor))

    @property
    def banks(self) -> int:
        """How many there are."""
        return self.factor if self.kind == "cyclic" else -(-self.extent // self.size)

    def place(self, index: int) -> tuple[int, int]:
        """Bank of an index, and its place in it."""
        return (index % self.factor, index // self.factor) if self.kind == "cyclic" else divmod(index, self.size)


@dataclass(frozen=True)
class Place:
    """A place where an element may be: a bank and an address in it, if the condition holds."""

    bank: tuple[int, ...]
    address: Value
    condition: Value


@dataclass(eq=False)
class Array:
    """An array with its banks.

    Attributes
    ----------
    contents
        Of a constant array, in the order of C.
    memories, registers
        By bank; one of the two is empty.
    """

    name: str
    format: Format
    shape: tuple[int, ...]
    cuts: tuple[Cut, ...]
    contents: tuple[int, ...] | None = None
    memories: dict[tuple[int, ...], Memory] = field(default_factory=dict)
    registers: dict[tuple[int, ...], Variable] = field(default_factory=dict)

    @property
    def in_registers(self) -> bool:
        """Whether each bank is one element."""
        return all(cut.size == 1 for cut in self.cuts)

    def banks(self) -> Iterator[tuple[int, ...]]:
        """All banks, as indices over the cut dimensions."""
        return product(*(range(cut.banks) for cut in self.cuts))

    @property
    def depth(self) -> int:
        """Words of a bank."""
        return math.prod(cut.size for cut in self.cuts)

    def elements(self) -> list[tuple[tuple[int, ...], int]]:
        """Bank and address of every element, in the order of C."""
        found = []
        for index in product(*(range(extent) for extent in self.shape)):
            places = [cut.place(one) for cut, one in zip(self.cuts, index, strict=True)]
            address = 0
            for cut, (_, inside) in zip(self.cuts, places, strict=True):
                address = address * cut.size + inside
            found.append((tuple(bank for bank, _ in places), address))
        return found

    def words(self, bank: tuple[int, ...]) -> tuple[int, ...] | None:
        """The contents of one bank of a constant array."""
        if self.contents is None:
            return None
        words = [0] * self.depth
        for (place, address), value in zip(self.elements(), self.contents, strict=True):
            if place == bank:
                words[address] = value
        return tuple(words)

    def places(
        self, ops: Arithmetic, indices: list[Value], counters: Mapping[Variable, Counter], line: int
    ) -> list[Place]:
        """Where the element at these indices may be."""
        sides = [_side(ops, cut, index, counters, line) for cut, index in zip(self.cuts, indices, strict=True)]
        found = []
        for combination in product(*sides):
            address, condition = ops.const(0), ops.const(1)
            for cut, (_, inside, holds) in zip(self.cuts, combination, strict=True):
                address = ops.add(ops.mul(address, ops.const(cut.size)), inside)
                condition = ops.logic("and", condition, holds)
            found.append(Place(tuple(bank for bank, _, _ in combination), address, condition))
        return found


def _side(
    ops: Arithmetic, cut: Cut, index: Value, counters: Mapping[Variable, Counter], line: int
) -> list[tuple[int, Value, Value]]:
    """Bank, place in it and condition, for one dimension."""
    always, size = ops.const(1), cut.size
    if cut.banks == 1:
        return [(0, index, always)]
    if cut.kind == "cyclic":
        return _cyclic(ops, cut.factor, index, counters, line)
    first, last = max(index.low // size, 0), min(index.high // size, cut.banks - 1)
    if first >= last:
        bank = min(first, cut.banks - 1)
        return [(bank, ops.add(index, ops.const(-bank * size)), always)]
    found = []
    for bank in range(first, last + 1):
        inside = ops.add(index, ops.const(-bank * size))
        if size == 1:
            holds = ops.equal(index, ops.const(bank))
        else:
            above = ops.less(index, ops.const(bank * size))
            holds = ops.logic("and", ops.opposite(above), ops.less(index, ops.const((bank + 1) * size)))
        found.append((bank, ops.const(0) if size == 1 else inside, holds))
    return found


def _cyclic(
    ops: Arithmetic, factor: int, index: Value, counters: Mapping[Variable, Counter], line: int
) -> list[tuple[int, Value, Value]]:
    terms, constant = affine(index)
    power = factor & (factor - 1) == 0
    residue = constant
    for term, weight in terms.items():
        counter = counters.get(term.data) if term.kind == "get" else None
        if weight % factor == 0:
            continue
        if not power or counter is None or weight * counter.step % factor:
            break
        residue += weight * counter.first
    else:
        bank = residue % factor
        if power:
            return [(bank, ops.shift(index, 1 - factor.bit_length()), ops.const(1))]
        inside = ops.const((constant - bank) // factor)
        for term, weight in terms.items():
            inside = ops.add(inside, ops.mul(term, ops.const(weight // factor)))
        return [(bank, inside, ops.const(1))]
    if not power:
        what = f"an index whose bank among {factor} is not known while compiling"
        raise refused(line, what, "make the factor a power of two, or unroll the loop by it")
    bits = ops.logic("and", index, ops.const(factor - 1))
    inside = ops.shift(index, 1 - factor.bit_length())
    return [(bank, inside, ops.equal(bits, ops.const(bank))) for bank in range(factor)]


def affine(value: Value) -> tuple[dict[Value, int], int]:
    """A value as a sum: the weight of each term, and a constant."""
    if value.kind == "const":
        return {}, value.data
    if value.kind in ("add", "sub"):
        (left, first), (right, second) = affine(value.arguments[0]), affine(value.arguments[1])
        sign = 1 if value.kind == "add" else -1
        terms = dict(left)
        for term, weight in right.items():
            terms[term] = terms.get(term, 0) + sign * weight
        return {term: weight for term, weight in terms.items() if weight}, first + sign * second
    if value.kind == "shl" or (value.kind == "mul" and value.arguments[1].kind == "const"):
        by = 1 << value.data if value.kind == "shl" else value.arguments[1].data
        terms, constant = affine(value.arguments[0])
        return {term: weight * by for term, weight in terms.items()}, constant * by
    return {value: 1}, 0


def cuts_of(shape: tuple[int, ...], pragmas: list[Pragma]) -> tuple[Cut, ...]:
    """How the pragmas of an array cut its dimensions."""
    cuts = [Cut("none", extent) for extent in shape]
    for pragma in pragmas:
        options, line = pragma.options, pragma.line
        kind = options.get("type") or next(
            (one for one in ("complete", "cyclic", "block") if one in options), "complete"
        )
        dim, factor = int(options.get("dim", "1")), int(options.get("factor", "0"))
        if kind not in ("complete", "cyclic", "block"):
            raise refused(line, f"ARRAY_PARTITION type={kind}", "use complete, cyclic or block")
        if not 0 <= dim <= len(shape):
            raise refused(line, f"ARRAY_PARTITION dim={dim} of {len(shape)} dimensions", "count them from 1; 0 is all")
        if kind != "complete" and factor < 1:
            raise refused(line, f"ARRAY_PARTITION {kind} without a factor", "write factor=2 or another number")
        for at in range(len(shape)) if dim == 0 else [dim - 1]:
            cuts[at] = Cut(kind, shape[at], min(factor, shape[at]) or 1)
    return tuple(cuts)
