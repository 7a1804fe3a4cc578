"""What is printed can be read again; what is no graph is refused in a sentence."""

from __future__ import annotations

import pytest
import torch

from lablib.graph import parse, text

LINES = """
x: float16 (2, 3)
n: int64 ()
a = batch_norm(x, None, None, m, v, eps=1e-05)
b = to(a, dtype=torch.float64)
c = sum(b, dim=[-1], keepdim=False)
return c, n
"""


def test_what_is_printed_is_read() -> None:
    graph = parse(LINES, m=torch.zeros(3).half(), v=torch.ones(3).half())
    assert graph["inputs"] == {"x": ((2, 3), torch.float16), "n": ((), torch.int64)}
    assert graph["nodes"][0]["inputs"] == ["x", None, None, "m", "v"]
    assert graph["nodes"][1]["attributes"] == {"dtype": torch.float64}
    assert graph["outputs"] == ["c", "n"]
    assert text(parse(text(graph), **graph["constants"])) == text(graph)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("x: float32 (2,); y = = x", "line 1 of the graph"),
        ("x: float32 (2,); y = x; return y", "not 'y = x'"),
        ("x: float33 (2,); return x", "'float33' is no dtype"),
        ("x: float32 (2,); y = relu(z); return y", "reads 'z'"),
        ("x: float32 (2,); return", "not 'return'"),
    ],
)
def test_what_is_no_graph_is_refused(source: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse(source)
