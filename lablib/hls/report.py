"""What every engine says of a design, in one form and with units."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

__all__ = ["Report", "Resources", "compare"]


@dataclass(frozen=True)
class Resources:
    """What a design takes of a part; None where the engine does not count it.

    Attributes
    ----------
    lut
        Look-up tables: LUT4 of an iCE40 or ECP5, LUT6 of a Xilinx part.
    ff
        Flip-flops.
    dsp
        Hard multipliers.
    bram
        Block RAMs.
    cells
        Logic cells after packing, each a look-up table with its carry and its flip-flop (iCE40).
    io
        Pins.
    """

    lut: int | None = None
    ff: int | None = None
    dsp: int | None = None
    bram: int | None = None
    cells: int | None = None
    io: int | None = None

    def shares(self, capacity: Resources) -> dict[str, float]:
        """The share of each resource that is taken, for those that both sides count."""
        pairs = {one.name: (getattr(self, one.name), getattr(capacity, one.name)) for one in fields(self)}
        return {name: used / there for name, (used, there) in pairs.items() if used is not None and there}


@dataclass(frozen=True)
class Report:
    """One engine's word on one design.

    Attributes
    ----------
    design, engine
        ``"dense_16_8"``; ``"verilator"``.
    part
        The part that it was mapped to; empty where there is none.
    latency_cycles
        Cycles from an input to its output.
    ii
        Initiation interval: cycles from one input to the next that the design takes.
    cycles
        Cycles of a whole run.
    fmax_mhz
        The highest clock, in MHz, after place and route.
    clock_mhz
        The clock that was asked for, in MHz.
    resources
        What it takes.
    estimated
        That resources and clock are the engine's guess, and not counted after mapping.
    notes
        One sentence each on what else a reader should know: why II is not 1, which path is critical.
    """

    design: str
    engine: str
    part: str = ""
    latency_cycles: int | None = None
    ii: float | None = None
    cycles: int | None = None
    fmax_mhz: float | None = None
    clock_mhz: float | None = None
    resources: Resources = field(default_factory=Resources)
    estimated: bool = False
    notes: tuple[str, ...] = ()

    @property
    def latency_ns(self) -> float | None:
        """Latency at the highest clock, in nanoseconds."""
        if self.latency_cycles is None or self.fmax_mhz is None:
            return None
        return 1e3 * self.latency_cycles / self.fmax_mhz

    def merged(self, *others: Report) -> Report:
        """This report with what others say of the same design added where this one is silent.

        Raises
        ------
        ValueError
            They are of different designs.
        """
        merged = self
        for other in others:
            if other.design != self.design:
                raise ValueError(f"reports of {self.design} and {other.design} cannot be one")
            merged = _filled(merged, other)
        return merged


def _filled(one: Report, other: Report) -> Report:
    resources = Resources(
        **{
            entry.name: getattr(other.resources, entry.name)
            if getattr(one.resources, entry.name) is None
            else getattr(one.resources, entry.name)
            for entry in fields(Resources)
        }
    )
    values: dict[str, Any] = {entry.name: getattr(one, entry.name) for entry in fields(Report)}
    for name in ("part", "latency_cycles", "ii", "cycles", "fmax_mhz", "clock_mhz"):
        if values[name] in (None, ""):
            values[name] = getattr(other, name)
    values |= {"engine": f"{one.engine} + {other.engine}", "resources": resources, "notes": one.notes + other.notes}
    values["estimated"] = one.estimated or other.estimated
    return Report(**values)


COLUMNS = ("latency_cycles", "ii", "fmax_mhz", "lut", "ff", "dsp", "bram", "cells")


def compare(reports: Sequence[Report]) -> list[dict[str, object]]:
    """Rows of a table with one report each, columns that no report fills left out.

    Examples
    --------
    >>> compare([Report("mac", "verilator", ii=1.0), Report("mac8", "verilator", ii=8.0)])
    [{'design': 'mac', 'engine': 'verilator', 'ii': 1.0}, {'design': 'mac8', 'engine': 'verilator', 'ii': 8.0}]
    """
    rows = [{"design": one.design, "engine": one.engine, "part": one.part, **_numbers(one)} for one in reports]
    empty = {name for name in rows[0] if all(row[name] in (None, "") for row in rows)} if rows else set()
    return [{name: value for name, value in row.items() if name not in empty} for row in rows]


def _numbers(report: Report) -> dict[str, object]:
    found: Iterable[tuple[str, object]] = (
        (name, getattr(report.resources if hasattr(report.resources, name) else report, name)) for name in COLUMNS
    )
    return dict(found)
