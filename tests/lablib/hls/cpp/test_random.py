"""Random kernels: csim equals RTL, predicted cycles equal measured ones. `benchmarks.hls_cpp` runs hundreds of them."""

from __future__ import annotations

from lablib.hls.cpp.design import hardware
from tests.lablib.hls.cpp.random_kernels import drawn
from tests.lablib.hls.cpp.together import mismatches

COUNT = 10


def test_random_kernels_do_what_csim_does_in_the_predicted_cycles() -> None:
    designs = [hardware(source, "kernel") for source in drawn(COUNT, seed=1)]
    found, runs = mismatches(designs)
    assert found == [], [designs[int(each.split()[1].rstrip(":"))].source for each in found]
    assert len(runs) == COUNT
