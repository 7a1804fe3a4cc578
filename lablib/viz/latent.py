"""A widget of the plane of a decoder's codes: move a point, and see the image that it decodes to."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lablib.viz.style import CARD, FONT, INK, MUTED, RULE
from lablib.viz.units import plural

try:
    import anywidget
    import traitlets
except ImportError as error:
    raise ImportError(
        "viz.code_plane is an anywidget, which is not installed here: run `pip install anywidget`, "
        "then restart the kernel."
    ) from error

_SCRIPT = Path(__file__).with_suffix(".js").read_text(encoding="utf-8")
_STYLE = Path(__file__).with_suffix(".css").read_text(encoding="utf-8")
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>{style}</style></head>
<body style="margin: 0; padding: 24px; background: #fff"><div id="widget"></div>
<script type="application/json" id="content">{content}</script>
<script type="module">{script}
const content = JSON.parse(document.getElementById("content").textContent);
widget.render({{ model: {{ get: () => content }}, el: document.getElementById("widget") }});
</script></body></html>
"""
_STILL = 9  # images on each side of the picture that stands still
_PIXEL = 5


class CodePlane(anywidget.AnyWidget):
    """The widget that `code_plane` returns.

    Attributes
    ----------
    content : dict
        What is shown, as the script reads it.
    summary : str
        The plane in words; also the ``repr``.
    picture : str
        The plane as a sheet of decoded images, as SVG: what a page shows that runs no widgets.
    """

    _esm = _SCRIPT
    _css = _STYLE
    content = traitlets.Dict().tag(sync=True)

    def __init__(self, content: dict[str, Any], summary: str, picture: str) -> None:
        super().__init__(content=content)
        self.summary, self.picture = summary, picture

    def __repr__(self) -> str:
        return self.summary

    def _repr_mimebundle_(self, **options: Any) -> Any:
        """Display as a widget; the picture and the summary are there for whoever cannot."""
        displayed = super()._repr_mimebundle_(**options)
        if displayed is None:
            return None
        bundle, metadata = displayed
        return {**bundle, "image/svg+xml": self.picture, "text/plain": self.summary}, metadata

    def to_html(self) -> str:
        """Return a web page with the same view, which needs neither Python nor a network."""
        script = _SCRIPT.replace("export default", "const widget =")
        content = json.dumps(self.content).replace("</", "<\\/")
        return _PAGE.format(title=html.escape(self.summary[:80]), style=_STYLE, content=content, script=script)


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
        Displays in Jupyter; ``summary`` has it in words, ``to_html()`` gives a page of its own.

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
        "side": side, "height": height, "width": width, "reach": reach,
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
    return CodePlane(content, summary, _still(levels, summary, reach))


def _still(levels: np.ndarray, summary: str, reach: float) -> str:
    """The plane as a sheet of images, the axes' ends written beside it."""
    side, _, height, width = levels.shape
    chosen = np.unique(np.linspace(0, side - 1, min(side, _STILL)).round().astype(int))
    parts = []
    for down, row in enumerate(chosen):
        for across, column in enumerate(chosen):
            left, top = 48 + across * (width + 1) * _PIXEL, 16 + down * (height + 1) * _PIXEL
            for (y, x), level in np.ndenumerate(levels[row, column]):
                if level > 12:
                    opacity = round(float(level) / 255, 2)
                    parts.append(
                        f'<rect x="{left + x * _PIXEL}" y="{top + y * _PIXEL}" width="{_PIXEL}" height="{_PIXEL}" '
                        f'fill="{INK}" fill-opacity="{opacity}"/>'
                    )
    wide, tall = 48 + len(chosen) * (width + 1) * _PIXEL, 16 + len(chosen) * (height + 1) * _PIXEL
    label = f'fill="{MUTED}" font-size="12"'
    parts += [
        f'<text x="8" y="28" {label}>{reach:g}</text>', f'<text x="8" y="{tall - 8}" {label}>{-reach:g}</text>',
        f'<text x="48" y="{tall + 14}" {label}>{-reach:g}</text>',
        f'<text x="{wide - 8}" y="{tall + 14}" text-anchor="end" {label}>{reach:g}</text>',
    ]  # fmt: skip
    box = f'<rect width="{wide + 16}" height="{tall + 28}" fill="{CARD}" stroke="{RULE}"/>'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{html.escape(summary)}" width="{wide + 16}" '
        f'height="{tall + 28}" viewBox="0 0 {wide + 16} {tall + 28}" font-family="{FONT}">{box}{"".join(parts)}</svg>'
    )
