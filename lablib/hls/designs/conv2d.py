"""A convolution of an image that streams through: a pixel in every cycle, a result in every cycle.

    y[r, c] = clip((sum_ij w[i, j] x[r + i, c + j] + bias) >> shift, low, 127)      low = 0 with ReLU, else -128

A window of k × k pixels spans k rows, but pixels come row by row. A line buffer keeps the last k - 1 rows in block RAM:
at each pixel it gives the k - 1 pixels above, and takes them back one row further up, with the new one.

    pixel ─┬───────────────> window of k × k registers ──> k² multipliers ──> sum ──> shift, clip ──> y
           └─> line buffer ─>

Each pixel is read once from outside, where a loop over windows would read it k² times.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from lablib.hls.bits import BitsType
from lablib.hls.designs import Design
from lablib.hls.designs.dense import DenseLayer, check_int8, dense_reference
from lablib.hls.designs.texts import cpp_text, software_of, verilog_text
from lablib.hls.errors import HardwareError

__all__ = ["conv2d"]

STAGES = 5  # read the line buffer; move the window; multiply; add; clip


def conv2d(weights: np.ndarray, height: int, width: int, bias: int = 0, shift: int = 0, relu: bool = False) -> Design:
    """A convolution of int8 images with one filter, without padding: II of one pixel, latency of the image and 5 more.

    Parameters
    ----------
    weights
        Integers of 8 bits, shape (k, k), k from 2 to 7, in the order of torch's ``Conv2d`` (a correlation).
    height, width
        Of the image, in pixels, at least k and at most 1024.
    bias, shift, relu
        As those of `lablib.hls.designs.dense.DenseLayer`.

    Returns
    -------
    Design
        A stream: ``x`` takes the height × width pixels of an image, ``y`` gives (height - k + 1) × (width - k + 1)
        results.

    Raises
    ------
    HardwareError
        Shapes or ranges are others.

    Examples
    --------
    >>> edges = conv2d(np.array([[-1, 1], [-1, 1]]), height=3, width=4)
    >>> edges.golden(np.array([[[0, 9, 9, 0], [0, 9, 9, 0], [0, 9, 9, 0]]])).tolist()
    [[[18, 0, -18], [18, 0, -18]]]
    """
    weights = np.asarray(weights)
    size = len(weights) if weights.ndim else 0
    if weights.shape != (size, size) or not 2 <= size <= 7:
        raise HardwareError(f"conv2d takes weights of shape (k, k), k from 2 to 7: it got {weights.shape}.")
    if not (size <= height <= 1024 and size <= width <= 1024):
        raise HardwareError(f"conv2d takes images of {size} to 1024 rows and columns: it got {height} by {width}.")
    layer = DenseLayer(weights.reshape(1, -1), np.array([bias]), shift, relu)
    check_int8(layer)
    sizes = {"HEIGHT": height, "WIDTH": width, "SIZE": size, "BIAS": bias, "SHIFT": shift, "LOW": layer.low}
    packed = "".join(f"{int(weight) & 0xFF:02x}" for weight in weights.ravel()[::-1])
    source = cpp_text("conv2d", {**sizes, "WEIGHTS": weights})

    def golden(x: np.ndarray) -> np.ndarray:
        windows = sliding_window_view(np.asarray(x), (size, size), axis=(-2, -1))
        return dense_reference(layer, windows.reshape(*windows.shape[:-2], size * size))[..., 0]

    return Design(
        "conv2d",
        verilog_text("conv2d", {**sizes, "WEIGHTS": f"{8 * weights.size}'h{packed}"}),
        golden=golden,
        software=software_of(source, "conv2d"),
        source=source,
        inputs={"x": BitsType(8, True, (height, width))},
        output=("y", BitsType(8, True, (height - size + 1, width - size + 1))),
        latency=height * width - 1 + STAGES,
        ii=height * width,
    )
