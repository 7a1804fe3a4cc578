"""On which side of its point each label of a figure stands, so that it covers least of what else is there."""

from __future__ import annotations

from collections.abc import Sequence

CHARACTER, LINE = 6.4, 17  # px that a label's character and line take

Box = tuple[float, ...]


def label_sides(
    centres: Sequence[tuple[float, float]], labels: Sequence[str], marks: Sequence[Box], width: float
) -> list[str]:
    """Choose for each label the side of its point where it covers least of other points, labels and marks.

    Parameters
    ----------
    centres
        Of the points, in px from the axes' top left corner.
    labels
        One a point.
    marks
        Left, top, right and bottom of anything else that should stay free, in px.
    width
        Of the axes, in px.

    Returns
    -------
    list of str
        A ``textposition`` of plotly for each point; ``middle`` ones need a space before and after the label.
    """
    taken = [*marks, *((x - 7, y - 7, x + 7, y + 7) for x, y in centres)]
    sides = [_boxes(x, y, CHARACTER * (len(label) + 2)) for label, (x, y) in zip(labels, centres, strict=True)]
    chosen = ["bottom right"] * len(labels)
    for _ in range(3):  # each label in turn takes the best side that the others leave it
        for index, boxes in enumerate(sides):
            others = [sides[k][side] for k, side in enumerate(chosen) if k != index]
            chosen[index] = min(boxes, key=lambda side: overlap(boxes[side], others + taken, width))
    return chosen


def _boxes(x: float, y: float, span: float) -> dict[str, Box]:
    """Left, top, right and bottom in px of a label of width ``span`` on each side of a point."""
    middle, above, below = (y - LINE / 2, y + LINE / 2), (y - 5 - LINE, y - 5), (y + 5, y + 5 + LINE)
    return {
        "bottom right": (x, below[0], x + span, below[1]),
        "top left": (x - span, above[0], x, above[1]),
        "top right": (x, above[0], x + span, above[1]),
        "bottom left": (x - span, below[0], x, below[1]),
        "middle right": (x + 8, middle[0], x + 8 + span, middle[1]),
        "middle left": (x - 8 - span, middle[0], x - 8, middle[1]),
        "top center": (x - span / 2, above[0], x + span / 2, above[1]),
        "bottom center": (x - span / 2, below[0], x + span / 2, below[1]),
    }


def overlap(box: Box, taken: Sequence[Box], width: float) -> float:
    """Area in px² that a box shares with those taken, and ten times what it sticks out at the sides."""
    left, top, right, bottom = box
    shared = 0.0
    for other_left, other_top, other_right, other_bottom in taken:
        wide = min(right, other_right) - max(left, other_left)
        high = min(bottom, other_bottom) - max(top, other_top)
        shared += max(0.0, wide) * max(0.0, high)
    return shared + 10 * LINE * (max(0.0, -left) + max(0.0, right - width))
