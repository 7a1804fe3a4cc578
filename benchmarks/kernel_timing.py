"""Time functions against each other on the GPU: in turns, with a cold L2, medians.

What counts is the time on the GPU: it is kept busy while the host queues a call, so that a slow launch is no gap.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

ROUNDS = 4  # of every function in turn, so that a clock that drifts hurts all alike
_ROUND_MS = 25.0
_MOST_CALLS, _LEAST_CALLS = 200, 3
_FLUSH_BYTES = 2**28  # several times the L2
_IN_GRAPH = 20


@dataclass(frozen=True)
class Timing:
    """Milliseconds of one call: the median of all calls, and the least and greatest median of a round."""

    ms: float
    least: float
    greatest: float


def time_in_turns(functions: dict[str, Callable[[], Any]], graph: bool = False) -> dict[str, Timing]:
    """Time each function; between two calls the L2 is filled with other data.

    With ``graph``, what is timed is one of many calls inside a replayed CUDA graph, with a warm L2.
    """
    if graph:
        functions = {name: _replay(function) for name, function in functions.items()}
    flush = torch.zeros(_FLUSH_BYTES // 4, device="cuda")
    flushes = {name: _flushes(function, flush) for name, function in functions.items()}
    counts = {name: _calls(function, flush, flushes[name]) for name, function in functions.items()}
    rounds: dict[str, list[list[float]]] = {name: [] for name in functions}
    for _ in range(ROUNDS):
        for name, function in functions.items():
            rounds[name].append(_sample(function, counts[name], flush, flushes[name]))
    each = _IN_GRAPH if graph else 1
    return {name: _timing([[ms / each for ms in one] for one in of_all]) for name, of_all in rounds.items()}


def _timing(rounds: list[list[float]]) -> Timing:
    medians = [statistics.median(one) for one in rounds]
    return Timing(statistics.median(ms for one in rounds for ms in one), min(medians), max(medians))


def _flushes(function: Callable[[], Any], flush: torch.Tensor) -> int:
    """How often to flush before a call, so that the GPU has not finished when the call is queued."""
    function()
    (one,) = _sample(flush.sum, 1, flush, 1)
    queued = []
    for _ in range(3):
        torch.cuda.synchronize()
        began = time.perf_counter()
        function()
        queued.append(1e3 * (time.perf_counter() - began))
    return math.ceil(1.5 * statistics.median(queued) / one) + 1


def _calls(function: Callable[[], Any], flush: torch.Tensor, flushes: int) -> int:
    each = statistics.median(_sample(function, 3, flush, flushes))
    return max(_LEAST_CALLS, min(_MOST_CALLS, int(_ROUND_MS / max(each, 1e-3))))


def _sample(function: Callable[[], Any], calls: int, flush: torch.Tensor, flushes: int) -> list[float]:
    events = [(torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)) for _ in range(calls)]
    for start, end in events:
        for _ in range(flushes):
            flush.sum()  # read, so that the L2 holds nothing that has to be written back
        start.record()
        function()
        end.record()
    torch.cuda.synchronize()
    return [start.elapsed_time(end) for start, end in events]


def _replay(function: Callable[[], Any]) -> Callable[[], None]:
    side = torch.cuda.Stream()
    with torch.cuda.stream(side):
        function()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        for _ in range(_IN_GRAPH):
            function()
    return graph.replay
