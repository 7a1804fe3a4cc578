"""What can be seen of a syntax tree without running it: which variables are assigned, and which pragmas name them."""

from __future__ import annotations

from collections.abc import Iterator

from lablib.hls.cpp.refusal import refused
from lablib.hls.cpp.tree import Block, Declare, Evaluate, Expr, For, Function, If, Pragma, Return, Statement, Symbol

__all__ = ["assigned", "named_pragmas", "written_names"]

_OPERATIONS = {"mul", "add", "sub"}


def assigned(node: Statement) -> set[Symbol]:
    """The symbols that a statement assigns to, itself or in the functions that it calls."""
    found: set[Symbol] = set()
    for expression in _expressions(node):
        for each in _parts(expression):
            if each.kind in ("assign", "step"):
                found |= _root(each.operands[0])
            elif each.kind == "call":
                changed = written_names(each.data)
                for symbol, argument in zip(each.data.parameters, each.operands, strict=True):
                    if symbol in changed and symbol.reference:
                        found |= _root(argument)
    return found


def written_names(function: Function) -> set[Symbol]:
    """The symbols that a function assigns to."""
    return assigned(function.body)


def _root(node: Expr) -> set[Symbol]:
    while not isinstance(node.data, Symbol):
        if not node.operands:
            return set()
        node = node.operands[0]
    return {node.data}


def _statements(node: Statement | None) -> Iterator[Statement]:
    """A statement and all those inside of it."""
    if node is None:
        return
    yield node
    if isinstance(node, Block):
        for each in node.body:
            yield from _statements(each)
    elif isinstance(node, If):
        yield from _statements(node.then)
        yield from _statements(node.otherwise)
    elif isinstance(node, For):
        yield from _statements(node.body)


def _expressions(node: Statement) -> Iterator[Expr]:
    for each in _statements(node):
        if isinstance(each, Evaluate):
            yield each.value
        elif isinstance(each, If):
            yield each.condition
        elif isinstance(each, Return) and each.value is not None:
            yield each.value
        elif isinstance(each, Declare) and isinstance(each.symbol.initial, Expr):
            yield each.symbol.initial


def _parts(node: Expr) -> Iterator[Expr]:
    yield node
    for each in node.operands:
        yield from _parts(each)


def named_pragmas(function: Function) -> dict[tuple[str, str], list[Pragma]]:
    """The pragmas of a function that name a variable, by their name and the variable's.

    Raises
    ------
    OutsideSubset
        There is no such variable, or a pragma lacks an option.
    """
    loops = [each for each in _statements(function.body) if isinstance(each, For)]
    known = {symbol.name: symbol for symbol in function.parameters}
    known |= {each.symbol.name: each.symbol for each in _statements(function.body) if isinstance(each, Declare)}
    found: dict[tuple[str, str], list[Pragma]] = {}
    for pragma in [*function.pragmas, *(each for loop in loops for each in loop.pragmas)]:
        if pragma.name in ("ARRAY_PARTITION", "BIND_OP"):
            _check(pragma, function, known)
            found.setdefault((pragma.name, pragma.options["variable"]), []).append(pragma)
    return found


def _check(pragma: Pragma, function: Function, known: dict[str, Symbol]) -> None:
    variable = pragma.options.get("variable", "")
    if variable not in known:
        what = f"{pragma.name} of {variable or 'no variable'}"
        raise refused(pragma.line, what, f"name a variable of {function.name}: {', '.join(sorted(known))}")
    if pragma.name == "ARRAY_PARTITION" and not known[variable].shape:
        raise refused(pragma.line, f"ARRAY_PARTITION of the number {variable}", "name an array")
    if pragma.name == "BIND_OP" and pragma.options.get("op") not in _OPERATIONS:
        raise refused(pragma.line, f"BIND_OP op={pragma.options.get('op', '')}", "write op=mul, op=add or op=sub")
