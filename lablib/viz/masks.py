"""Which weights a global threshold cuts: their histogram, what each layer keeps, and the mask of one layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lablib.viz.picture import SLIDER_HEIGHT, Picture, Step, add_slider
from lablib.viz.style import BLUE, CALM_BLUE, CARD, FAINT, INK, MARGIN, RULE, VERMILION, card, graph_objects, heading
from lablib.viz.units import percent, three_digits

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_BINS = 80
_TOP, _BARS, _MASK = 100, 250, 220  # px: above the panels, the upper row, the mask below


def pruning_mask(
    layers: Mapping[str, Any], shown: str, shares: Sequence[float] = (1.0, 0.5, 0.3, 0.15, 0.1, 0.05)
) -> Picture:
    """Draw what keeping the largest weights of a whole network leaves, with a slider for the share that is kept.

    Parameters
    ----------
    layers
        Weights by name; each is drawn as a matrix of its first axis against all others.
    shown
        The layer whose mask is drawn.
    shares
        The slider's positions: shares of all weights that are kept, above 0 up to 1.

    Returns
    -------
    Picture
        Its ``summary`` gives, for each share, the threshold and the layers that keep least and most.

    Raises
    ------
    ValueError
        If there is no layer, ``shown`` is none of them, or a share is not in (0, 1].

    Examples
    --------
    >>> pruning_mask({"a": [[0.1, -0.4]], "b": [[0.3, 0.2]]}, "a", [0.25])
    Kept 25% of all weights, those from 0.4 up: least in b (0%), most in a (50%).
    """
    if shown not in layers:
        raise ValueError(f"pruning_mask has no layer {shown!r} to show; there are {', '.join(layers) or 'none'}")
    if not shares or not all(0 < share <= 1 for share in shares):
        raise ValueError(f"shares must be above 0 and at most 1, got {list(shares)}")
    weights = {name: np.abs(np.asarray(w, dtype=float)).reshape(len(w), -1) for name, w in layers.items()}
    magnitudes = np.sort(np.concatenate([w.ravel() for w in weights.values()]))[::-1]
    thresholds = [float(magnitudes[max(1, round(share * len(magnitudes))) - 1]) for share in shares]
    parts = []
    for share, threshold in zip(shares, thresholds, strict=True):
        (least, low), *_, (most, high) = _ordered(weights, threshold)
        parts.append(
            f"{percent(share)} of all weights, those from {three_digits(threshold)} up: least in {least} "
            f"({percent(low)}), most in {most} ({percent(high)})"
        )
    return Picture(_draw(weights, shown, shares, thresholds), f"Kept {'; '.join(parts)}.")


def _ordered(weights: Mapping[str, np.ndarray], threshold: float) -> list[tuple[str, float]]:
    """Layers and the share of their weights from a threshold up, from the least; a single layer stands twice."""
    kept = sorted(_kept(weights, threshold).items(), key=lambda pair: pair[1])
    return kept if len(kept) > 1 else kept * 2


def _kept(weights: Mapping[str, np.ndarray], threshold: float) -> dict[str, float]:
    return {name: float((w >= threshold).mean()) for name, w in weights.items()}


def _draw(
    weights: Mapping[str, np.ndarray], shown: str, shares: Sequence[float], thresholds: Sequence[float]
) -> Figure:
    go = graph_objects()
    values = np.concatenate([w.ravel() for w in weights.values()])
    edges = np.linspace(0, float(np.quantile(values, 0.999)) or 1.0, _BINS + 1)
    counts, _ = np.histogram(values.clip(max=edges[-1]), edges)
    bottom = 30 + SLIDER_HEIGHT
    height = _TOP + _BARS + 76 + _MASK + bottom
    title = "Where does one threshold for all layers cut?"
    steps = [
        Step(
            percent(share),
            _traces(weights, shown, threshold, edges, counts),
            {"title": heading(title, _sentence(weights, share, threshold), height)},
        )
        for share, threshold in zip(shares, thresholds, strict=True)
    ]
    figure = go.Figure(steps[0].traces)
    card(figure, title, "", height, margin={"l": 64, "r": MARGIN, "t": _TOP, "b": bottom}, bargap=0.1, showlegend=False)
    _panels(figure, weights, shown, counts)
    start = len(shares) // 2
    figure.update(data=steps[start].traces)
    add_slider(figure, steps, prefix="kept of all weights: ", start=start, play=False)
    return figure


def _traces(
    weights: Mapping[str, np.ndarray], shown: str, threshold: float, edges: np.ndarray, counts: np.ndarray
) -> list[Any]:
    """Histogram, threshold, shares by layer, mask: what one position of the slider shows."""
    go = graph_objects()
    middle = (edges[:-1] + edges[1:]) / 2
    cut = middle < threshold
    pattern = {"shape": ["/" if c else "" for c in cut], "fgcolor": CARD, "fillmode": "overlay", "size": 5}
    histogram = go.Bar(
        x=middle, y=counts, width=(edges[1] - edges[0]) * 0.92,
        hovertemplate="%{y:,} weights near %{x:.3f}<extra></extra>",
        marker={"color": [RULE if c else CALM_BLUE for c in cut], "pattern": pattern},
    )  # fmt: skip
    line = go.Scatter(
        x=[threshold, threshold], y=[0, 1.05 * counts.max()], mode="lines", hoverinfo="skip",
        line={"color": VERMILION, "width": 2, "dash": "dash"},
    )  # fmt: skip
    kept = _kept(weights, threshold)
    bars = go.Bar(
        x=list(kept.values()), y=list(kept), orientation="h", xaxis="x2", yaxis="y2", marker={"color": CALM_BLUE},
        text=[percent(share) for share in kept.values()], textposition="outside", cliponaxis=False,
        textfont={"size": 11, "color": INK}, hoverinfo="skip",
    )  # fmt: skip
    mask = go.Heatmap(
        z=(weights[shown] >= threshold).astype(int), zmin=0, zmax=1, colorscale=[[0, FAINT], [1, BLUE]],
        showscale=False, xaxis="x3", yaxis="y3", hovertemplate="row %{y}, column %{x}<extra></extra>",
    )  # fmt: skip
    return [histogram, line, bars, mask]


def _panels(figure: Figure, weights: Mapping[str, np.ndarray], shown: str, counts: np.ndarray) -> None:
    """Put the axes: histogram and shares side by side, the mask below them."""
    whole = _BARS + 76 + _MASK
    upper, lower = [1 - _BARS / whole, 1.0], [0.0, _MASK / whole]
    rows, columns = weights[shown].shape
    longest = max(map(len, weights))
    quiet = {"showgrid": False, "fixedrange": True, "zeroline": False, "ticks": ""}
    hidden = {**quiet, "showticklabels": False}
    caption = {"text": "share of each layer kept", "font": {"size": 13}, "standoff": 10}
    figure.update_layout(
        xaxis={"domain": [0, 0.5], "anchor": "y", "title": {"text": "size of a weight"}, "fixedrange": True},
        yaxis={"domain": upper, "title": {"text": "weights"}, "range": [0, 1.05 * counts.max()], "fixedrange": True},
        xaxis2={
            **hidden, "domain": [min(0.8, 0.55 + 0.0092 * longest), 0.95], "anchor": "y2", "range": [0, 1.12],
            "title": caption,
        },
        yaxis2={
            **quiet, "domain": upper, "anchor": "x2", "autorange": "reversed", "tickfont": {"size": 11, "color": INK},
        },
        xaxis3={**hidden, "domain": [0, 1], "anchor": "y3"},
        yaxis3={**hidden, "domain": lower, "anchor": "x3", "autorange": "reversed"},
    )  # fmt: skip
    figure.add_annotation(
        text=f"{shown}, {rows} × {columns}: dark is kept", x=0, y=lower[1], xref="paper", yref="paper", xanchor="left",
        yanchor="bottom", yshift=4, showarrow=False, font={"size": 12, "color": INK},
    )  # fmt: skip


def _sentence(weights: Mapping[str, np.ndarray], share: float, threshold: float) -> str:
    (least, low), *_, (most, high) = _ordered(weights, threshold)
    return (
        f"Kept: {percent(share)} of all weights, those from {three_digits(threshold)} up. {least} keeps least "
        f"({percent(low)}), {most} most ({percent(high)}). Hatched: cut."
    )
