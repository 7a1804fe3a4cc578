"""An estimate of what a kernel takes, before any synthesis: look-up tables by operation, multipliers, block RAMs.

An addition takes a look-up table a bit, as a multiplexer does; a product as many as its operands' bits make pairs,
twice, where the part has no multipliers. `lablib.hls.synth` counts what synthesis really makes of it.
"""

from __future__ import annotations

from collections import Counter as Count

from lablib.hls.cpp.bind import bind
from lablib.hls.cpp.ir import Value, loops
from lablib.hls.cpp.library import additions, is_product
from lablib.hls.cpp.plan import Plan
from lablib.hls.report import Resources

__all__ = ["area", "multipliers"]

_BRAM_BITS = 4096
_LEAST_BRAM_BITS = 512  # a smaller memory becomes look-up tables or flip-flops


def area(plan: Plan) -> Resources:
    """Look-up tables, multipliers and block RAMs of a kernel; arrays that are parameters lie outside of it."""
    hard = plan.library.target.multiplier > 0
    binding = bind(plan)
    luts = sum(
        _luts(value, hard)
        for schedule in plan.schedules.values()
        for value in schedule.graph.values
        if value not in binding.unit
    )
    users = Count(binding.unit.values())
    for unit, (kind, _, widths, bits) in binding.shape.items():
        luts += 0 if kind == "mul" and hard else 2 * widths[0] * widths[1] if kind == "mul" else bits
        luts += (users[unit] - 1) * sum(widths)
    luts += sum(2 * each.variable.format.width for loop in loops(plan.kernel.regions) for each in loop.counters)
    luts += sum(schedule.depth for schedule in plan.schedules.values())
    inside = [each for each in plan.kernel.memories if not each.port]
    sizes = [each.depth * each.format.width for each in inside]
    rams = sum(-(-size // _BRAM_BITS) for size in sizes if size >= _LEAST_BRAM_BITS)
    return Resources(lut=luts, dsp=multipliers(plan) if hard else 0, bram=rams)


def multipliers(plan: Plan) -> int:
    """Products of two values that change, after sharing."""
    binding = bind(plan)
    shared = sum(shape[0] == "mul" for shape in binding.shape.values())
    values = [value for schedule in plan.schedules.values() for value in schedule.graph.values]
    return shared + sum(is_product(value) and value not in binding.unit for value in values)


def _luts(value: Value, hard: bool) -> int:
    """Of one operation that has its unit for itself."""
    widths = [each.bits for each in value.arguments if each.kind != "const"]
    if value.kind in ("add", "sub"):
        return value.bits
    if value.kind == "lt":
        return max(widths)
    if value.kind == "eq":
        return -(-2 * max(widths) // 3)
    if value.kind in ("mux", "and", "or", "xor"):
        changing = sum(each.kind != "const" for each in value.arguments)
        return value.bits if changing > 1 else 0
    if value.kind in ("shlv", "shrv"):
        return value.bits * min(value.arguments[1].bits - 1, value.bits.bit_length())
    if is_product(value):
        return 0 if hard else 2 * widths[0] * widths[1]
    if value.kind == "mul":
        return value.bits * additions(value.arguments[1].data)
    return 0
