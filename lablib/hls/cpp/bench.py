"""A bench around kernels, for `lablib.hls.rtlsim`: wide ports for all arrays, and counters of cycles.

Each argument is one port, element 0 in its lowest bits; at `start` it is copied into the memories around the kernel,
which answer a cycle after they are asked, like those inside. Several kernels can be in one bench: they start together,
and `done` is high when the last of them is done. What was counted is on ports of its own: ``k0_cycles`` from start to
done, and ``k0_l1_ii``, the least number of cycles between two iterations of loop l1.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from lablib.hls.cpp.formats import Format
from lablib.hls.cpp.ir import Kernel, Memory, Variable, loops
from lablib.hls.cpp.units import span

__all__ = ["TOP", "bench", "port_format"]

TOP = "bench"


def port_format(kernel: Kernel, name: str) -> Format:
    """The format of a parameter's elements."""
    return kernel.arrays[name][0][0].format


def bench(kernels: Sequence[Kernel], modules: Sequence[str]) -> str:
    """Verilog of a bench, with the modules of its kernels, whose names differ."""
    ports, lines, ends = ["input clk, input rst, input start, output done"], [], []
    for number, (kernel, module) in enumerate(zip(kernels, modules, strict=True)):
        made = _Around(kernel, f"k{number}", module)
        ports += made.ports
        lines += made.lines
        ends.append(f"(k{number}_done | k{number}_over)")
    lines += ["reg busy;", "always @(posedge clk) busy <= !rst & (start | (busy & !done));"]
    lines.append(f"assign done = busy & {' & '.join(ends)};")
    text = f"module {TOP} (\n  " + ",\n  ".join(ports) + "\n);\n" + "\n".join(f"  {line}" for line in lines)
    return "\n".join(modules) + text + "\nendmodule\n"


class _Around:
    """The memories and counters around one kernel."""

    def __init__(self, kernel: Kernel, name: str, module: str) -> None:
        self.kernel, self.name = kernel, name
        self.ports: list[str] = []
        self.lines: list[str] = [f"wire {name}_done; reg {name}_over;"]
        self.wires = [".clk(clk)", ".rst(rst)", ".start(start)", f".done({name}_done)"]
        self.used = set(re.findall(r"(\w+)(?=,?\n)", module[: module.index(");")]))
        for parameter in kernel.arrays:
            self._parameter(parameter)
        self._counters()
        self.lines.append(f"{_name(module)} {name} ({', '.join(self.wires)});")

    def _parameter(self, parameter: str) -> None:
        places, bits = self.kernel.arrays[parameter], port_format(self.kernel, parameter).width
        given, result = f"{self.name}_in_{parameter}", f"{self.name}_out_{parameter}"
        self.ports.append(f"input {span(bits * len(places))}{given}")
        self.ports.append(f"output {span(bits * len(places))}{result}")
        for memory in dict.fromkeys(place for place, _ in places if isinstance(place, Memory)):
            self._memory(memory)
        for at, (place, address) in enumerate(places):
            part = f"[{bits * at} +: {bits}]"
            if isinstance(place, Memory):
                held = f"{self.name}_{place.name}[{address}]"
                self.lines.append(f"always @(posedge clk) if (start) {held} <= {given}{part};")
                self.lines.append(f"assign {result}{part} = {held};")
            else:
                self._register(place, given + part, result + part)

    def _register(self, variable: Variable, given: str, result: str) -> None:
        if variable.port == "in":
            self.wires.append(f".{variable.name}({given})")
            self.lines.append(f"assign {result} = {given};")
            return
        self.wires.append(f".{variable.name}({result})")
        if f"{variable.name}_in" in self.used:
            self.wires.append(f".{variable.name}_in({given})")

    def _memory(self, memory: Memory) -> None:
        name, word = f"{self.name}_{memory.name}", span(memory.format.width)
        self.lines.append(f"reg {word}{name} [0:{memory.depth - 1}];")
        widths = {"raddr": memory.address_bits, "ren": 1, "waddr": memory.address_bits, "wen": 1}
        for end, bits in {**widths, "wdata": memory.format.width, "rdata": memory.format.width}.items():
            if f"{memory.name}_{end}" in self.used:
                self.lines.append(f"{'reg' if end == 'rdata' else 'wire'} {span(bits)}{name}_{end};")
                self.wires.append(f".{memory.name}_{end}({name}_{end})")
        if f"{memory.name}_ren" in self.used:
            self.lines.append(f"always @(posedge clk) if ({name}_ren) {name}_rdata <= {name}[{name}_raddr];")
        if f"{memory.name}_wen" in self.used:
            self.lines.append(f"always @(posedge clk) if ({name}_wen) {name}[{name}_waddr] <= {name}_wdata;")

    def _counters(self) -> None:
        name = self.name
        self.ports.append(f"output reg [31:0] {name}_cycles")
        self.lines += [
            "always @(posedge clk) begin",
            f"  {name}_over <= !start & ({name}_over | {name}_done);",
            f"  if (start) {name}_cycles <= 1; "
            f"else if (!{name}_done & !{name}_over) {name}_cycles <= {name}_cycles + 1;",
            "end",
        ]
        for loop in loops(self.kernel.regions):
            if loop.ii is None:
                continue
            least, since, issue = f"{name}_{loop.name}_ii", f"{name}_{loop.name}_since", f"{loop.body[0].name}_v[0]"
            self.ports.append(f"output reg [31:0] {least}")
            self.lines += [
                f"reg [31:0] {since};",
                "always @(posedge clk) begin",
                f"  {since} <= start | {name}.{loop.name}_enter ? 0 : {name}.{issue} ? 1 : {since} ? {since} + 1 : 0;",
                f"  if (start) {least} <= 0;",
                f"  else if ({name}.{issue} & {since} != 0 & ({least} == 0 | {since} < {least})) {least} <= {since};",
                "end",
            ]


def _name(module: str) -> str:
    return re.findall(r"^module (\w+)", module, re.MULTILINE)[0]
