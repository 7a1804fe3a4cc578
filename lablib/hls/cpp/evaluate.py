"""From expressions to values: the semantics of C++ and of ap_fixed, said once.

An operator works on exact integers whose binary points are brought to the same place; its result is then converted to
the type that clang has for it.
"""

from __future__ import annotations

from abc import abstractmethod

from lablib.hls.cpp.formats import Format
from lablib.hls.cpp.ir import Value
from lablib.hls.cpp.places import Places
from lablib.hls.cpp.refusal import refused
from lablib.hls.cpp.tree import Expr

__all__ = ["Evaluator"]

_LOGIC = {"&": "and", "|": "or", "^": "xor", "&&": "and", "||": "or"}


class Evaluator(Places):
    """An environment in which expressions have values."""

    def value(self, node: Expr) -> Value:
        """The value of an expression in its own format."""
        self.ops.line = node.line
        kind, format = node.kind, node.format
        if kind == "literal":
            return self.ops.const(node.data)
        if kind in ("name", "element"):
            return self.content(node)
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
            return self.cast(node.operands[0], format)
        if kind == "choice":
            condition, then, otherwise = node.operands
            return self.ops.mux(self.value(condition), self.cast(then, format), self.cast(otherwise, format))
        return self.operator(kind, node.operands, format, node.line)

    @abstractmethod
    def call(self, node: Expr) -> Value | None:
        """What a call returns, after it has done what it does."""

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
            result = self.cast(source, format)
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
        return self.keep(target, value)
