"""Which pixels, and which frames, one output of a stack of convolutions can see, and by how many paths."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lablib.viz.grids import CAPTION, GAP, Layout, add_axes, axis_names
from lablib.viz.picture import SLIDER_HEIGHT, Picture, Step, add_slider
from lablib.viz.style import BLUE, CARD, FAINT, MARGIN, PALE_BLUE, WIDTH, card, graph_objects, heading
from lablib.viz.units import percent, plural

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_TOP = 92
_ABREAST = 4  # frames in a row


def receptive_field(layers: Sequence[Mapping[str, Any]], size: Sequence[int]) -> Picture:
    """Draw what the middle output of a stack of layers sees of its input, with a slider for the depth.

    A shade is the number of paths from a pixel to that output, as a share of the most that any pixel has.

    Parameters
    ----------
    layers
        From the input on, one dict a layer: ``name``, ``kernel`` and ``stride``, each a tuple of one int an axis, and
        ``padding``, which is half a kernel unless given.
    size
        Of the input: ``(height, width)``, or ``(frames, height, width)``.

    Returns
    -------
    Picture
        Its ``summary`` says how much of the input one output sees, layer by layer.

    Raises
    ------
    ValueError
        When there is no layer, ``size`` has neither two nor three axes, or a kernel or stride has another number.

    Examples
    --------
    >>> layers = [{"name": "conv", "kernel": (3, 3), "stride": (1, 1)}] * 2
    >>> receptive_field(layers, (8, 8))
    One output sees, of 8 x 8: after 1 conv 3 x 3 (14% of the input), after 2 conv 5 x 5 (39% of the input).
    """
    _check(layers, size)
    paths = [_paths(layers[: depth + 1], size) for depth in range(len(layers))]
    parts = [
        f"after {depth} {layer['name']} {_shape(seen)} ({percent(_share(seen))} of the input)"
        for depth, (layer, seen) in enumerate(zip(layers, paths, strict=True), 1)
    ]
    summary = f"One output sees, of {' x '.join(map(str, size))}: {', '.join(parts)}."
    return Picture(_draw(layers, paths, size), summary)


def _check(layers: Sequence[Mapping[str, Any]], size: Sequence[int]) -> None:
    if not layers or len(size) not in (2, 3) or min(size) < 1:
        raise ValueError(f"receptive_field needs a layer, and a size of two or three axes; got {len(layers)}, {size}")
    for layer in layers:
        if len(layer["kernel"]) != len(size) or len(layer["stride"]) != len(size):
            raise ValueError(
                f"{layer['name']!r} has kernel {layer['kernel']} and stride {layer['stride']}; an input of size "
                f"{tuple(size)} needs {len(size)} numbers in each"
            )


def _paths(layers: Sequence[Mapping[str, Any]], size: Sequence[int]) -> list[np.ndarray]:
    """Paths from each place of the input to the middle output, axis by axis: those of a pixel are the product."""
    axes = range(len(size))
    halves = [tuple(k // 2 for k in layer["kernel"]) for layer in layers]
    paddings = [layer.get("padding", half) for layer, half in zip(layers, halves, strict=True)]
    along = [
        [(layer["kernel"][a], layer["stride"][a], padding[a]) for layer, padding in zip(layers, paddings, strict=True)]
        for a in axes
    ]
    return [_axis_paths(along[a], size[a]) for a in axes]


def _axis_paths(layers: Sequence[tuple[int, int, int]], n: int) -> np.ndarray:
    """Paths along one axis of ``n`` places, through layers of (kernel, stride, padding)."""
    lengths = [n]
    for kernel, stride, padding in layers:
        lengths.append((lengths[-1] + 2 * padding - kernel) // stride + 1)
    counts = np.zeros(lengths[-1])
    counts[lengths[-1] // 2] = 1
    for (kernel, stride, padding), length in zip(reversed(layers), reversed(lengths[:-1]), strict=True):
        below = np.zeros(length)
        for place in np.flatnonzero(counts):
            first = place * stride - padding
            below[max(0, first) : max(0, first + kernel)] += counts[place]
        counts = below
    return counts


def _seen(paths: Sequence[np.ndarray]) -> list[int]:
    """How far the field reaches along each axis, from the first place to the last."""
    return [int(np.ptp(np.flatnonzero(counts))) + 1 if counts.any() else 0 for counts in paths]


def _shape(paths: Sequence[np.ndarray]) -> str:
    return " x ".join(map(str, _seen(paths)))


def _share(paths: Sequence[np.ndarray]) -> float:
    return math.prod(float((counts > 0).mean()) for counts in paths)


def _draw(layers: Sequence[Mapping[str, Any]], paths: Sequence[list[np.ndarray]], size: Sequence[int]) -> Figure:
    go = graph_objects()
    frames, (rows, cols) = (1 if len(size) == 2 else size[0]), size[-2:]
    shapes = [(rows, cols)] * frames
    layout = _beside(frames, rows, cols)
    bottom = 36 + SLIDER_HEIGHT
    height = round(_TOP + layout.height + bottom)
    title = "Which part of the input does one output see?"
    steps = [
        Step(
            f"{depth} {layer['name']}",
            [_panel(seen, frame) for frame in range(frames)],
            {"title": heading(title, _sentence(depth, layer, seen), height)},
        )
        for depth, (layer, seen) in enumerate(zip(layers, paths, strict=True), 1)
    ]
    figure = go.Figure(steps[0].traces)
    card(figure, title, "", height, margin={"l": MARGIN, "r": MARGIN, "t": _TOP, "b": bottom})
    names = ["the middle output's view"] if frames == 1 else [f"frame {frame}" for frame in range(frames)]
    add_axes(figure, layout, shapes, names)
    add_slider(figure, steps, prefix="after layer ")
    return figure


def _beside(frames: int, rows: int, cols: int) -> Layout:
    """Where the frames go: in rows of as many as leave the fewest places empty."""
    down = -(-frames // _ABREAST)
    across = -(-frames // down)
    width = WIDTH - 2 * MARGIN
    cell = min((width - GAP * (across - 1)) / (across * cols), (440 / down - CAPTION) / rows, 14)
    step_x, step_y = cols * cell + GAP, rows * cell + CAPTION + GAP / 2
    corners = tuple((i % across * step_x, CAPTION + i // across * step_y) for i in range(frames))
    return Layout(cell, width, down * step_y - GAP / 2, corners)


def _sentence(depth: int, layer: Mapping[str, Any], seen: Sequence[np.ndarray]) -> str:
    axes = ("rows", "columns") if len(seen) == 2 else ("frames", "rows", "columns")
    spans = ", ".join(
        f"{span} of {len(counts)} {axis}" for span, counts, axis in zip(_seen(seen), seen, axes, strict=True)
    )
    kernel = " x ".join(map(str, layer["kernel"]))
    return (
        f"{plural(depth, 'layer')}, the last {layer['name']} {kernel}: {spans}, {percent(_share(seen))} of the input."
    )


def _panel(seen: Sequence[np.ndarray], frame: int) -> Any:
    go = graph_objects()
    plane = np.outer(seen[-2], seen[-1])
    most = plane.max() * (seen[0].max() if len(seen) == 3 else 1)
    counts = plane * (seen[0][frame] if len(seen) == 3 else 1)
    # A pixel with a single path among thousands is seen all the same, so the lightest shade is not white.
    shade = np.where(counts > 0, 0.1 + 0.9 * counts / most, 0.0)
    scale = [[0, FAINT], [0.09, FAINT], [0.1, PALE_BLUE], [1, BLUE]]
    return go.Heatmap(
        z=shade, customdata=counts, zmin=0, zmax=1, colorscale=scale, showscale=False, xgap=1, ygap=1,
        hovertemplate="row %{y}, column %{x}: %{customdata:,} paths<extra></extra>", **axis_names(frame),
        hoverlabel={"bgcolor": CARD},
    )  # fmt: skip
