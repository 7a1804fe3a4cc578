"""Attention of one new token a sequence over a paged cache of keys and values.

    s_j = scale · q · k_j,    o = sum_j softmax(s)_j · v_j,    j over the tokens that the sequence has in the cache

    block table of sequence b:  [7, 2, 9, ...]      cache:  page 0  1  2  3  4  5  6  7  8  9
                                                                ┌──┬──┬──┬──┬──┬──┬──┬──┬──┬──┐
    token j lies on page table[b, j / PAGE],                    │  │  │▒▒│  │  │  │  │▒▒│  │▒▒│
    at row j mod PAGE                                           └──┴──┴──┴──┴──┴──┴──┴──┴──┴──┘

    split 0          split 1          split 2         A program takes one split of one sequence's tokens, for all query
    ├─ o, m, t ┤     ├─ o, m, t ┤     ├─ o, m, t ┤    heads that share a key head: K and V are loaded once.
          └────────────────┴────────────────┘         A second kernel adds up the splits' results o, weighted by their
           weight_s = t_s · 2^(m_s - max m)           share of the softmax's sum: m is the greatest score, t the sum
                                                      of 2^(s - m).

Without splits a single long sequence would keep only H_kv programs busy.

Binding roof: memory bandwidth, 4 · D operations a query head and token for 2 · D · itemsize bytes of K and V. The
matrix unit takes 16 rows at least: with fewer query heads in a group the others are padding, which costs nothing here.

Measured on an H200 (torch 2.11, Triton 3.6), bfloat16, 32 query and 8 key heads, D = 128, pages of 16: 4315 GB/s for 64
sequences of 8192 tokens, 0.94 of the roof; 3931 GB/s for one of 131072, 0.88. SDPA, which reads a cache without pages,
is 3 and 5% faster; FlexAttention takes 1.04 times as long, and 32 times for the single sequence.

Sources: Kwon et al., "PagedAttention", arXiv:2309.06180, section 4.1; Dao et al., "Flash-Decoding for long-context
inference", 2023.
"""

from __future__ import annotations

import torch

from lablib import device
from lablib.gpu.cost import Cost
from lablib.kernels.attention_tiles import HEAD_DIMS, LOG2_E
from lablib.kernels.tuned import Configuration, Tuned

import triton  # isort: skip
import triton.language as tl  # isort: skip

__all__ = ["paged_attention", "paged_attention_cost", "paged_attention_reference"]

CASES = [(head_dim, itemsize) for head_dim in HEAD_DIMS for itemsize in (2, 4)]
CONFIGURATIONS = Tuned(
    {
        ("sm_90", "3.6"): {case: {"BLOCK_N": 64, "num_warps": 4, "num_stages": 3} for case in CASES},
        ("interpreter", ""): {case: {"BLOCK_N": 32} for case in CASES},
    },
    candidates=tuple(
        {"BLOCK_N": BLOCK_N, "num_warps": num_warps, "num_stages": num_stages}
        for BLOCK_N, num_warps in ((32, 2), (64, 2), (64, 4), (128, 4), (128, 8))
        for num_stages in (3, 5)
    ),
)
"""By head dimension and bytes an element."""

PROGRAMS = 1024  # at least, if sequences are long enough: about two waves, so that unequal lengths even out
SHORTEST_SPLIT = 512  # tokens


def paged_attention_reference(
    q: torch.Tensor,
    k_cache: torch.Tensor,
    v_cache: torch.Tensor,
    block_table: torch.Tensor,
    lengths: torch.Tensor,
    scale: float | None = None,
) -> torch.Tensor:
    """The same in plain torch, one sequence after the other."""
    outputs = []
    for one, pages, length in zip(q, block_table, lengths.tolist(), strict=True):
        k, v = (cache[pages.long()].flatten(0, 1)[:length] for cache in (k_cache, v_cache))
        k, v = (x.repeat_interleave(one.shape[0] // x.shape[1], dim=1) for x in (k, v))
        scores = torch.einsum("hd,shd->hs", one, k) * (scale or q.shape[-1] ** -0.5)
        outputs.append(torch.einsum("hs,shd->hd", scores.softmax(-1), v))
    return torch.stack(outputs)


def paged_attention_cost(q: torch.Tensor, k_cache: torch.Tensor, block_table: torch.Tensor, tokens: int) -> Cost:
    """Least cost for sequences with ``tokens`` cached tokens in all."""
    _, H, D = q.shape
    H_kv = k_cache.shape[2]
    pages = -(-tokens // k_cache.shape[1])
    moved = (2 * tokens * H_kv * D + 2 * q.numel()) * q.element_size() + (pages + len(q)) * 4
    return Cost(flops=4 * D * H * tokens, bytes=moved)


@triton.jit
def _paged_attention_kernel(
    q_ptr, k_ptr, v_ptr, table_ptr, lengths_ptr, o_ptr, m_ptr, total_ptr, splits, scale_log2,
    q_stride_b, q_stride_h, k_stride_page, k_stride_row, k_stride_h, v_stride_page, v_stride_row, v_stride_h,
    table_stride,
    GROUP: tl.constexpr, ROWS: tl.constexpr, PAGE: tl.constexpr, BLOCK_N: tl.constexpr, HEAD_DIM: tl.constexpr,
):  # fmt: skip
    head_kv = tl.program_id(0).to(tl.int64)
    split = tl.program_id(1)
    sequence = tl.program_id(2).to(tl.int64)
    heads = tl.num_programs(0) * GROUP
    length = tl.load(lengths_ptr + sequence)
    share = tl.cdiv(tl.cdiv(length, splits), BLOCK_N) * BLOCK_N
    begin = split * share
    end = tl.minimum(begin + share, length)
    group = tl.arange(0, ROWS)
    columns = tl.arange(0, HEAD_DIM)
    head = head_kv * GROUP + group
    inside = (group < GROUP)[:, None]
    q_ptrs = q_ptr + sequence * q_stride_b + head[:, None] * q_stride_h + columns[None, :]
    q = tl.load(q_ptrs, mask=inside, other=0.0)
    k_ptr += head_kv * k_stride_h
    v_ptr += head_kv * v_stride_h
    m = tl.full((ROWS,), -1e30, dtype=tl.float32)
    total = tl.zeros((ROWS,), dtype=tl.float32)
    acc = tl.zeros((ROWS, HEAD_DIM), dtype=tl.float32)
    for n in range(begin, end, BLOCK_N):
        tokens = n + tl.arange(0, BLOCK_N)
        there = tokens < end
        page = tl.load(table_ptr + sequence * table_stride + tokens // PAGE, mask=there, other=0).to(tl.int64)
        row = (tokens % PAGE).to(tl.int64)
        k_ptrs = k_ptr + (page * k_stride_page + row * k_stride_row)[:, None] + columns[None, :]
        k = tl.load(k_ptrs, mask=there[:, None], other=0.0)
        s = tl.dot(q, k.T, input_precision="ieee")
        s = tl.where(there[None, :], s, float("-inf"))
        m_new = tl.maximum(m, tl.max(s, 1) * scale_log2)
        p = tl.exp2(s * scale_log2 - m_new[:, None])
        shrink = tl.exp2(m - m_new)
        total = total * shrink + tl.sum(p, 1)
        v_ptrs = v_ptr + (page * v_stride_page + row * v_stride_row)[:, None] + columns[None, :]
        v = tl.load(v_ptrs, mask=there[:, None], other=0.0)
        acc = tl.dot(p.to(v.dtype), v, acc * shrink[:, None], input_precision="ieee")
        m = m_new
    # A split without tokens has weight 0: its m is the least, its total 0.
    at = (sequence * heads + head) * splits + split
    tl.store(m_ptr + at, m, mask=group < GROUP)
    tl.store(total_ptr + at, total, mask=group < GROUP)
    o = acc / tl.where(total > 0, total, 1.0)[:, None]
    tl.store(o_ptr + at[:, None] * HEAD_DIM + columns[None, :], o.to(o_ptr.dtype.element_ty), mask=inside)


@triton.jit
def _combine_kernel(part_ptr, m_ptr, total_ptr, o_ptr, splits, SPLITS: tl.constexpr, HEAD_DIM: tl.constexpr):
    """Add up the splits of one query head."""
    at = tl.program_id(0).to(tl.int64)
    split = tl.arange(0, SPLITS)
    columns = tl.arange(0, HEAD_DIM)
    there = split < splits
    m = tl.load(m_ptr + at * splits + split, mask=there, other=-1e30)
    weight = tl.load(total_ptr + at * splits + split, mask=there, other=0.0) * tl.exp2(m - tl.max(m, 0))
    part_ptrs = part_ptr + (at * splits + split)[:, None] * HEAD_DIM + columns[None, :]
    part = tl.load(part_ptrs, mask=there[:, None], other=0.0)
    total = tl.sum(weight, 0)
    o = tl.sum(part * weight[:, None], 0) / tl.where(total > 0, total, 1.0)
    tl.store(o_ptr + at * HEAD_DIM + columns, o.to(o_ptr.dtype.element_ty))


def paged_attention(
    q: torch.Tensor,
    k_cache: torch.Tensor,
    v_cache: torch.Tensor,
    block_table: torch.Tensor,
    lengths: torch.Tensor,
    scale: float | None = None,
    splits: int | None = None,
    configuration: Configuration | None = None,
) -> torch.Tensor:
    """Attention of one query token a sequence over its tokens in a paged cache.

    Parameters
    ----------
    q
        Shape (B, H, D), float16, bfloat16 or float32; D is 64 or 128, with unit stride.
    k_cache, v_cache
        Shape (pages, PAGE, H_kv, D), dtype of ``q``, unit stride along D; PAGE is a power of two. Query head h uses
        key head ``h // (H / H_kv)``.
    block_table
        Pages of each sequence in order, int32, shape (B, most pages). What lies behind a sequence's last is not read.
    lengths
        Tokens of each sequence, int32, shape (B,). They are read on the GPU only: no synchronisation.
    scale
        Of the scores, positive; ``D ** -0.5`` unless given.
    splits
        Into how many parts the tokens are split; chosen to fill the GPU unless given.
    configuration
        Block size, ``num_warps`` and ``num_stages``, in place of the table's.

    Returns
    -------
    torch.Tensor
        Shape (B, H, D), dtype of ``q``. A sequence of no tokens gives zeros.

    Raises
    ------
    ValueError
        If shapes, strides or dtypes are others, or they are bfloat16 and there is no GPU.

    Examples
    --------
    >>> q, cache = torch.zeros(1, 1, 64, device=device.DEVICE), torch.ones(2, 16, 1, 64, device=device.DEVICE)
    >>> table, lengths = (torch.tensor(x, dtype=torch.int32, device=device.DEVICE) for x in ([[1, 0]], [20]))
    >>> paged_attention(q, cache, cache, table, lengths)[0, 0, :3].tolist()
    [1.0, 1.0, 1.0]
    """
    _check(q, k_cache, v_cache, block_table, lengths, scale)
    B, H, D = q.shape
    PAGE, H_kv = k_cache.shape[1:3]
    GROUP = H // H_kv
    if splits is None:
        most = -(-block_table.shape[1] * PAGE // SHORTEST_SPLIT)
        splits = max(1, min(most, -(-PROGRAMS // (B * H_kv))))
    o = torch.empty((B, H, D), dtype=q.dtype, device=q.device)
    part = o if splits == 1 else torch.empty((B, H, splits, D), dtype=torch.float32, device=q.device)
    m, total = torch.empty((2, B, H, splits), dtype=torch.float32, device=q.device)

    def launch(configuration: Configuration) -> None:
        _paged_attention_kernel[(H_kv, splits, B)](
            q, k_cache, v_cache, block_table, lengths, part, m, total, splits, (scale or D**-0.5) * LOG2_E,
            *q.stride()[:2], *k_cache.stride()[:3], *v_cache.stride()[:3], block_table.stride(0),
            GROUP=GROUP, ROWS=max(16, triton.next_power_of_2(GROUP)), PAGE=PAGE, HEAD_DIM=D, **configuration,
        )  # fmt: skip

    launch(configuration or CONFIGURATIONS.configuration((D, q.element_size()), launch))
    if splits > 1:
        SPLITS = triton.next_power_of_2(splits)
        _combine_kernel[(B * H,)](part, m, total, o, splits, SPLITS=SPLITS, HEAD_DIM=D, num_warps=4)
    return o


def _check(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, table: torch.Tensor, lengths: torch.Tensor, scale: float | None
) -> None:
    shapes = f"q {tuple(q.shape)}, k_cache {tuple(k.shape)}, v_cache {tuple(v.shape)}"
    fits = q.dim() == 3 and k.dim() == 4 and k.shape == v.shape and q.shape[2] == k.shape[3] and 0 not in k.shape
    if not fits or q.shape[2] not in HEAD_DIMS or q.shape[1] % k.shape[2] or k.shape[1] & (k.shape[1] - 1):
        raise ValueError(
            "paged_attention takes q (B, H, D) and caches (pages, PAGE, H_kv, D) with D 64 or 128, PAGE a power of two "
            f"and H a multiple of H_kv; it got {shapes}."
        )
    if not q.dtype == k.dtype == v.dtype or q.dtype not in (torch.float16, torch.bfloat16, torch.float32):
        raise ValueError(
            "paged_attention takes q and caches of one dtype, float16, bfloat16 or float32; it got "
            f"{q.dtype}, {k.dtype} and {v.dtype}."
        )
    if any(x.stride(-1) != 1 for x in (q, k, v)):
        raise ValueError(f"paged_attention takes q and caches with unit stride along D; it got {shapes} with others.")
    if table.dim() != 2 or lengths.shape != q.shape[:1] or len(table) != len(q) or table.stride(1) != 1:
        raise ValueError(
            f"paged_attention takes a block table (B, pages) and lengths (B,) for B = {len(q)}; it got "
            f"{tuple(table.shape)} and {tuple(lengths.shape)}."
        )
    if table.dtype != torch.int32 or lengths.dtype != torch.int32:
        raise ValueError(
            f"paged_attention takes an int32 block table and lengths; it got {table.dtype} and {lengths.dtype}."
        )
    if scale is not None and scale <= 0:
        raise ValueError(f"paged_attention takes a positive scale; it got {scale}.")
    device.refuse_bfloat16("paged_attention", q, k, v)
