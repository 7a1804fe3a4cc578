"""A student's cocotb tests run on Verilator and on Icarus, and what fails or hangs is one sentence with its line."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from cocotb_tools import config

from lablib.hls import cocotb_bench
from lablib.hls.cocotb_bench import run_bench
from lablib.hls.cocotb_results import BenchRun
from lablib.hls.engines import Package, Program
from lablib.hls.errors import EngineMissing, HardwareError
from lablib.hls.source_errors import SourceRefused

MAC = """module mac(input clk, input rst, input signed [7:0] x, input signed [7:0] w, output reg signed [31:0] acc);
  always @(posedge clk) if (rst) acc <= 0; else acc <= acc + x * w;
endmodule"""

BENCH = """
import cocotb
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge

async def feed(dut, pairs):
    cocotb.start_soon(Clock(dut.clk, 10, "ns").start())
    dut.rst.value = 1
    await RisingEdge(dut.clk)
    dut.rst.value = 0
    for x, w in pairs:
        dut.x.value, dut.w.value = x, w
        await RisingEdge(dut.clk)
    await RisingEdge(dut.clk)

@cocotb.test()
async def sums(dut):
    pairs = [(x, w) for x in (-128, -1, 0, 127) for w in (-128, 3, 127)]
    dut._log.info("a line of the student's")
    await feed(dut, pairs)
    assert dut.acc.value.to_signed() == sum(x * w for x, w in pairs)

@cocotb.test()
async def wrong(dut):
    await feed(dut, [(2, 3)])
    total = dut.acc.value.to_signed()
    assert total == 7, "two times three"

@cocotb.test(timeout_time=200, timeout_unit="ns")
async def patient(dut):
    await feed(dut, [(1, 1)] * 100)

@cocotb.test()
async def misspelt(dut):
    dut.accumulator.value = 1

@cocotb.test()
async def stopped_clock(dut):
    await RisingEdge(dut.clk)
"""


def simulators() -> list[str]:
    return ["verilator", *["icarus"] * (shutil.which("iverilog") is not None)]


@pytest.fixture(scope="module", params=simulators())
def bench(request: pytest.FixtureRequest) -> BenchRun:
    return run_bench(MAC, "mac", BENCH, request.param)


def test_each_test_says_how_it_ended(bench: BenchRun) -> None:
    assert [one.name for one in bench.outcomes] == ["sums", "wrong", "patient", "misspelt", "stopped_clock"]
    assert [one.passed for one in bench.outcomes] == [True, False, False, False, False] and not bench.passed
    assert bench.outcomes[0].message == "" and bench.outcomes[0].simulated_ns == 130
    assert "a line of the student's" in bench.output


def test_a_failing_assertion_is_a_sentence_with_its_line(bench: BenchRun) -> None:
    wrong, misspelt = bench.outcomes[1], bench.outcomes[3]
    assert (wrong.line, misspelt.line) == (27, 35)
    assert wrong.message == (
        'Line 27 of the test bench, `assert total == 7, "two times three"`: '
        "wrong failed, two times three, assert 6 == 7."
    )
    assert misspelt.message == (
        "Line 35 of the test bench, `dut.accumulator.value = 1`: misspelt failed, "
        "AttributeError: mac contains no child object named accumulator."
    )
    assert str(bench).splitlines()[:2] == ["sums: passed", wrong.message]


def test_a_wait_in_vain_is_a_sentence(bench: BenchRun) -> None:
    assert bench.outcomes[2].message == (
        "patient failed: it took longer in the simulation than the timeout of its decorator allows."
    )
    assert bench.outcomes[4].message == (
        "stopped_clock failed: the simulation ended before it did, since nothing was left to happen (no clock runs?)."
    )


@pytest.mark.parametrize(
    ("bench", "message"),
    [
        ("import cocotb\n@cocotb.test(\n", "The test bench does not compile: 1 error.\nline 2: '\\(' was never closed"),
        ("import cocotb", r"^The test bench has no test: mark each with @cocotb.test\(\)\.$"),
        (
            "import cocotb\nimport nonesuch\n@cocotb.test()\nasync def t(dut): pass",
            "^Line 2 of the test bench, `import nonesuch`: the test bench did not start: "
            r"ModuleNotFoundError: No module named 'nonesuch'\.$",
        ),
    ],
)
def test_a_bench_that_cannot_run_is_one_sentence(bench: str, message: str) -> None:
    with pytest.raises(HardwareError, match=message):
        run_bench(MAC, "mac", bench)


def test_a_program_of_an_environment_that_is_gone_is_not_used_again(monkeypatch, tmp_path: Path) -> None:
    passes = "import cocotb\n@cocotb.test()\nasync def passes(dut):\n    pass"
    elsewhere = tmp_path / "libs"
    elsewhere.symlink_to(config.libs_dir)
    with monkeypatch.context() as other:
        other.setattr(config, "libs_dir", elsewhere)
        assert run_bench(MAC, "mac", passes).passed
        elsewhere.unlink()
        with pytest.raises(HardwareError, match=r"did not start: .*cannot open shared object file"):
            run_bench(MAC, "mac", passes)
    assert run_bench(MAC, "mac", passes).passed


def test_design_and_simulator_are_looked_at_first() -> None:
    with pytest.raises(HardwareError, match="Line 2 of the Verilog"):
        run_bench(MAC.replace("x * w", "x * v"), "mac", BENCH)
    with pytest.raises(HardwareError, match="no simulator 'questa' here: expected one of verilator, icarus"):
        run_bench(MAC, "mac", BENCH, "questa")
    with pytest.raises(SourceRefused):
        run_bench(MAC, "mac", "def")


@pytest.mark.parametrize(
    ("name", "engine", "simulator", "words"),
    [
        ("COCOTB", Package("not_there", "cocotb", "run a test bench in Python"), "verilator", "run pip install cocotb"),
        ("ICARUS", Program("not-there", "iverilog", "simulate"), "icarus", "run apt-get install iverilog"),
    ],
)
def test_a_missing_engine_is_named(monkeypatch, name: str, engine, simulator: str, words: str) -> None:
    monkeypatch.setattr(cocotb_bench, name, engine)
    with pytest.raises(EngineMissing, match=words):
        run_bench(MAC, "mac", BENCH, simulator)
