"""From expressions to values: the semantics of C++ and of ap_fixed, said once.

An operator works on exact integers whose binary points are brought to the same place; its result is then converted to
the type that clang has for it.
"""

from __future__ import annotations

from typing import Any

from lablib.hls.cpp.arrays import Array
from lablib.hls.cpp.environment import Environment
from lablib.hls.cpp.formats import Format
from lablib.hls.cpp.ir import Value, Variable
from lablib.hls.cpp.refusal import refused
from lablib.hls.cpp.tree import Expr, Pragma, Symbol

__all__ = ["Evaluator", "Slice", "root"]

_LOGIC = {"&": "and", "|": "or", "^": "xor", "&&": "and", "||": "or"}


class Slice:
    """An array, or the part of it that is left after some indices."""

    def __init__(self, array: Array, indices: tuple[Value, ...] = ()) -> None:
        self.array, self.indices = array, indices


class Evaluator(Environment):
    """An environment in which expressions have values.

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

    def value(self, node: Expr) -> Value:
        """The value of an expression in its own format."""
        self.ops.line = node.line
        kind, format = node.kind, node.format
        if kind == "literal":
            return self.ops.const(node.data)
        if kind in ("name", "element"):
            return self._read(node)
        if kind == "bit":
            value, position = (self.value(each) for each in node.operands)
            return self.ops.logic("and", self._shifted(value, position, False, Format(value.bits)), self.ops.const(1))
        if kind == "assign":
            return self._assign(node)
        if kind == "step":
            return self._step(node)
        if kind == "call":
            result = self.call(node)
            if result is None:
                raise refused(node.line, f"the value of {node.data.name}, which returns nothing", "let it return one")
            return result
        if format is None:
            raise refused(node.line, "a value that is no number", "use numbers and arrays of numbers")
        if kind == "cast":
            return self._cast(node.operands[0], format)
        if kind == "choice":
            condition, then, otherwise = node.operands
            return self.ops.mux(self.value(condition), self._cast(then, format), self._cast(otherwise, format))
        return self.operator(kind, node.operands, format, node.line)

    def call(self, node: Expr) -> Value | None:
        """What a call returns, and does."""
        raise NotImplementedError

    def _cast(self, node: Expr, format: Format) -> Value:
        value = self.value(node)
        if node.format is None or node.format == format:
            return value
        truncate = node.format.fixed and not format.fixed
        return self.ops.convert(value, node.format.fraction, format, truncate)

    def operator(self, sign: str, operands: tuple[Expr, ...], format: Format, line: int) -> Value:
        """An operator's result."""
        values = [self.value(each) for each in operands]
        fractions = [each.format.fraction if each.format else 0 for each in operands]
        if sign in ("<<", ">>"):
            return self._shifted(values[0], values[1], sign == "<<", format)
        if sign == "*":
            return self.ops.convert(self.ops.mul(*values), sum(fractions), format)
        if sign in ("/", "%"):
            return self._divided(sign, values, operands, format, line)
        point = max(fractions)
        aligned = [self.ops.shift(value, point - own) for value, own in zip(values, fractions, strict=True)]
        exact = self._exact(sign, aligned)
        compared = sign in ("<", ">", "<=", ">=", "==", "!=", "!")
        return exact if compared else self.ops.convert(exact, point, format)

    def _exact(self, sign: str, values: list[Value]) -> Value:
        ops, first, last = self.ops, values[0], values[-1]
        if sign in _LOGIC:
            return ops.logic(_LOGIC[sign], first, last)
        if sign in ("min", "max"):
            return ops.mux(ops.less(last, first) if sign == "min" else ops.less(first, last), last, first)
        if sign == "abs":
            return ops.mux(ops.less(first, ops.const(0)), ops.sub(ops.const(0), first), first)
        made = {
            "+": lambda: ops.add(first, last),
            "-": lambda: ops.sub(first, last),
            "negate": lambda: ops.sub(ops.const(0), first),
            "~": lambda: ops.invert(first),
            "!": lambda: ops.opposite(ops.nonzero(first)),
            "<": lambda: ops.less(first, last),
            ">": lambda: ops.less(last, first),
            "<=": lambda: ops.opposite(ops.less(last, first)),
            ">=": lambda: ops.opposite(ops.less(first, last)),
            "==": lambda: ops.equal(first, last),
            "!=": lambda: ops.opposite(ops.equal(first, last)),
        }
        return made[sign]()

    def _shifted(self, value: Value, amount: Value, left: bool, format: Format) -> Value:
        if amount.low < 0 and amount.kind != "const":
            what = "a shift by a number that may be negative"
            raise refused(self.ops.line, what, "shift by an ap_uint, or by a number that a range proves positive")
        return self.ops.shift_by(value, amount, left, format)

    def _divided(self, sign: str, values: list[Value], operands: tuple[Expr, ...], format: Format, line: int) -> Value:
        value, divisor = values
        number = divisor.data if divisor.kind == "const" else 0
        fixed = any(each.format is not None and each.format.fixed for each in operands)
        if fixed or number <= 0 or (number & (number - 1) and value.kind != "const"):
            instead = "shift, multiply by the reciprocal, look it up, or divide by a constant power of two"
            raise refused(line, f"operator {sign}", instead)
        if value.kind == "const":
            quotient = self.ops.const(abs(value.data) // number * (1 if value.data >= 0 else -1))
            return self.ops.convert(
                self.ops.sub(value, self.ops.mul(quotient, divisor)) if sign == "%" else quotient, 0, format
            )
        negative = self.ops.less(value, self.ops.const(0))
        up = self.ops.mux(negative, self.ops.const(number - 1), self.ops.const(0))
        quotient = self.ops.shift(self.ops.add(value, up), 1 - number.bit_length())
        if sign == "/":
            return self.ops.convert(quotient, 0, format)
        if value.low >= 0:
            return self.ops.logic("and", value, self.ops.const(number - 1))
        return self.ops.convert(self.ops.sub(value, self.ops.mul(quotient, divisor)), 0, format)

    def _step(self, node: Expr) -> Value:
        (target,), (by, old) = node.operands, node.data
        format = target.format
        assert format is not None
        before = self.value(target)
        after = self.ops.convert(self.ops.add(before, self.ops.const(by << format.fraction)), format.fraction, format)
        self._store(target, after)
        return before if old else after

    def _assign(self, node: Expr) -> Value:
        target, source = node.operands
        format = target.format
        if format is None:
            raise refused(node.line, "an assignment to a whole array", "copy it in a loop")
        if node.data:
            result = self.operator(node.data, (target, source), format, node.line)
        else:
            result = self._cast(source, format)
        self.ops.line = node.line
        self._store(target, result)
        return result

    def _store(self, target: Expr, value: Value) -> None:
        if target.kind == "bit":
            whole, position = target.operands
            format = whole.format
            assert format is not None
            at, before = self.value(position), self.value(whole)
            wide = Format(format.width + 1)
            hole = self.ops.invert(self._shifted(self.ops.const(1), at, True, wide))
            bit = self._shifted(value, at, True, wide)
            changed = self.ops.logic("or", self.ops.logic("and", before, hole), bit)
            return self._store(whole, self.ops.cut(changed, format))
        place = self.place(target)
        self.bind_operation(root(target), value)
        if isinstance(place, Variable):
            self.set(place, value)
        elif isinstance(place, Slice):
            self.write(place.array, list(place.indices), value)
        else:
            raise refused(target.line, "an assignment to a constant", "declare it without const")
        return None

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

    def _read(self, node: Expr) -> Value:
        place = self.place(node)
        self.ops.line = node.line
        if isinstance(place, Variable):
            return self.get(place)
        if isinstance(place, Value):
            return place
        if len(place.indices) != len(place.array.shape):
            raise refused(node.line, f"{place.array.name} as a whole", "give it an index for each of its dimensions")
        return self.read(place.array, list(place.indices))

    def declare(self, symbol: Symbol) -> None:
        """Begin a variable or an array."""
        self.ops.line = symbol.line
        partition = self.pragmas.get(("ARRAY_PARTITION", symbol.name), [])
        if not symbol.shape:
            value = None if symbol.initial is None else self._cast(symbol.initial, symbol.format)
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
            return [self._cast(initial[0] if isinstance(initial, list) else initial, symbol.format)]
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
