from __future__ import annotations

import pytest

from lablib import viz

LOADS = {"vision": [8, 0, 2, 2], "language": [3, 3, 3, 3]}


def picture():
    return viz.router_load(LOADS, [1.0, 2.0])


def test_the_summary_compares_the_fullest_expert_with_the_mean():
    assert picture().summary == (
        "What does a capacity drop, and what does it leave empty? vision: 12 to 4 experts, the fullest has 2.7 times "
        "the mean; language: 12 to 4 experts, the fullest has 1.0 times the mean."
    )


def test_bars_are_kept_dropped_and_empty_places():
    one, two = picture().figure.frames
    assert [bar.y for bar in one.data[:3]] == [(3, 0, 2, 2), (5, 0, 0, 0), (0, 3, 1, 1)]
    assert [bar.y for bar in two.data[:3]] == [(6, 0, 2, 2), (2, 0, 0, 0), (0, 6, 4, 4)]
    assert [bar.y for bar in one.data[3:]] == [(3, 3, 3, 3), (0, 0, 0, 0), (0, 0, 0, 0)]
    assert [bar.name for bar in one.data[:3]] == ["kept", "dropped", "empty"]


def test_each_step_says_what_is_dropped_and_empty():
    one, _ = picture().figure.frames
    text = one.layout.title.subtitle.text.replace("<br>", " ")
    assert text == (
        "vision: 42% of the assignments dropped, 42% of 3 places each empty; "
        "language: 0% of the assignments dropped, 0% of 3 places each empty."
    )


def test_every_panel_has_room_for_its_bars():
    layout = picture().figure.layout
    assert layout.xaxis.domain[1] < layout.xaxis2.domain[0] and layout.xaxis2.domain[1] <= 1
    assert layout.yaxis.range == layout.yaxis2.range and layout.yaxis.range[1] > 8


@pytest.mark.parametrize(
    ("loads", "factors", "sentence"),
    [
        ({}, [1.0], "loads must name at least one router"),
        ({"a": [1, 2], "b": [1]}, [1.0], "as many experts each"),
        ({"a": [0, 0]}, [1.0], "and a token"),
        ({"a": [1]}, [0.0], r"factors must be positive numbers, at least one; got \[0.0\]"),
    ],
)
def test_bad_input_is_refused_in_a_sentence(loads, factors, sentence):
    with pytest.raises(ValueError, match=sentence):
        viz.router_load(loads, factors)
