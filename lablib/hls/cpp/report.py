"""The report of a compiled kernel, in the terms of Vitis HLS: latency, II, trip counts, units, and why II is not 1."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lablib.hls.cpp.area import area, multipliers
from lablib.hls.cpp.ir import Block, Loop, Memory, Region, Value, Variable, loops
from lablib.hls.cpp.plan import Plan
from lablib.hls.cpp.schedule import resource_bound
from lablib.hls.report import Report

__all__ = ["LoopReport", "loop_reports", "report_of", "table"]


@dataclass(frozen=True)
class LoopReport:
    """A loop as Vitis lists it.

    Attributes
    ----------
    name, line, depth
        Its name in the Verilog, its line, and in how many loops it lies.
    trip
        Iterations, those of all loops that were flattened into it together.
    iteration_latency
        Cycles of one iteration.
    ii, target
        The interval that was reached, and the one that was asked for; None where it is not pipelined.
    latency
        Cycles of the loop each time that it runs, with the one to enter it.
    bounds
        The least II by ports and units, and by recurrences.
    why
        Why II is more than 1, in a sentence; empty if it is 1.
    """

    name: str
    line: int
    depth: int
    trip: int
    iteration_latency: int
    ii: int | None
    target: int | None
    latency: int
    bounds: tuple[int, int] = (1, 1)
    why: str = ""


def loop_reports(plan: Plan) -> list[LoopReport]:
    """All loops, each before those inside of it."""
    return list(_reports(plan, plan.kernel.regions, 0))


def _reports(plan: Plan, regions: list[Region], depth: int) -> Iterator[LoopReport]:
    for region in regions:
        if isinstance(region, Block):
            continue
        cycles = plan.cycles(region)
        if region.ii is None:
            own = (cycles - 1) // region.trip
            yield LoopReport(region.name, region.line, depth, region.trip, own, None, None, cycles)
            yield from _reports(plan, region.body, depth + 1)
            continue
        schedule = plan.of_loop(region)
        bounds = (resource_bound(schedule.graph)[0], plan.recurrences[region][0])
        yield LoopReport(
            region.name, region.line, depth, region.trip, schedule.depth, schedule.ii, region.ii, cycles, bounds,
            _why(plan, region),
        )  # fmt: skip


def _why(plan: Plan, loop: Loop) -> str:
    """What keeps II from being 1: what was asked for, a port, a unit, a recurrence, or how they meet."""
    schedule = plan.of_loop(loop)
    (resource, key), (recurrence, cycle) = resource_bound(schedule.graph), plan.recurrences[loop]
    ii, asked = schedule.ii, loop.ii or 1
    if ii == 1:
        return ""
    if ii == recurrence and ii >= asked and ii > resource:
        return f"II is {ii}: {_recurrence([schedule.graph.values[at] for at in cycle], schedule.ii)}"
    if ii == resource and ii >= asked:
        uses = sum(each == key for each in schedule.graph.resources.values())
        text = f"II is {ii}: {uses} {_resource(key)} in each iteration, and there {_are(schedule.graph.limits[key])}"
        return (
            f"{text}; {_recurrence([schedule.graph.values[at] for at in cycle], ii)}"
            if ii == recurrence
            else f"{text}."
        )
    if ii == asked:
        return f"II is {ii} because the pragma asks for it."
    how = "no schedule has a lower one" if schedule.exact else "the search for a lower one was given up"
    return f"II is {ii}: ports and units allow {resource}, recurrences {recurrence}, but {how}."


def _are(limit: int) -> str:
    return "is one" if limit == 1 else f"are {limit}"


def _resource(key: tuple[object, ...]) -> str:
    if isinstance(key[-1], Memory):
        verb = "reads from" if key[0] == "read" else "writes to"
        return f"{verb} {key[-1].name} take its {key[0]} port"
    return f"operations take a unit for {key[0]}"


def _recurrence(values: list[Value], ii: int) -> str:
    """The operations that the next iteration waits for."""
    begins = next((at for at, each in enumerate(values) if each.kind in ("get", "load")), 0)
    values = values[begins:] + values[:begins]
    named = [each for each in values if each.kind not in ("cut", "shl", "shr")]
    names = [_operation(each) for each in named]
    carried = next((each.data.name for each in values if isinstance(each.data, Variable | Memory)), "a value")
    lines = sorted({each.line for each in named if each.line})
    where = f" (line{'s' if len(lines) > 1 else ''} {', '.join(map(str, lines))})"
    return f"the next iteration needs {carried} from this one, and {' → '.join(names)}{where} takes {ii} cycles."


def _operation(value: Value) -> str:
    if value.kind in ("get", "put"):
        return f"{'read' if value.kind == 'get' else 'write'} register {value.data.name}"
    if value.kind in ("load", "store"):
        return f"{value.kind} {value.data.name}"
    return value.kind


def report_of(plan: Plan) -> Report:
    """Latency, interval and estimated units of a kernel."""
    notes = [*plan.kernel.notes]
    for each in loop_reports(plan):
        if each.ii is not None and each.target is not None and each.ii > each.target:
            notes.append(f"Line {each.line}: {each.why}")
    return Report(
        plan.kernel.name, "lablib.hls.cpp", plan.library.target.name, latency_cycles=plan.latency,
        ii=float(plan.interval), clock_mhz=plan.library.clock_mhz, resources=area(plan), estimated=True,
        notes=tuple(notes),
    )  # fmt: skip


def table(plan: Plan) -> str:
    """The report as text."""
    target, kernel, used = plan.library.target, plan.kernel, area(plan)
    lines = [
        f"{kernel.name} on {target.name}, clock {plan.library.clock_mhz:g} MHz ({1e3 / plan.library.clock_mhz:.2f} ns)",
        f"latency {plan.latency} cycles, interval {plan.interval}; about {used.lut} LUT, {used.bram} BRAM, "
        f"{_plural(multipliers(plan), 'multiplier')}, {_plural(len(kernel.memories), 'memory')}, "
        f"{_plural(len(list(loops(kernel.regions))), 'loop')}",
        "",
        f"{'loop':<16} {'line':>4} {'trip':>6} {'iteration':>9} {'II':>4} {'asked':>5} {'latency':>8}",
    ]
    for each in loop_reports(plan):
        name = "  " * each.depth + each.name
        ii, asked = (str(each.ii), str(each.target)) if each.ii is not None else ("-", "-")
        lines.append(
            f"{name:<16} {each.line:>4} {each.trip:>6} {each.iteration_latency:>9} {ii:>4} {asked:>5} {each.latency:>8}"
        )
    lines += [f"line {each.line}: {each.why}" for each in loop_reports(plan) if each.why]
    return "\n".join([*lines, *kernel.notes])


def _plural(count: int, word: str) -> str:
    many = word.removesuffix("y") + "ies" if word.endswith("y") else f"{word}s"
    return f"{count} {word if count == 1 else many}"
