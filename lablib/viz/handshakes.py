"""When words move over valid and ready, and when calls run from start to done, in a recorded simulation."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["Handshake", "Span", "handshakes"]

_VALID = re.compile(r"(.*)_(valid|vld)")
_READY = {"valid": "ready", "vld": "rdy"}
_ALONE = ("in", "out")  # without a ready beside it, another valid may be data
_CALLS = (("start", "done"), ("ap_start", "ap_done"))
_RESETS = {"rst": 1, "reset": 1, "ap_rst": 1, "rst_n": 0, "reset_n": 0, "ap_rst_n": 0}


@dataclass(frozen=True)
class Span:
    """Cycles ``start`` to ``end - 1``: a word moves in each, or one waits, or a call runs. ``words`` came before."""

    start: int
    end: int
    state: Literal["moves", "waits", "runs"]
    words: int


@dataclass(frozen=True)
class Handshake:
    """One handshake: its name, its one or two signals, and when something happens on it."""

    name: str
    signals: tuple[str, ...]
    spans: tuple[Span, ...]

    @property
    def words(self) -> int:
        """How many words move, or calls run."""
        return sum(span.end - span.start if span.state == "moves" else span.state == "runs" for span in self.spans)

    @property
    def waiting(self) -> int:
        """In how many cycles a word waits because nobody is ready for it."""
        return sum(span.end - span.start for span in self.spans if span.state == "waits")


def handshakes(signals: Mapping[str, Any], cycles: int) -> list[Handshake]:
    """Find the handshakes: ``x_valid`` with ``x_ready``, ``in_valid`` or ``out_valid`` alone, ``start`` with ``done``.

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
            found.append(Handshake(f"{match[1]} words", (name, ready), _words(signal, signals[ready], resets, cycles)))
        elif match[1] in _ALONE:
            found.append(Handshake(f"{match[1]} words", (name,), _words(signal, None, resets, cycles)))
    for start, done in _CALLS:
        if start in signals and done in signals:
            found.append(Handshake("calls", (start, done), _calls(signals[start], signals[done], cycles)))
    return found


def _calls(start: Any, done: Any, cycles: int) -> tuple[Span, ...]:
    """From each start to the cycle in which it is done; the last call may still run when the recording ends."""
    starts, ends = _high(start, cycles), _high(done, cycles)
    spans: list[Span] = []
    free = 0
    while (begins := _next(starts, free)) is not None:
        last = _next(ends, begins)
        free = cycles if last is None else last + 1
        spans.append(Span(begins, free, "runs", len(spans)))
    return tuple(spans)


def _high(signal: Any, cycles: int) -> list[tuple[int, int]]:
    """Where a signal of one bit is 1: first cycle, and cycle after the last."""
    ends = [*signal.cycles[1:], cycles]
    return [(at, end) for at, end, value in zip(signal.cycles, ends, signal.values, strict=True) if value]


def _next(high: list[tuple[int, int]], cycle: int) -> int | None:
    """The first cycle from ``cycle`` on in which the signal is 1."""
    return next((max(start, cycle) for start, end in high if end > cycle), None)


def _words(valid: Any, ready: Any, resets: list[tuple[Any, int]], cycles: int) -> tuple[Span, ...]:
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
