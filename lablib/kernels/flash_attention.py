"""Attention of queries over keys and values, differentiable, in tiles that never leave the chip.

    S = scale · Q Kᵀ,   P = softmax(S) over the visible keys,   O = P V

    forward      `flash_attention_forward`, on Hopper at D = 128 `flash_attention_hopper`:  O, log of P's denominators
    backward     `flash_attention_backward`, which computes P again from these:             dQ, dK, dV
    packed       `flash_attention_varlen`: sequences of different lengths, by the same kernels

    full               causal              window of 2        more keys than queries, causal
    ┌───────┐          ┌───────┐           ┌───────┐          ┌─────────────┐
    │▒ ▒ ▒ ▒│          │▒      │           │▒      │          │▒ ▒ ▒ ▒      │
    │▒ ▒ ▒ ▒│          │▒ ▒    │           │▒ ▒    │          │▒ ▒ ▒ ▒ ▒    │
    │▒ ▒ ▒ ▒│          │▒ ▒ ▒  │           │  ▒ ▒  │          │▒ ▒ ▒ ▒ ▒ ▒  │
    │▒ ▒ ▒ ▒│          │▒ ▒ ▒ ▒│           │    ▒ ▒│          │▒ ▒ ▒ ▒ ▒ ▒ ▒│      the last query stands at the last key
    └───────┘          └───────┘           └───────┘          └─────────────┘

With all scores in memory, attention moves S · S_k numbers a head several times; in tiles it moves (S + S_k) · D.

Binding roof: matrix throughput.

Source: Dao et al., "FlashAttention", arXiv:2205.14135, section 3.1.
"""

from __future__ import annotations

from typing import Any, cast

import torch

from lablib import device  # noqa: F401  (before triton)
from lablib.gpu.cost import Cost
from lablib.kernels.attention_tiles import check_attention
from lablib.kernels.flash_attention_backward import flash_attention_gradients
from lablib.kernels.flash_attention_forward import flash_attention_forward

__all__ = ["flash_attention", "flash_attention_cost", "flash_attention_reference"]


def flash_attention_reference(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    causal: bool = False,
    window: int | None = None,
    scale: float | None = None,
) -> torch.Tensor:
    """Attention in plain torch, all scores at once. Queries that see no key give zeros."""
    k, v = (x.repeat_interleave(q.shape[1] // k.shape[1], dim=1) for x in (k, v))
    scores = (q @ k.transpose(-1, -2)) * (scale or q.shape[-1] ** -0.5)
    positions = torch.arange(q.shape[2], device=q.device) + k.shape[2] - q.shape[2]
    behind = positions[:, None] - torch.arange(k.shape[2], device=q.device)
    hidden = ((behind < 0) if causal else torch.zeros_like(behind, dtype=torch.bool)) | (behind >= (window or 2**31))
    return scores.masked_fill(hidden, float("-inf")).softmax(-1).masked_fill(hidden, 0.0) @ v


def flash_attention_cost(q: torch.Tensor, k: torch.Tensor, causal: bool = False, window: int | None = None) -> Cost:
    """Least cost: two products over the visible scores; q, k and v read once, the output written once."""
    B, H, S, D = q.shape
    ends = torch.arange(S, dtype=torch.int64) + 1 + k.shape[2] - S if causal else torch.full((S,), k.shape[2])
    scores = int(ends.clamp(min=0, max=min(window or 2**31, k.shape[2])).sum())
    return Cost(flops=4 * D * B * H * scores, bytes=2 * (q.numel() + k.numel()) * q.element_size())


class _FlashAttention(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, *options: Any) -> torch.Tensor:
        o, lse = flash_attention_forward(q, k, v, *options)
        ctx.save_for_backward(q, k, v, o, lse)
        ctx.options = options
        return o

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> Any:
        dq, dk, dv = flash_attention_gradients(*ctx.saved_tensors, *grads, *ctx.options)
        return dq, dk, dv, *(None for _ in ctx.options)


def flash_attention(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    causal: bool = False,
    window: int | None = None,
    scale: float | None = None,
) -> torch.Tensor:
    """Scaled dot product attention, differentiable.

    Parameters
    ----------
    q
        Shape (B, H, S, D), float16, bfloat16 or float32; D is 64 or 128.
    k, v
        Shape (B, H_kv, S_k, D), dtype of ``q``. Query head h uses key head ``h // (H / H_kv)``.
    causal
        Hides the keys behind each query's position. The last query stands at the last key.
    window
        How many keys a query sees at most, its own among them; needs ``causal``. All unless given.
    scale
        Of the scores, positive; ``D ** -0.5`` unless given.

    Returns
    -------
    torch.Tensor
        Shape and dtype of ``q``. Queries that see no key give zeros.

    Raises
    ------
    ValueError
        If shapes, dtypes, window or scale are others, or they are bfloat16 and there is no GPU.

    Examples
    --------
    >>> q = torch.zeros(1, 1, 2, 64, device=device.DEVICE)
    >>> v = torch.eye(2, 64, device=device.DEVICE)[None, None]
    >>> flash_attention(q, q, v, causal=True)[0, 0, :, :2].tolist()
    [[1.0, 0.0], [0.5, 0.5]]
    """
    check_attention("flash_attention", q, k, v, causal, window, scale)
    return cast(torch.Tensor, _FlashAttention.apply(q, k, v, causal, window, scale))
