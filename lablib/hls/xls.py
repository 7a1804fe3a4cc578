"""Hardware from DSLX, the language of Google's XLS: bits in, a pipeline out.

DSLX reads like Rust and has exact integers of any width. `xls_function` compiles a function and is its golden model on
numpy arrays; `xls_schedule` cuts it into pipeline stages for a clock and writes Verilog.

    source ──type check──> IR ──optimise──> IR ──schedule──> stages ──> Verilog
                            └──> golden model

A function is a pipeline that takes an input every cycle. A proc (`xls_proc`) has state and channels with valid and
ready; it runs in the Verilog only.

Source: XLS, "Accelerated HW Synthesis", google.github.io/xls.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from lablib.hls.bits import BitsType, checked
from lablib.hls.engines import XLS
from lablib.hls.errors import HardwareError, ToolFailed, ToolTimeout
from lablib.hls.source_errors import SourceRefused, listing
from lablib.hls.xls_step import SECONDS, fault, step
from lablib.hls.xls_types import DslxType, arrays_of, parse_type, values_of
from lablib.hls.xls_worker import MODULE

__all__ = ["XlsFunction", "XlsProc", "xls_function", "xls_proc"]


@dataclass(frozen=True)
class XlsFunction:
    """A compiled DSLX function; call it with numpy arrays.

    Attributes
    ----------
    name
        Its name in the source.
    source
        The DSLX text.
    parameters, result
        Types of what goes in, by name, and of what comes out.
    ir, optimised_ir
        XLS's intermediate representation before and after optimisation.
    top
        The function's name in the IR.
    """

    name: str
    source: str
    parameters: dict[str, DslxType]
    result: DslxType
    ir: str
    optimised_ir: str
    top: str

    def __call__(self, *arguments: Any) -> Any:
        """Run it, bit by bit as the source says, before any optimisation.

        Parameters
        ----------
        *arguments
            Integers, one array a parameter, of shape (*batch, *shape of its type); the batch is the same for all.

        Returns
        -------
        np.ndarray or tuple
            Shape (*batch, *shape of the result), int64 (uint64 for u64); a tuple for a tuple.

        Raises
        ------
        HardwareError
            A value does not fit its type, or the source itself fails on it (``fail!``, ``assert!``).
        """
        if len(arguments) != len(self.parameters):
            names = ", ".join(f"{name}: {kind}" for name, kind in self.parameters.items())
            raise HardwareError(f"{self.name} takes {len(self.parameters)} values ({names}), got {len(arguments)}.")
        arrays = [
            checked(value, kind, name) for value, (name, kind) in zip(arguments, self.parameters.items(), strict=True)
        ]
        kinds = [kind for kind in self.parameters.values() if isinstance(kind, BitsType)]
        batches = {array.shape[: array.ndim - len(kind.shape)] for array, kind in zip(arrays, kinds, strict=True)}
        if len(batches) > 1:
            raise HardwareError(f"{self.name} takes values of one batch, got batches of shape {sorted(batches)}.")
        batch = batches.pop() if batches else ()
        columns = [values_of(array.reshape((-1, *kind.shape)), kind) for array, kind in zip(arrays, kinds, strict=True)]
        rows = zip(*columns, strict=True) if columns else [()]
        results = [self._run(list(row)) for row in rows]
        return arrays_of(results, self.result, batch, self.name)

    def _run(self, values: list[Any]) -> Any:
        try:
            return self._runner(values)
        except RuntimeError as error:
            shown = listing(self.source, [fault(str(error))])
            raise HardwareError(f"{self.name} stops on an input:\n{shown}") from None

    @cached_property
    def _package(self) -> Any:  # kept: its functions do not outlive it
        return XLS.require().Package.parse_ir(self.ir)

    @cached_property
    def _runner(self) -> Any:
        function = self._package.get_function(self.top)
        # Compiled code is a hundred times faster, and goes on after an assertion.
        return function.interpret if " = assert(" in self.ir else function.to_jit().run


@dataclass(frozen=True)
class XlsProc:
    """A compiled DSLX proc: state, and channels with valid and ready.

    Attributes
    ----------
    name, source, ir, optimised_ir, top
        As for `XlsFunction`.
    channels
        By name of the channel, ``"in"`` or ``"out"`` and the type that it carries. The Verilog's ports are
        ``design__<name>``, ``design__<name>_vld`` and ``design__<name>_rdy``.
    """

    name: str
    source: str
    channels: dict[str, tuple[str, DslxType]]
    ir: str
    optimised_ir: str
    top: str


def xls_function(source: str, top: str, seconds: float = SECONDS) -> XlsFunction:
    """Compile a DSLX function.

    Parameters
    ----------
    source
        A DSLX module.
    top
        Name of the function.
    seconds
        Time limit of each step.

    Raises
    ------
    EngineMissing
        xls-python is not installed.
    SourceRefused
        The source has an error; ``errors`` has its line and message.
    HardwareError
        There is no such function.
    ToolTimeout
        XLS takes too long: loops are unrolled, so their bounds are hardware.

    Examples
    --------
    >>> square = xls_function("fn square(x: s8) -> s16 { (x as s16) * (x as s16) }", "square")
    >>> square([-128, 3])
    array([16384,     9])
    """
    ir, interfaces = _converted(source, seconds)
    if top not in interfaces or interfaces[top].get("parametric"):
        concrete = [name for name, one in interfaces.items() if "." not in name and not one.get("parametric")]
        why = "is parametric, and hardware needs widths" if top in interfaces else "is not in the source"
        raise HardwareError(f"Function {top} {why}: the functions there are {', '.join(concrete) or 'none'}.")
    mangled = f"__{MODULE}__{top}"
    return XlsFunction(
        top,
        source,
        {name: parse_type(kind) for name, kind in interfaces[top]["parameters"].items()},
        parse_type(interfaces[top]["result"]),
        ir,
        _optimised(ir, mangled, seconds),
        mangled,
    )


def xls_proc(source: str, top: str, seconds: float = SECONDS) -> XlsProc:
    """Compile a DSLX proc that spawns no other.

    Raises
    ------
    EngineMissing, SourceRefused, HardwareError, ToolTimeout
        As `xls_function`.

    Examples
    --------
    >>> echo = xls_proc(
    ...     '''proc echo {
    ...         x: chan<s8> in; y: chan<s8> out;
    ...         config(x: chan<s8> in, y: chan<s8> out) { (x, y) }
    ...         init { () }
    ...         next(state: ()) { let (t, v) = recv(join(), x); send(t, y, v); }
    ...     }''',
    ...     "echo",
    ... )
    >>> echo.channels["x"]
    ('in', BitsType(bits=8, signed=True, shape=()))
    """
    ir, interfaces = _converted(source, seconds)
    if f"{top}.config" not in interfaces:
        procs = [name.removesuffix(".config") for name in interfaces if name.endswith(".config")]
        raise HardwareError(f"Proc {top} is not in the source: the procs there are {', '.join(procs) or 'none'}.")
    channels = {}
    for name, kind in interfaces[f"{top}.config"]["parameters"].items():
        channel = re.fullmatch(r"chan\((.*), dir=(in|out)\)", kind)
        if channel is None:
            raise HardwareError(f"Proc {top} takes {name} of type {kind} in config: expected channels only.")
        channels[name] = (channel[2], parse_type(channel[1]))
    mangled = f"__{MODULE}__{top}_0_next"
    if f"proc {mangled}(" not in ir:
        raise HardwareError(f"Proc {top} cannot be the top of a design: it is parametric or is spawned by another.")
    return XlsProc(top, source, channels, ir, _optimised(ir, mangled, seconds), mangled)


def _converted(source: str, seconds: float) -> tuple[str, dict[str, Any]]:
    try:
        folder = step({"step": "convert", "source": source}, "compiling DSLX", seconds)
    except ToolTimeout:
        raise
    except ToolFailed as error:
        raise SourceRefused("The DSLX source", source, [fault(error.output)]) from None
    return (folder / "design.ir").read_text(), json.loads((folder / "interfaces.json").read_text())


def _optimised(ir: str, top: str, seconds: float) -> str:
    try:
        folder = step({"step": "optimise", "ir": ir, "top": top}, "optimising", seconds)
    except ToolTimeout as error:
        why = "XLS unrolls every loop, and this is too much hardware."
        raise ToolTimeout(f"{str(error).rstrip('.')}: {why}", error.output) from None
    return (folder / "optimised.ir").read_text()
