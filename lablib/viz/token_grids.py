"""Images cut into patches, with the patches that share a token in one colour: what merging leaves after each block."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lablib.viz.grids import BARE_AXIS
from lablib.viz.picture import SLIDER_HEIGHT, Picture, Step, add_slider
from lablib.viz.style import (
    CARD,
    GRIP,
    INK,
    MARGIN,
    PALE_BLUE,
    PALE_GREEN,
    PALE_VERMILION,
    SERIES,
    WIDTH,
    card,
    graph_objects,
    heading,
)
from lablib.viz.units import plural

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_TITLE = "Which patches share a token?"
_TOP, _BOTTOM = 104, 12
_GAP = 3  # pixels of the images between two of them
_HUES = (PALE_BLUE, PALE_VERMILION, PALE_GREEN, *SERIES[3:])


def token_groups(images: Any, groups: Any, labels: Sequence[str]) -> Picture:
    """Step through the tokens that are left after each merging, drawn on the images; the last step is shown first.

    Parameters
    ----------
    images
        Shape (images, height, width), from 0 for white to 1 for black.
    groups
        The token of each patch, whole numbers, shape (steps, images, rows, columns); rows divide the height and columns
        the width.
    labels
        One a step, on the slider.

    Returns
    -------
    Picture
        Its ``summary`` says how many tokens each image has at the beginning and at the end.

    Raises
    ------
    ValueError
        When shapes or labels do not fit each other.

    Examples
    --------
    >>> token_groups([[[0.0, 1.0]]], [[[[0, 1]]], [[[0, 0]]]], ["before", "after"])
    Which patches share a token? 1 image of 1 x 2 patches: 2 tokens at before, 1 at after.
    """
    pictures, patches = np.asarray(images, dtype=float), np.asarray(groups)
    _check(pictures, patches, labels)
    _, count, rows, columns = patches.shape
    ends = ", ".join(f"{_tokens(patches[index])} at {labels[index]}" for index in (0, -1))
    ends = ends.replace(" at", " tokens at", 1)
    return Picture(
        _draw(pictures, patches, labels), f"{_TITLE} {plural(count, 'image')} of {rows} x {columns} patches: {ends}."
    )


def _check(pictures: np.ndarray, patches: np.ndarray, labels: Sequence[str]) -> None:
    if pictures.ndim != 3 or patches.ndim != 4 or patches.shape[1] != pictures.shape[0]:
        raise ValueError(
            "token_groups takes images (images, height, width) and groups (steps, images, rows, columns); it got "
            f"{pictures.shape} and {patches.shape}"
        )
    if pictures.shape[1] % patches.shape[2] or pictures.shape[2] % patches.shape[3]:
        raise ValueError(f"{patches.shape[2:]} patches do not fill an image of {pictures.shape[1:]}")
    if len(labels) != len(patches):
        raise ValueError(f"there are {len(patches)} steps but {len(labels)} labels: give one a step")


def _tokens(step: np.ndarray) -> str:
    """How many tokens the images have, as one number where they agree."""
    counts = sorted({len(np.unique(image)) for image in step})
    return str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"


def _draw(pictures: np.ndarray, patches: np.ndarray, labels: Sequence[str]) -> Figure:
    count, height, width = pictures.shape
    across = count * (width + _GAP) - _GAP
    cell = min((WIDTH - 2 * MARGIN) / across, 340 / height)
    axes_height = round(cell * height)
    total = _TOP + axes_height + _BOTTOM + SLIDER_HEIGHT
    steps = [
        Step(label, _traces(pictures, step), {"title": heading(_TITLE, _sentence(step), total)})
        for label, step in zip(labels, patches, strict=True)
    ]
    last = len(steps) - 1
    figure = graph_objects().Figure(steps[last].traces)
    margin = {"l": MARGIN, "r": MARGIN, "t": _TOP, "b": _BOTTOM + SLIDER_HEIGHT}
    card(figure, _TITLE, _sentence(patches[last]), total, margin=margin, showlegend=False)
    share = min(1.0, cell * across / (WIDTH - 2 * MARGIN))
    figure.update_xaxes(**BARE_AXIS, range=[-0.5, across - 0.5], domain=[0, share])
    figure.update_yaxes(**BARE_AXIS, range=[height - 0.5, -0.5])
    add_slider(figure, steps, prefix="after ", start=last)
    return figure


def _sentence(step: np.ndarray) -> str:
    sizes = [np.unique(image, return_counts=True)[1] for image in step]
    largest, alone = max(int(size.max()) for size in sizes), sum(int((size == 1).sum()) for size in sizes)
    stands = "1 patch" if largest == 1 else f"{largest} patches"
    return f"{_tokens(step)} tokens an image; patches that are alone: {alone}; the largest token stands for {stands}."


def _traces(pictures: np.ndarray, step: np.ndarray) -> list[Any]:
    go = graph_objects()
    count, height, width = pictures.shape
    grey, hue = (np.full((height, count * (width + _GAP) - _GAP), np.nan) for _ in range(2))
    lines: tuple[list[Any], list[Any]] = ([], [])
    numbers: list[tuple[float, float, str, str]] = []
    tall, wide = height // step.shape[1], width // step.shape[2]
    for index, (image, groups) in enumerate(zip(pictures, step, strict=True)):
        left = index * (width + _GAP)
        grey[:, left : left + width] = np.clip(image, 0, 1)
        shared = [token for token, size in zip(*np.unique(groups, return_counts=True), strict=True) if size > 1]
        for number, token in enumerate(shared, 1):
            for row, column in zip(*np.nonzero(groups == token), strict=True):
                top, start = row * tall, left + column * wide
                hue[top : top + tall, start : start + wide] = (number - 1) % len(_HUES)
                dark = grey[top + tall // 2, start + wide // 2] > 0.4
                numbers.append((start + wide / 2 - 0.5, top + tall / 2 - 0.5, str(number), CARD if dark else INK))
        _add_lines(lines, groups, left, tall, wide)
    levels, faint = len(_HUES) - 1, _transparent(INK)
    return [
        go.Heatmap(
            z=hue, zmin=0, zmax=levels, colorscale=[[i / levels, colour] for i, colour in enumerate(_HUES)],
            opacity=0.7, showscale=False, hoverinfo="skip", hoverongaps=False,
        ),
        # Ink lies on the colours, as in print.
        go.Heatmap(
            z=np.round(grey, 2), zmin=0, zmax=1, colorscale=[[0, faint], [1, INK]], showscale=False, hoverinfo="skip",
            hoverongaps=False,
        ),
        go.Scatter(x=lines[0], y=lines[1], mode="lines", line={"color": GRIP, "width": 1.5}, hoverinfo="skip"),
        go.Scatter(
            x=[x for x, *_ in numbers], y=[y for _, y, *_ in numbers], text=[name for _, _, name, _ in numbers],
            mode="text", textfont={"size": 11, "color": [colour for *_, colour in numbers]}, hoverinfo="skip",
        ),
    ]  # fmt: skip


def _transparent(colour: str) -> str:
    """A colour such as ``"#1B2733"`` that is not there yet."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},0)"


def _add_lines(lines: tuple[list[Any], list[Any]], groups: np.ndarray, left: int, tall: int, wide: int) -> None:
    """Add a line wherever neighbouring patches belong to different tokens, and around the image."""
    framed = np.pad(groups.astype(np.int64), 1, constant_values=-1)
    rows, columns = groups.shape
    for row in range(rows + 1):
        for column in range(columns + 1):
            x, y = left + column * wide - 0.5, row * tall - 0.5
            if column < columns and framed[row, column + 1] != framed[row + 1, column + 1]:
                lines[0].extend([x, x + wide, None])
                lines[1].extend([y, y, None])
            if row < rows and framed[row + 1, column] != framed[row + 1, column + 1]:
                lines[0].extend([x, x, None])
                lines[1].extend([y, y + tall, None])
