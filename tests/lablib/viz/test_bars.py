from __future__ import annotations

import pytest

from lablib import viz

ROWS = [
    {"name": "eager", "loads": 5 * 2**20, "stores": 3 * 2**20},
    {"name": "fused", "loads": 2**20, "stores": 2**20},
]


def test_loads_and_stores_are_stacked_and_told_apart_by_hatch():
    loads, stores = viz.traffic_bars(ROWS).figure.data
    assert loads.x == (5 * 2**20, 2**20) and stores.x == (3 * 2**20, 2**20)
    assert loads.marker.pattern.shape == "" and stores.marker.pattern.shape == "/"
    assert loads.text == ("5 MiB", "1 MiB")


def test_totals_stand_at_the_ends_and_the_least_is_a_line():
    picture = viz.traffic_bars(ROWS)
    assert [note.text for note in picture.figure.layout.annotations] == [
        "<b>4 x</b>  8 MiB",
        "<b>1 x</b>  2 MiB",
    ]
    assert picture.figure.layout.shapes[0].x0 == 2 * 2**20
    assert picture.summary == "Bytes moved: eager 8 MiB (4 x), fused 2 MiB (1 x); the least is 2 MiB."


def test_a_target_below_every_row_is_the_reference():
    picture = viz.traffic_bars(ROWS, target=2**20)
    assert picture.figure.layout.shapes[0].x0 == 2**20 and "fused 2 MiB (2 x)" in picture.summary


def test_the_axis_counts_in_the_unit_that_it_names():
    axis = viz.traffic_bars(ROWS).figure.layout.xaxis
    assert axis.title.text == "bytes moved (MiB)"
    assert list(axis.tickvals) == [t * 2**20 for t in (0, 2, 4, 6, 8)] and axis.ticktext[1] == "2"


def test_times_are_compared_and_the_best_is_named():
    rows = [{"name": "a", "value": 2e-3, "low": 1.9e-3, "high": 2.2e-3}, {"name": "b", "value": 5e-4}]
    picture = viz.compare_bars(rows, "s", title="Which is faster?", reference=4e-4)
    assert picture.summary == "Which is faster? a 2 ms, b 500 µs; best: b."
    assert [note.text for note in picture.figure.layout.annotations] == ["<b>2 ms</b>", "<b>500 µs</b>  best"]
    assert picture.figure.data[0].error_x.array == pytest.approx([2e-4, 0])
    assert picture.figure.layout.xaxis.title.text == "ms"
    assert "Line: 400 µs" in picture.figure.layout.title.subtitle.text


def test_higher_may_be_better():
    rows = [{"name": "a", "value": 2e12}, {"name": "b", "value": 5e12}]
    assert viz.compare_bars(rows, "B/s", title="Bandwidth", better="higher").summary == (
        "Bandwidth: a 2 TB/s, b 5 TB/s; best: b."
    )


def test_bad_rows_are_refused_in_a_sentence():
    with pytest.raises(ValueError, match="rows is empty; each row is a dict with name, loads, stores"):
        viz.traffic_bars([])
    with pytest.raises(ValueError, match="row 'a' has no 'stores'"):
        viz.traffic_bars([{"name": "a", "loads": 1}])
    with pytest.raises(ValueError, match="at least one byte"):
        viz.traffic_bars([{"name": "a", "loads": 0, "stores": 0}])
