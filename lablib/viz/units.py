"""Numbers as people read them: bytes, rates and ratios in three significant digits."""

from __future__ import annotations

_SI = (
    (1e15, "P"),
    (1e12, "T"),
    (1e9, "G"),
    (1e6, "M"),
    (1e3, "k"),
    (1.0, ""),
    (1e-3, "m"),
    (1e-6, "µ"),
    (1e-9, "n"),
)
_BINARY = ((2**40, "TiB"), (2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"))


def three_digits(value: float) -> str:
    """Write a number with three significant digits and no exponent, e.g. ``0.25``, ``3.14``, ``1024``."""
    magnitude = abs(value)
    if magnitude >= 100 or value == int(value):
        return f"{value:.0f}"
    return f"{value:.3g}" if magnitude >= 1e-3 else f"{value:.1e}"


def si_prefix(value: float) -> tuple[float, str]:
    """Return the scale and name of the SI prefix that a value is written with, e.g. ``(1e-3, "m")``."""
    return next((pair for pair in _SI if abs(value) >= pair[0]), (1.0, ""))


def binary_prefix(count: float) -> tuple[int, str]:
    """Return the scale and name of the unit that a number of bytes is written in, e.g. ``(1024, "KiB")``."""
    return next((pair for pair in _BINARY if abs(count) >= pair[0]), (1, "B"))


def si(value: float, unit: str) -> str:
    """Write a quantity with an SI prefix, e.g. ``si(4.2e12, "FLOP/s")`` is ``'4.2 TFLOP/s'``."""
    scale, prefix = si_prefix(value)
    return f"{three_digits(value / scale)} {prefix}{unit}"


def size(count: float) -> str:
    """Write a number of bytes with a binary prefix, e.g. ``size(1536)`` is ``'1.5 KiB'``."""
    scale, unit = binary_prefix(count)
    return f"{three_digits(count / scale)} {unit}"


def percent(fraction: float) -> str:
    """Write a fraction in percent, e.g. ``percent(0.125)`` is ``'12%'``; small ones keep a digit."""
    return f"{100 * fraction:.0f}%" if fraction == 0 or fraction >= 0.1 else f"{100 * fraction:.1f}%"


def plural(count: int, noun: str) -> str:
    """Write a count with its noun, e.g. ``plural(2, "program")`` is ``'2 programs'``."""
    if count == 1:
        return f"{count} {noun}"
    return f"{count} {noun}{'es' if noun.endswith('s') else 's'}"
