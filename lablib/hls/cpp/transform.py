"""Run the program once on symbols: loops are unrolled or kept, calls are inlined, branches become conditions.

- A loop keeps one copy of its body, unless UNROLL, or PIPELINE around it, asks for a copy for each iteration.
- `if` runs both branches; a variable gets the value of the branch that holds, and a store the branch's condition.
- A perfect nest around a pipelined loop becomes one loop with several counters, so that the pipeline never drains.
"""

from __future__ import annotations

from itertools import pairwise

from lablib.hls.cpp.evaluate import Evaluator, Slice
from lablib.hls.cpp.formats import Format
from lablib.hls.cpp.ir import Counter, Kernel, Loop, Value, Variable
from lablib.hls.cpp.prune import prune
from lablib.hls.cpp.refusal import refused
from lablib.hls.cpp.scan import assigned, named_pragmas, written_names
from lablib.hls.cpp.tree import Block, Declare, Evaluate, Expr, For, Function, If, Return, Statement, Symbol

__all__ = ["transform"]

_MOST_ITERATIONS = 1 << 16


def transform(function: Function) -> Kernel:
    """The regions of a kernel."""
    run = _Run(function.name)
    run.top(function)
    return prune(run.kernel)


class _Run(Evaluator):
    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.unrolling = False

    def top(self, function: Function) -> None:
        """Bind the parameters to ports, and run the body."""
        self.pragmas = named_pragmas(function)
        changed = written_names(function)
        for symbol in function.parameters:
            self.ops.line = symbol.line
            port = "out" if symbol in changed and symbol.reference else "in"
            if symbol.shape:
                pragmas = self.pragmas.get(("ARRAY_PARTITION", symbol.name), [])
                array = self.array(symbol.name, symbol.format, symbol.shape, pragmas, port=port)
                self.bound[symbol] = Slice(array)
                continue
            variable = self.bound[symbol] = self.variable(symbol.name, symbol.format, port)
            self.kernel.arrays[symbol.name] = [(variable, 0)]
            if port == "in" and symbol in changed:  # passed by value: the function's own copy
                own = self.bound[symbol] = self.variable(symbol.name, symbol.format)
                self.set(own, self.get(variable))
        for pragma in function.pragmas:
            if pragma.name == "ALLOCATION":
                kind = pragma.options.get("instances", "")
                if kind not in ("mul", "add", "sub") or "limit" not in pragma.options:
                    raise refused(pragma.line, f"ALLOCATION instances={kind}", "write instances=mul limit=1")
                self.kernel.limits[kind] = int(pragma.options["limit"])
        pipelined = [each for each in function.pragmas if each.name == "PIPELINE" and "off" not in each.options]
        self.unrolling = bool(pipelined)
        if pipelined:
            self.kernel.notes.append(
                f"{function.name} is pipelined as a whole: its loops are unrolled, calls do not overlap."
            )
        result = self._body(function)
        if result is not None and function.returned is not None:
            end = self.variable("returned", function.returned, "out")
            self.kernel.arrays["returned"] = [(end, 0)]
            self.set(end, result)
        self.finish()

    def call(self, node: Expr) -> Value | None:
        function: Function = node.data
        outer, own = self.pragmas, named_pragmas(function)
        bound: dict[Symbol, Variable | Slice | Value] = {}
        changed = written_names(function)
        for symbol, argument in zip(function.parameters, node.operands, strict=True):
            if symbol.reference and (symbol.shape or symbol in changed):
                if ("ARRAY_PARTITION", symbol.name) in own:
                    where = "write the pragma where the array is declared"
                    raise refused(node.line, f"ARRAY_PARTITION of the parameter {symbol.name}", where)
                bound[symbol] = self.place(argument)
                if not symbol.shape and not isinstance(bound[symbol], Variable):
                    what = f"an element as the argument {symbol.name} that {function.name} writes"
                    raise refused(node.line, what, "pass a variable, or the array and an index")
                continue
            value = self._cast(argument, symbol.format)
            variable = bound[symbol] = self.variable(symbol.name, symbol.format)
            self.set(variable, value)
        kept, self.bound = self.bound, {**self.bound, **bound}
        self.pragmas = own
        result = self._body(function)
        for symbol in function.parameters:
            place = bound[symbol]
            if isinstance(place, Variable) and not symbol.reference:
                self.forget(place)
        self.pragmas, self.bound = outer, kept
        return result

    def _body(self, function: Function) -> Value | None:
        *others, last = function.body.body or (Block(function.line, ()),)
        ends = isinstance(last, Return)
        self._scope([*others] if ends else [*others, last], keep=True)
        if not isinstance(last, Return) or last.value is None or function.returned is None:
            return None
        self.ops.line = last.line
        return self._cast(last.value, function.returned)

    def _scope(self, body: list[Statement], keep: bool = False) -> None:
        """Statements, with the variables that they declare."""
        for statement in body:
            self._statement(statement)
        for statement in body if not keep else []:
            if isinstance(statement, Declare):
                self._forget(statement.symbol)

    def _forget(self, symbol: Symbol) -> None:
        place = self.bound.pop(symbol, None)
        if isinstance(place, Variable):
            self.forget(place)
        elif isinstance(place, Slice):
            for register in place.array.registers.values():
                self.forget(register)

    def _statement(self, node: Statement) -> None:
        self.ops.line = node.line
        if isinstance(node, Block):
            self._scope(list(node.body))
        elif isinstance(node, Declare):
            self.declare(node.symbol)
        elif isinstance(node, Evaluate):
            if node.value.kind == "call":
                self.call(node.value)
            else:
                self.value(node.value)
        elif isinstance(node, If):
            self._if(self._condition(node.condition), node.then, node.otherwise)
        elif isinstance(node, For):
            self._for(node)
        else:
            raise refused(node.line, "a return that is not the last statement", "assign to a variable, return it last")

    def _condition(self, node: Expr) -> Value:
        return self.ops.nonzero(self.value(node))

    def _if(self, condition: Value, then: Statement, otherwise: Statement | None) -> None:
        if condition.kind == "const":
            chosen = then if condition.data else otherwise
            if chosen is not None:
                self._scope([chosen])
            return
        before, outer = dict(self.held), self.predicate
        self.predicate = self.ops.logic("and", outer, condition)
        self._scope([then])
        first, self.held = self.held, before
        if otherwise is not None:
            self.predicate = self.ops.logic("and", outer, self.ops.opposite(condition))
            self._scope([otherwise])
        self.predicate = outer
        second, self.held = self.held, {}
        for variable in {**first, **second}:
            values = [held.get(variable) or self.get(variable) for held in (first, second)]
            self.held[variable] = self.ops.mux(condition, *values)

    def _for(self, node: For) -> None:
        index = self.bound[node.index] = Variable(node.index.name, node.index.format)
        values = self._iterations(node, index)
        options = {each.name: each for each in node.pragmas}
        if "PIPELINE" in options and "off" in options["PIPELINE"].options:
            del options["PIPELINE"]
        unroll = options.get("UNROLL")
        factor = int(unroll.options.get("factor", len(values))) if unroll else 1
        if self.unrolling or factor >= len(values):
            for value in values:
                self.held[index] = self.ops.const(value)
                self._scope([node.body])
            self.held.pop(index, None)
        elif values:
            self._rolled(node, values, factor)
        self._forget(node.index)

    def _iterations(self, node: For, index: Variable) -> list[int]:
        """The values of a loop's index, which have to be known while compiling."""
        if node.index in assigned(node.body):
            raise refused(node.line, f"an assignment to the loop index {node.index.name}", "use a variable of its own")
        values: list[int] = []
        self.held[index] = self._cast(node.first, node.index.format)
        while True:
            condition, value = self._condition(node.condition), self.held[index]
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
        self._copies(inner, counter, self._values_of(inner, values, node), factor if inner is node else 1)
        self.finish()
        self.unrolling = False
        body, self.regions = self.regions, regions
        if body:
            self.regions.append(Loop(inner.name, inner.line, counters, body, ii))
        for each in counters:
            self.held.pop(each.variable, None)

    def _values_of(self, inner: For, values: list[int], node: For) -> list[int]:
        return values if inner is node else self._inner_values

    def _nest(self, node: For, values: list[int], factor: int) -> tuple[list[Counter], For, int | None]:
        """The counters of a loop and of the loops that are flattened into it, the innermost loop, and its II."""
        counters = [self._counter(node, values, factor)]
        self._inner_values = values
        while (inner := _only_loop(node)) is not None and factor == 1 and _flattens(node, inner):
            variable = self.bound[inner.index] = Variable(inner.index.name, inner.index.format)
            self._inner_values = self._iterations(inner, variable)
            if not self._inner_values:
                break
            counters.append(self._counter(inner, self._inner_values, 1))
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
        """The body, once for each of the iterations that run side by side."""
        if factor == 1:
            self._scope([node.body])
            return
        step = counter.step // factor
        for copy in range(factor):
            index = self.bound[node.index] = self.variable(node.index.name, node.index.format)
            at = self.ops.add(self.get(counter.variable), self.ops.const(copy * step))
            self.set(index, at)
            last = self.ops.const(values[-1])
            beyond = self.ops.less(last, at) if step > 0 else self.ops.less(at, last)
            self._if(self.ops.opposite(beyond), node.body, None)
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
    if any(each.name in ("PIPELINE", "LOOP_FLATTEN") and ("off" in each.options) == (each.name == "LOOP_FLATTEN")
           for each in outer.pragmas):  # fmt: skip
        return False
    if any(each.name == "UNROLL" or (each.name == "LOOP_FLATTEN" and "off" in each.options) for each in inner.pragmas):
        return False
    if any(each.name == "PIPELINE" and "off" not in each.options for each in inner.pragmas):
        return True
    further = _only_loop(inner)
    return further is not None and _flattens(inner, further)
