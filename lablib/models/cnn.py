"""A residual convolutional network for small images.

    images ──3×3, /2──> block 16 ──> block 32, /2 ──> block 48 ──> mean over places ──> linear ──> classes

    block:   x ──3×3──norm──ReLU──3×3──norm──(+)──ReLU──>
             └────── 1×1, norm where the shape changes ─┘

Resolution falls as channels grow: twice the channels are four times the weights, but a quarter of the places to apply
them at. The mean over places makes the network indifferent to the size of its images.

Source: He, Zhang, Ren and Sun, "Deep Residual Learning for Image Recognition", arXiv:1512.03385, section 3.3.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from jaxtyping import Float

__all__ = ["CNN", "ResidualBlock"]


class ResidualBlock(nn.Module):
    """Two convolutions of 3 × 3, and a way around them."""

    def __init__(self, channels_in: int, channels_out: int, stride: int = 1) -> None:
        super().__init__()
        # The norm after a convolution takes its bias away again.
        self.conv1 = nn.Conv2d(channels_in, channels_out, 3, stride, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(channels_out)
        self.conv2 = nn.Conv2d(channels_out, channels_out, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels_out)
        self.around = nn.Sequential()
        if stride != 1 or channels_in != channels_out:
            self.around.append(nn.Conv2d(channels_in, channels_out, 1, stride, bias=False))
            self.around.append(nn.BatchNorm2d(channels_out))

    def forward(self, x: Float[Tensor, "B C_in H_in W_in"]) -> Float[Tensor, "B C_out H_out W_out"]:
        y = torch.relu(self.norm1(self.conv1(x)))
        y = self.norm2(self.conv2(y))
        return torch.relu(y + self.around(x))


class CNN(nn.Module):
    """Images to logits.

    Parameters
    ----------
    widths
        Channels of the three blocks; the defaults make 56 250 parameters.

    Examples
    --------
    >>> model = CNN()
    >>> model(torch.zeros(2, 1, 28, 28)).shape
    torch.Size([2, 10])
    >>> sum(p.numel() for p in model.parameters())
    56250
    """

    def __init__(self, channels: int = 1, widths: tuple[int, int, int] = (16, 32, 48), classes: int = 10) -> None:
        super().__init__()
        first, second, third = widths
        self.stem = nn.Conv2d(channels, first, 3, stride=2, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(first)
        self.blocks = nn.Sequential(
            ResidualBlock(first, first), ResidualBlock(first, second, stride=2), ResidualBlock(second, third)
        )
        self.head = nn.Linear(third, classes)

    def features(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B F"]:
        """What the last layer classifies: a number for each channel, whatever the size of the images."""
        x = torch.relu(self.norm(self.stem(x)))
        return self.blocks(x).mean(dim=(2, 3))

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B classes"]:
        return self.head(self.features(x))
