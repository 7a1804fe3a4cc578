"""A dense layer on one multiplier, its weights in block RAM.

    y[n] = clip((sum_k W[n, k] x[k] + b[n]) >> shift, low, 127)      low = 0 with ReLU, else -128

The inputs come one a cycle and are kept; then every weight is read once, one a cycle:

    x ──> block RAM ──┐
    weights ROM ──────┴──> multiply, accumulate ──> shift, clip ──> y

One multiplier needs K cycles to take an input and N K to compute: K (N + 1) cycles an input vector, against K N
multipliers for one every cycle.
"""

from __future__ import annotations

from functools import partial

from lablib.hls.bits import BitsType
from lablib.hls.designs import Design
from lablib.hls.designs.dense import BIAS_BITS, DenseLayer, check_int8, dense_reference
from lablib.hls.designs.texts import cpp_text, memory_text, software_of, verilog_text
from lablib.hls.errors import HardwareError

__all__ = ["dense_serial"]

DRAIN = 2  # cycles from the last weight's read to its result


def dense_serial(layer: DenseLayer) -> Design:
    """A dense layer of int8 weights and activations on one multiplier.

    Parameters
    ----------
    layer
        Inputs, outputs and weights of 8 bits, biases of 24, at least 2 rows and 2 columns.

    Returns
    -------
    Design
        A stream: ``x`` takes the K elements of a vector one after the other, ``y`` gives the N results.

    Raises
    ------
    HardwareError
        Shapes or ranges are others.

    Examples
    --------
    >>> import numpy as np
    >>> layer = DenseLayer(np.array([[1, 2], [3, -4]]), np.array([8, 0]), shift=1, relu=True)
    >>> dense_serial(layer).golden([[2, 4]])
    array([[9, 0]])
    """
    check_int8(layer)
    assert layer.bias is not None
    rows, columns = layer.weights.shape
    if min(rows, columns) < 2:
        raise HardwareError(f"dense_serial takes at least 2 outputs and 2 inputs: it got {rows} and {columns}.")
    sizes = {"ROWS": rows, "COLUMNS": columns, "SHIFT": layer.shift, "LOW": layer.low}
    source = cpp_text("dense_serial", {**sizes, "WEIGHTS": layer.weights, "BIAS": layer.bias})
    return Design(
        "dense_serial",
        verilog_text("dense_serial", sizes),
        golden=partial(dense_reference, layer),
        software=software_of(source, "dense_serial"),
        source=source,
        inputs={"x": BitsType(8, True, (columns,))},
        output=("y", BitsType(8, True, (rows,))),
        latency=columns * (rows + 1) + DRAIN,
        ii=columns * (rows + 1),
        files={"weights.hex": memory_text(layer.weights.ravel(), 8), "bias.hex": memory_text(layer.bias, BIAS_BITS)},
    )
