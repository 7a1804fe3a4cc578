"""A pass that changes what it may not is named; so is what a simple graph does not have."""

from __future__ import annotations

import pytest
import torch

from lablib import check
from lablib.graph import parse
from lablib.graph.compare import faults, redundant

LINES = "x: float32 (2, 3); a = exp(x); b = mul(a, w); return b"


def graph(lines: str = LINES, **constants: torch.Tensor):
    return parse(lines, **({"w": torch.full((3,), 2.0)} | constants))


@pytest.mark.parametrize(
    ("after", "words"),
    [
        (LINES.replace("return b", "return b, a"), "it returns 2 results; expected 1"),
        (LINES.replace("(2, 3)", "(4, 3)"), "its inputs are"),
        (LINES.replace("b", "c"), "'c', which the graph did not have"),
        (LINES.replace("mul(a", "add(a"), "'b' is add {}, and was mul {}"),
        ("x: float32 (2, 3); b = mul(x, w); a = exp(b); return a", "'a' stands in another place"),
        (LINES.replace("mul(a, w)", "mul(a, a)"), "keeps the constant 'w'"),
        (LINES.replace("mul(a, w)", "mul(x, w)"), "output 0 is off by up to"),
    ],
)
def test_a_fault_is_named(after: str, words: str) -> None:
    (found,) = faults(graph(), graph(after), check.rng)
    assert words in found


def test_what_may_change() -> None:
    assert faults(graph(), graph(), check.rng) == []
    doubled = graph(LINES.replace("mul(a, w)", "add(a, a)"))
    del doubled["constants"]["w"]
    assert faults(graph(), doubled, check.rng, rewritten=["b"]) == []
    assert "is no graph" in faults(graph(), {**graph(), "outputs": ["z"]}, check.rng)[0]


def test_draws_are_neither_common_nor_constant() -> None:
    assert redundant(graph("r = rand_like(w); s = rand_like(w); t = add(r, s); return t")) == []
