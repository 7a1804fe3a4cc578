"""What is wrong with a graph is said in one sentence."""

from __future__ import annotations

import pytest
import torch

from lablib import graph as graphs
from tests.lablib.graph.conftest import graph_of

X = {"x": (2, 3)}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda g: g.pop("outputs"), "is a dict with inputs"),
        (lambda g: g["outputs"].append("z"), "returns 'z'"),
        (lambda g: g["nodes"][0].pop("op"), "A node is a dict"),
        (lambda g: g["nodes"][0].update(op="from_file"), "unknown operation 'from_file'"),
        (lambda g: g["nodes"][1].update(name="a"), "'a' is used twice"),
        (lambda g: g["nodes"].reverse(), "reads 'a', which no input"),
        (lambda g: g["nodes"][0].update(attributes={"sideways": 1}), "cannot run"),
        (
            lambda g: g["inputs"].update(y=((7,), torch.float32)) or g["nodes"][1].update(inputs=["a", "y"]),
            "cannot run",
        ),
        (lambda g: g["constants"].update(x=torch.ones(1)), "the same name"),
        (
            lambda g: g["nodes"].append(
                {
                    "name": "c",
                    "op": "full",
                    "inputs": [],
                    "attributes": {"shape": [2**40], "value": 0, "dtype": torch.half},
                }
            ),
            "more than 256 MiB",
        ),
    ],
)
def test_a_fault_is_named(change, words: str) -> None:
    graph = graph_of("a = relu x", "b = add a x", inputs=X)
    graphs.validate(graph)
    change(graph)
    with pytest.raises(ValueError, match=words):
        graphs.validate(graph)


def test_types_and_text() -> None:
    graph = graph_of("a = relu x", "b = matmul a w", inputs={**X, "w": (3, 5)})
    assert graphs.types(graph)["b"] == ((2, 5), torch.float32)
    assert graphs.text(graph).splitlines() == [
        "x: float32 (2, 3)", "w: float32 (3, 5)", "a = relu(x)    # float32 (2, 3)",
        "b = matmul(a, w)    # float32 (2, 5)", "return b",
    ]  # fmt: skip
