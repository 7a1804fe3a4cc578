from __future__ import annotations

import pytest

from lablib import viz
from lablib.viz.style import CARD

CURVES = {"all keys": {16: 4096, 32: 2048, 64: 1024}, "causal": {16: 2048, 32: 1024, 64: 512}}


def test_the_summary_gives_both_ends_of_what_fits():
    assert viz.block_traffic(CURVES, {"three kernels": 3072}, largest=32).summary == (
        "Bytes by block: all keys 4 KiB at 16, 2 KiB at 32; causal 2 KiB at 16, 1 KiB at 32; three kernels 3 KiB. "
        "The largest block that fits is 32."
    )


def test_blocks_that_do_not_fit_are_hollow():
    figure = viz.block_traffic(CURVES, largest=32).figure
    solid = figure.data[0].marker.line.color
    assert list(figure.data[0].marker.color) == [solid, solid, CARD]
    assert "Hollow" in figure.layout.title.subtitle.text


def test_where_everything_fits_nothing_is_hollow():
    figure = viz.block_traffic(CURVES).figure
    assert CARD not in figure.data[0].marker.color and "Hollow" not in figure.layout.title.subtitle.text


def test_a_reference_is_a_line_with_its_name():
    figure = viz.block_traffic(CURVES, {"three kernels": 3072}).figure
    assert [note.text for note in figure.layout.annotations] == ["three kernels: 3 KiB"]
    assert len(figure.layout.shapes) == 1


@pytest.mark.parametrize("curves", [{}, {"a": {}}, {"a": {16: 0}}])
def test_a_curve_without_bytes_is_refused(curves):
    with pytest.raises(ValueError, match="curves of positive bytes"):
        viz.block_traffic(curves)
