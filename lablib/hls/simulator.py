"""Build a simulator for one module: Verilator's C++, a driver, and a runtime that is compiled once.

Nothing is optimised: a student changes a design more often than it runs long, and -O2 builds five times as long.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from pathlib import Path

from lablib.hls.build import built, run
from lablib.hls.engines import GXX, VERILATOR
from lablib.hls.packing import word_count
from lablib.hls.protocol import Protocol
from lablib.hls.verilog import SOURCE, verilate, write_sources

__all__ = ["BUILD_SECONDS", "RESET_CYCLES", "SURPLUS_CYCLES", "compiler_flags", "runtime", "simulator", "versions"]

RESET_CYCLES = 4
SURPLUS_CYCLES = 16
_DRIVER = Path(__file__).with_name("harness.cpp")
_OPTIONS = ["--cc", "-Wno-fatal", "--x-initial", "unique", "--x-assign", "unique", "--prefix", "Top", "--Mdir", "made"]
BUILD_SECONDS = 300.0


def simulator(
    verilog: str, top: str, protocol: Protocol, traced: bool = False, files: Mapping[str, str] | None = None
) -> Path:
    """A program that simulates ``top``, kept for the next time.

    Parameters
    ----------
    verilog, top, files
        The design.
    protocol
        How it is driven.
    traced
        That it can record a waveform.

    Raises
    ------
    EngineMissing
        There is no Verilator or no g++.
    HardwareError
        Verilator refuses the design.
    """
    header = _header(protocol, {})
    inputs = {
        "verilog": verilog,
        "top": top,
        "ports.h": header,
        "driver": _DRIVER.read_text(),
        "traced": repr(traced),
        **versions(),
    }
    library = runtime(traced)

    def make(folder: Path) -> None:
        write_sources(folder, verilog, files)
        verilate([*_OPTIONS, *["--trace"] * traced, "--top-module", top, SOURCE], folder, verilog)
        spelled = _spelled((folder / "made" / "Top.h").read_text())
        (folder / "ports.h").write_text(_header(protocol, spelled))
        parts = sorted(path.name for path in (folder / "made").glob("*.cpp"))
        unit = "".join(f'#include "{name}"\n' for name in parts) + '#include "harness.cpp"\n'  # one unit is fastest
        (folder / "unit.cpp").write_text(unit)
        flags = ["-O0", *compiler_flags(traced), "-Imade", "-I.", f"-I{_DRIVER.parent}"]
        command = [GXX.require(), *flags, "unit.cpp", *library, "-pthread", "-o", "simulate"]
        run(command, folder, BUILD_SECONDS, f"building the simulator of {top}")
        shutil.rmtree(folder / "made")

    return built("simulator", {**inputs, "files": repr(sorted((files or {}).items()))}, make) / "simulate"


def runtime(traced: bool, *more: str) -> list[Path]:
    """The object files that every simulator is linked with, and `more` of Verilator's; each is compiled once."""
    return [_object(name, traced) for name in ("verilated", "verilated_threads", *["verilated_vcd_c"] * traced, *more)]


def _object(name: str, traced: bool) -> Path:
    def make(folder: Path) -> None:
        command = [GXX.require(), "-O1", *compiler_flags(traced), "-c", _include() / f"{name}.cpp", "-o", f"{name}.o"]
        run(command, folder, BUILD_SECONDS, "building Verilator's runtime, once")

    return built("verilator-runtime", {"name": name, "traced": repr(traced), **versions()}, make) / f"{name}.o"


def compiler_flags(traced: bool) -> list[str]:
    """What every file of a simulator is compiled with."""
    include = _include()
    tracing = [f"-DVM_TRACE={int(traced)}", f"-DVM_TRACE_VCD={int(traced)}"]
    return ["-std=c++17", "-w", *tracing, f"-I{include}", f"-I{include / 'vltstd'}"]


def _include() -> Path:
    return Path(str(VERILATOR.require().__file__)).parent / "include"


def versions() -> dict[str, str]:
    """What a simulator depends on beside its sources."""
    return {"verilator": str(VERILATOR.require().__version__), "g++": GXX.version()}


def _spelled(top_header: str) -> dict[str, str]:
    """The ports by what C++ calls them: Verilator spells out double underscores and marks C++'s own words."""
    found = re.findall(r"VL_(?:IN|OUT)\w*\(&(\w+),", top_header)
    return {name.removeprefix("__SYM__").replace("___05F", "__"): name for name in found}


def _header(protocol: Protocol, spelled: Mapping[str, str]) -> str:
    """ports.h: the module's ports as functions, its protocol as constants."""
    roles = {role: spelled.get(name, name) for role, name in protocol.roles.items()}
    constants = {
        "RESET_CYCLES": RESET_CYCLES if {"rst", "rst_n"} & set(roles) else 0,
        "SURPLUS_CYCLES": SURPLUS_CYCLES if protocol.kind in ("stream", "start") else 1,
        "HAS_CLOCK": int("clk" in roles),
        "HAS_OUT_READY": int("out_ready" in roles),
        "ONE_AT_A_TIME": int(protocol.kind == "start"),
        "FIXED_LATENCY": -1 if protocol.latency is None else protocol.latency,
        "IN_WORDS": sum(word_count(port) for port in protocol.inputs.values()),
        "OUT_WORDS": sum(word_count(port) for port in protocol.outputs.values()),
    }
    valid, given = ("start", "done") if protocol.kind == "start" else ("in_valid", "out_valid")
    resets = _set(roles, "rst", "on") + _set(roles, "rst_n", "!on")
    lines = ["#pragma once", '#include "Top.h"', "#include <cstdint>", "#include <cstring>"]
    lines += [f"#define {name} {value}" for name, value in constants.items()]
    for name, body in {
        "clock": _set(roles, "clk", "on"),
        "reset": resets,
        "valid": _set(roles, valid, "on"),
        "ready": _set(roles, "out_ready", "on"),
    }.items():
        lines.append(f"static inline void set_{name}(Top& top, bool on) {{ {body} }}")
    for name, role in {"ready": "in_ready", "valid": given}.items():
        value = f"top.{roles[role]}" if role in roles else "true"
        lines.append(f"static inline bool get_{name}(Top& top) {{ return {value}; }}")
    return "\n".join([*lines, *_movers(protocol, spelled), ""])


def _set(roles: Mapping[str, str], role: str, value: str) -> str:
    return f"top.{roles[role]} = {value};" if role in roles else ""


def _movers(protocol: Protocol, spelled: Mapping[str, str]) -> list[str]:
    """Functions that copy words to the inputs and from the outputs; a port's storage is little-endian, so bytes do."""
    lines = []
    for verb, ports, word in (("set", protocol.inputs, "const uint32_t*"), ("get", protocol.outputs, "uint32_t*")):
        lines.append(f"static inline void {verb}_data(Top& top, {word} at) {{")
        for port in ports.values():
            name = spelled.get(port.name, port.name)
            place, size = f"&top.{name}", f"sizeof(top.{name})"
            size = f"({size} < {4 * word_count(port)} ? {size} : {4 * word_count(port)})"
            lines.append(f"    memcpy({f'{place}, at' if verb == 'set' else f'at, {place}'}, {size});")
            lines.append(f"    at += {word_count(port)};")
        lines.append("}")
    return lines
