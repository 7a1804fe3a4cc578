"""Graphs that a compiler works on, as plain lists and dicts: where they come from, what they cost, how they run.

    model ──capture──> graph ──passes──> graph ──kernels──> plan of memory and streams ──> run

`ir` says what a graph is; `ops` which operations there are; `capture` makes one of a model, or of what torch.compile
found; `cost` counts bytes and FLOPs; `memory` has lifetimes and arenas; `execute` runs graphs, and makes torch.fx
modules and backends of torch.compile of them.
"""

from lablib.graph.capture import capture
from lablib.graph.cost import costs, kernels, traffic
from lablib.graph.execute import backend, run, to_fx
from lablib.graph.ir import nbytes, text, types, validate
from lablib.graph.memory import live_bytes, overlaps, run_in_arena

__all__ = [
    "backend", "capture", "costs", "kernels", "live_bytes", "nbytes", "overlaps", "run", "run_in_arena",
    "text", "to_fx", "traffic", "types", "validate",
]  # fmt: skip
