from __future__ import annotations

import numpy as np
import pytest

from lablib import viz
from lablib.viz.label_sides import overlap
from lablib.viz.numbered import _offsets

GPU = {"name": "GPU", "flops_per_s": 1e14, "bytes_per_s": 1e12}
SLOW = {"name": "fp32", "flops_per_s": 1e13, "bytes_per_s": 1e12}


def traces(picture):
    return {trace.name: trace for trace in picture.figure.data if trace.name}


def test_the_roof_bends_at_the_ridge():
    picture = viz.roofline([], [GPU])
    roof = traces(picture)["GPU: 100 TFLOP/s, 1 TB/s"]
    assert roof.x[1] == 100, "1e14 FLOP/s over 1e12 B/s"
    np.testing.assert_allclose(roof.y[1:], [100, 100])
    np.testing.assert_allclose(roof.y[0], roof.x[0] * 1e12 / 1e12)
    assert any(note.text == "ridge 100 FLOP/byte" for note in picture.figure.layout.annotations)


def test_a_measured_point_is_filled_and_says_its_share_of_the_roof():
    picture = viz.roofline([{"name": "sum", "flops": 1e9, "bytes": 4e9, "seconds": 5e-3}], [GPU])
    point = traces(picture)["sum"]
    assert point.x == (0.25,) and point.y[0] == pytest.approx(0.2)  # TFLOP/s, of a bound of 0.25
    assert point.marker.symbol == "circle" and "80%" in point.text[0]
    assert picture.summary.endswith("sum: 0.25 FLOP/byte, memory-bound, 80% of the roof.")


def test_a_point_without_a_time_is_open_and_lies_on_the_roof():
    picture = viz.roofline([{"name": "matmul", "flops": 1e12, "bytes": 1e9, "seconds": None}], [GPU])
    point = traces(picture)["matmul"]
    assert point.y == (100.0,) and point.marker.symbol == "circle-open" and "bound" in point.text[0]
    assert "matmul: 1000 FLOP/byte, compute-bound, at most 100 TFLOP/s" in picture.summary


def test_a_point_may_name_its_roof():
    point = {"name": "sgemm", "flops": 1e12, "bytes": 1e9, "seconds": 0.2, "roof": "fp32"}
    assert "sgemm: 1000 FLOP/byte, compute-bound, 50% of the roof" in viz.roofline([point], [GPU, SLOW]).summary


def test_axes_are_logarithmic_and_named_with_units():
    layout = viz.roofline([], [GPU]).figure.layout
    assert (layout.xaxis.type, layout.yaxis.type) == ("log", "log")
    assert layout.xaxis.title.text == "arithmetic intensity (FLOP/byte)"
    assert layout.yaxis.title.text == "performance (TFLOP/s)"


def test_labels_of_neighbours_take_different_sides():
    points = [{"name": f"kernel {i}", "flops": 1e9 * (1 + i / 50), "bytes": 1e9, "seconds": 2e-3} for i in range(3)]
    positions = [trace.textposition for trace in viz.roofline(points, [GPU]).figure.data if trace.textposition]
    assert len(set(positions)) == 3


def test_a_covered_label_costs_its_overlap_and_one_off_the_card_more():
    assert overlap((0, 0, 10, 10), [(5, 5, 20, 20)], 100) == 25
    assert overlap((95, 0, 105, 10), [], 100) > 500


def test_a_share_that_was_measured_otherwise_is_the_one_that_is_told():
    point = {"name": "sum", "flops": 1e9, "bytes": 4e9, "seconds": 5e-3, "share": 0.95}
    picture = viz.roofline([point], [GPU])
    assert "95%" in traces(picture)["sum"].text[0] and "95% of the roof" in picture.summary


def test_many_points_are_numbered_clear_of_each_other_with_a_key():
    points = [{"name": f"kernel {i}", "flops": 1e9 * (1 + i / 50), "bytes": 1e9, "seconds": 2e-3} for i in range(12)]
    notes = viz.roofline(points, [GPU]).figure.layout.annotations
    numbers = [note for note in notes if note.showarrow]
    assert [note.text for note in numbers] == [f"<b>{number}</b>" for number in range(1, 13)]
    assert next(note.text for note in notes if note.text.startswith("kernel")) == "kernel 0  50%"


def test_numbers_cover_neither_each_other_nor_points_nor_roofs():
    centres = [(300.0 + 10 * i, 100.0 + 6 * (i % 4)) for i in range(12)]
    roof = (0.0, 60.0, 600.0, 64.0)
    offsets = _offsets(centres, ["12"] * 12, [roof], 600)
    boxes = [(x + a - 8, y + b - 8, x + a + 8, y + b + 8) for (x, y), (a, b) in zip(centres, offsets, strict=True)]
    points = [(x - 6, y - 6, x + 6, y + 6) for x, y in centres]
    for index, box in enumerate(boxes):
        assert overlap(box, [*boxes[:index], *points, roof], 600) == 0, index


@pytest.mark.parametrize(
    ("points", "roofs", "sentence"),
    [
        ([], [], "at least one roof"),
        ([{"name": "copy", "flops": 0, "bytes": 4}], [GPU], "flops of 'copy' must be positive"),
        ([{"name": "copy", "flops": 1}], [GPU], "'copy' has no 'bytes'"),
        (
            [{"name": "x", "flops": 1, "bytes": 1, "roof": "TPU"}],
            [GPU],
            "names the roof 'TPU'; the roofs are 'GPU'",
        ),
    ],
)
def test_bad_input_is_refused_in_a_sentence(points, roofs, sentence):
    with pytest.raises(ValueError, match=sentence):
        viz.roofline(points, roofs)
