"""A dump becomes signals by cycle."""

from __future__ import annotations

import pytest

from lablib.hls.errors import HardwareError
from lablib.hls.waveform import read_vcd

DUMP = """$version x $end $timescale 1ps $end
$scope module TOP $end $var wire 1 ! clk $end
$scope module m $end $var wire 1 ! clk $end $var wire 8 " q [7:0] $end
$scope module sub $end $var wire 1 # p $end $upscope $end $upscope $end $upscope $end
$enddefinitions $end
#0 1! b00000011 " 0#
#1 0! 1#
#2 1! b00000011 "
#3 0!
#4 1! b11111111 "
"""


def test_the_last_value_of_a_cycle_counts_and_repeats_do_not() -> None:
    wave = read_vcd(DUMP)
    assert wave.cycles == 3 and set(wave.signals) == {"clk", "q", "sub.p"}
    assert (wave.signals["q"].cycles, wave.signals["q"].values, wave.signals["q"].bits) == ((0, 2), (3, 255), 8)
    assert wave.signals["sub.p"].at(0) == 1 and wave.signals["q"].at(1) == 3


@pytest.mark.parametrize("text", ["", "hello", DUMP.replace("b11111111", "bxxxxxxxx"), DUMP.replace("#4", "#four")])
def test_another_text_is_refused(text: str) -> None:
    with pytest.raises(HardwareError, match="not a value change dump"):
        read_vcd(text)
