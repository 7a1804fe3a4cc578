from __future__ import annotations

import numpy as np
import pytest

from lablib import viz
from lablib.viz.strides import _OFTEN, _ONCE, _UNREAD


def test_a_view_shows_the_place_of_each_element_and_the_memory_how_often_it_is_read():
    figure = viz.view_explorer({"x": ((2, 3), (3, 1), 0), "column 0, twice": ((2, 2), (3, 0), 0)}, size=6).figure
    view, _, memory, rings = figure.frames[1].data
    assert [list(row[:2]) for row in view.text] == [["0", "0"], ["3", "3"]]
    assert memory.z[0].tolist() == [_OFTEN, _UNREAD, _UNREAD, _OFTEN, _UNREAD, _UNREAD]
    assert list(rings.x) == [0, 3] and list(rings.y) == [0, 0]


def test_a_negative_stride_walks_backwards():
    view = viz.view_explorer({"backwards": ((3,), (-2,), 4)}, size=5).figure.data[0]
    assert list(view.text[0]) == ["4", "2", "0"] and (np.asarray(view.z) == _ONCE).all()


def test_leading_axes_are_folded_into_rows():
    picture = viz.view_explorer({"cube": ((2, 2, 3), (6, 3, 1), 0)}, size=12)
    assert np.asarray(picture.figure.data[0].z).shape == (4, 3)
    assert picture.summary == "Views of 12 places. cube: 12 elements on 12 places, contiguous."


def test_views_of_several_sizes_share_their_axes():
    figure = viz.view_explorer({"x": ((2, 3), (3, 1), 0), "x.T": ((3, 2), (1, 3), 0)}, size=6).figure
    assert {np.asarray(frame.data[0].z).shape for frame in figure.frames} == {(3, 3)}
    assert [step.label for step in figure.layout.sliders[0].steps] == ["x", "x.T"]


def test_a_long_buffer_is_drawn_in_rows():
    figure = viz.view_explorer({"x": ((50,), (1,), 0)}, size=50).figure
    assert np.asarray(figure.data[2].z).shape == (3, 24)
    assert np.isnan(np.asarray(figure.data[2].z)[2, 2:]).all()


@pytest.mark.parametrize(
    ("views", "size", "sentence"),
    [
        ({}, 4, "nothing to show"),
        ({"x": ((2,), (1,), 0)}, 0, "1 to 512 places"),
        ({"x": ((2, 2), (1,), 0)}, 4, "x has 2 lengths and 1 strides"),
        ({"x": ((3,), (2,), 0)}, 4, r"x reaches from place 0 to 4; the buffer has 0 to 3"),
        ({"x": ((3,), (-1,), 1)}, 4, r"x reaches from place -1 to 1"),
        ({"x": ((0,), (1,), 0)}, 4, "x has 0 elements"),
        ({"x": ((2**30, 2**30), (0, 0), 0)}, 4, "1 to 512 can be drawn"),
    ],
)
def test_what_cannot_be_drawn_is_refused(views, size, sentence):
    with pytest.raises(ValueError, match=sentence):
        viz.view_explorer(views, size=size)
