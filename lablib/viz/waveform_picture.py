"""The beginning of a waveform as a picture that stands still, for a page that runs no widgets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from lablib.viz.style import WIDTH
from lablib.viz.svg import drawing, node, paint, text

_ROW, _TOP, _NAMES, _EDGE = 30, 70, 128, 16
_MOST_CYCLES, _MOST_ROWS = 18, 24
_CHARACTER = 6.7  # px
_WAITS = {"fill": "none", "stroke": paint("bad"), "stroke_dasharray": "3 2"}


def waveform_picture(title: str, summary: str, cycles: int, rows: Sequence[dict[str, Any]]) -> str:
    """Draw the first cycles of the first rows, as waveforms.py makes them for the widget."""
    shown, drawn = min(cycles, _MOST_CYCLES), rows[:_MOST_ROWS]
    wide = (WIDTH - _NAMES - _EDGE) / shown
    height = _TOP + _ROW * len(drawn) + _EDGE
    cut = f"the first {shown} of {cycles} cycles" if shown < cycles else f"{cycles} cycles"
    parts = [text(_EDGE, 24, title, size=16, font_weight=600), text(_EDGE, 43, cut, "muted")]
    for cycle in range(shown):
        x = _NAMES + cycle * wide
        parts.append(text(x + wide / 2, _TOP - 8, str(cycle), "muted", 11, text_anchor="middle"))
        parts.append(node("path", d=f"M{x:.1f} {_TOP}V{height - _EDGE}", stroke=paint("rule"), stroke_dasharray="2 3"))
    for index, row in enumerate(drawn):
        y = _TOP + index * _ROW
        colour = "good" if row["kind"] == "handshake" else "ink"
        parts.append(text(_NAMES - 10, y + 19, row["name"], colour, mono=True, text_anchor="end"))
        parts.append(node("g", *_row(row, shown, wide), transform=f"translate({_NAMES} {y})"))
    return drawing(WIDTH, height, f"{title} {summary}", parts)


def _row(row: dict[str, Any], shown: int, wide: float) -> Iterator[str]:
    ink = {"fill": "none", "stroke": paint("ink"), "stroke_width": 1.3}
    if row["kind"] == "clock":
        yield node("path", d="M0 22" + f"V8h{wide / 2:.2f}V22h{wide / 2:.2f}" * shown, **ink)
    elif row["kind"] == "handshake":
        yield from _words(row, shown, wide)
    else:
        ends = [*row["cycles"][1:], shown]
        every = zip(row["cycles"], ends, row["values"], strict=True)
        pieces = [(start, min(end, shown), value) for start, end, value in every if start < shown]
        if row["bits"] == 1:
            path = "".join(
                f"{'V' if start else 'M0 '}{8 if value == '1' else 22}H{end * wide:.1f}" for start, end, value in pieces
            )
            yield node("path", d=path, **ink)
        else:
            for start, end, value in pieces:
                yield _hexagon(start * wide, end * wide, _written(value, row["bits"], row["radix"]))


def _words(row: dict[str, Any], shown: int, wide: float) -> Iterator[str]:
    for start, end, state, words in row["spans"]:
        length = end - start if state == "runs" else 1
        for cycle in range(start, min(end, shown), length):
            x, width = cycle * wide, (min(cycle + length, shown) - cycle) * wide
            inside, colour, look = str(words + cycle - start), "card", {"fill": paint("good")}
            if state == "waits":
                inside, colour, look = "waits", "bad", _WAITS
            yield node("rect", x=x + 1, y=7, width=width - 2, height=16, rx=2, **look)
            if len(inside) * _CHARACTER <= width:
                yield text(x + width / 2, 19, inside, colour, 11, text_anchor="middle")


def _hexagon(x: float, end: float, value: str) -> str:
    path = f"M{x:.1f} 15l4 -9H{end - 4:.1f}l4 9l-4 9H{x + 4:.1f}z"
    shape = node("path", d=path, fill=paint("faint"), stroke=paint("accent"), stroke_width=1.3)
    if len(value) * _CHARACTER > end - x - 3:
        return shape
    return shape + text((x + end) / 2, 19, value, size=11, mono=True, text_anchor="middle")


def _written(value: str, bits: int, radix: str) -> str:
    number = int(value, 16)
    if radix == "signed":
        return str(number - (number >> (bits - 1) << bits))
    return {"hex": f"{number:0{-(-bits // 4)}x}", "unsigned": str(number), "binary": f"{number:0{bits}b}"}[radix]
