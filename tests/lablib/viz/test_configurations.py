from __future__ import annotations

import pytest

from lablib import viz

LIMIT = 232448
ROWS = [
    {
        "BLOCK": 64,
        "num_warps": 4,
        "shared": 2**15,
        "registers": 64,
        "spills": 0,
        "occupancy": 0.5,
        "fits": True,
    },
    {
        "BLOCK": 128,
        "num_warps": 4,
        "shared": 2**17,
        "registers": 255,
        "spills": 48,
        "occupancy": 0.125,
        "fits": True,
    },
    {"BLOCK": 256, "num_warps": 8, "shared": 2**19, "registers": None, "fits": False},
]


def columns(picture):
    return {trace.name: trace for trace in picture.figure.data}


def test_the_summary_counts_what_fits_and_names_the_best_and_the_spills():
    assert viz.configuration_table(ROWS, LIMIT).summary == (
        "2 of 3 configurations fit. Highest occupancy of those that fit: 50% with BLOCK 64, num_warps 4. "
        "1 of them spill registers, e.g. BLOCK 128, num_warps 4. Shared memory a program may have: 227 KiB."
    )


def test_a_column_for_each_key_and_a_dash_where_nothing_is_known():
    shown = columns(viz.configuration_table(ROWS, LIMIT))
    assert list(shown) == ["BLOCK", "num_warps", "registers", "spills", "occupancy", "fits", "shared"]
    assert shown["occupancy"].text == ("50%", "12%", "-")
    assert shown["fits"].text == ("✓ fits", "✓ fits", "<b>✗ no</b>")


def test_bars_show_shared_memory_against_the_limit():
    picture = viz.configuration_table(ROWS, LIMIT)
    bars = columns(picture)["shared"]
    assert bars.x == (2**15, 2**17, 2**19) and bars.marker.pattern.shape == ("", "", "/")
    assert any(shape.x0 == LIMIT and shape.xref == "x2" for shape in picture.figure.layout.shapes)


def test_without_a_limit_there_is_no_line():
    figure = viz.configuration_table(ROWS).figure
    assert all(shape.type == "rect" for shape in figure.layout.shapes)


def test_bad_rows_are_refused_in_a_sentence():
    with pytest.raises(ValueError, match="rows is empty"):
        viz.configuration_table([])
    with pytest.raises(ValueError, match=r"configuration 0 .* has no 'shared'"):
        viz.configuration_table([{"fits": True}])
