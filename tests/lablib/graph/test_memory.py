"""Lifetimes, lower bounds, and what an arena does to a plan that is wrong."""

from __future__ import annotations

import pytest
import torch

from lablib import graph as graphs
from tests.lablib.graph.conftest import graph_of


def one_after_the_other(kernels, sizes) -> dict[str, int]:
    offsets, top = {}, 0
    for name in (name for kernel in kernels for name in kernel["writes"]):
        offsets[name] = top
        top += -(-sizes[name] // 64) * 64
    return offsets


def test_every_model_runs_in_an_arena(model) -> None:
    module, inputs = model
    graph = graphs.capture(module, *inputs)
    kernels, sizes, outputs = graphs.memory_job(graph)
    offsets = one_after_the_other(kernels, sizes)
    assert graphs.overlaps(kernels, offsets, sizes, outputs) == []
    found, wanted = graphs.run_in_arena(graph, kernels, offsets, *inputs), graphs.run(graph, *inputs)
    assert all(torch.equal(a, b) for a, b in zip(found, wanted, strict=True))
    assert max(graphs.live_bytes(kernels, sizes, outputs)) <= sum(sizes[name] for name in offsets)


def test_a_wrong_plan_is_named_and_computes_something_else() -> None:
    graph = graph_of("a = relu x", "b = exp a", "c = add a b", inputs={"x": (16,)})
    kernels, sizes = graphs.kernels(graph), dict.fromkeys("abc", 64)
    assert graphs.live_bytes(kernels, sizes, ["c"]) == [64, 128, 192]
    wrong = {"a": 0, "b": 0, "c": 64}
    assert graphs.overlaps(kernels, wrong, sizes, ["c"]) == [
        "a (bytes 0 to 64, kernels 0 to 2) and b (bytes 0 to 64, kernels 1 to 2) share bytes."
    ]
    assert graphs.overlaps(kernels, {"a": 0, "b": 64}, sizes, ["c"]) == ["c has no place."]
    x = torch.rand(16)
    assert not torch.equal(graphs.run_in_arena(graph, kernels, wrong, x)[0], graphs.run(graph, x)[0])


def test_a_missing_input_is_said() -> None:
    graph = graph_of("c = add a b", inputs={"a": (16,), "b": (16,)})
    for run in (
        graphs.run,
        lambda graph, *inputs: graphs.run_in_arena(graph, graphs.kernels(graph), {"c": 0}, *inputs),
    ):
        with pytest.raises(ValueError, match="has the inputs a, b: it was given 1 tensors"):
            run(graph, torch.ones(16))


def test_what_is_returned_lives_to_the_end() -> None:
    graph = graph_of("a = relu x", "b = exp x", "c = neg x", inputs={"x": (16,)}, outputs=("a", "c"))
    kernels, sizes = graphs.kernels(graph), dict.fromkeys("abc", 64)
    assert graphs.live_bytes(kernels, sizes, ["a", "c"]) == [64, 128, 128]
    assert graphs.overlaps(kernels, {"a": 0, "b": 64, "c": 64}, sizes, ["a", "c"]) == []
    assert graphs.overlaps(kernels, {"a": 0, "b": 64, "c": 0}, sizes, ["a", "c"])
