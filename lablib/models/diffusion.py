"""Denoising diffusion for the digits of 8 × 8: how noise is added, and a U-Net that says what noise is in an image.

Forwards, noise is added in T small steps; any of them can be reached at once:

    x_t = √ᾱ_t · x_0 + √(1 - ᾱ_t) · ε,   ε ~ N(0, I)

The network is given x_t and t and estimates ε; `sampling` has the way back. A U-Net keeps the activations of its wide
layers until the way up needs them:

    8 × 8 ── 32 ──────────────────────────────── joined ── 32 ── ε̂
              └─ /2 ─ 4 × 4 ── 64 ── joined 64 ── ×2 ┘
                               └─ 64 ─┘

Source: Ho, Jain and Abbeel, "Denoising Diffusion Probabilistic Models", arXiv:2006.11239, equation 4 and section 4;
Ronneberger, Fischer and Brox, "U-Net", arXiv:1505.04597.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from jaxtyping import Float, Int

__all__ = ["STEPS", "UNet", "add_noise", "signal_levels"]

STEPS = 250


def signal_levels() -> Float[Tensor, " T_plus_1"]:
    """ᾱ_0 = 1, ᾱ_1, …, ᾱ_T: the share of the image's variance that is left at each step, float64.

    Examples
    --------
    >>> levels = signal_levels()
    >>> levels.shape, levels[0].item()
    (torch.Size([251]), 1.0)
    """
    # Ho, Jain and Abbeel's straight line for 1000 steps; with fewer, each takes away as much more.
    betas = torch.linspace(1e-4, 0.02, STEPS, dtype=torch.float64) * 1000 / STEPS
    return torch.cat([torch.ones(1, dtype=torch.float64), (1 - betas).cumprod(0)])


def add_noise(
    x: Float[Tensor, "B C H W"], level: Float[Tensor, " B"], noise: Float[Tensor, "B C H W"]
) -> Float[Tensor, "B C H W"]:
    """Images as they are when ``level`` (ᾱ) of their variance is left."""
    level = level.to(x.dtype)[:, None, None, None]
    return level.sqrt() * x + (1 - level).sqrt() * noise


class _TimeBlock(nn.Module):
    """Two convolutions of 3 × 3 on a residual path; the step's embedding is added between them."""

    def __init__(self, channels_in: int, channels_out: int, embedding: int) -> None:
        super().__init__()
        self.norm1 = nn.GroupNorm(8, channels_in)
        self.conv1 = nn.Conv2d(channels_in, channels_out, 3, padding=1)
        self.time = nn.Linear(embedding, channels_out)
        self.norm2 = nn.GroupNorm(8, channels_out)
        self.conv2 = nn.Conv2d(channels_out, channels_out, 3, padding=1)
        same = channels_in == channels_out
        self.around = nn.Identity() if same else nn.Conv2d(channels_in, channels_out, 1)

    def forward(self, x: Float[Tensor, "B C_in H W"], embedding: Float[Tensor, "B E"]) -> Float[Tensor, "B C_out H W"]:
        y = self.conv1(nn.functional.silu(self.norm1(x)))
        y = y + self.time(embedding)[:, :, None, None]
        y = self.conv2(nn.functional.silu(self.norm2(y)))
        return y + self.around(x)


class UNet(nn.Module):
    """Noisy images in about [-1, 1], and each one's step, to the noise in them.

    Examples
    --------
    >>> model = UNet()
    >>> model(torch.zeros(2, 1, 8, 8), torch.tensor([1, 250])).shape
    torch.Size([2, 1, 8, 8])
    """

    def __init__(self, channels: int = 1, width: int = 32) -> None:
        super().__init__()
        self.frequencies = width  # of the sinusoids that tell the step
        embedding = 4 * width
        self.embed = nn.Sequential(nn.Linear(2 * width, embedding), nn.SiLU(), nn.Linear(embedding, embedding))
        self.enter = nn.Conv2d(channels, width, 3, padding=1)
        self.wide_down = _TimeBlock(width, width, embedding)
        self.shrink = nn.Conv2d(width, 2 * width, 3, stride=2, padding=1)
        self.narrow_down = _TimeBlock(2 * width, 2 * width, embedding)
        self.middle = _TimeBlock(2 * width, 2 * width, embedding)
        self.narrow_up = _TimeBlock(4 * width, 2 * width, embedding)
        self.grow = nn.Upsample(scale_factor=2, mode="nearest")
        self.wide_up = _TimeBlock(3 * width, width, embedding)
        self.leave = nn.Sequential(nn.GroupNorm(8, width), nn.SiLU(), nn.Conv2d(width, channels, 3, padding=1))

    def forward(self, x: Float[Tensor, "B C H W"], t: Int[Tensor, " B"]) -> Float[Tensor, "B C H W"]:
        # Wavelengths from 2π to 2000π steps, so that both neighbours and halves of the chain look different.
        rates = torch.logspace(0, -3, self.frequencies, device=x.device)
        angles = t[:, None] * rates
        embedding = nn.functional.silu(self.embed(torch.cat([angles.sin(), angles.cos()], dim=1)))
        wide = self.wide_down(self.enter(x), embedding)
        narrow = self.narrow_down(self.shrink(wide), embedding)
        y = self.middle(narrow, embedding)
        y = self.narrow_up(torch.cat([y, narrow], dim=1), embedding)
        y = self.wide_up(torch.cat([self.grow(y), wide], dim=1), embedding)
        return self.leave(y)
