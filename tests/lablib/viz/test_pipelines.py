"""The pipeline chart's data: rows of hardware, inputs in flight, what works in which cycle."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from lablib import viz
from lablib.hls.errors import HardwareError
from lablib.hls.timeline import TimedOperation, Timeline
from lablib.hls.timeline import timeline as timeline_of
from lablib.hls.xls import xls_function
from lablib.hls.xls_schedule import schedule
from lablib.viz.pipelines import Row, rows_of
from tests.lablib.viz.signals import operation, timeline

SVG = "{http://www.w3.org/2000/svg}"
SOURCE = "fn f(a: s8, b: s8, c: s16) -> s16 {\n  let p = (a as s16) * (b as s16);\n  p * c + p\n}"


def bars(picture: str) -> list[tuple[int, int, str, str]]:
    """First cycle, cycle after the last, state and text of every bar."""
    nodes = [node for node in ElementTree.fromstring(picture).iter(f"{SVG}g") if "data-from" in node.attrib]
    texts = [next((text.text or "" for text in node.iter(f"{SVG}text")), "") for node in nodes]
    return [
        (int(node.attrib["data-from"]), int(node.attrib["data-to"]), node.attrib["class"], text)
        for node, text in zip(nodes, texts, strict=True)
    ]


def test_equal_operations_share_a_row_and_units_have_their_own() -> None:
    assert rows_of(timeline().operations) == [Row("2 × mul", 2, 2, ((1, 1),)), Row("sum", 3, 1, ((2, 1),))]
    shared = [operation("p", 1, 3, "mul 0", 4), operation("q", 4, 3, "mul 0", 5), operation("sum", 7, line=6)]
    assert rows_of(shared) == [Row("mul 0", 0, 1, ((1, 3), (4, 3))), Row("sum", 6, 1, ((7, 1),))]


def test_inputs_follow_each_other_at_the_interval() -> None:
    widget = viz.pipeline(timeline(ii=2), inputs=3)
    assert len(widget.content["cycles"]) == 3 + 2 * 2 + 1
    work = [(start, end, text) for start, end, _, text in bars(widget.picture)[3 * 4 :]]
    assert work == [(1, 2, "0"), (3, 4, "1"), (5, 6, "2"), (2, 3, "0"), (4, 5, "1"), (6, 7, "2")]


def test_the_first_cycle_shown_is_that_of_the_first_result() -> None:
    widget = viz.pipeline(timeline(), inputs=4)
    assert widget.content["first"] == 3
    states = {text: state for start, _, state, text in bars(widget.picture)[:4]}
    assert states == {"input": "bar done", "stage 0": "bar done", "stage 1": "bar done", "output": "bar now"}
    assert [state for *_, state, _ in bars(widget.picture)[16:20]] == ["bar done", "bar done", "bar now", "bar later"]


def test_a_cycle_is_told_in_words() -> None:
    told = viz.pipeline(timeline(), inputs=2).content["cycles"]
    assert told[0] == "input 0: input. 0 of 3 operations work."
    assert told[2] == "input 0: stage 1, input 1: stage 0. 3 of 3 operations work."
    assert told[4] == "input 1: output. 0 of 3 operations work."
    idle = viz.pipeline(timeline(ii=5), inputs=2).content["cycles"][4]
    assert idle == "no input is in flight. 0 of 3 operations work."


def test_the_summary_has_the_formula_with_its_numbers() -> None:
    assert viz.pipeline(timeline(ii=2), inputs=3).summary == (
        "dot: 3 operations, latency 3 cycles, II 2, so up to 2 inputs in flight. "
        "3 inputs take latency + II · (inputs − 1) = 7 cycles."
    )


def test_long_operations_of_several_inputs_lie_in_lanes() -> None:
    picture = viz.pipeline(timeline(operations=[operation("mul", 0, 3)]), inputs=3).picture
    nodes = [node for node in ElementTree.fromstring(picture).iter(f"{SVG}g") if "data-from" in node.attrib][-3:]
    tops = [float(node[0].attrib["y"]) for node in nodes]
    assert len(set(tops)) == 3


def test_registers_and_source_lines_stand_beside_their_rows() -> None:
    picture = viz.pipeline(timeline(source="fn\n  a * b\n  p + q < 0")).picture
    assert "after 32 bits of registers" in picture and "line 3: p + q &lt; 0" in picture


def test_an_xls_pipeline_is_a_timeline() -> None:
    made = schedule(xls_function(SOURCE, "f"), stages=3)
    found = timeline_of(made, SOURCE)
    assert (found.latency, found.ii, len(found.phases)) == (made.report.latency_cycles, 1, 5)
    assert [one.start for one in found.operations] == [one.stage + 1 for one in made.operations]
    assert [one.name for one in found.operations] == ["p", "smul", "add"]
    assert found.register_bits == (None, *made.register_bits, None)
    told = viz.pipeline(found, inputs=6).content["cycles"]
    assert told[4].endswith("3 of 3 operations work."), "with II 1 every operation works in every cycle"


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="inputs must be a whole number from 1 to 12; got 0"):
        viz.pipeline(timeline(), inputs=0)
    empty = Timeline("wires", (), 1, 1, ("input", "output"), (None,))
    with pytest.raises(ValueError, match="wires has no operation"):
        viz.pipeline(empty)
    with pytest.raises(HardwareError, match="has latency 1, which takes 2 phases with 1 boundaries: got 3 and 1"):
        Timeline("f", (), 1, 1, ("a", "b", "c"), (None,))
    with pytest.raises(HardwareError, match="late of f works in cycles 1 to 3: expected them between 0 and 2"):
        Timeline("f", (TimedOperation("late", "mul", 1, 3),), 2, 1, ("a", "b", "c"), (None, None))
    with pytest.raises(HardwareError, match="II is at least 1"):
        Timeline("f", (), 1, 0, ("a", "b"), (None,))
