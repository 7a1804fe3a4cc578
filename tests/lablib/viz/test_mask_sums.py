from __future__ import annotations

import pytest

from lablib import viz

SENT, TOTAL = [[[7, 1]], [[4, 3]]], [[1, 4]]


def test_a_step_shows_what_came_and_the_sum_so_far():
    figure = viz.masked_sum(SENT, TOTAL, 10).figure
    assert [trace.z.tolist() for trace in figure.frames[0].data] == [[[7, 1]], [[7, 1]]]
    assert [trace.z.tolist() for trace in figure.frames[1].data] == [[[4, 3]], [[1, 4]]]


def test_the_last_sum_is_drawn_on_the_scale_of_the_data():
    figure = viz.masked_sum(SENT, TOTAL, 10).figure
    assert [frame.data[1].zmax for frame in figure.frames] == [9, 4]


def test_the_summary_counts_the_words_that_are_right():
    assert viz.masked_sum(SENT, TOTAL, 10).summary.endswith("after 1 of 2 vectors 0 of 2; after 2 of 2 vectors 2 of 2.")


def test_a_sum_of_another_shape_is_refused():
    with pytest.raises(ValueError, match=r"got \(2, 1, 2\) and \(2,\)"):
        viz.masked_sum(SENT, [1, 4], 10)
