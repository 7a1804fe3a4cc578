"""The cells of a systolic array as SVG, in one cycle; every place has a name by which a script finds it."""

from __future__ import annotations

from collections.abc import Iterator

from lablib.viz.svg import drawing, node, paint, text

Frame = dict[str, list[str]]
"""What stands where in one cycle: text and state by place, ``"a-0-1"`` for the operand of A in cell (0, 1)."""

SLOTS = 5
"""How many of the operands that come in next are drawn on each side."""

_LEFT, _TOP, _GAP = 196, 140, 12
_LEAST_WIDTH = 760
_ACROSS, _DOWN, _HIGH = 36, 25, 20  # px between waiting operands, side by side and above each other; their height


def systolic_picture(size: int, frame: Frame, label: str) -> tuple[str, dict[str, float]]:
    """Draw a frame; return it with its size, and ``pitch``, the distance from one cell to the next, in px."""
    cell = 104 if size <= 4 else 78
    pitch = cell + _GAP
    parts = [
        text(_LEFT - 18, _TOP - 16, "B ↓", "series-1", 15, text_anchor="end", font_weight=700),
        text(14, _TOP - 16, "A →", "series-0", 15, font_weight=700),
    ]
    for i in range(size):
        for j in range(size):
            parts += _cell(frame, i, j, _LEFT + j * pitch, _TOP + i * pitch, cell)
    for lane in range(size):
        for ahead in range(1, SLOTS + 1):
            x, y = _LEFT - 8 - ahead * _ACROSS, _TOP - 8 - ahead * _DOWN
            middle = lane * pitch + (cell - _HIGH) / 2
            parts.append(_operand(frame, f"left-{lane}-{ahead}", "a", x, _TOP + middle, _ACROSS - 4))
            parts.append(_operand(frame, f"above-{lane}-{ahead}", "b", _LEFT + lane * pitch + cell / 2 - 18, y, 36))
    extent = {"width": float(max(_LEAST_WIDTH, _LEFT + size * pitch + 8)), "height": float(_TOP + size * pitch + 8)}
    return drawing(**extent, label=label, inside=parts), {"pitch": pitch, **extent}


def _cell(frame: Frame, i: int, j: int, x: float, y: float, side: float) -> Iterator[str]:
    state = frame[f"cell-{i}-{j}"][1]
    stroke = {"works": "accent", "complete": "good", "idle": "rule"}[state]
    box = node(
        "rect", x=x, y=y, width=side, height=side, rx=8, fill=paint("faint"), stroke=paint(stroke),
        stroke_width=1 if state == "idle" else 2.5,
    )  # fmt: skip
    tick = text(
        x + side - 12, y + 20, "✓", "good", 14, text_anchor="middle", class_="tick", opacity=int(state == "complete")
    )
    yield node("g", box, tick, class_=state, data_key=f"cell-{i}-{j}")
    yield _operand(frame, f"b-{i}-{j}", "b", x + side / 2 - 18, y + 4, 36)
    yield _operand(frame, f"a-{i}-{j}", "a", x + 5, y + (side - _HIGH) / 2, 36)
    middle = y + side / 2 + 4
    wide = side > 100
    if wide:  # a small cell has no room for the product
        yield _words(frame, f"product-{i}-{j}", x + side - 7, middle, "muted", 12, "end")
    low = y + side - (12 if wide else 8)
    yield _words(frame, f"sum-{i}-{j}", x + side / 2, low, "ink", 17 if wide else 13, "middle")


def _operand(frame: Frame, key: str, matrix: str, x: float, y: float, width: float) -> str:
    inside, state = frame[key]
    colour = paint("series-0" if matrix == "a" else "series-1")
    box = node("rect", x=x, y=y, width=width, height=_HIGH, rx=10 if matrix == "a" else 3, fill=colour)
    label = text(x + width / 2, y + 14, inside, "card", 12, text_anchor="middle", font_weight=600, mono=True)
    return node("g", box, label, class_=f"operand {state}", data_key=key, opacity=1 if state == "on" else 0)


def _words(frame: Frame, key: str, x: float, y: float, colour: str, size: int, anchor: str) -> str:
    label = text(x, y, frame[key][0], colour, size, text_anchor=anchor, font_weight=650, mono=True)
    return node("g", label, class_="on", data_key=key)
