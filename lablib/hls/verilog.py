"""What a Verilog module looks like from outside, and which line of it a tool complains of.

Verilator elaborates the text, so that ``[WIDTH*N-1:0]`` comes back as a number of bits. Its words on the text, and
those of Yosys, become one sentence each, with the student's own line.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lablib.hls.build import built, run
from lablib.hls.engines import VERILATOR
from lablib.hls.errors import HardwareError, ToolFailed, ToolTimeout

__all__ = ["SOURCE", "Module", "Port", "complaint", "module_of", "verilate", "write_sources"]

SOURCE = "design.v"  # the file's name in every build folder; messages are searched for it
_SECONDS = 60.0


@dataclass(frozen=True)
class Port:
    """A port of a module: its name, ``"input"`` or ``"output"``, its width in bits, whether it is declared signed."""

    name: str
    direction: str
    bits: int
    signed: bool = False


@dataclass(frozen=True)
class Module:
    """A module from outside.

    Attributes
    ----------
    name
        The module's name.
    ports
        Its ports by name, in the order of the declaration.
    warnings
        One sentence each on what Verilator doubts, with the line.
    """

    name: str
    ports: dict[str, Port]
    warnings: tuple[str, ...] = ()

    def named(self, direction: str) -> dict[str, Port]:
        """The ports of one direction."""
        return {name: port for name, port in self.ports.items() if port.direction == direction}


def module_of(verilog: str, top: str, files: Mapping[str, str] | None = None) -> Module:
    """Read a module's ports, with all parameters at their defaults.

    Parameters
    ----------
    verilog
        Source text, with every module that ``top`` uses.
    top
        Name of the module.
    files
        Texts that the source reads, by name: what ``$readmemh`` and ```include`` ask for.

    Raises
    ------
    HardwareError
        The text is not Verilog, or has no such module; the message names the line.

    Examples
    --------
    >>> module_of("module inv(input a, output [1:0] y); assign y = {2{~a}}; endmodule", "inv").ports["y"]
    Port(name='y', direction='output', bits=2, signed=False)
    """
    inputs = {"verilog": verilog, "top": top, "files": repr(sorted((files or {}).items())), "version": _version()}

    def make(folder: Path) -> None:
        write_sources(folder, verilog, files)
        options = ["--json-only", "--json-only-output", "tree.json", "--json-only-meta-output", "meta.json"]
        said = verilate([*options, "-Wno-fatal", "--top-module", top, SOURCE], folder, verilog)
        (folder / "said.txt").write_text(said)

    folder = built("verilog", inputs, make)
    tree = json.loads((folder / "tree.json").read_text())
    ports = _ports(tree, top)
    return Module(top, ports, tuple(_warnings((folder / "said.txt").read_text(), verilog)))


def write_sources(folder: Path, verilog: str, files: Mapping[str, str] | None) -> None:
    """Put a design's texts into a folder."""
    for name, text in {**(files or {}), SOURCE: verilog}.items():
        if Path(name).name != name:
            raise HardwareError(
                f"{name!r} is not the plain name of a file: a design reads files of its own folder only."
            )
        (folder / name).write_text(text)


def verilate(options: list[str], folder: Path, verilog: str) -> str:
    """Run Verilator on the sources in ``folder``, and return what it said."""
    root = Path(str(VERILATOR.require().__file__)).parent
    program = root / "bin" / "verilator_bin"  # what the Perl script beside it would start
    try:
        return run([program, *options], folder, _SECONDS, "reading the Verilog", {"VERILATOR_ROOT": str(root)})
    except ToolTimeout:
        raise
    except ToolFailed as error:
        raise ToolFailed(complaint(error.output, verilog) or str(error), error.output) from None


def _version() -> str:
    return str(VERILATOR.require().__version__)  # the program itself only says vUNKNOWN


def complaint(output: str, verilog: str) -> str:
    """The first error in what Verilator or Yosys said, as a sentence with the student's line; empty without one."""
    verilator = re.search(rf"^%Error(?:-\w+)?: {SOURCE}:(\d+):\d+: (.*)", output, re.MULTILINE)
    yosys = re.search(rf"^{SOURCE}:(\d+): ERROR: (.*)", output, re.MULTILINE)
    found = verilator or yosys
    if found:
        return _at(int(found[1]), found[2], verilog)
    plain = re.search(r"^(?:%Error(?:-\w+)?|ERROR): (.*)", output, re.MULTILINE)
    return f"{plain[1].rstrip('.')}." if plain else ""


def _at(number: int, problem: str, verilog: str) -> str:
    lines = verilog.splitlines()
    text = lines[number - 1].strip() if 0 < number <= len(lines) else "the end of the text"
    where = "or at the end of what stands before it" if "syntax error" in problem else ""
    return f"Line {number} of the Verilog, `{text}`{', ' * bool(where)}{where}: {problem.rstrip('.')}."


def _warnings(output: str, verilog: str) -> list[str]:
    found = re.findall(rf"^%Warning-(\w+): {SOURCE}:(\d+):\d+: (.*)", output, re.MULTILINE)
    return [f"{kind}: {_at(int(line), _widths(text), verilog)}" for kind, line, text in found]


def _widths(text: str) -> str:
    """Verilator's words on widths, without its names for the parts of a statement."""
    found = re.search(r" expects (\d+) bits on .*, but .*?'s \S+(?: '(.*?)')? generates (\d+) bits", text)
    if found is None:
        return text
    wanted, name, given = int(found[1]), found[2], int(found[3])
    what = f"{name} has" if name else "the value has"
    return f"{what} {given} bits where {wanted} belong, so bits are {'cut off' if given > wanted else 'added'}"


def _ports(tree: dict[str, Any], top: str) -> dict[str, Port]:
    types = {entry["addr"]: entry for table in tree["miscsp"] for entry in table.get("typesp", [])}
    module = next(entry for entry in tree["modulesp"] if top in (entry["name"], entry["origName"]))
    ports = {}
    for entry in module["stmtsp"]:
        if entry["type"] != "VAR" or not entry.get("isPrimaryIO"):
            continue
        direction = entry["direction"].lower()
        if direction not in ("input", "output"):
            raise HardwareError(f"Port {entry['name']} of {top} is {direction}: expected input or output.")
        bits, signed = _size(types, entry["dtypep"], entry["name"])
        ports[entry["name"]] = Port(entry["name"], direction, bits, signed)
    if not ports:
        raise HardwareError(f"Module {top} has no ports, so nothing can drive or read it.")
    return ports


def _size(types: dict[str, Any], address: str, name: str) -> tuple[int, bool]:
    kind = types[address]
    if kind["type"] == "BASICDTYPE":
        first, last = (int(bound) for bound in kind.get("range", "0:0").split(":"))
        bits = abs(first - last) + 1 if "range" in kind else {"int": 32, "integer": 32}.get(kind["keyword"], 1)
        return bits, bool(kind.get("signed"))
    raise HardwareError(
        f"Port {name} is no plain vector (Verilator calls it {kind['type']}): expected input [7:0] {name} or the like."
    )
