"""Read what AMD's tools write: Vitis HLS's csynth.xml, its co-simulation report, Vivado's utilisation and timing.

Written after AMD's documents (UG1399, Vitis High-Level Synthesis; UG906, Design Analysis and Closure) and tested on
files of our own in these formats: nobody has run it on a tool's own files yet.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from xml.etree import ElementTree

from lablib.hls.errors import HardwareError
from lablib.hls.report import Report, Resources

__all__ = ["cosim_report", "csynth_report", "vivado_report"]

# Rows of Vivado's utilisation tables, older and newer names.
_ROWS = {
    "lut": ("CLB LUTs", "Slice LUTs"),
    "ff": ("CLB Registers", "Slice Registers"),
    "bram": ("Block RAM Tile",),
    "dsp": ("DSPs",),
    "io": ("Bonded IOB",),
}


def csynth_report(path: Path) -> Report:
    """Vitis HLS's estimate of one function, from its ``<top>_csynth.xml``.

    Latency and II are the worst case; a block RAM is two of Vitis's BRAM_18K. Notes hold each loop's trip count and II.

    Raises
    ------
    HardwareError
        The file is no such report.
    """
    try:
        root = ElementTree.parse(path).getroot()
        return _csynth(root)
    except (ElementTree.ParseError, KeyError, ValueError) as error:
        raise HardwareError(f"{path.name} is no report of Vitis HLS: {error}.") from None


def _csynth(root: ElementTree.Element) -> Report:
    whole = "PerformanceEstimates/SummaryOfOverallLatency"
    area = {entry.tag: int(entry.text or 0) for entry in root.findall("AreaEstimates/Resources/*")}
    target = float(_text(root, "UserAssignments/TargetClockPeriod"))
    estimated = float(_text(root, "PerformanceEstimates/SummaryOfTimingAnalysis/EstimatedClockPeriod"))
    return Report(
        _text(root, "UserAssignments/TopModelName"),
        "Vitis HLS",
        _text(root, "UserAssignments/Part"),
        latency_cycles=_cycles(_text(root, f"{whole}/Worst-caseLatency")),
        ii=_cycles(_text(root, f"{whole}/Interval-max")),
        fmax_mhz=1e3 / estimated,
        clock_mhz=1e3 / target,
        resources=_resources(area),
        estimated=True,
        notes=tuple(_loops(root)),
    )


def _resources(area: Mapping[str, int]) -> Resources:
    halves, dsp = area.get("BRAM_18K"), area.get("DSP", area.get("DSP48E"))
    return Resources(area.get("LUT"), area.get("FF"), dsp, None if halves is None else -(-halves // 2))


def _loops(root: ElementTree.Element) -> list[str]:
    notes = []
    for loop in root.findall("PerformanceEstimates/SummaryOfLoopLatency/*"):
        facts = {entry.tag: (entry.text or "").strip() for entry in loop}
        interval = f", II {facts['PipelineII']}" if "PipelineII" in facts else ", not pipelined"
        notes.append(f"Loop {loop.tag}: {facts.get('TripCount', 'an unknown number of')} iterations{interval}.")
    return notes


def _text(root: ElementTree.Element, place: str) -> str:
    found = root.find(place)
    if found is None or not found.text:
        raise KeyError(f"it has no {place}")
    return found.text.strip()


def _cycles(text: str) -> int | None:
    """A count; Vitis writes ``undef`` or ``?`` where it depends on the data."""
    return int(text) if text.isdigit() else None


def cosim_report(path: Path, design: str) -> Report:
    """What the RTL did in co-simulation, from ``<top>_cosim.rpt``; the largest latency and interval that were seen.

    Raises
    ------
    HardwareError
        The results of the RTL differ from those of the C++, or the file is no such report.
    """
    rows = [[cell.strip() for cell in line.strip("|\n").split("|")] for line in path.read_text().splitlines()]
    runs = [row for row in rows if len(row) >= 8 and row[0] in ("Verilog", "VHDL") and row[1] != "NA"]
    if not runs:
        raise HardwareError(f"{path.name} is no co-simulation report: it has no row for Verilog or VHDL.")
    language, status, *numbers = runs[0]
    if status.lower() != "pass":
        raise HardwareError(f"Co-simulation of {design} in {language} ended with {status}: its RTL is not its C++.")
    total = numbers[6] if len(numbers) > 6 else ""
    return Report(
        design, "Vitis cosim", latency_cycles=_cycles(numbers[2]), ii=_cycles(numbers[5]), cycles=_cycles(total)
    )


def vivado_report(utilisation: Path, timing: Path, design: str, part: str, clock_ns: float) -> Report:
    """What a design takes and how fast it is after place and route, from Vivado's two reports.

    The highest clock is 1 / (period - worst negative slack).

    Raises
    ------
    HardwareError
        A file is no such report.
    """
    slack = re.search(r"WNS\(ns\).*\n[ \t-]+\n\s*(-?[\d.]+)", timing.read_text())
    if slack is None:
        raise HardwareError(f"{timing.name} is no timing summary of Vivado: it has no WNS(ns).")
    text = utilisation.read_text()
    found = {kind: _used(text, names) for kind, names in _ROWS.items()}
    if found["lut"] is None:
        raise HardwareError(f"{utilisation.name} is no utilisation report of Vivado: it has no row of LUTs.")
    fmax = 1e3 / (clock_ns - float(slack[1]))
    missed = (f"{design} misses its clock of {1e3 / clock_ns:.1f} MHz: it reaches {fmax:.1f} MHz.",)
    notes = missed if float(slack[1]) < 0 else ()
    return Report(
        design, "Vivado", part, fmax_mhz=fmax, clock_mhz=1e3 / clock_ns, resources=Resources(**found), notes=notes
    )


def _used(text: str, names: tuple[str, ...]) -> int | None:
    """The Used column of a row; half block RAMs count as whole ones."""
    for name in names:
        row = re.search(rf"^\|\s*{re.escape(name)}\*?\s*\|\s*([\d.]+)\s*\|", text, re.MULTILINE)
        if row:
            return int(-(-float(row[1]) // 1))
    return None
