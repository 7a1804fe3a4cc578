"""Arguments and results like csim's, the schedule as a chart, place and route."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lablib.hls.cpp.design import hardware, measure
from lablib.hls.csim import csim
from lablib.hls.errors import HardwareError
from lablib.viz.pipelines import pipeline
from tests.lablib.hls.cpp.kernels import HEAD, KERNELS, dot, top_of

FIXED = f"""{HEAD}
void scale(const ap_fixed<8, 3, AP_RND, AP_SAT> x[4], ap_fixed<12, 6> y[4], ap_uint<4> &count) {{
  for (int i = 0; i < 4; i++) {{
    y[i] = x[i] * x[i];
    if (x[i] > 0) count++;
  }}
}}
"""


def test_arguments_round_and_results_are_those_of_csim() -> None:
    design, software = hardware(FIXED, "scale"), csim(FIXED, "scale")
    x = [0.123, -0.123, 1e9, -2.71]  # the type rounds and saturates them
    for given in (np.array(x), torch.tensor(x, dtype=torch.float64)):
        made, wanted = design(given, count=9), software(given, count=9)
        assert type(made.y) is type(wanted.y)
        assert made.y.tolist() == wanted.y.tolist()
        assert (int(made.count), int(wanted.count)) == (11, 11)


def test_the_wrong_argument_is_named() -> None:
    with pytest.raises(HardwareError, match="scale reads x, but x did not come"):
        hardware(FIXED, "scale")()


def test_a_loop_is_a_chart() -> None:
    timeline = hardware(dot(), "dot").timeline("l0")
    assert (timeline.latency, timeline.ii) == (3, 1)
    assert [(each.name, each.start, each.resource, each.line) for each in timeline.operations] == [
        ("load x", 1, "x read port", 8),
        ("load w", 1, "w read port", 8),
        ("mul", 2, "", 8),
        ("add", 3, "", 8),
    ]
    assert "II 1" in pipeline(timeline).summary


def test_there_is_no_such_loop() -> None:
    with pytest.raises(HardwareError, match="dot has no pipelined loop or block 'l7': it has l0, b0, b1, b2"):
        hardware(dot(), "dot").timeline("l7")


def test_a_faster_clock_takes_more_cycles() -> None:
    slow, fast = (hardware(dot(), "dot", clock_mhz=clock) for clock in (40, 140))
    assert slow.plan.latency < fast.plan.latency
    assert fast.report.clock_mhz == 140


def test_nextpnr_reaches_nine_tenths_of_the_clock() -> None:
    design = hardware(KERNELS["branches"], top_of(KERNELS["branches"]), clock_mhz=110)
    reached = design.place().fmax_mhz
    assert reached is not None
    assert reached >= 0.9 * 110


def test_a_measurement_records_the_wires_of_its_kernels() -> None:
    design = hardware("void twice(const int x[2], int y[2]) { for (int i = 0; i < 2; i++) y[i] = 2 * x[i]; }", "twice")
    (run,) = measure([(design, ([1, 2],), {})], wave_cycles=20)
    assert run.simulation.waveform is not None
    written = run.simulation.waveform.signals["k0.y_wen"]
    pulses = [cycle for cycle, value in zip(written.cycles, written.values, strict=True) if value and cycle > 4]
    assert len(pulses) == 2, "one an element; before the start, registers hold anything"
