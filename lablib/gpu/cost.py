"""The two numbers that decide how fast an operation can be: its arithmetic and its traffic."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Cost"]


@dataclass(frozen=True)
class Cost:
    """Floating-point operations and the least bytes that must cross the memory interface.

    Examples
    --------
    >>> Cost(flops=1000, bytes=250).intensity
    4.0
    """

    flops: int
    bytes: int

    @property
    def intensity(self) -> float:
        """Arithmetic intensity, in FLOP a byte."""
        return self.flops / self.bytes

    def seconds(self, flops_per_s: float, bytes_per_s: float) -> float:
        """The roofline's bound: the longer of computing and moving."""
        return max(self.flops / flops_per_s, self.bytes / bytes_per_s)

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.flops + other.flops, self.bytes + other.bytes)
