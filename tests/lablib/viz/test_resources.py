"""Resources against a part, and latency against area over a sweep."""

from __future__ import annotations

import pytest

from lablib import viz
from lablib.hls.errors import HardwareError
from lablib.hls.parts import part_of
from lablib.hls.report import Report, Resources

PART = part_of("hx1k")


def report(name: str, latency: int | None = None, **counts: int) -> Report:
    return Report(name, "nextpnr", latency_cycles=latency, ii=1.0, fmax_mhz=50.0, resources=Resources(**counts))


def test_a_bar_has_its_count_its_capacity_and_its_share() -> None:
    picture = viz.resource_bars(report("mac", cells=320, bram=4, dsp=0), PART)
    (bars,) = picture.figure.data
    assert dict(zip(bars.y, bars.x, strict=True)) == {"logic cells": 0.25, "block RAMs": 0.25}
    assert bars.text[0] == "<b>320 of 1280 (25%)</b>"
    assert picture.summary == (
        "Resources of iCE40 HX1K-TQ144. mac: logic cells 320 of 1280 (25%), block RAMs 4 of 16 (25%)."
    )


def test_what_does_not_fit_is_marked_and_not_by_colour_alone() -> None:
    picture = viz.resource_bars(report("big", cells=1600, bram=100, dsp=2, io=96), PART)
    (bars,) = picture.figure.data
    assert bars.text[0] == "<b>▲ 1600 of 1280 (125%)</b>" and bars.marker.pattern.shape == ("/", "/", "/", "")
    assert dict(zip(bars.y, bars.text, strict=True))["multipliers"] == "<b>▲ 2 of 0</b>"
    assert max(bars.x) == 2.0 == picture.figure.layout.xaxis.range[1], "what takes many parts is cut"
    assert picture.summary.count("which does not fit") == 3
    assert "pins 96 of 96 (100%)." in picture.summary
    assert "Hatched" in picture.figure.layout.title.subtitle.text


def test_designs_stand_beside_each_other_by_name() -> None:
    picture = viz.resource_bars({"one": report("mac", cells=10), "all": report("mac", cells=640, bram=1)}, PART)
    assert [bars.name for bars in picture.figure.data] == ["one", "all"] and picture.figure.layout.showlegend
    assert viz.resource_bars([report("a", lut=1), report("b", lut=2)], PART).figure.data[1].name == "b"


def test_bad_reports_are_refused_in_a_sentence() -> None:
    with pytest.raises(ValueError, match=r"of the same design \(a, a\): give a dict that names each"):
        viz.resource_bars([report("a", lut=1), report("a", lut=2)], PART)
    with pytest.raises(ValueError, match="there is no report to draw"):
        viz.resource_bars([], PART)
    with pytest.raises(ValueError, match="counts nothing that iCE40 HX1K-TQ144 has: synthesise or place it first"):
        viz.resource_bars(report("a"), PART)


SWEEP = {1: report("f", 2, lut=90), 2: report("f", 3, lut=60), 3: report("f", 4, lut=70), 4: HardwareError("too fast")}


def test_the_front_is_what_nothing_beats() -> None:
    picture = viz.latency_area(SWEEP, setting="stages")
    front, *points = picture.figure.data
    assert (front.x, front.y) == ((90, 60), (2, 3))
    assert [point.marker.symbol for point in points] == ["circle", "circle", "circle-open"]
    assert picture.summary == (
        "3 designs. Not beaten in both latency and look-up tables: stages 1 (2 cycles, 90), stages 2 (3 cycles, 60). "
        "No design for stages 4."
    )
    assert "1 setting gave no design" in picture.figure.layout.title.subtitle.text.replace("<br>", " ")


def test_hover_tells_the_settings_and_who_is_better() -> None:
    hover = viz.latency_area(SWEEP, setting="stages").figure.data[3].hovertext[0]
    assert hover == "<b>stages 3</b><br>4 cycles, 70 look-up tables<br>II 1, 50 MHz<br>beaten by stages 2"


def test_equal_designs_are_both_on_the_front() -> None:
    same = {"a": report("f", 2, ff=10), "b": report("f", 2, ff=10)}
    assert viz.latency_area(same, "ff").summary.endswith("a (2 cycles, 10), b (2 cycles, 10).")


def test_latency_may_be_time_and_wide_axes_are_logarithmic() -> None:
    picture = viz.latency_area({1: report("f", 10, lut=10), 2: report("f", 5, lut=1000)}, unit="ns")
    assert picture.figure.layout.yaxis.title.text == "latency (ns)" and picture.figure.data[1].y == (200.0,)
    assert picture.figure.layout.xaxis.type == "log" and picture.figure.layout.yaxis.type is None


def test_a_sweep_that_lacks_something_is_refused_in_a_sentence() -> None:
    with pytest.raises(ValueError, match="report of clock 3 has no latency in cycles: simulate it first, and merge"):
        viz.latency_area({3: report("f", lut=3)}, setting="clock")
    with pytest.raises(ValueError, match="has no count of look-up tables: synthesise or place it first"):
        viz.latency_area({3: report("f", 3)})
    with pytest.raises(ValueError, match="there is no design to draw"):
        viz.latency_area({3: HardwareError("no")})
