from __future__ import annotations

from math import log10

import pytest

from lablib import viz

ROWS = [
    {"group": "softmax", "name": "781", "value": 1.25, "against": "eager"},
    {"group": "softmax", "name": "8192", "value": 0.5, "against": "Liger"},
    {"group": "matmul", "name": "4096", "value": 4.0, "against": "cuBLAS"},
]
TEXT = {"title": "Who is faster?", "axis": "peer's time over ours"}


def test_bars_reach_from_one_to_the_logarithm_of_the_ratio():
    above, below = viz.ratio_bars(ROWS, **TEXT).figure.data
    assert above.x == pytest.approx((log10(1.25), log10(4))) and below.x == pytest.approx((log10(0.5),))
    assert (above.marker.pattern.shape, below.marker.pattern.shape) == ("", "/")


def test_each_group_has_a_head_above_its_rows():
    figure = viz.ratio_bars(ROWS, **TEXT).figure
    lines = {note.text: note.y for note in figure.layout.annotations if note.xref == "paper"}
    assert lines == {"<b>softmax</b>": 0, "781": 1, "8192": 2, "<b>matmul</b>": 3, "4096": 4}


def test_values_stand_right_of_the_bar_or_of_the_line():
    notes = [note for note in viz.ratio_bars(ROWS, **TEXT).figure.layout.annotations if note.xref != "paper"]
    assert {note.text: note.x for note in notes} == {
        "<b>1.25</b>  eager": log10(1.25),
        "<b>0.50</b>  Liger": 0,
        "<b>4.00</b>  cuBLAS": log10(4),
    }


def test_ticks_are_round_ratios_and_the_line_is_at_one():
    figure = viz.ratio_bars(ROWS, **TEXT).figure
    assert figure.layout.xaxis.ticktext == ("0.5", "1", "2")
    assert figure.layout.xaxis.tickvals == pytest.approx((log10(0.5), 0, log10(2)))
    assert figure.layout.shapes[0].x0 == 0
    assert figure.layout.xaxis.range[1] > log10(4), "the label beside the longest bar has room"


def test_the_summary_counts_and_names_the_ends():
    assert viz.ratio_bars(ROWS, **TEXT).summary == (
        "Who is faster? 2 of 3 above 1. Greatest: matmul, 4096, 4 of cuBLAS; least: softmax, 8192, 0.5 of Liger."
    )


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ([], "rows is empty; each row is a dict with group, name, value, against"),
        ([{"group": "a", "name": "b", "value": 1}], "row 'b' has no 'against'"),
        ([ROWS[0] | {"value": 0.0}], "value of '781' must be positive on a logarithmic axis, got 0.0"),
    ],
)
def test_bad_rows_are_refused_in_a_sentence(rows, sentence):
    with pytest.raises(ValueError, match=sentence):
        viz.ratio_bars(rows, **TEXT)
