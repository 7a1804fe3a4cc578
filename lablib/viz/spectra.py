"""How much of a layer's weights a low rank keeps, against what its two factors cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lablib.viz.picture import SLIDER_HEIGHT, Picture, Step, add_slider
from lablib.viz.style import CARD, DASHES, INK, MUTED, SERIES, SYMBOLS, VERMILION, card, graph_objects, heading
from lablib.viz.units import percent

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_HEIGHT = 520


def energy_spectrum(
    layers: Mapping[str, tuple[Any, tuple[int, int]]], energies: Sequence[float] = (0.5, 0.7, 0.8, 0.9, 0.95, 0.99)
) -> Picture:
    """Draw the energy that a rank keeps against the numbers in its factors, with a slider for the energy wanted.

    The energy of a rank is the sum of its squared singular values, as a share of the sum of all. The horizontal axis
    counts numbers in both factors of an (N, K) matrix, r · (N + K), as a share of N · K, so that all layers break even
    at 1.

    Parameters
    ----------
    layers
        By name, singular values from the largest down, shape (min(N, K),), and the layer's ``(N, K)``; at most six.
    energies
        The slider's positions, each above 0 and below 1.

    Returns
    -------
    Picture
        Its ``summary`` gives the rank, and what it costs, of each layer at the middle energy.

    Raises
    ------
    ValueError
        If there are no or too many layers or energies, or singular values do not fit a shape.

    Examples
    --------
    >>> energy_spectrum({"a": ([3.0, 1.0], (2, 2)), "b": ([1.0, 1.0], (2, 8))}, [0.9])
    To keep 90% of the energy: a rank 1 of 2 (100% of its numbers), b rank 2 of 2 (125% of its numbers).
    """
    _check(layers, energies)
    kept = {name: np.cumsum(np.square(s)) / np.sum(np.square(s)) for name, (s, _) in layers.items()}
    shapes = {name: shape for name, (_, shape) in layers.items()}
    start = len(energies) // 2
    parts = [
        f"{name} rank {rank} of {len(kept[name])} ({percent(cost)} of its numbers)"
        for name, rank, cost in _ranks(kept, shapes, energies[start])
    ]
    summary = f"To keep {percent(energies[start])} of the energy: {', '.join(parts)}."
    return Picture(_draw(kept, shapes, energies, start), summary)


def _check(layers: Mapping[str, tuple[Any, tuple[int, int]]], energies: Sequence[float]) -> None:
    if not 1 <= len(layers) <= len(SERIES):
        raise ValueError(f"energy_spectrum draws 1 to {len(SERIES)} layers, got {len(layers)}")
    if not energies or not all(0 < energy < 1 for energy in energies):
        raise ValueError(f"energies must be above 0 and below 1, got {list(energies)}")
    for name, (values, shape) in layers.items():
        if len(values) != min(shape) or list(values) != sorted(values, reverse=True):
            raise ValueError(
                f"{name!r} of shape {tuple(shape)} has {min(shape)} singular values, from the largest down; got "
                f"{len(values)}"
            )


def _ranks(
    kept: Mapping[str, np.ndarray], shapes: Mapping[str, tuple[int, int]], energy: float
) -> list[tuple[str, int, float]]:
    """For each layer the least rank that keeps an energy, and the share of the layer's numbers that it takes."""
    ranks = {name: int(np.argmax(share >= energy * (1 - 1e-12))) + 1 for name, share in kept.items()}
    return [(name, rank, _cost(rank, shapes[name])) for name, rank in ranks.items()]


def _cost(rank: Any, shape: tuple[int, int]) -> Any:
    return rank * (shape[0] + shape[1]) / (shape[0] * shape[1])


def _draw(
    kept: Mapping[str, np.ndarray], shapes: Mapping[str, tuple[int, int]], energies: Sequence[float], start: int
) -> Figure:
    go = graph_objects()
    title = "Which layers are worth two factors?"
    steps = [
        Step(
            percent(energy),
            _marks(kept, shapes, energy),
            {"title": heading(title, _sentence(kept, shapes, energy), _HEIGHT)},
        )
        for energy in energies
    ]
    figure = go.Figure(steps[start].traces)
    for place, (name, share) in enumerate(kept.items()):
        cost = _cost(np.arange(1, len(share) + 1), shapes[name])
        figure.add_scatter(
            x=cost, y=share, name=f"{name}, {shapes[name][0]} x {shapes[name][1]}", mode="lines",
            line={"color": SERIES[place], "width": 2, "dash": DASHES[place]},
            customdata=np.arange(1, len(share) + 1),
            hovertemplate=f"{name}, rank %{{customdata}}: %{{y:.1%}} of the energy, %{{x:.0%}} of the numbers"
            "<extra></extra>",
        )  # fmt: skip
    margin = {"l": 70, "r": 30, "t": 152, "b": 56 + SLIDER_HEIGHT}
    card(figure, title, "", _HEIGHT, margin=margin)
    figure.add_vline(x=1, line={"color": VERMILION, "width": 1.5, "dash": "dash"})
    font = {"size": 12, "color": INK}
    figure.add_annotation(
        x=1, y=0.04, text=" as many numbers as the layer itself", xanchor="left", showarrow=False, font=font
    )
    most = max(_cost(len(share), shapes[name]) for name, share in kept.items())
    figure.update_xaxes(title_text="numbers in both factors, share of the layer's own", range=[0, 1.04 * most])
    figure.update_xaxes(tickformat=".0%", fixedrange=True)
    figure.update_yaxes(title_text="energy kept", range=[0, 1.04], tickformat=".0%", fixedrange=True)
    add_slider(figure, steps, prefix="energy to keep: ", start=start, play=False)
    return figure


def _marks(kept: Mapping[str, np.ndarray], shapes: Mapping[str, tuple[int, int]], energy: float) -> list[Any]:
    """A line at the energy wanted, and a mark on each curve where it is first kept."""
    go = graph_objects()
    line = {"color": MUTED, "width": 1.2, "dash": "dot"}
    level = go.Scatter(x=[0, 100], y=[energy, energy], mode="lines", line=line, hoverinfo="skip", showlegend=False)
    marks = [
        go.Scatter(
            x=[cost], y=[kept[name][rank - 1]], mode="markers+text", text=[f" {rank} "],
            textposition="bottom right" if place < 3 else "top left",
            textfont={"size": 12, "color": INK}, showlegend=False, hoverinfo="skip",
            marker={"size": 11, "symbol": SYMBOLS[place], "color": SERIES[place], "line": {"color": CARD, "width": 1}},
        )
        for place, (name, rank, cost) in enumerate(_ranks(kept, shapes, energy))
    ]  # fmt: skip
    return [level, *marks]


def _sentence(kept: Mapping[str, np.ndarray], shapes: Mapping[str, tuple[int, int]], energy: float) -> str:
    smaller = [name for name, _, cost in _ranks(kept, shapes, energy) if cost < 1]
    named = f": {', '.join(smaller)}" if 0 < len(smaller) < len(kept) else ""
    return (
        f"At {percent(energy)} of the energy, {len(smaller)} of {len(kept)} layers have smaller factors{named}. "
        "A mark's number is the rank."
    )
