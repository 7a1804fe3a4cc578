"""A recorded simulation as a waveform that can be zoomed, with every signal's value at a cursor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lablib.viz.handshakes import Handshake, handshakes
from lablib.viz.units import plural
from lablib.viz.view import View, read
from lablib.viz.waveform_picture import waveform_picture

RADICES = ("hex", "signed", "unsigned", "binary")
_CLOCKS = ("clk", "clock", "ap_clk")


class WaveformView(View):
    """The widget that `waveform` returns; its summary says what moves over the handshakes."""

    _esm = read("view.js", "waveforms.js")
    _css = read("view.css", "waveforms.css")


def waveform(
    wave: Any,
    signals: Sequence[str] | None = None,
    radix: str | Mapping[str, str] = "hex",
    title: str = "What does every signal do, cycle by cycle?",
    cursor: int = 0,
) -> WaveformView:
    """Show a recorded simulation.

    Click to place the cursor; the column beside the names has the values there. Drag to move, turn the wheel to
    zoom (it needs a click into the picture first, or Ctrl). Below each valid and ready pair a row shows when words
    move, counted from 0, and when one waits; below start and done, one shows when calls run. With the keyboard:
    left and right move the cursor, with shift to the next change of the chosen signal, up and down choose a signal,
    + and - zoom, 0 shows everything, r turns the radix.

    Parameters
    ----------
    wave
        What `lablib.hls.rtlsim` recorded: has ``cycles``, and ``signals`` by name, each with ``bits``, ``cycles`` (in
        which a new value begins, the first being 0) and ``values`` (unsigned).
    signals
        Names, from top to bottom. By default all that change; a clock comes first.
    radix
        ``"hex"``, ``"signed"``, ``"unsigned"`` or ``"binary"``: for all signals, or by name.
    title
        The question that the waveform answers.
    cursor
        The cycle in which the cursor stands at first.

    Returns
    -------
    WaveformView
        Displays in Jupyter; ``to_html()`` gives a page of its own, ``picture`` the first cycles as SVG.

    Raises
    ------
    ValueError
        There is no such signal, radix or cycle.

    Examples
    --------
    >>> from types import SimpleNamespace as Wave
    >>> valid = Wave(bits=1, cycles=(0, 2, 5), values=(0, 1, 0))
    >>> waveform(Wave(cycles=8, signals={"in_valid": valid}))
    8 cycles of 1 signal. in words: 3, the first in cycle 2.
    """
    known = wave.signals
    names = _chosen(known, signals)
    if not 0 <= cursor < wave.cycles:
        raise ValueError(f"cursor must be a recorded cycle, 0 to {wave.cycles - 1}; got {cursor!r}")
    found = handshakes(known, wave.cycles)
    shown = [one for one in found if one.signals[0] in names]
    rows = _rows(known, names, shown, _radices(names, radix))
    left_out = [name for name in known if name not in names and name not in _CLOCKS]
    summary = _summary(wave.cycles, len(names), shown)
    subtitle = f"{plural(wave.cycles, 'cycle')}. A value stands between two rising edges, where registers take it."
    if left_out:
        subtitle += f" Left out: {plural(len(left_out), 'signal')}" + ("." if signals else ", which never change.")
    content = {"title": title, "subtitle": subtitle, "cycles": wave.cycles, "cursor": cursor, "rows": rows}
    return WaveformView(content, summary, waveform_picture(title, summary, wave.cycles, rows))


def _chosen(known: Mapping[str, Any], signals: Sequence[str] | None) -> list[str]:
    if isinstance(signals, str):
        raise ValueError(f"signals is a list of names, got the text {signals!r}")
    missing = [name for name in signals or () if name not in known]
    if missing:
        raise ValueError(f"there is no signal {missing[0]!r}; the simulation recorded {', '.join(known)}")
    if signals:
        return list(dict.fromkeys(signals))
    names = [name for name, one in known.items() if len(one.cycles) > 1 or name in _CLOCKS]
    if not names:
        raise ValueError("no signal ever changes: name those to show in signals")
    return sorted(names, key=lambda name: name not in _CLOCKS)


def _radices(names: Sequence[str], radix: str | Mapping[str, str]) -> dict[str, str]:
    radices = dict.fromkeys(names, radix) if isinstance(radix, str) else dict(radix)
    for name, one in radices.items():
        if one not in RADICES:
            raise ValueError(f"the radix of {name} must be one of {', '.join(RADICES)}; got {one!r}")
        if name not in names:
            raise ValueError(f"radix names the signal {name!r}, which is not shown; shown are {', '.join(names)}")
    return radices


def _rows(
    known: Mapping[str, Any], names: Sequence[str], found: Sequence[Handshake], radices: Mapping[str, str]
) -> list[dict[str, Any]]:
    """One row a signal, and below the last signal of each handshake a row with its words."""
    lanes: dict[str, list[Handshake]] = {}
    for one in found:
        last = max(names.index(name) for name in one.signals if name in names)
        lanes.setdefault(names[last], []).append(one)
    rows: list[dict[str, Any]] = []
    for name in names:
        signal = known[name]
        if name in _CLOCKS:
            rows.append({"kind": "clock", "name": name, "bits": 1})
            continue
        # Values wider than 53 bits would lose digits as JSON numbers.
        values = [f"{value:x}" for value in signal.values]
        row = {"name": name, "bits": signal.bits, "cycles": list(signal.cycles), "values": values}
        rows.append({"kind": "bit" if signal.bits == 1 else "bus", **row, "radix": radices.get(name, "hex")})
        for one in lanes.get(name, []):
            spans = [[span.start, span.end, span.state, span.words] for span in one.spans]
            rows.append({"kind": "handshake", "name": one.name, "bits": 1, "spans": spans})
    return rows


def _summary(cycles: int, count: int, found: Sequence[Handshake]) -> str:
    sentences = [f"{plural(cycles, 'cycle')} of {plural(count, 'signal')}."]
    for one in found:
        first = next((span.start for span in one.spans if span.state != "waits"), None)
        since = "none" if first is None else f"{one.words}, the first in cycle {first}"
        waits = f"; one waits in {plural(one.waiting, 'cycle')}" if one.waiting else ""
        sentences.append(f"{one.name}: {since}{waits}.")
    return " ".join(sentences)
