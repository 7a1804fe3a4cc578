"""Golden models equal what torch says of the same layer, exactly or within the error that is stated."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from lablib.hls.designs.conv2d import conv2d
from lablib.hls.designs.dense import DenseLayer, dense_reference
from lablib.hls.designs.dot import dot
from lablib.hls.designs.softmax import FRACTION, softmax
from lablib.hls.designs.systolic import systolic


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def requantised(sums: torch.Tensor, shift: int, relu: bool) -> np.ndarray:
    scaled = torch.floor(sums / 2**shift)
    return (torch.relu(scaled) if relu else scaled).clamp(-128, 127).numpy().astype(int)


@pytest.mark.parametrize("relu", [False, True])
def test_dense(relu: bool) -> None:
    weights, bias, x = (
        rng().integers(-128, 128, (10, 32)),
        np.arange(-500, 500, 100),
        rng().integers(-128, 128, (99, 32)),
    )
    w, b, v = (torch.from_numpy(array).double() for array in (weights, bias, x))
    expected = requantised(F.linear(v, w, b), 8, relu)
    assert np.array_equal(dense_reference(DenseLayer(weights, bias, 8, relu), x), expected)


@pytest.mark.parametrize("relu", [False, True])
def test_convolution(relu: bool) -> None:
    weights, x = rng().integers(-128, 128, (3, 3)), rng().integers(-128, 128, (99, 6, 9))
    w, v = torch.from_numpy(weights).double(), torch.from_numpy(x).double()
    expected = requantised(F.conv2d(v[:, None], w[None, None], torch.tensor([700.0]).double())[:, 0], 9, relu)
    assert np.array_equal(conv2d(weights, 6, 9, bias=700, shift=9, relu=relu).golden(x), expected)


def test_dot_products_and_matrices() -> None:
    x, w = rng().integers(-128, 128, (2, 99, 8, 4))
    assert np.array_equal(dot(4).golden(x, w), torch.einsum("nki,nki->nk", *map(torch.from_numpy, (x, w))).numpy())
    expected = torch.from_numpy(x).mT @ torch.from_numpy(w)
    assert np.array_equal(systolic().golden(x, w), expected.numpy())


@pytest.mark.parametrize("n", [2, 10, 64])
@pytest.mark.parametrize("fraction", [0, 4, 7])
def test_softmax_is_as_close_as_it_says(n: int, fraction: int) -> None:
    x = rng().integers(-128, 128, (3000, n))
    x[1000:] = np.clip(np.rint(rng().normal(0, 20, (2000, n))), -128, 127)  # close enough to share the probability
    x[0], x[1] = -128, 127
    exact = torch.softmax(torch.from_numpy(x).double() / 2**fraction, dim=-1).numpy()
    error = np.abs(softmax(n, fraction).golden(x) / 2**FRACTION - exact).max()
    assert 0 < error < min(2.0**-13, (n + 5) * 2.0**-16)
