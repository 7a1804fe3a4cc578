"""Measure the compiler of HLS C++: random kernels against csim and their schedule, compile times, clocks after routing.

    python -m benchmarks.hls_cpp random FIRST LAST     seeds FIRST to LAST, fifty kernels a simulator
    python -m benchmarks.hls_cpp clocks                eight kernels placed and routed for their clock

A line a kernel that differs; exit status 1 if any does, or misses nine tenths of its clock.
"""

from __future__ import annotations

import sys
import time

from lablib.hls.cpp.design import hardware
from lablib.hls.cpp.refusal import OutsideSubset
from tests.lablib.hls.cpp.kernels import KERNELS, top_of
from tests.lablib.hls.cpp.random_kernels import drawn
from tests.lablib.hls.cpp.together import mismatches

COUNT = 50
LEAST = 0.9
CLOCKS = {
    "dot_pipelined": 100.0,
    "fir": 110.0,
    "conv2d": 100.0,
    "requantise": 110.0,
    "branches": 110.0,
    "softmax": 90.0,
    "matvec": 90.0,
    "histogram_registers": 120.0,
}
"""Clock targets in MHz on the iCE40 HX8K."""


def random_kernels(first: int, last: int) -> int:
    """Compare fifty random kernels for each seed; how many differ."""
    differing = 0
    for seed in range(first, last + 1):
        began, designs, refused = time.perf_counter(), [], 0
        for source in drawn(COUNT, seed):
            try:
                designs.append(hardware(source, "kernel"))
            except OutsideSubset:
                refused += 1
        compiled = time.perf_counter()
        found, runs = mismatches(designs)
        loops = sum(len(run.ii) for run in runs)
        print(
            f"seed {seed}: {len(designs)} kernels, {loops} pipelined loops, {refused} refused, {len(found)} differ; "
            f"{(compiled - began) / len(designs):.2f} s a kernel to compile, "
            f"{time.perf_counter() - compiled:.0f} s to build and run",
            flush=True,
        )
        print("".join(f"  {each}\n" for each in found), end="", flush=True)
        differing += len(found)
    return differing


def clocks() -> int:
    """Place eight kernels; how many miss nine tenths of their clock."""
    missed = 0
    for name, clock in CLOCKS.items():
        began = time.perf_counter()
        design = hardware(KERNELS[name], top_of(KERNELS[name]), clock_mhz=clock)
        compiled = time.perf_counter() - began
        found = design.place()
        reached = (found.fmax_mhz or 0.0) / clock
        missed += reached < LEAST
        print(
            f"{name}: {clock:.0f} MHz asked, {found.fmax_mhz:.1f} reached ({reached:.2f}), "
            f"{found.resources.cells} cells, latency {design.plan.latency}, {compiled:.2f} s to compile",
            flush=True,
        )
    return missed


if __name__ == "__main__":
    what, *numbers = sys.argv[1:] or ["help"]
    if what == "random" and len(numbers) == 2:
        sys.exit(random_kernels(int(numbers[0]), int(numbers[1])) > 0)
    if what == "clocks":
        sys.exit(clocks() > 0)
    sys.exit(__doc__)
