"""Attention in tiles with an online softmax: the scores never reach memory.

    S = scale · Q Kᵀ,   P = softmax(S) over the visible keys,   O = P V

                 keys ──>                  One program owns BLOCK_M queries of one head. It walks along the keys,
              ┌────┬────┬────┬────┐        BLOCK_N at a step, and keeps for each of its rows, in registers:
      queries │    │    │    │    │
        m0 ─> │full│full│cut╲│skip│          m      the greatest score so far
              └────┴────┴────┴────┘          total  the sum of exp(s - m)
                                             acc    the sum of exp(s - m) · v

              A greater m shrinks total and acc by exp(m_old - m_new). At the end O = acc / total.

Tiles that every query sees need no mask, tiles that none sees are skipped; only those cut by the diagonal, the window's
edge or the end of the keys are masked. So causal attention costs half of full attention.

Binding roof: matrix throughput, 4 · D operations a score, while BLOCK_M queries share a tile of K and V. Beside them
stands one exponential a score. A Hopper SM computes 16 of these a clock, and 4096 matrix operations: at D = 64 both
take equally long, so they have to overlap.

Measured on an H200 (torch 2.11, Triton 3.6), bfloat16, causal, 4096 positions at D = 64: 431 TFLOP/s, 1.23 times
FlexAttention and 1.52 times FlashAttention-2; cuDNN is 1% faster. At D = 128 it came to 485 to 525 TFLOP/s in a tuning
run; on Hopper the kernel of `flash_attention_hopper` takes its place there. GPUs before Hopper have no tensor memory
accelerator: Triton replaces the descriptors by pointers, which is right but slow.

Source: Dao, "FlashAttention-2", arXiv:2307.08691, section 3.1.
"""

from __future__ import annotations

import torch

from lablib import device  # noqa: F401  (before triton)
from lablib.kernels.attention_tiles import (
    LOG2_E,
    Packing,
    describe_tiles,
    empty_rows,
    empty_tiles,
    heads_per_section,
    own_sequence,
    own_tile,
    sees,
    visible_keys,
)
from lablib.kernels.flash_attention_hopper import flash_attention_hopper, suits_hopper
from lablib.kernels.tuned import Configuration, Tuned

import triton  # isort: skip
import triton.language as tl  # isort: skip

__all__ = ["flash_attention_forward"]

CONFIGURATIONS = Tuned(
    {
        # Small programs, three or four on an SM at a time: one's softmax runs beside another's products.
        ("sm_90", "3.6"): {
            (64, 2): {"BLOCK_M": 64, "BLOCK_N": 128, "num_warps": 4, "num_stages": 2},
            (128, 2): {"BLOCK_M": 64, "BLOCK_N": 64, "num_warps": 4, "num_stages": 3},
            (64, 4): {"BLOCK_M": 64, "BLOCK_N": 32, "num_warps": 4, "num_stages": 2},
            (128, 4): {"BLOCK_M": 64, "BLOCK_N": 32, "num_warps": 8, "num_stages": 2},
        },
        ("interpreter", ""): {
            (head_dim, itemsize): {"BLOCK_M": 32, "BLOCK_N": 32} for head_dim in (64, 128) for itemsize in (2, 4)
        },
    },
    candidates=tuple(
        {"BLOCK_M": BLOCK_M, "BLOCK_N": BLOCK_N, "num_warps": num_warps, "num_stages": num_stages}
        for BLOCK_M, BLOCK_N, num_warps in ((64, 64, 4), (64, 128, 4), (128, 64, 4), (128, 128, 8))
        for num_stages in (2, 3, 4)
    ),
)
"""By head dimension and bytes an element."""


@triton.jit
def _attend(
    acc, total, m, q, k_desc, v_desc, batch, head, start, positions, begin, end, length_k, window, scale_log2,
    MASKED: tl.constexpr, CAUSAL: tl.constexpr, WINDOWED: tl.constexpr, PACKED: tl.constexpr,
    BLOCK_N: tl.constexpr, HEAD_DIM: tl.constexpr,
):  # fmt: skip
    """Take the keys from ``begin`` to ``end`` into the running softmax."""
    for n in range(begin, end, BLOCK_N):
        k = k_desc.load([batch, head, start + n, 0]).reshape(BLOCK_N, HEAD_DIM)
        s = tl.dot(q, k.T, input_precision="ieee")
        keys = n + tl.arange(0, BLOCK_N)
        if MASKED:
            s = tl.where(sees(positions[:, None], keys[None, :], length_k, window, CAUSAL, WINDOWED), s, float("-inf"))
        # The scale, times log2(e) for exp2, is applied in the subtraction: one fused multiply-add a score.
        m_new = tl.maximum(m, tl.max(s, 1) * scale_log2)
        p = tl.exp2(s * scale_log2 - m_new[:, None])
        shrink = tl.exp2(m - m_new)
        total = total * shrink + tl.sum(p, 1)
        v = v_desc.load([batch, head, start + n, 0]).reshape(BLOCK_N, HEAD_DIM)
        if MASKED and PACKED:
            # The rows behind are the next sequence's, and 0 times a NaN of theirs would be NaN.
            v = tl.where(keys[:, None] < length_k, v, 0.0)
        acc = tl.dot(p.to(v.dtype), v, acc * shrink[:, None], input_precision="ieee")
        m = m_new
    return acc, total, m


@triton.jit
def _flash_attention_kernel(
    q_desc, k_desc, v_desc, o_ptr, lse_ptr, starts_q_ptr, starts_k_ptr, sequences, heads, group, length_q, length_k,
    window, scale_log2, o_stride_b, o_stride_h, o_stride_s, lse_stride_b, lse_stride_h,
    CAUSAL: tl.constexpr, WINDOWED: tl.constexpr, SECTION: tl.constexpr,
    BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr, HEAD_DIM: tl.constexpr,
):  # fmt: skip
    blocks = tl.cdiv(length_q, BLOCK_M)
    rank, index = own_tile(blocks, sequences * heads, SECTION)
    head = index % heads
    batch, start_q, start_k, start_row, length_q, length_k = own_sequence(
        index // heads, starts_q_ptr, starts_k_ptr, length_q, length_k
    )
    PACKED: tl.constexpr = starts_q_ptr is not None
    first = (blocks - 1 - rank) * BLOCK_M  # late queries see the most keys
    if PACKED and first >= length_q:
        return
    last = tl.minimum(first + BLOCK_M, length_q) - 1
    rows = first + tl.arange(0, BLOCK_M)
    bounds = visible_keys(first, last, length_q, length_k, window, CAUSAL, WINDOWED, BLOCK_N)
    positions = rows + length_k - length_q
    q = q_desc.load([batch, head, start_q + first, 0]).reshape(BLOCK_M, HEAD_DIM)
    # A finite minimum: exp2(-inf - m) is 0 also for a query that has seen no key yet.
    m = tl.full((BLOCK_M,), -1e30, dtype=tl.float32)
    total = tl.zeros((BLOCK_M,), dtype=tl.float32)
    acc = tl.zeros((BLOCK_M, HEAD_DIM), dtype=tl.float32)
    for part in tl.static_range(3):
        if WINDOWED or part > 0:
            acc, total, m = _attend(
                acc, total, m, q, k_desc, v_desc, batch, head // group, start_k, positions,
                bounds[part], bounds[part + 1], length_k, window, scale_log2,
                part != 1, CAUSAL, WINDOWED, PACKED, BLOCK_N, HEAD_DIM,
            )  # fmt: skip
    seen = total > 0
    o = acc / tl.where(seen, total, 1.0)[:, None]
    # +inf where nothing was seen: the backward pass finds exp2(s - lse) = 0 there.
    lse = tl.where(seen, m + tl.log2(tl.where(seen, total, 1.0)), float("inf"))
    inside = rows < length_q
    batch = batch.to(tl.int64)
    head = head.to(tl.int64)
    tl.store(lse_ptr + batch * lse_stride_b + head * lse_stride_h + start_row + rows, lse, mask=inside)
    at = (start_q + rows).to(tl.int64)
    columns = tl.arange(0, HEAD_DIM)
    o_ptrs = o_ptr + batch * o_stride_b + head * o_stride_h + at[:, None] * o_stride_s + columns[None, :]
    tl.store(o_ptrs, o.to(o_ptr.dtype.element_ty), mask=inside[:, None])


def flash_attention_forward(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    causal: bool = False,
    window: int | None = None,
    scale: float | None = None,
    packing: Packing | None = None,
    configuration: Configuration | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Attention, and what its backward pass needs besides.

    Parameters
    ----------
    q, k, v, causal, window, scale
        As `flash_attention` takes them; not checked.
    packing
        Where the sequences lie that share the axis S of a batch of 1.
    configuration
        Block sizes, ``num_warps`` and ``num_stages`` of the kernel here, in place of the table's.

    Returns
    -------
    o : torch.Tensor
        Shape and dtype of ``q``.
    lse : torch.Tensor
        Shape (B, H, S), float32: log2 of the sum of exp2 over the visible scores, which are scaled by log2(e); +inf for
        queries that see no key. With ``packing`` spaced as `empty_rows` says.
    """
    B, H, S, D = q.shape
    lengths = packing or Packing(None, None, S, k.shape[2], B)
    o = empty_tiles(q)
    lse = empty_rows(q, lengths)

    def launch(configuration: Configuration) -> None:
        BLOCK_M, BLOCK_N = configuration["BLOCK_M"], configuration["BLOCK_N"]
        _flash_attention_kernel[(triton.cdiv(lengths.longest_q, BLOCK_M) * lengths.sequences * H,)](
            describe_tiles(q, BLOCK_M), describe_tiles(k, BLOCK_N), describe_tiles(v, BLOCK_N), o, lse,
            lengths.starts_q, lengths.starts_k, lengths.sequences, H, H // k.shape[1],
            lengths.longest_q, lengths.longest_k, window or 0, (scale or D**-0.5) * LOG2_E,
            *o.stride()[:3], *lse.stride()[:2], CAUSAL=causal, WINDOWED=window is not None,
            SECTION=heads_per_section(lengths.longest_k, D, k.element_size()), HEAD_DIM=D, **configuration,
        )  # fmt: skip

    if packing is None and configuration is None and suits_hopper(q):
        flash_attention_hopper(q, k, v, o, lse, causal, window, scale or D**-0.5)
    else:
        launch(configuration or CONFIGURATIONS.configuration((D, q.element_size()), launch))
    return o, lse
