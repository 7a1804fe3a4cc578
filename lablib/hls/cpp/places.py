"""What names stand for: a variable, an element of an array, or a constant; and how they begin."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from lablib.hls.cpp.arrays import Array
from lablib.hls.cpp.environment import Environment
from lablib.hls.cpp.formats import Format
from lablib.hls.cpp.ir import Value, Variable
from lablib.hls.cpp.refusal import refused
from lablib.hls.cpp.tree import Expr, Pragma, Symbol

__all__ = ["Places", "Slice"]


class Slice:
    """An array, or the part of it that is left after some indices."""

    def __init__(self, array: Array, indices: tuple[Value, ...] = ()) -> None:
        self.array, self.indices = array, indices


class Places(Environment, ABC):
    """An environment that knows what symbols stand for.

    Attributes
    ----------
    bound
        What each symbol stands for: a variable, a part of an array, or a value.
    pragmas
        ARRAY_PARTITION and BIND_OP by the name of their variable.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.bound: dict[Symbol, Variable | Slice | Value] = {}
        self.pragmas: dict[tuple[str, str], list[Pragma]] = {}

    @abstractmethod
    def value(self, node: Expr) -> Value:
        """The value of an expression in its own format."""

    def cast(self, node: Expr, format: Format) -> Value:
        """The value of an expression in a format."""
        value = self.value(node)
        if node.format is None or node.format == format:
            return value
        truncate = node.format.fixed and not format.fixed
        return self.ops.convert(value, node.format.fraction, format, truncate)

    def place(self, node: Expr) -> Variable | Slice | Value:
        """What a name or an element stands for."""
        if node.kind == "element":
            inner = self.place(node.operands[0])
            if isinstance(inner, Slice):
                return Slice(inner.array, (*inner.indices, self.value(node.operands[1])))
            raise refused(node.line, "an index into a number", "index arrays")
        if node.kind != "name":
            raise refused(node.line, "an assignment to a result", "assign to a variable or to an element")
        if node.data not in self.bound:
            self.declare(node.data)
        return self.bound[node.data]

    def content(self, node: Expr) -> Value:
        """What a variable or an element holds."""
        place = self.place(node)
        self.ops.line = node.line
        if isinstance(place, Variable):
            return self.get(place)
        if isinstance(place, Value):
            return place
        if len(place.indices) != len(place.array.shape):
            raise refused(node.line, f"{place.array.name} as a whole", "give it an index for each of its dimensions")
        return self.read(place.array, list(place.indices))

    def keep(self, target: Expr, value: Value) -> None:
        """Assign a value to a variable or an element."""
        place = self.place(target)
        self.bind_operation(root(target), value)
        if isinstance(place, Variable):
            self.set(place, value)
        elif isinstance(place, Slice):
            self.write(place.array, list(place.indices), value)
        else:
            raise refused(target.line, "an assignment to a constant", "declare it without const")

    def bind_operation(self, symbol: Symbol, value: Value) -> None:
        """Let the BIND_OP pragmas of the variable that is assigned act on the operation that made the value."""
        for pragma in self.pragmas.get(("BIND_OP", symbol.name), []):
            made = value
            while made.kind in ("cut", "shl", "shr", "mux") and pragma.options.get("op") != made.kind:
                made = made.arguments[-1]
            if made.kind == pragma.options.get("op"):
                latency = pragma.options.get("latency")
                implementation = pragma.options.get("impl", "")
                self.block.bound[made] = (None if latency is None else int(latency), implementation)

    def declare(self, symbol: Symbol) -> None:
        """Begin a variable or an array."""
        self.ops.line = symbol.line
        partition = self.pragmas.get(("ARRAY_PARTITION", symbol.name), [])
        if not symbol.shape:
            value = None if symbol.initial is None else self.cast(symbol.initial, symbol.format)
            if symbol.constant and value is not None and value.kind == "const":
                self.bound[symbol] = value
                return
            variable = self.bound[symbol] = self.variable(symbol.name, symbol.format)
            if value is not None:
                self.bind_operation(symbol, value)
                self.set(variable, value)
            return
        values = None if symbol.initial is None else self._listed(symbol, symbol.initial, symbol.shape)
        if values is not None and all(value.kind == "const" for value in values) and symbol.constant:
            contents = tuple(value.data for value in values)
            self.bound[symbol] = Slice(self.array(symbol.name, symbol.format, symbol.shape, partition, contents))
            return
        array = self.array(symbol.name, symbol.format, symbol.shape, partition)
        self.bound[symbol] = Slice(array)
        if values is not None and not array.in_registers:
            what = f"the initial values of {symbol.name}, which lies in a memory,"
            raise refused(symbol.line, what, "fill it in a loop, or partition it completely")
        for (bank, _), value in zip(array.elements(), values or [], strict=False):
            self.set(array.registers[bank], value)

    def _listed(self, symbol: Symbol, initial: Any, shape: tuple[int, ...]) -> list[Value]:
        """Initial values in the order of C."""
        if not shape:
            return [self.cast(initial[0] if isinstance(initial, list) else initial, symbol.format)]
        if not isinstance(initial, list):
            raise refused(symbol.line, f"the start of the array {symbol.name}", "write its values in braces")
        if len(initial) != shape[0]:  # ap_int leaves undefined what is left out
            what = f"{len(initial)} values for {shape[0]} elements of {symbol.name}"
            raise refused(symbol.line, what, "write all of them, or fill the array in a loop")
        return [value for each in initial for value in self._listed(symbol, each, shape[1:])]


def root(node: Expr) -> Symbol:
    """The symbol of which an expression is a part."""
    while not isinstance(node.data, Symbol):
        if node.kind not in ("element", "bit", "cast"):
            raise refused(node.line, "an assignment to a result", "assign to a variable or to an element")
        node = node.operands[0]
    return node.data
