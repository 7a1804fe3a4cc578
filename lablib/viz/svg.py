"""SVG as text, in colours that follow the notebook's theme and have a light value everywhere else."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from html import escape

from lablib.viz.style import BLUE, CARD, FAINT, FONT, INK, MONOSPACE, MUTED, RULE

_LIGHT = {
    "ink": INK, "muted": MUTED, "rule": RULE, "faint": FAINT, "card": CARD,
    "accent": BLUE, "good": "#00775A", "bad": "#B04A00",
    "series-0": BLUE, "series-1": "#B04A00", "series-2": "#00775A", "series-3": "#8A3A76",
    "series-4": "#7A5A00", "series-5": "#1F7FB5",
}  # fmt: skip
SERIES = 6


def paint(name: str) -> str:
    """A colour of view.css by its name, e.g. ``paint("ink")``."""
    return f"var(--{name}, {_LIGHT[name]})"


def node(name: str, *inside: str, **attributes: object) -> str:
    """An element. ``class_`` is its class, and ``_`` in the name of another attribute is ``-``.

    Examples
    --------
    >>> node("text", words("a < b"), text_anchor="end", class_="name")
    '<text text-anchor="end" class="name">a &lt; b</text>'
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(_short(value))}"' for key, value in attributes.items()
    )
    return f"<{name}{written}>{''.join(inside)}</{name}>"


def words(text: str) -> str:
    """Text inside an element."""
    return escape(text, quote=False)


def text(x: float, y: float, content: str, colour: str = "ink", size: int = 12, **attributes: object) -> str:
    """One line of text; ``mono=True`` sets it in fixed width."""
    family = {"font_family": MONOSPACE} if attributes.pop("mono", False) else {}
    return node("text", words(content), x=x, y=y, fill=paint(colour), font_size=size, **family, **attributes)


def drawing(width: float, height: float, label: str, inside: Iterable[str]) -> str:
    """A whole picture on its card; the label is what a screen reader says."""
    card = node("rect", width=width, height=height, fill=paint("card"))
    size = {"width": width, "height": height, "viewBox": f"0 0 {_short(width)} {_short(height)}"}
    return node(
        "svg", card, *inside, xmlns="http://www.w3.org/2000/svg", role="img", aria_label=label, font_family=FONT, **size
    )


def titled(title: str, summary: str, picture: str, width: float, height: float) -> str:
    """A picture below its title and its summary, as a widget has them outside of its picture."""
    lines = textwrap.wrap(summary, 112)
    top = 44 + 17 * len(lines)
    parts = [text(12, 24, title, size=16, font_weight=600)]
    parts += [text(12, 44 + 17 * index, line, "muted", 13) for index, line in enumerate(lines)]
    parts.append(node("svg", picture, y=top, width=width, height=height))
    return drawing(width, top + height, f"{title} {summary}", parts)


def _short(value: object) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
