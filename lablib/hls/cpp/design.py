"""Compile HLS C++ to hardware, simulate it, and place it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from lablib.hls import cpp_calls
from lablib.hls import place as placing
from lablib.hls.cpp.arithmetic import Arithmetic
from lablib.hls.cpp.bench import TOP, bench, port_format
from lablib.hls.cpp.chart import chart
from lablib.hls.cpp.emit import emit
from lablib.hls.cpp.formats import Format
from lablib.hls.cpp.ir import loops
from lablib.hls.cpp.library import Library
from lablib.hls.cpp.parse import parse
from lablib.hls.cpp.plan import Plan, plan
from lablib.hls.cpp.report import report_of, table
from lablib.hls.cpp.transform import transform
from lablib.hls.cpp_types import Signature
from lablib.hls.report import Report
from lablib.hls.rtlsim import Simulation, rtlsim
from lablib.hls.timeline import Timeline

__all__ = ["Hardware", "Measured", "hardware", "measure"]


@dataclass(frozen=True)
class Measured:
    """What the RTL of a kernel did in Verilator.

    Attributes
    ----------
    results
        By parameter that it writes, as `lablib.hls.csim` gives them, with a first axis for the calls.
    cycles
        Of each call, from `start` to `done`.
    ii
        By pipelined loop, the least number of cycles between two iterations; 0 where there is only one.
    simulation
        All that `lablib.hls.rtlsim` says, where the kernel was alone.
    """

    results: dict[str, np.ndarray]
    cycles: np.ndarray
    ii: dict[str, int]
    simulation: Simulation


@dataclass(frozen=True)
class Hardware:
    """A kernel as hardware. ``print`` shows its report; called like a kernel of `lablib.hls.csim`, it runs its Verilog.

    Attributes
    ----------
    source, signature
        Its C++, and what it takes and gives.
    plan
        Its regions with their schedules.
    verilog
        A module with the name of the function: ``clk``, ``rst``, ``start``, ``done``, and for each bank of an array
        ``x_raddr``, ``x_ren`` and ``x_rdata`` to read, ``x_waddr``, ``x_wen`` and ``x_wdata`` to write. Numbers, and
        the elements of completely partitioned arrays, are ports of their own; ``y_in`` is what ``y`` starts with.
    """

    source: str
    signature: Signature
    plan: Plan
    verilog: str

    @property
    def top(self) -> str:
        """The name of its module."""
        return self.signature.name

    @property
    def report(self) -> Report:
        """Latency, interval and units, with a note where an II is more than was asked for."""
        return report_of(self.plan)

    def timeline(self, name: str) -> Timeline:
        """The schedule of a pipelined loop or a block, for `lablib.viz.pipelines.pipeline`."""
        return chart(self.plan, name, self.source)

    def place(self, **options: Any) -> Report:
        """Place and route it for the clock that it was compiled for; options are those of `lablib.hls.place.place`."""
        library = self.plan.library
        return placing.place(self.verilog, self.top, library.target.name, clock_mhz=library.clock_mhz, **options)

    def __str__(self) -> str:
        return table(self.plan)

    @property
    def intervals(self) -> dict[str, int]:
        """II by pipelined loop; 0 where there is only one iteration, and so no interval."""
        found = {loop: self.plan.of_loop(loop) for loop in loops(self.plan.kernel.regions) if loop.ii is not None}
        return {loop.name: schedule.ii if loop.trip > 1 else 0 for loop, schedule in found.items()}

    def __call__(self, *values: Any, **named: Any) -> Any:
        """Run the Verilog with the arguments of `lablib.hls.csim`'s kernels, and return what they return."""
        found = measure([(self, values, named)])[0].results
        given = cpp_calls.bound(self.signature, values, named)
        runs, _ = cpp_calls.packed(self.signature, given)
        results = found if runs is not None else {name: one[0] for name, one in found.items()}
        return cpp_calls.returned(self.signature, results, cpp_calls.has_tensor([*values, *named.values()]))


def hardware(source: str, top: str, clock_mhz: float = 50.0, part: str = "hx8k") -> Hardware:
    """Compile a kernel to Verilog.

    Parameters
    ----------
    source, top
        HLS C++, and the function that becomes a module: what `lablib.hls.csim.csim` takes.
    clock_mhz
        The clock that the schedule aims at, in MHz.
    part
        One of `lablib.hls.cpp.library.TARGETS`, whose delays count.

    Raises
    ------
    SourceRefused
        It is no C++.
    OutsideSubset
        It is C++ that does not become hardware here; the message says what to write instead.
    HardwareError
        There is no such function or part, or the clock leaves no time.

    Examples
    --------
    >>> design = hardware("void add(int a, int b, int &y) { y = a + b; }", "add")
    >>> design.report.latency_cycles
    2
    """
    function, signature = parse(source, top)
    made = plan(transform(function), Library(part, clock_mhz))
    return Hardware(source, signature, made, emit(made))


def measure(calls: Sequence[tuple[Hardware, Sequence[Any], dict[str, Any]]], wave_cycles: int = 0) -> list[Measured]:
    """Run several kernels side by side in one simulation, which is built once for all of them.

    Parameters
    ----------
    calls
        Kernels with their arguments, all for the same number of calls.
    wave_cycles
        How many cycles to record in ``simulation.waveform``; the wires of kernel number i are ``k<i>.<port>``.
    """
    modules, kernels, inputs, elements = [], [], {}, {}
    for number, (design, values, named) in enumerate(calls):
        kernel = design.plan.kernel
        name, text = kernel.name, design.verilog
        modules.append(text.replace(f"module {name} (", f"module {name}_{number} (", 1))
        kernels.append(kernel)
        given = cpp_calls.bound(design.signature, values, named)
        runs, _ = cpp_calls.packed(design.signature, given)
        for parameter, places in kernel.arrays.items():
            format = port_format(kernel, parameter)
            raw = _raw(given.get(parameter), format, (1 if runs is None else runs, len(places)))
            inputs[f"k{number}_in_{parameter}"] = raw
            elements[f"k{number}_out_{parameter}"] = f"{'s' if format.signed else 'u'}{format.width}"
    patience = 1000 + max(design.plan.latency for design, _, _ in calls)
    run = rtlsim(bench(kernels, modules), TOP, inputs, elements=elements, idle_cycles=patience, wave_cycles=wave_cycles)
    return [_measured(design, f"k{number}", run) for number, (design, _, _) in enumerate(calls)]


def _measured(design: Hardware, name: str, run: Simulation) -> Measured:
    results = {}
    for each in design.signature.results:
        raw = run.outputs[f"{name}_out_{each.name}"].reshape(-1, *each.shape)
        results[each.name] = np.ldexp(raw, -each.number.fraction) if each.number.kind == "fixed" else raw
    pipelined = [loop.name for loop in loops(design.plan.kernel.regions) if loop.ii is not None]
    ii = {each: int(run.outputs[f"{name}_{each}_ii"].max()) for each in pipelined}
    return Measured(results, run.outputs[f"{name}_cycles"], ii, run)


def _raw(values: np.ndarray | None, format: Format, shape: tuple[int, int]) -> np.ndarray:
    """The integers behind arguments, rounded and wrapped as their type does it."""
    if values is None:
        return np.zeros(shape, np.int64)
    dtype = np.int64 if format.signed or format.width < 64 else np.uint64
    flat = np.array(
        [_integer(one, format) for one in np.broadcast_to(values.reshape(-1, shape[1]), shape).ravel()], dtype
    )
    return flat.reshape(shape)


def _integer(value: Any, format: Format) -> int:
    if isinstance(value, np.integer):
        return Arithmetic().convert(Arithmetic().const(int(value)), 0, format).low
    exact = Fraction(float(value))
    ops = Arithmetic()
    return ops.convert(ops.const(exact.numerator), exact.denominator.bit_length() - 1, format).low
