from __future__ import annotations

import numpy as np
import pytest

from lablib import viz
from lablib.viz.programs import _EVEN, _LEFT_OUT, _MASKED, _ODD


def squares(picture, frame=None):
    data = picture.figure.data if frame is None else picture.figure.frames[frame].data
    return np.asarray(data[0].z)


def test_one_program_a_row_masks_the_lanes_past_the_row():
    picture = viz.program_grid(3, 5, 8)
    expected = np.full((3, 8), _MASKED)
    expected[:, :5] = [[_EVEN], [_ODD], [_EVEN]]
    np.testing.assert_array_equal(squares(picture), expected)
    assert "3 programs, 24 lanes, 9 masked off (38% of the work is wasted)" in picture.summary


def test_masked_lanes_carry_a_mark_besides_their_colour():
    marks = viz.program_grid(3, 5, 8).figure.data[1]
    assert marks.name == "lane masked off"
    assert sorted(zip(marks.y, marks.x, strict=True)) == [(r, c) for r in range(3) for c in (5, 6, 7)]


def test_a_block_shorter_than_the_row_leaves_elements_out():
    picture = viz.program_grid(3, 5, 4)
    assert (squares(picture)[:, 4] == _LEFT_OUT).all()
    assert "3 elements in no lane" in picture.summary
    assert picture.figure.data[2].name == "element in no lane"


def test_a_vector_is_cut_into_rows_of_lanes():
    picture = viz.program_grid(10, block=4)
    assert squares(picture).tolist() == [[_EVEN] * 4, [_ODD] * 4, [_EVEN, _EVEN, _MASKED, _MASKED]]
    assert picture.summary == (
        "10 elements, BLOCK = 4: 3 programs, 12 lanes, 2 masked off (17% of the work is wasted)."
    )


def test_tiles_alternate_and_mask_two_edges():
    picture = viz.program_grid(3, 5, (2, 4))
    drawn = squares(picture)
    assert drawn.shape == (4, 8)
    assert drawn[:2, :4].tolist() == [[_EVEN] * 4] * 2 and drawn[:2, 4].tolist() == [_ODD] * 2
    assert (drawn[3] == _MASKED).all() and (drawn[:, 5:] == _MASKED).all()
    assert "4 programs, 32 lanes, 17 masked off" in picture.summary


def test_the_slider_has_a_frame_for_each_block_and_starts_at_the_given_one():
    picture = viz.program_grid(3, 5, 8, blocks=(4, 16))
    slider = picture.figure.layout.sliders[0]
    assert [step.label for step in slider.steps] == ["4", "8", "16"]
    assert slider.active == 1 and len(picture.figure.frames) == 3
    assert np.isnan(squares(picture, 0)[:, 5:]).all(), "a small block leaves the rest of the axes empty"
    assert "0 masked off" in picture.figure.frames[0].layout.title.subtitle.text
    assert "48 lanes" in picture.figure.frames[2].layout.title.subtitle.text


def test_many_rows_are_counted_but_not_drawn():
    picture = viz.program_grid(4096, 781, 1024)
    assert len(squares(picture)) == 32
    assert picture.figure.layout.yaxis.title.text == "program = row (first 32 of 4096)"
    assert "4096 programs, 4194304 lanes, 995328 masked off" in picture.summary


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"rows": 4, "cols": 4, "block": 0}, "at least 1, got rows=4, cols=4, blocks=\\[0\\]"),
        ({"rows": 4, "block": (2, 2)}, "two sides but the array is a vector"),
        ({"rows": 4, "cols": 4, "block": 2, "blocks": [(2, 2)]}, "all be ints or all be pairs"),
    ],
)
def test_bad_sizes_are_refused_in_a_sentence(arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        viz.program_grid(**arguments)
