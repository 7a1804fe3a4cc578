"""Hand a kernel to AMD's Vitis HLS and Vivado where they are in PATH.

The same source and top that `lablib.hls.csim.csim` runs are synthesised by Vitis HLS, co-simulated against a C++ test
bench, and placed and routed by Vivado. Nobody needs this for the labs: it is for who has the tools.

Written after AMD's documents (UG1399 and UG835) and tested with stand-ins for the tools: it has not met the tools yet.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from lablib.hls.build import built, run
from lablib.hls.engines import VITIS, VITIS_RUN, VIVADO
from lablib.hls.errors import HardwareError, ToolFailed, ToolTimeout
from lablib.hls.report import Report
from lablib.hls.source_errors import SourceError, SourceRefused
from lablib.hls.vitis_reports import cosim_report, csynth_report, vivado_report

__all__ = ["vitis"]

_PROJECT, _SOLUTION = "project", "solution"
_HLS = """\
open_project -reset {project}
set_top {top}
add_files kernel.cpp -cflags "-std=c++14"
{benches}open_solution -reset {solution} -flow_target vivado
set_part {part}
create_clock -period {clock} -name default
{steps}
exit
"""
_IMPLEMENT = """\
read_verilog [glob {project}/{solution}/syn/verilog/*.v]
foreach script [glob -nocomplain {project}/{solution}/syn/verilog/*.tcl] {{ source $script }}
synth_design -top {top} -part {part} -mode out_of_context
create_clock -period {clock} -name ap_clk [get_ports ap_clk]
opt_design
place_design
route_design
report_utilization -file utilisation.rpt
report_timing_summary -file timing.rpt
exit
"""


def vitis(
    source: str,
    top: str,
    part: str = "xck26-sfvc784-2LV-c",
    clock_ns: float = 5.0,
    bench: str = "",
    implement: bool = False,
    seconds: float = 3600.0,
) -> Report:
    """Synthesise a kernel with Vitis HLS.

    Parameters
    ----------
    source, top
        HLS C++, and the function that becomes hardware.
    part
        AMD's name of the part, in full.
    clock_ns
        The clock period that is wanted, in nanoseconds.
    bench
        C++ with a ``main`` that returns 0 if all is well. With it, the kernel is run before synthesis and its RTL is
        co-simulated, so that latency and II are measured.
    implement
        Place and route with Vivado, so that resources and clock are counted.
    seconds
        Time limit of each tool.

    Returns
    -------
    Report
        The surest of what is known: of Vivado, then of co-simulation, then Vitis HLS's estimate.

    Raises
    ------
    EngineMissing
        The tools are not in PATH.
    SourceRefused
        The C++ does not compile; ``errors`` has lines and messages.
    HardwareError
        The test bench fails, or the RTL differs from the C++.
    ToolTimeout
        A tool takes too long.
    """
    tool = _tool()
    script = _script(top, part, clock_ns, bench)
    inputs = {"source": source, "bench": bench, "script": script, "tool": " ".join(tool)}
    folder = built("vitis", inputs, lambda draft: _synthesise(draft, tool, source, bench, script, seconds))
    reports = [csynth_report(folder / f"{top}_csynth.xml")]
    if bench:
        reports.insert(0, cosim_report(folder / f"{top}_cosim.rpt", top))
    if implement:
        reports.insert(0, _implemented(folder, top, part, clock_ns, seconds))
    return reports[0].merged(*reports[1:])


def _tool() -> list[str]:
    """The command to which a Tcl script is added: `vitis_hls`, or its successor since 2023.2."""
    if shutil.which(VITIS_RUN.name):
        return [VITIS_RUN.require(), "--mode", "hls", "--tcl"]
    return [VITIS.require(), "-f"]


def _script(top: str, part: str, clock_ns: float, bench: str) -> str:
    for name, value, form in (("top", top, r"[A-Za-z_]\w*"), ("part", part, r"[\w-]+")):
        if not re.fullmatch(form, value):
            raise HardwareError(f"{name} is {value!r}: expected a plain name, for it goes into a script.")
    if not clock_ns > 0:
        raise HardwareError(f"clock_ns is a period in nanoseconds: it is {clock_ns}.")
    steps = ["csim_design", "csynth_design", "cosim_design -rtl verilog"] if bench else ["csynth_design"]
    return _HLS.format(
        project=_PROJECT, solution=_SOLUTION, top=top, part=part, clock=f"{clock_ns:g}", steps="\n".join(steps),
        benches="add_files -tb bench.cpp\n" if bench else "",
    )  # fmt: skip


def _synthesise(folder: Path, tool: list[str], source: str, bench: str, script: str, seconds: float) -> None:
    for name, text in {"kernel.cpp": source, "bench.cpp": bench, "script.tcl": script}.items():
        (folder / name).write_text(text)
    _run([*tool, "script.tcl"], folder, seconds, "Vitis HLS", source)
    solution = folder / _PROJECT / _SOLUTION
    for report in [*solution.glob("syn/report/*_csynth.xml"), *solution.glob("sim/report/*_cosim.rpt")]:
        shutil.copy(report, folder / report.name)


def _implemented(folder: Path, top: str, part: str, clock_ns: float, seconds: float) -> Report:
    script = _IMPLEMENT.format(project=_PROJECT, solution=_SOLUTION, top=top, part=part, clock=f"{clock_ns:g}")
    program = VIVADO.require()

    def make(draft: Path) -> None:
        shutil.copytree(folder / _PROJECT / _SOLUTION / "syn", draft / _PROJECT / _SOLUTION / "syn")
        (draft / "script.tcl").write_text(script)
        _run([program, "-mode", "batch", "-source", "script.tcl"], draft, seconds, "Vivado", "")

    routed = built("vivado", {"synthesis": folder.name, "script": script, "tool": program}, make)
    return vivado_report(routed / "utilisation.rpt", routed / "timing.rpt", top, part, clock_ns)


def _run(command: list[str], folder: Path, seconds: float, name: str, source: str) -> None:
    try:
        run(command, folder, seconds, f"running {name}")
    except ToolTimeout as error:
        raise ToolTimeout(f"{name} took more than {seconds:g} s and was stopped.", error.output) from None
    except ToolFailed as error:
        found = re.findall(r"kernel\.cpp:(\d+):(\d+):? (?:fatal )?error: (.*)", error.output)
        if found:
            errors = [SourceError(int(line), said, int(column)) for line, column, said in found]
            raise SourceRefused("The C++ source", source, errors) from None
        said = re.search(r"^ERROR: (?:\[[^\]]*\] )?(.*)", error.output, re.MULTILINE)
        raise ToolFailed(f"{name} stopped: {said[1].rstrip('.')}." if said else str(error), error.output) from None
