"""The control of a kernel: one token that goes from region to region.

A region begins in the cycle after its ``go``, and ``end`` is high in its last cycle, which is the next region's ``go``.
A block is a shift register: the token is in bit c in its cycle c. A loop has a cycle to enter; its body's end is its
own end in the last iteration, and otherwise the body's next go. A pipelined loop puts a new token into the block's
shift register every II cycles; a second shift register marks the last one.
"""

from __future__ import annotations

from lablib.hls.cpp.ir import Block, Loop, Region
from lablib.hls.cpp.plan import Plan

__all__ = ["control"]


def control(plan: Plan) -> tuple[list[str], list[str]]:
    """Declarations, and statements of the clocked block."""
    made = _Control(plan)
    end = made.sequence(plan.kernel.regions, "start")
    made.steps.append(f"  done <= !rst & {end};")
    return made.wires, made.steps


class _Control:
    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.wires: list[str] = []
        self.steps: list[str] = []

    def sequence(self, regions: list[Region], go: str) -> str:
        """Regions one after the other; the name of the last one's end."""
        for region in regions:
            go = self._block(region, go) if isinstance(region, Block) else self._loop(region, go)
        return go

    def _block(self, block: Block, go: str) -> str:
        depth = self.plan.schedules[block].depth
        self._shift(f"{block.name}_v", depth, go)
        return f"{block.name}_v[{depth - 1}]"

    def _shift(self, name: str, depth: int, go: str) -> None:
        self.wires.append(f"reg [{depth - 1}:0] {name};")
        value = f"{{{name}[{depth - 2}:0], {go}}}" if depth > 1 else go
        self.steps.append(f"  {name} <= rst ? {depth}'d0 : {value};")

    def _loop(self, loop: Loop, go: str) -> str:
        name = loop.name
        self.wires += [f"reg {name}_enter;", f"wire {name}_last = {self._at_last(loop)};"]
        self.steps.append(f"  {name}_enter <= !rst & {go};")
        if loop.ii is not None:
            return self._pipeline(loop)
        self.wires.append(f"wire {name}_next;")
        end = self.sequence(loop.body, f"({name}_enter | {name}_next)")
        self.wires.append(f"assign {name}_next = {end} & !{name}_last;")
        self._count(loop, end)
        return f"({end} & {name}_last)"

    def _pipeline(self, loop: Loop) -> str:
        (body,) = loop.body
        schedule, name = self.plan.of_loop(loop), body.name
        depth = max(schedule.depth, schedule.ii)
        issue = f"({name}_v[{schedule.ii - 1}] & !{name}_f[{schedule.ii - 1}])"
        self._shift(f"{name}_v", depth, f"({loop.name}_enter | {issue})")
        # The last iteration: known in its cycle 0, then carried along with its token.
        self.wires.append(f"wire [{depth - 1}:0] {name}_f;")
        self.wires.append(f"assign {name}_f[0] = {name}_v[0] & {loop.name}_last;")
        if depth > 1:
            self.wires.append(f"reg [{depth - 2}:0] {name}_l;")
            self.wires.append(f"assign {name}_f[{depth - 1}:1] = {name}_l;")
            value = f"{{{name}_l[{depth - 3}:0], {name}_f[0]}}" if depth > 2 else f"{name}_f[0]"
            self.steps.append(f"  {name}_l <= rst ? {depth - 1}'d0 : {value};")
        self._count(loop, f"{name}_v[0]")
        return f"{name}_f[{schedule.depth - 1}]"

    def _at_last(self, loop: Loop) -> str:
        return " & ".join(f"{each.variable.name}_is_last" for each in loop.counters)

    def _count(self, loop: Loop, step: str) -> None:
        """The counters: the innermost moves at every step, the others when all those inside of them begin again."""
        for counter in reversed(loop.counters):
            name, bits = counter.variable.name, counter.variable.format.width
            first, last, by = (
                f"{bits}'d{number & (1 << bits) - 1}" for number in (counter.first, counter.last, counter.step)
            )
            self.wires.insert(0, f"wire {name}_is_last = {name} == {last};")
            self.steps.append(
                f"  if ({loop.name}_enter) {name} <= {first}; "
                f"else if ({step}) {name} <= {name}_is_last ? {first} : {name} + {by};"
            )
            step = f"{step} & {name}_is_last"
