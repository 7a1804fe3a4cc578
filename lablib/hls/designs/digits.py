"""A trained network that reads handwritten digits: 8 × 8 pixels, 64 → 32 → 10, int8, small enough for an iCE40.

Pixels are 0 to 16 and enter as they are. Weights are rounded to a power of two's steps, a power of two brings each sum
back to 8 bits, and half of what the shift cuts off is part of the bias, so that it rounds to nearest.
`train_digits` is the script that trained it; it wrote ``digits_network.npz``, from which everything here comes.

Data: E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine Learning Repository, 1998,
https://doi.org/10.24432/C50P49, CC BY 4.0, as scikit-learn ships it. Of the 1797 images 360, chosen at random, were not
trained on. The same people wrote both parts, so other hands may be read less well.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lablib.hls.designs import Design
from lablib.hls.designs.dense import DenseLayer
from lablib.hls.designs.network import network

__all__ = ["FILE", "PIXEL_BITS", "Digits", "digits", "digits_network", "quantised"]

FILE = Path(__file__).with_name("digits_network.npz")
PIXEL_BITS = 4
"""A pixel of 16 is 1.0 to the float network."""


@dataclass(frozen=True)
class Digits:
    """A trained network, as floats and as integers, and images that it has not seen.

    Attributes
    ----------
    parameters
        Weights and biases of the float network, ``((32, 64), (32,)), ((10, 32), (10,))``, float32.
    layers
        The same, quantised.
    value_bits
        Bits behind the binary point of the pixels, and of each layer's outputs.
    images, labels
        Held out from training: shape (360, 64), 0 to 16; shape (360,).
    log
        What the training script wrote down.
    """

    parameters: tuple[tuple[np.ndarray, np.ndarray], ...]
    layers: tuple[DenseLayer, ...]
    value_bits: tuple[int, ...]
    images: np.ndarray
    labels: np.ndarray
    log: dict[str, Any]

    def float_logits(self, images: np.ndarray) -> np.ndarray:
        """The float network on images of shape ``(*batch, 64)`` with pixels of 0 to 16."""
        values = np.asarray(images) / 2**PIXEL_BITS
        for number, (weights, bias) in enumerate(self.parameters):
            values = values @ weights.T + bias
            values = np.maximum(values, 0) if number < len(self.parameters) - 1 else values
        return values


def digits(file: Path = FILE) -> Digits:
    """The network and its held-out images, from a file.

    Parameters
    ----------
    file
        An npz archive with the arrays of the one that is shipped: ``weights0``, ``bias0`` and so on, float, from the
        first layer on; ``value_bits``; ``images``, 0 to 16, and ``labels``; ``log``, JSON.

    Examples
    --------
    >>> [layer.weights.shape for layer in digits().layers]
    [(32, 64), (10, 32)]
    """
    with np.load(file) as archive:
        count = sum(name.startswith("weights") for name in archive.files)
        parameters = tuple((archive[f"weights{number}"], archive[f"bias{number}"]) for number in range(count))
        value_bits = tuple(int(bits) for bits in archive["value_bits"])
        images, labels = archive["images"].astype(np.int64), archive["labels"].astype(np.int64)
        log = json.loads(str(archive["log"]))
    return Digits(parameters, quantised(parameters, value_bits), value_bits, images, labels, log)


def quantised(
    parameters: tuple[tuple[np.ndarray, np.ndarray], ...], value_bits: Sequence[int]
) -> tuple[DenseLayer, ...]:
    """Dense layers in integers, each with the finest power of two for its weights that int8 holds.

    Parameters
    ----------
    parameters
        Weights, shape (outputs, inputs), and biases, shape (outputs,), float, of layers with ReLU between them.
    value_bits
        Bits behind the binary point of the first layer's inputs and of every layer's outputs.

    Examples
    --------
    >>> (layer,) = quantised(((np.array([[0.5, -0.25]]), np.array([1.0])),), [4, 4])
    >>> layer.weights.tolist(), layer.bias.tolist(), layer.shift
    ([[64, -32]], [2112], 7)
    """
    layers = []
    for number, (weights, bias) in enumerate(parameters):
        weight_bits = int(np.floor(np.log2(127 / np.abs(weights).max())))
        sum_bits = value_bits[number] + weight_bits
        shift = sum_bits - value_bits[number + 1]
        half = 1 << shift - 1 if shift else 0
        layers.append(
            DenseLayer(
                np.rint(weights * 2.0**weight_bits).astype(np.int64),
                np.rint(bias * 2.0**sum_bits).astype(np.int64) + half,
                shift,
                relu=number < len(parameters) - 1,
            )
        )
    return tuple(layers)


def digits_network(macs: int = 1) -> Design:
    """The hardware: an image in 64 transfers, ten logits in as many, on ``macs`` multipliers.

    Examples
    --------
    >>> data, design = digits(), digits_network()
    >>> design.golden(data.images[:5]).argmax(axis=-1) == data.labels[:5]
    array([ True,  True,  True,  True,  True])
    >>> [digits_network(macs).ii for macs in (1, 2, 4, 8)]
    [2440, 1258, 684, 400]
    """
    return network(digits().layers, macs)
