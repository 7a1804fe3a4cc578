"""Loops: unrolled into copies of their body, or kept as one copy with a counter.

A perfect nest around a pipelined loop becomes one loop with several counters, so that its pipeline never drains.
"""

from __future__ import annotations

from abc import abstractmethod
from itertools import pairwise

from lablib.hls.cpp.evaluate import Evaluator
from lablib.hls.cpp.formats import Format
from lablib.hls.cpp.ir import Counter, Loop, Value, Variable
from lablib.hls.cpp.places import Slice
from lablib.hls.cpp.refusal import refused
from lablib.hls.cpp.scan import assigned
from lablib.hls.cpp.tree import Block, Expr, For, Statement, Symbol

__all__ = ["Loops"]

_MOST_ITERATIONS = 1 << 16


class Loops(Evaluator):
    """An environment that runs loops.

    Attributes
    ----------
    unrolling
        Whether all loops are unrolled, since something around them is pipelined.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.unrolling = False

    @abstractmethod
    def scope(self, body: list[Statement]) -> None:
        """Run statements; what they declare ends with them."""

    @abstractmethod
    def branch(self, condition: Value, then: Statement, otherwise: Statement | None) -> None:
        """Run two branches under a condition."""

    def end(self, symbol: Symbol) -> None:
        """The scope of a variable or an array ends."""
        place = self.bound.pop(symbol, None)
        if isinstance(place, Variable):
            self.forget(place)
        elif isinstance(place, Slice):
            for register in place.array.registers.values():
                self.forget(register)

    def condition(self, node: Expr) -> Value:
        """Whether an expression is not 0."""
        return self.ops.nonzero(self.value(node))

    def loop(self, node: For) -> None:
        """Run a loop: a copy for each iteration, or one that stays a loop."""
        index = self.bound[node.index] = Variable(node.index.name, node.index.format)
        values = self._iterations(node, index)
        options = {each.name: each for each in node.pragmas}
        unroll = options.get("UNROLL")
        factor = int(unroll.options.get("factor", len(values))) if unroll else 1
        if self.unrolling or factor >= len(values):
            for value in values:
                self.held[index] = self.ops.const(value)
                self.scope([node.body])
            self.held.pop(index, None)
        elif values:
            self._rolled(node, values, factor)
        self.end(node.index)

    def _iterations(self, node: For, index: Variable) -> list[int]:
        """The values of a loop's index, which have to be known while compiling."""
        if node.index in assigned(node.body):
            raise refused(node.line, f"an assignment to the loop index {node.index.name}", "use a variable of its own")
        values: list[int] = []
        self.held[index] = self.cast(node.first, node.index.format)
        while True:
            condition, value = self.condition(node.condition), self.held[index]
            if condition.kind != "const" or value.kind != "const":
                what = "a loop bound that depends on data or on the index of a loop that is not unrolled"
                raise refused(node.line, what, "use a constant bound, and an if inside the loop")
            if not condition.data:
                break
            values.append(value.data)
            if len(values) > _MOST_ITERATIONS:
                raise refused(node.line, f"a loop of more than {_MOST_ITERATIONS} iterations", "make it two loops")
            self.value(node.step)
        self.forget(index)
        return values

    def _rolled(self, node: For, values: list[int], factor: int) -> None:
        if self.predicate.kind != "const":
            raise refused(node.line, "a loop inside an if", "write the if inside the loop")
        self.finish()
        for symbol in assigned(node.body):
            self._unknown(symbol)
        regions, self.regions = self.regions, []
        counters, inner, ii = self._nest(node, values, factor)
        self.unrolling = ii is not None
        counter = counters[-1]
        self._copies(inner, counter, values, factor)
        self.finish()
        self.unrolling = False
        body, self.regions = self.regions, regions
        if body:
            self.regions.append(Loop(inner.name, inner.line, counters, body, ii))
        for each in counters:
            self.held.pop(each.variable, None)

    def _nest(self, node: For, values: list[int], factor: int) -> tuple[list[Counter], For, int | None]:
        """The counters of a loop and of the loops that are flattened into it, the innermost loop, and its II."""
        counters = [self._counter(node, values, factor)]
        while (inner := _only_loop(node)) is not None and factor == 1 and _flattens(node, inner):
            variable = self.bound[inner.index] = Variable(inner.index.name, inner.index.format)
            inside = self._iterations(inner, variable)
            if not inside:
                break
            counters.append(self._counter(inner, inside, 1))
            node = inner
        pipeline = next((each for each in node.pragmas if each.name == "PIPELINE"), None)
        if pipeline is None or "off" in pipeline.options:
            return counters, node, None
        return counters, node, int(pipeline.options.get("II", "1"))

    def _counter(self, node: For, values: list[int], factor: int) -> Counter:
        steps = {after - before for before, after in pairwise(values)} or {1}
        if len(steps) > 1:
            raise refused(node.line, "a loop whose index does not move in equal steps", "unroll it, or count by one")
        step, trip = steps.pop() * factor, -(-len(values) // factor)
        ends = (values[0], values[0] + step * (trip - 1))
        low, high = min(ends), max(ends)
        width = max(high.bit_length(), (~low).bit_length() if low < 0 else 0, 1) + (low < 0)
        variable = self.variable(node.index.name, Format(width, signed=low < 0))
        counter = Counter(variable, values[0], step, trip)
        self.counters[variable] = counter
        self.bound[node.index] = variable
        return counter

    def _copies(self, node: For, counter: Counter, values: list[int], factor: int) -> None:
        """The body, once for each of the iterations that run side by side, of which `values` has all indices."""
        if factor == 1:
            self.scope([node.body])
            return
        step = counter.step // factor
        for copy in range(factor):
            index = self.bound[node.index] = self.variable(node.index.name, node.index.format)
            at = self.ops.add(self.get(counter.variable), self.ops.const(copy * step))
            self.set(index, at)
            last = self.ops.const(values[-1])
            beyond = self.ops.less(last, at) if step > 0 else self.ops.less(at, last)
            self.branch(self.ops.opposite(beyond), node.body, None)
            self.forget(index)

    def _unknown(self, symbol: Symbol) -> None:
        """Forget what a variable holds, because a later iteration finds something else in it."""
        place = self.bound.get(symbol)
        variables = [place] if isinstance(place, Variable) else []
        variables += place.array.registers.values() if isinstance(place, Slice) else []
        for variable in variables:
            self.held.pop(variable, None)


def _only_loop(node: For) -> For | None:
    """The loop that is all of a loop's body."""
    body: Statement = node.body
    while isinstance(body, Block) and len(body.body) == 1:
        body = body.body[0]
    return body if isinstance(body, For) else None


def _flattens(outer: For, inner: For) -> bool:
    """Whether two loops of a perfect nest become one: if the innermost is pipelined, and nothing is against it."""
    if _has(outer, "PIPELINE") or _has(outer, "LOOP_FLATTEN", off=True):
        return False
    if _has(inner, "UNROLL") or _has(inner, "LOOP_FLATTEN", off=True):
        return False
    if _has(inner, "PIPELINE"):
        return True
    further = _only_loop(inner)
    return further is not None and _flattens(inner, further)


def _has(loop: For, pragma: str, off: bool = False) -> bool:
    """Whether a loop has a pragma, with or without its option ``off``."""
    return any(each.name == pragma and ("off" in each.options) == off for each in loop.pragmas)
