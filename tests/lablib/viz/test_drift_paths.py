from __future__ import annotations

import pytest

from lablib import viz

PATHS = {1: [[0, 0], [1, 1]], 9: [[0, 0], [1, 3]]}


def test_each_step_draws_its_path_and_where_it_stops():
    figure = viz.client_drift(PATHS, [[0, 0], [2, 2]], [1, 1]).figure
    path, end = figure.frames[1].data
    assert path.y.tolist() == [0, 3] and end.x.tolist() == [1] and end.text == ("stops here",)


def test_clients_and_optimum_stay():
    figure = viz.client_drift(PATHS, [[0, 0], [2, 2]], [1, 1]).figure
    assert [list(trace.text) for trace in figure.data[2:]] == [["client 0 alone", "client 1 alone"], ["optimum"]]
    assert all(frame.traces == (0, 1) for frame in figure.frames)


def test_everything_is_inside_the_axes():
    figure = viz.client_drift(PATHS, [[-4, 0], [2, 2]], [1, 1]).figure
    assert figure.layout.xaxis.range[0] < -4 and figure.layout.yaxis.range[1] > 3


def test_the_summary_has_distances():
    summary = viz.client_drift(PATHS, [[0, 0], [2, 2]], [1, 1]).summary
    assert summary.endswith("1 local step: 0.00 from the optimum; 9 local steps: 2.00 from the optimum.")


@pytest.mark.parametrize("paths", [{}, {1: [[0, 0, 0]]}, {1: [0, 1]}])
def test_what_is_no_path_is_refused(paths):
    with pytest.raises(ValueError, match=r"at least one path, and each of its points as a pair"):
        viz.client_drift(paths, [[0, 0]], [0, 0])
