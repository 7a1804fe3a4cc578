"""The waveform's data: which rows, which values, which words move."""

from __future__ import annotations

import json
from types import SimpleNamespace
from xml.etree import ElementTree

import numpy as np
import pytest

from lablib import viz
from lablib.hls.designs.dot import dot
from lablib.hls.rtlsim import rtlsim
from lablib.viz.handshakes import Span, handshakes
from tests.lablib.viz.signals import signal, stream

SKIDDING = """
module slow(input clk, input rst, input in_valid, output in_ready, input [7:0] x,
            output reg out_valid, input out_ready, output reg [7:0] y);
  reg [1:0] count;
  assign in_ready = count == 0 && (!out_valid || out_ready) && !rst;
  always @(posedge clk) begin
    if (out_valid && out_ready) out_valid <= 0;
    if (in_valid && in_ready) begin y <= x + 1; out_valid <= 1; count <= 2; end
    else if (count != 0) count <= count - 1;
    if (rst) begin out_valid <= 0; count <= 0; end
  end
endmodule
"""


def rows(widget) -> dict[str, dict]:
    return {row["name"]: row for row in widget.content["rows"]}


def test_words_move_where_valid_and_ready_meet_outside_of_reset() -> None:
    (found,) = handshakes(stream().signals, 10)
    assert found.spans == (Span(3, 5, "moves", 0), Span(6, 7, "waits", 2), Span(7, 9, "moves", 2))
    assert (found.words, found.waiting) == (4, 1)


def test_the_moves_are_those_that_the_simulator_counted() -> None:
    x = np.arange(40)
    found = rtlsim(SKIDDING, "slow", {"x": x}, pauses=0.3, wave_cycles=1000)
    assert found.waveform
    into, out = handshakes(found.waveform.signals, found.waveform.cycles)
    for one, expected in ((into, found.accepted), (out, found.arrived)):
        cycles = [cycle for span in one.spans if span.state == "moves" for cycle in range(span.start, span.end)]
        assert cycles == expected.tolist() and one.words == 40
    assert into.waiting > 0 and (found.outputs["y"] == x + 1).all()


def test_calls_run_from_start_to_done() -> None:
    signals = {
        "start": signal(1, (0, 0), (2, 1), (3, 0), (7, 1), (8, 0)),
        "done": signal(1, (0, 0), (5, 1), (6, 0)),
        "y": signal(8, (0, 0), (5, 9)),
    }
    widget = viz.waveform(SimpleNamespace(cycles=10, signals=signals))
    assert rows(widget)["calls"]["spans"] == [[2, 6, "runs", 0], [7, 10, "runs", 1]], "the second is not done"
    assert list(rows(widget)) == ["start", "done", "calls", "y"]
    assert widget.summary == "10 cycles of 3 signals. calls: 2, the first in cycle 2."


def test_a_valid_that_is_data_is_no_handshake() -> None:
    signals = {"is_valid": signal(1, (0, 1)), "in_valid": signal(1, (0, 1)), "x_vld": signal(4, (0, 1))}
    assert [one.name for one in handshakes(signals, 3)] == ["in words"]


def test_what_never_changes_is_left_out_and_the_words_follow_their_signals() -> None:
    widget = viz.waveform(stream())
    assert list(rows(widget)) == ["clk", "rst", "in_valid", "in_ready", "in words", "x"]
    assert [row["kind"] for row in rows(widget).values()] == ["clock", "bit", "bit", "bit", "handshake", "bus"]
    assert "Left out: 1 signal, which never change." in widget.content["subtitle"]
    assert widget.summary == "10 cycles of 5 signals. in words: 4, the first in cycle 3; one waits in 1 cycle."


def test_signals_are_chosen_and_written_as_asked() -> None:
    widget = viz.waveform(stream(), ["x", "WIDTH"], radix={"x": "signed"})
    assert list(rows(widget)) == ["x", "WIDTH"]
    assert rows(widget)["x"]["radix"] == "signed" and rows(widget)["WIDTH"]["radix"] == "hex"
    assert "in words" not in widget.summary


def test_wide_values_keep_their_bits() -> None:
    wide = SimpleNamespace(cycles=2, signals={"w": signal(100, (0, 2**99 + 1), (1, 0))})
    sent = json.loads(json.dumps(viz.waveform(wide).content))["rows"][0]["values"]
    assert int(sent[0], 16) == 2**99 + 1


@pytest.mark.parametrize(
    ("radix", "written"), [("signed", "-6"), ("unsigned", "250"), ("binary", "11111010"), ("hex", "fa")]
)
def test_the_still_picture_has_the_values(radix: str, written: str) -> None:
    picture = viz.waveform(stream(), radix={"x": radix}).picture
    texts = [node.text for node in ElementTree.fromstring(picture).iter("{http://www.w3.org/2000/svg}text")]
    assert {"clk", "in words", "10 cycles", written} <= set(texts)
    assert texts.count("3") == 2, "cycle 3, and word 3"


def test_a_long_recording_is_cut_in_the_still_picture() -> None:
    long = SimpleNamespace(cycles=5000, signals={"x": signal(8, *((cycle, cycle % 256) for cycle in range(5000)))})
    widget = viz.waveform(long)
    assert "the first 18 of 5000 cycles" in widget.picture and len(widget.picture) < 20_000
    assert len(rows(widget)["x"]["values"]) == 5000


def test_a_real_simulation_has_its_operands_in_the_rows() -> None:
    x, w = np.array([[1, -2], [3, 4], [5, 6]]), np.array([[7, 8], [9, -10], [11, 12]])
    design = dot(2)
    found = rtlsim(design.verilog, design.top, {"x": x, "w": w}, wave_cycles=40)
    widget = viz.waveform(found.waveform, ["in_valid", "out_valid", "y"])
    y, out = rows(widget)["y"], rows(widget)["out words"]
    (start, end, state, first) = next(span for span in out["spans"] if span[2] == "moves")
    values = []
    for cycle in range(start, end):
        index = max(i for i, at in enumerate(y["cycles"]) if at <= cycle)
        value = int(y["values"][index], 16)
        values.append(value - (value >> (y["bits"] - 1) << y["bits"]))
    assert values == (x * w).sum(axis=1).tolist() and (state, first) == ("moves", 0)


def test_bad_input_is_refused_in_a_sentence() -> None:
    with pytest.raises(ValueError, match="there is no signal 'z'; the simulation recorded clk, rst"):
        viz.waveform(stream(), ["z"])
    with pytest.raises(ValueError, match="a list of names, got the text 'clk'"):
        viz.waveform(stream(), "clk")
    with pytest.raises(ValueError, match="radix of x must be one of hex, signed, unsigned, binary; got 'octal'"):
        viz.waveform(stream(), radix={"x": "octal"})
    with pytest.raises(ValueError, match="names the signal 'q', which is not shown"):
        viz.waveform(stream(), radix={"q": "hex"})
    with pytest.raises(ValueError, match="recorded cycle, 0 to 9; got 10"):
        viz.waveform(stream(), cursor=10)
    with pytest.raises(ValueError, match="no signal ever changes"):
        viz.waveform(SimpleNamespace(cycles=1, signals={"a": signal(1, (0, 1))}))
