from __future__ import annotations

from math import log10

import pytest

from lablib import viz

SPENT = {0.5: {"q = 1": [3.0, 30.0], "q = 0.1": [0.0, 1.5]}, 2.0: {"q = 1": [0.5, 2.0], "q = 0.1": [0.1, 0.2]}}


def test_each_step_has_a_line_for_each_name():
    figure = viz.privacy_budget([1, 10], SPENT, limit=2.0, start=1).figure
    assert [(line.name, list(line.y)) for line in figure.data] == [("q = 1", [0.5, 2.0]), ("q = 0.1", [0.1, 0.2])]
    assert list(figure.frames[0].data[0].y) == [3.0, 30.0]


def test_lines_differ_without_colour():
    lines = viz.privacy_budget([1, 10], SPENT, limit=2.0).figure.data
    assert len({(line.line.dash, line.marker.symbol) for line in lines}) == 2


def test_nothing_spent_is_not_drawn_on_a_logarithmic_axis():
    assert viz.privacy_budget([1, 10], SPENT, limit=2.0).figure.data[1].y[0] is None


def test_the_budget_is_a_line_inside_the_axes():
    figure = viz.privacy_budget([1, 10], SPENT, limit=2.0).figure
    assert figure.layout.shapes[0].y0 == 2.0
    assert figure.layout.yaxis.range[0] < log10(2) < figure.layout.yaxis.range[1]


def test_the_summary_says_how_many_rounds_it_buys():
    summary = viz.privacy_budget([1, 10], SPENT, limit=2.0).summary
    assert summary.endswith(
        "noise 0.5: q = 1 0 rounds, q = 0.1 10 rounds; noise 2: q = 1 10 rounds, q = 0.1 10 rounds."
    )


def test_a_line_of_another_length_is_refused():
    with pytest.raises(ValueError, match="each line needs 3 epsilons"):
        viz.privacy_budget([1, 10, 100], SPENT, limit=2.0)
