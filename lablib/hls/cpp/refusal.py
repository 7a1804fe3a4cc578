"""What is said of C++ outside the subset: the line, the construct, and what to write instead."""

from __future__ import annotations

from lablib.hls.errors import HardwareError

__all__ = ["OutsideSubset", "refused"]


class OutsideSubset(HardwareError):
    """A construct that this compiler does not turn into hardware.

    Attributes
    ----------
    line
        Of the source.
    """

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


def refused(line: int, construct: str, instead: str) -> OutsideSubset:
    """The error to raise.

    Examples
    --------
    >>> print(refused(3, "a while loop", "write for (int i = 0; i < 8; i++)"))
    Line 3: a while loop is outside the subset that becomes hardware here: write for (int i = 0; i < 8; i++).
    """
    return OutsideSubset(line, f"Line {line}: {construct} is outside the subset that becomes hardware here: {instead}.")
