"""What a kernel that ended too early says about the student's source."""

from __future__ import annotations

import re
import shutil
import signal
from pathlib import Path

from lablib.hls.build import run
from lablib.hls.cpp_types import Signature
from lablib.hls.errors import HardwareError, ToolFailed

__all__ = ["KernelCrashed", "crash"]

_SIGNALS: dict[int, str] = {
    signal.SIGSEGV: "it touched memory that is not its own, or its arrays are larger than the stack",
    signal.SIGBUS: "it touched memory that is not its own",
    signal.SIGFPE: "it divided an integer by zero",
    signal.SIGILL: "it ran into code that does not exist",
    signal.SIGABRT: "it gave up, most likely for want of memory",
    signal.SIGXFSZ: "it printed more than 1 GB",
}
_FAULTING_FRAME = 2  # behind the handler and what called it


class KernelCrashed(HardwareError):
    """A kernel ended before its last line.

    Attributes
    ----------
    line
        Where in the source, or 0 if it is not known.
    output
        What the kernel had printed.
    """

    def __init__(self, message: str, line: int = 0, output: str = "") -> None:
        super().__init__(message)
        self.line, self.output = line, output


def crash(signature: Signature, source: str, program: Path, said: str) -> KernelCrashed:
    """The error to raise for a kernel's program that failed.

    Parameters
    ----------
    signature, source, program
        Of the kernel.
    said
        All that it printed, with the lines beginning with @ in which the program tells of the fault.
    """
    line, what = _cause(signature, program, said)
    lines = source.splitlines()
    where = f"Line {line}: " if line else ""
    text = f"\n    {lines[line - 1].strip()}" if 0 < line <= len(lines) else ""
    printed = "\n".join(each for each in said.splitlines() if not each.startswith("@")).strip()
    return KernelCrashed(f"{where}{signature.name} was stopped: {what}.{text}", line, printed)


def _cause(signature: Signature, program: Path, said: str) -> tuple[int, str]:
    checked = re.search(r"kernel\.cpp:(\d+):\d+: runtime error: (.*)", said)
    if checked:
        return int(checked[1]), checked[2]
    number = re.search(r"^@signal (\d+)", said, re.MULTILINE)
    if number is None:
        return 0, "there was no memory for its arguments" if "@memory" in said else "it called exit"
    outside = re.search(r"^@outside (\w+) (-?\d+)", said, re.MULTILINE)
    if outside:
        parameter = next(each for each in signature.parameters if each.name == outside[1])
        counted = ", counted over all its axes," if len(parameter.shape) > 1 else ""
        what = f"element {outside[2]} of {parameter}{counted} does not exist"
    else:
        what = _SIGNALS.get(int(number[1]), f"it was ended by signal {number[1]}")
    return _line(program, said), what


def _line(program: Path, said: str) -> int:
    """The line of the source that the innermost frame of a fault belongs to."""
    tool, frames = shutil.which("addr2line"), re.search(r"^@frames(.*)$", said, re.MULTILINE)
    if tool is None or frames is None:
        return 0
    # A return address is that of the next instruction; the faulting one is exact.
    addresses = [hex(int(each, 16) - (at != _FAULTING_FRAME)) for at, each in enumerate(frames[1].split())]
    try:
        places = run([tool, "-i", "-e", program, *addresses], program.parent, 10.0, "finding the line")
    except ToolFailed:
        return 0
    found = re.search(r"/kernel\.cpp:(\d+)", places)
    return int(found[1]) if found else 0
