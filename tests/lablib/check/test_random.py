"""The tests' inputs repeat after a reseed and have the asked shape, dtype and range."""

from __future__ import annotations

import torch

from lablib import device
from lablib.check.random import Rng


def test_a_seed_repeats_every_kind_of_draw() -> None:
    rng = Rng(7)

    def draw() -> list:
        return [rng.normal(2, 3), rng.uniform(4, low=-1.0, high=1.0), rng.integers(0, 9, 5), rng.choice(3, 8)]

    first = draw()
    other = draw()
    rng.seed(7)
    again = draw()
    assert all(torch.equal(torch.as_tensor(a), torch.as_tensor(b)) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first[0], other[0])


def test_shapes_dtypes_and_ranges() -> None:
    rng = Rng(1)
    half = rng.normal(3, 4, dtype=torch.float16)
    assert half.shape == (3, 4) and half.dtype == torch.float16 and half.device.type == device.DEVICE.type
    assert -2 <= float(rng.uniform(1000, low=-2.0, high=-1.0).min()) < -1.9
    assert set(rng.integers(2, 4, 100).tolist()) == {2, 3} and rng.choice(5, 6) == 5
