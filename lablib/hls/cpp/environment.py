"""What every variable holds at a point of the program, and which memory each element is read from or written to.

Within a block a variable is just the value that was assigned to it last. Where the block ends, what was assigned goes
into registers (`put`), and the next block reads it from there (`get`); constants need neither.
"""

from __future__ import annotations

import re

from lablib.hls.cpp.arithmetic import Arithmetic
from lablib.hls.cpp.arrays import Array, cuts_of
from lablib.hls.cpp.formats import Format
from lablib.hls.cpp.ir import Block, Counter, Kernel, Memory, Region, Value, Variable
from lablib.hls.cpp.rebalance import rebalance
from lablib.hls.cpp.refusal import refused
from lablib.hls.cpp.tree import Pragma

__all__ = ["Environment"]

_MOST_REGISTERS = 1024
_RESERVED = {
    "always", "and", "assign", "begin", "bit", "byte", "case", "clk", "cell", "config", "design", "disable", "done",
    "edge", "else", "end", "endmodule", "event", "for", "force", "function", "generate", "if", "initial", "inout",
    "input", "instance", "int", "integer", "join", "logic", "module", "nand", "negedge", "nor", "not", "or",
    "output", "parameter", "posedge", "priority", "pull0", "pull1", "real", "reg", "release", "repeat", "rst",
    "signed", "small", "specify", "start", "string", "strong0", "strong1", "supply0", "supply1", "table", "task",
    "time", "tri", "type", "unique", "unsigned", "use", "var", "vectored", "wait", "wand", "while", "wire", "wor",
    "xnor", "xor",
}  # fmt: skip
"""Names that Verilog or the ports of every kernel need."""


class Environment:
    """Values of variables, and the block that is being filled.

    Attributes
    ----------
    ops
        Makes values.
    predicate
        The condition under which statements take effect.
    regions
        Where finished blocks go.
    """

    def __init__(self, name: str) -> None:
        self.kernel = Kernel(name)
        self.ops = Arithmetic()
        self.predicate = self.ops.const(1)
        self.regions: list[Region] = self.kernel.regions
        self.counters: dict[Variable, Counter] = {}
        self.held: dict[Variable, Value] = {}
        self._names: set[str] = set(_RESERVED)
        self._begin()

    def _begin(self) -> None:
        self.block = Block("", self.ops.line)
        self._gets: dict[Variable, Value] = {}
        self._loaded: dict[tuple[Memory, Value], Value] = {}
        self._pending: dict[Variable, None] = {}

    def variable(self, name: str, format: Format, port: str = "") -> Variable:
        """A new variable."""
        made = Variable(self.unique(name), format, port)
        self.kernel.variables.append(made)
        return made

    def unique(self, name: str) -> str:
        """A name that nothing in the Verilog has yet."""
        number, made = 0, name
        while made in self._names or re.fullmatch(r"[bl]\d+(_\w*)?|(mul|add|sub)_\w+", made):
            number += 1
            made = f"{name}_v{number}"
        self._names.add(made)
        return made

    def array(
        self, name: str, format: Format, shape: tuple[int, ...], pragmas: list[Pragma],
        contents: tuple[int, ...] | None = None, port: str = "",
    ) -> Array:  # fmt: skip
        """A new array with its banks."""
        unique = self.unique(name)
        made = Array(unique, format, shape, cuts_of(shape, pragmas), contents)
        several = list(made.banks())
        if made.in_registers and contents is None and len(several) > _MOST_REGISTERS:
            what = f"{name} in {len(several)} registers"
            raise refused(self.ops.line, what, f"partition it into {_MOST_REGISTERS} at most")
        for bank in several:
            label = unique + "".join(f"_{one}" for one in bank) if len(several) > 1 else unique
            if made.in_registers and contents is None:
                made.registers[bank] = self.variable(label, format, port)
            elif not made.in_registers:
                memory = Memory(label, unique, format, made.depth, made.words(bank), bool(port))
                made.memories[bank] = memory
                self.kernel.memories.append(memory)
        if port:
            places = [(made.memories.get(bank) or made.registers[bank], address) for bank, address in made.elements()]
            self.kernel.arrays[name] = places
        return made

    def get(self, variable: Variable) -> Value:
        """What a variable holds."""
        if variable in self.held:
            return self.held[variable]
        if variable not in self._gets:
            counter = self.counters.get(variable)
            ends = (counter.first, counter.last) if counter else (variable.format.low, variable.format.high)
            self._gets[variable] = Value("get", (), min(ends), max(ends), self.ops.line, variable)
        return self._gets[variable]

    def set(self, variable: Variable, value: Value) -> None:
        """Let a variable hold a value from here on."""
        self.held[variable] = value
        self._pending[variable] = None

    def forget(self, variable: Variable) -> None:
        """Its scope ends."""
        self.held.pop(variable, None)
        self._pending.pop(variable, None)

    def read(self, array: Array, indices: list[Value]) -> Value:
        """An element."""
        if array.contents is not None and all(index.kind == "const" for index in indices):
            at = 0
            for extent, index in zip(array.shape, indices, strict=True):
                at = at * extent + index.data
            if not 0 <= at < len(array.contents):
                raise refused(self.ops.line, f"{array.name} at an index outside of it", "stay inside")
            return self.ops.const(array.contents[at])
        places = array.places(self.ops, indices, self.counters, self.ops.line)
        found: Value | None = None
        for place in places:
            if array.contents is not None and array.in_registers:
                value = self.ops.const((array.words(place.bank) or (0,))[0])
            elif array.in_registers:
                value = self.get(array.registers[place.bank])
            else:
                value = self._load(array.memories[place.bank], place.address)
            found = value if found is None else self.ops.mux(place.condition, value, found)
        if found is None:
            raise refused(self.ops.line, f"{array.name} at an index outside of it", "stay inside")
        return found

    def _load(self, memory: Memory, address: Value) -> Value:
        key = (memory, address)
        if key not in self._loaded:
            ends = memory.contents or (memory.format.low, memory.format.high)
            load = Value("load", (address,), min(ends), max(ends), self.ops.line, memory)
            self._loaded[key] = load
            self.block.accesses.append(load)
        return self._loaded[key]

    def write(self, array: Array, indices: list[Value], value: Value) -> None:
        """Assign to an element, if the predicate holds."""
        for place in array.places(self.ops, indices, self.counters, self.ops.line):
            if array.in_registers:
                register = array.registers[place.bank]
                self.set(register, self.ops.mux(place.condition, value, self.get(register)))
                continue
            memory = array.memories[place.bank]
            whether = self.ops.logic("and", self.predicate, place.condition)
            if whether.kind == "const" and not whether.data:
                continue
            self._merge(memory, place.address, value, whether)
            self._loaded = {key: load for key, load in self._loaded.items() if key[0] is not memory}

    def _merge(self, memory: Memory, address: Value, value: Value, whether: Value) -> None:
        """A store; with the one before it, if that was to the same address and nothing has read it."""
        before = [each for each in self.block.accesses if each.data is memory]
        if before and before[-1].kind == "store" and before[-1].arguments[0] is address:
            _, old, earlier = before[-1].arguments
            self.block.accesses.remove(before[-1])
            value = self.ops.mux(whether, value, old)
            whether = self.ops.logic("or", whether, earlier)
        self.block.accesses.append(Value("store", (address, value, whether), 0, 0, self.ops.line, memory))

    def finish(self) -> None:
        """End the block: what it assigned goes into registers."""
        for variable in self._pending:
            value = self.held[variable]
            if value is not self._gets.get(variable):
                self.block.puts.append(Value("put", (value,), 0, 0, value.line, variable))
        rebalance(self.block, self.ops)
        if self.block.puts or any(each.kind == "store" for each in self.block.accesses):
            self.regions.append(self.block)
        self.held = {variable: value for variable, value in self.held.items() if value.kind == "const"}
        self._begin()
