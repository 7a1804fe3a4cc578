"""Pipelines from DSLX: as many stages as a clock needs, and which operation lies in which.

`schedule` gives Verilog and the stages as plain data, for a table or a Gantt chart; `sweep` does so for several clocks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lablib.hls.errors import HardwareError, ToolFailed, ToolTimeout
from lablib.hls.report import Report
from lablib.hls.xls import XlsFunction, XlsProc
from lablib.hls.xls_block import Operation, read_block
from lablib.hls.xls_step import SECONDS, fault, step
from lablib.hls.xls_worker import FILE

__all__ = ["DELAY_MODELS", "Operation", "Schedule", "schedule", "sweep"]

DELAY_MODELS = ("sky130", "asap7", "unit")
"""How long XLS thinks an operation takes: a 130 nm process, a 7 nm process, or 1 for everything."""


@dataclass(frozen=True)
class Schedule:
    """A pipeline: its Verilog, and what happens in which stage.

    Attributes
    ----------
    verilog
        Its text. The module has the name of the design, the ports of the source, ``clk`` and ``rst`` (synchronous,
        active high).
    operations
        In the order of their stages, without wiring and without the logic that passes valid and ready on.
    register_bits
        Bits that registers carry from stage i to stage i + 1, one entry a boundary.
    stages
        Pipeline stages. An input register comes before the first, an output register after the last.
    report
        Latency, II and the clock that was asked for.
    """

    design: str
    verilog: str
    operations: tuple[Operation, ...]
    register_bits: tuple[int, ...]
    stages: int
    report: Report


def schedule(
    design: XlsFunction | XlsProc,
    clock_ps: int | None = None,
    stages: int | None = None,
    throughput: int = 1,
    delay_model: str = "sky130",
    seconds: float = SECONDS,
) -> Schedule:
    """Cut a design into pipeline stages and write its Verilog.

    Parameters
    ----------
    design
        A function or a proc.
    clock_ps
        Clock period in picoseconds: as many stages as it needs.
    stages
        Or the number of stages, the clock being as short as that allows; with `clock_ps`, both hold. A proc drops
        stages in which nothing happens.
    throughput
        For a proc, the cycles from one round to the next that it may take, so that state can cross stages.
    delay_model
        One of `DELAY_MODELS`. All are of chips, not of FPGAs: stages compare with stages, the clock comes from
        placing and routing.

    Returns
    -------
    Schedule
        A function's Verilog has a port for each parameter, ``out``, and ``in_vld`` and ``out_vld`` beside them.

    Raises
    ------
    HardwareError
        The clock cannot be met.

    Examples
    --------
    >>> from lablib.hls.xls import xls_function
    >>> square = xls_function("fn square(x: s8) -> s16 { (x as s16) * (x as s16) }", "square")
    >>> one = schedule(square, stages=1)
    >>> one.stages, one.report.latency_cycles, [(op.kind, op.line) for op in one.operations]
    (1, 2, [('smul', 1)])
    """
    _check_request(clock_ps, stages, throughput, delay_model)
    options: dict[str, Any] = {"module_name": design.name, "top": design.top, "delay_model": delay_model}
    options |= {"clock_period_ps": clock_ps} if clock_ps else {}
    options |= {"pipeline_stages": stages} if stages else {}
    if isinstance(design, XlsProc):
        options |= {"streaming_channel_data_suffix": "", "streaming_channel_valid_suffix": "_vld"}
        options |= {"streaming_channel_ready_suffix": "_rdy", "worst_case_throughput": throughput}
    else:
        options |= {"input_valid_signal": "in_vld", "output_valid_signal": "out_vld"}
    asked = " and ".join([f"clock_ps={clock_ps}"] * bool(clock_ps) + [f"stages={stages}"] * bool(stages))
    try:
        folder = step({"step": "codegen", "ir": design.optimised_ir, "options": options}, "scheduling", seconds)
    except ToolTimeout:
        raise
    except ToolFailed as error:
        raise ToolFailed(f"{design.name} cannot have {asked}: {_unflagged(error.output)}", error.output) from None
    block = read_block((folder / "block.ir").read_text(), FILE)
    notes = (*block.notes, f"Stages are cut by the delays of {delay_model}, no FPGA: trust the clock after routing.")
    report = Report(
        design.name, "xls", latency_cycles=block.latency, ii=float(block.ii), estimated=True, notes=notes,
        clock_mhz=1e6 / clock_ps if clock_ps else None,
    )  # fmt: skip
    verilog = (folder / "design.v").read_text()
    return Schedule(design.name, verilog, block.operations, block.register_bits, block.stages, report)


def sweep(
    design: XlsFunction | XlsProc,
    clocks_ps: Sequence[int] = (),
    stages: Sequence[int] = (),
    delay_model: str = "sky130",
) -> dict[int, Schedule | HardwareError]:
    """Schedule a design for several clocks, or for several numbers of stages.

    Returns
    -------
    dict
        By clock or number of stages, the schedule, or the error that says why there is none.

    Examples
    --------
    >>> from lablib.hls.xls import xls_function
    >>> square = xls_function("fn square(x: s8) -> s16 { (x as s16) * (x as s16) }", "square")
    >>> {n: one.report.latency_cycles for n, one in sweep(square, stages=(1, 2)).items()}
    {1: 2, 2: 3}
    """
    if bool(clocks_ps) == bool(stages):
        raise HardwareError("A sweep goes over clocks_ps or over stages: give one of them.")
    found: dict[int, Schedule | HardwareError] = {}
    for point in clocks_ps or stages:
        request = {"clock_ps" if clocks_ps else "stages": point}
        _check_request(request.get("clock_ps"), request.get("stages"), 1, delay_model)
        try:
            found[point] = schedule(design, delay_model=delay_model, **request)
        except ToolTimeout:
            raise
        except ToolFailed as error:
            found[point] = error
    return found


def _check_request(clock_ps: int | None, stages: int | None, throughput: int, delay_model: str) -> None:
    if clock_ps is None and stages is None:
        raise HardwareError("A schedule needs a clock or a number of stages: give clock_ps or stages.")
    for name, value in (("clock_ps", clock_ps), ("stages", stages), ("throughput", throughput)):
        if value is not None and (not isinstance(value, int | np.integer) or isinstance(value, bool) or value < 1):
            raise HardwareError(f"{name} is a whole number from 1, got {value!r}.")
    if delay_model not in DELAY_MODELS:
        raise HardwareError(f"Unknown delay model {delay_model!r}: expected one of {', '.join(DELAY_MODELS)}.")


def _unflagged(output: str) -> str:
    """XLS's words on a schedule, in the names of the parameters here."""
    flags = {"--clock_period_ps": "clock_ps", "--pipeline_stages": "stages", "--worst_case_throughput": "throughput"}
    words = fault(output).message
    for flag, name in flags.items():
        words = words.replace(flag, name)
    return words
