from __future__ import annotations

import itertools

import pytest

from lablib.viz.grids import arrange
from lablib.viz.style import MARGIN, WIDTH


def test_wide_panels_go_below_one_another_and_tall_ones_side_by_side():
    wide, tall = arrange([(2, 30), (2, 30)]), arrange([(30, 2), (30, 2)])
    assert wide.corners[0][0] == wide.corners[1][0] and wide.corners[0][1] < wide.corners[1][1]
    assert tall.corners[0][1] == tall.corners[1][1] and tall.corners[0][0] < tall.corners[1][0]


@pytest.mark.parametrize("shapes", [[(64, 64)] * 3, [(1, 1)], [(8, 13), (8, 13)], [(64, 64), (1, 64)]])
def test_panels_stay_on_the_card_and_do_not_overlap(shapes):
    layout = arrange(shapes)
    boxes = [
        (x, y, x + cols * layout.cell, y + rows * layout.cell)
        for (x, y), (rows, cols) in zip(layout.corners, shapes, strict=True)
    ]
    for left, top, right, bottom in boxes:
        assert left >= 0 and top > 0 and right <= WIDTH - 2 * MARGIN + 1e-6 and bottom <= layout.height + 1e-6
    for (_, _, right, bottom), (left, top, _, _) in itertools.pairwise(boxes):
        assert right < left or bottom < top
