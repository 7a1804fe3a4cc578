"""Add up in pairs: a + b + c + d in two levels of adders and not in three.

Sums of integers that wrap can be added in any order, and it does not matter where within the sum they wrap. What an
iteration takes over from the one before comes last, so that the recurrence is one addition long.
"""

from __future__ import annotations

import heapq
from collections import Counter as Count

from lablib.hls.cpp.arithmetic import Arithmetic
from lablib.hls.cpp.formats import Format
from lablib.hls.cpp.ir import Block, Value, Variable, reached

__all__ = ["rebalance"]

_LEVELS = {"load": 2, "mul": 3, "add": 1, "sub": 1, "lt": 1, "eq": 1, "mux": 1}


def rebalance(block: Block, ops: Arithmetic) -> None:
    """Rebuild the sums of a block, and what depends on them."""
    values = reached(block.accesses + block.puts)
    users = Count(each for value in values for each in value.arguments)
    free = {value for value in values if _is_sum(value) and _inner(value) not in block.bound}
    inside = {each for value in free for each in value.arguments if users[each] == 1 and each in free}
    new: dict[Value, Value] = {}
    depth: dict[Value, int] = {}
    carried = {put.data for put in block.puts}
    for value in values:
        arguments = tuple(new[each] for each in value.arguments)
        terms = _terms(value, _format(value), inside) if value in free and value not in inside else []
        if len(terms) > 2:
            made = _tree(ops, [(new[term], negative) for term, negative in terms], _format(value), depth, carried)
        else:
            same = all(one is other for one, other in zip(arguments, value.arguments, strict=True))
            made = value if same else _again(ops, value, arguments)
        new[value] = made
        if value in block.bound:
            block.bound[made] = block.bound[value]
        _measure(made, depth)
    block.accesses = [new[each] for each in block.accesses]
    block.puts = [new[each] for each in block.puts]


def _measure(value: Value, depth: dict[Value, int]) -> int:
    """Levels of logic up to a value; `depth` keeps those that are known."""
    if value not in depth:
        levels = [_measure(each, depth) for each in value.arguments]
        depth[value] = max(levels, default=0) + _LEVELS.get(value.kind, 0)
    return depth[value]


def _is_sum(value: Value) -> bool:
    """Whether it is an addition, or the wrapping of one."""
    return _inner(value).kind in ("add", "sub")


def _inner(value: Value) -> Value:
    return value.arguments[0] if value.kind == "cut" else value


def _format(value: Value) -> Format | None:
    return value.data if value.kind == "cut" else None


def _terms(value: Value, format: Format | None, inside: set[Value]) -> list[tuple[Value, bool]]:
    """What a sum is made of, each with whether it is subtracted."""
    while value.kind == "cut":
        value = value.arguments[0]
    found: list[tuple[Value, bool]] = []
    for at, each in enumerate(value.arguments):
        narrower = each.kind == "cut" and (format is None or each.data.width < format.width)
        deeper = each in inside and not narrower
        terms = _terms(each, format, inside) if deeper else [(each, False)]
        flip = at == 1 and value.kind == "sub"
        found += [(term, negative != flip) for term, negative in terms]
    return found


def _tree(
    ops: Arithmetic,
    terms: list[tuple[Value, bool]],
    format: Format | None,
    depth: dict[Value, int],
    carried: set[Variable],
) -> Value:
    """The sum, those that are there first added first."""
    late = _late([term for term, _ in terms], carried)

    def ready(term: Value) -> int:
        return depth[term] + 1000 * (term in late)

    heap = [(ready(term), at, term, negative) for at, (term, negative) in enumerate(terms)]
    heapq.heapify(heap)
    count = len(heap)
    while len(heap) > 1:
        (first, _, a, minus_a), (second, _, b, minus_b) = heapq.heappop(heap), heapq.heappop(heap)
        if minus_a == minus_b:
            total, negative = ops.add(a, b), minus_a
        else:
            total, negative = (ops.sub(b, a) if minus_a else ops.sub(a, b)), False
        heapq.heappush(heap, (max(first, second) + 1, count, total, negative))
        count += 1
    _, _, total, negative = heap[0]
    total = ops.sub(ops.const(0), total) if negative else total
    return total if format is None else ops.cut(total, format)


def _late(terms: list[Value], carried: set[Variable]) -> set[Value]:
    """The terms that depend on what the block itself leaves for the next iteration."""
    late: set[Value] = set()
    for value in reached(terms):
        if (value.kind == "get" and value.data in carried) or any(each in late for each in value.arguments):
            late.add(value)
    return late


def _again(ops: Arithmetic, value: Value, arguments: tuple[Value, ...]) -> Value:
    """The same operation on other arguments, which have the same or narrower ranges."""
    if value.kind in ("put", "store", "load", "get"):
        return Value(value.kind, arguments, value.low, value.high, value.line, value.data)
    ops.line = value.line
    return ops.value(value.kind, arguments, value.low, value.high, value.data)
