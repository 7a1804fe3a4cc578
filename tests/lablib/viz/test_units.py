from __future__ import annotations

import pytest

from lablib.viz.units import percent, plural, si, size, three_digits


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (232448, "227 KiB"), (2**31, "2 GiB")],
)
def test_size_uses_binary_prefixes(count, text):
    assert size(count) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(989e12, "989 TFLOP/s"), (4.8e12, "4.8 TFLOP/s"), (1.234e3, "1.23 kFLOP/s"), (0, "0 FLOP/s")],
)
def test_si_keeps_three_digits(value, text):
    assert si(value, "FLOP/s") == text


def test_small_times_get_a_prefix():
    assert [si(t, "s") for t in (2.5e-3, 3.1e-4, 4e-9)] == ["2.5 ms", "310 µs", "4 ns"]


def test_three_digits_writes_no_exponent_for_everyday_numbers():
    assert [three_digits(v) for v in (0.25, 3.14159, 99.95, 1234.5, 206.0)] == [
        "0.25",
        "3.14",
        "100",
        "1234",
        "206",
    ]


def test_percent_keeps_a_digit_below_ten():
    assert [percent(f) for f in (0, 0.0312, 0.125, 1)] == ["0%", "3.1%", "12%", "100%"]


def test_plural():
    assert [plural(1, "lane"), plural(2, "lane"), plural(3, "access")] == ["1 lane", "2 lanes", "3 accesses"]
