"""The operator library: how long each operation takes on a part, and how many registers it gets for a clock.

Delays are those of a look-up table with its wire, times the levels that an operation needs, and of a carry chain a bit;
they were fitted to what nextpnr reports. A product of two values has a register at its output, and as many inside as
the clock needs: its second operand is cut into parts, whose products are added up a stage at a time.
"""

from __future__ import annotations

from dataclasses import dataclass

from lablib.hls.cpp.ir import Value
from lablib.hls.cpp.refusal import refused
from lablib.hls.errors import HardwareError

__all__ = ["TARGETS", "Library", "Target", "Timing", "additions", "is_product"]


@dataclass(frozen=True)
class Target:
    """Delays of a part, in nanoseconds.

    Attributes
    ----------
    lut, carry
        A look-up table with the wire to it; a bit of a carry chain.
    memory
        From the clock to the output of a block RAM, beyond that of a register.
    register
        From the clock to a register's output, and the set-up time of the next.
    multiplier
        Of a hard multiplier; 0 where there is none.
    spare
        Share of the clock period that is kept for long wires.
    """

    name: str
    lut: float
    carry: float
    memory: float
    register: float
    multiplier: float
    spare: float


@dataclass(frozen=True)
class Timing:
    """When an operation takes and gives its values.

    Attributes
    ----------
    latency
        Cycles; 0 for logic without a register.
    entry, exit
        Nanoseconds from its inputs to its first register, and from its last register to its output; without a
        register, `entry` leads from inputs to output.
    """

    latency: int
    entry: float
    exit: float = 0.0


TARGETS = {
    "hx8k": Target("hx8k", lut=1.1, carry=0.13, memory=1.6, register=1.6, multiplier=0.0, spare=0.1),
    "ecp5-25k": Target("ecp5-25k", lut=0.75, carry=0.07, memory=3.5, register=1.2, multiplier=4.0, spare=0.15),
}
"""By name of the part, as in `lablib.hls.parts`."""


def is_product(value: Value) -> bool:
    """Whether it is a product of two values that change: by a constant it is a few additions."""
    return value.kind == "mul" and all(each.kind != "const" for each in value.arguments)


def additions(factor: int) -> int:
    """Additions and subtractions of shifted copies that a product by a constant takes: its signed digits, less one.

    Examples
    --------
    >>> additions(7)  # 8 - 1
    1
    """
    return (abs(factor) ^ 3 * abs(factor)).bit_count() - 1


class Library:
    """Timing of operations at a clock.

    Parameters
    ----------
    part
        One of `TARGETS`.
    clock_mhz
        The clock that is wanted.
    """

    def __init__(self, part: str, clock_mhz: float) -> None:
        if part not in TARGETS:
            raise HardwareError(f"There are no delays of {part!r}: expected one of {', '.join(TARGETS)}.")
        if not clock_mhz > 0:
            raise HardwareError(f"clock_mhz is the clock in MHz, more than 0: it is {clock_mhz}.")
        self.target, self.clock_mhz = TARGETS[part], clock_mhz
        self.budget = 1e3 / clock_mhz * (1 - self.target.spare) - self.target.register
        if self.budget < 2 * self.target.lut:
            fastest = 1e3 * (1 - self.target.spare) / (self.target.register + 2 * self.target.lut)
            raise HardwareError(
                f"A clock of {clock_mhz:g} MHz leaves no time for logic: {part} does {fastest:.0f} MHz."
            )

    def check(self, value: Value, implementation: str) -> None:
        """Refuse an implementation of BIND_OP that the part does not have."""
        hard = is_product(value) and self.target.multiplier > 0
        if implementation not in ("", "dsp" if hard else "fabric"):
            raise refused(
                value.line,
                f"BIND_OP op={value.kind} impl={implementation} on {self.target.name}",
                f"write impl={'dsp' if hard else 'fabric'}, which is what it gets",
            )

    def timing(self, value: Value, latency: int | None = None, choices: int = 1) -> Timing:
        """How long an operation takes.

        Parameters
        ----------
        value
            The operation.
        latency
            Cycles that BIND_OP asks for.
        choices
            Operations among which the inputs of its unit, or of its port, are chosen.
        """
        chosen = self.target.lut * self._levels(choices)
        if value.kind == "load":
            return Timing(1, chosen, self.target.memory)
        if value.kind == "store":
            return Timing(0, chosen)
        if value.kind == "put":
            return Timing(0, self.target.lut)
        if is_product(value):
            cycles = self._stages(value) if latency is None else latency
            return Timing(cycles, chosen + self._product(value, cycles))
        delay = self._delay(value)
        return Timing(latency or 0, chosen + delay)

    def _levels(self, choices: int) -> int:
        """Look-up tables one after the other that choose among so many, each with a line that says whether."""
        levels, reach = 0, 1
        while reach < choices:
            levels, reach = levels + 1, reach * 2 if levels == 0 else reach * 4
        return levels

    def _delay(self, value: Value) -> float:
        """Of logic."""
        bits = max([value.bits, *(each.bits for each in value.arguments)]) if value.arguments else 1
        lut = self.target.lut
        if value.kind in ("add", "sub"):
            return 1.3 * lut + self.target.carry * bits
        if value.kind == "lt":
            return 2.0 * lut + self.target.carry * max(each.bits for each in value.arguments)
        if value.kind == "eq":
            return lut * max(1, -(-(2 * bits).bit_length() // 2))
        if value.kind == "mux":  # one wire leads to the look-up tables of all bits
            return lut * (1 + 0.03 * bits)
        if value.kind in ("and", "or"):
            return lut
        if value.kind == "xor":
            return 0.0 if value.arguments[1].kind == "const" else lut
        if value.kind in ("shlv", "shrv"):
            return lut * max(1, min(value.arguments[1].bits - 1, bits.bit_length()))
        if value.kind == "mul":
            levels = additions(value.arguments[1].data).bit_length()
            return levels * (1.3 * lut + self.target.carry * bits)
        return 0.0

    def _product(self, value: Value, stages: int) -> float:
        """Of the first stage of a product in so many."""
        wide, narrow = sorted((each.bits for each in value.arguments), reverse=True)
        if self.target.multiplier and wide <= 18:
            return self.target.multiplier
        narrow = -(-narrow // 2 ** max(stages - 1, 0))
        rows = max(narrow, 2)
        return self.target.lut * (1.6 + 0.9 * rows.bit_length()) + self.target.carry * (wide + narrow)

    def _stages(self, value: Value) -> int:
        stages = 1
        while self._product(value, stages) > self.budget and stages < 4:
            stages += 1
        return stages
