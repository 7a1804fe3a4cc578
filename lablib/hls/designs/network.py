"""A network of dense layers on one multiplier, all weights in block RAM.

    x ──> values ──┐                                                    ┌──> y, from the last layer
    weights ROM ───┴──> multiply, accumulate ──> shift, clip ──> values ┘

Each layer is that of `lablib.hls.designs.dense_serial`; they share the multiplier one after the other. The values are
a memory of two halves: a layer reads one half and writes the other. A network takes a cycle an input, a cycle a weight,
and 3 cycles a layer, until its last result is there for the next layer to read.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import numpy as np

from lablib.hls.bits import BitsType
from lablib.hls.designs import Design
from lablib.hls.designs.dense import BIAS_BITS, DenseLayer, check_int8, dense_reference
from lablib.hls.designs.texts import cpp_text, memory_text, software_of, verilog_text
from lablib.hls.errors import HardwareError

__all__ = ["network", "network_reference"]

DRAIN = 3  # cycles from the last weight's read until the layer's last result is written


def network_reference(layers: Sequence[DenseLayer], x: np.ndarray) -> np.ndarray:
    """The layers one after the other in numpy.

    Parameters
    ----------
    x
        Integers of shape (*batch, inputs of the first layer).

    Returns
    -------
    np.ndarray
        Shape (*batch, outputs of the last layer), int64.

    Examples
    --------
    >>> add, double = DenseLayer(np.array([[1, 1], [1, -1]]), relu=True), DenseLayer(np.array([[2, 0], [0, 2]]))
    >>> network_reference([add, double], np.array([3, 5]))
    array([16,  0])
    """
    return reduce(lambda values, layer: dense_reference(layer, values), layers, np.asarray(x))


def network(layers: Sequence[DenseLayer]) -> Design:
    """Dense layers of int8 weights and activations on one multiplier.

    Parameters
    ----------
    layers
        From the input on; each has as many inputs as the one before has outputs, 2 at least, 65535 at most.

    Returns
    -------
    Design
        A stream: ``x`` takes the elements of a vector one after the other, ``y`` gives the last layer's results.

    Raises
    ------
    HardwareError
        There is no layer, they do not follow on each other, or one has other types or ranges.

    Examples
    --------
    >>> layer = DenseLayer(np.ones((3, 3), int))
    >>> network([layer, layer]).cycles(vectors=1)
    27
    """
    for layer in layers:
        check_int8(layer)
    rows, columns = ([layer.weights.shape[axis] for layer in layers] for axis in (0, 1))  # outputs, inputs
    if not layers or min(rows + columns) < 2 or max(rows + columns) > 65535:
        raise HardwareError(f"network takes layers with 2 to 65535 inputs and outputs: it got {columns} and {rows}.")
    for number, (gives, takes) in enumerate(zip(rows, columns[1:], strict=False)):
        if gives != takes:
            raise HardwareError(f"Layer {number} gives {gives} values, and layer {number + 1} takes {takes}.")
    weights = np.concatenate([layer.weights.ravel() for layer in layers])
    bias = np.concatenate([np.asarray(layer.bias) for layer in layers])
    source = _cpp(layers, weights, bias)
    cycles = columns[0] + len(weights) + DRAIN * len(layers)
    return Design(
        "network",
        verilog_text("network", _parameters(layers, len(weights), len(bias))),
        golden=lambda x: network_reference(layers, x),
        software=software_of(source, "network"),
        source=source,
        inputs={"x": BitsType(8, True, (columns[0],))},
        output=("y", BitsType(8, True, (rows[-1],))),
        latency=cycles,
        ii=cycles,
        files={"weights.hex": memory_text(weights, 8), "bias.hex": memory_text(bias, BIAS_BITS)},
    )


def _parameters(layers: Sequence[DenseLayer], weights: int, biases: int) -> dict[str, int | str]:
    shapes = [layer.weights.shape for layer in layers]
    return {
        "LAYERS": len(layers),
        "ROWS": _packed([rows for rows, _ in shapes], 16),
        "COLUMNS": _packed([columns for _, columns in shapes], 16),
        "SHIFT": _packed([layer.shift for layer in layers], 8),
        "RELU": _packed([layer.relu for layer in layers], 1),
        "WEIGHTS": weights,
        "BIASES": biases,
        "WIDEST": max(max(shape) for shape in shapes),
    }


def _packed(numbers: Sequence[int], bits: int) -> str:
    """Numbers side by side in one Verilog constant, the first in the lowest bits."""
    return f"{bits * len(numbers)}'h{sum(number << bits * place for place, number in enumerate(numbers)):x}"


def _cpp(layers: Sequence[DenseLayer], weights: np.ndarray, bias: np.ndarray) -> str:
    shapes = np.array([layer.weights.shape for layer in layers])
    sizes = {"LAYERS": len(layers), "INPUTS": shapes[0, 1], "OUTPUTS": shapes[-1, 0], "WIDEST": shapes.max()}
    tables = {"SHIFT": [layer.shift for layer in layers], "LOW": [layer.low for layer in layers]}
    arrays = {name: np.array(values) for name, values in tables.items()}
    arrays |= {"ROWS": shapes[:, 0], "COLUMNS": shapes[:, 1], "WEIGHTS": weights, "BIAS": bias}
    return cpp_text("network", {**sizes, **arrays})
