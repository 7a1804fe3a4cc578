"""The cells of the systolic array hold, cycle by cycle, what the trace says."""

from __future__ import annotations

import numpy as np
import pytest

from lablib.hls.designs.systolic import systolic, systolic_trace
from lablib.hls.errors import HardwareError


@pytest.mark.parametrize(("size", "depth"), [(4, 8), (3, 5)])
def test_every_cell_in_every_cycle_is_that_of_the_waveform(size: int, depth: int) -> None:
    rng = np.random.default_rng(0)
    a, b = rng.integers(-128, 128, (size, depth)), rng.integers(-128, 128, (depth, size))
    trace = systolic_trace(a, b)
    run = systolic(size, depth).simulate(a.T[None], b[None], wave_cycles=100)
    assert run.waveform is not None
    start, length = int(run.accepted[0]), len(trace.sum)
    assert length == depth + 3 * size
    for name in ("a", "b", "sum"):
        cells = getattr(trace, name)
        for i, j in np.ndindex(size, size):
            signal = run.waveform.signals[f"row[{i}].column[{j}].at.{name}"]
            seen = [signal.at(start + cycle) for cycle in range(length)]
            assert seen == (cells[:, i, j] % (1 << signal.bits)).tolist()
    assert np.array_equal(trace.sum[depth + 2 * size - 1], a @ b)
    assert np.array_equal(run.outputs["y"][0], a @ b)


def test_sixteen_multipliers_of_int8_fit_the_part() -> None:
    rng, design = np.random.default_rng(0), systolic()
    a, b = rng.integers(-128, 128, (2, 1000, 8, 4))
    a[0] = b[0] = b[1] = -128
    a[1] = 127
    run = design.simulate(a, b)
    assert np.array_equal(run.outputs["y"], design.golden(a, b))
    report = run.report.merged(design.place())
    took = report.resources
    assert (took.ff, took.bram, took.dsp, took.io, took.cells) == (674, 0, 0, 146, 3751)
    assert (report.latency_cycles, report.ii, report.cycles) == (18, 19, design.cycles(1000))
    assert report.fmax_mhz and 60 < report.fmax_mhz < 120


def test_matrices_that_do_not_fit_are_refused() -> None:
    with pytest.raises(HardwareError, match=r"it got \(4, 8\) and \(4, 8\)"):
        systolic_trace(np.zeros((4, 8)), np.zeros((4, 8)))
