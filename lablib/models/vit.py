"""A vision Transformer: an image as a sentence of patches.

    image 28 × 28 ──patches of 4 × 4──> 49 tokens of 64 ──+ place──> 4 blocks ──norm──mean──linear──> classes

Cutting patches and multiplying each by one matrix is a convolution whose stride is its size. Nothing tells the network
that neighbours belong together: it learns that from the data, which is why it needs more of them than a `cnn`.

Source: Dosovitskiy et al., "An Image is Worth 16x16 Words", arXiv:2010.11929, section 3.1; the mean over tokens for a
class token as in Beyer, Zhai and Kolesnikov, "Better plain ViT baselines for ImageNet-1k", arXiv:2205.01580.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from lablib.models.transformer import Block

if TYPE_CHECKING:
    from jaxtyping import Float

__all__ = ["ViT"]


class ViT(nn.Module):
    """Images to logits.

    Parameters
    ----------
    size, patch
        Pixels along a side of an image and of a patch.

    Raises
    ------
    ValueError
        If patches do not fill the image.

    Examples
    --------
    >>> model = ViT()
    >>> model(torch.zeros(2, 1, 28, 28)).shape
    torch.Size([2, 10])
    >>> sum(p.numel() for p in model.parameters())
    204938
    """

    def __init__(
        self, size: int = 28, patch: int = 4, channels: int = 1, classes: int = 10,
        width: int = 64, depth: int = 4, heads: int = 4, dropout: float = 0.0,
    ) -> None:  # fmt: skip
        super().__init__()
        if size % patch:
            raise ValueError(f"Patches of {patch} × {patch} do not fill an image of {size} × {size}.")
        self.patches = nn.Conv2d(channels, width, patch, stride=patch)
        self.places = nn.Parameter(0.02 * torch.randn((size // patch) ** 2, width))
        self.blocks = nn.ModuleList(Block(width, heads, causal=False, dropout=dropout) for _ in range(depth))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, classes)

    def tokens(self, x: Float[Tensor, "B C size size"]) -> Float[Tensor, "B T width"]:
        """The patches as tokens, row by row, before the first block."""
        return self.patches(x).flatten(2).transpose(1, 2) + self.places

    def forward(self, x: Float[Tensor, "B C size size"]) -> Float[Tensor, "B classes"]:
        x = self.tokens(x)
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x).mean(dim=1))
