"""lablib's flash attention, pasted into a hand-in: the exercises are variants of it, so it earns nothing."""

from __future__ import annotations

import ast
from functools import cache

import pytest

from autograder import master
from autograder.master import Lab

from .conftest import ROOT

MODULES = ("tuned", "attention_tiles", "flash_attention_forward", "flash_attention_backward")
HOPPER = "def suits_hopper(q):\n    return False\n"

# The exercise, and what calls the pasted kernels with the best will.
PASTED = {
    "attend": """
def attend(qkv, sink, BLOCK_M=32, BLOCK_N=32, num_warps=4, num_stages=2):
    q, k, v = qkv.permute(1, 2, 0, 3)[:, None]
    o, lse = flash_attention_forward(q, k, v, True, configuration={"BLOCK_M": BLOCK_M, "BLOCK_N": BLOCK_N})
    return o[0].transpose(0, 1), lse[0]
""",
    "attend_window": """
def attend_window(q, k, v, window, BLOCK=16, BLOCK_N=32, num_warps=4, num_stages=2):
    blocks = {"BLOCK_M": max(16, BLOCK), "BLOCK_N": BLOCK_N}
    return flash_attention_forward(q[None], k[None], v[None], True, window, configuration=blocks)[0][0]
""",
    "grad_queries": """
def grad_queries(q, k, v, o, lse, do, cap, BLOCK=32, num_warps=4):
    blocks = {"BLOCK_M": BLOCK, "BLOCK_N": BLOCK}
    rows = [x[None] for x in (q, k, v, o, lse, do)]
    dq, _, _ = flash_attention_gradients(*rows, for_queries=blocks, for_keys=blocks)
    return dq[0], torch.empty_like(lse)
""",
    "grad_keys": """
def grad_keys(q, k, v, lse, delta, do, cap, BLOCK=32, num_warps=4):
    blocks = {"BLOCK_M": BLOCK, "BLOCK_N": BLOCK}
    rows = [x[None] for x in (q, k, v, torch.empty_like(v), lse, do)]
    _, dk, dv = flash_attention_gradients(*rows, for_queries=blocks, for_keys=blocks)
    return dk[0], dv[0]
""",
}


@pytest.fixture(scope="session")
def lab07() -> Lab:
    return master.find(ROOT, "lab07")


@cache
def reference_kernels() -> str:
    """The source of lablib's kernels as one text that imports nothing of them."""
    parts = ["from __future__ import annotations", HOPPER]
    for name in MODULES:
        tree = ast.parse((ROOT / f"lablib/kernels/{name}.py").read_text())
        tree.body = [statement for statement in tree.body if not of_lablib(statement)]
        parts.append(ast.unparse(tree))
    return "\n\n".join(parts)


def of_lablib(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.ImportFrom) and statement.module in (
        "__future__", *(f"lablib.kernels.{name}" for name in (*MODULES, "flash_attention_hopper")),
    )  # fmt: skip


@pytest.mark.parametrize("cell", PASTED)
def test_a_pasted_reference_kernel_earns_nothing_and_costs_no_other(bar, lab07: Lab, cell: str) -> None:
    answer = reference_kernels() + PASTED[cell]
    test, neighbour = f"test_{cell}", "test_best_blocks"
    outcomes = bar.hear({cell: answer}, tests=frozenset({test, neighbour}), lab=lab07).outcomes
    assert outcomes[neighbour].passed
    assert not outcomes[test].passed
    # It ran, and fell short of the contract: nothing was missing.
    assert outcomes[test].message.startswith(f"AssertionError: {cell}"), outcomes[test].message
