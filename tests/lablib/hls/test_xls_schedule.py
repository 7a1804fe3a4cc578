"""The pipelines that XLS writes give what the model gives, with the latency and II that the schedule says."""

from __future__ import annotations

import re

import numpy as np
import pytest

from lablib.hls.bits import BitsType
from lablib.hls.designs.dense import DenseLayer, dense_dslx, dense_reference
from lablib.hls.errors import HardwareError
from lablib.hls.rtlsim import Simulation, rtlsim
from lablib.hls.xls import XlsFunction, xls_function, xls_proc
from lablib.hls.xls_schedule import Schedule, schedule, sweep

MAC = """\
proc mac {
    x: chan<s8[2]> in;
    y: chan<s32> out;
    config(x: chan<s8[2]> in, y: chan<s32> out) { (x, y) }
    init { (u4:0, s32:0) }
    next(state: (u4, s32)) {
        let (i, sum) = state;
        let (t, v) = recv(join(), x);
        let sum = sum + (v[0] as s32) * (v[1] as s32);
        let last = i == u4:15;
        send_if(t, y, last, sum);
        (i + u4:1, if last { s32:0 } else { sum })
    }
}
"""

HORNER = """\
proc horner {
    x: chan<s16> in;
    y: chan<s16> out;
    config(x: chan<s16> in, y: chan<s16> out) { (x, y) }
    init { s16:1 }
    next(h: s16) {
        let (t, v) = recv(join(), x);
        let next = ((h * v + s16:3) * v + s16:5) * h;
        send(t, y, next);
        next
    }
}
"""

PAIR, SUM = BitsType(8, True, (2,)), BitsType(32, True)


@pytest.fixture(scope="module")
def layer() -> DenseLayer:
    rng = np.random.default_rng(0)
    return DenseLayer(rng.integers(-128, 128, (8, 16)), rng.integers(-1000, 1000, 8), shift=8, relu=True)


@pytest.fixture(scope="module")
def dense(layer: DenseLayer) -> XlsFunction:
    return xls_function(dense_dslx(layer), "dense")


def run_proc(verilog: str, name: str, x: np.ndarray, result: str, results: int, pauses: float = 0.0) -> Simulation:
    channels = {"in": "design__x", "out": "design__y"}
    names = {f"{way}_{role}": f"{port}_{role[0]}{ending}" for way, port in channels.items()
             for role, ending in (("valid", "ld"), ("ready", "dy"))}  # fmt: skip
    return rtlsim(verilog, name, {"design__x": x}, elements={"design__y": result}, results=results, names=names,
                  pauses=pauses)  # fmt: skip


def test_a_function_is_a_pipeline_with_its_latency_and_ii_1(layer: DenseLayer, dense: XlsFunction) -> None:
    three = schedule(dense, clock_ps=2500)
    x = np.random.default_rng(1).integers(-128, 128, (1000, 16))
    x[:3] = np.array([-128, 127, 0])[:, None]
    run = rtlsim(three.verilog, "dense", {"x": x}, elements={"out": "s8"})
    assert np.array_equal(run.outputs["out"], dense_reference(layer, x))
    assert run.report.latency_cycles == three.report.latency_cycles == three.stages + 1
    assert run.report.ii == three.report.ii and run.report.cycles == three.stages + 1 + 999
    assert three.report.ii == 1 and three.report.clock_mhz == 400 and three.report.estimated


@pytest.mark.parametrize("clock_ps", [1600, 2500, 12000])
def test_stages_are_those_of_the_verilog(dense: XlsFunction, clock_ps: int) -> None:
    found = schedule(dense, clock_ps=clock_ps)
    # In the text, section s + 1 holds stage s: section 0 is the input register.
    written = {name: int(stage) - 1 for stage, name in re.findall(r"wire .*\bp(\d+)_(\w+?)_comb", found.verilog)}
    assert {one.name.replace(".", "_"): one.stage for one in found.operations}.items() <= written.items()
    assert len(found.operations) > 200
    assert {one.stage for one in found.operations} == set(range(found.stages))
    registers = re.findall(r"^  reg (?:\[(\d+):0\] )?p(\d+)_(?!inputs_valid)\w+;$", found.verilog, re.MULTILINE)
    bits = [sum(int(width or 0) + 1 for width, at in registers if int(at) == s) for s in range(found.stages - 1)]
    assert list(found.register_bits) == bits


def test_operations_have_lines_and_lifetimes() -> None:
    source = "fn f(a: s8, b: s8, c: s16) -> s16 {\n  let p = (a as s16) * (b as s16);\n  p * c + p\n}"
    found = schedule(xls_function(source, "f"), stages=3)
    first, *rest = found.operations
    assert (first.kind, first.line, first.bits, first.stage) == ("smul", 2, 16, 0)
    assert first.last_stage == max(one.stage for one in rest) > 0
    assert {one.line for one in rest} == {3}


def test_names_that_look_like_a_handshake_are_data() -> None:
    source = "fn f(is_valid: u8, x_rdy: u8) -> u8 { let y_vld = is_valid * x_rdy; y_vld * (y_vld + is_valid) }"
    found = schedule(xls_function(source, "f"), stages=3)
    assert sorted(one.kind for one in found.operations) == ["add", "umul", "umul"]
    assert min(found.register_bits) >= 8


@pytest.mark.parametrize("pauses", [0.0, 0.3])
@pytest.mark.parametrize("clock_ps", [4000, 1800])
def test_a_proc_keeps_its_state_through_stalls(clock_ps: int, pauses: float) -> None:
    mac = xls_proc(MAC, "mac")
    assert mac.channels == {"x": ("in", PAIR), "y": ("out", SUM)}
    found = schedule(mac, clock_ps=clock_ps)
    v = np.random.default_rng(2).integers(-128, 128, (1600, 2))
    v[:32] = np.array([-128, 127]).repeat(16)[:, None]
    run = run_proc(found.verilog, "mac", v, "s32", 100, pauses)
    assert np.array_equal(run.outputs["design__y"][:, 0], (v[:, 0] * v[:, 1]).reshape(100, 16).sum(axis=1))
    if not pauses:
        assert run.report.ii == found.report.ii == 1 and set(np.diff(run.arrived)) == {16}
        assert found.report.latency_cycles == (run.report.latency_cycles or 0) - 15


@pytest.mark.parametrize(("clock_ps", "throughput"), [(12000, 1), (4000, 2), (2500, 3)])
def test_ii_of_state_that_crosses_stages_is_measured(clock_ps: int, throughput: int) -> None:
    found = schedule(xls_proc(HORNER, "horner"), clock_ps=clock_ps, throughput=throughput)
    v = np.random.default_rng(3).integers(-(2**15), 2**15, 1000)
    run = run_proc(found.verilog, "horner", v, "s16", 1000)
    h, expected = 1, []
    for one in v.tolist():
        h = (((h * one + 3) * one + 5) * h + 2**15) % 2**16 - 2**15
        expected.append(h)
    assert run.outputs["design__y"][:, 0].tolist() == expected
    assert set(np.diff(run.arrived)) == {throughput} and found.report.ii == throughput
    assert found.report.latency_cycles == run.report.latency_cycles
    why = "State is read in stage 0 and its next value (line 8) is there in stage"
    assert any(note.startswith(why) for note in found.report.notes) == (throughput > 1)


def test_a_sweep_trades_clock_for_latency(dense: XlsFunction) -> None:
    points = sweep(dense, clocks_ps=(200, 2000, 12000))
    assert isinstance(points[200], HardwareError) and "cannot have clock_ps=200" in str(points[200])
    stages = {clock: one.stages for clock, one in points.items() if isinstance(one, Schedule)}
    assert stages == {2000: 4, 12000: 1}
    counted = sweep(dense, stages=(1, 4))
    assert [one.report.latency_cycles for one in counted.values() if isinstance(one, Schedule)] == [2, 5]


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({}, "A schedule needs a clock or a number of stages: give clock_ps or stages."),
        ({"stages": 0}, "stages is a whole number from 1, got 0."),
        ({"clock_ps": 2.5}, "clock_ps is a whole number from 1, got 2.5."),
        ({"stages": 1, "delay_model": "ice40"}, "Unknown delay model 'ice40': expected one of sky130, asap7, unit."),
        (
            {"clock_ps": 2000, "stages": 2},
            "dense cannot have clock_ps=2000 and stages=2: dense: cannot achieve the specified pipeline length. "
            "Try `stages=4`.",
        ),
    ],
)
def test_requests_that_cannot_be_met_get_a_sentence(dense: XlsFunction, request_: dict, message: str) -> None:
    with pytest.raises(HardwareError) as refused:
        schedule(dense, **request_)
    assert str(refused.value) == message


def test_full_throughput_that_state_forbids_is_refused() -> None:
    with pytest.raises(HardwareError, match=r"horner: cannot achieve full throughput\. Try `throughput=2`"):
        schedule(xls_proc(HORNER, "horner"), clock_ps=4000)


def test_a_sweep_goes_over_one_thing(dense: XlsFunction) -> None:
    with pytest.raises(HardwareError, match="give one of them"):
        sweep(dense)


def test_a_module_that_is_all_wire_has_one_stage() -> None:
    found = schedule(xls_function("fn f(x: s8[2]) -> s8 { x[1] }", "f"), stages=1)
    assert (found.operations, found.stages, found.report.latency_cycles) == ((), 1, 2)
