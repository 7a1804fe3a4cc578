"""Every layer of every model under one roof, and where a larger batch moves each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lablib.viz.picture import SLIDER_HEIGHT, Picture, Step, add_slider
from lablib.viz.rooflines import add_roof
from lablib.viz.style import MARGIN, SERIES, SYMBOLS, card, graph_objects, heading
from lablib.viz.units import si, three_digits

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_HEIGHT, _TOP, _BOTTOM, _LEFT = 560, 128, 72, 84
_KEYS = ("layer", "flops", "weight_bytes", "activation_bytes")


def layer_roofline(
    models: Mapping[str, Sequence[Mapping[str, Any]]],
    roof: Mapping[str, Any],
    batches: Sequence[int] = (1, 4, 16, 64, 256),
) -> Picture:
    """Place the layers of models under a roof, with a slider for the batch.

    A batch of B does B times the arithmetic and moves B times the activations, but reads the weights once: intensity is
    ``B * flops / (weight_bytes + B * activation_bytes)``, and each layer is drawn on its bound.

    Parameters
    ----------
    models
        By name, one dict a layer: ``layer``, and for one input ``flops``, ``weight_bytes``, ``activation_bytes``.
    roof
        A dict with ``name``, ``flops_per_s``, ``bytes_per_s``.
    batches
        Positions of the slider.

    Returns
    -------
    Picture
        Its ``summary`` counts, for the first and the last batch, each model's layers right of the ridge.

    Raises
    ------
    ValueError
        When there is no layer or no batch, a key is missing, or a quantity is not positive.

    Examples
    --------
    >>> layers = [{"layer": "fc", "flops": 2e6, "weight_bytes": 2e6, "activation_bytes": 4e3}]
    >>> layer_roofline({"MLP": layers}, {"name": "H200", "flops_per_s": 989e12, "bytes_per_s": 4.8e12}, [1, 512])
    H200: ridge at 206 FLOP/byte. Layers to the right of it at batch 1: MLP 0 of 1; at batch 512: MLP 1 of 1.
    """
    _check(models, roof, batches)
    ends = [f"at batch {batch}: {_counts(models, roof, batch)}" for batch in dict.fromkeys((batches[0], batches[-1]))]
    ridge = three_digits(roof["flops_per_s"] / roof["bytes_per_s"])
    summary = f"{roof['name']}: ridge at {ridge} FLOP/byte. Layers to the right of it {'; '.join(ends)}."
    return Picture(_draw(models, roof, list(batches)), summary)


def _check(models: Mapping[str, Sequence[Mapping[str, Any]]], roof: Mapping[str, Any], batches: Sequence[int]) -> None:
    if not models or not all(models.values()) or not batches or min(batches) < 1:
        raise ValueError(f"layer_roofline needs a layer in each model and batches from 1 up; got batches {batches}")
    for key in ("flops_per_s", "bytes_per_s"):
        if not roof.get(key, 0) > 0:
            raise ValueError(f"the roof needs a positive {key}, got {roof.get(key)!r}")
    for name, layers in models.items():
        for layer in layers:
            missing = [key for key in _KEYS if key not in layer]
            if missing:
                raise ValueError(f"a layer of {name} has no {missing[0]!r}; it needs {', '.join(_KEYS)}")
            if not (layer["flops"] > 0 and layer["activation_bytes"] > 0 and layer["weight_bytes"] >= 0):
                raise ValueError(
                    f"{layer['layer']!r} of {name} needs positive flops and activation_bytes on logarithmic axes: "
                    "leave out layers without a product"
                )


def _intensity(layer: Mapping[str, Any], batch: int) -> float:
    return batch * layer["flops"] / (layer["weight_bytes"] + batch * layer["activation_bytes"])


def _counts(models: Mapping[str, Sequence[Mapping[str, Any]]], roof: Mapping[str, Any], batch: int) -> str:
    ridge = roof["flops_per_s"] / roof["bytes_per_s"]
    beyond = {name: sum(_intensity(layer, batch) >= ridge for layer in layers) for name, layers in models.items()}
    return ", ".join(f"{name} {beyond[name]} of {len(layers)}" for name, layers in models.items())


def _draw(
    models: Mapping[str, Sequence[Mapping[str, Any]]], roof: Mapping[str, Any], batches: list[int]
) -> Figure:  # fmt: skip
    go = graph_objects()
    height = _HEIGHT + SLIDER_HEIGHT
    title = f"Which layers does the arithmetic of {_article(roof['name'])} bind, and at which batch?"
    steps = [
        Step(
            str(batch),
            [_points(name, layers, roof, batch, index) for index, (name, layers) in enumerate(models.items())],
            {"title": heading(title, f"Right of the ridge at batch {batch}: {_counts(models, roof, batch)}.", height)},
        )
        for batch in batches
    ]
    figure = go.Figure(steps[0].traces)
    margin = {"l": _LEFT, "r": MARGIN, "t": _TOP, "b": _BOTTOM + SLIDER_HEIGHT}
    card(figure, title, "", height, margin=margin)
    everywhere = [_intensity(layer, batch) for layers in models.values() for layer in layers for batch in batches]
    _add_axes(figure, roof, min(everywhere) / 2, max(everywhere) * 2)
    add_slider(figure, steps, prefix="batch ", play=False)
    return figure


def _article(name: str) -> str:
    return f"{'an' if name[0] in 'AEFHILMNORSX' else 'a'} {name}"


def _points(
    name: str, layers: Sequence[Mapping[str, Any]], roof: Mapping[str, Any], batch: int, index: int
) -> Any:  # fmt: skip
    intensity = np.array([_intensity(layer, batch) for layer in layers])
    bound = np.minimum(roof["flops_per_s"], intensity * roof["bytes_per_s"])
    ridge = roof["flops_per_s"] / roof["bytes_per_s"]
    hover = [
        f"<b>{name}, {layer['layer']}</b><br>{three_digits(float(at))} FLOP/byte, "
        f"{'memory' if at < ridge else 'compute'}-bound<br>at most {si(float(most), 'FLOP/s')}"
        for layer, at, most in zip(layers, intensity, bound, strict=True)
    ]
    colour = SERIES[index % len(SERIES)]
    marker = {
        "symbol": SYMBOLS[index % len(SYMBOLS)] + "-open", "size": 11, "line": {"color": colour, "width": 2},
        "color": colour,
    }  # fmt: skip
    return graph_objects().Scatter(
        x=intensity, y=bound / 1e12, mode="markers", name=name, marker=marker, hovertext=hover, hoverinfo="text"
    )


def _add_axes(figure: Figure, roof: Mapping[str, Any], least: float, most: float) -> None:
    """Draw the roof over the intensities of all layers, and over its ridge in any case."""
    ridge, peak = roof["flops_per_s"] / roof["bytes_per_s"], roof["flops_per_s"]
    low, high = np.log10([min(least, ridge / 4), max(most, 4 * ridge)]).tolist()
    add_roof(figure, roof, 0, (low, high), 1e12)
    decades = {"type": "log", "dtick": 1, "showexponent": "all", "exponentformat": "none", "tickformat": "~g"}
    y_range = np.log10([10**low * roof["bytes_per_s"] / 2e12, 2 * peak / 1e12]).tolist()
    figure.update_xaxes(title_text="arithmetic intensity (FLOP/byte)", range=[low, high], **decades)
    figure.update_yaxes(title_text="bound (TFLOP/s)", range=y_range, **decades)
