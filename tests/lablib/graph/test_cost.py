"""Bytes and FLOPs agree with the ledger; kernels run in order; groups that are none are refused."""

from __future__ import annotations

import pytest
import torch

from lablib import graph as graphs
from lablib.gpu.ledger import ledger
from lablib.models.gcn import GCN
from tests.lablib.graph.conftest import graph_of


def test_costs_agree_with_the_ledger(model) -> None:
    module, inputs = model
    found = graphs.costs(graphs.capture(module, *inputs)).values()
    wanted = ledger(module.to("meta"), *(x.to("meta") for x in inputs)).total
    assert sum(row.flops for row in found) == wanted.flops
    # torch.sparse.mm writes zeros of float32, and reads them to add its product to; a graph has one product instead.
    zeros = 2 * 4 * (5 * 4 + 5 * 2) if isinstance(module, GCN) else 0
    assert sum(row.bytes for row in found) == wanted.bytes - zeros
    assert sum(row.parameter_bytes for row in found) == wanted.parameter_bytes


DIAMOND = ("a = relu x", "b = exp a", "c = matmul a w", "d = add b c", "e = mul d b")
SIZES = {"x": (4, 4), "w": (4, 4)}


def test_groups_delete_trips() -> None:
    graph = graph_of(*DIAMOND, inputs=SIZES)
    unit = 4 * 4 * 4
    assert graphs.traffic(graph) == unit * (2 + 2 + 3 + 3 + 3)
    assert graphs.traffic(graph, [["a", "b"], ["d", "e"]]) == unit * (3 + 3 + 3)  # x→a,b; a,w→c; b,c→e
    assert graphs.traffic(graph, [["b", "d", "e"]]) == unit * (2 + 3 + 3)
    assert [k["nodes"] for k in graphs.kernels(graph, [["b", "d", "e"]])] == [["a"], ["c"], ["b", "d", "e"]]
    assert graphs.traffic(graph, [["c", "d", "e"]]) == unit * (
        2 + 2 + 2 + 1 + 1
    )  # c stays in registers, d and e follow
    wide = graph_of("a = add x row", "b = mul a x", inputs={"x": (4, 4), "row": (4,)})
    assert graphs.traffic(wide, [["a", "b"]]) == unit + 16 + unit


@pytest.mark.parametrize(
    ("groups", "words"),
    [
        ([["a", "d"]], "wait for each other"),
        ([["a", "c"]], "reads what its own kernel computes"),
        ([["c", "m"]], "are both not pointwise"),
        ([["v", "b"]], "'v' is none"),
        ([["a", "nobody"]], "'nobody' is none"),
        ([["a", "b"], ["b", "d"]], "more than one group"),
        ([["a", "s"]], "runs over one shape"),
    ],
)
def test_groups_that_are_none_are_refused(groups, words: str) -> None:
    more = ("s = neg row", "m = matmul x w", "v = permute x")
    graph = graph_of(*DIAMOND, *more, inputs={**SIZES, "row": (4,)}, outputs=("e", "s", "m", "v"))
    graph["nodes"][-1]["attributes"] = {"dims": [1, 0]}
    with pytest.raises(ValueError, match=words):
        graphs.kernels(graph, groups)


def test_what_only_waits_for_a_cycle_is_not_blamed() -> None:
    graph = graph_of("a = relu x", "c = matmul a w", "d = add a c", "e = exp d", inputs=SIZES)
    with pytest.raises(ValueError, match=r"so that none can start: a, d, c\.$"):
        graphs.kernels(graph, [["a", "d"]])


def test_a_kernel_of_its_own_writes_what_nobody_needs_and_a_group_does_not() -> None:
    graph = graph_of("a = relu x", "b = exp x", "c = neg b", inputs={"x": (4, 4)}, outputs=("a",))
    assert [kernel["writes"] for kernel in graphs.kernels(graph)] == [["a"], ["b"], ["c"]]
    assert [kernel["writes"] for kernel in graphs.kernels(graph, [["b", "c"]])] == [["a"], []]


def test_a_group_reads_the_numbers_of_an_expanded_tensor_once() -> None:
    graph = graph_of("e = expand row", "a = add x e", "b = exp a", inputs={"x": (4, 4), "row": (4,)})
    graph["nodes"][0]["attributes"] = {"shape": [4, 4]}
    assert graphs.traffic(graph, [["a", "b"]]) == 64 + 16 + 64
    assert graphs.traffic(graph) == (64 + 16 + 64) + (64 + 64)


def test_a_group_reads_two_views_of_the_same_numbers_once() -> None:
    graph = graph_of("u = view x", "v = view x", "a = exp u", "b = add a v", inputs={"x": (4, 4)})
    for view in graph["nodes"][:2]:
        view["attributes"] = {"shape": [4, 4]}
    assert graphs.traffic(graph, [["a", "b"]]) == 64 + 64


def test_a_view_has_the_memory_of_what_it_shows() -> None:
    graph = graph_of("a = relu x", "v = view a", "b = exp v", inputs={"x": (4, 4)}, outputs=("v", "b"))
    graph["nodes"][1]["attributes"] = {"shape": [4, 4]}
    assert graphs.kernels(graph) == [
        {"nodes": ["a"], "reads": ["x"], "writes": ["a"]}, {"nodes": ["b"], "reads": ["a"], "writes": ["b"]},
    ]  # fmt: skip
    with pytest.raises(ValueError, match="wait for each other"):
        graphs.kernels(graph, [["a", "b"]])  # the view would have to show what no memory holds


def legal(graph, groups) -> bool:
    try:
        graphs.kernels(graph, groups)
    except ValueError:
        return False
    return True


def test_fused_modules_compute_the_same(model) -> None:
    module, inputs = model
    graph = graphs.capture(module, *inputs)
    pairs: list[list[str]] = []
    for node in graph["nodes"]:
        for name in node["inputs"]:
            if legal(graph, [*pairs, [name, node["name"]]]):
                pairs.append([name, node["name"]])
    found, wanted = graphs.to_fx(graph, pairs)(*inputs), graphs.run(graph, *inputs)
    assert all(torch.equal(a, b) for a, b in zip(found, wanted, strict=True))
    assert graphs.traffic(graph, pairs) <= graphs.traffic(graph)
