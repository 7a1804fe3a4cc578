"""Graphs that a compiler works on, as plain lists and dicts: where they come from, what they cost, how they run.

    model ──capture──> graph ──passes──> graph ──kernels──> plan of memory and streams ──> run

`ir` says what a graph is; `ops` which operations there are; `capture` makes one of a model, or of what torch.compile
found, and `reading` of text; `cost` counts bytes and FLOPs; `memory` and `streams` judge plans; `execute` runs graphs,
and makes torch.fx modules and backends of torch.compile of them; `compare` judges what a pass returns; `exhaustive`
finds the best by trying all.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from lablib.graph.capture import capture
from lablib.graph.ir import apply, nbytes, text, types, validate
from lablib.graph.reading import parse

if TYPE_CHECKING:
    from lablib.graph.cost import costs, kernels, traffic
    from lablib.graph.execute import backend, run, to_fx
    from lablib.graph.memory import live_bytes, memory_job, overlaps, run_in_arena

__all__ = [
    "apply", "backend", "capture", "costs", "kernels", "live_bytes", "memory_job", "nbytes", "overlaps", "parse", "run",
    "run_in_arena", "text", "to_fx", "traffic", "types", "validate",
]  # fmt: skip

# Loaded when first named, so that a lab can withhold them from answers.
_MODULE_OF = {
    **dict.fromkeys(("costs", "kernels", "traffic"), "cost"),
    **dict.fromkeys(("backend", "run", "to_fx"), "execute"),
    **dict.fromkeys(("live_bytes", "memory_job", "overlaps", "run_in_arena"), "memory"),
}


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"lablib.graph has no {name!r}; it has {', '.join(__all__)}")
    return getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
