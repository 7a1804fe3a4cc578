"""The inputs of tests: one generator, so that whoever grades can choose the seed."""

from __future__ import annotations

import random

import numpy as np
import torch

from lablib import device

__all__ = ["Rng", "rng", "seed", "seeding"]


class Rng:
    """Random tensors on the device that the labs use.

    Values are drawn on the CPU, so that a seed gives the same numbers with and without a GPU.
    """

    def __init__(self, seed: int = 0) -> None:
        self._generator = torch.Generator().manual_seed(seed)

    def seed(self, value: int) -> None:
        """Start again from ``value``."""
        self._generator.manual_seed(value)

    def normal(self, *shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
        """Standard normal numbers, shape ``shape``."""
        return torch.randn(shape, generator=self._generator).to(device.DEVICE, dtype)

    def uniform(self, *shape: int, low: float = 0.0, high: float = 1.0) -> torch.Tensor:
        """Uniform float32 numbers in [low, high), shape ``shape``."""
        return (torch.rand(shape, generator=self._generator) * (high - low) + low).to(device.DEVICE)

    def integers(self, low: int, high: int, *shape: int) -> torch.Tensor:
        """Integers in [low, high), int64, shape ``shape``."""
        return torch.randint(low, high, shape, generator=self._generator).to(device.DEVICE)

    def choice(self, low: int, high: int) -> int:
        """One Python int in [low, high)."""
        return int(torch.randint(low, high, (), generator=self._generator))


rng = Rng()


_seeding = (0, 0)


def seed(value: int) -> None:
    """Seed torch, numpy and random, for the test and for the code that it tests.

    In a notebook both are one process. When graded they are two, and `torch.manual_seed` reaches only the first.
    """
    global _seeding
    _seeding = (_seeding[0] + 1, value)
    torch.manual_seed(value)
    np.random.seed(value % 2**32)
    random.seed(value)


def seeding() -> tuple[int, int]:
    """How often `seed` was called, and with what last."""
    return _seeding
