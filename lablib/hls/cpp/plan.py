"""A kernel with all its schedules, and the cycles that follow from them in closed form.

block       its depth
loop        1 to enter + trip · (cycles of its body), or 1 + depth + II · (trip - 1) where it is pipelined
kernel      the sum over its regions, and 1 for `done`
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from lablib.hls.cpp.graph import Graph, graph_of
from lablib.hls.cpp.ir import Block, Kernel, Loop, Region, blocks, loops
from lablib.hls.cpp.library import Library
from lablib.hls.cpp.schedule import Schedule, modulo, recurrence, straight

__all__ = ["Plan", "plan"]


@dataclass
class Plan:
    """What `emit` needs.

    Attributes
    ----------
    schedules
        By block.
    owner
        By block, the pipelined loop of which it is the body, if it is one.
    recurrences
        By pipelined loop, RecMII and a cycle of operations that it comes from.
    """

    kernel: Kernel
    library: Library
    schedules: dict[Block, Schedule] = field(default_factory=dict)
    owner: dict[Block, Loop] = field(default_factory=dict)
    recurrences: dict[Loop, tuple[int, list[int]]] = field(default_factory=dict)

    def cycles(self, region: Region) -> int:
        """Cycles from the first of a region to its last."""
        if isinstance(region, Block):
            return self.schedules[region].depth
        if region.ii is None:
            return 1 + region.trip * sum(self.cycles(each) for each in region.body)
        return 1 + self.of_loop(region).depth + self.of_loop(region).ii * (region.trip - 1)

    def of_loop(self, loop: Loop) -> Schedule:
        """The schedule of a pipelined loop's body."""
        (body,) = loop.body
        assert isinstance(body, Block)
        return self.schedules[body]

    @property
    def latency(self) -> int:
        """Cycles from `start` to `done`."""
        return 1 + sum(self.cycles(each) for each in self.kernel.regions)

    @property
    def interval(self) -> int:
        """Cycles from one `start` to the next: calls do not overlap."""
        return self.latency + 1


def plan(kernel: Kernel, library: Library) -> Plan:
    """Schedule every block of a kernel."""
    made = Plan(kernel, library)
    for number, loop in enumerate(loops(kernel.regions)):
        loop.name = f"l{number}"
        if loop.ii is not None:
            made.owner.update({body: loop for body in loop.body if isinstance(body, Block)})
    for number, block in enumerate(blocks(kernel.regions)):
        block.name = f"b{number}"
        loop = made.owner.get(block)
        graph = graph_of(block, library, kernel.limits, loop)
        if loop is None:
            made.schedules[block] = straight(graph)
        else:
            made.recurrences[loop] = recurrence(graph)
            made.schedules[block] = _pipelined(made, block, loop, graph)
    return made


def _pipelined(made: Plan, block: Block, loop: Loop, graph: Graph) -> Schedule:
    """The least II; then, at this II, multipliers shared, unless the choice of their operands takes too long."""
    least = max(loop.ii or 1, made.recurrences[loop][0])
    found = modulo(graph, least)
    assert found is not None
    if found.ii == 1:
        return found
    shared = graph_of(block, made.library, made.kernel.limits, loop, found.ii)
    if recurrence(shared)[0] > found.ii:
        return found
    again = modulo(shared, found.ii, found.ii)
    return found if again is None else replace(again, exact=found.exact)
