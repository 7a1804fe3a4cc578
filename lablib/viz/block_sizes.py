"""How many bytes a tiled kernel loads, against the size of its block."""

from __future__ import annotations

from collections.abc import Mapping
from math import log10
from typing import TYPE_CHECKING

from lablib.viz.picture import Picture
from lablib.viz.style import CARD, DASHES, INK, MUTED, SERIES, SYMBOLS, card, graph_objects
from lablib.viz.units import size

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_HEIGHT, _TOP = 470, 118


def block_traffic(
    curves: Mapping[str, Mapping[int, float]],
    references: Mapping[str, float] | None = None,
    largest: int | None = None,
) -> Picture:
    """Draw bytes against block sizes, both on logarithmic axes.

    Parameters
    ----------
    curves
        By name, bytes by block size.
    references
        By name, bytes of something that has no such block, drawn as lines across.
    largest
        The largest block that fits on the chip; points beyond are hollow.

    Returns
    -------
    Picture
        Its ``summary`` gives each curve's bytes at the smallest block and at the largest that fits.

    Raises
    ------
    ValueError
        When there are no curves, or one has no positive bytes.

    Examples
    --------
    >>> block_traffic({"tiles": {16: 4096, 32: 2048, 64: 1024}}, {"no tiles": 3072}, largest=32)
    Bytes by block: tiles 4 KiB at 16, 2 KiB at 32; no tiles 3 KiB. The largest block that fits is 32.
    """
    if not curves or not all(curve and min(curve.values()) > 0 and min(curve) > 0 for curve in curves.values()):
        raise ValueError(f"block_traffic takes curves of positive bytes by positive block size; got {dict(curves)}")
    lines = dict(references or {})
    texts = []
    for name, curve in curves.items():
        fitting = [block for block in curve if block <= (largest or block)] or [min(curve)]
        texts.append(f"{name} " + ", ".join(f"{size(curve[b])} at {b}" for b in sorted({min(curve), max(fitting)})))
    texts += [f"{name} {size(value)}" for name, value in lines.items()]
    ending = "" if largest is None else f" The largest block that fits is {largest}."
    return Picture(_draw(curves, lines, largest), f"Bytes by block: {'; '.join(texts)}.{ending}")


def _draw(curves: Mapping[str, Mapping[int, float]], lines: Mapping[str, float], largest: int | None) -> Figure:
    go = graph_objects()
    figure = go.Figure()
    blocks = sorted({block for curve in curves.values() for block in curve})
    for index, (name, curve) in enumerate(curves.items()):
        colour = SERIES[index % len(SERIES)]
        xs = sorted(curve)
        fill = [colour if largest is None or x <= largest else CARD for x in xs]
        figure.add_scatter(
            x=xs, y=[curve[x] for x in xs], mode="lines+markers", name=name,
            line={"color": colour, "width": 2, "dash": DASHES[index % len(DASHES)]},
            marker={"size": 10, "symbol": SYMBOLS[index % len(SYMBOLS)], "color": fill,
                    "line": {"color": colour, "width": 2}},
            customdata=[size(curve[x]) for x in xs],
            hovertemplate=name + ", block of %{x}: %{customdata}<extra></extra>",
        )  # fmt: skip
    for name, value in lines.items():
        figure.add_hline(y=value, line={"color": INK, "width": 1.5, "dash": "dot"})
        figure.add_annotation(
            text=f"{name}: {size(value)}", x=1, xref="paper", y=log10(value), yref="y", xanchor="right",
            yanchor="bottom", showarrow=False, font={"size": 12, "color": INK},
        )  # fmt: skip
    subtitle = "Both axes are logarithmic."
    if largest is not None:
        subtitle += f" Hollow: blocks that do not fit on the chip; the largest that does is {largest}."
    title = "How many bytes are loaded with larger blocks?"
    card(figure, title, subtitle, _HEIGHT, margin={"l": 92, "r": 24, "t": _TOP, "b": 64})
    values = [value for curve in curves.values() for value in curve.values()] + list(lines.values())
    ticks = [2.0**power for power in range(0, 61) if min(values) / 2 <= 2.0**power <= max(values) * 2]
    ticks = ticks[:: -(-len(ticks) // 8)]
    span = [log10(min(values)) - 0.12, log10(max(values)) + 0.15]
    figure.update_yaxes(type="log", range=span, tickvals=ticks, ticktext=[size(t) for t in ticks], fixedrange=True)
    edges = [log10(blocks[0]) - 0.08, log10(blocks[-1]) + 0.08]
    figure.update_xaxes(type="log", range=edges, tickvals=blocks, ticktext=[str(b) for b in blocks], fixedrange=True)
    figure.update_yaxes(title_text="bytes loaded").update_xaxes(title_text="queries of a block", tickcolor=MUTED)
    return figure
