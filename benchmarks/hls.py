"""Measure the hardware engines: how long each builds and runs, and how many cycles a second the simulators make.

    python -m benchmarks.hls [FILE]

Cold is with nothing of the design in the cache, warm is the same call again; both after `python -m lablib.hls.warm`,
which is measured once. Seconds are on the clock, and of the processors, of which other programs take none. The
simulators run one design on one stream of inputs, and every result is compared with numpy.
FILE is benchmarks/results/<date>-<machine>-hls.json unless given.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import machine, result_files
from lablib.hls.build import cache_folder
from lablib.hls.cocotb_bench import run_bench
from lablib.hls.csim import csim
from lablib.hls.da import da_dense
from lablib.hls.designs import Design
from lablib.hls.designs.dense import DenseLayer, dense_dslx
from lablib.hls.designs.dense_serial import dense_serial
from lablib.hls.engines import ENGINES, Package
from lablib.hls.layers import network_csim
from lablib.hls.place import place
from lablib.hls.synth import synth
from lablib.hls.xls import xls_function
from lablib.hls.xls_schedule import schedule

RUNS = 3
ROWS, COLUMNS = 10, 32
VECTORS = {"rtlsim": 3000, "cocotb, Verilator": 400, "cocotb, Icarus": 400}
_KEPT = ("translated-", "verilator-runtime-")  # what lablib.hls.warm made

CPP = """
#include "ap_int.h"
void dense(const ap_int<8> w[10][32], const ap_int<8> x[32], ap_int<24> y[10]) {
  for (int i = 0; i < 10; i++) {
    ap_int<24> sum = 0;
    for (int j = 0; j < 32; j++) sum += w[i][j] * x[j];
    y[i] = sum;
  }
}
"""

BENCH = """
import cocotb
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge

GIVEN, EXPECTED = {given}, {expected}

@cocotb.test()
async def stream(dut):
    cocotb.start_soon(Clock(dut.clk, 10, "ns").start())
    dut.rst.value, dut.in_valid.value, dut.out_ready.value = 1, 0, 1
    for _ in range(4):
        await RisingEdge(dut.clk)
    dut.rst.value, dut.in_valid.value, dut.x.value = 0, 1, GIVEN[0]
    taken, results = 0, []
    while len(results) < len(EXPECTED):
        await RisingEdge(dut.clk)
        if dut.out_valid.value == 1:
            results.append(dut.y.value.to_signed())
        if taken < len(GIVEN) and dut.in_ready.value == 1:
            taken += 1
            if taken < len(GIVEN):
                dut.x.value = GIVEN[taken]
            else:
                dut.in_valid.value = 0
    assert results == EXPECTED
"""


@dataclass(frozen=True)
class Cost:
    """Seconds on the clock, and of the processors for this process and all that it started: others do not count."""

    wall: float
    cpu: float


def cost(call: Callable[[], Any]) -> Cost:
    """What a call takes."""
    wall, cpu = time.perf_counter(), sum(os.times()[:4])
    call()
    return Cost(time.perf_counter() - wall, sum(os.times()[:4]) - cpu)


def median(costs: Sequence[Cost]) -> dict[str, float]:
    """Of both, apart."""
    return {"wall": statistics.median(one.wall for one in costs), "cpu": statistics.median(one.cpu for one in costs)}


def design() -> Design:
    """A dense layer of 32 inputs and 10 outputs on one multiplier."""
    rng = np.random.default_rng(0)
    weights, bias = rng.integers(-128, 128, (ROWS, COLUMNS)), rng.integers(-1000, 1000, ROWS)
    return dense_serial(DenseLayer(weights, bias, shift=8, relu=True))


def inputs(vectors: int) -> np.ndarray:
    """Random int8 vectors, shape (vectors, COLUMNS)."""
    return np.random.default_rng(1).integers(-128, 128, (vectors, COLUMNS))


def simulate(vectors: int) -> int:
    """Run `rtlsim`, check the results, and return the cycles."""
    layer, x = design(), inputs(vectors)
    run = layer.simulate(x)
    assert np.array_equal(run.outputs["y"], layer.golden(x))
    assert run.report.cycles == layer.cycles(vectors)
    return layer.cycles(vectors)


def run_cocotb(simulator: str, vectors: int) -> None:
    """Run cocotb, whose test checks the results."""
    layer, x = design(), inputs(vectors)
    text = BENCH.format(given=x.ravel().tolist(), expected=layer.golden(x).ravel().tolist())
    run = run_bench(layer.verilog, layer.top, text, simulator, layer.files, seconds=600)
    assert run.passed, str(run)


def steps() -> dict[str, Callable[[], Any]]:
    """What each engine is timed on: one dense layer of 32 inputs and 10 outputs, and 100 vectors where it runs."""
    import torch

    rng, layer = np.random.default_rng(0), design()
    weights, x = rng.integers(-128, 128, (ROWS, COLUMNS)), inputs(100)
    dense = DenseLayer(weights, shift=8, relu=True)
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(COLUMNS, ROWS), torch.nn.ReLU())
    dslx = dense_dslx(dense)
    return {
        "csim": lambda: csim(CPP, "dense")(weights, x),
        "hls4ml": lambda: network_csim(model, (COLUMNS,))(x / 128),
        "XLS: compile and run": lambda: xls_function(dslx, "dense")(x),
        "XLS: schedule": lambda: schedule(xls_function(dslx, "dense"), clock_ps=2500),
        "da4ml": lambda: da_dense(dense)(x),
        "rtlsim": lambda: simulate(100),
        "Yosys": lambda: synth(layer.verilog, layer.top, files=layer.files),
        "Yosys and nextpnr": lambda: place(layer.verilog, layer.top, files=layer.files),
        "cocotb, Verilator": lambda: run_cocotb("verilator", 10),
        "cocotb, Icarus": lambda: run_cocotb("icarus", 10),
    }


def forget() -> None:
    """Empty the cache, except for what is made once for a machine."""
    for path in cache_folder().iterdir():
        if not path.name.startswith(_KEPT):
            shutil.rmtree(path)


def engine_seconds() -> dict[str, dict[str, Any]]:
    """Medians of each step, cold and warm."""
    found = {}
    for name, step in steps().items():
        cold = []
        for _ in range(RUNS):
            forget()
            cold.append(cost(step))
        warm = [cost(step) for _ in range(RUNS)]
        found[name] = {"cold": median(cold), "warm": median(warm), "load": os.getloadavg()[0]}
        print(name, found[name], flush=True)
    return found


def cycles_a_second() -> dict[str, dict[str, float]]:
    """Medians of each simulator on one design that is built already, its start and the passing of values included."""
    layer, found = design(), {}
    calls = {
        "rtlsim": simulate,
        "cocotb, Verilator": lambda vectors: run_cocotb("verilator", vectors),
        "cocotb, Icarus": lambda vectors: run_cocotb("icarus", vectors),
    }
    for name, call in calls.items():
        cycles = layer.cycles(VECTORS[name])
        call(VECTORS[name])
        took = median([cost(lambda call=call, name=name: call(VECTORS[name])) for _ in range(RUNS)])
        found[name] = {
            "cycles": cycles,
            "a_second": cycles / took["wall"],
            "a_cpu_second": cycles / took["cpu"],
            "load": os.getloadavg()[0],
        }
        print(name, found[name], flush=True)
    return found


def describe() -> dict[str, Any]:
    """Machine, load and versions."""
    described = machine.describe()
    packages = {one.distribution: version(one.distribution) for one in ENGINES if isinstance(one, Package)}
    tools = {name: _first_line(name, flag) for name, flag in (("g++", "--version"), ("iverilog", "-V"))}
    load = {"busy_cores_before": machine.busy_cores(), "load_before": os.getloadavg()[0]}
    return {**described, "versions": {**described["versions"], **packages, **tools}, **load}


def _first_line(name: str, flag: str) -> str:
    return subprocess.run([name, flag], capture_output=True, text=True, check=True).stdout.splitlines()[0]


def main(arguments: list[str] | None = None) -> int:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.hls", description="Measure the hardware engines.")
    parser.add_argument("file", metavar="FILE", nargs="?", type=Path)
    path = parser.parse_args(arguments).file
    result = describe()
    with tempfile.TemporaryDirectory(prefix="hls-") as folder:
        os.environ["XDG_CACHE_HOME"] = folder
        warm = [sys.executable, "-m", "lablib.hls.warm"]
        result["preparing_once"] = median([cost(lambda: subprocess.run(warm, check=True))])
        result["cache_bytes"] = sum(one.stat().st_size for one in Path(folder).rglob("*") if one.is_file())
        result["seconds"] = engine_seconds()
        result["cycles_a_second"] = cycles_a_second()
    result["load_after"] = os.getloadavg()[0]
    result_files.write(result, machine.slug(), "hls", path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
