"""What goes wrong between a layer and its hardware: each message is one sentence for who wrote the design."""

from __future__ import annotations

__all__ = ["EngineMissing", "HardwareError", "ToolFailed", "ToolTimeout"]


class HardwareError(ValueError):
    """A design cannot be built, simulated or placed."""


class EngineMissing(HardwareError):
    """A tool is not installed; the message names the package that has it."""


class ToolFailed(HardwareError):
    """A tool refused a design.

    Attributes
    ----------
    output
        All that the tool said.
    """

    def __init__(self, message: str, output: str = "") -> None:
        super().__init__(message)
        self.output = output


class ToolTimeout(ToolFailed):
    """A tool was stopped at its time limit."""
