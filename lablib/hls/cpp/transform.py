"""Run the program once on symbols: loops are unrolled or kept, calls are inlined, branches become conditions.

`if` runs both branches; a variable gets the value of the branch that holds, and a store the branch's condition. A call
runs the function's body with the parameters bound to the arguments. Loops are `loops`.
"""

from __future__ import annotations

from lablib.hls.cpp.ir import Kernel, Value, Variable
from lablib.hls.cpp.loops import Loops
from lablib.hls.cpp.places import Slice
from lablib.hls.cpp.prune import prune
from lablib.hls.cpp.refusal import refused
from lablib.hls.cpp.scan import named_pragmas, written_names
from lablib.hls.cpp.tree import Block, Declare, Evaluate, Expr, For, Function, If, Return, Statement, Symbol

__all__ = ["transform"]


def transform(function: Function) -> Kernel:
    """The regions of a kernel."""
    run = _Run(function.name)
    run.top(function)
    return prune(run.kernel)


class _Run(Loops):
    def top(self, function: Function) -> None:
        """Bind the parameters to ports, and run the body."""
        self.pragmas = named_pragmas(function)
        if self.unique(function.name) != function.name:
            raise refused(function.line, f"a kernel of the name {function.name}", "take one that Verilog does not use")
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
        for pragma in function.pragmas:
            if pragma.name in ("PIPELINE", "ALLOCATION"):
                what = f"{pragma.name} of {function.name}, which is called,"
                raise refused(pragma.line, what, "write it in the top function, or in a loop")
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
            value = self.cast(argument, symbol.format)
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
        self.scope([*others] if ends else [*others, last], keep=True)
        if not isinstance(last, Return) or last.value is None or function.returned is None:
            return None
        self.ops.line = last.line
        return self.cast(last.value, function.returned)

    def scope(self, body: list[Statement], keep: bool = False) -> None:
        """Statements, with the variables that they declare."""
        for statement in body:
            self._statement(statement)
        for statement in body if not keep else []:
            if isinstance(statement, Declare):
                self.end(statement.symbol)

    def _statement(self, node: Statement) -> None:
        self.ops.line = node.line
        if isinstance(node, Block):
            self.scope(list(node.body))
        elif isinstance(node, Declare):
            self.declare(node.symbol)
        elif isinstance(node, Evaluate):
            if node.value.kind == "call":
                self.call(node.value)
            else:
                self.value(node.value)
        elif isinstance(node, If):
            self.branch(self.condition(node.condition), node.then, node.otherwise)
        elif isinstance(node, For):
            self.loop(node)
        else:
            raise refused(node.line, "a return that is not the last statement", "assign to a variable, return it last")

    def branch(self, condition: Value, then: Statement, otherwise: Statement | None) -> None:
        if condition.kind == "const":
            chosen = then if condition.data else otherwise
            if chosen is not None:
                self.scope([chosen])
            return
        before, outer = dict(self.held), self.predicate
        self.predicate = self.ops.logic("and", outer, condition)
        self.scope([then])
        first, self.held = self.held, before
        if otherwise is not None:
            self.predicate = self.ops.logic("and", outer, self.ops.opposite(condition))
            self.scope([otherwise])
        self.predicate = outer
        second, self.held = self.held, {}
        for variable in {**first, **second}:
            values = [held.get(variable) or self.get(variable) for held in (first, second)]
            self.held[variable] = self.ops.mux(condition, *values)
