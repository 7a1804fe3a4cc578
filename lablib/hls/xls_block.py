"""Which operation lies in which pipeline stage, read from the block that XLS makes Verilog of.

The block is a graph of operations and registers. A register ``p1_…`` stands between stages 1 and 2, so what reads it
lies in stage 2, and every operation lies in the latest stage that one of its operands comes from.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from lablib.hls.xls_worker import MODULE

__all__ = ["Block", "Operation", "read_block"]

_NODE = re.compile(r"^  (?:ret )?([\w.]+): (.+?) = (\w+)\((.*)\)$")
_HANDSHAKE = re.compile(
    rf"rst|in_vld(__input_flop)?|out_vld__output_flop|p\d+_inputs_valid|__{MODULE}__\w+_valid_reg|{MODULE}__\w+_(vld|rdy)"
)
# What is wire, or only there in simulation, and no gate.
_WIRING = {
    "after_all", "array", "assert", "bit_slice", "concat", "identity", "input_port", "literal", "output_port",
    "register_read", "register_write", "sign_ext", "tuple", "tuple_index", "zero_ext",
}  # fmt: skip


@dataclass(frozen=True)
class Operation:
    """One operation of a pipeline.

    Attributes
    ----------
    name, kind
        ``"smul.201"``, or the name that it has in the source; ``"smul"``, ``"add"``, ``"sel"`` and so on.
    bits
        Width of its result.
    stage
        Pipeline stage, counted from 0.
    last_stage
        The last stage in which its result is used; up to there registers carry it.
    line
        Line of the DSLX source, counted from 1, or 0 where XLS does not tell.
    """

    name: str
    kind: str
    bits: int
    stage: int
    last_stage: int
    line: int


@dataclass(frozen=True)
class Block:
    """What the text of a block says."""

    operations: tuple[Operation, ...]
    register_bits: tuple[int, ...]
    stages: int
    ii: int
    notes: tuple[str, ...]

    @property
    def latency(self) -> int:
        """Cycles from an input to its output: through the input register, the stages' and the output register."""
        return self.stages + 1


def read_block(text: str, file: str) -> Block:
    """Read the IR of a block.

    Parameters
    ----------
    text
        The package after code generation.
    file
        The name of the source file whose lines are wanted.
    """
    numbers = {name: int(number) for number, name in re.findall(r'^file_number (\d+) "(.*)"$', text, re.MULTILINE)}
    graph = _Graph(numbers.get(file, -1))
    boundaries: dict[int, int] = {}
    for line in text.splitlines():
        register = re.match(r"  reg (p(\d+)_[\w.]+)\((.*)\)$", line)
        if register and not _is_control(register[1]):
            boundaries[int(register[2])] = boundaries.get(int(register[2]), 0) + _bits(register[3])
        node = _NODE.match(line)
        if node:
            graph.add(*node.groups())
    # A single stage has no register between stages, and no operation where all is wiring.
    stages = max([1, *(graph.stage[one[0]] + 1 for one in graph.found), *(index + 2 for index in boundaries)])
    carried = tuple(boundaries.get(index, 0) for index in range(stages - 1))
    ii, notes = graph.interval()
    return Block(graph.operations(stages), carried, stages, ii, notes)


class _Graph:
    """The nodes of a block, each in its stage."""

    def __init__(self, file: int) -> None:
        self.file = file
        self.stage: dict[str, int] = {}
        self.first: dict[str, int] = {}  # stages in which a value is first and last used
        self.last: dict[str, int] = {}
        self.control: set[str] = set()  # nodes that pass valid and ready on
        self.held: dict[str, list[str]] = {}  # by register or its reader, the values that it carries on
        self.state: dict[str, list[str]] = {}  # by register, the nodes that read it
        self.written: dict[str, tuple[int, int]] = {}  # by register, stage and line of what is written
        self.found: list[tuple[str, str, int, int]] = []

    def add(self, name: str, kind: str, op: str, arguments: str) -> None:
        operands = _operands(arguments, self.stage)
        self.stage[name] = max((self.stage[one] for one in operands), default=0)
        register = _register(arguments)
        if op in ("register_read", "input_port"):
            after = re.match(r"p(\d+)_", register)
            self.stage[name] = int(after[1]) + 1 if after else 0
            self.held[name] = self.held.get(f"register {register}", [])
            if _is_control(register or name):
                self.control.add(name)
            elif register and not after:
                self.state.setdefault(register, []).append(name)
        elif op == "register_write" and operands:
            self.held[f"register {register}"] = [operands[0], *self.held.get(operands[0], [])]
            self.written[register] = self.stage[operands[0]], _line(arguments, self.file)
        elif self.control.intersection(operands):
            self.control.add(name)
        elif op not in _WIRING and not (op == "array_index" and _fixed(arguments)):
            self.found.append((name, op, _bits(kind), _line(arguments, self.file)))
        if op != "output_port":
            self._use(operands, self.stage[name], name in self.control)

    def _use(self, operands: list[str], stage: int, by_control: bool) -> None:
        for one in operands:
            for value in (one, *self.held.get(one, [])):
                self.last[value] = max(self.last.get(value, 0), stage)
            if not by_control:
                self.first[one] = min(self.first.get(one, stage), stage)

    def operations(self, stages: int) -> tuple[Operation, ...]:
        # The valid bits of the last stage go on to the output register, which is no stage.
        found = [
            Operation(
                name, op, bits, self.stage[name], max(min(self.last.get(name, 0), stages - 1), self.stage[name]), line
            )
            for name, op, bits, line in self.found
        ]
        return tuple(sorted(found, key=lambda one: one.stage))

    def interval(self) -> tuple[int, tuple[str, ...]]:
        """II, and why it is not 1: state that is read in one stage and written in a later one."""
        worst, note = 1, ()
        for register, readers in self.state.items():
            reads = [self.first[one] for one in readers if one in self.first]
            if not reads or register not in self.written:
                continue
            stage, line = self.written[register]
            if stage - min(reads) + 1 > worst:
                worst = stage - min(reads) + 1
                where = f" (line {line})" if line else ""
                note = (f"State is read in stage {min(reads)} and its next value{where} is there in stage {stage}.",)
        return worst, note


def _operands(arguments: str, known: dict[str, int]) -> list[str]:
    words = re.sub(r"pos=\[.*\]|\b(?:register|name|load_enable|reset)=[\w.]+|\b\w+=", "", arguments)
    return [word for word in re.findall(r"[A-Za-z_][\w.]*", words) if word in known]


def _fixed(arguments: str) -> bool:
    """Whether all indices of an array_index are literals: then it is wire too."""
    indices = re.search(r"indices=\[(.*?)\]", arguments)
    return indices is not None and all(one.strip().startswith("literal.") for one in indices[1].split(","))


def _register(arguments: str) -> str:
    found = re.search(r"\bregister=([\w.]+)", arguments)
    return found[1] if found else ""


def _is_control(name: str) -> bool:
    """Whether a port or a register belongs to the handshake and not to the data."""
    return _HANDSHAKE.fullmatch(name) is not None


def _bits(kind: str) -> int:
    """Width of a type: ``bits[8][4]`` has 32 bits, a tuple the sum of its elements."""
    total = 0
    for sizes in re.findall(r"bits((?:\[\d+\])+)", kind):
        width = 1
        for size in re.findall(r"\d+", sizes):
            width *= int(size)
        total += width
    return total


def _line(arguments: str, file: int) -> int:
    lines = [int(line) + 1 for number, line in re.findall(r"\((\d+),(\d+),\d+\)", arguments) if int(number) == file]
    return lines[0] if lines else 0
