"""Ports are read after elaboration, whatever else stands in the text."""

from __future__ import annotations

import pytest

from lablib.hls.errors import HardwareError
from lablib.hls.verilog import Port, module_of

TEXT = """
module helper #(parameter W = 4) (input [W-1:0] a, output [W-1:0] y); assign y = ~a; endmodule
module unused(input a, output y); assign y = a; endmodule
module top #(parameter W = 5, N = 3) (input clk, input signed [N*W-1:0] x, output [0:W-1] y);
  helper #(.W(W)) h (.a(x[W-1:0]), .y(y));
endmodule
"""


def test_ports_have_the_widths_of_their_parameters() -> None:
    assert module_of(TEXT, "top").ports == {
        "clk": Port("clk", "input", 1),
        "x": Port("x", "input", 15, signed=True),
        "y": Port("y", "output", 5),
    }
    assert module_of(TEXT, "helper").ports["a"].bits == 4


def test_what_verilator_doubts_is_a_warning_with_its_line() -> None:
    (warning,) = module_of("module m(input [3:0] a, output [1:0] y);\n  assign y = a;\nendmodule", "m").warnings
    assert warning.startswith("WIDTHTRUNC: Line 2 of the Verilog, `assign y = a;`: ")


def test_a_file_outside_the_folder_is_refused() -> None:
    with pytest.raises(HardwareError, match="is not the plain name of a file"):
        module_of(TEXT, "top", {"../x.hex": "00"})
