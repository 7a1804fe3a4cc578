"""Map Verilog to the look-up tables, flip-flops, multipliers and memories of a part, with Yosys."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path

from lablib.hls.build import built
from lablib.hls.engines import YOSYS
from lablib.hls.errors import HardwareError, ToolFailed, ToolTimeout
from lablib.hls.parts import PARTS, Part, part_of
from lablib.hls.report import Report, Resources
from lablib.hls.routers import ICE40
from lablib.hls.verilog import SOURCE, complaint, module_of, write_sources
from lablib.hls.wasm import release, webassembly

__all__ = ["count", "excess", "gates", "netlist", "synth"]

_SECONDS = 900.0
_KINDS = {
    "lut": {r"SB_LUT4|LUT\d|INV": 1, "CCU2C": 2},  # an ECP5's carry cell takes two of its look-up tables
    "ff": {r"SB_DFF\w*|TRELLIS_FF|FD[RSCP]E(_1)?": 1},
    "dsp": {r"SB_MAC16|MULT18X18D|DSP48E\d": 1},
    "bram": {r"SB_RAM40_4K\w*|DP16KD|RAMB36E\d": 1, r"RAMB18E\d": 0.5},
}
_WORDS = {
    "lut": "look-up tables",
    "ff": "flip-flops",
    "dsp": "multipliers",
    "bram": "block RAMs",
    "cells": "logic cells",
    "io": "pins",
}


def synth(verilog: str, top: str, part: str = "hx8k", files: Mapping[str, str] | None = None) -> Report:
    """Synthesise a module and count what it takes.

    Parameters
    ----------
    verilog, top
        Source text, and the module in it.
    part
        A name in `lablib.hls.parts.PARTS`.
    files
        Texts that the source reads by name, with ``$readmemh`` for example.

    Returns
    -------
    Report
        Look-up tables, flip-flops, multipliers, block RAMs and pins, before placement. Notes say what does not fit,
        what became of memories, and what looks wrong in the source.

    Raises
    ------
    EngineMissing
        There is no Yosys.
    HardwareError
        The source is not Verilog that can become hardware; the message names the line.

    Examples
    --------
    >>> synth("module inv(input a, output y); assign y = ~a; endmodule", "inv").resources.lut
    1
    """
    target = part_of(part)
    module = module_of(verilog, top, files)
    folder = netlist(verilog, top, target, files)
    pins = sum(port.bits for port in module.ports.values())
    cells = json.loads((folder / "stat.json").read_text())["design"].get("num_cells_by_type", {})
    resources = count(cells, pins)
    missing = excess(replace(resources, io=None), target)  # pins are for `place` to find
    notes = (f"{top} does not fit: it needs {missing}.",) if missing else ()
    warnings = _warnings((folder / "said.txt").read_text())
    return Report(top, "yosys", part, resources=resources, notes=notes + module.warnings + warnings)


def netlist(verilog: str, top: str, part: Part, files: Mapping[str, str] | None = None) -> Path:
    """The folder with the mapped ``netlist.json``, its ``stat.json`` and what Yosys said in ``said.txt``."""
    script = (
        f"read_verilog -sv {SOURCE}; {part.synthesis} -top {top}; write_json netlist.json; "
        "write_verilog -noattr gates.v; tee -q -o stat.json stat -json"
    )
    inputs = {"verilog": verilog, "script": script, "version": release(YOSYS)}

    def make(folder: Path) -> None:
        write_sources(folder, verilog, files)
        try:
            said = webassembly(YOSYS, ["-q", "-p", script], folder, _SECONDS, f"synthesising {top}")
        except ToolTimeout:
            raise
        except ToolFailed as error:
            raise ToolFailed(complaint(error.output, verilog) or str(error), error.output) from None
        (folder / "said.txt").write_text(said)

    return built("yosys", {**inputs, "files": repr(sorted((files or {}).items()))}, make)


def gates(verilog: str, top: str, part: str = "hx8k", files: Mapping[str, str] | None = None) -> str:
    """Verilog of the mapped design, with the models of an iCE40's cells, for `lablib.hls.rtlsim.rtlsim`.

    It simulates what synthesis made, not what was written: memories are filled, registers are flip-flops of the part.
    Its ports are unsigned.

    Raises
    ------
    HardwareError
        The part is no iCE40, or the source cannot be synthesised.
    """
    target = part_of(part)
    if target.router is not ICE40:
        able = ", ".join(name for name, one in PARTS.items() if one.router is ICE40)
        raise HardwareError(f"There are no models of the cells of {part} here: expected one of {able}.")
    module_of(verilog, top, files)
    mapped = (netlist(verilog, top, target, files) / "gates.v").read_text()
    models = Path(str(YOSYS.require().__file__)).parent / "share" / "ice40" / "cells_sim.v"
    return f"{mapped}\n`define NO_ICE40_DEFAULT_ASSIGNMENTS\n{models.read_text()}"


def count(cells: Mapping[str, int], pins: int | None = None) -> Resources:
    """Resources from the number of cells by type.

    Examples
    --------
    >>> count({"SB_LUT4": 8, "SB_CARRY": 7, "SB_DFFSR": 8})
    Resources(lut=8, ff=8, dsp=0, bram=0, cells=None, io=None)
    """
    sums = {
        kind: sum(
            weight * number
            for pattern, weight in weights.items()
            for name, number in cells.items()
            if re.fullmatch(pattern, name)
        )
        for kind, weights in _KINDS.items()
    }
    return Resources(**{kind: int(-(-total // 1)) for kind, total in sums.items()}, io=pins)


def excess(resources: Resources, part: Part) -> str:
    """What a part has too little of, in words; empty if nothing."""
    short = [
        f"{needed} {_WORDS[entry.name]}, of which the {part.title} has {there}"
        for entry in fields(Resources)
        if (needed := getattr(resources, entry.name)) is not None
        and (there := getattr(part.capacity, entry.name)) is not None
        and needed > there
    ]
    return "; ".join(short)


def _warnings(output: str) -> tuple[str, ...]:
    found = re.findall(r"^(?:\S+ )?Warning: (.*)", output, re.MULTILINE)
    return tuple(dict.fromkeys(f"Yosys: {text.rstrip('.')}." for text in found))
