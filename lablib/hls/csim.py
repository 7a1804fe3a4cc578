"""Run HLS C++ bit by bit, before any hardware exists.

A kernel is compiled with g++ and the headers that hls4ml ships, and is called with arrays. It runs in a process of its
own: a wild index ends the call and not the notebook, and a loop without end meets its time limit.
"""

from __future__ import annotations

import json
import re
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

from lablib.hls import cpp_calls
from lablib.hls.build import built, run
from lablib.hls.cpp_faults import crash
from lablib.hls.cpp_harness import DONE, program
from lablib.hls.cpp_source import flags, signature_of
from lablib.hls.cpp_types import Signature
from lablib.hls.engines import GXX, HLS4ML
from lablib.hls.errors import HardwareError, ToolFailed, ToolTimeout
from lablib.hls.source_errors import SourceError, SourceRefused

__all__ = ["Kernel", "csim"]

_BUILD_SECONDS = 120.0
_WARNING = "WARNING: Hls::stream"
# Lines are kept for faults, and indices of arrays inside the kernel are checked. An executable that does not move has
# the addresses that addr2line expects.
_OPTIONS = ["-O1", "-g1", "-w", "-no-pie", "-fno-pie", "-fsanitize=bounds", "-fno-sanitize-recover=all"]


def csim(source: str, top: str, seconds: float = 10.0) -> Kernel:
    """Compile HLS C++ to something that Python calls.

    Parameters
    ----------
    source
        HLS C++ with ``ap_int.h``, ``ap_fixed.h``, ``hls_stream.h`` and ``hls_math.h`` at hand. Pragmas are ignored.
    top
        The function to call.
    seconds
        Time limit of a call.

    Returns
    -------
    Kernel
        Callable with arrays.

    Raises
    ------
    SourceRefused
        The source does not compile; ``errors`` has lines and messages.
    HardwareError
        There is no such function, or a parameter has a type that no array holds.
    EngineMissing
        g++, hls4ml or libclang is not there.

    Examples
    --------
    >>> double_it = csim("void twice(int x[3], int y[3]) { for (int i = 0; i < 3; i++) y[i] = 2 * x[i]; }", "twice")
    >>> double_it([1, 2, 3])
    array([2, 4, 6])
    """
    compiler = GXX.require()
    inputs = {
        "source": source,
        "top": top,
        "options": " ".join([*flags(), *_OPTIONS]),
        "frame": program(Signature("", ())),
        "g++": GXX.version(),
        "hls4ml": version(HLS4ML.distribution),
    }
    folder = built("csim", inputs, lambda draft: _build(draft, compiler, source, top))
    signature = Signature.from_dict(json.loads((folder / "signature.json").read_text()))
    return Kernel(signature, source, folder / "kernel", seconds)


def _build(folder: Path, compiler: str, source: str, top: str) -> None:
    signature = signature_of(source, top)
    (folder / "kernel.cpp").write_text(source)
    (folder / "program.cpp").write_text(program(signature))
    (folder / "signature.json").write_text(json.dumps(signature.to_dict()))
    command = [compiler, *flags(), *_OPTIONS, "program.cpp", "-o", "kernel"]
    try:
        run(command, folder, _BUILD_SECONDS, f"compiling {top}")
    except ToolTimeout:
        raise
    except ToolFailed as error:
        raise SourceRefused("The C++ source", source, _compiler_errors(error)) from None


def _compiler_errors(failure: ToolFailed) -> list[SourceError]:
    """What g++ refuses although libclang did not."""
    found = re.findall(r"^kernel\.cpp:(\d+):(\d+): (?:fatal )?error: (.*)$", failure.output, re.MULTILINE)
    return [SourceError(int(line), said, int(column)) for line, column, said in found] or [SourceError(0, str(failure))]


class Kernel:
    """A compiled kernel.

    Called with what it reads, in the order of its parameters, it returns what it writes: one array, or a named tuple
    where there are several. A parameter that the kernel writes is a result; it starts as zeros, or as what is given
    for it by name. An argument may have one axis more than its parameter: the kernel is then called once for each
    entry, and the results have that axis too. ``static`` variables live as long as one call from Python.

    An index past the end of an argument, or of an array inside the kernel, is an error at its line. One below the start
    of an argument is seen when the kernel runs for at least two entries.

    Fixed-point values are given as real numbers, which the C++ type rounds and wraps or saturates, and come back as
    float64, exactly; ``signature.results[0].number.raw(...)`` gives the integers behind them. Integers come back as
    int64. If any argument is a torch tensor, so are the results.

    Attributes
    ----------
    signature
        What it takes and gives.
    source
        Its C++.
    program
        The executable.
    seconds
        Time limit of a call.
    """

    def __init__(self, signature: Signature, source: str, program: Path, seconds: float) -> None:
        self.signature, self.source, self.program, self.seconds = signature, source, program, seconds

    def __repr__(self) -> str:
        return f"<csim of {self.signature}>"

    def __call__(self, *values: Any, **named: Any) -> Any:
        """Run the kernel.

        Raises
        ------
        HardwareError
            Arguments do not fit the parameters, or a stream was read while it was empty.
        KernelCrashed
            It touched what is not its own, divided by zero, or ran out of memory.
        ToolTimeout
            It did not end in time.
        """
        given = cpp_calls.bound(self.signature, values, named)
        runs, data = cpp_calls.packed(self.signature, given)
        with tempfile.TemporaryDirectory(prefix="lablib-csim-") as name:
            folder = Path(name)
            (folder / "in").write_bytes(data)
            try:
                said = run([self.program, "in", "out"], folder, self.seconds, f"running {self.signature.name}")
            except ToolTimeout as error:
                advice = "does a loop never end, or does it need more time?"
                raise ToolTimeout(f"{str(error).rstrip('.')}: {advice}", error.output) from None
            except ToolFailed as error:
                raise crash(self.signature, self.source, self.program, error.output) from None
            answer = (folder / "out").read_bytes()
        if not answer.endswith(DONE):
            raise crash(self.signature, self.source, self.program, said)
        self._listen(said)
        results = cpp_calls.unpacked(self.signature, runs, answer)
        return cpp_calls.returned(self.signature, results, cpp_calls.has_tensor([*values, *named.values()]))

    def _listen(self, said: str) -> None:
        """Show what the kernel printed, and refuse what would stop hardware."""
        empty = re.search(r"Hls::stream '(.+)' is read while empty", said)
        if empty:
            raise HardwareError(
                f"{self.signature.name} read the stream {empty[1]} while it was empty: hardware would wait for ever."
            )
        # A stream warns once a call from C++, which is a thousand times for a thousand vectors.
        lines = said.splitlines()
        warnings = dict.fromkeys(line for line in lines if line.startswith(_WARNING))
        shown = [*warnings, *(line for line in lines if not line.startswith(_WARNING))]
        if shown:
            print("\n".join(shown))
