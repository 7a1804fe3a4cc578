"""Matrix product with weights of which two in every four are zero, stored without the zeros.

    y[m, n] = sum_k x[m, k] · W[n, k],   of W[n, 4g], ..., W[n, 4g + 3] two are kept

Tensor cores have an instruction for such weights that skips the zeros. Triton does not reach it; but when M is small
the time goes into reading W, and 9 bytes in place of 16 are read all the same. The kernel expands them in registers
and multiplies by zeros, which costs nothing while tensor cores wait for memory.

    kept     [v1 v0]   two values of two bytes in a word               4 of 8 bytes
    mask     bits 3210 of which two are set: where they belong         + half a byte

    bits 1, 0    first pair, W[n, 4g + 1] and W[n, 4g]      bits 3, 2    second pair, W[n, 4g + 3] and W[n, 4g + 2]
        11       [v1 v0]  the word as it is                     11       [v1 v0]
        01       [ 0 v0]  its low half                          01       [ 0 v1]  the word shifted down
        10       [v0  0]  the word shifted up                   10       [v1  0]  its high half
        00       [ 0  0]                                        00       [ 0  0]

Each pair is a register of a tensor core's left operand, so W is that one, and nothing is exchanged between threads.
Every step makes two products, of the first pairs with their columns of x and of the second pairs with theirs. Blocks of
128 k of successive n lie side by side: a tile is one piece of memory.

    program (n, m):   for each block of k:   kept, masks ──registers──> 2 × [BLOCK_N, 64] · xᵀ[64, BLOCK_M]

Binding roof: memory bandwidth at small M. At large M it is matrix throughput, and multiplying by zeros and expanding
cost what they take: use torch's cuSPARSELt there, which has the sparse instruction.

Measured on an H200 (torch 2.11, Triton 3.6), bfloat16, N = 28672 and K = 8192: 0.089 ms for one row of x and 0.093 ms
for 16, 0.70 and 0.67 of the roof; cuBLAS takes 0.113 ms over dense weights, cuSPARSELt 0.277 and 0.264 ms. With 8192
rows and N = K = 8192 it takes 3.64 ms: the dense product of cuBLAS is 2.6 and cuSPARSELt 3.6 times as fast. One row of
4096 × 1024 weights takes 5.5 µs in a CUDA graph; the dense product is 31% faster.

Expanding binds: in a tuning run 22 instructions for a word of two weights, issued in 60% of cycles. Up to 16 rows the
sum over K is split among four programs of eight warps each (`splits`), which hide each other's latency better.

Source: Mishra et al., "Accelerating sparse deep neural networks", arXiv:2104.08378, section 3 (the format).
"""

from __future__ import annotations

from typing import Any

import torch

from lablib import device
from lablib.gpu.cost import Cost
from lablib.kernels.splits import add_splits, parts_of
from lablib.kernels.tuned import Tuned

import triton  # isort: skip
import triton.language as tl  # isort: skip

__all__ = ["compress_2to4", "expand_2to4", "matmul_2to4", "matmul_2to4_cost", "matmul_2to4_reference", "prune_2to4"]

BLOCK_K = 128  # a part of the format: masks lie together for so many weights of a row

CONFIGURATIONS = Tuned(
    {
        ("sm_90", "3.6"): {
            16: {"BLOCK_M": 16, "BLOCK_N": 128, "SPLITS": 4, "num_warps": 8, "num_stages": 3},
            32: {"BLOCK_M": 32, "BLOCK_N": 128, "SPLITS": 1, "num_warps": 4, "num_stages": 4},
            64: {"BLOCK_M": 64, "BLOCK_N": 128, "SPLITS": 1, "num_warps": 8, "num_stages": 4},
            128: {"BLOCK_M": 128, "BLOCK_N": 256, "SPLITS": 1, "num_warps": 8, "num_stages": 3},
        },
        ("interpreter", ""): {
            rows: {"BLOCK_M": 16, "BLOCK_N": 32, "SPLITS": 2 if rows == 16 else 1, "num_warps": 4, "num_stages": 1}
            for rows in (16, 32, 64, 128)
        },
    }
)


def prune_2to4(weight: torch.Tensor) -> torch.Tensor:
    """``weight`` with the two smaller magnitudes of every four along the last axis set to zero."""
    fours = weight.unflatten(-1, (-1, 4))
    keep = torch.zeros_like(fours, dtype=torch.bool).scatter_(-1, fours.abs().topk(2, dim=-1).indices, True)
    return torch.where(keep, fours, 0.0).flatten(-2)


def compress_2to4(weight: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Store weights without their zeros.

    Parameters
    ----------
    weight
        Shape (N, K), float16 or bfloat16, K a multiple of 128, at most two of every four along K not zero.

    Returns
    -------
    kept : torch.Tensor
        Shape (K / 128, N, 64), dtype of ``weight``: two values of every four.
    masks : torch.Tensor
        Shape (K / 128, N, 16), uint8: for each four, four bits of which two are set. Byte 4b + t has those of the fours
        8b + t, in its lower half, and 8b + t + 4.

    Raises
    ------
    ValueError
        If ``weight`` is not such a matrix.

    Examples
    --------
    >>> weight = torch.tensor([[0.0, 5.0, 0.0, 7.0] * 32], dtype=torch.float16, device=device.DEVICE)
    >>> kept, masks = compress_2to4(weight)
    >>> kept[0, 0, :2].tolist(), masks[0, 0, 0].item() & 15 == 0b1010
    ([5.0, 7.0], True)
    """
    two_bytes = weight.dtype in (torch.float16, torch.bfloat16)
    if weight.dim() != 2 or weight.shape[1] % BLOCK_K or not two_bytes:
        raise ValueError(
            "compress_2to4 takes a matrix in float16 or bfloat16 with rows of a multiple of 128 weights; it got "
            f"{weight.dtype} {tuple(weight.shape)}."
        )
    fours = weight.unflatten(1, (-1, 4))
    if int((fours != 0).sum(dim=-1).max()) > 2:
        raise ValueError(
            "compress_2to4 takes weights of which at most two in four are not zero: prune_2to4 makes them."
        )
    # A stable sort puts what is not zero first, in its order; zeros fill up where there are fewer than two.
    places = (fours == 0).to(torch.int8).argsort(dim=-1, stable=True)[..., :2].sort(dim=-1).values
    kept = fours.gather(-1, places).view(len(weight), -1, BLOCK_K // 2)
    bits = (1 << places).sum(dim=-1).to(torch.uint8).view(len(weight), kept.shape[1], -1, 2, 4)
    masks = (bits[:, :, :, 0] | bits[:, :, :, 1] << 4).flatten(2)
    return kept.transpose(0, 1).contiguous(), masks.transpose(0, 1).contiguous()


def expand_2to4(kept: torch.Tensor, masks: torch.Tensor) -> torch.Tensor:
    """The weights, shape (N, K), that ``kept`` and ``masks`` stand for."""
    bits = torch.arange(8, device=masks.device).view(2, 1, 4)
    is_kept = (masks.transpose(0, 1).unflatten(2, (-1, 1, 4))[..., None] >> bits & 1).bool().flatten(1)
    return torch.zeros_like(is_kept, dtype=kept.dtype).masked_scatter_(is_kept, kept.transpose(0, 1))


def matmul_2to4_reference(x: torch.Tensor, kept: torch.Tensor, masks: torch.Tensor) -> torch.Tensor:
    """``x @ Wᵀ`` in plain torch, W with its zeros."""
    return x @ expand_2to4(kept, masks).T


def matmul_2to4_cost(M: int, N: int, K: int) -> Cost:
    """Least cost: x and nine sixteenths of the weights read once, y written once, numbers of two bytes."""
    return Cost(flops=2 * M * N * K, bytes=2 * M * K + N * K + N * K // 8 + 2 * M * N)


@triton.jit
def _matmul_2to4_kernel(
    x_ptr, words_ptr, masks_ptr, y_ptr, M, N, blocks, x_stride_m,
    BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_K: tl.constexpr,
):  # fmt: skip
    FOURS: tl.constexpr = BLOCK_K // 4
    columns = tl.program_id(0).to(tl.int64) * BLOCK_N + tl.arange(0, BLOCK_N)
    rows = tl.program_id(1).to(tl.int64) * BLOCK_M + tl.arange(0, BLOCK_M)
    split, splits = tl.program_id(2), tl.num_programs(2)
    first, last = split * blocks // splits, (split + 1) * blocks // splits
    words_ptrs = words_ptr + (first * N + columns[:, None]) * FOURS + tl.arange(0, FOURS)[None, :]
    masks_ptrs = masks_ptr + (first * N + columns[:, None]) * (FOURS // 2) + tl.arange(0, FOURS // 2)[None, :]
    place = tl.arange(0, BLOCK_K // 2)
    inner = place // 2 * 4 + place % 2  # the columns of the first pairs; those of the second pairs are 2 further on
    x_ptrs = x_ptr + rows[None, :] * x_stride_m + first * BLOCK_K + inner[:, None]
    inside_n, inside_m = columns[:, None] < N, rows[None, :] < M
    total = tl.zeros((BLOCK_N, BLOCK_M), dtype=tl.float32)
    for _ in range(first, last):
        words = tl.load(words_ptrs, mask=inside_n, other=0).to(tl.uint32, bitcast=True)
        masks = tl.load(masks_ptrs, mask=inside_n, other=0)
        x_first = tl.load(x_ptrs, mask=inside_m, other=0.0)
        x_second = tl.load(x_ptrs + 2, mask=inside_m, other=0.0)
        w_first, w_second = _weights(words, masks, x_first.dtype)
        total = tl.dot(w_first, x_first, total)
        total = tl.dot(w_second, x_second, total)
        words_ptrs += N * FOURS
        masks_ptrs += N * (FOURS // 2)
        x_ptrs += BLOCK_K
    y_ptrs = y_ptr + (split * M + rows[None, :]) * N + columns[:, None]
    tl.store(y_ptrs, total.to(y_ptr.dtype.element_ty), mask=inside_n & inside_m)


@triton.jit
def _weights(words, masks, dtype: tl.constexpr):
    """Both pairs of weights for each word. What looks like data movement renames registers."""
    BLOCK_N: tl.constexpr = words.shape[0]
    FOURS: tl.constexpr = words.shape[1]
    bits = tl.join(masks, masks >> 4).reshape(BLOCK_N, FOURS // 8, 4, 2).permute(0, 1, 3, 2).reshape(BLOCK_N, FOURS)
    # First for the place that decides which value is meant, then for the one that may have to be cleared.
    first = tl.where((bits & 1) != 0, words, words << 16)
    first = tl.where((bits & 2) != 0, first, first & 0xFFFF)
    second = tl.where((bits & 8) != 0, words, words >> 16)
    second = tl.where((bits & 4) != 0, second, second & 0xFFFF0000)
    return _numbers(first, dtype), _numbers(second, dtype)


@triton.jit
def _numbers(words, dtype: tl.constexpr):
    """Both halves of each word, side by side along k."""
    low = words.to(tl.uint16).to(dtype, bitcast=True)
    high = (words >> 16).to(tl.uint16).to(dtype, bitcast=True)
    return tl.join(low, high).reshape(words.shape[0], 2 * words.shape[1])


class _Matmul2to4(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, kept: torch.Tensor, masks: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(kept, masks)
        M, N = len(x), kept.shape[1]
        blocks = kept.shape[0]
        y = torch.empty((M, N), dtype=x.dtype, device=x.device)
        words = kept.view(torch.int32)

        def launch(config: Any) -> None:
            config = dict(config)
            splits = min(config.pop("SPLITS"), blocks)
            parts = parts_of(y, splits)
            _matmul_2to4_kernel[(triton.cdiv(N, config["BLOCK_N"]), triton.cdiv(M, config["BLOCK_M"]), splits)](
                x, words, masks, parts, M, N, blocks, x.stride(0), BLOCK_K=BLOCK_K, **config
            )
            add_splits(parts, y)

        launch(CONFIGURATIONS.configuration(min(max(triton.next_power_of_2(M), 16), 128), launch))
        return y

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        # The weights are frozen. Along N they are not sparse in twos of four, so the product with W is a dense one.
        return gradients[0] @ expand_2to4(*ctx.saved_tensors), None, None


def matmul_2to4(x: torch.Tensor, kept: torch.Tensor, masks: torch.Tensor) -> torch.Tensor:
    """Product of ``x`` with the transpose of weights of which two in four are zero.

    Parameters
    ----------
    x
        Shape (M, K), float16 or bfloat16, unit stride along K.
    kept, masks
        Weights of shape (N, K) as `compress_2to4` makes them, in the dtype of ``x``.

    Returns
    -------
    torch.Tensor
        Shape (M, N), dtype of ``x``. Its gradient with respect to ``x`` exists.

    Raises
    ------
    ValueError
        If shapes, dtypes or strides are others.

    Examples
    --------
    >>> weight = prune_2to4(torch.eye(128, dtype=torch.float16, device=device.DEVICE))
    >>> x = torch.ones(1, 128, dtype=torch.float16, device=device.DEVICE)
    >>> bool((matmul_2to4(x, *compress_2to4(weight)) == x).all())
    True
    """
    fits = (
        x.dim() == 2
        and kept.dim() == 3
        and x.dtype == kept.dtype
        and x.dtype in (torch.float16, torch.bfloat16)
        and masks.dtype == torch.uint8
        and kept.shape[2] == BLOCK_K // 2
        and masks.shape == (*kept.shape[:2], BLOCK_K // 8)
        and x.shape[1] == BLOCK_K * kept.shape[0]
    )
    if not fits or x.stride(1) != 1 or not (kept.is_contiguous() and masks.is_contiguous()):
        raise ValueError(
            "matmul_2to4 takes x of shape (M, K) in float16 or bfloat16 with unit stride along K, and weights from "
            f"compress_2to4 of shape (N, K) in that dtype; it got x {x.dtype} {tuple(x.shape)} strides {x.stride()}, "
            f"kept {kept.dtype} {tuple(kept.shape)}, masks {masks.dtype} {tuple(masks.shape)}."
        )
    device.refuse_bfloat16("matmul_2to4", x)
    return _Matmul2to4.apply(x, kept, masks)
