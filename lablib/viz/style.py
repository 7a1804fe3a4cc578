"""The one place for colours, type and the layout that every picture shares.

The hues are those of Okabe and Ito's palette, which readers with the common kinds of colour blindness can
tell apart; each also comes with a hatch, a symbol or a dash, because nothing is told by colour alone.
Pictures are drawn on a white card, so they read the same in JupyterLab's light and dark themes.
"""

from __future__ import annotations

import textwrap
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

BLUE, VERMILION, GREEN, AMBER, SKY, PURPLE = "#0072B2", "#D55E00", "#009E73", "#E69F00", "#56B4E9", "#CC79A7"
INK, MUTED, GRIP, RULE, FAINT, CARD = "#1B2733", "#5B6875", "#93A1AF", "#DCE2E8", "#F2F5F7", "#FFFFFF"
CALM_BLUE, PALE_BLUE, PALE_GREEN, PALE_VERMILION = "#4C96C6", "#B7D5E8", "#BFE5D8", "#F8DCCB"

SERIES = (BLUE, VERMILION, GREEN, PURPLE, AMBER, SKY)
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "star", "hexagon")
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")

FONT = "Inter, 'Segoe UI', 'Helvetica Neue', Helvetica, Arial, sans-serif"
MONOSPACE = "'JetBrains Mono', 'SF Mono', Menlo, Consolas, 'DejaVu Sans Mono', monospace"
WIDTH = 760  # px: what a notebook 860 px wide leaves for an output
MARGIN = 24  # px: white space at the card's edges


def graph_objects() -> ModuleType:
    """Import ``plotly.graph_objects`` when a picture is first drawn.

    Raises
    ------
    ImportError
        When plotly is not installed; the text names the command that installs it.
    """
    try:
        import plotly.graph_objects as go
    except ImportError as error:
        raise ImportError(
            "lablib.viz draws with plotly, which is not installed here: run `pip install plotly`, "
            "then restart the kernel."
        ) from error
    return go


def heading(title: str, subtitle: str, height: int) -> dict[str, Any]:
    """Set a card's title and the line below it in its top left corner, wrapped to its width."""
    return {
        "text": f"<b>{_wrap(title, 78)}</b>",
        "subtitle": {"text": _wrap(subtitle, 114), "font": {"size": 13, "color": MUTED}},
        "font": {"size": 17, "color": INK},
        "x": MARGIN / WIDTH,
        "xanchor": "left",
        "y": 1 - 20 / height,
        "yanchor": "top",
        "yref": "container",
    }


def card(figure: Figure, title: str, subtitle: str, height: int, **layout: Any) -> Figure:
    """Give a figure the house style.

    Parameters
    ----------
    figure
        Its traces are left as they are. All axes that its layout names are styled, so name a second pair before.
    title
        The question that the picture answers, or its finding.
    subtitle
        One or two lines of detail in smaller type.
    height
        Of the whole card, in pixels.
    **layout
        Anything else for ``figure.update_layout``; it wins over the defaults.
    """
    axis = {
        "gridcolor": RULE, "linecolor": RULE, "zeroline": False, "ticks": "", "automargin": False,
        "tickfont": {"size": 12, "color": MUTED},
        "title": {"font": {"size": 13, "color": INK}, "standoff": 10},
    }  # fmt: skip
    figure.update_xaxes(**axis).update_yaxes(**axis)
    defaults = {
        "template": "none",
        "width": WIDTH,
        "height": height,
        "title": heading(title, subtitle, height),
        "font": {"family": FONT, "size": 13, "color": INK},
        "paper_bgcolor": CARD,
        "plot_bgcolor": CARD,
        "margin": {"l": 64, "r": MARGIN, "t": 96, "b": 64},
        # Without a colour of its own plotly writes the text in that of the border.
        "hoverlabel": {"font": {"family": FONT, "size": 13, "color": INK}, "bgcolor": CARD, "bordercolor": RULE},
        "legend": {
            "orientation": "h",
            "traceorder": "normal",
            "x": 1,
            "xanchor": "right",
            "y": 1,
            "yanchor": "bottom",
            "font": {"size": 12, "color": INK},
        },
        "dragmode": False,
        "modebar": {"remove": ["select", "lasso"]},
    }
    return figure.update_layout(**{**defaults, **layout})


def _wrap(text: str, characters: int) -> str:
    return "<br>".join(textwrap.wrap(text, characters))
