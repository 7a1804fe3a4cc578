"""Points too many for their names: each gets a number some way off, to which a line leads, and a key has the names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from lablib.viz.label_sides import CHARACTER, LINE, Box
from lablib.viz.style import INK, MUTED

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_COLUMNS, _KEY_LINE = 3, 20  # of the key; px of one of its lines
_TURNS = np.arange(16) * np.pi / 8
_RINGS = np.concatenate([r * np.stack([np.cos(_TURNS), np.sin(_TURNS)], axis=1) for r in range(16, 140, 8)])
_ALONG = np.linspace(0.1, 1, 16)  # where a line to a label is looked at


def add_numbers(
    figure: Figure,
    at: Sequence[tuple[float, float]],
    centres: Sequence[tuple[float, float]],
    marks: Sequence[Box],
    width: float,
) -> None:
    """Number points from 1 on, clear of each other and of what else is there.

    Parameters
    ----------
    figure
        Has the points already.
    at
        Where they are, as annotations want it: logarithms on a logarithmic axis.
    centres, marks, width
        As for `label_sides`.
    """
    numbers = [str(number) for number in range(1, len(at) + 1)]
    for number, (x, y), (right, below) in zip(numbers, at, _offsets(centres, numbers, marks, width), strict=True):
        figure.add_annotation(
            text=f"<b>{number}</b>", x=x, y=y, ax=right, ay=below, showarrow=True, arrowhead=0, arrowwidth=1,
            arrowcolor=MUTED, standoff=5, borderpad=0, font={"size": 12, "color": INK},
        )  # fmt: skip


def key_height(names: int) -> int:
    """Of a key with so many names, in px."""
    return _KEY_LINE * -(-names // _COLUMNS)


def add_key(figure: Figure, names: Sequence[str], width: float, below: float) -> None:
    """List numbered names column by column, ``below`` px under the axes, which are ``width`` px wide."""
    rows = -(-len(names) // _COLUMNS)
    for index, name in enumerate(names):
        column, row = divmod(index, rows)
        for text, shift, anchor in ((f"<b>{index + 1}</b>", 0, "right"), (name, 8, "left")):
            figure.add_annotation(
                text=text, x=0, xref="paper", xanchor=anchor, xshift=column * (width + 60) / _COLUMNS - 40 + shift,
                y=0, yref="paper", yanchor="top", yshift=-below - row * _KEY_LINE, showarrow=False,
                font={"size": 12, "color": INK},
            )  # fmt: skip


def _offsets(
    centres: Sequence[tuple[float, float]], labels: Sequence[str], marks: Sequence[Box], width: float
) -> np.ndarray:
    """How far right of its point, and how far below, the middle of each label stands, in px; shape (points, 2)."""
    points = _around(np.array(centres), 6, 6)
    places = [_Places(x, y, CHARACTER * len(label) / 2 + 2) for (x, y), label in zip(centres, labels, strict=True)]
    # What does not move is weighed once: marks, points, the edges, and a label's distance.
    fixed = [
        one.covers(np.array([*marks, *points])) + one.crosses(np.delete(points, index, axis=0))
        + one.sticks_out(width) + one.length
        for index, one in enumerate(places)
    ]  # fmt: skip
    chosen = np.zeros(len(places), dtype=int)
    for _ in range(4):  # each label in turn takes the best place that the others leave it
        for index, one in enumerate(places):
            others = np.array([places[k].boxes[chosen[k]] for k in range(len(places)) if k != index])
            chosen[index] = np.argmin(fixed[index] + one.covers(others) + one.crosses(others))
    return _RINGS[chosen]


class _Places:
    """Where the label of a point at (x, y) may stand: on rings around it."""

    def __init__(self, x: float, y: float, half: float) -> None:
        self.boxes = _around(_RINGS + np.array([x, y]), half, LINE / 2)
        self.length = np.hypot(*_RINGS.T)
        self._lines = _around(((x, y) + _RINGS[:, None] * _ALONG[:, None]).reshape(-1, 2), 2, 2)

    def covers(self, taken: np.ndarray) -> np.ndarray:
        return 10 * _shared(self.boxes, taken)

    def crosses(self, taken: np.ndarray) -> np.ndarray:
        return 2 * _shared(self._lines, taken).reshape(len(_RINGS), -1).sum(axis=1)

    def sticks_out(self, width: float) -> np.ndarray:
        return 1000 * ((-self.boxes[:, 0]).clip(0) + (self.boxes[:, 2] - width).clip(0))


def _around(middles: np.ndarray, half_width: float, half_height: float) -> np.ndarray:
    """Left, top, right and bottom of boxes around points."""
    half = np.array([half_width, half_height])
    return np.hstack([middles - half, middles + half])


def _shared(boxes: np.ndarray, taken: np.ndarray) -> np.ndarray:
    """Area in px² that each box shares with those taken."""
    sides = np.minimum(boxes[:, None, 2:], taken[:, 2:]) - np.maximum(boxes[:, None, :2], taken[:, :2])
    return sides.clip(0).prod(axis=2).sum(axis=1)
