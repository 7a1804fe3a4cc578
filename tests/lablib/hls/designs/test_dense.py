"""The dense layer in DSLX equals its numpy model, and what does not fit is refused."""

from __future__ import annotations

import numpy as np
import pytest

from lablib.hls.bits import BitsType
from lablib.hls.designs.dense import DenseLayer, dense_dslx, dense_reference
from lablib.hls.errors import HardwareError
from lablib.hls.xls import xls_function

RNG = np.random.default_rng(0)
W, B = RNG.integers(-128, 128, (8, 16)), RNG.integers(-1000, 1000, 8)


@pytest.mark.parametrize(
    "layer",
    [
        DenseLayer(W, B, shift=8, relu=True),
        DenseLayer(W, B, shift=6),
        DenseLayer(W, B, shift=7, relu=True, inputs=BitsType(8, False), outputs=BitsType(4, False)),
        DenseLayer(W[:3, :5], outputs=BitsType(32, True)),  # nothing to clip
        DenseLayer(np.abs(W[:2, :3]), relu=True, inputs=BitsType(8, False), outputs=BitsType(32, False)),
        DenseLayer(np.zeros((2, 3), int), np.array([10**6, -(10**6)])),
        DenseLayer(np.array([[-128]]), inputs=BitsType(1, True), outputs=BitsType(1, False)),
    ],
    ids=["relu", "signed", "unsigned", "exact", "positive", "constant", "one bit"],
)
def test_dslx_equals_numpy(layer: DenseLayer) -> None:
    x = RNG.integers(layer.inputs.low, layer.inputs.high + 1, (1000, layer.weights.shape[1]))
    x[:3] = np.array([layer.inputs.low, layer.inputs.high, 0])[:, None]
    # Every output once at its largest and once at its smallest.
    corners = np.where(layer.weights > 0, layer.inputs.high, layer.inputs.low)
    x = np.concatenate([x, corners, layer.inputs.high + layer.inputs.low - corners])
    assert np.array_equal(xls_function(dense_dslx(layer), "dense")(x), dense_reference(layer, x))


def test_the_sum_is_as_wide_as_it_must_be() -> None:
    assert str(DenseLayer(np.array([[1, 1]])).sums) == "s9"
    assert str(DenseLayer(np.array([[1, 1]]), np.array([-1])).sums) == "s10"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"weights": [1, 2]}, "takes weights of shape (outputs, inputs), integers of up to 32 bits: got shape (2,)"),
        ({"weights": [[0.5]]}, "got shape (1, 1) of float64"),
        ({"weights": [[1]], "bias": [1, 2]}, "A dense layer with 1 outputs takes as many biases, got 2."),
        ({"weights": [[1]], "shift": 8}, "The sum has 8 bits: shift is from 0 to 7, got 8."),
        ({"weights": [[1]], "inputs": BitsType(33, True)}, "inputs is the type of one value of 1 to 32 bits, got s33."),
        ({"weights": [[2**31]]}, "integers of up to 32 bits: got shape (1, 1) of int64"),
    ],
)
def test_what_does_not_fit_is_refused(arguments: dict, message: str) -> None:
    with pytest.raises(HardwareError) as refused:
        DenseLayer(**arguments)
    assert message in str(refused.value)


def test_an_input_that_does_not_fit_is_refused() -> None:
    with pytest.raises(HardwareError, match=r"x\[1, 0\] is 128: s8\[2\] takes -128 to 127 only"):
        dense_reference(DenseLayer(np.array([[1, 2]])), np.array([[0, 0], [128, 0]]))
