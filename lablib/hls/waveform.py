"""A recorded simulation as plain data: each signal's values and the cycles in which they begin.

The simulator writes a value change dump (IEEE 1800, section 21.7) with two time steps a cycle, the clock high in the
first; `read_vcd` keeps what each signal is just before the next rising edge, which is what registers see.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lablib.hls.errors import HardwareError

__all__ = ["Signal", "Waveform", "read_vcd"]


@dataclass(frozen=True)
class Signal:
    """One signal over time.

    Attributes
    ----------
    name
        Its path below the module: ``"acc"``, ``"mul0.p"``.
    bits
        Width.
    cycles, values
        The cycles in which it takes a new value, the first being 0, and those values, unsigned.
    """

    name: str
    bits: int
    cycles: tuple[int, ...]
    values: tuple[int, ...]

    def at(self, cycle: int) -> int:
        """Its value in a cycle."""
        return next(value for start, value in zip(self.cycles[::-1], self.values[::-1], strict=True) if start <= cycle)


@dataclass(frozen=True)
class Waveform:
    """Signals by name, over ``cycles`` cycles."""

    cycles: int
    signals: dict[str, Signal]


def read_vcd(text: str, steps: int = 2) -> Waveform:
    """Read a value change dump.

    Parameters
    ----------
    text
        The dump, two-valued.
    steps
        Time steps a cycle.

    Raises
    ------
    HardwareError
        The text is not such a dump.

    Examples
    --------
    >>> dump = "$var wire 4 ! q $end $enddefinitions $end #0 b0 ! #2 b101 !"
    >>> read_vcd(dump).signals["q"]
    Signal(name='q', bits=4, cycles=(0, 1), values=(0, 5))
    """
    words = iter(text.split())
    try:
        names = _declarations(words)
        changes, last = _changes(words, steps)
    except (StopIteration, ValueError, KeyError) as error:
        raise HardwareError(f"This is not a value change dump of two-valued signals: {error!r}.") from None
    signals = {}
    for name, (code, bits) in names.items():
        history = _without_repeats(changes.get(code, {}))
        if history:
            cycles, values = zip(*history, strict=True)
            signals[name] = Signal(name, bits, cycles, values)
    return Waveform(last + 1, signals)


def _declarations(words: Iterator[str]) -> dict[str, tuple[str, int]]:
    """Code and width by name, scopes below the module's own joined by dots."""
    names, scopes = {}, []
    for word in words:
        if word == "$enddefinitions":
            next(words)
            break
        body = []
        if word.startswith("$"):
            while (part := next(words)) != "$end":
                body.append(part)
        if word == "$scope":
            scopes.append(body[1])
        elif word == "$upscope":
            scopes.pop()
        elif word == "$var":
            names[".".join([*scopes[2:], body[3]])] = (body[2], int(body[1]))
    else:
        raise ValueError("it declares nothing")
    # A port stands twice: above the module and in it, under the same name.
    return names


def _changes(words: Iterator[str], steps: int) -> tuple[dict[str, dict[int, int]], int]:
    """By code, the last value in each cycle; and the last cycle."""
    changes: dict[str, dict[int, int]] = {}
    cycle = 0
    for word in words:
        if word.startswith("#"):
            cycle = int(word[1:]) // steps
        elif word.startswith("b"):
            changes.setdefault(next(words), {})[cycle] = int(word[1:], 2)
        elif word[0] in "01":
            changes.setdefault(word[1:], {})[cycle] = int(word[0])
        elif not word.startswith("$"):
            raise ValueError(word)
    return changes, cycle


def _without_repeats(changes: dict[int, int]) -> list[tuple[int, int]]:
    history: list[tuple[int, int]] = []
    for cycle, value in sorted(changes.items()):
        if not history or history[-1][1] != value:
            history.append((cycle, value))
    return history
