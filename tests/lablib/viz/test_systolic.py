"""The systolic array's data: what stands in which cell in which cycle."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from lablib import viz
from tests.lablib.viz.signals import cells

A = np.array([[1, -2, 3], [0, 5, 6]])
B = np.array([[1, 0], [2, -3], [4, 5]])


@pytest.fixture
def frames() -> list[dict[str, list[str]]]:
    return viz.systolic_array(cells(A, B)).content["frames"]


def number(text: str) -> int:
    return int(text.replace("−", "-"))


def test_every_operand_is_where_the_arrays_have_it(frames) -> None:
    held = cells(A, B)
    for t, frame in enumerate(frames):
        for i, j in np.ndindex(2, 2):
            assert number(frame[f"a-{i}-{j}"][0]) == held.a[t, i, j]
            assert number(frame[f"b-{i}-{j}"][0]) == held.b[t, i, j]
            assert number(frame[f"sum-{i}-{j}"][0]) == held.sum[t, i, j]


def test_a_zero_that_is_an_operand_is_shown_and_an_empty_cell_is_not(frames) -> None:
    assert frames[2]["a-1-0"] == ["0", "on"], "A[1, 0] is 0 and meets B[0, 0]"
    assert frames[1]["a-1-0"] == ["0", "off"]
    assert [frame["cell-1-1"][1] for frame in frames[:7]] == ["idle"] * 3 + ["works"] * 3 + ["complete"]


def test_operands_wait_outside_in_the_order_in_which_they_come(frames) -> None:
    assert [frames[0][f"left-0-{k}"][0] for k in (1, 2, 3, 4)] == ["1", "−2", "3", ""]
    assert [frames[0][f"left-1-{k}"] for k in (1, 2, 3)] == [["", "off"], ["0", "on"], ["5", "on"]]
    assert [frames[1][f"above-1-{k}"][0] for k in (1, 2, 3)] == ["0", "−3", "5"]


def test_products_add_up_to_the_matrix_product(frames) -> None:
    products = np.zeros((2, 2), int)
    for frame in frames:
        for i, j in np.ndindex(2, 2):
            products[i, j] += number(frame[f"product-{i}-{j}"][0] or "0")
    assert (products == A @ B).all()


def test_sums_leave_at_the_top_when_all_are_complete() -> None:
    content = viz.systolic_array(cells(A, B)).content
    assert content["cycles"][6] == "all sums are complete; row 0 of Y leaves at the top: 9, 21."
    assert content["cycles"][7] == "all sums are complete; row 1 of Y leaves at the top: 34, 15."
    assert content["cycles"][8] == "the array is empty again."
    assert [content["frames"][t]["cell-1-0"][1] for t in (6, 7)] == ["complete", "idle"]
    assert content["up"] == [False] * 7 + [True] * 2


def test_the_summary_counts_products_and_busy_cells() -> None:
    widget = viz.systolic_array(cells(A, B))
    assert widget.summary == (
        "2 × 2 cells, 9 cycles. 12 products, at most 4 of 4 cells multiply in a cycle; "
        "the last sum is complete in cycle 6."
    )
    assert widget.content["cycles"][5] == "1 of 4 cells multiply; complete: 3 of the sums."


def test_bad_arrays_are_refused_in_a_sentence() -> None:
    held = cells(A, B)
    with pytest.raises(ValueError, match=r"the shape \(cycles, size, size\); got \(9, 2, 2\), \(8, 2, 2\) and"):
        viz.systolic_array(SimpleNamespace(a=held.a, b=held.b[1:], sum=held.sum))
    with pytest.raises(ValueError, match="every operand is 0"):
        viz.systolic_array(cells(A * 0, B * 0))
    big = np.ones((9, 7, 7), int)
    with pytest.raises(ValueError, match="2 to 6 rows can be drawn; got 7"):
        viz.systolic_array(SimpleNamespace(a=big, b=big, sum=big))
