"""A 3D convolutional network for clips: its filters extend over time, so that it sees motion.

    clips ──3×3×3──> 16 ──pool 1×2×2──> 3×3×3 ──> 32 ──pool 1×2×2──> 3×3×3 ──> 32 ──> mean ──> linear

A filter of 3 × 3 × 3 costs three times one of 3 × 3, and all activations have one axis more. Pooling spares that axis:
a motion is over within a few frames.

Source: Tran, Bourdev, Fergus, Torresani and Paluri, "Learning Spatiotemporal Features with 3D Convolutional Networks",
arXiv:1412.0767.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from jaxtyping import Float

__all__ = ["CNN3D", "Stage3D"]


class Stage3D(nn.Module):
    """One convolution over time and space, normalised; pooling in space is left to who calls it."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.conv = nn.Conv3d(channels_in, channels_out, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm3d(channels_out)

    def forward(self, x: Float[Tensor, "B C_in T H W"]) -> Float[Tensor, "B C_out T H W"]:
        return torch.relu(self.norm(self.conv(x)))


class CNN3D(nn.Module):
    """Clips to logits.

    Examples
    --------
    >>> model = CNN3D()
    >>> model(torch.zeros(2, 1, 6, 16, 16)).shape
    torch.Size([2, 2])
    >>> sum(p.numel() for p in model.parameters())
    42130
    """

    def __init__(self, channels: int = 1, widths: tuple[int, int, int] = (16, 32, 32), classes: int = 2) -> None:
        super().__init__()
        first, second, third = widths
        self.stages = nn.Sequential(
            Stage3D(channels, first), nn.MaxPool3d((1, 2, 2)),
            Stage3D(first, second), nn.MaxPool3d((1, 2, 2)),
            Stage3D(second, third),
        )  # fmt: skip
        self.head = nn.Linear(third, classes)

    def forward(self, x: Float[Tensor, "B C T H W"]) -> Float[Tensor, "B classes"]:
        return self.head(self.stages(x).mean(dim=(2, 3, 4)))
