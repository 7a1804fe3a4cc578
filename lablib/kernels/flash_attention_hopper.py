"""Attention for Hopper, in Gluon: one warp loads, two warpgroups compute, and each hides its softmax behind a product.

    S = scale · Q Kᵀ,   P = softmax(S) over the visible keys,   O = P V

In `flash_attention_forward` the softmax stands between two products, and only another program can use the matrix unit
meanwhile. Here one program does both at a time, written out in Gluon, Triton's lower level:

    warp 8         K0 V0  K1 V1  K2 V2 ...         loads into a ring of STAGES tiles, as far ahead as these are free

    warpgroup 0,   Q·K0        Q·K1  P0·V0         Q·K2  P1·V1         ...      matrix unit, asynchronous
    rows 0 .. 63       softmax 0     softmax 1 ──        softmax 2 ──           other units, beside the product P·V

    warpgroup 1,   the same, on its own clock
    rows 64 .. 127

Each tile of the ring has two barriers: `ready`, which the copy completes, and `free`, at which every warpgroup arrives
when it has read the tile. Registers move from the loading warp to the warpgroups, which need 240 a thread.

Binding roof: matrix throughput.

Measured on an H200 (torch 2.11, Triton 3.6), bfloat16, 16 heads, in TFLOP/s and times cuDNN: 599 and 1.06 for 4096
positions causal, 691 and 1.19 for 16384; 648 for 4096 full, where cuDNN is 2% faster; 1.42 to 1.81 times FlexAttention.

Source: Shah et al., "FlashAttention-3", arXiv:2407.08608, sections 3.1 and 3.2, without the ping-pong of warpgroups.
"""

# Gluon declares what its functions are outside of kernels:
# pyright: reportAssignmentType=false, reportAttributeAccessIssue=false, reportGeneralTypeIssues=false
# pyright: reportIndexIssue=false, reportOperatorIssue=false

from __future__ import annotations

import torch

from lablib import device
from lablib.kernels.attention_tiles import LOG2_E, heads_per_section, own_tile, tileable, visible_keys
from lablib.kernels.tuned import Configuration, Tuned

import triton  # isort: skip
from triton.experimental import gluon  # isort: skip
from triton.experimental.gluon import language as gl  # isort: skip
from triton.experimental.gluon.language.nvidia.hopper import (  # isort: skip
    fence_async_shared,
    mbarrier,
    tma,
    warpgroup_mma,
    warpgroup_mma_wait,
)
from triton.experimental.gluon.nvidia.hopper import TensorDescriptor  # isort: skip

__all__ = ["flash_attention_hopper", "suits_hopper"]

ROWS = 64  # of a warpgroup: those of one matrix instruction
CONSUMERS = 2  # warpgroups: with 240 registers a thread, no more fit
HEAD_DIM = 128

CONFIGURATIONS = Tuned(
    {("sm_90", "3.6"): {"all": {"BLOCK_N": 128, "STAGES": 2}}},
    candidates=({"BLOCK_N": 128, "STAGES": 2}, {"BLOCK_N": 64, "STAGES": 3}, {"BLOCK_N": 64, "STAGES": 4}),
)


@gluon.jit
def _produce(
    q_desc, k_desc, v_desc, q_smem, k_smem, v_smem, q_ready, k_ready, k_free, v_ready, v_free,
    batch, head, head_kv, first, begin, tiles,
):  # fmt: skip
    """Load the queries once, and the keys and values from the last visible tile to the first."""
    CONSUMERS: gl.constexpr = q_smem.shape[0]
    ROWS: gl.constexpr = q_smem.shape[3]
    STAGES: gl.constexpr = k_smem.shape[0]
    BLOCK_N: gl.constexpr = k_smem.shape[3]
    TILE_BYTES: gl.constexpr = BLOCK_N * k_smem.shape[4] * 2
    mbarrier.expect(q_ready, CONSUMERS * ROWS * k_smem.shape[4] * 2)
    for i in gl.static_range(CONSUMERS):
        tma.async_copy_global_to_shared(q_desc, [batch, head, first + i * ROWS, 0], q_ready, q_smem.index(i))
    for i in range(tiles):
        slot = i % STAGES
        # The first wait for a barrier that nobody has used passes for the phase before its first.
        phase = (i // STAGES & 1) ^ 1
        n = begin + (tiles - 1 - i) * BLOCK_N
        mbarrier.wait(k_free.index(slot), phase)
        mbarrier.expect(k_ready.index(slot), TILE_BYTES)
        tma.async_copy_global_to_shared(k_desc, [batch, head_kv, n, 0], k_ready.index(slot), k_smem.index(slot))
        mbarrier.wait(v_free.index(slot), phase)
        mbarrier.expect(v_ready.index(slot), TILE_BYTES)
        tma.async_copy_global_to_shared(v_desc, [batch, head_kv, n, 0], v_ready.index(slot), v_smem.index(slot))


@gluon.jit
def _soften(
    s, m, total, positions, n, length_k, window, scale_log2,
    MASKED: gl.constexpr, CAUSAL: gl.constexpr, WINDOWED: gl.constexpr,
):  # fmt: skip
    """One step of the online softmax; see `flash_attention_forward`."""
    if MASKED:
        BLOCK_N: gl.constexpr = s.shape[1]
        keys = n + gl.arange(0, BLOCK_N, layout=gl.SliceLayout(0, s.type.layout))
        seen = keys[None, :] < length_k
        if CAUSAL:
            seen = seen & (keys[None, :] <= positions[:, None])
        if WINDOWED:
            seen = seen & (keys[None, :] > positions[:, None] - window)
        s = gl.where(seen, s, float("-inf"))
    m_new = gl.maximum(m, gl.max(s, 1) * scale_log2)
    p = gl.exp2(s * scale_log2 - m_new[:, None])
    shrink = gl.exp2(m - m_new)
    return p, m_new, total * shrink + gl.sum(p, 1), shrink


@gluon.jit
def _walk(
    acc, p, m, total, q, k_smem, v_smem, k_ready, k_free, v_ready, v_free, positions, begin, tiles, start, stop,
    length_k, window, scale_log2, MASKED: gl.constexpr, CAUSAL: gl.constexpr, WINDOWED: gl.constexpr,
):  # fmt: skip
    """Take the tiles from ``start`` to ``stop``, counted from the last, into the running softmax.

    On entry and after each step the values of the tile before are still to come: ``p`` holds its probabilities.
    """
    ROWS: gl.constexpr = q.shape[0]
    STAGES: gl.constexpr = k_smem.shape[0]
    BLOCK_N: gl.constexpr = k_smem.shape[3]
    HEAD_DIM: gl.constexpr = k_smem.shape[4]
    S_LAYOUT: gl.constexpr = gl.NVMMADistributedLayout([3, 0], [4, 1], [16, BLOCK_N, 16])
    P_LAYOUT: gl.constexpr = p.type.layout
    for i in range(start, stop):
        slot = i % STAGES
        before = (i - 1) % STAGES
        after = (i + 1) % STAGES
        k = k_smem.index(slot).reshape([BLOCK_N, HEAD_DIM])
        zeros = gl.zeros([ROWS, BLOCK_N], gl.float32, layout=S_LAYOUT)
        s = warpgroup_mma(q, k.permute([1, 0]), zeros, use_acc=False, is_async=True)
        mbarrier.wait(v_ready.index(before), (i - 1) // STAGES & 1)
        v = v_smem.index(before).reshape([BLOCK_N, HEAD_DIM])
        acc = warpgroup_mma(p, v, acc, is_async=True)
        s = warpgroup_mma_wait(1, deps=[s])
        mbarrier.arrive(k_free.index(slot), count=1)
        n = begin + (tiles - 1 - i) * BLOCK_N
        p_new, m, total, shrink = _soften(
            s, m, total, positions, n, length_k, window, scale_log2, MASKED, CAUSAL, WINDOWED
        )
        p_new = gl.convert_layout(p_new.to(p.dtype), P_LAYOUT)
        # Waiting for the next keys here also keeps the assembler from moving the wait for the product up, in front of
        # the softmax: it moves nothing across this wait's loop.
        mbarrier.wait(k_ready.index(after), (i + 1) // STAGES & 1, pred=i + 1 < tiles)
        acc, p, p_new = warpgroup_mma_wait(0, deps=[acc, p, p_new])
        mbarrier.arrive(v_free.index(before), count=1)
        acc = acc * gl.convert_layout(shrink, gl.SliceLayout(1, acc.type.layout))[:, None]
        p = p_new
    return acc, p, m, total


@gluon.jit
def _consume(
    index, CAUSAL: gl.constexpr, WINDOWED: gl.constexpr, q_smem, k_smem, v_smem, q_ready, k_ready, k_free, v_ready,
    v_free, o_ptr, lse_ptr, first, begin, tiles, masked, full, length_q, length_k, window, scale_log2, o_stride_s,
):  # fmt: skip
    """Attention of the rows of one warpgroup."""
    ROWS: gl.constexpr = q_smem.shape[3]
    STAGES: gl.constexpr = k_smem.shape[0]
    BLOCK_N: gl.constexpr = k_smem.shape[3]
    HEAD_DIM: gl.constexpr = k_smem.shape[4]
    S_LAYOUT: gl.constexpr = gl.NVMMADistributedLayout([3, 0], [4, 1], [16, BLOCK_N, 16])
    O_LAYOUT: gl.constexpr = gl.NVMMADistributedLayout([3, 0], [4, 1], [16, HEAD_DIM, 16])
    rows = first + index * ROWS + gl.arange(0, ROWS, layout=gl.SliceLayout(1, S_LAYOUT))
    positions = rows + length_k - length_q
    # A finite minimum: exp2(-inf - m) is 0 also for a query that has seen no key yet.
    m = gl.full([ROWS], -1e30, gl.float32, layout=gl.SliceLayout(1, S_LAYOUT))
    total = gl.zeros([ROWS], gl.float32, layout=gl.SliceLayout(1, S_LAYOUT))
    acc = gl.zeros([ROWS, HEAD_DIM], gl.float32, layout=O_LAYOUT)
    if tiles > 0:
        mbarrier.wait(q_ready, 0)
        q = q_smem.index(index).reshape([ROWS, HEAD_DIM])
        mbarrier.wait(k_ready.index(0), 0)
        k = k_smem.index(0).reshape([BLOCK_N, HEAD_DIM])
        zeros = gl.zeros([ROWS, BLOCK_N], gl.float32, layout=S_LAYOUT)
        s = warpgroup_mma(q, k.permute([1, 0]), zeros, use_acc=False, is_async=True)
        s = warpgroup_mma_wait(0, deps=[s])
        mbarrier.arrive(k_free.index(0), count=1)
        n = begin + (tiles - 1) * BLOCK_N
        p, m, total, _ = _soften(s, m, total, positions, n, length_k, window, scale_log2, True, CAUSAL, WINDOWED)
        p = gl.convert_layout(p.to(q_smem.dtype), gl.DotOperandLayout(0, O_LAYOUT, 2))
        mbarrier.wait(k_ready.index(1), 0, pred=tiles > 1)
        bounds = (1, masked, full, tiles)
        for part in gl.static_range(3):
            if WINDOWED or part < 2:
                acc, p, m, total = _walk(
                    acc, p, m, total, q, k_smem, v_smem, k_ready, k_free, v_ready, v_free, positions, begin, tiles,
                    bounds[part], bounds[part + 1], length_k, window, scale_log2, part != 1, CAUSAL, WINDOWED,
                )  # fmt: skip
        slot = (tiles - 1) % STAGES
        mbarrier.wait(v_ready.index(slot), (tiles - 1) // STAGES & 1)
        v = v_smem.index(slot).reshape([BLOCK_N, HEAD_DIM])
        acc = warpgroup_mma(p, v, acc, is_async=True)
        acc, p = warpgroup_mma_wait(0, deps=[acc, p])
    seen = total > 0
    whole = gl.where(seen, total, 1.0)
    gl.store(lse_ptr + rows, gl.where(seen, m + gl.log2(whole), float("inf")), mask=rows < length_q)
    o = (acc / gl.convert_layout(whole, gl.SliceLayout(1, O_LAYOUT))[:, None]).to(q_smem.dtype)
    # 16 bytes a thread, whole rows a warp
    STORED: gl.constexpr = gl.BlockedLayout([1, 8], [256 // HEAD_DIM, HEAD_DIM // 8], [4, 1], [1, 0])
    at = first + index * ROWS + gl.arange(0, ROWS, layout=gl.SliceLayout(1, STORED))
    columns = gl.arange(0, HEAD_DIM, layout=gl.SliceLayout(0, STORED))
    o_ptrs = o_ptr + at.to(gl.int64)[:, None] * o_stride_s + columns[None, :]
    gl.store(o_ptrs, gl.convert_layout(o, STORED), mask=(at < length_q)[:, None])


@gluon.jit
def _flash_attention_hopper_kernel(
    q_desc, k_desc, v_desc, o_ptr, lse_ptr, batches, heads, group, length_q, length_k, window, scale_log2,
    o_stride_b, o_stride_h, o_stride_s, lse_stride_b, lse_stride_h,
    CAUSAL: gl.constexpr, WINDOWED: gl.constexpr, SECTION: gl.constexpr, STAGES: gl.constexpr,
):  # fmt: skip
    CONSUMERS: gl.constexpr = 2
    ROWS: gl.constexpr = q_desc.block_shape[2]
    BLOCK_M: gl.constexpr = CONSUMERS * ROWS
    BLOCK_N: gl.constexpr = k_desc.block_shape[2]
    HEAD_DIM: gl.constexpr = k_desc.block_shape[3]
    blocks = (length_q + BLOCK_M - 1) // BLOCK_M
    rank, index = own_tile(blocks, batches * heads, SECTION)
    batch = index // heads
    head = index % heads
    first = (blocks - 1 - rank) * BLOCK_M  # late queries see the most keys
    last = gl.minimum(first + BLOCK_M, length_q) - 1
    begin, full_begin, full_end, end = visible_keys(first, last, length_q, length_k, window, CAUSAL, WINDOWED, BLOCK_N)
    tiles = gl.maximum(end - begin + BLOCK_N - 1, 0) // BLOCK_N
    masked = gl.maximum(tiles - (full_end - begin) // BLOCK_N, 1)
    full = gl.maximum(tiles - (full_begin - begin + BLOCK_N - 1) // BLOCK_N, masked)

    BARRIER: gl.constexpr = mbarrier.MBarrierLayout()
    q_smem = gl.allocate_shared_memory(q_desc.dtype, [CONSUMERS, 1, 1, ROWS, HEAD_DIM], q_desc.layout)
    k_smem = gl.allocate_shared_memory(k_desc.dtype, [STAGES, 1, 1, BLOCK_N, HEAD_DIM], k_desc.layout)
    v_smem = gl.allocate_shared_memory(v_desc.dtype, [STAGES, 1, 1, BLOCK_N, HEAD_DIM], v_desc.layout)
    q_ready = gl.allocate_shared_memory(gl.int64, [1], BARRIER)
    k_ready = gl.allocate_shared_memory(gl.int64, [STAGES, 1], BARRIER)
    k_free = gl.allocate_shared_memory(gl.int64, [STAGES, 1], BARRIER)
    v_ready = gl.allocate_shared_memory(gl.int64, [STAGES, 1], BARRIER)
    v_free = gl.allocate_shared_memory(gl.int64, [STAGES, 1], BARRIER)
    mbarrier.init(q_ready, count=1)
    for i in gl.static_range(STAGES):
        mbarrier.init(k_ready.index(i), count=1)
        mbarrier.init(k_free.index(i), count=CONSUMERS)
        mbarrier.init(v_ready.index(i), count=1)
        mbarrier.init(v_free.index(i), count=CONSUMERS)
    fence_async_shared()  # the copy engine sees the barriers

    o_ptr += batch.to(gl.int64) * o_stride_b + head.to(gl.int64) * o_stride_h
    lse_ptr += batch.to(gl.int64) * lse_stride_b + head.to(gl.int64) * lse_stride_h
    buffers = (q_smem, k_smem, v_smem, q_ready, k_ready, k_free, v_ready, v_free)
    sizes = (o_ptr, lse_ptr, first, begin, tiles, masked, full, length_q, length_k, window, scale_log2, o_stride_s)
    loading = (q_desc, k_desc, v_desc) + buffers + (batch, head, head // group, first, begin, tiles)  # noqa: RUF005
    gl.warp_specialize(
        [
            (_consume, (0, CAUSAL, WINDOWED) + buffers + sizes),  # noqa: RUF005  (Gluon knows no * in a tuple)
            (_consume, (1, CAUSAL, WINDOWED) + buffers + sizes),  # noqa: RUF005
            (_produce, loading),
        ],
        [4, 1], [240, 24],
    )  # fmt: skip


def suits_hopper(q: torch.Tensor) -> bool:
    """Whether this kernel is the one for ``q`` on this GPU.

    At D = 64 it is not: two warpgroups are too few to hide the exponentials, which take as long as the products there.
    """
    suits = not device.INTERPRETED and q.element_size() == 2 and q.shape[-1] == HEAD_DIM
    return suits and torch.cuda.get_device_capability(q.device)[0] == 9


def flash_attention_hopper(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    o: torch.Tensor,
    lse: torch.Tensor,
    causal: bool,
    window: int | None,
    scale: float,
    configuration: Configuration | None = None,
) -> None:
    """Attention into ``o`` and ``lse``, arguments as in `flash_attention_forward`; not checked."""
    B, H, S, D = q.shape

    def launch(configuration: Configuration) -> None:
        BLOCK_N = configuration["BLOCK_N"]
        _flash_attention_hopper_kernel[(triton.cdiv(S, CONSUMERS * ROWS) * B * H,)](
            _describe(q, ROWS), _describe(k, BLOCK_N), _describe(v, BLOCK_N), o, lse, B, H, H // k.shape[1],
            S, k.shape[2], window or 0, scale * LOG2_E, *o.stride()[:3], *lse.stride()[:2],
            CAUSAL=causal, WINDOWED=window is not None, SECTION=heads_per_section(k.shape[2], D, 2),
            STAGES=configuration["STAGES"], num_warps=4,
        )  # fmt: skip

    launch(configuration or CONFIGURATIONS.configuration("all", launch))


def _describe(x: torch.Tensor, rows: int) -> TensorDescriptor:
    dtype = gl.float16 if x.dtype == torch.float16 else gl.bfloat16
    block = [1, 1, rows, x.shape[-1]]
    return TensorDescriptor.from_tensor(tileable(x), block, gl.NVMMASharedLayout.get_default_for(block, dtype))
