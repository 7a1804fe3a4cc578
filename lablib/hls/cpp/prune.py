"""Leave out what no result needs: registers that nothing reads, and the loads, stores and loops only they needed."""

from __future__ import annotations

from lablib.hls.cpp.ir import Block, Kernel, Memory, Region, Variable, blocks, loops, reached

__all__ = ["prune"]


def prune(kernel: Kernel) -> Kernel:
    """The kernel without what is not needed."""
    variables, memories = _needed(kernel)
    for block in blocks(kernel.regions):
        block.puts = [put for put in block.puts if put.data in variables]
        stores = [each for each in block.accesses if each.kind == "store" and each.data in memories]
        used = set(reached(stores + block.puts))
        block.accesses = [each for each in block.accesses if each in used]
    kernel.regions[:] = _kept(kernel.regions)
    kernel.memories = [memory for memory in kernel.memories if memory in memories or memory.port]
    ports = {place for places in kernel.arrays.values() for place, _ in places}
    counters = {counter.variable for loop in loops(kernel.regions) for counter in loop.counters}
    kept = variables | ports | counters
    kernel.variables = [each for each in kernel.variables if each in kept]
    return kernel


def _needed(kernel: Kernel) -> tuple[set[Variable], set[Memory]]:
    """Registers and memories that results depend on: grown from the ports until nothing is added."""
    variables = {each for each in kernel.variables if each.port == "out"}
    memories = {each for each in kernel.memories if each.port}
    found = -1
    while found != len(variables) + len(memories):
        found = len(variables) + len(memories)
        for block in blocks(kernel.regions):
            ends = [each for each in block.accesses if each.kind == "store" and each.data in memories]
            ends += [put for put in block.puts if put.data in variables]
            for value in reached(ends):
                if value.kind == "get":
                    variables.add(value.data)
                elif value.kind == "load":
                    memories.add(value.data)
    return variables, memories


def _kept(regions: list[Region]) -> list[Region]:
    kept: list[Region] = []
    for region in regions:
        if isinstance(region, Block):
            if region.values:
                kept.append(region)
            continue
        region.body = _kept(region.body)
        if region.body:
            kept.append(region)
    return kept
