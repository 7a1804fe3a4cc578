from __future__ import annotations

import numpy as np
import pytest

from lablib import viz
from lablib.viz.tiles import _DONE, _NOW, _PANEL, _WAITING

ROWS = [(m, n) for m in range(4) for n in range(4)]
BLOCKS = [(2 * i + m, 2 * j + n) for i in (0, 1) for j in (0, 1) for m in (0, 1) for n in (0, 1)]


def test_a_frame_a_wave_marks_its_tiles_and_their_panels():
    figure = viz.tile_order(ROWS, grid=(4, 4), in_flight=4).figure
    assert len(figure.frames) == 4
    codes, text = np.asarray(figure.frames[1].data[0].z), figure.frames[1].data[0].text
    assert (codes[2, 2:] == _DONE).all() and (codes[3, 2:] == _NOW).all() and (codes[4:, 2:] == _WAITING).all()
    assert codes[2:, 0].tolist() == [_WAITING, _PANEL, _WAITING, _WAITING] and (codes[0, 2:] == _PANEL).all()
    assert [text[3][0], text[0][2], text[3][2]] == ["A1", "B0", "4"]


def test_two_orders_are_counted_side_by_side():
    picture = viz.tile_order({"row-major": ROWS, "blocks": BLOCKS}, grid=(4, 4), in_flight=4)
    assert picture.summary == (
        "A wave of 4 programs needs, on average, this many panels of A and B: row-major 5.0, blocks 4.0 (4 waves)."
    )
    subtitle = picture.figure.frames[0].layout.title.subtitle.text
    assert subtitle == "Wave 1: row-major: 1 of A + 4 of B = 5 panels; blocks: 2 of A + 2 of B = 4 panels."


def test_the_last_wave_may_be_short():
    figure = viz.tile_order(ROWS, grid=(4, 4), in_flight=7).figure
    assert len(figure.frames) == 3 and len(figure.frames[2].data[1].x) == 2


def test_many_waves_are_thinned_out_to_what_a_slider_can_hold():
    tiles = [(m, n) for m in range(20) for n in range(10)]
    figure = viz.tile_order(tiles, grid=(20, 10), in_flight=1).figure
    labels = [step.label for step in figure.layout.sliders[0].steps]
    assert len(labels) == 96 and labels[0] == "wave 1 of 200" and labels[-1] == "wave 200 of 200"


@pytest.mark.parametrize(
    ("order", "sentence"),
    [
        (ROWS[:-1], r"each of the 16 tiles of a 4 x 4 grid once; missing: \(3, 3\)"),
        ([*ROWS[:-1], (0, 0)], r"missing: \(3, 3\); more than once: \(0, 0\)"),
        ([*ROWS[:-1], (4, 0)], r"outside the grid: \(4, 0\)"),
    ],
)
def test_an_order_that_is_not_a_permutation_is_refused(order, sentence):
    with pytest.raises(ValueError, match=sentence):
        viz.tile_order(order, grid=(4, 4), in_flight=4)


def test_in_flight_must_be_positive():
    with pytest.raises(ValueError, match="at least 1; got 0"):
        viz.tile_order(ROWS, grid=(4, 4), in_flight=0)
