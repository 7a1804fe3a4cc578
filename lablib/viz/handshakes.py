"""Which words move over a valid and ready handshake, read from the signals of a recorded simulation."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["Handshake", "Span", "handshakes"]

_VALID = re.compile(r"(.*)_(valid|vld)")
_READY = {"valid": "ready", "vld": "rdy"}
_ALONE = ("in", "out")  # without a ready beside it, another valid may be data
_RESETS = {"rst": 1, "reset": 1, "ap_rst": 1, "rst_n": 0, "reset_n": 0, "ap_rst_n": 0}


@dataclass(frozen=True)
class Span:
    """Cycles ``start`` to ``end - 1``: a word moves in each, or one waits. ``words`` moved before."""

    start: int
    end: int
    state: Literal["moves", "waits"]
    words: int


@dataclass(frozen=True)
class Handshake:
    """One handshake: its name, its signals, and when something happens on it."""

    name: str
    valid: str
    ready: str | None
    spans: tuple[Span, ...]

    @property
    def words(self) -> int:
        """How many words move."""
        return sum(span.end - span.start for span in self.spans if span.state == "moves")

    @property
    def waiting(self) -> int:
        """In how many cycles a word waits because nobody is ready for it."""
        return sum(span.end - span.start for span in self.spans if span.state == "waits")


def handshakes(signals: Mapping[str, Any], cycles: int) -> list[Handshake]:
    """Find the handshakes among signals: ``x_valid`` with ``x_ready``, and ``in_valid`` or ``out_valid`` alone.

    Parameters
    ----------
    signals
        By name, what has ``bits``, ``cycles`` (in which a new value begins, the first being 0) and ``values``.
    cycles
        How many cycles were recorded.

    Examples
    --------
    >>> from types import SimpleNamespace as Signal
    >>> valid, ready = Signal(bits=1, cycles=(0, 2), values=(0, 1)), Signal(bits=1, cycles=(0, 3), values=(0, 1))
    >>> handshakes({"x_valid": valid, "x_ready": ready}, 5)[0].spans
    (Span(start=2, end=3, state='waits', words=0), Span(start=3, end=5, state='moves', words=0))
    """
    found = []
    resets = [(signals[name], active) for name, active in _RESETS.items() if name in signals]
    for name, signal in signals.items():
        match = _VALID.fullmatch(name)
        if not match or signal.bits != 1:
            continue
        ready = f"{match[1]}_{_READY[match[2]]}"
        if ready in signals:
            found.append(Handshake(match[1], name, ready, _spans(signal, signals[ready], resets, cycles)))
        elif match[1] in _ALONE:
            found.append(Handshake(match[1], name, None, _spans(signal, None, resets, cycles)))
    return found


def _spans(valid: Any, ready: Any, resets: list[tuple[Any, int]], cycles: int) -> tuple[Span, ...]:
    watched = [(valid, 1), *resets] if ready is None else [(valid, 1), (ready, 1), *resets]
    changes = sorted({cycle for signal, _ in watched for cycle in signal.cycles if cycle < cycles})
    steps = [iter(zip(signal.cycles, signal.values, strict=True)) for signal, _ in watched]
    ahead = [next(step, None) for step in steps]
    now = [0] * len(watched)
    spans: list[Span] = []
    words = 0
    for start, end in zip(changes, [*changes[1:], cycles], strict=True):
        for index, step in enumerate(steps):
            while (change := ahead[index]) is not None and change[0] <= start:
                now[index], ahead[index] = change[1], next(step, None)
        in_reset = any(now[len(watched) - len(resets) + k] == active for k, (_, active) in enumerate(resets))
        if now[0] and not in_reset:
            state = "moves" if ready is None or now[1] else "waits"
            spans.append(Span(start, end, state, words))
            words += (end - start) * (state == "moves")
    return tuple(spans)
