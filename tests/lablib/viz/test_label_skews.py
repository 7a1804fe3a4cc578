from __future__ import annotations

import pytest

from lablib import viz

COUNTS = {0.1: [[9, 0], [1, 10]], 100.0: [[5, 5], [5, 5]]}


def test_each_step_has_the_counts_of_its_split():
    figure = viz.label_skew(COUNTS, start=1).figure
    assert figure.data[0].z.tolist() == [[5, 5], [5, 5]]
    assert figure.frames[0].data[0].z.tolist() == [[9, 0], [1, 10]]
    assert [step.label for step in figure.layout.sliders[0].steps] == ["0.1", "100"]


def test_a_missing_class_shows_no_number():
    assert viz.label_skew(COUNTS).figure.data[0].text[0] == ["9", ""]


def test_colours_mean_the_same_in_every_step():
    figure = viz.label_skew(COUNTS).figure
    assert {frame.data[0].zmax for frame in figure.frames} == {10}


def test_the_title_says_who_lacks_a_class():
    figure = viz.label_skew(COUNTS).figure
    assert "1 of 2 clients lacks a class, 9 to 11 examples" in figure.frames[0].layout.title.subtitle.text


def test_splits_of_other_shapes_are_refused():
    with pytest.raises(ValueError, match="same clients and classes"):
        viz.label_skew({1.0: [[1, 2]], 2.0: [[1], [2]]})
