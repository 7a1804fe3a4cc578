from __future__ import annotations

import itertools

import pytest

from lablib.viz.grids import arrange
from lablib.viz.style import MARGIN, WIDTH


def test_wide_panels_go_below_one_another_and_tall_ones_side_by_side():
    wide, tall = arrange([(2, 30), (2, 30)], "xy"), arrange([(30, 2), (30, 2)], "xy")
    assert wide.corners[0][0] == wide.corners[1][0] and wide.corners[0][1] < wide.corners[1][1]
    assert tall.corners[0][1] == tall.corners[1][1] and tall.corners[0][0] < tall.corners[1][0]


def test_a_panel_narrower_than_its_name_leaves_room_for_it():
    keys, values = arrange([(8, 1), (8, 1)], ["<b>keys</b>  8 x 1, 4 elements a square", "<b>values</b>"]).corners
    assert keys[1] == values[1] and values[0] > 7 * len("keys  8 x 1, 4 elements a square")


def test_names_that_do_not_fit_side_by_side_go_below_one_another():
    layout = arrange([(5, 5)] * 3, ["row-major order of tiles, 4.0 panels a wave on average"] * 3)
    assert [left for left, _ in layout.corners] == [0, 0, 0]


@pytest.mark.parametrize(
    "shapes",
    [
        [(64, 64)] * 3,
        [(1, 1)],
        [(8, 13), (8, 13)],
        [(64, 64), (1, 64)],
        [(64, 1), (64, 64), (1, 64), (5, 5)],
        [(64, 1)] * 12,
        [(64, 64)] * 12,
    ],
)
def test_panels_stay_on_the_card_and_do_not_overlap(shapes):
    layout = arrange(shapes, [f"<b>x_{number}</b>  12 x 34" for number in range(len(shapes))])
    boxes = [
        (x, y, x + cols * layout.cell, y + rows * layout.cell)
        for (x, y), (rows, cols) in zip(layout.corners, shapes, strict=True)
    ]
    for left, top, right, bottom in boxes:
        assert left >= 0 and top > 0 and right <= WIDTH - 2 * MARGIN + 1e-6 and bottom <= layout.height + 1e-6
    for one, other in itertools.combinations(boxes, 2):
        (_, _, right, bottom), (left, top, _, _) = one, other
        assert right < left or bottom < top
