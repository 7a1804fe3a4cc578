"""A schedule as plain data for a chart: which operation works in which cycle on one input, and when the next comes in.

An XLS pipeline and a loop of an HLS compiler look the same here. Cycles count from the one at whose end the input is
taken, as in `lablib.hls.rtlsim`: with latency 3 the result is there in cycle 3.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from lablib.hls.errors import HardwareError
from lablib.hls.xls_schedule import Operation, Schedule

__all__ = ["TimedOperation", "Timeline", "timeline"]


@dataclass(frozen=True)
class TimedOperation:
    """One operation on one input.

    Attributes
    ----------
    name, kind
        ``"sum"``; ``"add"``, ``"load"`` and so on.
    start
        The cycle in which it starts; operations of one cycle may follow each other within it.
    cycles
        How many cycles it works.
    resource
        The unit that it works on, ``"mul 0"``, where operations share units; empty where each has its own.
    line
        Line of the source, counted from 1; 0 where nobody knows.
    """

    name: str
    kind: str
    start: int
    cycles: int = 1
    resource: str = ""
    line: int = 0


@dataclass(frozen=True)
class Timeline:
    """What happens to one input, and after how many cycles the next one follows.

    Attributes
    ----------
    operations
        In the order of their start.
    latency, ii
        Cycles from an input to its result, and from one input to the next.
    phases
        A name for each cycle from 0 to the latency, ``"stage 0"`` for example.
    register_bits
        Bits that registers carry from cycle i to cycle i + 1; None where nobody counts them.
    source
        The text whose lines the operations name; empty where there is none.

    Raises
    ------
    HardwareError
        The cycles do not fit each other.
    """

    design: str
    operations: tuple[TimedOperation, ...]
    latency: int
    ii: int
    phases: tuple[str, ...]
    register_bits: tuple[int | None, ...]
    source: str = ""

    def __post_init__(self) -> None:
        if self.ii < 1 or self.latency < 0:
            raise HardwareError(
                f"II is at least 1 and latency at least 0: {self.design} has {self.ii}, {self.latency}."
            )
        if len(self.phases) != self.latency + 1 or len(self.register_bits) != self.latency:
            raise HardwareError(
                f"{self.design} has latency {self.latency}, which takes {self.latency + 1} phases with "
                f"{self.latency} boundaries: got {len(self.phases)} and {len(self.register_bits)}."
            )
        for one in self.operations:
            if one.start < 0 or one.cycles < 1 or one.start + one.cycles > self.latency + 1:
                raise HardwareError(
                    f"{one.name} of {self.design} works in cycles {one.start} to {one.start + one.cycles - 1}: "
                    f"expected them between 0 and {self.latency}."
                )


def timeline(schedule: Schedule, source: str = "") -> Timeline:
    """The cycles of an XLS pipeline. Stage s works in cycle s + 1: the input register comes first.

    Parameters
    ----------
    schedule
        What `lablib.hls.xls_schedule.schedule` gave.
    source
        The DSLX text that it came from.

    Examples
    --------
    >>> from lablib.hls.xls import xls_function
    >>> from lablib.hls.xls_schedule import schedule
    >>> square = xls_function("fn square(x: s8) -> s16 { (x as s16) * (x as s16) }", "square")
    >>> one = timeline(schedule(square, stages=1))
    >>> one.phases, [(each.kind, each.start) for each in one.operations]
    (('input', 'stage 0', 'output'), [('smul', 1)])
    """
    operations = tuple(
        TimedOperation(_name(one), one.kind, one.stage + 1, line=one.line) for one in schedule.operations
    )
    report = schedule.report
    phases = ("input", *(f"stage {stage}" for stage in range(schedule.stages)), "output")
    bits = (None, *schedule.register_bits, None)
    ii = int(report.ii or 1)
    return Timeline(schedule.design, operations, schedule.stages + 1, ii, phases, bits, source)


def _name(operation: Operation) -> str:
    """Its name in the source; its kind where XLS has numbered it."""
    return operation.kind if re.search(r"[._]\d+", operation.name) else operation.name
