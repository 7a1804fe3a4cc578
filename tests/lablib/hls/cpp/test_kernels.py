"""Known kernels: the RTL gives what csim gives, in the cycles that the schedule says."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from lablib.hls.cpp.area import multipliers
from lablib.hls.cpp.design import Hardware, hardware
from lablib.hls.cpp.report import loop_reports
from lablib.hls.designs.conv2d import conv2d
from lablib.hls.designs.dense import DenseLayer
from lablib.hls.designs.dense_serial import dense_serial
from lablib.hls.designs.softmax import softmax
from lablib.hls.designs.systolic import systolic
from tests.lablib.hls.cpp.kernels import KERNELS, dot, partitioned, top_of
from tests.lablib.hls.cpp.together import mismatches

PARTS = (1, 2, 4, 8)
LIMITS = (1, 2, 4, 8)


def shared(limit: int) -> str:
    """A dot product with 8 products on so many multipliers."""
    pragmas = partitioned("x", "w", how="complete")
    return dot(8, f"{pragmas}\n#pragma HLS ALLOCATION operation instances=mul limit={limit}", "#pragma HLS UNROLL")


def banked(banks: int) -> str:
    """A dot product that takes 8 pairs an iteration from so many banks."""
    pragmas = partitioned("x", "w", how=f"cyclic factor={banks}") if banks > 1 else ""
    return dot(32, pragmas, "#pragma HLS PIPELINE II=1\n    #pragma HLS UNROLL factor=8")


@functools.cache
def compiled(name: str) -> Hardware:
    source = SOURCES[name]
    return hardware(source, top_of(source))


DESIGNS = {
    "design dense_serial": dense_serial(DenseLayer(np.arange(32).reshape(4, 8) - 16)),
    "design systolic": systolic(3, 4),
    "design softmax": softmax(6),
    "design conv2d": conv2d(np.arange(9).reshape(3, 3) - 4, 6, 7),
}
SOURCES = {
    **KERNELS,
    **{name: design.source for name, design in DESIGNS.items()},
    **{f"shared {limit}": shared(limit) for limit in LIMITS},
    **{f"banked {banks}": banked(banks) for banks in PARTS},
}


@functools.cache
def differences() -> dict[str, list[str]]:
    """By kernel what is wrong with it; all of them run in one simulator."""
    found, _ = mismatches([compiled(name) for name in SOURCES])
    return {name: [each for each in found if each.startswith(f"kernel {at}:")] for at, name in enumerate(SOURCES)}


@pytest.mark.parametrize("name", SOURCES)
def test_values_equal_csim_and_cycles_the_schedule(name: str) -> None:
    assert differences()[name] == []


def test_half_the_banks_double_ii() -> None:
    designs = [compiled(f"banked {banks}") for banks in PARTS]
    found = [loop_reports(design.plan)[0] for design in designs]
    assert [each.ii for each in found] == [8, 4, 2, 1]
    assert [each.latency - each.iteration_latency - 1 for each in found] == [3 * ii for ii in (8, 4, 2, 1)]
    assert "8 reads from x take its read port" in found[0].why


def test_half_the_multipliers_take_as_many_cycles_more() -> None:
    designs = [compiled(f"shared {limit}") for limit in LIMITS]
    assert [multipliers(design.plan) for design in designs] == [1, 2, 4, 8]
    latency = [design.plan.latency for design in designs]
    assert [one - latency[-1] for one in latency[:2]] == [7, 3]


def test_the_report_names_the_recurrence() -> None:
    (loop,) = loop_reports(compiled("histogram").plan)
    assert (loop.ii, loop.bounds, loop.trip) == (2, (1, 2), 16)
    assert loop.why == (
        "II is 2: the next iteration needs h from this one, and load h → add → store h (line 8) takes 2 cycles."
    )


def test_the_report_reads_like_a_table() -> None:
    assert str(compiled("dot_pipelined")).splitlines()[:5] == [
        "dot on hx8k, clock 50 MHz (20.00 ns)",
        "latency 22 cycles, interval 23; about 174 LUT, 0 BRAM, 1 multiplier, 2 memories, 1 loop",
        "",
        "loop             line   trip iteration   II asked  latency",
        "l0                  6     16         3    1     1       19",
    ]


def test_one_kernel_alone_is_measured_by_rtlsim_too() -> None:
    design = compiled("dot_pipelined")
    x, w = [[1, -2] * 8, [127] * 16], [[3, 4] * 8, [-128] * 16]
    assert design(x, w).tolist() == [-40, -260096]
    assert design(x[0], w[0]) == -40
