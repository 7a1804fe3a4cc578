"""Attention over sequences of different lengths that are packed one behind the other, without padding.

    tokens    0          t1    t2               t3                   starts = [0, t1, t2, t3]
              ├─ seq. 0 ─┼─ 1 ─┼─── seq. 2 ─────┤

              q, k, v (T, H, D): scores exist only within a sequence, the blocks on the diagonal
                          ┌────┬─┬──────┐
                          │▒▒▒▒│ │      │       The kernels are those of `flash_attention` and its backward pass:
                          ├────┼─┼──────┤       each program reads from ``starts`` where its sequence lies. Programs
                          │    │▒│      │       beyond the end of a short one return at once.
                          ├────┼─┼──────┤
                          │    │ │▒▒▒▒▒▒│
                          └────┴─┴──────┘

A tile at the end of a sequence also holds the next one's first rows. Their scores are masked and their values set to
zero, so that not even a NaN gets across.

Binding roof: matrix throughput, as for one length; the longest sequence decides how many programs are started.

Measured on an H200 (torch 2.11, Triton 3.6), bfloat16: 486 TFLOP/s for 12 sequences of 64 to 8192 positions, causal,
D = 128; 1.64 times torch's varlen_attn, which is FlashAttention-2.

Source: the interface is that of Dao, "FlashAttention-2", arXiv:2307.08691, and its variable length functions.
"""

from __future__ import annotations

from typing import Any, cast

import torch

from lablib import device  # noqa: F401  (before triton)
from lablib.gpu.cost import Cost
from lablib.kernels.attention_tiles import Packing, check_attention
from lablib.kernels.flash_attention import flash_attention_cost, flash_attention_reference
from lablib.kernels.flash_attention_backward import flash_attention_gradients
from lablib.kernels.flash_attention_forward import flash_attention_forward

__all__ = ["flash_attention_varlen", "flash_attention_varlen_cost", "flash_attention_varlen_reference"]


def flash_attention_varlen_reference(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    starts_q: torch.Tensor,
    starts_k: torch.Tensor,
    longest_q: int,
    longest_k: int,
    causal: bool = False,
    window: int | None = None,
    scale: float | None = None,
) -> torch.Tensor:
    """The same in plain torch, one sequence after the other."""
    outputs = [
        flash_attention_reference(*(x.transpose(0, 1)[None] for x in one), causal, window, scale)[0].transpose(0, 1)
        for one in zip(_parts(q, starts_q), _parts(k, starts_k), _parts(v, starts_k), strict=True)
    ]
    return torch.cat(outputs)


def flash_attention_varlen_cost(
    q: torch.Tensor, k: torch.Tensor, starts_q: torch.Tensor, starts_k: torch.Tensor, causal: bool = False
) -> Cost:
    """Least cost: that of the sequences."""
    pairs = zip(_parts(q, starts_q), _parts(k, starts_k), strict=True)
    costs = (flash_attention_cost(*(x.transpose(0, 1)[None] for x in pair), causal) for pair in pairs)
    return sum(costs, Cost(0, 0))


def _parts(x: torch.Tensor, starts: torch.Tensor) -> list[torch.Tensor]:
    return list(x.split(starts.diff().tolist()))


class _FlashAttentionVarlen(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, *options: Any) -> torch.Tensor:
        packed = _heads_first(q, k, v)
        o, lse = flash_attention_forward(*packed, *options)
        ctx.save_for_backward(*packed, o, lse)
        ctx.options = options
        return o[0].transpose(0, 1)

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> Any:
        packed = flash_attention_gradients(*ctx.saved_tensors, *_heads_first(*grads), *ctx.options)
        return *(x[0].transpose(0, 1) for x in packed), *(None for _ in ctx.options)


def _heads_first(*tensors: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """(T, H, D) as (1, H, T, D)."""
    return tuple(x.transpose(0, 1)[None] for x in tensors)


def flash_attention_varlen(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    starts_q: torch.Tensor,
    starts_k: torch.Tensor,
    longest_q: int,
    longest_k: int,
    causal: bool = False,
    window: int | None = None,
    scale: float | None = None,
) -> torch.Tensor:
    """Scaled dot product attention within packed sequences, differentiable.

    Parameters
    ----------
    q
        Shape (T, H, D), float16, bfloat16 or float32; D is 64 or 128.
    k, v
        Shape (T_k, H_kv, D), dtype of ``q``. Query head h uses key head ``h // (H / H_kv)``.
    starts_q, starts_k
        Where each sequence starts in ``q`` and in ``k``, and where the last one ends: int32, shape (sequences + 1,).
    longest_q, longest_k
        Lengths of the longest sequences; they are not read from ``starts``, for that would wait for the GPU.
    causal, window, scale
        As in `flash_attention`, for each sequence.

    Returns
    -------
    torch.Tensor
        Shape and dtype of ``q``.

    Raises
    ------
    ValueError
        If shapes, dtypes, window or scale are others, or they are bfloat16 and there is no GPU.

    Examples
    --------
    >>> v = torch.eye(3, 64, device=device.DEVICE)[:, None]
    >>> starts = torch.tensor([0, 1, 3], dtype=torch.int32, device=device.DEVICE)
    >>> flash_attention_varlen(torch.zeros_like(v), v, v, starts, starts, 2, 2)[:, 0, :3].tolist()
    [[1.0, 0.0, 0.0], [0.0, 0.5, 0.5], [0.0, 0.5, 0.5]]
    """
    if not q.dim() == k.dim() == v.dim() == 3:
        shapes = f"q {tuple(q.shape)}, k {tuple(k.shape)} and v {tuple(v.shape)}"
        raise ValueError(f"flash_attention_varlen takes q (T, H, D) and k and v (T_k, H_kv, D); it got {shapes}.")
    check_attention("flash_attention_varlen", *_heads_first(q, k, v), causal, window, scale)
    if starts_q.dim() != 1 or starts_q.shape != starts_k.shape or not starts_q.dtype == starts_k.dtype == torch.int32:
        raise ValueError(
            "flash_attention_varlen takes starts of one shape (sequences + 1,), int32; it got "
            f"{starts_q.dtype} {tuple(starts_q.shape)} and {starts_k.dtype} {tuple(starts_k.shape)}."
        )
    packing = Packing(starts_q, starts_k, longest_q, longest_k, len(starts_q) - 1)
    return cast(torch.Tensor, _FlashAttentionVarlen.apply(q, k, v, causal, window, scale, packing))
