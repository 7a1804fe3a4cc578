"""A widget of the plane of a decoder's codes: move a point, and see the image that it decodes to."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import numpy as np

from lablib.viz.svg import node, paint, text, titled
from lablib.viz.units import plural
from lablib.viz.view import View, read

_TITLE = "Which image does a code decode to?"
_STILL = 9  # images on each side of the picture that stands still
_PIXEL = 5
_LEFT, _WIDTH = 48, 760
_FAINTEST = 12  # level below which a pixel is left out of it


class CodePlane(View):
    """The widget that `code_plane` returns; its summary says how large the plane is and how many images lie outside."""

    _esm = read("view.js", "latent.js")
    _css = read("view.css", "latent.css")


def code_plane(images: Any, codes: Any, labels: Sequence[int], reach: float = 3.0) -> CodePlane:
    """Show where a decoder with codes of two numbers puts which image.

    The point is moved with the mouse or the arrow keys, over positions that were decoded beforehand.

    Parameters
    ----------
    images
        Decoded images, shape (side, side, height, width), 0 for white to 1 for black: the first axis is the code's
        second number from ``reach`` down to ``-reach``, the second its first number from ``-reach`` up.
    codes
        Codes of images that are known, shape (points, 2).
    labels
        Their classes, 0 to 9, written at their places.
    reach
        The plane goes from ``-reach`` to ``reach`` on both axes.

    Returns
    -------
    CodePlane
        Displays in Jupyter; ``to_html()`` gives a page of its own, ``picture`` a sheet of decoded images as SVG.

    Raises
    ------
    ValueError
        When shapes do not fit.

    Examples
    --------
    >>> import numpy as np
    >>> code_plane(np.zeros((5, 5, 8, 8)), [[0.0, 0.5], [9.0, 0.0]], [7, 1])
    A plane of codes from -3 to 3, decoded at 5 x 5 points; 2 encoded images of 2 classes, 1 outside the plane.
    """
    decoded, places = np.asarray(images, dtype=float), np.asarray(codes, dtype=float)
    if decoded.ndim != 4 or decoded.shape[0] != decoded.shape[1] or decoded.shape[0] < 2:
        raise ValueError(f"images must have the shape (side, side, height, width), side 2 or more; got {decoded.shape}")
    if places.shape != (len(labels), 2):
        raise ValueError(f"codes must have the shape ({len(labels)}, 2), one a label; got {places.shape}")
    side, _, height, width = decoded.shape
    levels = np.round(255 * np.clip(decoded, 0, 1)).astype(np.uint8)
    inside = np.abs(places).max(axis=1) <= reach
    content = {
        "title": _TITLE, "side": side, "height": height, "width": width, "reach": reach,
        "levels": base64.b64encode(levels.tobytes()).decode("ascii"),
        "points": [
            [round(float(x), 3), round(float(y), 3), int(label)]
            for (x, y), label, kept in zip(places, labels, inside, strict=True) if kept
        ],
    }  # fmt: skip
    classes, outside = len({int(label) for label in labels}), int((~inside).sum())
    summary = (
        f"A plane of codes from {-reach:g} to {reach:g}, decoded at {side} x {side} points; "
        f"{plural(len(labels), 'encoded image')} of {plural(classes, 'class')}, {outside} outside the plane."
    )
    return CodePlane(content, summary, titled(_TITLE, summary, *_still(levels, reach)))


def _still(levels: np.ndarray, reach: float) -> tuple[str, float, float]:
    """The plane as a sheet of images with the axes' ends written beside it, its width and its height."""
    side, _, height, width = levels.shape
    chosen = np.unique(np.linspace(0, side - 1, min(side, _STILL)).round().astype(int))
    pixels = [
        node(
            "rect", x=_LEFT + (across * (width + 1) + x) * _PIXEL, y=(down * (height + 1) + y) * _PIXEL,
            width=_PIXEL, height=_PIXEL, fill_opacity=float(level) / 255,
        )
        for down, row in enumerate(chosen)
        for across, column in enumerate(chosen)
        for (y, x), level in np.ndenumerate(levels[row, column])
        if level > _FAINTEST
    ]  # fmt: skip
    wide, tall = _LEFT + len(chosen) * (width + 1) * _PIXEL, len(chosen) * (height + 1) * _PIXEL
    ends = [
        text(8, 12, f"{reach:g}", "muted"), text(8, tall - 8, f"{-reach:g}", "muted"),
        text(_LEFT, tall + 14, f"{-reach:g}", "muted"),
        text(wide - 8, tall + 14, f"{reach:g}", "muted", text_anchor="end"),
    ]  # fmt: skip
    return node("g", *pixels, fill=paint("ink")) + "".join(ends), float(max(wide + 16, _WIDTH)), float(tall + 28)
