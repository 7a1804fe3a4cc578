"""Simulate Verilog cycle by cycle with Verilator: numpy vectors in, values and cycle counts out."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lablib.hls.build import run
from lablib.hls.errors import HardwareError, ToolFailed, ToolTimeout
from lablib.hls.packing import pack, unpack, word_count
from lablib.hls.protocol import Protocol, protocol_of
from lablib.hls.report import Report
from lablib.hls.simulator import simulator
from lablib.hls.verilog import Module, module_of, write_sources
from lablib.hls.waveform import Waveform, read_vcd

__all__ = ["Simulation", "measured", "rtlsim"]

_SEED = 1


@dataclass(frozen=True)
class Simulation:
    """What a module answered, and when.

    Attributes
    ----------
    outputs
        By port, one row a result: int64, shape (results,), or (results, elements) for a port that was cut.
    accepted, arrived
        The cycle at whose end each input was taken, and each result given; cycle 0 is the first of the reset.
    report
        Latency from the first input to the first result, initiation interval, and cycles from the first input to the
        last result: latency + II · (vectors - 1). Notes hold Verilator's warnings.
    printed
        What ``$display`` said.
    waveform
        The first cycles of all signals, if they were asked for.
    """

    outputs: dict[str, np.ndarray]
    accepted: np.ndarray
    arrived: np.ndarray
    report: Report
    printed: str = ""
    waveform: Waveform | None = None


def rtlsim(
    verilog: str,
    top: str,
    inputs: Mapping[str, Any],
    *,
    elements: Mapping[str, str] | None = None,
    results: int | None = None,
    latency: int | None = None,
    names: Mapping[str, str] | None = None,
    files: Mapping[str, str] | None = None,
    pauses: float = 0.0,
    wave_cycles: int = 0,
    idle_cycles: int = 100_000,
    seconds: float = 60.0,
) -> Simulation:
    """Simulate a module on vectors. How it is driven follows from its ports: see `lablib.hls.protocol`.

    Registers and memories that nothing sets start with random bits, as they may on a chip.

    Parameters
    ----------
    verilog, top
        Source text, and the module in it.
    inputs
        Integers by port, shape (vectors,), or (vectors, k) for a port of k elements, element 0 in the lowest bits.
    elements
        By output, how its bits are cut: ``{"y": "s8"}`` for signed elements of 8 bits.
    results
        How many results to expect; by default one a vector.
    latency
        Cycles to the result of a pipeline that has no handshake.
    names
        Handshake ports of other names by role: ``{"in_valid": "x_vld"}``.
    files
        Texts that the source reads by name, with ``$readmemh`` for example.
    pauses
        Share of the cycles in which no input is offered, and of those in which no result is taken: a design with
        ready and valid has to give the same results.
    wave_cycles
        How many cycles to record in ``waveform``.
    idle_cycles
        Cycles without input or result after which the design counts as hung.
    seconds
        Time limit of the simulation.

    Raises
    ------
    HardwareError
        The design is not Verilog, does not fit the vectors, hangs, or gives more results than it should.

    Examples
    --------
    >>> adder = "module add(input [7:0] a, b, output [8:0] y); assign y = a + b; endmodule"
    >>> rtlsim(adder, "add", {"a": [1, 255], "b": [2, 255]}).outputs["y"]
    array([  3, 510])
    """
    module = module_of(verilog, top, files)
    protocol = protocol_of(module, latency, names)
    words, count = _vectors(module, protocol, inputs)
    results = count if results is None else results
    cuts = _cuts(protocol, elements or {})
    _check_run(results, pauses, wave_cycles, idle_cycles)
    program = simulator(verilog, top, protocol, wave_cycles > 0, files)
    with tempfile.TemporaryDirectory(prefix="lablib-rtlsim-") as place:
        folder = Path(place)
        write_sources(folder, verilog, files)
        (folder / "given.bin").write_bytes(words.astype("<u4").tobytes())
        numbers = [_SEED, pauses, count, results, idle_cycles, wave_cycles]
        command = [program, "given.bin", "answers.bin", *(str(number) for number in numbers)]
        printed = _simulate(command, folder, seconds, top)
        raw = (folder / "answers.bin").read_bytes()
        wave = read_vcd((folder / "wave.vcd").read_text()) if wave_cycles else None
    accepted, arrived, data = _answers(raw, top, results, count, idle_cycles)
    outputs = {name: unpack(port, rows, cuts.get(name)) for (name, port, rows) in _columns(protocol, data)}
    return Simulation(outputs, accepted, arrived, measured(module, accepted, arrived), printed, wave)


def _check_run(results: int, pauses: float, wave_cycles: int, idle_cycles: int) -> None:
    if not 0 <= pauses < 1:
        raise HardwareError(f"pauses is a share of the cycles, at least 0 and less than 1: it is {pauses}.")
    for name, value, least in (
        ("results", results, 1),
        ("wave_cycles", wave_cycles, 0),
        ("idle_cycles", idle_cycles, 1),
    ):
        if value < least:
            raise HardwareError(f"{name} has to be at least {least}: it is {value}.")


def _vectors(module: Module, protocol: Protocol, inputs: Mapping[str, Any]) -> tuple[np.ndarray, int]:
    """All inputs of a vector side by side, shape (vectors, words), and how many vectors there are."""
    if set(inputs) != set(protocol.inputs):
        raise HardwareError(
            f"{module.name} takes values on {_listed(protocol.inputs)}: it got values for {_listed(inputs)}."
        )
    packed = {name: pack(port, inputs[name]) for name, port in protocol.inputs.items()}
    counts = {name: len(words) for name, words in packed.items()}
    if len(set(counts.values())) != 1 or 0 in counts.values():
        raise HardwareError(f"Every input takes the same number of vectors, at least one: it got {counts or 'none'}.")
    return np.concatenate(list(packed.values()), axis=1), next(iter(counts.values()))


def _cuts(protocol: Protocol, elements: Mapping[str, str]) -> Mapping[str, str]:
    unknown = set(elements) - set(protocol.outputs)
    if unknown:
        raise HardwareError(f"{_listed(unknown)} is no output with values: there are {_listed(protocol.outputs)}.")
    for name, port in protocol.outputs.items():  # refused before a simulator is built
        unpack(port, np.zeros((1, word_count(port)), dtype=np.uint32), elements.get(name))
    return elements


def _listed(names: Any) -> str:
    return ", ".join(sorted(names)) or "no port"


def _simulate(command: list[Any], folder: Path, seconds: float, top: str) -> str:
    try:
        return run(command, folder, seconds, f"simulating {top}")
    except ToolTimeout as error:
        raise ToolTimeout(
            f"Simulating {top} took more than {seconds:g} s and was stopped: give it fewer vectors, or more time.",
            error.output,
        ) from None
    except ToolFailed as error:
        if "did not converge" in error.output or "combinational loop" in error.output.lower():
            raise ToolFailed(
                f"The signals of {top} never settle: an assignment depends on its own result within one cycle.",
                error.output,
            ) from None
        raise


def _answers(
    raw: bytes, top: str, results: int, count: int, idle_cycles: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    taken, given, cycle, finished = (int(value) for value in np.frombuffer(raw, dtype="<u8", count=4))
    accepted = np.frombuffer(raw, dtype="<u8", count=taken, offset=32).astype(np.int64)
    arrived = np.frombuffer(raw, dtype="<u8", count=given, offset=32 + 8 * taken).astype(np.int64)
    data = np.frombuffer(raw, dtype="<u4", offset=32 + 8 * (taken + given))
    if given < results:
        why = "$finish ended it" if finished else f"then nothing for {idle_cycles} cycles"
        raise HardwareError(
            f"{top} took {taken} of {count} inputs and gave {given} of {results} results in {cycle} cycles: {why}."
        )
    if given > results:
        raise HardwareError(f"{top} gave a result too many after {results} results, in cycle {arrived[-1]}.")
    return accepted, arrived, data.reshape(given, -1)


def _columns(protocol: Protocol, data: np.ndarray) -> list[tuple[str, Any, np.ndarray]]:
    columns, first = [], 0
    for name, port in protocol.outputs.items():
        columns.append((name, port, data[:, first : first + word_count(port)]))
        first += word_count(port)
    return columns


def measured(module: Module, accepted: np.ndarray, arrived: np.ndarray) -> Report:
    """The report of a run: the cycles in which inputs were taken, and those in which their results were given."""
    interval = float(accepted[-1] - accepted[0]) / (len(accepted) - 1) if len(accepted) > 1 else None
    each = arrived - accepted if len(arrived) == len(accepted) else np.zeros(1)
    notes = (f"Latency depends on the input: {each.min()} to {each.max()} cycles.",) if np.ptp(each) else ()
    return Report(
        module.name,
        "verilator",
        latency_cycles=int(arrived[0] - accepted[0]),
        ii=interval,
        cycles=int(arrived[-1] - accepted[0]),
        notes=module.warnings + notes,
    )
