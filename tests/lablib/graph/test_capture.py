"""Models become graphs that compute the same, by hand and through torch.compile."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from lablib import graph as graphs
from lablib.graph.ops import POINTWISE, VIEWS
from lablib.models.gcn import GCN


def results(value: Any) -> tuple[torch.Tensor, ...]:
    return value if isinstance(value, tuple) else (value,)


def test_every_model_becomes_a_graph_that_computes_the_same(model) -> None:
    module, inputs = model
    graph = graphs.capture(module, *inputs)
    graphs.validate(graph)
    with torch.no_grad():
        wanted = results(module(*inputs))
    for found in (graphs.run(graph, *inputs), graphs.to_fx(graph)(*inputs)):
        assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(found, wanted, strict=True))


def test_torch_compile_hands_over_the_same_operations(model) -> None:
    module, inputs = model
    seen = []
    compiled = torch.compile(module, backend=graphs.backend(lambda graph: (seen.append(graph), (graph, []))[1]))
    with torch.no_grad():
        found, wanted = results(compiled(*inputs)), results(module(*inputs))
    # A graph's matmul adds up in another order than torch.sparse.mm, which the GCN calls.
    same = torch.allclose if isinstance(module, GCN) else torch.equal
    assert all(same(a, b) for a, b in zip(found, wanted, strict=True))
    (graph,) = seen
    alike = graphs.capture(module, *inputs)
    assert [node["op"] for node in graph["nodes"]] == [node["op"] for node in alike["nodes"]]
    assert [node["module"] for node in graph["nodes"]] == [node["module"] for node in alike["nodes"]]
    assert len(graph["constants"]) == len(alike["constants"])


class Parts(nn.Module):
    """Cuts, turns and joins in all the spellings that are united."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        a, b, c = x.chunk(3, dim=-1)
        d = torch.cat([a.transpose(0, 1), b.mT], dim=0).contiguous()
        e, f = d.split([1, 5])
        g = torch.cat([row + 1 for row in f.unbind(1)])[None]
        return (
            nn.functional.dropout(g.squeeze(0) * 2, training=False).reshape(5, -1).T + e.unsqueeze(0)[0, 0, 0] + c.sum()
        )


def test_spellings_are_united() -> None:
    x = torch.randn(4, 9)
    graph = graphs.capture(Parts().eval(), x)
    assert torch.equal(graphs.run(graph, x)[0], Parts()(x))
    used = {node["op"] for node in graph["nodes"]}
    assert {"slice", "permute", "cat", "view"} <= used
    assert not used & {"transpose", "flatten", "unsqueeze", "chunk", "split", "dropout"}
    assert used <= POINTWISE | VIEWS | {"cat", "sum", "reshape"}


def test_what_no_graph_holds_is_refused_by_name() -> None:
    class Sorts(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.cumsum(x, 0)

    with pytest.raises(ValueError, match=r"aten\.cumsum"):
        graphs.capture(Sorts().eval(), torch.ones(3))
    with pytest.raises(ValueError, match="in training mode"):
        graphs.capture(nn.Linear(1, 1), torch.ones(1))


def test_modules_are_told(model) -> None:
    module, inputs = model
    paths = dict(module.named_modules())
    told = [node["module"] for node in graphs.capture(module, *inputs)["nodes"]]
    assert set(told) <= set(paths)
    assert any(told)


def test_graphs_are_plain_values(model) -> None:
    module, inputs = model
    graph = graphs.capture(module, *inputs)
    kinds = {type(value) for node in graph["nodes"] for value in (*node.values(), *node["attributes"].values())}
    assert kinds <= {str, list, dict, int, float, bool, torch.dtype}


class Means(nn.Module):
    """Means over windows: with a border that does not count, and with a last window that is cut off."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = nn.functional.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)
        return nn.functional.avg_pool2d(x, 2, ceil_mode=True)


def test_means_over_windows_keep_what_they_count() -> None:
    x = torch.randn(2, 3, 7, 7)
    graph = graphs.capture(Means().eval(), x)
    assert [node["op"] for node in graph["nodes"]] == ["avg_pool2d", "avg_pool2d"]
    assert torch.equal(graphs.run(graph, x)[0], Means()(x))
