"""The schedule of a loop or a block as plain data for a Gantt chart (`lablib.viz.pipelines`)."""

from __future__ import annotations

from lablib.hls.cpp.bind import bind
from lablib.hls.cpp.ir import Block, Memory, Value, blocks, loops
from lablib.hls.cpp.plan import Plan
from lablib.hls.errors import HardwareError
from lablib.hls.timeline import TimedOperation, Timeline

__all__ = ["chart"]

_WIRES = {"get", "put", "cut", "shl", "shr"}


def chart(plan: Plan, name: str, source: str = "") -> Timeline:
    """The cycles of one iteration, and after how many the next one follows.

    Parameters
    ----------
    plan
        Of a compiled kernel.
    name
        A pipelined loop, ``"l0"``, or a block, ``"b1"``, as the report and the Verilog name them.
    source
        The C++ whose lines the operations have.

    Raises
    ------
    HardwareError
        There is no such loop or block.
    """
    block = _found(plan, name)
    schedule = plan.schedules[block]
    units = bind(plan).unit
    operations = [
        TimedOperation(
            _label(value), value.kind, cycle + 1, max(timing.latency, 1), _resource(value, units), value.line
        )
        for value, timing, cycle in zip(schedule.graph.values, schedule.graph.timing, schedule.cycles, strict=True)
        if value.kind not in _WIRES
    ]
    phases = ("begin", *(f"cycle {cycle}" for cycle in range(schedule.depth)))
    ordered = tuple(sorted(operations, key=lambda each: each.start))
    bits = (None,) * schedule.depth
    return Timeline(f"{plan.kernel.name}, {name}", ordered, schedule.depth, schedule.ii, phases, bits, source)


def _found(plan: Plan, name: str) -> Block:
    pipelined = {loop.name: loop.body[0] for loop in loops(plan.kernel.regions) if loop.ii is not None}
    known = {**pipelined, **{block.name: block for block in blocks(plan.kernel.regions)}}
    block = known.get(name)
    if not isinstance(block, Block):
        raise HardwareError(f"{plan.kernel.name} has no pipelined loop or block {name!r}: it has {', '.join(known)}.")
    return block


def _label(value: Value) -> str:
    return f"{value.kind} {value.data.name}" if isinstance(value.data, Memory) else value.kind


def _resource(value: Value, units: dict[Value, str]) -> str:
    if isinstance(value.data, Memory):
        return f"{value.data.name} {'read' if value.kind == 'load' else 'write'} port"
    return units.get(value, "")
