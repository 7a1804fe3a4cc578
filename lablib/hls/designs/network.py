"""A network of dense layers on one multiplier or a few, all weights in block RAM.

    x ──> values ──┐                                                          ┌──> y, from the last layer
    weights ROM ───┴──> multiply, accumulate ──> queue ──> shift, clip ──> values

Each layer is that of `lablib.hls.designs.dense_serial`; they share the multipliers one after the other. The values are
a memory of two halves: a layer reads one half and writes the other. With several multipliers each has a row of its own,
so that one value read serves them all, and a word of the ROM holds a weight for each.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from itertools import chain

import numpy as np

from lablib.hls.bits import BitsType
from lablib.hls.designs import Design
from lablib.hls.designs.dense import DenseLayer, check_int8, dense_reference
from lablib.hls.designs.texts import cpp_text, memory_text, software_of, verilog_text
from lablib.hls.errors import HardwareError

__all__ = ["network", "network_reference"]

DRAIN = 3  # cycles from the last weight's read until the layer's last sums are in the queue


def network_reference(layers: Sequence[DenseLayer], x: np.ndarray) -> np.ndarray:
    """The layers one after the other in numpy.

    Parameters
    ----------
    x
        Integers of shape ``(*batch, inputs of the first layer)``.

    Returns
    -------
    np.ndarray
        Shape ``(*batch, outputs of the last layer)``, int64.

    Examples
    --------
    >>> add, double = DenseLayer(np.array([[1, 1], [1, -1]]), relu=True), DenseLayer(np.array([[2, 0], [0, 2]]))
    >>> network_reference([add, double], np.array([3, 5]))
    array([16,  0])
    """
    return reduce(lambda values, layer: dense_reference(layer, values), layers, np.asarray(x))


def network(layers: Sequence[DenseLayer], macs: int = 1) -> Design:
    """Dense layers of int8 weights and activations on ``macs`` multipliers.

    A network takes a cycle an input; then each layer a cycle for every input of every pass, 3 cycles more, and one for
    each row of its last pass.

    Parameters
    ----------
    layers
        From the input on; each has as many inputs as the one before has outputs, 2 to 65535.
    macs
        Multipliers, each with an accumulator: rows that are computed in one pass over a layer's inputs. 1 to 32, and
        no more than a layer has inputs.

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
    >>> layer = DenseLayer(np.ones((4, 4), int))
    >>> [network([layer, layer], macs).ii for macs in (1, 2, 4)]
    [44, 30, 26]
    """
    _check(layers, macs)
    columns = [layer.weights.shape[1] for layer in layers]
    source = _cpp(layers, macs)
    weights, bias = zip(*(_words(layer, macs) for layer in layers), strict=True)
    rows_of_last_pass = [(len(layer.weights) - 1) % macs + 1 for layer in layers]
    cycles = columns[0] + sum(map(len, weights)) + DRAIN * len(layers) + sum(rows_of_last_pass)
    files = {"weights.hex": memory_text(chain(*weights), 8 * macs), "bias.hex": memory_text(chain(*bias), 24 * macs)}
    return Design(
        "network",
        verilog_text("network", _parameters(layers, macs)),
        golden=lambda x: network_reference(layers, x),
        software=software_of(source, "network"),
        source=source,
        inputs={"x": BitsType(8, True, (columns[0],))},
        output=("y", BitsType(8, True, (len(layers[-1].weights),))),
        latency=cycles,
        ii=cycles,
        files=files,
    )


def _check(layers: Sequence[DenseLayer], macs: int) -> None:
    for layer in layers:
        check_int8(layer)
    rows, columns = ([layer.weights.shape[axis] for layer in layers] for axis in (0, 1))
    if not layers or min(rows + columns) < 2 or max(rows + columns) > 65535:
        raise HardwareError(f"network takes layers with 2 to 65535 inputs and outputs: it got {columns} and {rows}.")
    for number, (gives, takes) in enumerate(zip(rows, columns[1:], strict=False)):
        if gives != takes:
            raise HardwareError(f"Layer {number} gives {gives} values, and layer {number + 1} takes {takes}.")
    if not 1 <= macs <= min(32, *columns):
        raise HardwareError(f"network takes 1 to 32 multipliers, no more than a layer has inputs: it got {macs}.")


def _words(layer: DenseLayer, macs: int) -> tuple[list[int], list[int]]:
    """Weights and biases of `macs` rows side by side, in the order in which they are read; missing rows are zero."""
    missing = -len(layer.weights) % macs
    weights = np.pad(layer.weights, ((0, missing), (0, 0))).reshape(-1, macs, layer.weights.shape[1])
    bias = np.pad(np.asarray(layer.bias), (0, missing)).reshape(-1, macs)
    lanes = weights.swapaxes(1, 2).reshape(-1, macs)
    return [_side_by_side(lane, 8) for lane in lanes.tolist()], [_side_by_side(lane, 24) for lane in bias.tolist()]


def _side_by_side(numbers: Sequence[int], bits: int) -> int:
    """Numbers in one word, the first in the lowest bits."""
    return sum((number & (1 << bits) - 1) << bits * place for place, number in enumerate(numbers))


def _parameters(layers: Sequence[DenseLayer], macs: int) -> dict[str, int | str]:
    shapes = [layer.weights.shape for layer in layers]
    passes = [-(-rows // macs) for rows, _ in shapes]
    tables = {
        "ROWS": ([rows for rows, _ in shapes], 16),
        "COLUMNS": ([columns for _, columns in shapes], 16),
        "PASSES": (passes, 16),
        "SHIFT": ([layer.shift for layer in layers], 8),
        "RELU": ([int(layer.relu) for layer in layers], 1),
    }
    return {
        **{name: f"{bits * len(values)}'h{_side_by_side(values, bits):x}" for name, (values, bits) in tables.items()},
        "MACS": macs,
        "LAYERS": len(layers),
        "WEIGHT_WORDS": sum(count * columns for count, (_, columns) in zip(passes, shapes, strict=True)),
        "BIAS_WORDS": sum(passes),
        "WIDEST": max(max(shape) for shape in shapes),
        "WIDE": max(9, *(layer.sums.bits for layer in layers)),
    }


def _cpp(layers: Sequence[DenseLayer], macs: int) -> str:
    shapes = np.array([layer.weights.shape for layer in layers])
    sizes = {"MACS": macs, "LAYERS": len(layers), "WIDEST": int(shapes.max())}
    sizes |= {"INPUTS": int(shapes[0, 1]), "OUTPUTS": int(shapes[-1, 0])}
    tables = {"SHIFT": [layer.shift for layer in layers], "LOW": [layer.low for layer in layers]}
    arrays = {name: np.array(values) for name, values in tables.items()} | {
        "ROWS": shapes[:, 0],
        "COLUMNS": shapes[:, 1],
    }
    arrays["WEIGHTS"] = np.concatenate([layer.weights.ravel() for layer in layers])
    arrays["BIAS"] = np.concatenate([np.asarray(layer.bias) for layer in layers])
    return cpp_text("network", {**sizes, **arrays})
