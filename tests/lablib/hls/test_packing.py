"""Values go onto wires and come back, whatever their width."""

from __future__ import annotations

import numpy as np
import pytest

from lablib.hls.errors import HardwareError
from lablib.hls.packing import pack, unpack
from lablib.hls.verilog import Port


@pytest.mark.parametrize("bits", [1, 2, 7, 8, 31, 32, 33, 63, 64])
@pytest.mark.parametrize("count", [1, 3, 10])
def test_a_round_trip_changes_nothing(bits: int, count: int) -> None:
    low, high = -(1 << bits - 1), (1 << bits - 1) - 1
    values = np.random.default_rng(bits).integers(low, high, (1000, count), endpoint=True)
    values[0], values[1] = low, high
    port = Port("p", "output", bits * count)
    assert np.array_equal(unpack(port, pack(port, values), f"s{bits}"), values)


def test_element_0_is_lowest() -> None:
    assert pack(Port("x", "input", 40), [[1, 2, 3, 4, 5]]).tolist() == [[0x04030201, 0x05]]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([[1, 2, 3]], "x has 16 bits, which 3 elements do not divide"),
        ([[256, 0]], "x takes unsigned 8-bit elements, 0 to 255: it got 0 to 256"),
        ([[-1, 128]], "x takes signed 8-bit elements, -128 to 127: it got -1 to 128"),
        ([1.0], "x takes integers"),
    ],
)
def test_values_that_do_not_fit_are_refused(values: list, message: str) -> None:
    with pytest.raises(HardwareError, match=message):
        pack(Port("x", "input", 16), values)
