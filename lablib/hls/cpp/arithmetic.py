"""Exact integer operations, each with the range of its result.

Nothing is lost in an addition or a product: their results are as wide as they have to be, as in ap_int and ap_fixed.
`cut` and `convert` bring a result into a type. What a range already proves costs nothing: a cut to a type that holds
all of it, a comparison that always holds, a multiplication by one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lablib.hls.cpp.formats import Format
from lablib.hls.cpp.ir import Value, reached

__all__ = ["Arithmetic"]

_FOLD: dict[str, Callable[[int, int], int]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "and": lambda a, b: a & b,
    "or": lambda a, b: a | b,
    "xor": lambda a, b: a ^ b,
    "lt": lambda a, b: int(a < b),
    "eq": lambda a, b: int(a == b),
}


class Arithmetic:
    """Makes values, each one once.

    Attributes
    ----------
    line
        The line of the source that operations are made for.
    """

    def __init__(self) -> None:
        self.line = 0
        self._made: dict[Any, Value] = {}

    def value(self, kind: str, arguments: tuple[Value, ...], low: int, high: int, data: Any = None) -> Value:
        """The value of an operation; the same one for the same operation on the same values."""
        key = (kind, arguments, data, low, high)
        if key not in self._made:
            self._made[key] = Value(kind, arguments, low, high, self.line, data)
        return self._made[key]

    def const(self, number: int) -> Value:
        """A constant."""
        return self.value("const", (), number, number, number)

    def _folded(self, kind: str, a: Value, b: Value) -> Value | None:
        if a.kind == "const" and b.kind == "const":
            return self.const(_FOLD[kind](a.data, b.data))
        return None

    def add(self, a: Value, b: Value) -> Value:
        """a + b."""
        if a.kind == "const":
            a, b = b, a
        if b.kind == "const" and b.data == 0:
            return a
        if b.kind == "const" and a.kind == "add" and a.arguments[1].kind == "const":  # (x + 1) + 2
            return self.add(a.arguments[0], self.const(a.arguments[1].data + b.data))
        return self._folded("add", a, b) or self.value("add", (a, b), a.low + b.low, a.high + b.high)

    def sub(self, a: Value, b: Value) -> Value:
        """a - b."""
        if b.kind == "const":
            return self.add(a, self.const(-b.data))
        return self.const(0) if a is b else self.value("sub", (a, b), a.low - b.high, a.high - b.low)

    def mul(self, a: Value, b: Value) -> Value:
        """a · b; by a power of two it is a shift."""
        if a.kind == "const":
            a, b = b, a
        if b.kind == "const":
            if b.data == 0 or a.kind == "const":
                return self.const(0 if b.data == 0 else a.data * b.data)
            size = abs(b.data)
            if size & (size - 1) == 0:
                shifted = self.shift(a, size.bit_length() - 1)
                return shifted if b.data > 0 else self.sub(self.const(0), shifted)
        corners = [x * y for x in (a.low, a.high) for y in (b.low, b.high)]
        low = max(0, min(corners)) if a is b else min(corners)
        return self.value("mul", (a, b), low, max(corners))

    def logic(self, kind: str, a: Value, b: Value) -> Value:
        """Bits of two's complement: kind is ``and``, ``or`` or ``xor``."""
        if a.kind == "const":
            a, b = b, a
        folded = self._folded(kind, a, b)
        if folded is not None:
            return folded
        if b.kind == "const" and b.data == (-1 if kind == "and" else 0):
            return a
        if b.kind == "const" and b.data == (0 if kind == "and" else -1) and kind != "xor":
            return b
        if a is b:
            return self.const(0) if kind == "xor" else a
        positive = [x for x in (a, b) if x.low >= 0]
        if kind == "and" and positive:
            return self.value(kind, (a, b), 0, min(x.high for x in positive))
        span = max(x.high.bit_length() if x.low >= 0 else max(x.high, ~x.low).bit_length() for x in (a, b))
        low = 0 if len(positive) == 2 else -(1 << span)
        return self.value(kind, (a, b), low, (1 << span) - 1)

    def invert(self, a: Value) -> Value:
        """All bits of a the other way round: -1 - a."""
        return self.const(~a.data) if a.kind == "const" else self.value("xor", (a, self.const(-1)), ~a.high, ~a.low)

    def opposite(self, a: Value) -> Value:
        """1 for 0 and 0 for 1."""
        if a.kind == "xor" and a.arguments[1].kind == "const" and a.arguments[1].data == 1:
            return a.arguments[0]
        return self.const(1 - a.data) if a.kind == "const" else self.value("xor", (a, self.const(1)), 0, 1)

    def shift(self, a: Value, distance: int) -> Value:
        """a · 2^distance, rounded down."""
        if distance == 0:
            return a
        if distance > 0:
            low, high, kind = a.low << distance, a.high << distance, "shl"
        else:
            low, high, kind = a.low >> -distance, a.high >> -distance, "shr"
        return self.const(low) if low == high else self.value(kind, (a,), low, high, abs(distance))

    def shift_by(self, a: Value, amount: Value, left: bool, format: Format) -> Value:
        """a moved by a value that is not negative, with the bits of `format`."""
        if amount.kind == "const":
            return self.cut(self.shift(a, amount.data if left else -amount.data), format)
        if left:
            return self.value("shlv", (a, amount), format.low, format.high, format)
        return self.cut(self.value("shrv", (a, amount), min(a.low, 0), max(a.high, 0)), format)

    def less(self, a: Value, b: Value) -> Value:
        """a < b, as 0 or 1."""
        if a.high < b.low or a.low >= b.high:
            return self.const(int(a.high < b.low))
        if b.kind == "const" and b.data == 0 and a.kind == "sub":
            return self.less(*a.arguments)
        return self.const(0) if a is b else self.value("lt", (a, b), 0, 1)

    def equal(self, a: Value, b: Value) -> Value:
        """a == b, as 0 or 1."""
        if a.high < b.low or b.high < a.low:
            return self.const(0)
        if a is b or (a.kind == b.kind == "const"):
            return self.const(int(a is b or a.data == b.data))
        if (a.low, a.high, b.kind) == (0, 1, "const"):
            return a if b.data else self.opposite(a)
        return self.value("eq", (a, b), 0, 1)

    def nonzero(self, a: Value) -> Value:
        """a != 0, as 0 or 1."""
        return a if (a.low, a.high) == (0, 1) else self.opposite(self.equal(a, self.const(0)))

    def mux(self, condition: Value, then: Value, otherwise: Value) -> Value:
        """`then` if the condition is 1."""
        if condition.kind == "const":
            return then if condition.data else otherwise
        if then is otherwise:
            return then
        if then.kind == otherwise.kind == "const" and {then.data, otherwise.data} == {0, 1}:
            return condition if then.data else self.opposite(condition)
        added = self._added(condition, then, otherwise)
        if added is not None:
            return added
        low, high = min(then.low, otherwise.low), max(then.high, otherwise.high)
        return self.value("mux", (condition, then, otherwise), low, high)

    def _added(self, condition: Value, then: Value, otherwise: Value) -> Value | None:
        """c ? a + b : a as a + (c ? b : 0), which leaves a sum that can be rebalanced."""
        total = then.arguments[0] if then.kind == "cut" else then
        if total.kind not in ("add", "sub") or otherwise not in total.arguments:
            return None
        if otherwise.low < then.low or otherwise.high > then.high:  # what is not added to must not wrap
            return None
        at = total.arguments.index(otherwise)
        if (total.kind == "sub" and at == 1) or otherwise in reached([condition]):  # the condition comes later than a
            return None
        more = self.mux(condition, total.arguments[1 - at], self.const(0))
        changed = self.add(otherwise, more) if total.kind == "add" else self.sub(otherwise, more)
        return changed if then is total else self.cut(changed, then.data)

    def cut(self, a: Value, format: Format) -> Value:
        """The lowest bits of a, read in a format: what wraps, wraps."""
        if format.low <= a.low and a.high <= format.high:
            return a
        if a.kind == "const":
            wrapped = a.data & (1 << format.width) - 1
            return self.const(wrapped - (1 << format.width) if wrapped > format.high else wrapped)
        return self.value("cut", (a,), format.low, format.high, Format(format.width, signed=format.signed))

    def convert(self, a: Value, fraction: int, format: Format, truncate: bool = False) -> Value:
        """An integer with `fraction` bits behind the binary point, assigned to a format.

        `truncate` rounds towards zero, as from ap_fixed to an integer.
        """
        if format.boolean:
            return self.nonzero(a)
        drop = fraction - format.fraction
        rounding = "AP_TRN_ZERO" if truncate else format.rounding
        exact = self._rounded(a, drop, rounding) if drop > 0 else self.shift(a, -drop)
        if format.overflow == "AP_WRAP":
            return self.cut(exact, format)
        low = -format.high if format.overflow == "AP_SAT_SYM" and format.signed else format.low
        top, bottom = (0, 0) if format.overflow == "AP_SAT_ZERO" else (format.high, low)
        under, over = self.less(exact, self.const(low)), self.less(self.const(format.high), exact)
        held = self.cut(exact, format)  # its range is used only where it is not saturated
        return self.mux(over, self.const(top), self.mux(under, self.const(bottom), held))

    def _rounded(self, a: Value, drop: int, mode: str) -> Value:
        half, negative = 1 << drop - 1, self.less(a, self.const(0))
        if mode == "AP_TRN":
            return self.shift(a, -drop)
        if mode == "AP_TRN_ZERO":
            more = self.mux(negative, self.const(2 * half - 1), self.const(0))
        elif mode == "AP_RND":
            more = self.const(half)
        elif mode == "AP_RND_MIN_INF":
            more = self.const(half - 1)
        elif mode == "AP_RND_INF":
            more = self.mux(negative, self.const(half - 1), self.const(half))
        elif mode == "AP_RND_ZERO":
            more = self.mux(negative, self.const(half), self.const(half - 1))
        else:  # AP_RND_CONV, to the even neighbour
            odd = self.logic("and", self.shift(a, -drop), self.const(1))
            more = self.add(odd, self.const(half - 1))
        return self.shift(self.add(a, more), -drop)
