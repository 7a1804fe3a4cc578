"""Train the digits network and write ``digits_network.npz``, in ten seconds.

    python -m lablib.hls.designs.train_digits

Needs torch, and scikit-learn for the images. Training is in floats; afterwards each layer's outputs get the finest
power of two with which those of the training images fit into int8.
"""

from __future__ import annotations

import json
from importlib.metadata import version
from typing import Any

import numpy as np

from lablib.hls.designs.digits import FILE, PIXEL_BITS, quantised
from lablib.hls.designs.network import network_reference

HELD_OUT, HIDDEN, EPOCHS, SEED = 360, 32, 60, 0
Parameters = tuple[tuple[np.ndarray, np.ndarray], ...]


def main() -> None:
    """Load, train, quantise, write; print the log."""
    from sklearn.datasets import load_digits

    bunch: Any = load_digits()
    order = np.random.default_rng(SEED).permutation(len(bunch.target))
    images, labels = bunch.data[order].astype(np.uint8), bunch.target[order].astype(np.uint8)
    parameters, losses = trained(images[:-HELD_OUT], labels[:-HELD_OUT])
    bits = value_bits(parameters, images[:-HELD_OUT])
    test, truth = images[-HELD_OUT:], labels[-HELD_OUT:]
    integers = network_reference(quantised(parameters, bits), test.astype(np.int64)).argmax(axis=-1)
    floats = outputs(parameters, test)[-1].argmax(axis=-1)
    log = {
        "data": "scikit-learn's load_digits: Alpaydin and Kaynak, Optical Recognition of Handwritten Digits, UCI, 1998",
        "licence": "CC BY 4.0",
        "images": {"trained on": len(images) - HELD_OUT, "held out": HELD_OUT},
        "seed": SEED,
        "epochs": EPOCHS,
        "loss": {str(epoch): losses[epoch] for epoch in range(9, EPOCHS, 10)},
        "right of the held out": {"float": int((floats == truth).sum()), "int8": int((integers == truth).sum())},
        "versions": {name: version(name) for name in ("numpy", "torch", "scikit-learn")},
    }
    arrays: dict[str, Any] = {f"weights{number}": one for number, (one, _) in enumerate(parameters)}
    arrays |= {f"bias{number}": one for number, (_, one) in enumerate(parameters)}
    np.savez_compressed(FILE, value_bits=bits, images=test, labels=truth, log=json.dumps(log), **arrays)
    print(json.dumps(log, indent=2))


def trained(images: np.ndarray, labels: np.ndarray) -> tuple[Parameters, list[float]]:
    """Weights and biases of both layers, and the mean loss of each epoch."""
    import torch
    from torch import nn

    torch.manual_seed(SEED)
    model = nn.Sequential(nn.Linear(images.shape[1], HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, 10))
    optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.02)
    x, y = torch.from_numpy(images).float() / 2**PIXEL_BITS, torch.from_numpy(labels).long()
    losses = []
    for _ in range(EPOCHS):
        total = 0.0
        for batch in torch.randperm(len(x)).split(32):
            optimiser.zero_grad()
            loss = nn.functional.cross_entropy(model(x[batch]), y[batch])
            loss.backward()
            optimiser.step()
            total += loss.item() * len(batch)
        losses.append(round(total / len(x), 5))
    arrays = [parameter.detach().numpy() for parameter in model.parameters()]
    return ((arrays[0], arrays[1]), (arrays[2], arrays[3])), losses


def outputs(parameters: Parameters, images: np.ndarray) -> list[np.ndarray]:
    """What each layer of the float network gives."""
    (first, b), (second, c) = parameters
    hidden = np.maximum(images / 2**PIXEL_BITS @ first.T + b, 0)
    return [hidden, hidden @ second.T + c]


def value_bits(parameters: Parameters, images: np.ndarray) -> list[int]:
    """Bits behind the binary point of the pixels and of each layer's outputs."""
    found = [int(np.floor(np.log2(127 / np.abs(values).max()))) for values in outputs(parameters, images)]
    return [PIXEL_BITS, *found]


if __name__ == "__main__":
    main()
