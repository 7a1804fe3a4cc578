"""From a plan to Verilog: values become wires, what is used in a later cycle gets registers, regions get control.

Each value is a signed wire just as wide as its range. A value that is used in later cycles is held by a register for II
cycles, until the next iteration brings its own; a longer life takes a register more for every II. ``b3_v[2]`` is high
while block 3 is in its cycle 2 (for each of the iterations that are under way), and enables what happens there.
"""

from __future__ import annotations

from lablib.hls.bits import bits_for
from lablib.hls.cpp.bind import Binding, bind
from lablib.hls.cpp.control import control
from lablib.hls.cpp.ir import Block, Memory, Value, Variable, blocks
from lablib.hls.cpp.plan import Plan
from lablib.hls.cpp.units import pipelined, span

__all__ = ["emit", "literal"]


def emit(plan: Plan) -> str:
    """The Verilog of a kernel: one module with the name of its function."""
    return _Module(plan).text()


def literal(number: int) -> str:
    """A signed constant."""
    bits = bits_for(number, number).bits + 1
    return f"-{bits}'sd{-number}" if number < 0 else f"{bits}'sd{number}"


# Each wire is as wide as its range, so that an assignment may drop bits that are copies of the sign.
_LINT = "/* verilator lint_off WIDTHTRUNC */ /* verilator lint_off WIDTHEXPAND */"


class _Module:
    def __init__(self, plan: Plan) -> None:
        self.plan, self.kernel = plan, plan.kernel
        self.lines: list[str] = []
        self.clocked: list[str] = []
        self.names: dict[Value, str] = {}
        self.ready: dict[Value, int] = {}
        self.copies: dict[tuple[Value, int], str] = {}
        self.reads: dict[Memory, list[tuple[str, str]]] = {}
        self.writes: dict[Memory, list[tuple[str, str, str]]] = {}
        self.puts: dict[Variable, list[tuple[str, str]]] = {}
        self.binding: Binding = bind(plan)
        self.operands: dict[str, list[tuple[str, str, str]]] = {}

    def text(self) -> str:
        """All of the module."""
        for block in blocks(self.kernel.regions):
            self._block(block)
        self._units()
        ports = ["input clk, input rst, input start, output reg done"]
        for memory in self.kernel.memories:
            self._memory(memory, ports)
        for variable in self.kernel.variables:
            self._variable(variable, ports)
        wires, steps = control(self.plan)
        head = f"{_LINT}\nmodule {self.kernel.name} (\n  " + ",\n  ".join(ports) + "\n);\n"
        body = [*self._declared(), *wires, *self.lines, "always @(posedge clk) begin", *self.clocked, *steps, "end"]
        return head + "\n".join(f"  {line}" for line in body) + "\nendmodule\n"

    def _declared(self) -> list[str]:
        return [f"reg {span(each.format.width)}{each.name};" for each in self.kernel.variables if not each.port]

    def _block(self, block: Block) -> None:
        schedule, loop = self.plan.schedules[block], self.plan.owner.get(block)
        self.lines.append(f"// {block.name}: {schedule.depth} cycles")
        graph, cycles = schedule.graph, schedule.cycles
        puts = {value.data: cycle for value, cycle in zip(graph.values, cycles, strict=True) if value.kind == "put"}
        puts |= {each.variable: 0 for each in loop.counters} if loop else {}
        self.name, self.ii = block.name, schedule.ii if loop else None
        for number, (value, timing) in enumerate(zip(graph.values, graph.timing, strict=True)):
            self.names[value] = f"{block.name}_{value.kind}{number}"
            self.ready[value] = cycles[number] + timing.latency
            if value.kind == "get":  # a register holds its value until it is overwritten
                self.ready[value] = puts.get(value.data, schedule.depth)
        for number, (value, timing) in enumerate(zip(graph.values, graph.timing, strict=True)):
            self._value(value, cycles[number], timing.latency, f"{block.name}_v[{cycles[number]}]")

    def _use(self, value: Value, cycle: int) -> str:
        """The name of a value in a cycle of the block."""
        if value.kind == "const":
            return literal(value.data)
        name, ready, ii = self.names[value], self.ready[value], self.ii
        count = 0 if cycle <= ready else 1 if ii is None else -(-(cycle - ready) // ii)
        for copy in range(1, count + 1):
            if (value, copy) not in self.copies:
                held = self.copies[value, copy] = f"{name}_{copy}"
                source = name if copy == 1 else f"{name}_{copy - 1}"
                when = "" if ii == 1 else f"if ({self.name}_v[{ready + (copy - 1) * (ii or 0)}]) "
                self.lines.append(f"reg signed {span(value.bits)}{held};")
                self.clocked.append(f"  {when}{held} <= {source};")
        return self.copies[value, count] if count else name

    def _value(self, value: Value, cycle: int, latency: int, active: str) -> None:
        names = [self._use(each, cycle) for each in value.arguments]
        name = self.names[value]
        if value.kind == "put":
            self.puts.setdefault(value.data, []).append((active, names[0]))
        elif value.kind == "store":
            whether = value.arguments[2]
            when = active if whether.kind == "const" else f"({active} & {names[2]}[0])"
            self.writes.setdefault(value.data, []).append((when, names[0], names[1]))
        elif value.kind == "load":
            self.reads.setdefault(value.data, []).append((active, names[0]))
            self._read(name, value, f"{value.data.name}_rdata", value.data.format.signed)
        elif value.kind == "get":
            self._read(name, value, value.data.name, value.data.format.signed)
        elif value in self.binding.unit:
            unit = self.binding.unit[value]
            if unit not in self.operands:
                self.lines.append(f"wire signed {span(self.binding.shape[unit][3])}{unit}_out;")
            self.operands.setdefault(unit, []).append((active, names[0], names[1]))
            self.lines.append(f"wire signed {span(value.bits)}{name} = {unit}_out;")
        elif latency:
            self._registered(value, name, names, latency)
        else:
            self._logic(value, name, names)

    def _read(self, name: str, value: Value, source: str, signed: bool) -> None:
        number = f"$signed({source})" if signed else f"$signed({{1'b0, {source}}})"
        self.lines.append(f"wire signed {span(value.bits)}{name} = {number};")

    def _logic(self, value: Value, name: str, names: list[str]) -> None:
        wide = f"wire signed {span(value.bits)}{name}"
        if value.kind in ("cut", "shlv"):
            format = value.data
            source = names[0] if value.kind == "cut" else f"{names[0]} <<< {names[1]}"
            self.lines.append(f"wire {span(format.width)}{name}_bits = {source};")
            self._read(name, value, f"{name}_bits", format.signed)
            return
        self.lines.append(f"{wide} = {_expression(value, names)};")

    def _registered(self, value: Value, name: str, names: list[str], latency: int) -> None:
        widths = [each.bits for each in value.arguments]
        lines, clocked, result = pipelined(value.kind, name, names, widths, value.bits, latency)
        self.lines += [*lines, f"wire signed {span(value.bits)}{name} = {result};"]
        self.clocked += clocked

    def _units(self) -> None:
        for unit, users in self.operands.items():
            kind, latency, widths, bits = self.binding.shape[unit]
            for side, width in zip("ab", widths, strict=True):
                chosen = [(active, names[0] if side == "a" else names[1]) for active, *names in users]
                source = _choice(chosen, width, f"{unit}_{side}", self.lines)
                self.lines.append(f"wire signed {span(width)}{unit}_{side} = {source};")
            lines, clocked, result = pipelined(kind, unit, [f"{unit}_a", f"{unit}_b"], list(widths), bits, latency)
            self.lines += [*lines, f"assign {unit}_out = {result};"]
            self.clocked += clocked

    def _memory(self, memory: Memory, ports: list[str]) -> None:
        """Its two ports; where it lies inside, the memory itself."""
        name, word, address = memory.name, span(memory.format.width), span(memory.address_bits)
        reads, writes = self.reads.get(memory, []), self.writes.get(memory, [])
        wire = "output " if memory.port else "wire "
        made = []
        if reads:
            made += [f"{wire}{address}{name}_raddr", f"{wire}{name}_ren"]
            self.lines.append(f"assign {name}_ren = {' | '.join(active for active, _ in reads)};")
            self.lines.append(f"assign {name}_raddr = {_choice(reads, memory.address_bits, name + '_r', self.lines)};")
        if writes:
            made += [f"{wire}{address}{name}_waddr", f"{wire}{name}_wen", f"{wire}{word}{name}_wdata"]
            where, what = [(active, at) for active, at, _ in writes], [(active, word) for active, _, word in writes]
            self.lines.append(f"assign {name}_wen = {' | '.join(active for active, _, _ in writes)};")
            self.lines.append(f"assign {name}_waddr = {_choice(where, memory.address_bits, name + '_w', self.lines)};")
            self.lines.append(f"assign {name}_wdata = {_choice(what, memory.format.width, name + '_d', self.lines)};")
        if memory.port:
            ports += made + ([f"input {word}{name}_rdata"] if reads else [])
            return
        self.lines[:0] = [f"{one};" for one in made] + [
            f"reg {word}{name} [0:{memory.depth - 1}];",
            f"reg {word}{name}_rdata;",
        ]
        if memory.contents is not None:
            mask = (1 << memory.format.width) - 1
            words = (f"{name}[{at}] = {memory.format.width}'d{one & mask};" for at, one in enumerate(memory.contents))
            self.lines.append("initial begin " + " ".join(words) + " end")
        if writes:
            self.clocked.append(f"  if ({name}_wen) {name}[{name}_waddr] <= {name}_wdata;")
        if reads:
            self.clocked.append(f"  if ({name}_ren) {name}_rdata <= {name}[{name}_raddr];")

    def _variable(self, variable: Variable, ports: list[str]) -> None:
        word, name = span(variable.format.width), variable.name
        if variable.port == "in":
            ports.append(f"input {word}{name}")
        elif variable.port == "out":
            ports.append(f"output reg {word}{name}")
            read = any(value.kind == "get" and value.data is variable for value in self.names)
            if read or variable not in self.puts:
                ports.append(f"input {word}{name}_in")
                self.clocked.append(f"  if (start) {name} <= {name}_in;")
        self.clocked += [f"  if ({active}) {name} <= {source};" for active, source in self.puts.get(variable, [])]


def _choice(users: list[tuple[str, str]], width: int, name: str, lines: list[str]) -> str:
    """One of several values: that whose line is high."""
    if len(users) == 1:
        return users[0][1]
    terms = []
    for number, (active, value) in enumerate(users):
        lines.append(f"wire {span(width)}{name}{number} = {value};")
        terms.append(f"({{{width}{{{active}}}}} & {name}{number})")
    return f"$signed({' | '.join(terms)})"


def _expression(value: Value, names: list[str]) -> str:
    sign = {"add": "+", "sub": "-", "mul": "*", "and": "&", "or": "|", "xor": "^", "lt": "<", "eq": "=="}
    if value.kind in ("lt", "eq"):
        return f"$signed({{1'b0, {names[0]} {sign[value.kind]} {names[1]}}})"
    if value.kind in sign:
        return f"{names[0]} {sign[value.kind]} {names[1]}"
    if value.kind == "mux":
        return f"{names[0]}[0] ? {names[1]} : {names[2]}"
    if value.kind in ("shl", "shr"):
        return f"{names[0]} {'<<<' if value.kind == 'shl' else '>>>'} {value.data}"
    return f"{names[0]} >>> {names[1]}"
