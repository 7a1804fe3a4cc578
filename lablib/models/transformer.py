"""The Transformer block that `vit` and `gpt` are built of: attention, then two linear layers, each on a residual path.

    x ──norm──attention──(+)──norm──linear──GELU──linear──(+)──>
    └────────────────────┘ └──────────────────────────────┘

Attention of one head: softmax(q · kᵀ / √d) · v, where row i of the softmax says how much place i takes from each other
place. The softmax is a module, so that a hook on it sees every map.

Source: Vaswani et al., "Attention Is All You Need", arXiv:1706.03762, section 3.2; norms before the layers as in Xiong
et al., "On Layer Normalization in the Transformer Architecture", arXiv:2002.04745.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from jaxtyping import Float

__all__ = ["Attention", "Block", "Cache"]


class Cache:
    """Keys and values of the places that one attention layer has seen, so that no later step computes them again."""

    def __init__(self) -> None:
        self.k: Tensor | None = None
        self.v: Tensor | None = None

    @property
    def length(self) -> int:
        """Places that are held."""
        return 0 if self.k is None else self.k.shape[2]

    def append(
        self, k: Float[Tensor, "B heads T d"], v: Float[Tensor, "B heads T d"]
    ) -> tuple[Float[Tensor, "B heads S d"], Float[Tensor, "B heads S d"]]:
        """Add the newest places and return all S of them."""
        self.k = k if self.k is None else torch.cat([self.k, k], dim=2)
        self.v = v if self.v is None else torch.cat([self.v, v], dim=2)
        return self.k, self.v


class Attention(nn.Module):
    """Multi-head self-attention.

    Parameters
    ----------
    width
        Features of a place; ``heads`` divides it.
    causal
        Whether a place sees itself and earlier ones only.

    Raises
    ------
    ValueError
        If ``heads`` does not divide ``width``.
    """

    def __init__(self, width: int, heads: int, causal: bool) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"{width} features cannot be shared out to {heads} heads: heads must divide width.")
        self.heads, self.causal = heads, causal
        self.qkv = nn.Linear(width, 3 * width)
        self.softmax = nn.Softmax(dim=-1)
        self.out = nn.Linear(width, width)

    def forward(self, x: Float[Tensor, "B T C"], cache: Cache | None = None) -> Float[Tensor, "B T C"]:
        B, T, C = x.shape
        q, k, v = self.qkv(x).view(B, T, 3, self.heads, C // self.heads).permute(2, 0, 3, 1, 4)
        if cache is not None:
            k, v = cache.append(k, v)
        scores = q @ k.transpose(2, 3) * (C // self.heads) ** -0.5
        if self.causal and T > 1:
            # The T newest of S places: row i may see the S - T before them, and i of its own.
            S = k.shape[2]
            later = torch.ones(T, S, dtype=torch.bool, device=x.device).triu(S - T + 1)
            scores = scores.masked_fill(later, float("-inf"))
        y = self.softmax(scores) @ v
        return self.out(y.transpose(1, 2).reshape(B, T, C))


class Block(nn.Module):
    """Attention and the two linear layers, four times as wide between them."""

    def __init__(self, width: int, heads: int, causal: bool, dropout: float = 0.0) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attention = Attention(width, heads, causal)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Float[Tensor, "B T C"], cache: Cache | None = None) -> Float[Tensor, "B T C"]:
        x = x + self.dropout(self.attention(self.norm1(x), cache))
        return x + self.dropout(self.mlp(self.norm2(x)))
