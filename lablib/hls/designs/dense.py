"""A quantised dense layer: integers in, integers out.

    y = clip((W x + b) >> shift, low, high)

The sum is exact. The shift brings it back to the scale of the output and rounds down; clipping keeps it in its type.
With relu the lower bound is 0, which costs nothing beside the clipping.

Source: integer-only inference after Jacob et al., "Quantization and Training of Neural Networks for Efficient
Integer-Arithmetic-Only Inference", CVPR 2018, section 2.2, with a power of two for the multiplier.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from lablib.hls.bits import BitsType, bits_for, checked
from lablib.hls.errors import HardwareError

__all__ = ["BIAS_BITS", "INT8", "DenseLayer", "check_int8", "dense_dslx", "dense_reference"]

INT8 = BitsType(8, signed=True)
BIAS_BITS = 24  # of a bias in the designs that are written by hand


@dataclass(frozen=True, eq=False)
class DenseLayer:
    """Weights and types of a quantised dense layer.

    Attributes
    ----------
    weights
        Integers of shape (outputs, inputs), as in torch's ``Linear``.
    bias
        Integers of shape (outputs,), in the scale of the sum; None for zeros.
    shift
        Bits by which the sum is shifted right.
    relu
        Whether negative results become 0.
    inputs, outputs
        Types of one input and one output.

    Raises
    ------
    HardwareError
        Weights, bias and types do not fit each other.
    """

    weights: np.ndarray
    bias: np.ndarray | None = None
    shift: int = 0
    relu: bool = False
    inputs: BitsType = INT8
    outputs: BitsType = INT8
    sums: BitsType = field(init=False)
    """The narrowest type that holds every sum, and every partial one."""

    def __post_init__(self) -> None:
        weights = _integers(self.weights, 2, "weights of shape (outputs, inputs)")
        bias = _integers(
            np.zeros(len(weights), int) if self.bias is None else self.bias, 1, "a bias of shape (outputs,)"
        )
        if bias.shape != weights.shape[:1]:
            raise HardwareError(f"A dense layer with {len(weights)} outputs takes as many biases, got {bias.size}.")
        for name, kind in (("inputs", self.inputs), ("outputs", self.outputs)):
            if kind.shape or not 1 <= kind.bits <= 32:
                raise HardwareError(f"{name} is the type of one value of 1 to 32 bits, got {kind}.")
        # Every partial sum lies between the bias with all negative and with all positive products.
        products = np.stack([weights * self.inputs.low, weights * self.inputs.high])
        low = (bias + np.minimum(products.min(axis=0), 0).sum(axis=1)).min()
        high = (bias + np.maximum(products.max(axis=0), 0).sum(axis=1)).max()
        sums = bits_for(int(low), int(high))
        if not 0 <= self.shift < sums.bits:
            raise HardwareError(f"The sum has {sums.bits} bits: shift is from 0 to {sums.bits - 1}, got {self.shift}.")
        for name, value in (("weights", weights), ("bias", bias), ("sums", sums)):
            object.__setattr__(self, name, value)

    @property
    def low(self) -> int:
        """The lowest output."""
        return max(self.outputs.low, 0) if self.relu else self.outputs.low


def _integers(values: object, rank: int, expected: str) -> np.ndarray:
    array = np.asarray(values)
    if (
        array.ndim != rank
        or not array.size
        or array.dtype.kind not in "iu"
        or np.abs(array.astype(float)).max() >= 2**31
    ):
        raise HardwareError(
            f"A dense layer takes {expected}, integers of up to 32 bits: got shape {array.shape} of {array.dtype}."
        )
    return array.astype(np.int64)


def dense_reference(layer: DenseLayer, x: np.ndarray) -> np.ndarray:
    """The layer in numpy.

    Parameters
    ----------
    x
        Integers of shape ``(*batch, inputs)``.

    Returns
    -------
    np.ndarray
        Shape ``(*batch, outputs)``, int64.

    Examples
    --------
    >>> layer = DenseLayer(np.array([[1, 2], [-3, 4]]), np.array([8, 0]), shift=1, relu=True)
    >>> dense_reference(layer, np.array([[5, 1], [100, 0]])).tolist()
    [[7, 0], [54, 0]]
    """
    assert layer.bias is not None
    kind = BitsType(layer.inputs.bits, layer.inputs.signed, layer.weights.shape[1:])
    sums = checked(x, kind, "x").astype(np.int64) @ layer.weights.T + layer.bias
    return np.clip(sums >> layer.shift, layer.low, layer.outputs.high)


def check_int8(layer: DenseLayer) -> None:
    """Refuse a layer that multipliers of 8 bits and sums of 32 do not compute.

    Raises
    ------
    HardwareError
        Ranges are others.
    """
    if (layer.inputs, layer.outputs) != (INT8, INT8):
        raise HardwareError(f"This design takes s8 and gives s8: the layer has {layer.inputs} and {layer.outputs}.")
    for name, values, bits in (("weights", layer.weights, 8), ("biases", layer.bias, BIAS_BITS)):
        kind, array = BitsType(bits, True), np.asarray(values)
        if array.min() < kind.low or array.max() > kind.high:
            raise HardwareError(
                f"This design has {name} of {bits} bits, {kind.low} to {kind.high}: "
                f"those of the layer go from {array.min()} to {array.max()}."
            )
    if layer.sums.bits > 32:
        raise HardwareError(f"This design has sums of 32 bits: those of the layer need {layer.sums.bits}.")


def dense_dslx(layer: DenseLayer, name: str = "dense") -> str:
    """The layer as a DSLX module with one public function, ``name(x) -> y``.

    Both loops are unrolled by XLS: there is a multiplier for each weight, and an input is taken every cycle.

    Examples
    --------
    >>> from lablib.hls.xls import xls_function
    >>> dense = xls_function(dense_dslx(DenseLayer(np.array([[1, 2], [-3, 4]]))), "dense")
    >>> dense([5, 1])
    array([  7, -11])
    """
    assert layer.bias is not None
    rows, columns = layer.weights.shape
    weight = bits_for(int(layer.weights.min()), int(layer.weights.max()))
    x, w, s, y = (_dslx(kind) for kind in (layer.inputs, weight, layer.sums, layer.outputs))
    # Where a sum cannot leave the range, its type cannot hold the bound either, and there is nothing to clip.
    clips = [("<", layer.low)] * (layer.sums.low < layer.low) + [(">", layer.outputs.high)] * (
        layer.sums.high > layer.outputs.high
    )
    clipped = "".join(f"if scaled {sign} {s}:{bound} {{ {y}:{bound} }} else " for sign, bound in clips)
    table = ",\n".join(f"    {w}[{columns}]:[{', '.join(map(str, row))}]" for row in layer.weights)
    return f"""\
// y = clip((W x + b) >> {layer.shift}, {layer.low}, {layer.outputs.high}), {columns} inputs, {rows} outputs
const WEIGHTS = {w}[{columns}][{rows}]:[
{table}
];
const BIAS = {s}[{rows}]:[{", ".join(map(str, layer.bias))}];

fn requantised(sum: {s}) -> {y} {{
    let scaled = sum >> u32:{layer.shift};
    {clipped}{{ scaled as {y} }}
}}

pub fn {name}(x: {x}[{columns}]) -> {y}[{rows}] {{
    for (o, y): (u32, {y}[{rows}]) in u32:0..u32:{rows} {{
        let sum = for (i, sum): (u32, {s}) in u32:0..u32:{columns} {{
            sum + (x[i] as {s}) * (WEIGHTS[o][i] as {s})
        }}(BIAS[o]);
        update(y, o, requantised(sum))
    }}({y}[{rows}]:[{y}:0, ...])
}}
"""


def _dslx(kind: BitsType) -> str:
    return f"{'s' if kind.signed else 'u'}N[{kind.bits}]"
