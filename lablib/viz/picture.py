"""A plotly figure together with its answer in words, and the slider that steps through its frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lablib.viz.style import CARD, GRIP, INK, MUTED, RULE, graph_objects

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

SLIDER_HEIGHT = 84  # px that a slider takes below the axes


@dataclass(frozen=True, eq=False)
class Picture:
    """What every drawing function returns.

    Attributes
    ----------
    figure : plotly.graph_objects.Figure
        To change or to embed.
    summary : str
        The picture's content in words: its ``repr``, its plain-text display and ``figure.layout.meta``.
    """

    figure: Any  # plotly makes its attributes at run time, where a type checker does not see them
    summary: str

    def __post_init__(self) -> None:
        self.figure.update_layout(meta={"summary": self.summary})

    def __repr__(self) -> str:
        return self.summary

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        """Display as plotly would, with the summary as the plain text that terminals fall back to."""
        return {**self.figure._repr_mimebundle_(), "text/plain": self.summary}

    def save(self, path: str | Path) -> None:
        """Write the picture as one web page that works offline."""
        # Left to itself, plotly plays a figure's frames as soon as the page opens.
        self.figure.write_html(path, include_plotlyjs=True, auto_play=False)


@dataclass(frozen=True)
class Step:
    """One position of a slider: its label, the traces that it draws, and the layout that goes with them."""

    label: str
    traces: list[Any]
    layout: dict[str, Any]


def add_slider(figure: Figure, steps: Sequence[Step], *, prefix: str, start: int = 0, play: bool = True) -> None:
    """Put a slider, and a play and a pause button, below a figure.

    Parameters
    ----------
    figure
        Drawn as step ``start``. Its first traces are those of every step, in the same order; any others stay.
    steps
        One frame each.
    prefix
        What the current label is preceded by, e.g. ``"BLOCK = "``.
    start
        Index of the step that the figure shows at first.
    play
        Whether the steps are a sequence in time, worth playing.
    """
    go = graph_objects()
    figure.frames = [
        go.Frame(name=str(index), data=step.traces, traces=list(range(len(step.traces))), layout=step.layout)
        for index, step in enumerate(steps)
    ]
    figure.update_layout(steps[start].layout)
    left = 116 if play else 0
    figure.update_layout(sliders=[_slider(steps, prefix, start, left)])
    if play:
        figure.update_layout(updatemenus=[_play_buttons()])


def _slider(steps: Sequence[Step], prefix: str, start: int, left: int) -> dict[str, Any]:
    # Labels of many steps would overprint one another below the track; the current one stands above it.
    crowded = sum(len(step.label) + 2 for step in steps) > 90
    positions = [
        {"method": "animate", "label": step.label, "args": [[str(index)], _immediate(frame_ms=0)]}
        for index, step in enumerate(steps)
    ]
    return {
        "active": start,
        "steps": positions,
        "x": 0,
        "y": 0,
        "yanchor": "top",
        "len": 1,
        "pad": {"t": 60, "l": left, "r": 8},
        "currentvalue": {
            "prefix": prefix,
            "xanchor": "left",
            "offset": 10,
            "font": {"size": 13, "color": INK},
        },
        "font": {"size": 11, "color": "rgba(0,0,0,0)" if crowded else MUTED},
        "ticklen": 0 if crowded else 4,
        "tickcolor": RULE,
        "bgcolor": GRIP,
        "activebgcolor": INK,
        "bordercolor": GRIP,
        "borderwidth": 0,
        "tickwidth": 1,
    }


def _play_buttons() -> dict[str, Any]:
    return {
        "type": "buttons",
        "direction": "right",
        "x": 0,
        "y": 0,
        "xanchor": "left",
        "yanchor": "top",
        "pad": {"t": 76, "r": 8},
        "showactive": False,
        "bgcolor": CARD,
        "bordercolor": RULE,
        "font": {"size": 12, "color": INK},
        "buttons": [
            {
                "label": "Play",
                "method": "animate",
                "args": [None, {**_immediate(frame_ms=700), "fromcurrent": True}],
            },
            {"label": "Pause", "method": "animate", "args": [[None], _immediate(frame_ms=0)]},
        ],
    }


def _immediate(frame_ms: int) -> dict[str, Any]:
    return {
        "mode": "immediate",
        "frame": {"duration": frame_ms, "redraw": True},
        "transition": {"duration": 0},
    }
